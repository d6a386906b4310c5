//! Files that were cut off or changed: the real server starts, answers and counts, and invents nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use headcount::store::{Store, StoreError};
use headcount_engine::mark::SpoolId;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rusqlite::Connection;
use serde_json::Value;

use crate::app::{TestApp, catalog_in, fresh_directory};
use crate::effort;
use crate::http::shop;
use crate::ledger::{Clients, Fate, Ledger, Shop, check_again};
use crate::process::Server;
use crate::ship::compact;

/// Slow to ship, so that the journal holds what the store does not; and with time for each commit.
const SLOW: [(&str, &str); 4] = [
    ("ENABLE_TELEMETRY", "true"),
    ("HEADCOUNT_LOG", "warn"),
    ("HEADCOUNT_FLUSH_INTERVAL_MS", "60000"),
    ("HEADCOUNT_COMMIT_WAIT_MS", "10000"),
];

fn serve(folder: &Path) -> Server {
    Server::start(folder, &SLOW, &[])
}

/// An installation that died: with a base and deltas in its store, rows that are shipped and rows that are not, and logs
/// that were not written back.
async fn wreck() -> (Shop, Ledger) {
    let (shop, mut clients) = (Shop::open().await, Clients::new());
    for round in 0..3 {
        let mut server = serve(&shop.folder);
        clients.load(&server, Duration::from_millis(60), || {}).await;
        shop.telemetry(&server, "").await;
        if round < 2 {
            server.signal("TERM");
            server.wait();
        }
        if round == 0 {
            let data = shop.folder.join("data");
            let catalog = catalog_in(&data).await;
            compact(&Store::open_embedded(&data.join("store.db"), catalog.installation()).await.unwrap()).await;
        }
        if round == 2 {
            clients.load(&server, Duration::from_millis(60), || server.signal("KILL")).await;
            server.wait();
        }
    }
    (shop, clients.ledger)
}

fn copy_of(folder: &Path) -> PathBuf {
    let to = fresh_directory();
    for name in ["data", "data/spool"] {
        std::fs::create_dir_all(to.join(name)).unwrap();
        for entry in std::fs::read_dir(folder.join(name)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                std::fs::copy(entry.path(), to.join(name).join(entry.file_name())).unwrap();
            }
        }
    }
    to
}

/// The files that may be damaged: the store, the spool, and their logs.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for name in ["data", "data/spool"] {
        for entry in std::fs::read_dir(folder.join(name)).unwrap() {
            let path = entry.unwrap().path();
            let is_catalog = path.file_name().unwrap().to_str().unwrap().starts_with("catalog");
            let is_database = path.extension().is_some_and(|kind| kind == "db" || kind == "db-wal");
            if is_database && !is_catalog && path.metadata().unwrap().len() > 0 {
                paths.push(path);
            }
        }
    }
    paths.sort();
    paths
}

/// Damages one file, and says how.
fn damage(paths: &[PathBuf], random: &mut StdRng) -> String {
    // The store as often as all files of the spool.
    let wanted = random.random::<bool>();
    let paths: Vec<_> = paths.iter().filter(|path| path.parent().unwrap().ends_with("spool") != wanted).collect();
    let path = paths.choose(random).unwrap();
    let mut bytes = std::fs::read(path).unwrap();
    let at = random.random_range(0..bytes.len());
    let how = random.random_range(0..8);
    match how {
        0 => bytes.truncate(at),
        1 => {
            let page = at / 4096 * 4096;
            let end = bytes.len().min(page + 4096);
            bytes[page..end].fill(0);
        }
        2 => {
            let end = bytes.len().min(at + 16);
            random.fill(&mut bytes[at..end]);
        }
        _ => bytes[at] ^= 1 << random.random_range(0..8),
    }
    std::fs::write(path, bytes).unwrap();
    format!("{how} at {at} of {}", path.file_name().unwrap().to_str().unwrap())
}

fn summary(report: &Value, name: &str) -> usize {
    usize::try_from(report["summary"][name].as_u64().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_damaged_file_stops_the_server_or_invents_a_check() {
    let mut random = StdRng::seed_from_u64(effort::seed());
    let (shop, ledger) = wreck().await;
    let recorded = ledger.devices(&[Fate::Recorded]);
    let sent = ledger.devices(&[Fate::Recorded, Fate::Unconfirmed, Fate::Cut]).len();
    let again = recorded.first().unwrap();
    let (mut refused, mut aside, mut incomplete, mut cut, mut silent) = (0, 0, 0, 0, 0);
    let rounds = effort::rounds(60, 2000);
    for _ in 0..rounds {
        let folder = copy_of(&shop.folder);
        let how = damage(&files(&folder), &mut random);
        let mut server = match Server::try_start(&folder, &SLOW) {
            Ok(server) => server,
            Err(said) => {
                // The one thing that stops a start: a store that seems to belong to somebody else, or to a newer build.
                assert!(how.contains("store.db"), "{how}: {said}");
                assert!(
                    said.contains("belongs to another installation") || said.contains("has format"),
                    "{how}: {said}"
                );
                refused += 1;
                continue;
            }
        };
        let moved = shop.moved_to(folder.clone());
        assert_eq!(check_again(&server, again).await, "recorded", "{how}");
        let (report, _) = moved.telemetry_at_last(&server).await;
        server.kill();
        let log = server.log();
        assert!(!log.contains("panicked"), "{how}: {log}");
        let (requests, devices) = (summary(&report, "total_requests"), summary(&report, "unique_clients"));
        assert!(requests <= sent + 1 && devices <= sent, "{how}: {requests} {devices} of {sent}: {log}");
        aside += usize::from(folder.join("data/store.damaged-1.db").exists());
        match (requests <= recorded.len(), report.get("incomplete").is_some() || log.contains("ERROR")) {
            (true, true) => incomplete += 1,
            // A log ends with its last whole frame, as after a power cut: what was behind it is not known to anybody.
            (true, false) if how.ends_with("-wal") => cut += 1,
            (true, false) => {
                println!("less is counted, and nothing says so: {how}: {requests} of {}", recorded.len() + 1);
                silent += 1;
            }
            (false, _) => {}
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
    println!(
        "{rounds} damaged files: {aside} stores set aside, {incomplete} reports of less that say so, {cut} logs cut off, \
         {silent} reports of less that do not say so, {refused} refused starts"
    );
    // SQLite has no checksums for what is no blob of ours: a number may turn into another one.
    assert!(refused <= 1 + rounds / 100 && silent <= 1 + rounds / 100, "{refused} {silent} of {rounds}");
}

/// Changes the wreck with a statement, and gives the server's report and its log.
async fn after(shop: &Shop, file: &str, statement: &str) -> (Value, String, PathBuf) {
    let folder = copy_of(&shop.folder);
    let rows = Connection::open(folder.join("data").join(file)).unwrap();
    let changed = rows.execute(statement, []).unwrap();
    assert!(changed > 0 || statement.starts_with("DROP"), "{statement}");
    drop(rows);
    let server = serve(&folder);
    let moved = shop.moved_to(folder.clone());
    moved.telemetry_at_last(&server).await;
    let report = moved.telemetry(&server, "").await;
    (report, server.log(), folder)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_blob_is_set_aside_and_its_day_is_incomplete() {
    let (shop, ledger) = wreck().await;
    let recorded = ledger.devices(&[Fate::Recorded]).len();
    for table in ["delta", "piece"] {
        let flip = format!(
            "UPDATE {table} SET bytes = zeroblob(length(bytes)) WHERE rowid = (SELECT max(rowid) FROM {table})"
        );
        let (report, log, _) = after(&shop, "store.db", &flip).await;
        assert!(summary(&report, "total_requests") < recorded, "{report}");
        assert_eq!(report["incomplete"], serde_json::json!([report["date_range"][7]]), "{report}");
        assert!(log.contains("a stored blob is damaged and is set aside"), "{log}");
    }
    // Everything is still in the spool, so that a store without its dictionary or its tables is filled again.
    for statement in [
        "UPDATE block SET bytes = zeroblob(length(bytes))",
        "UPDATE segment SET app = x'00'",
        "UPDATE mark SET tag = 'none'",
        "UPDATE dictionary SET last_block = 7",
        "DROP TABLE delta",
        "DROP TABLE installation",
        "DELETE FROM installation",
    ] {
        let (report, log, folder) = after(&shop, "store.db", statement).await;
        assert!(summary(&report, "total_requests") >= recorded, "{statement} {report} {log}");
        assert_eq!(report.get("incomplete"), None, "{statement} {report}");
        assert!(log.contains("the store is damaged and is set aside"), "{statement} {log}");
        assert!(folder.join("data/store.damaged-1.db").exists());
    }
}

#[tokio::test]
async fn a_store_that_lost_a_table_while_it_was_open_is_set_aside() {
    let data = fresh_directory();
    let catalog = catalog_in(&data).await;
    let path = data.join("store.db");
    let store = Store::open_embedded(&path, catalog.installation()).await.unwrap();
    let spool = SpoolId([7; 16]);
    for (round, statement) in ["DROP TABLE mark", "ALTER TABLE mark RENAME COLUMN tag TO tags"].into_iter().enumerate()
    {
        assert!(store.marks(spool).await.unwrap().is_empty());
        Connection::open(&path).unwrap().execute_batch(statement).unwrap();
        let lost = store.marks(spool).await;
        assert!(matches!(lost, Err(StoreError::Damaged(_))), "{statement}: {lost:?}");
        assert_eq!(store.damage().await.unwrap().stores.len(), round + 1);
    }
    assert!(store.marks(spool).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_damaged_store_is_set_aside_once_however_many_read_it() {
    let data = fresh_directory();
    let catalog = catalog_in(&data).await;
    let path = data.join("store.db");
    let store = Arc::new(Store::open_embedded(&path, catalog.installation()).await.unwrap());
    for round in 1..=8 {
        let rows = Connection::open(&path).unwrap();
        let mark = "INSERT INTO mark (spool, owner, row, tag, at) VALUES (?1, zeroblob(12), 1, 'none', 0)";
        rows.execute(mark, [[7_u8; 16]]).unwrap();
        drop(rows);
        let reads: Vec<_> = (0..32)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { store.marks(SpoolId([7; 16])).await })
            })
            .collect();
        for read in reads {
            match read.await.unwrap() {
                Ok(marks) => assert!(marks.is_empty()),
                Err(error) => assert!(matches!(error, StoreError::Damaged(_)), "{error}"),
            }
        }
        assert_eq!(store.damage().await.unwrap().stores.len(), round);
    }
}

/// While the store is set aside and filled again, a report is whole or is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reports_at_once_of_a_damaged_store_lack_nothing() {
    const CHECKS: u64 = 20;
    let app = TestApp::start().await;
    let caller = shop::open(&app, "acme").await;
    for _ in 0..CHECKS {
        assert_eq!(shop::ask(&app, "1.0.0").await.header("headcount"), Some("recorded"));
    }
    for _ in 0..8 {
        app.app.shipping.flush().await.unwrap();
        Connection::open(app.directory().join("store.db")).unwrap().execute_batch("DROP TABLE segment").unwrap();
        let reports = (0..8).map(|_| caller.get("/telemetry?range=month"));
        for report in futures_util::future::join_all(reports).await {
            if report.status != 503 {
                assert_eq!(
                    (report.status, &report.json()["summary"]["total_requests"]),
                    (200, &CHECKS.into()),
                    "{report:?}"
                );
            }
        }
    }
}
