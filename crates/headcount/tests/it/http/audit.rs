//! The audit log: every route that changes something notes it, and only the administrator reads it.

use std::time::Duration;

use axum::http::Method;
use headcount::clock::Clock;
use headcount::http::policies;
use headcount::http::policy::Declared;
use headcount_engine::day::Millis;
use serde_json::{Value, json};

use crate::app::{Caller, Reply, TestApp};
use crate::http::shop;

async fn entries(admin: &Caller<'_>, query: &str) -> Vec<Value> {
    let reply = admin.get(&format!("/audit/list{query}")).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["entries"].as_array().unwrap().clone()
}

/// Kind, action and name of the subject, of every entry, the newest first.
async fn changes(admin: &Caller<'_>, query: &str) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let line = |entry: &Value| {
        format!("{}.{} {}", text(&entry["kind"]), text(&entry["action"]), text(&entry["subject"]["name"]))
    };
    entries(admin, query).await.iter().map(line).collect()
}

/// One call of every route that changes something, in an order in which all succeed: the route, the call, and what the log
/// then says first.
const CALLS: &[(&str, &str, &str)] = &[
    ("POST /channel/create", r#"{"channel": "beta"}"#, "channel.create beta"),
    ("POST /channel/update", r#"{"id": "{channel}", "channel": "gamma"}"#, "channel.update gamma"),
    ("DELETE /channel/delete", "{channel}", "channel.delete gamma"),
    ("POST /platform/create", r#"{"platform": "plan9"}"#, "platform.create plan9"),
    (
        "POST /platform/update",
        r#"{"id": "{platform}", "platform": "plan10", "updaters": [{"type": "manual", "default": true}]}"#,
        "platform.update plan10",
    ),
    ("DELETE /platform/delete", "{platform}", "platform.delete plan10"),
    ("POST /arch/create", r#"{"arch": "mips"}"#, "arch.create mips"),
    ("POST /arch/update", r#"{"id": "{arch}", "arch": "mips64"}"#, "arch.update mips64"),
    ("DELETE /arch/delete", "{arch}", "arch.delete mips64"),
    ("POST /app/create", r#"form {"app": "second"}"#, "app.create second"),
    ("POST /app/update", r#"form {"id": "{app}", "app": "renamed"}"#, "app.update renamed"),
    ("DELETE /app/delete", "{app}", "app.delete renamed"),
    (
        "POST /release/create",
        r#"{"app_name": "myapp", "version": "9.0.0", "channel": "stable"}"#,
        "release.create myapp 9.0.0",
    ),
    ("POST /release/update", r#"{"id": "{release}", "critical": true}"#, "release.update myapp 9.0.0"),
    ("DELETE /release/delete", "{release}", "release.delete myapp 9.0.0"),
    ("POST /user/create", r#"{"username": "dora", "password": "the password of dora"}"#, "user.create dora"),
    ("POST /user/update", r#"{"id": "{user}", "username": "dorothea"}"#, "user.update dorothea"),
    ("DELETE /user/delete", r#"{"id": "{user}"}"#, "user.delete dorothea"),
    ("POST /token/create", r#"{"name": "reader", "scopes": ["telemetry:read"]}"#, "token.create reader"),
    ("DELETE /token/delete", r#"{"id": "{token}"}"#, "token.delete reader"),
    ("POST /settings", r#"{"strict_ids": true}"#, "settings.update alice"),
    ("POST /telemetry/import", "", "telemetry.import alice"),
    ("POST /privacy/device/erase", r#"{"device": "a-device-of-somebody"}"#, "device.erase alice"),
    ("POST /session/create", r#"{"username": "alice", "password": "the password of alice"}"#, "session.create alice"),
    ("DELETE /session/delete", r#"{"id": "{session}"}"#, "session.delete alice"),
    ("DELETE /session/delete-all", r#"{"user": "{carol}"}"#, "user.sign-out carol"),
    (
        "POST /admin/update",
        r#"{"id": "{alice}", "username": "alice", "password": "another password"}"#,
        "user.password alice",
    ),
    ("POST /login", r#"{"username": "alice", "password": "another password"}"#, "session.create alice"),
    ("POST /logout", "{}", "session.delete alice"),
];

/// The routes that create an owner, whose log begins with it: they have a test of their own.
const OWNERS: [&str; 2] = ["POST /setup", "POST /signup"];

/// The routes that only ask, by a body so that what they ask for stands in no address.
const QUESTIONS: [&str; 1] = ["POST /privacy/device/find"];

#[test]
fn every_route_that_changes_something_is_called() {
    for Declared { method, path, .. } in policies() {
        let route = format!("{method} {path}");
        let is_called = CALLS.iter().any(|call| call.0 == route) || OWNERS.contains(&route.as_str());
        let changes = method != Method::GET && !QUESTIONS.contains(&route.as_str());
        assert_eq!(is_called, changes, "{route}");
    }
}

async fn ids(app: &TestApp, alice: &Caller<'_>) -> Vec<(&'static str, String)> {
    let first = |list: &Value, key: &str, id: &str| {
        let rows = list[key].as_array().cloned().unwrap_or_default();
        rows.last().map(|row| row[id].as_str().unwrap().to_owned()).unwrap_or_default()
    };
    let mut ids = Vec::new();
    for kind in ["channel", "platform", "arch", "app"] {
        let list = alice.get(&format!("/{kind}/list")).await.json();
        ids.push((kind, first(&list, &format!("{kind}s"), "ID")));
    }
    let releases = alice.get("/release/list").await.json();
    ids.push(("release", releases["items"][0]["id"].as_str().unwrap().to_owned()));
    ids.push(("user", first(&alice.get("/users/list").await.json(), "users", "id")));
    ids.push(("token", first(&alice.get("/token/list").await.json(), "tokens", "id")));
    ids.push(("alice", alice.get("/whoami").await.json()["id"].as_str().unwrap().to_owned()));
    let sessions = alice.get("/session/list").await.json();
    let other = sessions["sessions"].as_array().unwrap().iter().find(|row| row["kind"] == "browser").cloned();
    ids.push(("session", other.map(|row| row["id"].as_str().unwrap().to_owned()).unwrap_or_default()));
    let carol = Caller::login(app, "carol", "the password of carol").await;
    ids.push(("carol", carol.get("/whoami").await.json()["id"].as_str().unwrap().to_owned()));
    ids
}

async fn call(app: &TestApp, alice: &Caller<'_>, (route, body, _): &(&str, &str, &str)) -> Reply {
    let mut body = (*body).to_owned();
    for (name, id) in ids(app, alice).await {
        body = body.replace(&format!("{{{name}}}"), &id);
    }
    let (method, path) = route.split_once(' ').unwrap();
    if let Some(form) = body.strip_prefix("form ") {
        return alice.form(path, &serde_json::from_str(form).unwrap()).await;
    }
    if body.starts_with('{') {
        let request = alice.request(method, path).header("Sec-Fetch-Site", "same-origin");
        return request.json(&serde_json::from_str(&body).unwrap()).send().await;
    }
    let query = if body.is_empty() { String::new() } else { format!("?id={body}") };
    alice.request(method, &format!("{path}{query}")).send().await
}

/// What was changed is in the log with the same commit; what was refused is not.
#[tokio::test]
async fn every_change_has_its_entry() {
    let app = TestApp::start().await;
    let alice = shop::open(&app, "alice").await;
    Caller::team(&app, &alice, "carol", &json!({})).await;
    for one in CALLS {
        let before = entries(&alice, "?limit=200").await.len();
        let spare = match one.0 {
            "POST /logout" => Some(Caller::login(&app, "alice", "another password").await),
            _ => None,
        };
        let logged_in = 1 + usize::from(spare.is_some());
        let reply = call(&app, spare.as_ref().unwrap_or(&alice), one).await;
        assert!(reply.status == 200 || reply.status == 201, "{}: {reply:?}", one.0);
        let now = changes(&alice, "?limit=200").await;
        // Carol logs in for each call.
        assert_eq!(now.len(), before + 1 + logged_in, "{}: {now:?}", one.0);
        assert_eq!(now[0], one.2, "{}", one.0);
    }
}

#[tokio::test]
async fn what_was_refused_has_no_entry() {
    let app = TestApp::start().await;
    let alice = shop::open(&app, "alice").await;
    let before = changes(&alice, "").await;
    for (method, path, body) in [
        ("POST", "/channel/create", json!({"channel": "stable"})),
        ("POST", "/channel/update", json!({"id": "0123456789abcdef01234567", "channel": "x"})),
        ("POST", "/release/update", json!({"id": "0123456789abcdef01234567"})),
        ("POST", "/user/create", json!({"username": "alice", "password": "a new password"})),
        ("POST", "/user/create", json!({"username": "eve", "password": "short"})),
        ("DELETE", "/user/delete", json!({"id": "0123456789abcdef01234567"})),
        ("DELETE", "/token/delete", json!({"id": "0123456789abcdef01234567"})),
        ("DELETE", "/session/delete", json!({"id": "0123456789abcdef01234567"})),
        ("POST", "/login", json!({"username": "alice", "password": "a wrong password"})),
    ] {
        let reply = alice.request(method, path).json(&body).send().await;
        assert!((400..500).contains(&reply.status), "{path}: {reply:?}");
    }
    assert_eq!(changes(&alice, "").await, before);
}

#[tokio::test]
async fn entries_say_who_and_by_what() {
    let clock = Clock::stopped_at(Millis(1_770_000_000_000));
    let app = TestApp::at(clock.clone(), &[]).await;
    let alice = shop::open(&app, "alice").await;
    let permissions = json!({"channels": {"create": true}});
    let carol = Caller::team(&app, &alice, "carol", &permissions).await;
    let apps = alice.get("/app/list").await.json()["apps"][0]["ID"].clone();
    let token = json!({"name": "publisher", "allowed_apps": [apps]});
    let token = alice.post("/token/create", &token).await.json();
    let publisher = Caller::known(&app, token["token"].as_str().unwrap());
    clock.advance(Duration::from_secs(1));
    assert_eq!(carol.post("/channel/create", &json!({"channel": "beta"})).await.status, 200);
    let release = json!({"app_name": "myapp", "version": "9.0.0", "channel": "stable"});
    assert_eq!(publisher.post("/release/create", &release).await.status, 201);
    let page = json!({"username": "carol", "password": "the password of carol"});
    let page = app.request("POST", "/session/create").header("Sec-Fetch-Site", "same-origin").json(&page).send().await;
    assert_eq!(page.status, 200);

    let of = |entry: &Value| {
        json!([
            entry["at"],
            entry["actor"]["kind"],
            entry["actor"]["name"],
            entry["via"],
            entry["kind"],
            entry["action"]
        ])
    };
    let newest: Vec<Value> = entries(&alice, "?limit=3").await.iter().map(of).collect();
    let at = "2026-02-02T02:40:01.000Z";
    assert_eq!(
        newest,
        [
            json!([at, "team", "carol", "browser", "session", "create"]),
            json!([at, "token", "publisher", "token", "release", "create"]),
            json!([at, "team", "carol", "bearer", "channel", "create"]),
        ]
    );
    let [row] = &entries(&alice, "?limit=1&kind=release&actor=publisher").await[..] else { panic!() };
    assert_eq!(row["actor"]["id"], token["id"]);
    assert_eq!(row["subject"]["name"], "myapp 9.0.0");
}

#[tokio::test]
async fn who_is_deleted_on_the_command_line_is_in_the_log() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    Caller::team(&app, &alice, "carol", &json!({})).await;
    assert!(app.app.catalog.delete_user(&"carol".parse().unwrap()).await.unwrap());
    let row = entries(&alice, "?limit=1").await.remove(0);
    let said = [&row["actor"]["kind"], &row["via"], &row["kind"], &row["action"], &row["subject"]["name"]];
    assert_eq!(said, ["server", "command line", "user", "delete", "carol"]);
}

#[tokio::test]
async fn the_log_has_pages_and_filters_and_an_owner() {
    let app = TestApp::start().await;
    let (alice, bob) = (Caller::new(&app, "alice").await, Caller::new(&app, "bob").await);
    for number in 0..7 {
        alice.part("channel", &format!("channel-{number}")).await;
    }
    alice.part("arch", "mips").await;
    let whole = changes(&alice, "").await;
    assert_eq!(whole[..3], ["arch.create mips", "channel.create channel-6", "channel.create channel-5"]);
    assert_eq!(whole[8..], ["session.create alice", "user.create alice"]);
    let (mut paged, mut before) = (Vec::new(), String::new());
    loop {
        let query = format!("?limit=4{before}");
        paged.extend(changes(&alice, &query).await);
        let next = alice.get(&format!("/audit/list{query}")).await.json()["next"].clone();
        let Some(next) = next.as_str() else { break };
        before = format!("&before={next}");
    }
    assert_eq!(paged, whole);
    assert_eq!(changes(&alice, "?kind=arch").await, ["arch.create mips"]);
    assert_eq!(changes(&alice, "?actor=bob").await, [""; 0]);
    assert_eq!(changes(&bob, "").await, ["session.create bob", "user.create bob"]);
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("before=0", "before"),
        ("before=x", "before"),
    ] {
        let reply = alice.get(&format!("/audit/list?{query}")).await;
        assert_eq!((reply.status, &reply.json()["field"]), (400, &json!(field)), "{query}");
    }
}

#[tokio::test]
async fn new_owners_begin_their_log() {
    let app = TestApp::with(&[("API_KEY", "a key that nobody can guess at all")]).await;
    let setup = app.app.catalog.offer_setup().await.unwrap().unwrap().reveal().to_owned();
    let body = json!({"token": setup, "username": "alice", "password": "the password of alice"});
    assert_eq!(app.request("POST", "/setup").json(&body).send().await.status, 200);
    let body =
        json!({"api_key": "a key that nobody can guess at all", "username": "bob", "password": "the password of bob"});
    assert_eq!(app.request("POST", "/signup").json(&body).send().await.status, 200);
    for name in ["alice", "bob"] {
        let caller = Caller::login(&app, name, &format!("the password of {name}")).await;
        let first = entries(&caller, "").await.pop().unwrap();
        assert_eq!(
            (&first["via"], &first["action"], &first["actor"]["name"]),
            (&json!("key"), &json!("create"), &json!(name))
        );
    }
}

#[tokio::test]
async fn entries_are_only_added_until_they_are_old() {
    let clock = Clock::stopped_at(Millis(1_770_000_000_000));
    let app = TestApp::at(clock.clone(), &[("HEADCOUNT_AUDIT_DAYS", "30"), ("HEADCOUNT_SESSION_HOURS", "2000")]).await;
    let alice = Caller::new(&app, "alice").await;
    alice.part("channel", "beta").await;
    clock.advance(Duration::from_hours(29 * 24));
    alice.part("channel", "gamma").await;
    app.app.keeper.round().await.unwrap();
    assert_eq!(changes(&alice, "").await.len(), 4);
    clock.advance(Duration::from_hours(2 * 24));
    app.app.keeper.round().await.unwrap();
    assert_eq!(changes(&alice, "").await, ["channel.create gamma"]);
    let changed = app.tables().await.try_run("UPDATE audit SET actor_name = 'nobody'").await;
    assert!(changed.unwrap_err().contains("only added to"));
    // With its owner it goes.
    assert!(app.app.catalog.delete_user(&"alice".parse().unwrap()).await.unwrap());
    assert_eq!(app.tables().await.number("SELECT COUNT(*) FROM audit").await, 0);
}

#[tokio::test]
async fn no_secret_is_in_the_log() {
    let app = TestApp::start().await;
    let alice = shop::open(&app, "alice").await;
    let password = "a canary of a password";
    let body = json!({"username": "carol", "password": password});
    assert_eq!(alice.post("/user/create", &body).await.status, 200);
    let login = app.request("POST", "/login").json(&body).send().await.json()["token"].as_str().unwrap().to_owned();
    let token = json!({"name": "reader", "scopes": ["telemetry:read"]});
    let token = alice.post("/token/create", &token).await.json()["token"].as_str().unwrap().to_owned();
    let log = alice.get("/audit/list?limit=200").await.text;
    for secret in [password, &login[4..], &token[4..], alice.token()] {
        assert!(!log.contains(secret), "{log}");
    }
}
