//! The recorded examples E0 to E6 of the wire contract over HTTP, with the differences that are meant: request totals
//! obey filters, applications are a union, versions have one spelling, orders are fixed.

use headcount::clock::Clock;
use headcount_engine::day::{DAY_MILLIS, Day, Millis};
use serde_json::{Value, json};

use super::shop::release;
use crate::app::{Caller, Reply, TestApp};

/// 2026-03-02.
const SECOND: Day = Day(20_514);

/// One hour before midnight between the days, and one hour after it: a login lasts that long.
const LATE: Millis = Millis(SECOND.start().0 - DAY_MILLIS / 24);
const EARLY: Millis = Millis(SECOND.start().0 + DAY_MILLIS / 24);

/// A device of the examples, by its letter.
fn device(letter: char) -> String {
    format!("device-{letter}-of-the-examples")
}

struct Story<'a> {
    app: &'a TestApp,
    acme: Caller<'a>,
}

impl<'a> Story<'a> {
    /// The catalog of the examples: `desk` has the releases of `versions` everywhere, `tool` has 1.2.0.
    async fn begin(app: &'a TestApp, versions: &[&str]) -> Self {
        let acme = Caller::new(app, "acme").await;
        for name in ["desk", "tool"] {
            acme.app(name).await;
        }
        let kinds = [("channel", ["stable", "beta"]), ("platform", ["linux", "windows"]), ("arch", ["amd64", "arm64"])];
        for (kind, name) in kinds.into_iter().flat_map(|(kind, names)| names.map(|name| (kind, name))) {
            acme.part(kind, name).await;
        }
        let story = Self { app, acme };
        for version in versions {
            story.publish("desk", version).await;
        }
        story.publish("tool", "1.2.0").await;
        story
    }

    async fn publish(&self, app: &str, version: &str) {
        for channel in ["stable", "beta"] {
            let artifacts = [("linux", "amd64"), ("linux", "arm64"), ("windows", "amd64")].map(|(platform, arch)| {
                json!({"platform": platform, "arch": arch, "package": ".zip", "link": "https://dl.example.org/a.zip"})
            });
            let body = json!({
                "app_name": app, "version": version, "channel": channel, "publish": true, "artifacts": artifacts
            });
            release(&self.acme, &body).await;
        }
    }

    async fn send(&self, path: &str, letter: char) -> Reply {
        // Each at a moment of its own, so that the last one of a day is the last one sent.
        self.app.clock.set(Millis(self.app.clock.now().0 + 1));
        let reply = self.app.request("GET", path).header("X-Device-ID", &device(letter)).send().await;
        assert_eq!(reply.header("headcount"), Some("recorded"), "{reply:?}");
        reply
    }

    async fn check(&self, [app, version, channel, platform, arch]: [&str; 5], letter: char, update: bool) {
        let path = format!(
            "/checkVersion?owner=acme&app_name={app}&version={version}&channel={channel}&platform={platform}&arch={arch}"
        );
        let reply = self.send(&path, letter).await;
        assert_eq!((reply.status, reply.json()["update_available"].as_bool()), (200, Some(update)), "{reply:?}");
    }

    async fn beacon(&self, letter: char, more: &str) {
        let place = "owner=acme&app_name=desk&channel=stable&platform=linux&arch=amd64";
        assert_eq!(self.send(&format!("/telemetry/beacon?{place}{more}"), letter).await.status, 204);
    }

    async fn assert_told(&self, query: &str, expected: &Value) {
        let reply = self.acme.get(&format!("/telemetry?{query}")).await;
        assert_eq!(reply.both(), (200, expected.clone()), "{query}");
    }
}

fn counts(name: &str, rows: &[(&str, u64)]) -> Value {
    let rows: Vec<Value> = rows.iter().map(|(value, count)| json!({name: value, "client_count": count})).collect();
    if rows.is_empty() { Value::Null } else { rows.into() }
}

type Rows<'a> = &'a [(&'a str, u64)];

/// What a whole report says: `requests/devices/latest/outdated` of each day, and of all of them with the apps behind.
fn told(summary: &str, known: &[&str], rows: [Rows<'_>; 4], daily: &[(&str, &str)]) -> Value {
    let numbers = |text: &str| text.split('/').map(|number| number.parse().unwrap()).collect::<Vec<u64>>();
    let fields = ["total_requests", "unique_clients", "clients_using_latest_version", "clients_outdated"];
    let object = |fields: &[&str], text: &str| {
        let pairs = fields.iter().map(|&field| field.to_owned()).zip(numbers(text).into_iter().map(Value::from));
        pairs.collect::<serde_json::Map<String, Value>>()
    };
    let daily_stats = daily.iter().map(|&(day, text)| {
        let mut row = object(&fields, text);
        row.insert("date".to_owned(), day.into());
        Value::Object(row)
    });
    let days: Vec<&str> = daily.iter().map(|&(day, _)| day).collect();
    let [versions, platforms, archs, channels] = rows;
    json!({
        "date": days[0], "date_range": days, "admin": "acme",
        "summary": object(&[&fields[..], &["total_active_apps"]].concat(), summary),
        "versions": {
            "used_versions_count": versions.len(),
            "known_versions": if known.is_empty() { Value::Null } else { json!(known) },
            "usage": counts("version", versions),
        },
        "platforms": counts("platform", platforms), "architectures": counts("arch", archs),
        "channels": counts("channel", channels), "daily_stats": daily_stats.collect::<Vec<Value>>(),
    })
}

const KNOWN: [&str; 2] = ["1.0.0", "1.1.0"];
const DAY: &str = "2026-03-02";
const QUERY: &str = "date=2026-03-02";

async fn started() -> TestApp {
    TestApp::at(Clock::stopped_at(EARLY), &[]).await
}

async fn tell_e1(story: &Story<'_>) {
    story.check(["desk", "1.0.0", "stable", "linux", "amd64"], 'A', true).await;
    story.check(["desk", "1.0.0", "stable", "linux", "amd64"], 'A', true).await;
    story.check(["desk", "1.1.0", "stable", "linux", "amd64"], 'B', false).await;
}

async fn tell_e3(story: &Story<'_>) {
    tell_e1(story).await;
    story.check(["desk", "1.1.0", "beta", "windows", "amd64"], 'A', false).await;
    story.check(["tool", "1.1.0", "stable", "linux", "arm64"], 'B', true).await;
}

#[tokio::test]
async fn e0_nothing_was_recorded() {
    let app = started().await;
    let story = Story::begin(&app, &["1.1.0"]).await;
    let mut nothing = told("0/0/0/0/0", &[], [&[], &[], &[], &[]], &[(DAY, "0/0/0/0")]);
    story.assert_told(&format!("{QUERY}&apps=ghost"), &nothing).await;
    nothing["daily_stats"] = json!([]);
    story.assert_told(QUERY, &nothing).await;
}

#[tokio::test]
async fn e1_two_devices() {
    let app = started().await;
    let story = Story::begin(&app, &["1.1.0"]).await;
    tell_e1(&story).await;
    let rows: [Rows<'_>; 4] = [&[("1.1.0", 1), ("1.0.0", 1)], &[("linux", 2)], &[("amd64", 2)], &[("stable", 2)]];
    story.assert_told(QUERY, &told("3/2/1/1/1", &KNOWN, rows, &[(DAY, "3/2/1/1")])).await;
}

/// The version and the status of the last check count; of channel, platform and architecture all do.
#[tokio::test]
async fn e2_a_device_changes_within_the_day() {
    let app = started().await;
    let story = Story::begin(&app, &["1.1.0"]).await;
    tell_e1(&story).await;
    story.check(["desk", "1.1.0", "beta", "windows", "amd64"], 'A', false).await;
    let both: Rows<'_> = &[("linux", 2), ("windows", 1)];
    let table: [(&str, &str, [Rows<'_>; 4]); 4] = [
        ("", "4/2/2/0", [&[("1.1.0", 2)], both, &[("amd64", 2)], &[("stable", 2), ("beta", 1)]]),
        ("&channels=stable", "3/2/2/0", [&[("1.1.0", 2)], both, &[("amd64", 2)], &[("stable", 2)]]),
        (
            "&platforms=windows",
            "1/1/1/0",
            [&[("1.1.0", 1)], &[("windows", 1)], &[("amd64", 1)], &[("beta", 1), ("stable", 1)]],
        ),
        // The device was never on stable and windows in one check: it matches, no request does.
        (
            "&channels=stable&platforms=windows",
            "0/1/1/0",
            [&[("1.1.0", 1)], &[("windows", 1)], &[("amd64", 1)], &[("stable", 1)]],
        ),
    ];
    for (filter, numbers, rows) in table {
        let expected = told(&format!("{numbers}/1"), &KNOWN, rows, &[(DAY, numbers)]);
        story.assert_told(&format!("{QUERY}{filter}"), &expected).await;
    }
}

#[tokio::test]
async fn e3_apps_are_a_union() {
    let app = started().await;
    let story = Story::begin(&app, &["1.1.0"]).await;
    tell_e3(&story).await;
    let rows: [Rows<'_>; 4] = [
        &[("1.1.0", 2)],
        &[("linux", 2), ("windows", 1)],
        &[("amd64", 2), ("arm64", 1)],
        &[("stable", 2), ("beta", 1)],
    ];
    let both = told("5/2/2/1/2", &KNOWN, rows, &[(DAY, "5/2/2/1")]);
    for apps in ["", "&apps=desk,tool", "&apps=tool,desk"] {
        story.assert_told(&format!("{QUERY}{apps}"), &both).await;
    }
    let [versions, platforms, _, channels] = rows;
    let desk = told("4/2/2/0/1", &KNOWN, [versions, platforms, &[("amd64", 2)], channels], &[(DAY, "4/2/2/0")]);
    for apps in ["&apps=desk", "&apps=desk,ghost", "&apps=desk,desk"] {
        story.assert_told(&format!("{QUERY}{apps}"), &desk).await;
    }
}

#[tokio::test]
async fn e4_over_a_range_a_device_counts_under_each_version_that_it_ended_a_day_with() {
    let app = TestApp::at(Clock::stopped_at(LATE), &[]).await;
    let story = Story::begin(&app, &["1.1.0"]).await;
    story.check(["desk", "1.0.0", "stable", "linux", "amd64"], 'A', true).await;
    app.clock.set(EARLY);
    tell_e3(&story).await;
    let rows: [Rows<'_>; 4] = [
        &[("1.1.0", 2), ("1.0.0", 1)],
        &[("linux", 2), ("windows", 1)],
        &[("amd64", 2), ("arm64", 1)],
        &[("stable", 2), ("beta", 1)],
    ];
    let daily = [("2026-03-01", "1/1/0/1"), (DAY, "5/2/2/1")];
    let expected = told("6/2/2/2/2", &KNOWN, rows, &daily);
    story.assert_told("from=2026-03-01&to=2026-03-02", &expected).await;
}

#[tokio::test]
async fn e5_over_a_range_a_device_may_be_latest_and_outdated() {
    let app = TestApp::at(Clock::stopped_at(LATE), &[]).await;
    let story = Story::begin(&app, &["1.1"]).await;
    story.check(["desk", "1.0", "stable", "linux", "amd64"], 'A', true).await;
    app.clock.set(EARLY);
    story.check(["desk", "1.1", "stable", "linux", "amd64"], 'A', false).await;
    let rows: [Rows<'_>; 4] = [&[("1.1", 1), ("1.0", 1)], &[("linux", 1)], &[("amd64", 1)], &[("stable", 1)]];
    let daily = [("2026-03-01", "1/1/0/1"), (DAY, "1/1/1/0")];
    let expected = told("2/1/1/1/1", &["1.0", "1.1"], rows, &daily);
    story.assert_told("from=2026-03-01&to=2026-03-02", &expected).await;
}

#[tokio::test]
async fn e6_a_beacon_may_say_less_than_a_check() {
    let app = started().await;
    let story = Story::begin(&app, &["2.0.0.4"]).await;
    story.check(["desk", "2.0.0.4", "stable", "linux", "amd64"], 'A', false).await;
    story.beacon('B', "&version=2.0.0-4&is_latest=true").await;
    story.publish("desk", "2.0.0.5").await;
    story.check(["desk", "2.0.0.4", "stable", "linux", "amd64"], 'C', true).await;
    story.beacon('C', "&version=2.0.0.4").await;
    story.beacon('E', "").await;
    let rows: [Rows<'_>; 4] = [&[("2.0.0.4", 3)], &[("linux", 4)], &[("amd64", 4)], &[("stable", 4)]];
    story.assert_told(QUERY, &told("5/4/2/1/1", &["2.0.0.4"], rows, &[(DAY, "5/4/2/1")])).await;
}
