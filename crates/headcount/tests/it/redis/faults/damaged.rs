//! Blocks of a dictionary that are not what was written.

use std::time::{Duration, Instant};

use headcount::clock::Clock;
use serde_json::{Value, json};

use super::Site;
use crate::ledger::check_again;
use crate::process::Server;
use crate::redis::one::{Log, One};

/// Requests, devices and the days that lack something.
async fn summary(site: &Site, server: &Server) -> (u64, u64, Value) {
    let report = site.shop.telemetry(server, "").await;
    let number = |name: &str| report["summary"][name].as_u64().unwrap();
    (number("total_requests"), number("unique_clients"), report["incomplete"].clone())
}

/// The key of the dictionary: that of its newest epoch.
fn blocks_of(redis: &One) -> String {
    redis.ask(&["KEYS", "*:blocks"]).text().lines().max().unwrap().to_owned()
}

async fn ready(server: &Server) -> Value {
    reqwest::get(server.url("/ready")).await.unwrap().json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_dictionary_is_made_anew_and_the_day_says_so() {
    let (redis, mut site) = (One::start(Log::Kept), Site::open().await);
    let mut server = site.serve(&redis.url());
    for _ in 0..3 {
        site.load(&server).await;
        site.assert_counted(&[&server]).await;
    }
    server.signal("TERM");
    server.wait();
    for (what, places, is_as_long) in
        [("one that is too short", &["0"][..], false), ("two that are as long as they were", &["0", "1"], true)]
    {
        let (before, blocks) = (site.recorded(), blocks_of(&redis));
        for place in places {
            let length = redis.ask(&["EVAL", "return #redis.call('LINDEX', KEYS[1], ARGV[1])", "1", &blocks, place]);
            let length = if is_as_long { length.text().parse().unwrap() } else { 15 };
            redis.ask(&["LSET", &blocks, place, &"x".repeat(length)]);
        }
        let mut server = site.serve(&redis.url());
        site.load(&server).await;
        assert!(site.recorded() > before, "{what}");
        site.await_counted(&server, site.recorded()).await;
        let today = Clock::wall().now().day().to_string();
        let expected = (site.recorded(), site.recorded(), json!([today]));
        assert_eq!(summary(&site, &server).await, expected, "{what}: {}", server.log());
        assert_eq!(ready(&server).await.get("store"), None, "{what}");
        assert!(server.log().contains("a part of the dictionary was damaged"), "{what}: {}", server.log());
        server.signal("TERM");
        server.wait();
    }
    // Whom it named is another device from now on; whom it did not is the same.
    let server = site.serve(&redis.url());
    let (requests, devices, _) = summary(&site, &server).await;
    assert_eq!(check_again(&server, "client-0.check-000000000").await, "recorded");
    assert_eq!(summary(&site, &server).await.1, devices + 1);
    let newest = site.clients.ledger.devices(&[crate::ledger::Fate::Recorded]).into_iter().next_back().unwrap();
    assert_eq!(check_again(&server, &newest).await, "recorded");
    let (now, known, _) = summary(&site, &server).await;
    assert_eq!((now, known), (requests + 2, devices + 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_places_are_lost_ready_says_so_and_the_owner_can_begin_anew() {
    let (redis, mut site) = (One::start(Log::Kept), Site::open().await);
    let mut server = site.serve(&redis.url());
    for _ in 0..3 {
        site.load(&server).await;
        site.assert_counted(&[&server]).await;
    }
    server.signal("TERM");
    server.wait();
    let blocks = blocks_of(&redis);
    for place in ["0", "2"] {
        redis.ask(&["LSET", &blocks, place, "no block at all"]);
    }
    let server = site.serve(&redis.url());
    site.load(&server).await;
    let owner = blocks.split(['{', '}']).nth(1).unwrap();
    let named = format!("a block of the dictionary of owner {owner} is damaged");
    let started = Instant::now();
    while !ready(&server).await["store"].as_str().unwrap_or_default().contains(&named) {
        assert!(started.elapsed() < super::PATIENCE, "{}", server.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // What docs/operating.md says.
    for key in redis.ask(&["KEYS", &format!("hc:{{{owner}}}:*")]).text().lines() {
        redis.ask(&["UNLINK", key]);
    }
    site.assert_counted(&[&server]).await;
    let started = Instant::now();
    while ready(&server).await.get("store").is_some() {
        assert!(started.elapsed() < super::PATIENCE, "{}", server.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    site.assert_devices(&redis.url()).await;
}
