//! What an administrator settles about devices, and where it holds.

use std::time::Duration;

use headcount::catalog::settings::SettingsChange;
use headcount_engine::day::{DAY_MILLIS, Millis};
use headcount_engine::id::{AppId, OwnerId};
use serde_json::{Value, json};

use super::retention::{TODAY, at_noon, check, report, summary};
use super::shop::{ask, open};
use crate::app::{Caller, TestApp};
use crate::journal::{events, tallies};

async fn app_id(caller: &Caller<'_>) -> String {
    caller.get("/app/list").await.json()["apps"][0]["ID"].as_str().unwrap().to_owned()
}

async fn settle(caller: &Caller<'_>, change: Value) -> Value {
    let reply = caller.post("/settings", &change).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

#[tokio::test]
async fn settings_are_shown_and_changed_one_by_one() {
    let app = TestApp::with(&[("HEADCOUNT_RETENTION_DAYS", "45")]).await;
    let (acme, other) = (open(&app, "acme").await, open(&app, "other").await);
    let id = app_id(&acme).await;
    let shown = |retention: Value, [opt_out, strict, telemetry]: [bool; 3]| {
        json!({
            "retention_days": retention, "installation_retention_days": 45, "opt_out_signals": opt_out,
            "strict_ids": strict, "apps": [{"id": id, "app": "myapp", "telemetry": telemetry}],
        })
    };
    let untouched = other.get("/settings").await.json();
    assert_eq!(acme.get("/settings").await.both(), (200, shown(Value::Null, [true, false, true])));
    for (change, expected) in [
        (json!({}), shown(Value::Null, [true, false, true])),
        (json!({"retention_days": 7}), shown(json!(7), [true, false, true])),
        (json!({"strict_ids": true, "opt_out_signals": false}), shown(json!(7), [false, true, true])),
        (json!({"apps": [{"id": id, "telemetry": false}]}), shown(json!(7), [false, true, false])),
        (json!({"retention_days": null, "opt_out_signals": true}), shown(Value::Null, [true, true, false])),
    ] {
        assert_eq!(settle(&acme, change.clone()).await, expected, "{change}");
        assert_eq!(acme.get("/settings").await.json(), expected, "{change}");
    }
    let token = acme.token().to_owned();
    let app = app.restart().await;
    let acme = Caller::known(&app, &token);
    assert_eq!(acme.get("/settings").await.json(), shown(Value::Null, [true, true, false]));
    let other = Caller::login(&app, "other", "the password of other").await;
    assert_eq!(other.get("/settings").await.json(), untouched);
}

#[tokio::test]
async fn what_cannot_be_settled_changes_nothing() {
    let app = TestApp::start().await;
    let (acme, other) = (open(&app, "acme").await, open(&app, "other").await);
    let before = acme.get("/settings").await.json();
    let theirs = app_id(&other).await;
    let days = "a whole number of days from 1 to 400, or null for those of the installation";
    for wrong in [0, 401] {
        let reply = acme.post("/settings", &json!({"retention_days": wrong, "strict_ids": true})).await;
        let expected = json!({
            "error": "invalid retention_days", "code": "invalid", "field": "retention_days", "accepted": days,
        });
        assert_eq!(reply.both(), (400, expected));
    }
    for (body, status, field) in [
        (json!({"retention_days": "7"}), 400, "body"),
        (json!({"retention_days": -1}), 400, "body"),
        (json!({"strict_ids": null, "telemetry": false}), 400, "body"),
        (json!({"apps": [{"id": "x", "telemetry": false}]}), 400, "apps"),
        (json!({"strict_ids": true, "apps": [{"id": theirs, "telemetry": false}]}), 404, "apps"),
        (json!([7]), 400, "body"),
    ] {
        let reply = acme.post("/settings", &body).await;
        assert_eq!((reply.status, &reply.json()["field"]), (status, &json!(field)), "{body}: {reply:?}");
    }
    assert_eq!(acme.get("/settings").await.json(), before);
    assert_eq!(ask(&app, "1.0.0").await.header("headcount"), Some("recorded"));
}

#[tokio::test]
async fn an_app_that_is_not_counted_is_answered_and_leaves_nothing() {
    let app = TestApp::start().await;
    let (acme, other) = (open(&app, "acme").await, open(&app, "other").await);
    let place = "app_name=myapp&channel=stable&platform=darwin&arch=amd64";
    let paths = [
        format!("/checkVersion?{place}&version=1.0.0"),
        "/checkVersion?app_name=myapp&version=1.0.0&channel=ghost".to_owned(),
        "/checkVersion?app_name=myapp&version=1.0.0".to_owned(),
        format!("/telemetry/beacon?{place}"),
        "/telemetry/beacon?app_name=myapp&channel=ghost&platform=darwin&arch=amd64".to_owned(),
    ];
    let send = async |path: &str, device: &str| app.request("GET", path).header("X-Device-ID", device).send().await;
    let mut counted = Vec::new();
    for path in &paths {
        let reply = send(&format!("{path}&owner=other"), "device-0001").await;
        counted.push((reply.status, reply.text));
    }
    let seen = events(app.directory()).len();
    let id = app_id(&acme).await;
    settle(&acme, json!({"apps": [{"id": id, "telemetry": false}]})).await;
    for (path, counted) in paths.iter().zip(&counted) {
        // Nothing is said of the device either: whether there is one does not matter any more.
        for device in ["device-0001", "short"] {
            let reply = send(path, device).await;
            assert_eq!(reply.header("headcount"), Some("skipped; reason=disabled"), "{path}");
            assert_eq!(&(reply.status, reply.text), counted, "{path}");
        }
    }
    let line = r#"{"at": "AT", "app_name": "myapp", "device_id": "device-0001"}"#;
    let now = jiff::Timestamp::from_millisecond(app.clock.now().0).unwrap().to_string();
    let reply = acme.request("POST", "/telemetry/import").body(line.replace("AT", &now)).send().await;
    let refused = json!({"line": 1, "error": "app_name is an app that is not counted"});
    assert_eq!(reply.both(), (200, json!({"accepted": 0, "rejected": 1, "errors": [refused]})));

    // The app of that name that somebody else has is another one.
    let reply = send(&format!("{}&owner=other", paths[0]), "device-0001").await;
    assert_eq!(reply.header("headcount"), Some("recorded"));
    settle(&acme, json!({"apps": [{"id": id, "telemetry": true}]})).await;
    assert_eq!(send(&paths[0], "device-0001").await.header("headcount"), Some("recorded"));
    let shown = other.get("/settings").await.json();
    assert_eq!(shown["apps"][0]["telemetry"], true);

    let directory = app.directory().to_owned();
    app.stop().await;
    assert_eq!(events(&directory).len(), seen + 2);
    // Those of the other owner, and of no other.
    let tallied = tallies(&directory);
    assert_eq!(tallied.get(&("skipped".to_owned(), "refused".to_owned())), Some(&1));
    assert_eq!(tallied.keys().filter(|(kind, _)| kind == "skipped").count(), 1);
}

#[tokio::test]
async fn what_another_process_settles_holds_here_and_without_the_database() {
    let app = TestApp::start().await;
    let acme = open(&app, "acme").await;
    let owner = OwnerId(acme.get("/whoami").await.json()["id"].as_str().unwrap().parse().unwrap());
    let of_app = AppId(app_id(&acme).await.parse().unwrap());
    assert_eq!(ask(&app, "1.0.0").await.header("headcount"), Some("recorded"));
    let elsewhere = app.second_catalog().await;
    let change = SettingsChange { apps: vec![(of_app, false)], retention_days: Some(Some(9)), ..Default::default() };
    elsewhere.settle(owner, change).await.unwrap();
    let mut outcome = None;
    for _ in 0..100 {
        outcome = ask(&app, "1.0.0").await.header("headcount").map(str::to_owned);
        if outcome.as_deref() != Some("recorded") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(outcome.as_deref(), Some("skipped; reason=disabled"));
    assert_eq!(app.app.catalog.retention().days(owner), 9);

    // What is kept on disk says so, too: a start without the database does not count what is not to be counted.
    let app = app.restart_after(|folder| _ = std::fs::rename(folder.join("catalog.db"), folder.join("away"))).await;
    assert_eq!(ask(&app, "1.0.0").await.header("headcount"), Some("skipped; reason=disabled"));
    assert_eq!(app.app.catalog.retention().days(owner), 9);
}

#[tokio::test]
async fn days_beyond_the_retention_of_their_owner_go_and_those_of_others_stay() {
    let (app, clock) = at_noon().await;
    let (acme, other) = (open(&app, "acme").await, open(&app, "other").await);
    let at = |owner: &str| format!("stable&owner={owner}");
    for day in 0..3 {
        clock.set(Millis(TODAY.plus(10 * day).start().0 + DAY_MILLIS / 2));
        for owner in ["acme", "other"] {
            check(&app, &at(owner), "1.0.0", day as u32).await;
        }
    }
    let month = "range=month";
    for caller in [&acme, &other] {
        assert_eq!(summary(&report(caller, month).await), [3, 3, 0, 3]);
    }
    settle(&acme, json!({"retention_days": 10})).await;
    // At once for readers, and for good when the store has been kept.
    for keeping in [false, true] {
        if keeping {
            app.app.keeper.round().await.unwrap();
        }
        let shown = report(&acme, month).await;
        assert_eq!(summary(&shown), [2, 2, 0, 2]);
        assert_eq!(shown["incomplete"].as_array().unwrap().len(), 20);
        assert_eq!(shown["incomplete"][19], json!(TODAY.plus(9).to_string()));
        assert_eq!(summary(&report(&other, month).await), [3, 3, 0, 3]);
        assert_eq!(report(&other, month).await.get("incomplete"), None);
    }
    let owner = OwnerId(acme.get("/whoami").await.json()["id"].as_str().unwrap().parse().unwrap());
    let mut days: Vec<_> = app.app.store.heads().await.unwrap();
    days.retain(|head| head.owner == owner);
    assert!(days.iter().all(|head| head.day >= TODAY.plus(10)) && days.len() == 2, "{days:?}");

    // An import knows the first day.
    let line = format!(r#"{{"at": "{}T12:00:00Z", "app_name": "myapp", "device_id": "device-0009"}}"#, TODAY.plus(9));
    let reply = acme.request("POST", "/telemetry/import").body(line).send().await.json();
    let first = TODAY.plus(10);
    assert_eq!(reply["errors"][0]["error"], json!(format!("at is before {first}, the first day that is kept")));

    // What is gone does not come back, and the day says so.
    settle(&acme, json!({"retention_days": 60})).await;
    app.app.keeper.round().await.unwrap();
    let shown = report(&acme, month).await;
    assert_eq!((summary(&shown), &shown["incomplete"]), ([2, 2, 0, 2], &json!([TODAY.to_string()])));
    clock.set(Millis(TODAY.plus(70).start().0));
    app.app.keeper.round().await.unwrap();
    let last = format!("from={0}&to={0}", TODAY.plus(10));
    assert_eq!(summary(&report(&acme, &last).await), [1, 1, 0, 1]);
    assert_eq!(summary(&report(&other, &last).await), [0, 0, 0, 0]);
}
