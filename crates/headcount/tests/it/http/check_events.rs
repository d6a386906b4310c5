//! What is kept of checks and beacons.

use std::time::Duration;

use headcount::clock::Clock;
use headcount_engine::check::rollout_bucket;
use headcount_engine::day::Millis;
use headcount_engine::device::DeviceId;
use headcount_engine::dimension::{Dimension, Value as Named};
use headcount_engine::event::{Event, Values};
use headcount_engine::snapshot::OwnerCatalog;
use serde_json::{Value, json};

use super::shop::{ask, on_stable, open, release, seed_of_newest};
use crate::app::{Caller, Reply, TestApp};
use crate::journal::{events, tallies};

const NOON: Millis = Millis(1_772_452_800_123);
const DEVICE: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";
const PLACE: &str = "app_name=myapp&channel=stable&platform=darwin&arch=amd64";

async fn send(app: &TestApp, path: &str, device: &str) -> Reply {
    app.request("GET", path).header("X-Device-ID", device).send().await
}

/// The event that a check or beacon of acme's `myapp` on `stable`, `darwin`, `amd64` must leave at noon.
fn event(app: &TestApp, device: &str, version: Option<&str>, status: Option<&str>) -> Event {
    let catalog = app.app.catalog.snapshot();
    let owner: &OwnerCatalog = catalog.owner_named(Some("acme")).unwrap();
    let mut values = Values::default();
    let id = |index: &headcount_engine::snapshot::NameIndex, name: &str| {
        Named::new(&index.resolve(name).unwrap().to_string())
    };
    values[Dimension::Version] = version.map(Named::new);
    values[Dimension::Channel] = Some(id(&owner.channels, "stable"));
    values[Dimension::Platform] = Some(id(&owner.platforms, "darwin"));
    values[Dimension::Arch] = Some(id(&owner.archs, "amd64"));
    values[Dimension::Status] = status.map(Named::new);
    let device: DeviceId = device.parse().unwrap();
    Event {
        owner: owner.id,
        app: headcount_engine::id::AppId(owner.apps.resolve("myapp").unwrap()),
        at: NOON,
        device: device.pseudonym(&app.app.catalog.installation().secret, owner.id),
        values,
    }
}

#[tokio::test]
async fn a_check_leaves_one_event() {
    let app = TestApp::at(Clock::stopped_at(NOON), &[]).await;
    open(&app, "acme").await;
    let later = Millis(NOON.0 + 86_400_000);
    for version in ["1.0.0", "v1.1.0", "2-0-1"] {
        assert_eq!(ask(&app, version).await.header("headcount"), Some("recorded"));
    }
    app.clock.advance(Duration::from_hours(24));
    assert_eq!(ask(&app, "1.0.0").await.header("headcount"), Some("recorded"));
    assert_eq!(
        events(app.directory()),
        [
            event(&app, DEVICE, Some("1.0.0"), Some("outdated")),
            event(&app, DEVICE, Some("1.1.0"), Some("latest")),
            event(&app, DEVICE, Some("2.0.1"), Some("latest")),
            Event { at: later, ..event(&app, DEVICE, Some("1.0.0"), Some("outdated")) },
        ]
    );
    let directory = app.directory().to_owned();
    app.stop().await;
    assert_eq!(tallies(&directory), [].into());
}

#[tokio::test]
async fn a_device_that_a_rollout_excludes_is_held() {
    let app = TestApp::at(Clock::stopped_at(NOON), &[]).await;
    let acme = open(&app, "acme").await;
    release(&acme, &on_stable("2.0", &json!({"rollout": 20}))).await;
    let seed = seed_of_newest(&acme).await;
    let devices: Vec<String> = (0..30).map(|number| format!("device-{number}")).collect();
    for device in &devices {
        // The answer is the same for all: the client decides.
        let reply = send(&app, &format!("/checkVersion?{PLACE}&version=1.1.0"), device).await;
        assert_eq!(
            reply.json(),
            json!({"critical": false, "rollout": {"percent": 20, "seed": seed}, "update_available": true,
                   "update_url_dmg": "https://dl.example.org/myapp-2.0.dmg"})
        );
    }
    let status = |device: &str| if rollout_bucket(device, &seed) < 20 { "outdated" } else { "held" };
    let expected: Vec<Event> =
        devices.iter().map(|device| event(&app, device, Some("1.1.0"), Some(status(device)))).collect();
    assert_eq!(events(app.directory()), expected);
}

#[tokio::test]
async fn a_beacon_leaves_one_event() {
    let app = TestApp::at(Clock::stopped_at(NOON), &[]).await;
    open(&app, "acme").await;
    let cases: [(&str, Option<&str>, Option<&str>); 8] = [
        ("&owner=acme&version=1.0.0&is_latest=true", Some("1.0.0"), Some("latest")),
        ("&version=2.0.0-4&is_latest=0", Some("2.0.0.4"), Some("outdated")),
        ("&version=v1.1.0&is_latest=T", Some("1.1.0"), Some("latest")),
        ("&version=1.1.0", Some("1.1.0"), None),
        ("&version=1.1.0&is_latest=", Some("1.1.0"), None),
        ("&version=1.1.0&is_latest=yes", Some("1.1.0"), None),
        ("&version=&is_latest=False", None, Some("outdated")),
        ("&owner=", None, None),
    ];
    for (query, ..) in cases {
        let reply = send(&app, &format!("/telemetry/beacon?{PLACE}{query}"), DEVICE).await;
        assert_eq!(
            (reply.status, reply.text.as_str(), reply.header("headcount")),
            (204, "", Some("recorded")),
            "{query}"
        );
    }
    let expected: Vec<Event> = cases.iter().map(|&(_, version, status)| event(&app, DEVICE, version, status)).collect();
    assert_eq!(events(app.directory()), expected);

    for (spelling, status) in [("1", "latest"), ("t", "latest"), ("TRUE", "latest"), ("True", "latest")]
        .into_iter()
        .chain([("f", "outdated"), ("F", "outdated"), ("FALSE", "outdated"), ("false", "outdated")])
    {
        send(&app, &format!("/telemetry/beacon?{PLACE}&is_latest={spelling}"), DEVICE).await;
        let last = events(app.directory()).pop().unwrap();
        assert_eq!(last, event(&app, DEVICE, None, Some(status)), "{spelling}");
    }
}

#[tokio::test]
async fn a_beacon_counts_only_what_is_published() {
    let app = TestApp::start().await;
    let caller = open(&app, "acme").await;
    caller.part("channel", "beta").await;
    caller.part("platform", "linux").await;
    let draft = json!({"channel": "beta", "publish": false});
    release(&caller, &on_stable("3.0", &draft)).await;
    let beacon = |query: &str| format!("/telemetry/beacon?version=1.0.0&{query}");
    let refused = [
        "app_name=ghost&channel=stable&platform=darwin&arch=amd64",
        "app_name=myapp&channel=ghost&platform=darwin&arch=amd64",
        "app_name=myapp&channel=beta&platform=darwin&arch=amd64",
        "app_name=myapp&channel=stable&platform=linux&arch=amd64",
        "app_name=myapp&channel=stable&platform=darwin&arch=arm64",
        "app_name=myapp&channel=stable&platform=darwin",
        "app_name=myapp&channel=stable&platform=darwin&arch=amd64&owner=ghost",
        "",
    ];
    for query in refused {
        let reply = send(&app, &beacon(query), DEVICE).await;
        assert_eq!((reply.status, reply.header("headcount")), (204, Some("skipped; reason=refused")), "{query}");
    }
    // Refused comes before what is wrong with the device.
    assert_eq!(app.get(&beacon(refused[0])).await.header("headcount"), Some("skipped; reason=refused"));
    assert_eq!(app.get(&beacon(PLACE)).await.header("headcount"), Some("skipped; reason=no-device"));
    assert_eq!(send(&app, &beacon(PLACE), "short").await.header("headcount"), Some("skipped; reason=bad-device"));
    assert_eq!(events(app.directory()), []);
    // Other names for the platform and the architecture are theirs.
    let reply = send(&app, &beacon("app_name=myapp&channel=stable&platform=MacOS&arch=x86_64"), DEVICE).await;
    assert_eq!(reply.header("headcount"), Some("recorded"));
    assert_eq!(events(app.directory()).len(), 1);
}

#[tokio::test]
async fn without_telemetry_checks_are_answered_and_nothing_is_kept() {
    let (on, off) = (TestApp::start().await, TestApp::with(&[("ENABLE_TELEMETRY", "false")]).await);
    for app in [&on, &off] {
        open(app, "acme").await;
    }
    for (path, device) in [
        (format!("/checkVersion?{PLACE}&version=1.0.0"), DEVICE),
        (format!("/checkVersion?{PLACE}&version=1.1.0"), "short"),
        (format!("/checkVersion?{PLACE}&version=x"), DEVICE),
        ("/checkVersion?app_name=myapp&version=1.0.0&channel=beta".to_owned(), DEVICE),
    ] {
        let (with, without) = (send(&on, &path, device).await, send(&off, &path, device).await);
        assert_eq!((with.status, &with.text), (without.status, &without.text), "{path}");
        assert_eq!(without.header("headcount"), Some("skipped; reason=disabled"), "{path}");
    }
    for query in [PLACE, "", "app_name=%zz"] {
        let reply = send(&off, &format!("/telemetry/beacon?{query}"), DEVICE).await;
        assert_eq!(
            (reply.status, reply.json()),
            (403, json!({"error": "Telemetry is not enabled on this instance", "code": "telemetry_off"}))
        );
        assert_eq!(reply.header("headcount"), Some("skipped; reason=disabled"));
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    }
    assert_eq!(events(off.directory()), []);
    let directory = off.directory().to_owned();
    off.stop().await;
    assert_eq!(tallies(&directory), [].into());
}

#[tokio::test]
async fn skips_and_unserved_demand_are_tallied() {
    let app = TestApp::start().await;
    let caller = open(&app, "acme").await;
    caller.part("platform", "linux").await;
    let check = |query: &str| format!("/checkVersion?app_name=myapp&version=1.0.0&{query}");
    for query in [
        "channel=beta&platform=darwin&arch=amd64",
        "channel=stable&platform=haiku&arch=amd64",
        "channel=stable&platform=darwin&arch=riscv64",
        "channel=stable&platform=linux&arch=amd64",
        "channel=stable",
    ] {
        assert_eq!(send(&app, &check(query), DEVICE).await.status, 400, "{query}");
    }
    for path in
        ["/checkVersion?app_name=ghost&version=1.0.0&channel=stable", "/checkVersion?app_name=myapp", "/checkVersion"]
    {
        assert_eq!(send(&app, path, DEVICE).await.status, 400, "{path}");
    }
    assert_eq!(app.get(&format!("/checkVersion?{PLACE}&version=1.0.0")).await.status, 200);
    assert_eq!(send(&app, &format!("/checkVersion?{PLACE}&version=1.0.0"), "short").await.status, 200);
    let directory = app.directory().to_owned();
    app.stop().await;
    let expected = [
        ("skipped", "bad-device", 1),
        ("skipped", "no-device", 1),
        ("skipped", "refused", 5),
        ("unserved-arch", "riscv64", 1),
        ("unserved-channel", "beta", 1),
        ("unserved-platform", "haiku", 1),
        ("unserved-release", "stable/-/-", 1),
        ("unserved-release", "stable/linux/amd64", 1),
    ];
    let expected = expected.map(|(kind, value, count)| ((kind.to_owned(), value.to_owned()), count));
    assert_eq!(tallies(&directory), expected.into());
    assert_eq!(events(&directory), []);
}

#[tokio::test]
async fn made_up_versions_beyond_the_limit_count_as_other() {
    let settings = [("HEADCOUNT_UNKNOWN_VERSIONS_PER_DAY", "2")];
    let app = TestApp::at(Clock::stopped_at(NOON), &settings).await;
    let acme = open(&app, "acme").await;
    release(&acme, &on_stable("7.0", &json!({"publish": false}))).await;
    let versions = |events: Vec<Event>| -> Vec<String> {
        events.iter().map(|event| event.values[Dimension::Version].as_ref().unwrap().as_str().to_owned()).collect()
    };
    for version in ["5.1", "5.2", "5.3", "5.4", "5.1", "1.0.0", "7.0"] {
        assert_eq!(ask(&app, version).await.header("headcount"), Some("recorded"));
    }
    let beacon = format!("/telemetry/beacon?{PLACE}&version=5.5");
    assert_eq!(send(&app, &beacon, DEVICE).await.header("headcount"), Some("recorded"));
    app.clock.advance(Duration::from_hours(12));
    for version in ["5.4", "5.3", "5.2"] {
        ask(&app, version).await;
    }
    assert_eq!(
        versions(events(app.directory())),
        ["5.1", "5.2", "(other)", "(other)", "5.1", "1.0.0", "7.0", "(other)", "5.4", "5.3", "(other)"]
    );
}

#[tokio::test]
async fn a_second_tenant_changes_no_reply_of_the_first() {
    let app = TestApp::at(Clock::stopped_at(NOON), &[]).await;
    open(&app, "acme").await;
    let paths: Vec<String> = ["", "&owner=acme", "&owner=ACME"]
        .iter()
        .flat_map(|owner| {
            ["version=0.9", "version=1.0.0", "version=1.1.0", "version=9.9", "version=1.0.0&channel=beta"]
                .map(|rest| (owner, rest))
        })
        .map(|(owner, rest)| {
            let place = if rest.contains("channel=") { PLACE.replace("&channel=stable", "") } else { PLACE.to_owned() };
            format!("/checkVersion?{place}&{rest}{owner}")
        })
        .collect();
    let ask_all = async || -> Vec<(u16, String)> {
        let mut replies = Vec::new();
        for path in &paths {
            let reply = send(&app, path, DEVICE).await;
            replies.push((reply.status, reply.text));
        }
        replies
    };
    let before = ask_all().await;
    let statuses: Vec<u16> = before.iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 400].repeat(3));
    let first = events(app.directory());
    assert_eq!(first.len(), 12);

    // Another administrator with the same names for everything, and more.
    let other = open(&app, "other").await;
    other.part("channel", "beta").await;
    let newer = json!({"critical": true, "changelog": "theirs", "artifacts":
        [{"platform": "darwin", "arch": "amd64", "package": ".dmg", "link": "https://other.example.org/theirs.dmg"}]});
    release(&other, &on_stable("5.0", &newer)).await;
    release(&other, &on_stable("0.9", &json!({"channel": "beta", "intermediate": true}))).await;
    let theirs = send(&app, &format!("/checkVersion?{PLACE}&version=1.0.0&owner=other"), DEVICE).await;
    assert_eq!(theirs.json()["update_url_dmg"], json!("https://other.example.org/theirs.dmg"));
    assert_eq!(ask_all().await, before);
    rename(&other, "myapp", "renamed").await;
    assert_eq!(ask_all().await, before);
    // The old name stays theirs until they give it away.
    assert_eq!(send(&app, &format!("/checkVersion?{PLACE}&version=1.0.0&owner=other"), DEVICE).await.text, theirs.text);

    let events = events(app.directory());
    assert_eq!(events[..12], first[..]);
    assert_eq!(events[13..25], first[..]);
    // One device of two owners has two pseudonyms.
    assert_eq!(events[12], event_of(&app, "other", &events[12]));
    assert_ne!(events[12].device, first[0].device);
    assert_ne!(events[12].owner, first[0].owner);
}

fn event_of(app: &TestApp, owner: &str, like: &Event) -> Event {
    let id = app.app.catalog.snapshot().owner_named(Some(owner)).unwrap().id;
    let device: DeviceId = DEVICE.parse().unwrap();
    Event { owner: id, device: device.pseudonym(&app.app.catalog.installation().secret, id), ..like.clone() }
}

async fn rename(caller: &Caller<'_>, from: &str, to: &str) {
    let apps = caller.get("/app/list").await.json();
    let listed = apps["apps"].as_array().unwrap().iter().find(|app| app["AppName"] == from).unwrap();
    let fields: Value = json!({"id": listed["ID"], "app": to});
    let reply = caller.form("/app/update", &fields).await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[tokio::test]
async fn a_check_needs_no_database() {
    let app = TestApp::start().await;
    open(&app, "acme").await;
    let before = ask(&app, "1.0.0").await;
    let mut tables = app.tables().await;
    tables.run("DROP TABLE artifacts", &[]).await;
    tables.run("UPDATE installation SET revision = revision + 1", &[]).await;
    assert!(app.app.catalog.refresh().await.is_err());
    let after = ask(&app, "1.0.0").await;
    assert_eq!((after.status, &after.text, after.header("headcount")), (200, &before.text, Some("recorded")));
    assert_eq!(events(app.directory()).len(), 2);
}
