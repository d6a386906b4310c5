//! A cluster whose slots move and whose masters change.

use super::Site;
use crate::effort;
use crate::redis::cluster::Cluster;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_that_move_under_load() {
    let (redis, mut site) = (Cluster::start(), Site::open().await);
    let server = site.serve(&redis.url());
    site.load(&server).await;
    site.assert_counted(&[&server]).await;
    let slot = redis.fullest_slot();
    for _ in 0..effort::rounds(2, 100) {
        site.under_load(&server, "ten moves of a slot", || (0..10).for_each(|_| redis.move_slot(slot))).await;
        site.assert_counted(&[&server]).await;
    }
    site.assert_devices(&redis.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn masters_that_change_under_load() {
    let (mut redis, mut site) = (Cluster::start(), Site::open().await);
    let server = site.serve(&redis.url());
    site.load(&server).await;
    site.assert_counted(&[&server]).await;
    let slot = redis.fullest_slot();
    for _ in 0..effort::rounds(1, 7) {
        for how in ["FORCE", "TAKEOVER"] {
            site.under_load(&server, how, || redis.take_over(slot, how)).await;
            site.assert_counted(&[&server]).await;
            redis.settle();
        }
        site.under_load(&server, "a master that is killed", || {
            let away = redis.kill_master_of(slot);
            redis.come_back(away);
        })
        .await;
        site.assert_counted(&[&server]).await;
        redis.settle();
    }
    site.assert_devices(&redis.url()).await;
}
