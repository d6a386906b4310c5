//! How administrators come about.

use serde_json::{Value, json};

use crate::app::{Reply, TestApp};

const KEY: (&str, &str) = ("API_KEY", "a key of 16 bytes or more");

fn whole(reply: &Reply) -> (u16, Value) {
    (reply.status, reply.json())
}

fn invalid_username() -> (u16, Value) {
    let accepted = "^[a-z0-9][a-z0-9._@+-]{1,63}$";
    (400, json!({"error": "invalid username", "code": "invalid", "field": "username", "accepted": accepted}))
}

fn invalid_password() -> (u16, Value) {
    let accepted = "10 to 1024 bytes";
    (400, json!({"error": "invalid password", "code": "invalid", "field": "password", "accepted": accepted}))
}

fn wrong_token() -> (u16, Value) {
    (401, json!({"error": "invalid or expired setup token", "code": "unauthenticated"}))
}

async fn post(app: &TestApp, path: &str, body: Value) -> Reply {
    app.request("POST", path).json(&body).send().await
}

async fn setup_token(app: &TestApp) -> Option<String> {
    app.app.catalog.offer_setup().await.unwrap().map(|token| token.reveal().to_owned())
}

fn default_owner(app: &TestApp) -> Option<String> {
    app.app.catalog.snapshot().owner_named(None).map(|owner| owner.name.to_string())
}

async fn names(app: &TestApp) -> Vec<String> {
    app.app.catalog.users().await.unwrap().into_iter().map(|user| user.name).collect()
}

#[tokio::test]
async fn the_setup_token_makes_the_first_administrator_once() {
    let app = TestApp::start().await;
    let token = setup_token(&app).await.unwrap();
    let with = |token: &str, username: &str, password: &str| {
        post(&app, "/setup", json!({"token": token, "username": username, "password": password}))
    };
    assert_eq!(whole(&with("hcx_wrong", "alice", "a long password").await), wrong_token());
    assert_eq!(whole(&with("", "alice", "a long password").await), wrong_token());
    assert_eq!(whole(&with(&token, "a", "a long password").await), invalid_username());
    assert_eq!(whole(&with(&token, "alice", "too short").await), invalid_password());
    assert_eq!(names(&app).await, [""; 0]);

    let reply = with(&token, "Alice", "a long password").await;
    let session = reply.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(whole(&reply), (200, json!({"token": session})));
    assert!(session.starts_with("hcs_") && session.len() == 68, "{session}");
    let reply = app.request("GET", "/whoami").bearer(&session).send().await;
    assert_eq!((reply.status, &reply.json()["username"]), (200, &json!("alice")));
    assert_eq!(default_owner(&app).as_deref(), Some("alice"));

    assert_eq!(whole(&with(&token, "mallory", "a long password").await), wrong_token());
    assert_eq!(setup_token(&app).await, None);
    assert_eq!(names(&app).await, ["alice"]);
}

#[tokio::test]
async fn of_many_uses_at_once_one_succeeds() {
    let app = TestApp::start().await;
    let token = setup_token(&app).await.unwrap();
    let uses = (0..8).map(|number| {
        post(
            &app,
            "/setup",
            json!({"token": token, "username": format!("user{number}"), "password": "a long password"}),
        )
    });
    let mut statuses: Vec<u16> = futures_util::future::join_all(uses).await.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401, 401, 401, 401, 401, 401, 401]);
    assert_eq!(names(&app).await.len(), 1);
}

#[tokio::test]
async fn a_setup_token_ends_with_the_next_offer_and_with_any_administrator() {
    let app = TestApp::start().await;
    let body = |token: &str| json!({"token": token, "username": "mallory", "password": "a long password"});
    let first = setup_token(&app).await.unwrap();
    let second = setup_token(&app).await.unwrap();
    assert_ne!(first, second);
    assert_eq!(whole(&post(&app, "/setup", body(&first)).await), wrong_token());

    app.administrator("alice").await;
    assert_eq!(whole(&post(&app, "/setup", body(&second)).await), wrong_token());
    assert_eq!(names(&app).await, ["alice"]);
}

#[tokio::test]
async fn without_a_key_signup_is_an_unknown_path() {
    let app = TestApp::start().await;
    for body in [json!({"username": "alice", "password": "a long password", "api_key": ""}), json!(7)] {
        let reply = post(&app, "/signup", body).await;
        assert_eq!(whole(&reply), whole(&post(&app, "/no/such/path", json!(null)).await));
        assert_eq!(reply.status, 404);
    }
    assert_eq!(names(&app).await, [""; 0]);
}

#[tokio::test]
async fn the_key_signs_administrators_up() {
    let app = TestApp::with(&[KEY]).await;
    let with = |key: &str, username: &str, password: &str| {
        post(&app, "/signup", json!({"username": username, "password": password, "api_key": key}))
    };
    let wrong_key = || (401, json!({"error": "wrong api key", "code": "unauthenticated"}));
    for key in ["", "a key of 16 bytes or mor", "a key of 16 bytes or more ", "A KEY OF 16 BYTES OR MORE"] {
        assert_eq!(whole(&with(key, "alice", "a long password").await), wrong_key(), "{key}");
    }
    assert_eq!(whole(&with(KEY.1, "-alice", "a long password").await), invalid_username());
    assert_eq!(whole(&with(KEY.1, "alice", "123456789").await), invalid_password());
    assert_eq!(whole(&with(KEY.1, "alice", &"x".repeat(1025)).await), invalid_password());
    assert_eq!(names(&app).await, [""; 0]);

    let signed_up = || (200, json!({"result": "Successfully created admin user."}));
    assert_eq!(whole(&with(KEY.1, "Alice", "1234567809").await), signed_up());
    let taken = || (401, json!({"error": "user already exists", "code": "unauthenticated"}));
    assert_eq!(whole(&with(KEY.1, "alice", "another password").await), taken());
    assert_eq!(whole(&with(KEY.1, "ALICE", "another password").await), taken());
    assert_eq!(whole(&with(KEY.1, "b.o+b@example.org", &"x".repeat(1024)).await), signed_up());

    assert_eq!(names(&app).await, ["alice", "b.o+b@example.org"]);
    assert_eq!(default_owner(&app).as_deref(), Some("alice"));
    for (username, password) in [("alice", "1234567809"), ("B.O+B@example.org", &"x".repeat(1024))] {
        let reply = post(&app, "/login", json!({"username": username, "password": password})).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
    }
}

#[tokio::test]
async fn of_equal_signups_at_once_one_succeeds() {
    let app = TestApp::with(&[KEY]).await;
    let body = json!({"username": "alice", "password": "a long password", "api_key": KEY.1});
    let signups = (0..6).map(|_| post(&app, "/signup", body.clone()));
    let mut statuses: Vec<u16> =
        futures_util::future::join_all(signups).await.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401, 401, 401, 401, 401]);
    assert_eq!(names(&app).await, ["alice"]);
}

#[tokio::test]
async fn a_setting_names_another_default_owner() {
    let app = TestApp::with(&[("HEADCOUNT_DEFAULT_OWNER", "Bob")]).await;
    app.administrator("alice").await;
    assert_eq!(default_owner(&app), None);
    app.administrator("bob").await;
    assert_eq!(default_owner(&app).as_deref(), Some("bob"));
}

#[tokio::test]
async fn a_deleted_default_owner_is_followed_by_nobody() {
    let app = TestApp::start().await;
    app.administrator("alice").await;
    app.administrator("bob").await;
    assert!(app.app.catalog.delete_user(&"alice".parse().unwrap()).await.unwrap());
    app.administrator("carol").await;
    assert_eq!(default_owner(&app), None);
}

#[tokio::test]
async fn bodies_that_are_no_setup_and_no_signup() {
    let app = TestApp::with(&[KEY]).await;
    let token = setup_token(&app).await.unwrap();
    let deep = format!("{{\"token\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let long = format!("{{\"token\":\"{}\"}}", "x".repeat(70_000));
    for path in ["/setup", "/signup", "/login"] {
        for body in ["", "x", "null", "7", "[]", "{}", "{\"username\":", "{\"username\":\"alice\"}", &deep] {
            let reply = app.request("POST", path).body(body.to_owned()).send().await;
            let (status, mut reply) = whole(&reply);
            assert!(reply.as_object_mut().unwrap().remove("details").is_some(), "{path} {body}");
            let expected = json!({"error": "invalid request body", "code": "invalid", "field": "body"});
            assert_eq!((status, reply), (400, expected), "{path} {body}");
        }
        let reply = app.request("POST", path).body(long.clone()).send().await;
        assert_eq!(whole(&reply), (413, json!({"error": "request body is too large", "code": "too_large"})));
        let reply = app.request("PUT", path).send().await;
        assert_eq!(whole(&reply), (405, json!({"error": "method not allowed", "code": "method_not_allowed"})));
    }
    let typed = json!({"token": 7, "username": ["alice"], "password": {}, "api_key": true});
    for path in ["/setup", "/signup", "/login"] {
        let reply = post(&app, path, typed.clone()).await;
        assert_eq!((reply.status, &reply.json()["error"]), (400, &json!("invalid request body")));
    }
    let names_refused =
        ["", "a", " alice", "alice ", "a\0b", "a\nb", "al🦀ce", "ål", "a/b", "a:b", "a*", "../a", "a'b", "{a}", "%61b"];
    for name in names_refused.into_iter().chain([&*"a".repeat(65), &*"a".repeat(10_000)]) {
        for (path, mut body) in [("/setup", json!({"token": token})), ("/signup", json!({"api_key": KEY.1}))] {
            body["username"] = json!(name);
            body["password"] = json!("a long password");
            assert_eq!(whole(&post(&app, path, body).await), invalid_username(), "{path} {name:?}");
        }
        let reply = post(&app, "/login", json!({"username": name, "password": "a long password"})).await;
        assert_eq!(
            whole(&reply),
            (401, json!({"error": "invalid username or password", "code": "unauthenticated"})),
            "{name:?}"
        );
    }
    assert_eq!(names(&app).await, [""; 0]);
}

#[tokio::test]
async fn every_text_of_ten_bytes_is_a_password() {
    let app = TestApp::with(&[KEY]).await;
    for (number, password) in
        ["\0\0\0\0\0\0\0\0\0\0", "line\nline\r\n", "🦀🦀🦀", "'; DROP TABLE users; --", "          "]
            .into_iter()
            .enumerate()
    {
        let username = format!("user{number}");
        let body = json!({"username": username, "password": password, "api_key": KEY.1});
        assert_eq!(post(&app, "/signup", body).await.status, 200);
        let login = json!({"username": username, "password": password});
        assert_eq!(post(&app, "/login", login).await.status, 200, "{password:?}");
        let login = json!({"username": username, "password": format!("{password}.")});
        assert_eq!(post(&app, "/login", login).await.status, 401, "{password:?}");
    }
}
