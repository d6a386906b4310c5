//! The master dies, and a replica that lacks the newest part takes its place.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::Site;
use crate::effort;
use crate::redis::sentinel::Sentinel;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_without_the_newest_part() {
    let mut random = StdRng::seed_from_u64(effort::seed());
    let (mut redis, mut site) = (Sentinel::start(), Site::open().await);
    let server = site.serve(&redis.url());
    site.load(&server).await;
    site.assert_counted(&[&server]).await;
    for _ in 0..effort::rounds(1, 20) {
        let (tail, away) = (random.random_range(100..600), random.random_range(0..2000));
        site.under_load(&server, "failover", || {
            redis.stop_replication();
            std::thread::sleep(Duration::from_millis(tail));
            let before = redis.fail_over();
            std::thread::sleep(Duration::from_millis(away));
            redis.come_back(before);
        })
        .await;
        site.assert_counted(&[&server]).await;
        redis.settle();
        site.assert_counted(&[&server]).await;
    }
    site.assert_devices(&redis.url()).await;
}
