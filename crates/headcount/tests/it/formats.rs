//! What lies on disk: a data folder of every version of the formats is kept, and must still open and report the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use headcount::backup::{self, Verified};
use headcount::clock::Clock;
use headcount::config::{Config, ServeArgs};
use headcount::{catalog, spool, store};
use headcount_engine::day::{DAY_MILLIS, Day, Millis};
use headcount_engine::{format, row};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::app::{TestApp, fresh_directory};
use crate::http::shop::open;
use crate::process::{Server, run};

const FIRST: Day = Day(20_600);
/// When the fixtures were written.
const NOON: Millis = Millis(FIRST.plus(1).start().0 + DAY_MILLIS / 2);

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// The fixture of the formats that this build writes.
fn current() -> PathBuf {
    let (catalog, store, spool) = (catalog::newest_format(), store::FORMAT, spool::FORMAT);
    fixtures().join(format!(
        "catalog-{catalog}.store-{store}.spool-{spool}.row-{}.segment-{}",
        row::VERSION,
        format::VERSION
    ))
}

fn copy_of(folder: &Path) -> PathBuf {
    let to = fresh_directory();
    copy(folder, &to);
    to
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, to).unwrap();
        }
    }
}

/// The report of the fixture's owner, as a server shows it that starts on that folder.
pub(crate) async fn report(data_dir: PathBuf) -> Value {
    report_with(data_dir, &[]).await
}

/// The same of a server with these settings.
pub(crate) async fn report_with(data_dir: PathBuf, settings: &[(&str, &str)]) -> Value {
    let app = TestApp::in_directory(data_dir, Clock::stopped_at(NOON), settings).await;
    let credentials = json!({"username": "acme", "password": "the password of acme"});
    let login = app.request("POST", "/login").json(&credentials).send().await;
    assert_eq!(login.status, 200, "{login:?}");
    let token = login.json()["token"].as_str().unwrap().to_owned();
    let reply = app.request("GET", "/telemetry?range=week").bearer(&token).send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    app.stop().await;
    reply.json()
}

async fn check(app: &TestApp, version: &str, device: u32) {
    let path = format!("/checkVersion?app_name=myapp&version={version}&channel=stable&platform=darwin&arch=amd64");
    let reply = app.request("GET", &path).header("X-Device-ID", &format!("device-{device:04}")).send().await;
    assert_eq!(reply.header("headcount"), Some("recorded"), "{reply:?}");
}

/// Writes a data folder with a compacted day, deltas, and rows that are not shipped.
async fn write(folder: &Path) {
    let clock = Clock::stopped_at(Millis(NOON.0 - DAY_MILLIS));
    let app = TestApp::at(clock.clone(), &[("HEADCOUNT_FLUSH_INTERVAL_MS", "60000")]).await;
    let caller = open(&app, "acme").await;
    for (day, devices) in [(0, 0..5), (1, 3..7)] {
        clock.set(Millis(NOON.0 + (day - 1) * DAY_MILLIS));
        for device in devices {
            check(&app, if device % 2 == 0 { "1.0.0" } else { "1.1.0" }, device).await;
        }
        app.app.shipping.flush().await.unwrap();
        app.app.keeper.round().await.unwrap();
    }
    check(&app, "3.0.0-dev", 9).await;
    let file = fresh_directory().join("backup");
    backup::take(&app.app.config, &file, &clock).await.unwrap();
    drop(caller);
    app.stop().await;
    std::fs::create_dir_all(folder).unwrap();
    let to = ServeArgs::default().with("data-dir", folder.join("data").display().to_string());
    let to = Config::load(&to, &BTreeMap::new(), &BTreeMap::new()).unwrap();
    Verified::read(&file).unwrap().restore(&to, &[]).await.unwrap();
    let report = report(copy_of(&folder.join("data"))).await;
    std::fs::write(folder.join("report.json"), serde_json::to_string_pretty(&report).unwrap() + "\n").unwrap();
}

/// Every fixture, and the format of its catalog.
pub(crate) fn kept_folders() -> Vec<(PathBuf, i64)> {
    let folders = std::fs::read_dir(fixtures()).unwrap().map(|entry| entry.unwrap().path());
    let format = |folder: &Path| {
        let name = folder.file_name().unwrap().to_str().unwrap();
        name.split('.').next().unwrap().strip_prefix("catalog-").unwrap().parse().unwrap()
    };
    folders.map(|folder| (folder.clone(), format(&folder))).collect()
}

/// What the server reported that wrote the fixture.
pub(crate) fn wanted(fixture: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(fixture.join("report.json")).unwrap()).unwrap()
}

/// Every format that was ever released keeps its fixture. One that was not is written anew: delete the folder.
#[tokio::test(flavor = "multi_thread")]
async fn every_kept_data_folder_reports_what_it_did() {
    if !current().exists() {
        write(&current()).await;
        panic!("{} was missing and has been written: commit it", current().display());
    }
    for (folder, _) in kept_folders() {
        let wanted = wanted(&folder);
        assert_eq!(wanted["summary"]["total_requests"], 10, "{}", folder.display());
        assert_eq!(report(copy_of(&folder.join("data"))).await, wanted, "{}", folder.display());
    }
}

/// The fixture below `./data` of a new folder, changed by a statement in one of its files.
fn changed(file: &str, statement: &str) -> PathBuf {
    let folder = fresh_directory();
    copy(&current().join("data"), &folder.join("data"));
    for path in matching(&folder.join("data"), file) {
        let rows = Connection::open(path).unwrap();
        rows.execute_batch(statement).unwrap();
    }
    folder
}

fn matching(data_dir: &Path, file: &str) -> Vec<PathBuf> {
    if file == "spool" { spool::files(&data_dir.join("spool")).unwrap() } else { vec![data_dir.join(file)] }
}

#[test]
fn a_newer_catalog_or_store_stops_the_start() {
    let migration = "INSERT INTO _sqlx_migrations SELECT 999, 'newer', installed_on, 1, checksum, 0 FROM _sqlx_migrations \
                     LIMIT 1";
    for (file, statement, known, wanted) in [
        ("catalog.db", migration, catalog::newest_format(), "the catalog database ./data/catalog.db has format 999"),
        (
            "store.db",
            "UPDATE installation SET format = 999",
            store::FORMAT,
            "the store at ./data/store.db has format 999",
        ),
    ] {
        let folder = changed(file, statement);
        let before = std::fs::read(folder.join("data").join(file)).unwrap();
        let done = run(&folder, &[("HEADCOUNT_LOG", "error")], &["serve", "--listen", "127.0.0.1:0"], b"");
        let expected = format!("headcount: {wanted}; this build reads up to {known}\n");
        assert_eq!((done.code, done.stderr), (Some(1), expected));
        assert!(std::fs::read(folder.join("data").join(file)).unwrap() == before, "{file} was changed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_file_of_the_spool_waits_for_its_build() {
    let wanted = wanted(&current());
    let folder = changed("spool", "UPDATE spool SET format = 999");
    let (data, known) = (folder.join("data"), spool::FORMAT);
    let mut server = Server::start(&folder, &[("HEADCOUNT_LOG", "error")], &[]);
    server.signal("TERM");
    server.wait();
    for path in spool::files(&data.join("spool")).unwrap() {
        let rows = Connection::open(&path).unwrap();
        if rows.execute("UPDATE spool SET format = ?1 WHERE format = 999", [known]).unwrap() > 0 {
            let path = Path::new("./data/spool").join(path.file_name().unwrap());
            let said = format!("the spool file {} has format 999; this build reads up to {known}", path.display());
            assert!(server.log().contains(&said), "{}", server.log());
        }
    }
    assert_eq!(report(data).await, wanted);
}
