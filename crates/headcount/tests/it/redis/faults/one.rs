//! One Redis that is killed, emptied, goes back, or stands still.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::Site;
use crate::effort;
use crate::process::Server;
use crate::redis::one::{Log, One};

fn some_time(random: &mut StdRng) -> Duration {
    Duration::from_millis(random.random_range(0..600))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_killed_and_comes_back() {
    let mut random = StdRng::seed_from_u64(effort::seed());
    let (mut redis, mut site) = (One::start(Log::Kept), Site::open().await);
    let server = site.serve(&redis.url());
    for _ in 0..effort::rounds(3, 50) {
        site.under_load(&server, "killed, with a log", || {
            redis.kill();
            std::thread::sleep(some_time(&mut random));
            redis.start_again();
            std::thread::sleep(some_time(&mut random));
        })
        .await;
        site.assert_counted(&[&server]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_loses_everything_or_its_newest_part() {
    let mut random = StdRng::seed_from_u64(effort::seed());
    let (mut redis, mut site) = (One::start(Log::None), Site::open().await);
    let server = site.serve(&redis.url());
    for round in 0..effort::rounds(4, 60) {
        let copy = redis.copy();
        let (what, time) = (["killed", "emptied", "older"][round % 3], some_time(&mut random));
        site.under_load(&server, what, || {
            match what {
                "killed" => {
                    redis.kill();
                    std::thread::sleep(time);
                    redis.start_again();
                }
                "emptied" => redis.empty(),
                _ => redis.become_again(&copy),
            }
            std::thread::sleep(time);
        })
        .await;
        // Some losses come on top of others.
        if round % 4 != 1 {
            site.assert_counted(&[&server]).await;
        }
    }
    site.assert_counted(&[&server]).await;
    site.assert_devices(&redis.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_stands_still() {
    let (redis, mut site) = (One::start(Log::Kept), Site::open().await);
    let server = site.serve(&redis.url());
    site.load(&server).await;
    site.assert_counted(&[&server]).await;
    let before = site.clients.take_times();
    redis.pause();
    let load = site.clients.begin(&server);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(site.counted(&server).await, None, "a report needs the store");
    let ready = reqwest::get(server.url("/ready")).await.unwrap();
    assert_eq!(ready.status(), 200);
    tokio::time::sleep(Duration::from_secs(effort::rounds(3, 60) as u64)).await;
    site.clients.end(load).await;
    super::print_times("stands still", &before, &site.clients.take_times());
    redis.resume();
    site.assert_counted(&[&server]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_not_there_at_the_start() {
    let (mut redis, mut site) = (One::start(Log::Kept), Site::open().await);
    let url = redis.url();
    redis.kill();
    let mut server = site.serve(&url);
    site.load(&server).await;
    assert_eq!(site.counted(&server).await, None, "a report needs the store");
    // What was recorded is not lost by an end without a store, and ships under the next start.
    server.signal("TERM");
    let (status, ..) = server.wait();
    assert_eq!(status.code(), Some(0), "{}", server.log());
    let server = site.serve(&url);
    site.under_load(&server, "not there at the start", || redis.start_again()).await;
    site.assert_counted(&[&server]).await;
}

/// The first pieces of bases: their keys end with their place.
fn bases(redis: &One) -> String {
    redis.ask(&["KEYS", "*:0"]).text()
}

/// Sends checks until a compaction has made another base.
async fn load_until_compacted(site: &mut Site, server: &Server, redis: &One) {
    let (before, started) = (bases(redis), Instant::now());
    while bases(redis) == before || bases(redis).is_empty() {
        assert!(started.elapsed() < Duration::from_mins(2), "nothing is compacted: {}", server.log());
        site.load(server).await;
    }
    site.assert_counted(&[server]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_goes_back_behind_a_compaction() {
    let (mut redis, mut site) = (One::start(Log::None), Site::open().await);
    let server = site.serve_with(&redis.url(), &[("HEADCOUNT_FLUSH_INTERVAL_MS", "50")]);
    load_until_compacted(&mut site, &server, &redis).await;
    for _ in 0..effort::rounds(1, 10) {
        let copy = redis.copy();
        load_until_compacted(&mut site, &server, &redis).await;
        redis.become_again(&copy);
        // What the server has in memory is of a generation that Redis has lost, and that comes again.
        load_until_compacted(&mut site, &server, &redis).await;
    }
    site.assert_devices(&redis.url()).await;
}
