//! A network that loses replies, holds, swallows, resets, or is slow.

use std::time::{Duration, Instant};

use super::Site;
use crate::effort;
use crate::redis::one::{Log, One};
use crate::redis::proxy::{Network, Proxy, is_step};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_whose_reply_is_lost_is_not_applied_twice() {
    let (redis, mut site) = (One::start(Log::Kept), Site::open().await);
    let proxy = Proxy::losing_replies(redis.port(), 2, is_step).await;
    let server = site.serve_with(&proxy.url(), &[("HEADCOUNT_FLUSH_INTERVAL_MS", "50")]);
    let (wanted, started) = (effort::rounds(12, 1000) as u64, Instant::now());
    site.load(&server).await;
    let before = site.clients.take_times();
    let load = site.clients.begin(&server);
    while proxy.lost() < wanted {
        assert!(started.elapsed() < Duration::from_mins(30), "{} of {wanted} replies were lost", proxy.lost());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    site.clients.end(load).await;
    super::print_times("replies lost", &before, &site.clients.take_times());
    site.assert_counted(&[&server]).await;
    println!("{} replies lost", proxy.lost());
    site.assert_devices(&redis.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_does_anything_but_work() {
    let (redis, mut site) = (One::start(Log::Kept), Site::open().await);
    let proxy = Proxy::of(redis.port()).await;
    let server = site.serve(&proxy.url());
    site.load(&server).await;
    site.assert_counted(&[&server]).await;
    for _ in 0..effort::rounds(1, 10) {
        for network in [
            Network::Slow(Duration::from_millis(40)),
            Network::Holds,
            Network::Swallows,
            Network::Resets,
            Network::HalfClosed,
        ] {
            let what = format!("{network:?}");
            site.under_load(&server, &what, || {
                proxy.set(network);
                std::thread::sleep(Duration::from_millis(effort::rounds(1500, 8000) as u64));
            })
            .await;
            proxy.set(Network::Works);
            let healed = Instant::now();
            site.assert_counted(&[&server]).await;
            println!("{what}: all is counted {:.1?} after it works again", healed.elapsed());
        }
    }
}
