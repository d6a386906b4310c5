//! Made-up devices: how many of them are counted, and that others are counted all the same.

use std::collections::BTreeMap;
use std::time::Duration;

use headcount::clock::Clock;
use headcount_engine::day::Millis;
use serde_json::json;

use crate::app::{Reply, TestApp, TestRequest};
use crate::http::shop;
use crate::journal;
use crate::metrics::Scrape;

const CHECK: &str = "/checkVersion?app_name=myapp&version=1.0.0&channel=stable&platform=darwin&arch=amd64";
const BEACON: &str = "/telemetry/beacon?app_name=myapp&version=1.0.0&channel=stable&platform=darwin&arch=amd64";
/// 2026-03-03T12:00:00Z.
const NOON: Millis = Millis(1_772_539_200_000);
const RATE: &str = "skipped; reason=rate";

fn request(app: &TestApp, path: &str, device: &str) -> TestRequest {
    app.request("GET", path).header("X-Device-ID", device)
}

fn outcome(reply: &Reply) -> &str {
    reply.header("headcount").unwrap()
}

async fn check(app: &TestApp, device: &str) -> String {
    let reply = request(app, CHECK, device).send().await;
    assert_eq!(reply.status, 200);
    outcome(&reply).to_owned()
}

/// Gives the server the time to find out which devices were counted.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(700)).await;
}

#[tokio::test]
async fn an_application_has_so_many_devices_a_day() {
    let app = TestApp::at(Clock::stopped_at(NOON), &[("HEADCOUNT_DEVICES_PER_DAY", "3")]).await;
    let caller = shop::open(&app, "acme").await;
    let token = caller.token().to_owned();
    shop::open(&app, "other").await;
    settle().await;
    let usual = request(&app, CHECK, "device-0001").send().await;
    assert_eq!(outcome(&usual), "recorded");
    for device in ["device-0002", "device-0003"] {
        assert_eq!(check(&app, device).await, "recorded");
    }
    let refused = request(&app, CHECK, "device-0004").send().await;
    assert_eq!((refused.status, &refused.text, outcome(&refused)), (200, &usual.text, RATE));
    let refused = request(&app, BEACON, "device-0005").send().await;
    assert_eq!((refused.status, outcome(&refused)), (204, RATE));
    for device in ["device-0001", "device-0003"] {
        assert_eq!(check(&app, device).await, "recorded");
    }
    let of_other = request(&app, &format!("{CHECK}&owner=other"), "device-0004").send().await;
    assert_eq!(outcome(&of_other), "recorded");
    let (sent, recorded, _, skipped) = Scrape::of_app(&app).await.outcomes();
    assert_eq!((sent, recorded, skipped), (8.0, 6.0, BTreeMap::from([("rate", 2.0)])));

    // The devices of today are known after a restart.
    let app = app.restart().await;
    settle().await;
    assert_eq!(check(&app, "device-0006").await, RATE);
    assert_eq!(check(&app, "device-0002").await, "recorded");
    let report = app.request("GET", "/telemetry").bearer(&token).send().await.json();
    let summary = &report["summary"];
    assert_eq!((&summary["unique_clients"], &summary["total_requests"]), (&json!(3), &json!(6)), "{report}");
    app.clock.advance(Duration::from_hours(24));
    assert_eq!(check(&app, "device-0006").await, "recorded");
    let directory = app.directory().to_owned();
    app.stop().await;
    assert_eq!(journal::tallies(&directory), BTreeMap::from([(("skipped".to_owned(), "rate".to_owned()), 3)]));
}

const LIMITED: [(&str, &str); 3] = [
    ("HEADCOUNT_NEW_DEVICES_PER_MINUTE", "60"),
    ("HEADCOUNT_NEW_DEVICES_BURST", "5"),
    ("HEADCOUNT_LIMIT_LOCAL_SOURCES", "true"),
];

#[tokio::test]
async fn a_source_brings_a_burst_of_new_devices_and_then_a_few() {
    let app = TestApp::at(Clock::stopped_at(NOON), &LIMITED).await;
    let caller = shop::open(&app, "acme").await;
    settle().await;
    let flood = async |first: u32, count: u32| {
        let mut said: BTreeMap<String, u32> = BTreeMap::new();
        for device in first..first + count {
            // What a client says of proxies is not believed.
            let reply = request(&app, CHECK, &format!("device-{device:06}"));
            let reply = reply.header("X-Forwarded-For", &format!("203.0.{}.1", device % 256)).send().await;
            assert_eq!(reply.status, 200);
            *said.entry(outcome(&reply).to_owned()).or_default() += 1;
        }
        said
    };
    let counted =
        |recorded: u32, rate: u32| BTreeMap::from([("recorded".to_owned(), recorded), (RATE.to_owned(), rate)]);
    assert_eq!(flood(0, 50).await, counted(5, 45));
    // Who was counted is counted again.
    assert_eq!(flood(0, 5).await, BTreeMap::from([("recorded".to_owned(), 5)]));
    app.clock.advance(Duration::from_millis(2500));
    assert_eq!(flood(100, 20).await, counted(2, 18));
    app.clock.advance(Duration::from_hours(1));
    assert_eq!(flood(200, 20).await, counted(5, 15));
    let report = caller.get("/telemetry").await.json();
    assert_eq!(report["summary"]["unique_clients"], json!(12), "{report}");
    let (sent, recorded, _, skipped) = Scrape::of_app(&app).await.outcomes();
    assert_eq!((sent, recorded, skipped), (95.0, 17.0, BTreeMap::from([("rate", 78.0)])));

    // The twelve are known after a restart, and no more come.
    let app = app.restart().await;
    settle().await;
    for device in 0..5 {
        assert_eq!(check(&app, &format!("device-{device:06}")).await, "recorded");
    }
    for device in 300..305 {
        assert_eq!(check(&app, &format!("device-{device:06}")).await, "recorded");
    }
    assert_eq!(check(&app, "device-000306").await, RATE);
}

#[tokio::test]
async fn a_source_is_whom_a_trusted_proxy_names() {
    let [rate, _, local] = LIMITED;
    let settings =
        [rate, local, ("HEADCOUNT_NEW_DEVICES_BURST", "2"), ("HEADCOUNT_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8")];
    let app = TestApp::at(Clock::stopped_at(NOON), &settings).await;
    shop::open(&app, "acme").await;
    settle().await;
    let mut device = 0;
    let mut ask = async |hops: &str| {
        device += 1;
        let reply = request(&app, CHECK, &format!("device-{device:06}")).header("X-Forwarded-For", hops).send().await;
        (reply.status, reply.header("headcount").unwrap_or_default().to_owned())
    };
    let (recorded, skipped) = ((200, "recorded".to_owned()), (200, RATE.to_owned()));
    for hops in ["203.0.113.1", "6.6.6.6, 203.0.113.2, 10.1.2.3"] {
        assert_eq!(ask(hops).await, recorded, "{hops}");
    }
    for hops in ["203.0.113.3", "6.6.6.7, 203.0.113.4", "203.0.113.5:1234, 10.0.0.1"] {
        assert_eq!(ask(hops).await, skipped, "{hops}");
    }
    for hops in ["203.0.114.1", "2001:db8:1::1", "[2001:db8:1:ffff::2]:99"] {
        assert_eq!(ask(hops).await, recorded, "{hops}");
    }
    assert_eq!(ask("2001:db8:1:2::3").await, skipped);
    // The proxy itself, and whom it does not name, are not one source.
    for hops in ["", "unknown", "203.0.113.9, _hidden", "10.0.0.7", "", ""] {
        assert_eq!(ask(hops).await, recorded, "{hops}");
    }
    assert_eq!(ask(&["203.0.115.1"; 32].join(",")).await, recorded);
    assert_eq!(ask(&["203.0.115.1"; 200].join(",")).await, (400, String::new()));
}

#[tokio::test]
async fn what_is_no_source_is_not_limited() {
    let app = TestApp::at(Clock::stopped_at(NOON), &LIMITED[..2]).await;
    shop::open(&app, "acme").await;
    settle().await;
    for device in 0..20 {
        assert_eq!(check(&app, &format!("device-{device:06}")).await, "recorded");
    }
}
