//! Sessions: listed, ended one by one or all at once, and what ends them.

use std::time::Duration;

use headcount::clock::Clock;
use headcount_engine::day::Millis;
use serde_json::{Value, json};

use crate::app::{Caller, Reply, TestApp};

fn login_as(app: &TestApp, name: &str, agent: &str) -> impl Future<Output = Reply> {
    let body = json!({"username": name, "password": format!("the password of {name}")});
    app.request("POST", "/login").header("User-Agent", agent).json(&body).send()
}

async fn token(app: &TestApp, name: &str, agent: &str) -> String {
    login_as(app, name, agent).await.json()["token"].as_str().unwrap().to_owned()
}

async fn sessions(caller: &Caller<'_>, query: &str) -> Vec<Value> {
    let reply = caller.get(&format!("/session/list{query}")).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["sessions"].as_array().unwrap().clone()
}

fn ended(caller: &Reply) -> bool {
    caller.both() == (401, json!({"error": "invalid or expired token", "code": "unauthenticated"}))
}

#[tokio::test]
async fn a_list_says_when_and_from_what_and_never_the_token() {
    let clock = Clock::stopped_at(Millis(1_770_000_000_000));
    let app = TestApp::at(clock.clone(), &[]).await;
    app.administrator("alice").await;
    clock.advance(Duration::from_mins(1));
    let long = format!("Tool/1.0 {}", "x".repeat(300));
    let alice = Caller::known(&app, &token(&app, "alice", &long).await);
    clock.advance(Duration::from_mins(1));
    let page = json!({"username": "alice", "password": "the password of alice"});
    let page = app.request("POST", "/session/create").header("Sec-Fetch-Site", "same-origin").json(&page);
    assert_eq!(page.header("User-Agent", "Browser/2.0 \u{e9}").send().await.status, 200);
    clock.advance(Duration::from_mins(10));

    alice.get("/whoami").await;
    let reply = alice.get("/session/list").await;
    assert!(!reply.text.contains("hcs_") && !reply.text.contains(alice.token().trim_start_matches("hcs_")));
    let mut rows = sessions(&alice, "").await;
    for row in &mut rows {
        let id = row.as_object_mut().unwrap().remove("id").unwrap();
        assert_eq!(id.as_str().unwrap().len(), 24);
    }
    let row = |kind: &str, agent: &str, [made, used, ends]: [&str; 3], current: bool| json!({"kind": kind, "agent": agent, "created_at": made, "last_used_at": used, "expires_at": ends, "current": current});
    assert_eq!(
        rows,
        [
            // What is no text is kept as nothing.
            row(
                "browser",
                "",
                ["2026-02-02T02:42:00.000Z", "2026-02-02T02:42:00.000Z", "2026-02-02T14:42:00.000Z"],
                false
            ),
            row(
                "bearer",
                &long[..200],
                ["2026-02-02T02:41:00.000Z", "2026-02-02T02:52:00.000Z", "2026-02-02T14:41:00.000Z"],
                true
            ),
            row(
                "bearer",
                "",
                ["2026-02-02T02:40:00.000Z", "2026-02-02T02:40:00.000Z", "2026-02-02T14:40:00.000Z"],
                false
            ),
        ]
    );
    // What has ended by itself is not listed.
    clock.advance(Duration::from_hours(11) + Duration::from_mins(48));
    assert_eq!(sessions(&alice, "").await.len(), 2);
}

#[tokio::test]
async fn sessions_are_ended_one_by_one() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    let other = Caller::known(&app, &token(&app, "alice", "other").await);
    let rows = sessions(&alice, "").await;
    let id = rows.iter().find(|row| row["agent"] == "other").unwrap()["id"].clone();
    let end = async |caller: &Caller<'_>, id: &Value| {
        caller.request("DELETE", "/session/delete").json(&json!({"id": id})).send().await.both()
    };
    let gone = (404, json!({"error": "Session not found", "code": "not_found"}));
    assert_eq!(end(&alice, &id).await, (200, json!({"message": "Session ended"})));
    assert!(ended(&other.get("/whoami").await));
    assert_eq!(end(&alice, &id).await, gone);
    assert_eq!(end(&alice, &json!("0123456789abcdef01234567")).await, gone);
    let accepted = "24 lowercase hex characters";
    let invalid = json!({"error": "Invalid session ID format", "code": "invalid", "field": "id", "accepted": accepted});
    assert_eq!(end(&alice, &json!("x")).await, (400, invalid));
    assert_eq!(alice.get("/whoami").await.status, 200);
}

#[tokio::test]
async fn signing_out_everywhere_ends_the_own_sessions_and_no_others() {
    let app = TestApp::start().await;
    let (alice, bob) = (Caller::new(&app, "alice").await, Caller::new(&app, "bob").await);
    let carol = Caller::team(&app, &alice, "carol", &json!({})).await;
    let second = Caller::known(&app, &token(&app, "alice", "second").await);
    let reply = alice.request("DELETE", "/session/delete-all").json(&json!({})).send().await;
    assert_eq!(reply.both(), (200, json!({"ended": 2})));
    for caller in [&alice, &second] {
        assert!(ended(&caller.get("/whoami").await));
    }
    for caller in [&bob, &carol] {
        assert_eq!(caller.get("/whoami").await.status, 200);
    }
}

#[tokio::test]
async fn an_administrator_ends_sessions_of_the_team_and_of_nobody_else() {
    let app = TestApp::start().await;
    let (alice, bob) = (Caller::new(&app, "alice").await, Caller::new(&app, "bob").await);
    let carol = Caller::team(&app, &alice, "carol", &json!({})).await;
    let erin = Caller::team(&app, &alice, "erin", &json!({})).await;
    let id_of = async |caller: &Caller<'_>| caller.get("/whoami").await.json()["id"].as_str().unwrap().to_owned();
    let (id, of_alice, of_bob) = (id_of(&carol).await, id_of(&alice).await, id_of(&bob).await);
    let unknown = (404, json!({"error": "User not found", "code": "not_found"}));
    let nobody = "0123456789abcdef01234567".to_owned();
    let session = sessions(&alice, &format!("?user={id}")).await[0]["id"].clone();
    for (caller, user) in [(&bob, &id), (&erin, &id), (&carol, &of_alice), (&alice, &of_bob), (&alice, &nobody)] {
        assert_eq!(caller.get(&format!("/session/list?user={user}")).await.both(), unknown);
        let all = caller.request("DELETE", "/session/delete-all").json(&json!({"user": user})).send().await;
        assert_eq!(all.both(), unknown);
    }
    for caller in [&bob, &erin] {
        let one = caller.request("DELETE", "/session/delete").json(&json!({"id": session})).send().await;
        assert_eq!(one.both(), (404, json!({"error": "Session not found", "code": "not_found"})));
    }
    assert_eq!(carol.get("/whoami").await.status, 200);

    let one = alice.request("DELETE", "/session/delete").json(&json!({"id": session})).send().await;
    assert_eq!(one.status, 200);
    assert!(ended(&carol.get("/whoami").await));
    let carol = Caller::login(&app, "carol", "the password of carol").await;
    let all = alice.request("DELETE", "/session/delete-all").json(&json!({"user": id})).send().await;
    assert_eq!(all.both(), (200, json!({"ended": 1})));
    assert!(ended(&carol.get("/whoami").await));
}

/// Nothing of a session is kept in memory: what one instance ends is over on another one with the next request.
#[tokio::test]
async fn what_ends_on_one_instance_is_over_on_all() {
    let app = TestApp::start().await;
    let directory = app.directory().to_owned();
    let alice = Caller::new(&app, "alice").await;
    let id = alice.get("/whoami").await.json()["id"].clone();
    let second = TestApp::in_directory(directory, Clock::wall(), &[]).await;
    for end in ["session", "all", "logout", "password"] {
        let password = "the password of alice";
        let victim = Caller::login(&app, "alice", password).await;
        let there = Caller::known(&second, victim.token());
        assert_eq!(there.get("/whoami").await.status, 200);
        let alice = Caller::login(&app, "alice", password).await;
        match end {
            "session" => {
                let session = sessions(&victim, "").await.into_iter().find(|row| row["current"] == true).unwrap();
                let body = json!({"id": session["id"]});
                assert_eq!(alice.request("DELETE", "/session/delete").json(&body).send().await.status, 200);
            }
            "all" => {
                assert_eq!(alice.request("DELETE", "/session/delete-all").json(&json!({})).send().await.status, 200);
            }
            "logout" => assert_eq!(victim.post("/logout", &json!({})).await.status, 200),
            _ => {
                let body = json!({"id": id, "username": "alice", "password": "another password"});
                assert_eq!(alice.post("/admin/update", &body).await.status, 200);
            }
        }
        assert!(ended(&there.get("/whoami").await), "{end}");
    }
}
