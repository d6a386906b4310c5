//! Logging in, who one is, and how sessions end.

use std::time::Duration;

use headcount::catalog::sessions::NewSession;
use headcount::clock::Clock;
use headcount_engine::day::Millis;
use serde_json::{Value, json};

use crate::app::{Reply, TestApp};

fn whole(reply: &Reply) -> (u16, Value) {
    (reply.status, reply.json())
}

fn unauthenticated(error: &str) -> (u16, Value) {
    (401, json!({"error": error, "code": "unauthenticated"}))
}

async fn login(app: &TestApp, username: &str, password: &str) -> Reply {
    app.request("POST", "/login").json(&json!({"username": username, "password": password})).send().await
}

async fn whoami(app: &TestApp, token: &str) -> Reply {
    app.request("GET", "/whoami").bearer(token).send().await
}

#[tokio::test]
async fn a_login_answers_with_a_token_that_is_known() {
    let app = TestApp::start().await;
    app.administrator("alice").await;

    let reply = login(&app, "ALICE", "the password of alice").await;
    let token = reply.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(whole(&reply), (200, json!({"token": token})));

    let reply = whoami(&app, &token).await;
    let id = reply.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(whole(&reply), (200, json!({"id": id, "username": "alice", "is_admin": true})));
    assert!(id.len() == 24 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{id}");
}

#[tokio::test]
async fn wrong_names_and_passwords_get_one_answer() {
    let app = TestApp::start().await;
    app.administrator("alice").await;
    app.administrator("bob").await;
    let long = "x".repeat(1025);
    for (username, password) in [
        ("alice", "the password of bob"),
        ("alice", "The password of alice"),
        ("alice", "the password of alice\0"),
        ("alice", ""),
        ("alice", "short"),
        ("alice", &long),
        ("", "the password of alice"),
        ("carol", "the password of carol"),
        ("al\0ice", "the password of alice"),
        (&long, &long),
    ] {
        let reply = login(&app, username, password).await;
        assert_eq!(whole(&reply), unauthenticated("invalid username or password"), "{username:?} {password:?}");
    }
}

/// Who a name belongs to cannot be told from the work that a login causes: it takes its place among the verifications.
#[tokio::test]
async fn an_unknown_user_is_verified_like_a_known_one() {
    let app = TestApp::start().await;
    app.administrator("alice").await;
    for name in ["alice", "nobody", "not a name"] {
        let logins = (0..100).map(|_| login(&app, name, "a wrong password"));
        let replies = futures_util::future::join_all(logins).await;
        let with = |status: u16| replies.iter().filter(|reply| reply.status == status).count();
        assert!(with(401) > 0 && with(429) > 0 && with(401) + with(429) == 100, "{name}: {} {}", with(401), with(429));
    }
}

#[tokio::test]
async fn too_many_logins_at_once_are_told_to_wait() {
    let app = TestApp::start().await;
    app.administrator("alice").await;
    let names: Vec<String> = (0..100).map(|number| format!("user-{number}")).collect();
    let logins = names.iter().map(|name| login(&app, name, "the password of alice"));
    let replies = futures_util::future::join_all(logins).await;
    let (served, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 401);
    assert!(!served.is_empty() && !refused.is_empty(), "{} {}", served.len(), refused.len());
    for reply in refused {
        let error = "too many passwords are being verified, try again later";
        assert_eq!(whole(reply), (429, json!({"error": error, "code": "too_many"})));
        assert_eq!(reply.header("retry-after"), Some("1"));
    }
    assert_eq!(login(&app, "alice", "the password of alice").await.status, 200);
}

#[tokio::test]
async fn credentials_that_are_none_are_named() {
    let app = TestApp::with(&[("ALLOWED_CORS", "https://dash.example.org")]).await;
    let token = app.administrator("alice").await;
    let (twice, cut, long) = (format!("Bearer {token} x"), &token[..67], format!("Bearer {}", "x".repeat(8_000)));
    for (header, error) in [
        (None, "missing authorization header"),
        (Some(""), "missing authorization header"),
        (Some("  "), "missing authorization header"),
        (Some("Bearer"), "invalid token format"),
        (Some(&*token), "invalid token format"),
        (Some(&*format!("bearer {token}")), "invalid token format"),
        (Some(&*format!("Basic {token}")), "invalid token format"),
        (Some(&*twice), "invalid token format"),
        (Some("Bearer é"), "invalid token format"),
        (Some("Bearer x"), "invalid or expired token"),
        (Some(&*format!("Bearer {cut}")), "invalid or expired token"),
        (Some(&*format!("Bearer {}", token.to_uppercase())), "invalid or expired token"),
        (Some("Bearer eyJhbGciOiJub25lIn0.eyJ1c2VybmFtZSI6ImFsaWNlIn0."), "invalid or expired token"),
        (
            Some("Bearer fns_0000000000000000000000000000000000000000000000000000000000000000"),
            "invalid or expired token",
        ),
        (Some(&*long), "invalid or expired token"),
    ] {
        let request = app.request("GET", "/whoami").header("Origin", "https://dash.example.org");
        let request = match header {
            Some(header) => request.header("Authorization", header),
            None => request,
        };
        let reply = request.send().await;
        assert_eq!(whole(&reply), unauthenticated(error), "{header:?}");
        assert_eq!(reply.header("access-control-allow-origin"), Some("https://dash.example.org"), "{header:?}");
        assert_eq!(reply.header("access-control-allow-credentials"), Some("true"), "{header:?}");
    }
    let two = app.request("GET", "/whoami").bearer(&token).bearer(&token).send().await;
    assert_eq!(whole(&two), unauthenticated("invalid token format"));
    let in_query = app.get(&format!("/whoami?token={token}")).await;
    assert_eq!(whole(&in_query), unauthenticated("missing authorization header"));
    assert_eq!(whoami(&app, &token).await.status, 200);
}

#[tokio::test]
async fn a_session_ends_after_its_hours() {
    let clock = Clock::stopped_at(Millis(1_770_000_000_000));
    let app = TestApp::at(clock.clone(), &[("HEADCOUNT_SESSION_HOURS", "2")]).await;
    let first = app.administrator("alice").await;
    clock.advance(Duration::from_hours(1));
    let second = login(&app, "alice", "the password of alice").await.json()["token"].as_str().unwrap().to_owned();

    clock.advance(Duration::from_hours(1) - Duration::from_millis(1));
    assert_eq!(whoami(&app, &first).await.status, 200);
    clock.advance(Duration::from_millis(1));
    assert_eq!(whole(&whoami(&app, &first).await), unauthenticated("invalid or expired token"));
    assert_eq!(whoami(&app, &second).await.status, 200);

    let app = app.restart().await;
    assert_eq!(whoami(&app, &second).await.status, 200);
}

#[tokio::test]
async fn the_token_of_a_deleted_user_is_worth_nothing_at_once() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.administrator("alice").await, app.administrator("bob").await);
    assert!(app.app.catalog.delete_user(&"bob".parse().unwrap()).await.unwrap());
    assert!(!app.app.catalog.delete_user(&"bob".parse().unwrap()).await.unwrap());

    assert_eq!(whole(&whoami(&app, &bob).await), unauthenticated("invalid or expired token"));
    let reply = login(&app, "bob", "the password of bob").await;
    assert_eq!(whole(&reply), unauthenticated("invalid username or password"));
    assert_eq!(whoami(&app, &alice).await.status, 200);
}

#[tokio::test]
async fn credentials_that_changed_meanwhile_open_no_session() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.administrator("alice").await, app.administrator("bob").await);
    let catalog = &app.app.catalog;
    let known = async |name: &str| catalog.credentials(&name.parse().unwrap()).await.unwrap().unwrap();
    let open = async |known| {
        catalog.open_session(&known, NewSession::bearer(Duration::from_hours(1)), None).await.unwrap().is_some()
    };
    let (before, of_bob) = (known("alice").await, known("bob").await);

    let id = whoami(&app, &alice).await.json()["id"].clone();
    let body = json!({"id": id, "username": "alice", "password": "a new password"});
    assert_eq!(app.request("POST", "/admin/update").bearer(&alice).json(&body).send().await.status, 200);
    assert!(catalog.delete_user(&"bob".parse().unwrap()).await.unwrap());

    assert!(!open(before).await);
    assert!(!open(of_bob).await);
    assert!(open(known("alice").await).await);
    assert_eq!(whoami(&app, &bob).await.status, 401);
}
