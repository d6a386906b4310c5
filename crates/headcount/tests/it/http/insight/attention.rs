//! `GET /telemetry/attention`. What the statistics find and what not is tested on whole fleets in the engine.

use serde_json::{Value, json};

use super::{Line, TODAY, at_noon, csv, import, numbers};
use crate::app::{Caller, TestApp};
use crate::http::shop;

const FIELDS: [&str; 2] = ["weight", "numbers"];

/// An owner with four releases on two platforms.
async fn open(app: &TestApp) -> Caller<'_> {
    let caller = shop::open(app, "acme").await;
    caller.part("platform", "linux").await;
    for version in ["1.2.0", "1.3.0"] {
        shop::release(&caller, &shop::on_stable(version, &json!({}))).await;
    }
    caller
}

/// Checks of so many devices on each of the last days.
async fn ask(caller: &Caller<'_>, devices: &[String], days: i32, (platform, version): (&str, &str)) {
    let is_latest = Some(version == "1.3.0");
    let mut lines: Vec<Line<'_>> = Vec::new();
    for ago in 0..days {
        for device in devices {
            lines.push((ago, 8, "myapp", device, version, "stable", platform, "amd64", is_latest));
        }
    }
    import(caller, &lines).await;
}

fn devices(numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|number| format!("device-{number:04}")).collect()
}

/// The findings, with the rest of the answer checked.
async fn findings(caller: &Caller<'_>, filters: &str) -> Value {
    let mut answer = numbers(&caller.get(&format!("/telemetry/attention{filters}")).await, &FIELDS);
    let tests = answer["tests"].as_object().unwrap();
    let kinds: Vec<&str> = tests.keys().map(String::as_str).collect();
    assert_eq!(kinds, ["far-behind", "fewer-checks", "platform-behind", "slow-release", "stuck"]);
    assert!(tests.values().all(|rule| rule.as_str().unwrap().ends_with('.')));
    let range = (&answer["from"], &answer["to"], &answer["incomplete"]);
    assert_eq!(range, (&json!("2026-04-28"), &json!("2026-05-27"), &json!([])));
    answer["findings"].take()
}

#[tokio::test]
async fn versions_far_behind_and_stuck_devices_are_named() {
    let (app, _clock) = at_noon().await;
    let caller = open(&app).await;
    assert_eq!(findings(&caller, "").await, json!([]));
    ask(&caller, &devices(0..88), 1, ("darwin", "1.3.0")).await;
    ask(&caller, &devices(88..100), 3, ("darwin", "1.0.0")).await;
    let found = |kind: &str, sentence: &str, numbers: Value| {
        json!({
            "kind": kind, "app": "myapp", "subject": "1.0.0", "weight": 0.12, "sentence": sentence, "numbers": numbers,
            "filters": {"apps": ["myapp"], "channels": ["stable"], "versions": ["1.0.0"]},
        })
    };
    let far = "12 devices of myapp on stable run 1.0.0, and 3 published releases are newer.";
    let stuck = "12 devices of myapp on stable on 1.0.0 were told about an update on 3 or more of the last 7 days and have \
                 not moved.";
    let expected = json!([
        found("far-behind", far, json!({"devices": 12.0, "releases_newer": 3.0})),
        found("stuck", stuck, json!({"devices": 12.0, "days": 3.0})),
    ]);
    assert_eq!(findings(&caller, "").await, expected);
    assert_eq!(findings(&caller, "?apps=myapp&statuses=latest").await, json!([]));
    let rows = format!(
        "kind,app,channel,platform,version,weight,sentence\r\n\
         far-behind,myapp,stable,,1.0.0,0.12,\"{far}\"\r\nstuck,myapp,stable,,1.0.0,0.12,{stuck}\r\n"
    );
    assert_eq!(csv(&caller, "/telemetry/attention").await, rows);
    let numbers = "kind,app,subject,number,value\r\nfar-behind,myapp,1.0.0,devices,12\r\n\
                   far-behind,myapp,1.0.0,releases_newer,3\r\nstuck,myapp,1.0.0,days,3\r\nstuck,myapp,1.0.0,devices,12\r\n";
    assert_eq!(csv(&caller, "/telemetry/attention?table=numbers").await, numbers);
}

#[tokio::test]
async fn a_platform_that_falls_behind_is_named() {
    let (app, _clock) = at_noon().await;
    let caller = open(&app).await;
    ask(&caller, &devices(0..80), 1, ("darwin", "1.3.0")).await;
    ask(&caller, &devices(80..100), 1, ("darwin", "1.2.0")).await;
    ask(&caller, &devices(100..140), 1, ("linux", "1.3.0")).await;
    ask(&caller, &devices(140..200), 1, ("linux", "1.2.0")).await;
    let expected = json!([{
        "kind": "platform-behind", "app": "myapp", "subject": "linux", "weight": 0.2,
        "sentence": "Of 100 devices of myapp on stable with linux, 40.0 % run the latest release; of all others, 80.0 %.",
        "numbers": {"devices": 100.0, "latest_share": 0.4, "others_devices": 100.0, "others_latest_share": 0.8},
        "filters": {"apps": ["myapp"], "channels": ["stable"], "platforms": ["linux"]},
    }]);
    assert_eq!(findings(&caller, "").await, expected);
    // Beside nothing there is nothing to compare with.
    assert_eq!(findings(&caller, "?platforms=linux").await, json!([]));
}

#[tokio::test]
async fn a_release_that_arrives_slower_than_those_before_it_is_named() {
    let (app, _clock) = at_noon().await;
    let caller = open(&app).await;
    let versions = ["1.3.0", "2.0.0", "2.1.0", "2.2.0"];
    // Each is a week old on a day whose checks are known.
    for (version, published, ago) in [("2.0.0", 25, 18), ("2.1.0", 18, 11), ("2.2.0", 8, 1)] {
        let on = format!("{}T10:00:00Z", TODAY.plus(-published));
        shop::release(&caller, &shop::on_stable(version, &json!({ "published_at": on }))).await;
        let moved = if version == "2.2.0" { 30 } else { 80 };
        let before = versions[versions.iter().position(|one| *one == version).unwrap() - 1];
        let devices = devices(0..100);
        let line = |(at, device)| -> Line<'_> {
            let (version, is_latest) = if at < moved { (version, true) } else { (before, false) };
            (ago, 8, "myapp", device, version, "stable", "darwin", "amd64", Some(is_latest))
        };
        import(&caller, &devices.iter().map(String::as_str).enumerate().map(line).collect::<Vec<_>>()).await;
    }
    let expected = json!([{
        "kind": "slow-release", "app": "myapp", "subject": "2.2.0", "weight": 0.5,
        "sentence": "30.0 % of the devices of myapp on stable ran 2.2.0 7 days after its publication; at the same age of the \
                     2 releases before it, 80.0 %.",
        "numbers": {
            "age_days": 7.0, "adopted_share": 0.3, "earlier_adopted_share": 0.8, "earlier_releases": 2.0, "devices": 100.0,
        },
        "filters": {"apps": ["myapp"], "channels": ["stable"], "versions": ["2.2.0"]},
    }]);
    assert_eq!(findings(&caller, "").await, expected);
    // Of the platform without devices there is nothing to compare.
    assert_eq!(findings(&caller, "?platforms=linux").await, json!([]));
}

#[tokio::test]
async fn checks_that_are_fewer_than_on_the_same_weekday_are_named() {
    let (app, _clock) = at_noon().await;
    let caller = open(&app).await;
    for (ago, count) in [(22, 1200), (15, 1200), (8, 1200), (2, 100), (1, 300)] {
        let devices = devices(0..count);
        let line = |device| -> Line<'_> { (ago, 8, "myapp", device, "1.3.0", "stable", "darwin", "amd64", Some(true)) };
        import(&caller, &devices.iter().map(String::as_str).map(line).collect::<Vec<_>>()).await;
    }
    let expected = json!([{
        "kind": "fewer-checks", "app": "myapp", "subject": "myapp", "weight": 0.75,
        "sentence": "myapp had 300 checks on the last whole day, and 1,200 on the same weekday of the 3 weeks before, on average.",
        "numbers": {"checks": 300.0, "earlier_checks": 1200.0, "weeks": 3.0}, "filters": {"apps": ["myapp"]},
    }]);
    assert_eq!(findings(&caller, "").await, expected);
    // The day before had few as well, but nothing is known of its weekday.
    let before = TODAY.plus(-2);
    let reply = caller.get(&format!("/telemetry/attention?from={before}&to={before}")).await;
    assert_eq!((reply.status, &reply.json()["findings"]), (200, &json!([])));
}
