//! Several instances with one Redis.

use std::time::Duration;

use super::{CLIENTS, Site};
use crate::effort;
use crate::ledger::check_again;
use crate::redis::one::{Log, One};

/// Lets clients of both send checks at the same time.
async fn load_both([one, two]: [&mut Site; 2], servers: [&crate::process::Server; 2]) {
    tokio::join!(one.load(servers[0]), two.load(servers[1]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_instance_brings_back_what_redis_has_lost() {
    let (mut redis, mut one) = (One::start(Log::None), Site::open().await);
    let mut two = one.copied(1);
    let servers = [one.serve(&redis.url()), two.serve(&redis.url())];
    for _ in 0..effort::rounds(1, 10) {
        let copy = redis.copy();
        load_both([&mut one, &mut two], [&servers[0], &servers[1]]).await;
        one.assert_counted(&[&servers[0], &servers[1]]).await;
        // The first one has nothing to send any more; it has to find out by itself.
        redis.become_again(&copy);
        two.load(&servers[1]).await;
        one.assert_counted(&[&servers[1], &servers[0]]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ordinals_that_redis_has_lost_are_given_to_nobody_else() {
    let (mut redis, mut one) = (One::start(Log::None), Site::open().await);
    let mut two = one.copied(1);
    let servers = [one.serve(&redis.url()), two.serve(&redis.url())];
    let both = [&servers[0], &servers[1]];
    for _ in 0..effort::rounds(2, 20) {
        let copy = redis.copy();
        load_both([&mut one, &mut two], both).await;
        // Both know the blocks of both now.
        one.assert_counted(&both).await;
        load_both([&mut one, &mut two], both).await;
        redis.become_again(&copy);
        // Both bring new devices, for the same ordinals.
        load_both([&mut one, &mut two], both).await;
        one.assert_counted(&both).await;
    }
    one.assert_devices(&redis.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_was_copied_to_a_second_machine() {
    let (mut redis, mut one) = (One::start(Log::Kept), Site::open().await);
    let mut server = one.serve(&redis.url());
    one.load(&server).await;
    one.assert_counted(&[&server]).await;
    redis.kill();
    // These are in the folder only.
    one.load(&server).await;
    server.kill();
    let mut two = one.copied(1);
    redis.start_again();
    let servers = [one.serve(&redis.url()), two.serve(&redis.url())];
    load_both([&mut one, &mut two], [&servers[0], &servers[1]]).await;
    one.assert_counted(&[&servers[0], &servers[1]]).await;
    // A third one, when all of it has long been shipped.
    let third = two.copied(2);
    let late = third.serve(&redis.url());
    one.assert_counted(&[&late, &servers[0]]).await;
    one.assert_devices(&redis.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_dies_with_its_disk_takes_only_what_it_had_not_shipped() {
    let (redis, mut one) = (One::start(Log::Kept), Site::open().await);
    let (mut two, mut three) = (one.copied(1), one.copied(2));
    let servers = [one.serve(&redis.url()), two.serve(&redis.url())];
    let mut dies = three.serve(&redis.url());
    tokio::join!(one.load(&servers[0]), two.load(&servers[1]), three.load(&dies));
    one.assert_counted(&[&servers[0], &servers[1], &dies]).await;
    let shipped = one.clients.ledger.copy();
    let end = async {
        let load = three.clients.begin(&dies);
        tokio::time::sleep(Duration::from_millis(150)).await;
        dies.kill();
        three.clients.end(load).await;
    };
    tokio::join!(one.load(&servers[0]), two.load(&servers[1]), end);
    std::fs::remove_dir_all(&three.shop.folder).unwrap();
    let of_third =
        |device: &str| (2 * CLIENTS..3 * CLIENTS).any(|client| device.starts_with(&format!("client-{client}.")));
    let ledger = shipped.until(&one.clients.ledger, of_third);
    for server in &servers {
        one.await_recorded(server, &ledger).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_device_at_two_instances_at_once_is_one_device() {
    let (redis, one) = (One::start(Log::Kept), Site::open().await);
    let two = one.copied(1);
    let servers = [one.serve(&redis.url()), two.serve(&redis.url())];
    for check in 0..50 {
        let device = format!("client-0.check-{check:09}");
        let both = tokio::join!(check_again(&servers[0], &device), check_again(&servers[1], &device));
        assert_eq!(both, ("recorded".to_owned(), "recorded".to_owned()));
    }
    for server in &servers {
        one.await_counted(server, 100).await;
        let report = one.shop.telemetry(server, "").await;
        assert_eq!(
            (&report["summary"]["total_requests"], &report["summary"]["unique_clients"]),
            (&100.into(), &50.into())
        );
    }
}
