//! A Redis that is away for long.

use std::time::{Duration, Instant};

use super::{PAUSE, Site};
use crate::effort;
use crate::ledger::{Clients, Ledger};
use crate::redis::one::{Log, One};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_away_for_long() {
    let (mut redis, mut site) = (One::start(Log::Kept), Site::open().await);
    // About 2,000 checks a second.
    site.clients = Clients::writing(Ledger::default(), 0..32, PAUSE);
    let server = site.serve(&redis.url());
    site.load(&server).await;
    site.assert_counted(&[&server]).await;
    let (before, shipped, away) =
        (site.clients.take_times(), site.recorded(), Duration::from_secs(effort::rounds(20, 600) as u64));
    redis.kill();
    site.clients.load(&server, away, || {}).await;
    super::print_times("away", &before, &site.clients.take_times());
    let waiting = site.recorded() - shipped;
    redis.start_again();
    let started = Instant::now();
    site.assert_counted(&[&server]).await;
    let took = started.elapsed();
    println!(
        "{waiting} checks of {away:?}, {} a second, were counted {took:.1?} after Redis was back, {:.0} times as fast as they came",
        waiting / away.as_secs(),
        away.as_secs_f64() / took.as_secs_f64()
    );
}
