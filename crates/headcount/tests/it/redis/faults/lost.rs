//! What neither Redis nor the journal has any more: the day says so.

use std::time::{Duration, Instant};

use headcount::spool::files;
use rusqlite::Connection;
use serde_json::Value;

use super::Site;
use crate::ledger::{Clients, Fate, Ledger};
use crate::metrics::{Scrape, metrics_of};
use crate::process::Server;
use crate::redis::one::{Log, One};

/// The oldest row of the newest journal.
fn oldest_row(site: &Site) -> i64 {
    let oldest = |path| {
        let rows = Connection::open(path).unwrap();
        rows.query_row("SELECT coalesce(min(id), 0) FROM row", [], |row| row.get(0)).unwrap()
    };
    files(&site.shop.folder.join("data/spool")).unwrap().into_iter().map(oldest).max().unwrap()
}

/// The report, once the loss was noticed and a while went by in which nothing more came back.
async fn settled(site: &Site, server: &Server) -> Value {
    let (started, mut report, mut same) = (Instant::now(), Value::Null, 0);
    while same < 30 || report["incomplete"].is_null() {
        assert!(started.elapsed() < super::PATIENCE, "{report} {}", server.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = site.shop.try_telemetry(server).await.unwrap_or_default();
        same = if now == report { same + 1 } else { 0 };
        report = now;
    }
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_of_which_something_is_kept_nowhere_is_incomplete() {
    let (redis, site) = (One::start(Log::None), Site::open().await);
    let server = site.serve_with(&redis.url(), &[("HEADCOUNT_REPLAY_WINDOW_BYTES", "1048576")]);
    let mut crowd = Clients::writing(site.clients.ledger.clone(), 100..164, Duration::ZERO);
    let started = Instant::now();
    while oldest_row(&site) == 0 {
        assert!(started.elapsed() < Duration::from_mins(2), "the journal keeps everything");
        // About as much again as the journal may keep; it drops the rest every few seconds.
        let time = if site.recorded() < 60_000 { 1000 } else { 10 };
        crowd.load(&server, Duration::from_millis(time), || {}).await;
    }
    site.assert_counted(&[&server]).await;
    let before = site.recorded();
    redis.empty();
    let report = settled(&site, &server).await;
    let days: Vec<&str> = report["daily_stats"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|day| day["total_requests"] != 0)
        .map(|day| day["date"].as_str().unwrap())
        .collect();
    assert!(
        report["incomplete"].as_array().unwrap().iter().all(|day| days.contains(&day.as_str().unwrap())),
        "{report}"
    );
    // What is recorded from then on is counted as ever.
    let kept = report["summary"]["total_requests"].as_u64().unwrap();
    assert!(kept < before && report["summary"]["unique_clients"] == kept, "{report} of {before}");
    let ledger = Ledger::default();
    Clients::writing(ledger.clone(), 200..206, super::PAUSE).load(&server, Duration::from_millis(300), || {}).await;
    let new = ledger.devices(&[Fate::Recorded]).len() as u64;
    site.await_counted(&server, kept + new).await;
    let report = site.shop.telemetry(&server, "").await;
    assert_eq!(
        (&report["summary"]["total_requests"], &report["summary"]["unique_clients"]),
        (&(kept + new).into(), &(kept + new).into())
    );
    // The gauge follows every few seconds.
    let started = Instant::now();
    while Scrape::of(&metrics_of(&server)).await.value("incomplete_days") < 1.0 {
        assert!(started.elapsed() < super::PATIENCE, "no incomplete day is told");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    println!("{before} recorded, {kept} of them kept, {new} later");
}
