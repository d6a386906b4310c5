//! The accounts of users.

use std::time::Duration;

use headcount::clock::Clock;
use headcount::config::Database;
use headcount_engine::day::Millis;
use serde_json::{Value, json};

use crate::app::{Caller, Reply, Tables, TestApp};

fn whole(reply: &Reply) -> (u16, Value) {
    (reply.status, reply.json())
}

async fn update(app: &TestApp, token: &str, body: Value) -> (u16, Value) {
    whole(&app.request("POST", "/admin/update").bearer(token).json(&body).send().await)
}

async fn id_of(app: &TestApp, token: &str) -> String {
    let reply = app.request("GET", "/whoami").bearer(token).send().await;
    reply.json()["id"].as_str().unwrap().to_owned()
}

async fn login(app: &TestApp, username: &str, password: &str) -> Reply {
    app.request("POST", "/login").json(&json!({"username": username, "password": password})).send().await
}

fn updated() -> (u16, Value) {
    (200, json!({"message": "Admin updated successfully"}))
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let app = TestApp::start().await;
    let (token, bob) = (app.administrator("alice").await, app.administrator("bob").await);
    let other = login(&app, "alice", "the password of alice").await.json()["token"].as_str().unwrap().to_owned();
    let id = id_of(&app, &token).await;

    let body = json!({"id": id, "username": "Alice", "password": "a new password"});
    assert_eq!(update(&app, &token, body).await, updated());

    assert_eq!(id_of(&app, &token).await, id);
    let reply = app.request("GET", "/whoami").bearer(&other).send().await;
    assert_eq!(whole(&reply), (401, json!({"error": "invalid or expired token", "code": "unauthenticated"})));
    assert_eq!(app.request("GET", "/whoami").bearer(&bob).send().await.status, 200);
    assert_eq!(login(&app, "alice", "the password of alice").await.status, 401);
    assert_eq!(login(&app, "alice", "a new password").await.status, 200);
    assert_eq!(login(&app, "bob", "the password of bob").await.status, 200);
}

#[tokio::test]
async fn without_a_new_password_nothing_changes() {
    let app = TestApp::start().await;
    let token = app.administrator("alice").await;
    let id = id_of(&app, &token).await;
    for body in [
        json!({"id": id, "username": "alice"}),
        json!({"id": id, "username": "alice", "password": ""}),
        json!({"id": id, "username": "alice", "password": null}),
    ] {
        assert_eq!(update(&app, &token, body).await, updated());
    }
    assert_eq!(login(&app, "alice", "the password of alice").await.status, 200);
}

#[tokio::test]
async fn only_the_own_account_can_be_updated() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.administrator("alice").await, app.administrator("bob").await);
    let (id, other) = (id_of(&app, &alice).await, id_of(&app, &bob).await);
    let invalid = |error: &str, field: &str, accepted: &str| {
        (400, json!({"error": error, "code": "invalid", "field": field, "accepted": accepted}))
    };
    let filled = "a text that is not empty";
    for (body, expected) in [
        (json!({"id": "", "username": "alice"}), invalid("Invalid request body", "id", filled)),
        (json!({"id": id, "username": ""}), invalid("Invalid request body", "username", filled)),
        (json!({"id": "7", "username": "alice"}), invalid("Invalid ID format", "id", "24 lowercase hex characters")),
        (
            json!({"id": id.to_uppercase() + "g", "username": "alice"}),
            invalid("Invalid ID format", "id", "24 lowercase hex characters"),
        ),
        (
            json!({"id": id, "username": "alice", "password": "short"}),
            invalid("invalid password", "password", "10 to 1024 bytes"),
        ),
        (json!({"id": id, "username": "bob"}), (403, json!({"error": "Username mismatch", "code": "forbidden"}))),
        (json!({"id": other, "username": "bob"}), (403, json!({"error": "Username mismatch", "code": "forbidden"}))),
        (json!({"id": other, "username": "alice"}), (404, json!({"error": "Admin not found", "code": "not_found"}))),
        (
            json!({"id": "0".repeat(24), "username": "alice"}),
            (404, json!({"error": "Admin not found", "code": "not_found"})),
        ),
    ] {
        let mut body = body;
        if body.get("password").is_none() {
            body["password"] = json!("a stolen password");
        }
        assert_eq!(update(&app, &alice, body.clone()).await, expected, "{body}");
    }
    for body in ["", "null", "{}", "[7]", "{\"id\":7,\"username\":\"alice\"}", &format!("{{\"id\":\"{id}\"}}")] {
        let reply = app.request("POST", "/admin/update").bearer(&alice).body(body.to_owned()).send().await;
        let (status, mut reply) = whole(&reply);
        assert!(reply.as_object_mut().unwrap().remove("details").is_some(), "{body}");
        let expected = json!({"error": "Invalid request body", "code": "invalid", "field": "body"});
        assert_eq!((status, reply), (400, expected), "{body}");
    }
    let reply = app.request("POST", "/admin/update").body("{}").send().await;
    assert_eq!(whole(&reply), (401, json!({"error": "missing authorization header", "code": "unauthenticated"})));

    for name in ["alice", "bob"] {
        assert_eq!(login(&app, name, &format!("the password of {name}")).await.status, 200);
    }
}

async fn rows(tables: &mut Tables, owner: &str) -> [i64; 3] {
    let mut counts = [0; 3];
    for (count, table) in counts.iter_mut().zip(["users", "resources", "erasures"]) {
        *count = tables.number(&format!("SELECT COUNT(*) FROM {table} WHERE owner_id = '{owner}'")).await;
    }
    counts
}

#[tokio::test]
async fn a_team_user_is_no_administrator() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    let carol = Caller::team(&app, &alice, "carol", &json!({})).await;
    let id = id_of(&app, carol.token()).await;
    let body = json!({"id": id, "username": "carol", "password": "a new password"});
    let refused = (403, json!({"error": "Admin access required", "code": "forbidden"}));
    assert_eq!(update(&app, carol.token(), body).await, refused);
    assert_eq!(login(&app, "carol", "the password of carol").await.status, 200);
}

#[tokio::test]
async fn an_administrator_goes_with_everything_that_it_owned() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.administrator("alice").await, app.administrator("bob").await);
    let mut owners = Vec::new();
    for token in [&alice, &bob] {
        owners.push(id_of(&app, token).await);
        let created = app.request("POST", "/channel/create").bearer(token).json(&json!({"channel": "stable"})).send();
        assert_eq!(created.await.status, 200);
    }
    let mut tables = app.tables().await;
    Caller::team(&app, &Caller::known(&app, &alice), "carol", &json!({})).await;

    assert!(app.app.catalog.delete_user(&"alice".parse().unwrap()).await.unwrap());

    assert_eq!(rows(&mut tables, &owners[0]).await, [0, 0, 1]);
    assert_eq!(rows(&mut tables, &owners[1]).await, [1, 1, 0]);
    assert_eq!(tables.number("SELECT COUNT(*) FROM sessions").await, 1);
    assert_eq!(tables.text("SELECT app_id FROM erasures").await, "");
    assert_eq!(app.request("GET", "/channel/list").bearer(&bob).send().await.status, 200);
}

#[tokio::test]
async fn the_last_use_of_a_session_is_noted_each_five_minutes() {
    let clock = Clock::stopped_at(Millis(1_770_000_000_000));
    let app = TestApp::at(clock.clone(), &[]).await;
    let token = app.administrator("alice").await;
    let mut tables = app.tables().await;
    for (minutes, noted) in [(4, 0), (1, 5), (4, 5), (30, 39)] {
        clock.advance(Duration::from_mins(minutes));
        id_of(&app, &token).await;
        let last_use = tables.number("SELECT last_used_at FROM sessions").await;
        assert_eq!(last_use - 1_770_000_000_000, noted * 60_000);
    }
}

#[tokio::test]
async fn only_hashes_of_secrets_are_stored() {
    let app = TestApp::start().await;
    let setup = app.app.catalog.offer_setup().await.unwrap().unwrap().reveal().to_owned();
    let token = app.administrator("alice").await;
    let mut tables = app.tables().await;
    let stored = tables.text("SELECT password FROM users").await;
    assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
    let mut kept = Vec::new();
    if let Database::Sqlite = app.app.config.database {
        for file in ["catalog.db", "catalog.db-wal"] {
            kept.push(std::fs::read(app.directory().join(file)).unwrap());
        }
    } else {
        for table in ["installation", "users", "sessions"] {
            kept.push(tables.text(&format!("SELECT CAST(t AS TEXT) FROM {table} t")).await.into_bytes());
        }
    }
    for bytes in kept {
        for secret in [&setup[4..], &token[4..], "the password of alice"] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
        }
    }
}
