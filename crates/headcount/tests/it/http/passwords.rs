//! What passwords may be, and those of an imported installation.

use serde_json::{Value, json};

use crate::app::{Caller, Reply, TestApp};

async fn login(app: &TestApp, name: &str, password: &str) -> Reply {
    app.request("POST", "/login").json(&json!({"username": name, "password": password})).send().await
}

async fn create(admin: &Caller<'_>, name: &str, password: &str) -> Reply {
    admin.post("/user/create", &json!({"username": name, "password": password})).await
}

fn refused(error: &str) -> (u16, Value) {
    (400, json!({"error": error, "code": "invalid", "field": "password", "accepted": "10 to 1024 bytes"}))
}

#[tokio::test]
async fn the_commonest_passwords_are_refused_everywhere() {
    let app = TestApp::with(&[("API_KEY", "a key that nobody can guess at all")]).await;
    let setup = app.app.catalog.offer_setup().await.unwrap().unwrap().reveal().to_owned();
    let common = refused("this password is one of the commonest");
    for password in ["1234567890", "qwertyuiop", "QwertyUIOP", "1q2w3e4r5t", "password123"] {
        let body = json!({"token": setup, "username": "alice", "password": password});
        assert_eq!(app.request("POST", "/setup").json(&body).send().await.both(), common, "{password}");
        let body = json!({"api_key": "a key that nobody can guess at all", "username": "bob", "password": password});
        assert_eq!(app.request("POST", "/signup").json(&body).send().await.both(), common, "{password}");
    }
    let alice = Caller::new(&app, "alice").await;
    let id = alice.get("/whoami").await.json()["id"].clone();
    let body = json!({"id": id, "username": "alice", "password": "1234567890"});
    assert_eq!(alice.post("/admin/update", &body).await.both(), common);
    assert_eq!(create(&alice, "carol", "1234567890").await.both(), common);
    assert_eq!(create(&alice, "carol", "# Redistr").await.both(), refused("invalid password"));
    assert_eq!(create(&alice, "carol", "1234567890 ").await.status, 200);
}

#[tokio::test]
async fn a_password_is_the_same_however_its_characters_are_composed() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    let (composed, decomposed) = ("pr\u{e9}f\u{e9}r\u{e9}e \u{c5}", "pre\u{301}fe\u{301}re\u{301}e A\u{30a}");
    assert_eq!(create(&alice, "carol", composed).await.status, 200);
    assert_eq!(create(&alice, "dave", decomposed).await.status, 200);
    for name in ["carol", "dave"] {
        for password in [composed, decomposed] {
            assert_eq!(login(&app, name, password).await.status, 200, "{name} {password}");
        }
        assert_eq!(login(&app, name, "preferee Accent").await.status, 401);
    }
    // The length is that of the composed form: this one has 9 bytes.
    assert_eq!(create(&alice, "erin", "e\u{301}e\u{301}e\u{301}e\u{301}1").await.both(), refused("invalid password"));
}

/// Hashes as faynoSync has made them: bcrypt of cost 10, of passwords that may be short.
#[tokio::test]
async fn an_imported_hash_verifies_once_and_is_replaced() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    let mut tables = app.tables().await;
    let decomposed = "caf\u{65}\u{301}s";
    for (name, password, form) in
        [("carol", "secret", "2a"), ("dave", decomposed, "2b"), ("erin", "\u{e9}\u{e9}", "2y")]
    {
        assert_eq!(create(&alice, name, "a password for now").await.status, 200);
        let hash = bcrypt::hash(password, 10).unwrap().replacen("$2b$", &format!("${form}$"), 1);
        assert_eq!(tables.run("UPDATE users SET password = $1 WHERE name = $2", &[&hash, name]).await, 1);

        let wrong = (401, json!({"error": "invalid username or password", "code": "unauthenticated"}));
        assert_eq!(login(&app, name, "Secret").await.both(), wrong);
        let stored = format!("SELECT password FROM users WHERE name = '{name}'");
        assert_eq!(tables.text(&stored).await, hash);
        let reply = login(&app, name, password).await;
        assert_eq!(reply.status, 200, "{name}");
        let now = tables.text(&stored).await;
        assert!(now.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{now}");
        // The session that began meanwhile goes on, and the new hash is of the same password.
        let known = Caller::known(&app, reply.json()["token"].as_str().unwrap());
        assert_eq!(known.get("/whoami").await.status, 200);
        assert_eq!(login(&app, name, password).await.status, 200);
        assert_eq!(tables.text(&stored).await, now);
    }
}

#[tokio::test]
async fn a_hash_that_cannot_be_verified_is_of_no_password() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    assert_eq!(create(&alice, "carol", "a password for now").await.status, 200);
    let mut tables = app.tables().await;
    // The last one would take days.
    for hash in [
        "$2a$10$short",
        "$2a$",
        "$2x$10$abcdefghijklmnopqrstuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu",
        "$2a$31$abcdefghijklmnopqrstuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu",
    ] {
        tables.run("UPDATE users SET password = $1 WHERE name = 'carol'", &[hash]).await;
        assert_eq!(login(&app, "carol", "a password for now").await.status, 401, "{hash}");
    }
}

/// Parameters grow: a hash of weaker ones is replaced by the next login.
#[tokio::test]
async fn a_hash_of_other_parameters_is_replaced() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    assert_eq!(create(&alice, "carol", "a password for now").await.status, 200);
    let mut tables = app.tables().await;
    // argon2id of `a password for now`, with 8 MiB and one pass.
    let weak = {
        use argon2::password_hash::{PasswordHasher as _, SaltString};
        let salt = SaltString::encode_b64(&[7; 16]).unwrap();
        let parameters = argon2::Params::new(8192, 1, 1, None).unwrap();
        let hasher = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, parameters);
        hasher.hash_password(b"a password for now", &salt).unwrap().to_string()
    };
    tables.run("UPDATE users SET password = $1 WHERE name = 'carol'", &[&weak]).await;
    assert_eq!(login(&app, "carol", "a password for now").await.status, 200);
    let now = tables.text("SELECT password FROM users WHERE name = 'carol'").await;
    assert!(now.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && now != weak, "{now}");
}
