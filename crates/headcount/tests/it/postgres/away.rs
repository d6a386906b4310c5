//! A server whose catalog database is away, or missing.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use headcount::catalog::Catalog;
use headcount::clock::Clock;
use headcount::config::{Config, ServeArgs};
use serde_json::{Value, json};

use super::server::Postgres;
use crate::app::{Caller, Reply, TestApp, fresh_directory};
use crate::http::shop;
use crate::process::{Done, Server, run};

/// Asks until the answer is as it should be.
pub(super) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !is_so().await {
        assert!(started.elapsed() < Duration::from_secs(30), "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(super) async fn login(app: &TestApp) -> Reply {
    let body = json!({"username": "acme", "password": "the password of acme"});
    app.request("POST", "/login").json(&body).send().await
}

pub(super) fn unavailable() -> (u16, Value) {
    (503, json!({"error": "the catalog database cannot be reached", "code": "unavailable"}))
}

pub(super) async fn catalog_of(app: &TestApp) -> String {
    let reply = app.get("/ready").await;
    assert_eq!(reply.status, 200);
    reply.json()["catalog"].as_str().unwrap().to_owned()
}

/// What a check is answered, and that it is recorded.
pub(super) async fn recorded(app: &TestApp) -> String {
    let reply = shop::ask(app, "1.0.0").await;
    assert_eq!((reply.status, reply.header("headcount")), (200, Some("recorded")), "{reply:?}");
    reply.text
}

pub(super) async fn counted(caller: &Caller<'_>) -> (u64, u64) {
    let report = caller.get("/telemetry").await;
    assert_eq!(report.status, 200, "{report:?}");
    let number = |name: &str| report.json()["summary"][name].as_u64().unwrap();
    (number("total_requests"), number("unique_clients"))
}

pub(super) async fn on(server: &Postgres) -> TestApp {
    TestApp::with(&[("HEADCOUNT_DATABASE_URL", &server.url())]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checks_are_answered_and_recorded_without_the_database_also_after_a_start() {
    let mut server = Postgres::start().await;
    let app = on(&server).await;
    let acme = shop::open(&app, "acme").await;
    let token = acme.token().to_owned();
    let answer = recorded(&app).await;
    assert_eq!(catalog_of(&app).await, "ok");
    let kept = app.directory().join("catalog.snapshot");
    until("the catalog is kept", async || std::fs::read_to_string(&kept).is_ok_and(|text| text.contains("1.1.0")))
        .await;
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&kept).unwrap());
    assert_eq!(mode & 0o777, 0o600);

    server.stop().await;
    until("the server sees it", async || catalog_of(&app).await == "stale").await;
    assert_eq!(recorded(&app).await, answer);
    let whoami = async |app: &TestApp| app.request("GET", "/whoami").bearer(&token).send().await;
    assert_eq!(login(&app).await.both(), unavailable());
    assert_eq!(login(&app).await.header("retry-after"), Some("5"));
    assert_eq!(whoami(&app).await.both(), unavailable());

    let app = app.restart().await;
    assert_eq!(catalog_of(&app).await, "stale");
    assert_eq!(recorded(&app).await, answer);
    assert_eq!(login(&app).await.both(), unavailable());
    assert_eq!(whoami(&app).await.both(), unavailable());
    // Its age says how old what checks see may be: it goes on from before the start.
    let metrics = reqwest::get(app.metrics_url()).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("headcount_catalog_age_seconds "), "{metrics}");

    server.start_again().await;
    until("logins come back", async || login(&app).await.status == 200).await;
    until("the server sees it", async || catalog_of(&app).await == "ok").await;
    let acme = Caller::known(&app, &token);
    // One device: the key of pseudonyms is the same.
    assert_eq!(counted(&acme).await, (3, 1));
    shop::release(&acme, &shop::on_stable("1.2.0", &json!({}))).await;
    assert!(recorded(&app).await.contains("1.2.0"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_is_kept_without_the_database() {
    let mut server = Postgres::start().await;
    let app = on(&server).await;
    let token = shop::open(&app, "acme").await.token().to_owned();
    server.stop().await;
    for _ in 0..64 {
        recorded(&app).await;
        app.app.shipping.flush().await.unwrap();
    }
    app.app.keeper.round().await.unwrap_err();
    let heads = app.app.store.heads().await.unwrap();
    assert!(!heads.is_empty() && heads.iter().all(|head| head.deltas.0 == 0 && head.base_bytes > 0), "{heads:?}");
    server.start_again().await;
    until("the round is whole again", async || app.app.keeper.round().await.is_ok()).await;
    until("reports come back", async || login(&app).await.status == 200).await;
    assert_eq!(counted(&Caller::known(&app, &token)).await, (64, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_neither_database_nor_snapshot_everybody_is_told_so_until_it_comes() {
    let mut server = Postgres::start().await;
    server.stop().await;
    let folder = fresh_directory();
    let url = server.url();
    let process = Server::start(&folder, &[("DATABASE_URL", &url), ("ENABLE_TELEMETRY", "true")], &[]);
    let get = async |path: &str| {
        let reply = reqwest::get(process.url(path)).await.unwrap();
        (reply.status().as_u16(), reply.json::<Value>().await.unwrap())
    };
    let why = "the catalog database cannot be reached, and no catalog is kept in the data folder";
    let waiting = (503, json!({"error": why, "code": "unavailable"}));
    for path in ["/ready", "/checkVersion?app_name=a&version=1", "/whoami"] {
        assert_eq!(get(path).await, waiting, "{path}");
    }
    assert_eq!(get("/health").await.0, 200);
    server.start_again().await;
    until("the server is ready", async || get("/ready").await.0 == 200).await;
    assert_eq!(get("/checkVersion?app_name=a&version=1").await.0, 400);
    assert!(process.log().contains("waiting for the catalog database"), "{}", process.log());
    // A server that waits is told to stop like any other.
    let mut process = process;
    server.stop().await;
    process.kill();
    let mut process = Server::start(&fresh_directory(), &[("DATABASE_URL", &url)], &[]);
    process.signal("TERM");
    assert_eq!(process.wait().0.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_start_at_once_are_one_installation() {
    let server = Postgres::start().await;
    let catalogs = (0..6).map(|_| async {
        let args = ServeArgs::default()
            .with("data-dir", fresh_directory().display().to_string())
            .with("database-url", server.url());
        let config =
            Config::load(&args, &std::collections::BTreeMap::new(), &std::collections::BTreeMap::new()).unwrap();
        Catalog::open(&config, Clock::wall()).await.unwrap().installation().clone()
    });
    let installations = join_all(catalogs).await;
    for other in &installations[1..] {
        assert_eq!((other.id, other.secret), (installations[0].id, installations[0].secret));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_does_not_change_its_installation() {
    let (one, other) = (Postgres::start().await, Postgres::start().await);
    let folder = fresh_directory();
    let user = |url: &str, name: &str| {
        run(&folder, &[("DATABASE_URL", url)], &["user", "create-admin", name], b"a long password")
    };
    assert_eq!(user(&one.url(), "acme"), Done::said("created the administrator acme\n"));
    let mut process = Server::start(&folder, &[("DATABASE_URL", &one.url())], &[]);
    until("it is kept", async || folder.join("data/catalog.snapshot").exists()).await;
    process.signal("TERM");
    process.wait();

    // The other database is empty: nobody gets a new identity by mistake.
    let refused = user(&other.url(), "evil");
    assert_eq!((refused.code, &*refused.stdout), (Some(1), ""));
    assert!(
        refused.stderr.contains("is missing or empty, but this data folder belongs to an installation"),
        "{refused:?}"
    );
    assert!(!refused.stderr.contains("headcount@"), "{refused:?}");
    // Or it is that of somebody else.
    let elsewhere = fresh_directory();
    let created =
        run(&elsewhere, &[("DATABASE_URL", &other.url())], &["user", "create-admin", "x1"], b"a long password");
    assert_eq!(created.code, Some(0), "{created:?}");
    let refused = run(
        &folder,
        &[("DATABASE_URL", &other.url()), ("HEADCOUNT_LOG", "error")],
        &["serve", "--listen", "127.0.0.1:0"],
        b"",
    );
    assert_eq!((refused.code, &*refused.stdout), (Some(1), ""));
    assert!(refused.stderr.contains("is that of installation"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_file_of_sqlite_costs_no_check_and_no_identity() {
    let app = TestApp::with(&[("HEADCOUNT_DATABASE_URL", "sqlite")]).await;
    let acme = shop::open(&app, "acme").await;
    let token = acme.token().to_owned();
    let answer = recorded(&app).await;
    let files = ["catalog.db", "catalog.db-wal", "catalog.db-shm"];
    let moved = |folder: &std::path::Path, from: &str, to: &str| {
        for file in files {
            let from = folder.join(format!("{file}{from}"));
            if from.exists() {
                std::fs::rename(from, folder.join(format!("{file}{to}"))).unwrap();
            }
        }
    };
    let app = app.restart_after(|folder| moved(folder, "", ".away")).await;
    assert_eq!((recorded(&app).await, catalog_of(&app).await), (answer.clone(), "stale".to_owned()));
    assert_eq!(login(&app).await.both(), unavailable());
    // No command makes a new catalog in its place either.
    assert!(Catalog::open(&app.app.config, Clock::wall()).await.unwrap_err().to_string().contains("is missing"));
    assert!(!app.directory().join("catalog.db").exists());

    moved(app.directory(), ".away", "");
    until("logins come back", async || login(&app).await.status == 200).await;
    assert_eq!(counted(&Caller::known(&app, &token)).await, (2, 1));
    // One that is no database is like a missing one.
    let app = app
        .restart_after(|folder| {
            moved(folder, "", ".away");
            std::fs::write(folder.join("catalog.db"), "no database, and never was one").unwrap();
        })
        .await;
    assert_eq!((recorded(&app).await, catalog_of(&app).await), (answer, "stale".to_owned()));
}
