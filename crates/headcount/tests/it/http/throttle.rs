//! How often passwords may be tried.

use std::time::Duration;

use headcount::clock::Clock;
use headcount_engine::day::Millis;
use serde_json::json;

use crate::app::{Reply, TestApp, fresh_directory};

const AT: Millis = Millis(1_770_000_000_000);

async fn try_from(app: &TestApp, from: Option<&str>, name: &str, password: &str) -> Reply {
    let request = app.request("POST", "/login").json(&json!({"username": name, "password": password}));
    let request = from.map_or_else(
        || app.request("POST", "/login").json(&json!({"username": name, "password": password})),
        |from| request.header("X-Forwarded-For", from),
    );
    request.send().await
}

async fn wrong(app: &TestApp, name: &str) -> u16 {
    try_from(app, None, name, "a wrong password").await.status
}

/// The seconds that a refused try has to wait.
fn wait(reply: &Reply) -> u64 {
    let error = "too many attempts to log in, try again later";
    assert_eq!(reply.both(), (429, json!({"error": error, "code": "too_many"})));
    reply.header("retry-after").unwrap().parse().unwrap()
}

/// Behind a proxy, so that requests can come from anywhere.
async fn behind_a_proxy(clock: &Clock) -> TestApp {
    let app = TestApp::at(clock.clone(), &[("HEADCOUNT_TRUSTED_PROXIES", "127.0.0.1")]).await;
    app.administrator("alice").await;
    app
}

#[tokio::test]
async fn each_try_after_the_tenth_waits_twice_as_long() {
    let clock = Clock::stopped_at(AT);
    let app = TestApp::at(clock.clone(), &[]).await;
    app.administrator("alice").await;
    app.administrator("bob").await;
    for _ in 0..10 {
        assert_eq!(wrong(&app, "ALICE").await, 401);
    }
    for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
        // Also the right password waits; nothing was verified, and to ask again costs nothing.
        for password in ["a wrong password", "the password of alice", "a wrong password"] {
            assert_eq!(wait(&try_from(&app, None, "alice", password).await), seconds);
        }
        assert_eq!(try_from(&app, None, "bob", "the password of bob").await.status, 200);
        clock.advance(Duration::from_millis(seconds * 1000 - 1));
        assert_eq!(wait(&try_from(&app, None, "alice", "the password of alice").await), 1);
        clock.advance(Duration::from_millis(1));
        assert_eq!(wrong(&app, "alice").await, 401);
    }
    clock.advance(Duration::from_mins(15));
    assert_eq!(try_from(&app, None, "alice", "the password of alice").await.status, 200);
    // A success ends it.
    for _ in 0..10 {
        assert_eq!(wrong(&app, "alice").await, 401);
    }
    assert_eq!(wait(&try_from(&app, None, "alice", "a wrong password").await), 1);
    clock.advance(Duration::from_hours(1));
    assert_eq!(wrong(&app, "alice").await, 401);
    assert_eq!(wrong(&app, "alice").await, 401);
}

#[tokio::test]
async fn names_that_nobody_has_wait_alike() {
    let clock = Clock::stopped_at(AT);
    let app = TestApp::at(clock.clone(), &[]).await;
    for name in ["nobody", "no name at all", ""] {
        for _ in 0..10 {
            assert_eq!(wrong(&app, name).await, 401);
        }
        assert_eq!(wait(&try_from(&app, None, name, "a wrong password").await), 1);
    }
}

#[tokio::test]
async fn a_restart_and_another_instance_change_nothing() {
    let (clock, directory) = (Clock::stopped_at(AT), fresh_directory());
    let app = TestApp::in_directory(directory.clone(), clock.clone(), &[]).await;
    let second = TestApp::in_directory(directory, clock.clone(), &[]).await;
    app.administrator("alice").await;
    for _ in 0..5 {
        assert_eq!((wrong(&app, "alice").await, wrong(&second, "alice").await), (401, 401));
    }
    assert_eq!(wait(&try_from(&second, None, "alice", "the password of alice").await), 1);
    second.stop().await;
    let app = app.restart().await;
    assert_eq!(wait(&try_from(&app, None, "alice", "the password of alice").await), 1);
    clock.advance(Duration::from_secs(1));
    assert_eq!(try_from(&app, None, "alice", "the password of alice").await.status, 200);
}

#[tokio::test]
async fn many_at_once_are_as_few_as_one_after_the_other() {
    let app = TestApp::at(Clock::stopped_at(AT), &[]).await;
    app.administrator("alice").await;
    let tries = (0..60).map(|_| try_from(&app, None, "alice", "a wrong password"));
    let replies = futures_util::future::join_all(tries).await;
    let verified = replies.iter().filter(|reply| reply.status == 401).count();
    assert!(verified <= 10 && replies.iter().all(|reply| [401, 429].contains(&reply.status)), "{verified}");
}

/// Each is a try until it has succeeded, and none of them waits.
#[tokio::test]
async fn logins_at_once_do_not_keep_each_other_waiting() {
    let app = TestApp::start().await;
    app.administrator("alice").await;
    for _ in 0..20 {
        let logins = (0..6).map(|_| try_from(&app, None, "alice", "the password of alice"));
        for reply in futures_util::future::join_all(logins).await {
            assert_eq!(reply.status, 200, "{reply:?}");
        }
    }
}

#[tokio::test]
async fn one_network_waits_for_all_its_names_and_no_other_does() {
    let clock = Clock::stopped_at(AT);
    let app = behind_a_proxy(&clock).await;
    for number in 0..30 {
        let (from, name) = (format!("203.0.113.{number}"), format!("user-{number}"));
        assert_eq!(try_from(&app, Some(&from), &name, "a wrong password").await.status, 401);
    }
    let right = "the password of alice";
    assert_eq!(wait(&try_from(&app, Some("203.0.113.99"), "alice", right).await), 1);
    for elsewhere in ["203.0.114.1", "2001:db8::1"] {
        assert_eq!(try_from(&app, Some(elsewhere), "alice", right).await.status, 200);
    }
    // An IPv6 network has 48 bits; loopback and private ones are not counted.
    for number in 0..40 {
        let (v6, local) = (format!("2001:db8:7:{number}::1"), format!("10.0.{number}.1"));
        let (v6, local) = (
            try_from(&app, Some(&v6), &format!("a-{number}"), "a wrong password").await.status,
            try_from(&app, Some(&local), &format!("b-{number}"), "a wrong password").await.status,
        );
        assert_eq!((v6, local), (if number < 30 { 401 } else { 429 }, 401), "{number}");
    }
}

/// The rule that no stranger keeps a user out: a network from which the user has logged in waits for its own tries only, and
/// a new one for 8 seconds at most.
#[tokio::test]
async fn nobody_is_kept_out_from_elsewhere() {
    let clock = Clock::stopped_at(AT);
    let app = behind_a_proxy(&clock).await;
    let right = "the password of alice";
    assert_eq!(try_from(&app, Some("198.51.100.7"), "alice", right).await.status, 200);
    let mut waits = Vec::new();
    for number in 0..40 {
        let from = format!("203.{number}.113.1");
        let reply = try_from(&app, Some(&from), "alice", "a wrong password").await;
        if reply.status == 429 {
            waits.push(wait(&reply));
            clock.advance(Duration::from_secs(*waits.last().unwrap()));
            assert_eq!(try_from(&app, Some(&from), "alice", "a wrong password").await.status, 401);
        }
    }
    assert_eq!(waits[..4], [1, 2, 4, 8]);
    assert!(waits.len() == 20 && waits[4..].iter().all(|&wait| wait == 8), "{waits:?}");

    assert_eq!(try_from(&app, Some("198.51.100.200"), "alice", right).await.status, 200);
    assert_eq!(wait(&try_from(&app, Some("192.0.2.1"), "alice", right).await), 8);
    clock.advance(Duration::from_secs(8));
    assert_eq!(try_from(&app, Some("192.0.2.1"), "alice", right).await.status, 200);
    // After 30 days a network is new again.
    clock.advance(Duration::from_hours(30 * 24) - Duration::from_mins(1));
    for number in 0..20 {
        let from = format!("203.{number}.113.1");
        assert_eq!(try_from(&app, Some(&from), "alice", "a wrong password").await.status, 401);
    }
    assert_eq!(try_from(&app, Some("192.0.2.1"), "alice", right).await.status, 200);
    clock.advance(Duration::from_mins(2));
    assert_eq!(try_from(&app, Some("198.51.100.7"), "alice", "a wrong password").await.status, 401);
    assert!(wait(&try_from(&app, Some("198.51.100.7"), "alice", right).await) <= 8);
}

#[tokio::test]
async fn neither_names_nor_addresses_are_kept() {
    let clock = Clock::stopped_at(AT);
    let app = behind_a_proxy(&clock).await;
    try_from(&app, Some("203.0.113.7"), "a-secret-typed-as-a-name", "a wrong password").await;
    try_from(&app, Some("203.0.113.7"), "alice", "the password of alice").await;
    let mut tables = app.tables().await;
    assert_eq!(tables.number("SELECT COUNT(*) FROM login_attempts").await, 3);
    assert_eq!(tables.number("SELECT COUNT(*) FROM login_attempts WHERE LENGTH(subject) = 32").await, 3);
    assert_eq!(tables.number("SELECT COUNT(*) FROM known_networks WHERE LENGTH(network) = 32").await, 1);
    clock.advance(Duration::from_hours(1));
    wrong(&app, "bob").await;
    assert_eq!(tables.number("SELECT COUNT(*) FROM login_attempts").await, 2);
}
