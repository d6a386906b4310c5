//! What an administrator reads.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

use crate::app::TestApp;
use crate::http::shop;

#[tokio::test]
async fn an_empty_installation_reports_nothing() {
    let app = TestApp::start().await;
    let token = app.administrator("acme").await;

    let reply = app.request("GET", "/telemetry?date=2026-03-02").bearer(&token).send().await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(
        reply.json(),
        json!({
            "date": "2026-03-02", "date_range": ["2026-03-02"], "admin": "acme",
            "summary": {"total_requests": 0, "unique_clients": 0, "clients_using_latest_version": 0, "clients_outdated": 0, "total_active_apps": 0},
            "versions": {"used_versions_count": 0, "known_versions": null, "usage": null},
            "platforms": null, "architectures": null, "channels": null, "daily_stats": [], "incomplete": ["2026-03-02"]
        })
    );
}

#[tokio::test]
async fn a_day_without_checks_has_no_sections_unless_an_app_is_named() {
    let app = TestApp::start().await;
    let caller = shop::open(&app, "acme").await;
    shop::ask(&app, "1.0.0").await;
    let tomorrow = app.clock.now().day().plus(1);
    let day = async |rest: &str| caller.get(&format!("/telemetry?date={tomorrow}{rest}")).await.json();

    let idle = day("").await;
    let empty = json!({"used_versions_count": 0, "known_versions": null, "usage": null});
    assert_eq!((&idle["versions"], &idle["daily_stats"]), (&empty, &json!([])));
    let named = day("&apps=myapp").await;
    let known = json!({"used_versions_count": 0, "known_versions": ["1.0.0"], "usage": null});
    let zeros = json!([{
        "date": tomorrow.to_string(), "total_requests": 0, "unique_clients": 0, "clients_using_latest_version": 0,
        "clients_outdated": 0
    }]);
    assert_eq!((&named["versions"], &named["daily_stats"]), (&known, &zeros));
}

#[tokio::test]
async fn the_rest_of_made_up_versions_is_last() {
    let app = TestApp::with(&[("HEADCOUNT_UNKNOWN_VERSIONS_PER_DAY", "1")]).await;
    let caller = shop::open(&app, "acme").await;
    for (version, device) in
        [("7.1", "device-one"), ("7.2", "device-two"), ("7.3", "device-three"), ("1.0.0", "device-four")]
    {
        let path = format!("/checkVersion?app_name=myapp&version={version}&channel=stable&platform=darwin&arch=amd64");
        let reply = app.request("GET", &path).header("X-Device-ID", device).send().await;
        assert_eq!(reply.header("headcount"), Some("recorded"));
    }
    let usage = caller.get("/telemetry").await.json()["versions"]["usage"].clone();
    let row = |version: &str, devices: u64| json!({"version": version, "client_count": devices});
    assert_eq!(usage, json!([row("7.1", 1), row("1.0.0", 1), row("(other)", 2)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_shows_what_was_recorded_before_it() {
    let app = TestApp::start().await;
    let caller = shop::open(&app, "acme").await;
    let (sent, recorded) = (AtomicU64::new(0), AtomicU64::new(0));
    let client = async |client: u64| {
        for round in 0..25 {
            let path = "/checkVersion?app_name=myapp&version=1.0.0&channel=stable&platform=darwin&arch=amd64";
            sent.fetch_add(1, Ordering::SeqCst);
            let device = format!("client-{client}.check-{round}");
            let reply = app.request("GET", path).header("X-Device-ID", &device).send().await;
            assert_eq!(reply.header("headcount"), Some("recorded"));
            let least = recorded.fetch_add(1, Ordering::SeqCst) + 1;
            let reply = caller.get("/telemetry?range=week").await;
            let most = sent.load(Ordering::SeqCst);
            let shown = reply.json()["summary"]["unique_clients"].as_u64().unwrap();
            assert!((least..=most).contains(&shown), "{least} <= {shown} <= {most}");
        }
    };
    futures_util::future::join_all((0..8).map(client)).await;
    assert_eq!(recorded.into_inner(), 200);
}
