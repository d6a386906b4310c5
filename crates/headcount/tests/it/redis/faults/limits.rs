//! A Redis without memory, and one that may throw keys away.

use std::time::{Duration, Instant};

use super::Site;
use crate::process::Server;
use crate::redis::one::{Log, One};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_without_memory() {
    let (redis, mut site) = (One::start(Log::Kept), Site::open().await);
    let server = site.serve(&redis.url());
    site.load(&server).await;
    site.assert_counted(&[&server]).await;
    let shipped = marks(&redis);
    redis.set("maxmemory", "1mb");
    site.under_load(&server, "no memory", || std::thread::sleep(Duration::from_secs(1))).await;
    await_log(&server, "OOM").await;
    assert_eq!(marks(&redis), shipped);
    redis.set("maxmemory", "0");
    site.assert_counted(&[&server]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_may_throw_keys_away() {
    let (redis, mut site) = (One::start(Log::Kept), Site::open().await);
    let server = site.serve(&redis.url());
    site.load(&server).await;
    site.assert_counted(&[&server]).await;
    redis.set("maxmemory-policy", "allkeys-lru");
    await_log(&server, "allkeys-lru").await;
    let shipped = marks(&redis);
    site.under_load(&server, "it may evict", || std::thread::sleep(Duration::from_secs(1))).await;
    assert_eq!(marks(&redis), shipped, "nothing is shipped to it");
    redis.set("maxmemory-policy", "noeviction");
    site.assert_counted(&[&server]).await;
}

/// Up to where which spool is shipped.
fn marks(redis: &One) -> Vec<String> {
    let keys = redis.ask(&["KEYS", "*:marks"]).text();
    let mut marks: Vec<String> = keys.lines().map(|key| redis.ask(&["HGETALL", key]).text()).collect();
    assert!(!marks.is_empty());
    marks.sort_unstable();
    marks
}

async fn await_log(server: &Server, word: &str) {
    let started = Instant::now();
    while !server.log().contains(word) {
        assert!(started.elapsed() < Duration::from_mins(1), "{word}: {}", server.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
