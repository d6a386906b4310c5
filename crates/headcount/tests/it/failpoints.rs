//! The real server, ended at each of its named points: whatever it answered `recorded` is counted, once.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use headcount::catalog;
use headcount::failpoint::Point;
use headcount::spool::files;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use rusqlite::Connection;
use strum::VariantArray as _;

use crate::app::fresh_directory;
use crate::effort;
use crate::formats;
use crate::ledger::{Clients, Fate, Shop};
use crate::process::{Server, run};

const SIGABRT: i32 = 6;

/// What ends a process that comes to the point for that time.
fn at(point: Point, time: u32) -> String {
    let name: &str = point.into();
    format!("{name}@{time}")
}

fn assert_ended_there(status: ExitStatus, what: &str, log: &str) {
    assert_eq!(status.signal(), Some(SIGABRT), "{what}: {status} {log}");
}

/// How often a process may come to a point under load until it ends there; none for those that take more than load.
fn most_times(point: Point) -> Option<u32> {
    match point {
        Point::EventQueued => Some(400),
        Point::RowWritten | Point::RowCommitted => Some(200),
        Point::StepWritten | Point::StoreCommitted => Some(12),
        Point::SpoolTrimming | Point::StoreCompacting | Point::CatalogCopied | Point::CatalogMigrated => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_recorded_is_lost_or_counted_twice_wherever_a_process_ends() {
    let mut random = StdRng::seed_from_u64(effort::seed());
    let (shop, mut clients) = (Shop::open().await, Clients::new());
    let rounds = effort::rounds(2, 40);
    for (point, most) in Point::VARIANTS.iter().filter_map(|&point| Some((point, most_times(point)?))) {
        for _ in 0..rounds {
            let end = at(point, random.random_range(1..=most));
            let mut server = shop.serve_with(&[("FAILPOINT", &end)]);
            clients.load_until_gone(&mut server).await;
            assert_ended_there(server.wait().0, &end, &server.log());
        }
        let mut server = shop.serve();
        shop.compare(&server, &clients.ledger).await;
        server.signal("TERM");
        server.wait();
        shop.compare_devices(&clients.ledger).await;
    }
    let fates = [Fate::Recorded, Fate::Cut, Fate::Unconfirmed, Fate::Skipped];
    let [recorded, cut, unconfirmed, skipped] = fates.map(|fate| clients.ledger.devices(&[fate]).len());
    println!("{recorded} recorded, {unconfirmed} unconfirmed, {cut} cut, {skipped} skipped");
    assert!(recorded > 100 && skipped == 0, "{recorded} {skipped}");
}

/// Every row in the files of the spool was shipped so long ago that no store needs it.
fn age(folder: &Path) {
    for path in files(&folder.join("data/spool")).unwrap() {
        Connection::open(path).unwrap().execute("UPDATE shipped SET at = 0", []).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trim_of_the_spool_that_is_cut_off_leaves_what_a_lost_store_needs() {
    let (shop, mut clients) = (Shop::open().await, Clients::new());
    let mut server = shop.serve();
    clients.load(&server, Duration::from_millis(500), || {}).await;
    server.signal("TERM");
    server.wait();
    age(&shop.folder);
    let mut server = shop.serve_with(&[("FAILPOINT", &at(Point::SpoolTrimming, 1))]);
    clients.load(&server, Duration::from_millis(200), || {}).await;
    // What no store needs any more goes when the server stops, at the latest.
    server.signal("TERM");
    assert_ended_there(server.wait().0, "trim", &server.log());
    // Either the rows are there, or it is known which days they held. Nothing was noted yet.
    for suffix in ["", "-wal", "-shm"] {
        // An index of the log need not be there.
        _ = std::fs::remove_file(shop.folder.join(format!("data/store.db{suffix}")));
    }
    let mut server = shop.serve();
    shop.telemetry_at_last(&server).await;
    shop.compare(&server, &clients.ledger).await;
    server.signal("TERM");
    server.wait();
    shop.compare_devices(&clients.ledger).await;
    assert!(clients.ledger.devices(&[Fate::Recorded]).len() > 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compaction_that_is_cut_off_changes_nothing() {
    let (shop, mut clients) = (Shop::open().await, Clients::new());
    for _ in 0..effort::rounds(1, 10) {
        let mut server = shop.serve_with(&[("FAILPOINT", &at(Point::StoreCompacting, 1))]);
        clients.load_until_gone(&mut server).await;
        assert_ended_there(server.wait().0, "compaction", &server.log());
        let server = shop.serve();
        shop.compare(&server, &clients.ledger).await;
    }
    shop.compare_devices(&clients.ledger).await;
}

/// Ends `headcount serve` in that folder at the point.
fn end_start(folder: &Path, point: Point) {
    let end = at(point, 1);
    let done = run(folder, &[("FAILPOINT", &end)], &["serve", "--listen", "127.0.0.1:0"], b"");
    assert_eq!((done.code, &*done.stdout), (None, ""), "{end}: {}", done.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_is_cut_off_is_done_again() {
    // The first start makes all tables; a catalog that is there already is copied before that.
    for (point, is_there) in
        [(Point::CatalogMigrated, false), (Point::CatalogCopied, true), (Point::CatalogMigrated, true)]
    {
        let folder = fresh_directory();
        let (data, newest) = (folder.join("data"), catalog::newest_format());
        if is_there {
            std::fs::create_dir(&data).unwrap();
            std::fs::write(data.join("catalog.db"), b"").unwrap();
        }
        end_start(&folder, point);
        let mut server = Server::start(&folder, &[], &[]);
        let [_, setup] = server.setup_lines();
        assert!(setup.contains("/setup"), "{setup}");
        assert_eq!(data.join(format!("catalog.before-{newest}.db")).exists(), is_there);
        assert!(!data.join(format!("catalog.before-{newest}.part")).exists());
    }
    // What older builds wrote is as whole afterwards as it was.
    for (kept, format) in formats::kept_folders() {
        let folder = fresh_directory();
        formats::copy(&kept.join("data"), &folder.join("data"));
        if format < catalog::newest_format() {
            end_start(&folder, Point::CatalogCopied);
        }
        end_start(&folder, Point::CatalogMigrated);
        assert_eq!(formats::report(folder.join("data")).await, formats::wanted(&kept), "{}", kept.display());
    }
}

/// Between any two commits of the store: a mark that moved in a step of its own, before its data or after, would show.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mark_moves_in_one_step_with_its_data() {
    let (shop, mut clients) = (Shop::open().await, Clients::new());
    for (point, time) in [
        (Point::StepWritten, 1),
        (Point::StepWritten, 2),
        (Point::StoreCommitted, 1),
        (Point::StoreCommitted, 2),
        (Point::StoreCommitted, 3),
    ] {
        let end = at(point, time);
        // Nothing is shipped but for a report.
        let slow = ("HEADCOUNT_FLUSH_INTERVAL_MS", "60000");
        let settings = [slow, ("HEADCOUNT_COMMIT_WAIT_MS", "10000"), ("FAILPOINT", &end)];
        let mut server = shop.serve_with(&settings);
        for _ in 0..time {
            clients.record(&server, 20).await;
            if !shop.asks_for_telemetry(&server).await {
                break;
            }
        }
        assert_ended_there(server.wait().0, &end, &server.log());
        let mut server = shop.serve();
        let report = shop.telemetry(&server, "").await;
        let recorded = clients.ledger.devices(&[Fate::Recorded]).len();
        let counted = ["total_requests", "unique_clients"].map(|number| report["summary"][number].clone());
        assert_eq!(counted, [recorded, recorded], "{end}");
        server.signal("KILL");
        server.wait();
    }
    shop.compare_devices(&clients.ledger).await;
}
