//! The demo fleet: the same for the same seed, and what it promises to show.

use headcount::clock::Clock;
use headcount::demo::{Administrator, Demo, Plan};
use headcount_engine::day::{Day, Millis};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::app::TestApp;

/// A Wednesday, in the afternoon.
const NOW: &str = "2026-11-25";
const AFTERNOON: i64 = 15 * 3_600_000;

struct Shown {
    app: TestApp,
    token: String,
    today: Day,
}

impl Shown {
    async fn new(seed: u64) -> Self {
        let today: Day = NOW.parse().unwrap();
        let app = TestApp::at(Clock::stopped_at(Millis(today.start().0 + AFTERNOON)), &[]).await;
        let administrator =
            Administrator { name: "demo".parse().unwrap(), password: "a demo password".to_owned().into() };
        let plan = Plan { devices: 900, days: 30, seed };
        let stop = CancellationToken::new();
        let demo = Demo::prepare(&app.app, &plan, administrator, &stop, |_| {}).await.unwrap();
        let token = demo.log_in(&app.app).await.unwrap().reveal().to_owned();
        let shown = Self { app, token, today };
        let month = shown.report("range=month").await;
        assert_eq!(month["summary"]["total_requests"], demo.checks());
        assert_eq!(month.get("incomplete"), None);
        shown
    }

    async fn report(&self, question: &str) -> Value {
        let reply = self.app.request("GET", &format!("/telemetry?{question}")).bearer(&self.token).send().await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()
    }

    /// The devices of a day: all, latest, outdated.
    async fn day(&self, back: i32, filter: &str) -> [u64; 3] {
        let report = self.report(&format!("date={}&{filter}", self.today.plus(-back))).await;
        ["unique_clients", "clients_using_latest_version", "clients_outdated"]
            .map(|name| report["summary"][name].as_u64().unwrap())
    }

    async fn versions(&self, back: i32, filter: &str) -> Vec<(String, u64)> {
        let report = self.report(&format!("date={}&{filter}", self.today.plus(-back))).await;
        let usage = report["versions"]["usage"].as_array().unwrap();
        let entry =
            |entry: &Value| (entry["version"].as_str().unwrap().to_owned(), entry["client_count"].as_u64().unwrap());
        usage.iter().map(entry).collect()
    }
}

#[tokio::test]
async fn the_same_seed_gives_the_same_report() {
    let (one, same, other) = (Shown::new(1).await, Shown::new(1).await, Shown::new(2).await);
    for question in ["range=month", "range=week&apps=atlas", "platforms=linux&range=month"] {
        let report = one.report(question).await;
        assert_eq!(report, same.report(question).await, "{question}");
        assert_ne!(report, other.report(question).await, "{question}");
    }
}

#[tokio::test]
async fn the_demo_shows_what_it_promises() {
    let demo = Shown::new(1).await;
    the_rhythm_of_weeks(&demo).await;
    growth_and_churn(&demo).await;
    adoption(&demo).await;
    a_late_platform(&demo).await;
    a_stuck_minority(&demo).await;
    a_rollout_in_progress(&demo).await;
    many_kinds(&demo).await;
}

/// Four days back is a Saturday, two days before that a Thursday.
async fn the_rhythm_of_weeks(demo: &Shown) {
    let share = |[thursday, saturday]: [[u64; 3]; 2]| saturday[0] as f64 / thursday[0] as f64;
    let mut shares = Vec::new();
    for app in ["apps=atlas", "apps=relay", "apps=pulse"] {
        shares.push(share([demo.day(6, app).await, demo.day(4, app).await]));
    }
    assert!(shares[0] < 0.5 && shares[1] < 0.4 && shares[2] > 0.9, "{shares:?}");
}

async fn growth_and_churn(demo: &Shown) {
    // Both are Wednesdays.
    let (then, now) = (demo.day(28, "").await[0], demo.day(7, "").await[0]);
    assert!(now > then * 105 / 100, "{then} {now}");
    let of_month = demo.report("range=month").await["summary"]["unique_clients"].as_u64().unwrap();
    let of_week = demo.report("range=week").await["summary"]["unique_clients"].as_u64().unwrap();
    assert!(of_week < of_month * 97 / 100, "{of_week} {of_month}");
}

/// 4.37.0 was published 16 days ago.
async fn adoption(demo: &Shown) {
    let mut shares = Vec::new();
    for back in [17, 15, 13, 9, 6] {
        let usage = demo.versions(back, "apps=atlas&channels=stable").await;
        let all: u64 = usage.iter().map(|(_, devices)| devices).sum();
        let new = usage.iter().find(|(version, _)| version == "4.37.0").map_or(0, |(_, devices)| *devices);
        shares.push(new * 100 / all);
    }
    assert!(shares.is_sorted() && shares[0] == 0 && (20..80).contains(&shares[1]) && shares[4] > 75, "{shares:?}");
}

async fn a_late_platform(demo: &Shown) {
    let outdated = |[all, _, outdated]: [u64; 3]| outdated as f64 / all as f64;
    let linux = outdated(demo.day(7, "apps=atlas&channels=stable&platforms=linux").await);
    let windows = outdated(demo.day(7, "apps=atlas&channels=stable&platforms=windows").await);
    assert!(linux > 2.0 * windows, "{linux} {windows}");
}

async fn a_stuck_minority(demo: &Shown) {
    for back in [27, 14, 1] {
        let usage = demo.versions(back, "apps=atlas&channels=stable").await;
        let all: u64 = usage.iter().map(|(_, devices)| devices).sum();
        let stuck = usage.iter().find(|(version, _)| version == "3.9.2").map_or(0, |(_, devices)| *devices);
        assert!((all / 100..all / 12).contains(&stuck), "{stuck} of {all}");
    }
}

/// 4.38.0 is offered to a quarter of the devices: those that are held are shown as outdated with the others.
async fn a_rollout_in_progress(demo: &Shown) {
    let filter = "apps=atlas&channels=stable";
    let [all, latest, outdated] = demo.day(1, filter).await;
    let usage = demo.versions(1, filter).await;
    let of = |name: &str| usage.iter().find(|(version, _)| version == name).map_or(0, |(_, devices)| *devices);
    assert!(of("4.37.0") * 2 > all && of("4.38.0") > 0 && of("4.38.0") * 4 < all, "{usage:?}");
    // A device that runs the newest full release is behind nothing that it may have.
    assert!(outdated >= of("4.37.0") && outdated + latest == all, "{all} {latest} {outdated}");
    let check = "/checkVersion?app_name=atlas&version=4.37.0&channel=stable&platform=darwin&arch=arm64";
    let reply = demo.app.get(check).await.json();
    assert_eq!((&reply["update_available"], &reply["rollout"]["percent"]), (&true.into(), &25.into()), "{reply}");
}

async fn many_kinds(demo: &Shown) {
    let month = demo.report("range=month").await;
    let names = |list: &str, name: &str| {
        let mut names: Vec<String> =
            month[list].as_array().unwrap().iter().map(|entry| entry[name].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(names("platforms", "platform"), ["android", "darwin", "linux", "windows"]);
    assert_eq!(names("architectures", "arch"), ["amd64", "arm64"]);
    assert_eq!(names("channels", "channel"), ["beta", "nightly", "stable"]);
    assert_eq!(month["summary"]["total_active_apps"], 3);
    let known = month["versions"]["known_versions"].as_array().unwrap();
    assert!(known.contains(&"5.0.0-dev".into()), "a version that the catalog does not know: {known:?}");
    let mut sum = 0;
    for app in ["apps=atlas&range=month", "apps=relay&range=month", "apps=pulse&range=month"] {
        sum += demo.report(app).await["summary"]["unique_clients"].as_u64().unwrap();
    }
    assert!(month["summary"]["unique_clients"].as_u64().unwrap() < sum, "some devices use two applications");
}
