//! The real server, killed again and again under load: whatever it answered `recorded` is counted, once.

use std::path::Path;
use std::time::Duration;

use headcount::spool::files;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use rusqlite::Connection;

use crate::effort;
use crate::ledger::{Clients, Fate, Shop};

/// Holds the spool so that no commit succeeds, as a slow disk would.
fn hold(folder: &Path) -> Vec<Connection> {
    let hold = |path| {
        let rows = Connection::open(path).unwrap();
        rows.execute_batch("BEGIN IMMEDIATE").unwrap();
        rows
    };
    files(&folder.join("data/spool")).unwrap().into_iter().map(hold).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_recorded_is_lost_or_counted_twice_by_kills() {
    let mut random = StdRng::seed_from_u64(effort::seed());
    let (shop, mut clients) = (Shop::open().await, Clients::new());
    for cycle in 0..effort::rounds(22, 200) {
        let mut server = shop.serve();
        let time = Duration::from_millis(random.random_range(0..500));
        // Some die while commits are under way that take long: who was answered before its commit would be lost.
        let slow = (cycle % 3 == 1).then(|| Duration::from_millis(random.random_range(1..300)));
        let mut held = Vec::new();
        let kill = || {
            if let Some(time) = slow {
                held = hold(&shop.folder);
                std::thread::sleep(time);
            }
            server.signal("KILL");
        };
        clients.load(&server, time, kill).await;
        server.wait();
        drop(held);
        // A report between two kills must be right, too.
        if cycle % 7 == 3 {
            let mut server = shop.serve();
            shop.compare(&server, &clients.ledger).await;
            server.signal("KILL");
            server.wait();
        }
    }
    let mut server = shop.serve();
    shop.compare(&server, &clients.ledger).await;
    server.signal("TERM");
    let (status, ..) = server.wait();
    assert_eq!(status.code(), Some(0), "{}", server.log());
    shop.compare_devices(&clients.ledger).await;
    let recorded = clients.ledger.devices(&[Fate::Recorded]).len();
    println!(
        "{recorded} recorded, {} unconfirmed, {} cut, {} skipped; {} files of the spool",
        clients.ledger.devices(&[Fate::Unconfirmed]).len(),
        clients.ledger.devices(&[Fate::Cut]).len(),
        clients.ledger.devices(&[Fate::Skipped]).len(),
        files(&shop.folder.join("data/spool")).unwrap().len(),
    );
    assert!(recorded > 200, "the load was too small to mean anything");
    assert!(clients.ledger.devices(&[Fate::Skipped]).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_under_load_loses_nothing() {
    let (shop, mut clients) = (Shop::open().await, Clients::new());
    let mut server = shop.serve();
    clients.load(&server, Duration::from_millis(700), || server.signal("TERM")).await;
    let (status, _) = server.wait();
    assert_eq!(status.code(), Some(0), "{}", server.log());
    assert!(clients.ledger.devices(&[Fate::Recorded]).len() > 50);
    // Everything was shipped before it ended.
    shop.compare_devices(&clients.ledger).await;
    let server = shop.serve();
    shop.compare(&server, &clients.ledger).await;
}
