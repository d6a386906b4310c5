//! `headcount catalog copy`, and backups of a catalog in PostgreSQL: an installation moves from one database to another.

use std::path::{Path, PathBuf};

use headcount::clock::Clock;
use serde_json::{Value, json};

use crate::app::{Caller, TestApp, fresh_directory};
use crate::formats;
use crate::http::shop;
use crate::postgres::Postgres;
use crate::process::{Done, Server, run};
use crate::redis::{Log, One};

/// How many checks an installation has at first, all of one device.
const CHECKS: u64 = 64;
const KEY: (&str, &str) = ("SECRET_KEY", "0123456789abcdef0123456789abcdef");

/// A server with its data in that folder and its catalog there.
async fn serve(folder: &Path, database: &str, settings: &[(&str, &str)]) -> TestApp {
    let ours = [("HEADCOUNT_DATABASE_URL", database), ("HEADCOUNT_COMMIT_WAIT_MS", "10000")];
    TestApp::in_directory(folder.to_owned(), Clock::wall(), &[&ours[..], settings].concat()).await
}

/// Something in every table: the tokens of two administrators, a team user and a program.
async fn fill(app: &TestApp) -> Vec<String> {
    let (acme, beta) = (shop::open(app, "acme").await, Caller::new(app, "beta").await);
    let (old, gone) = (acme.app("old").await, acme.app("gone").await);
    let renamed = acme.form("/app/update", &json!({"id": old, "app": "new"})).await;
    assert_eq!(renamed.status, 200, "{renamed:?}");
    beta.part("channel", "beta").await;
    shop::release(&acme, &shop::on_stable("1.2.0", &json!({"changelog": "größer\n\"x\" \\ ☃", "publish": false})))
        .await;
    let permissions = json!({"apps": {"edit": true, "allowed": [old]}});
    let team = Caller::team(app, &acme, "tina", &permissions).await;
    let made = acme.post("/token/create", &json!({"name": "nightly", "scopes": ["telemetry:read"]})).await;
    assert_eq!(made.status, 201, "{made:?}");
    let program = made.json()["token"].as_str().unwrap().to_owned();
    // From now on it is written down when it was used.
    assert_eq!(Caller::known(app, &program).get("/telemetry?range=week").await.status, 200);
    // So many that the day is compacted, and has totals.
    for _ in 0..CHECKS {
        assert_eq!(shop::ask(app, "1.0.0").await.header("headcount"), Some("recorded"));
        app.app.shipping.flush().await.unwrap();
    }
    app.app.keeper.round().await.unwrap();
    // Deleted after the round: what is to be erased is still in the catalog.
    let deleted = acme.delete(&format!("/app/delete?id={gone}&telemetry=true")).await;
    assert_eq!(deleted.status, 200, "{deleted:?}");
    [acme, beta, team].iter().map(|caller| caller.token().to_owned()).chain([program]).collect()
}

/// Whole replies to everything that reads the catalog, by each token.
async fn replies(app: &TestApp, tokens: &[String]) -> Vec<(u16, String)> {
    const PATHS: [&str; 11] = [
        "/whoami",
        "/app/list",
        "/channel/list",
        "/platform/list",
        "/arch/list",
        "/release/list?app_name=myapp",
        "/search",
        "/users/list",
        "/token/list",
        "/apps/latest?app_name=myapp&channel=stable",
        "/telemetry?range=month",
    ];
    let mut all = Vec::new();
    for token in tokens {
        for path in PATHS {
            let reply = Caller::known(app, token).get(path).await;
            all.push((reply.status, reply.text));
        }
    }
    assert!(all.iter().filter(|(status, _)| *status == 200).count() > PATHS.len(), "{all:?}");
    all
}

/// Every table of a catalog as text, row by row.
async fn tables(app: &TestApp) -> Vec<(String, i64)> {
    const TABLES: [&str; 10] = [
        "installation",
        "users",
        "sessions",
        "resources",
        "former_names",
        "releases",
        "artifacts",
        "daily_totals",
        "grants",
        "api_tokens",
    ];
    let (mut tables, mut all) = (app.tables().await, Vec::new());
    for table in TABLES {
        let count = tables.number(&format!("SELECT COUNT(*) FROM {table}")).await;
        assert!(count > 0, "nothing is in {table}: its copy would prove nothing");
        all.push((table.to_owned(), count));
    }
    all
}

fn copy(folder: &Path, settings: &[(&str, &str)], from: &str, to: &str) -> Done {
    run(folder, settings, &["catalog", "copy", "--data-dir", ".", "--from", from, "--to", to], b"")
}

/// The file, and a log of it: who moves the file away may leave nothing of it behind.
fn files_of_catalog(folder: &Path) -> Vec<String> {
    files(folder).into_iter().filter(|name| name.starts_with("catalog.db")).collect()
}

/// Moves an installation to PostgreSQL and back.
async fn there_and_back(settings: &[(&str, &str)]) {
    let (folder, postgres) = (fresh_directory(), Postgres::start().await);
    let url = postgres.url();
    let app = serve(&folder, "sqlite", settings).await;
    let tokens = fill(&app).await;
    let (before, rows) = (replies(&app, &tokens).await, tables(&app).await);
    let installation = app.app.catalog.installation().clone();
    app.stop().await;
    assert_eq!(files_of_catalog(&folder), ["catalog.db"]);
    let listed = run(&folder, settings, &["user", "list", "--data-dir", "."], b"");
    assert_eq!((listed.code, &*listed.stderr), (Some(0), ""));
    assert_eq!(files_of_catalog(&folder), ["catalog.db"]);

    let done = copy(&folder, settings, "sqlite", &url);
    assert_eq!((done.code, &*done.stderr), (Some(0), ""), "{}", done.stdout);
    assert!(done.stdout.starts_with(&format!("copied installation {}, ", installation.id)), "{}", done.stdout);
    assert!(!done.stdout.contains("headcount@"), "{}", done.stdout);
    assert_eq!(files_of_catalog(&folder), ["catalog.db"]);
    std::fs::rename(folder.join("catalog.db"), folder.join("old")).unwrap();
    let app = serve(&folder, &url, settings).await;
    assert_eq!(app.app.catalog.installation().secret, installation.secret);
    assert_eq!((replies(&app, &tokens).await, tables(&app).await), (before, rows));
    // What is made there gets numbers of its own, and the device is a known one.
    let acme = Caller::known(&app, &tokens[0]);
    shop::release(&acme, &shop::on_stable("1.3.0", &json!({}))).await;
    acme.app("another").await;
    Caller::new(&app, "gamma").await;
    shop::ask(&app, "1.1.0").await;
    app.app.keeper.round().await.unwrap();
    let (before, rows) = (replies(&app, &tokens).await, tables(&app).await);
    app.stop().await;

    let done = copy(&folder, &[settings, &[("DATABASE_URL", &url)]].concat(), "postgres", "sqlite");
    assert_eq!((done.code, &*done.stderr), (Some(0), ""), "{}", done.stdout);
    let app = serve(&folder, "sqlite", settings).await;
    assert_eq!((replies(&app, &tokens).await, tables(&app).await), (before, rows));
    let report = Caller::known(&app, &tokens[0]).get("/telemetry?range=week").await.json();
    assert_eq!(
        (&report["summary"]["total_requests"], &report["summary"]["unique_clients"]),
        (&(CHECKS + 1).into(), &1.into())
    );
    shop::release(&Caller::known(&app, &tokens[0]), &shop::on_stable("1.4.0", &json!({}))).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_catalog_moves_to_postgresql_and_back() {
    there_and_back(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_encrypted_secret_comes_along_and_stays_encrypted() {
    there_and_back(&[KEY]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_copied_is_said_in_one_line() {
    let (folder, other, postgres) = (fresh_directory(), fresh_directory(), Postgres::start().await);
    let url = postgres.url();
    let shown = url.replace("headcount@", "");
    let refused = |code, line: &str| Done::failed(code, &format!("headcount: {line}"));
    assert_eq!(copy(&folder, &[], "sqlite", &url), refused(1, "there is no catalog in the database ./catalog.db"));
    assert_eq!(copy(&folder, &[], &url, "sqlite"), refused(1, &format!("there is no catalog in the database {shown}")));
    let accepted = "accepted: sqlite (catalog.db in the data folder), sqlite:DIR (in another one), postgres (the database \
                    of the settings), or a URL as DATABASE_URL takes it";
    let line = format!("--from: DATABASE_URL names no PostgreSQL; {accepted}");
    assert_eq!(copy(&folder, &[], "postgres", "sqlite"), refused(2, &line));
    assert_eq!(
        copy(&folder, &[], "sqlite", "mysql://x"),
        refused(2, &format!("--to: it is no such place; {accepted}"))
    );
    for folder in [&folder, &other] {
        serve(folder, "sqlite", &[]).await.stop().await;
    }
    // The log of a file that was moved away would be taken for that of the copy.
    for log in ["catalog.db-wal", "catalog.db-journal"] {
        let left = fresh_directory();
        std::fs::write(left.join(log), "what a server had written last").unwrap();
        let line = format!(
            "the catalog database ./catalog.db has left ./{log} behind, which would be taken for a part of the \
                            copy; accepted: a folder without it"
        );
        let from = format!("sqlite:{}", other.display());
        assert_eq!(copy(&left, &[], &from, "sqlite"), refused(1, &line));
        assert_eq!(files(&left), [log, "lock"]);
    }
    let line = "the catalog database ./catalog.db exists already; accepted: a file that does not exist";
    assert_eq!(copy(&folder, &[], &format!("sqlite:{}", other.display()), "sqlite"), refused(1, line));
    assert_eq!(copy(&folder, &[], "sqlite", &url).code, Some(0));
    let taken = copy(&folder, &[], &format!("sqlite:{}", other.display()), &url);
    let line = format!("headcount: the catalog database {shown} is not empty: it holds installation ");
    assert!(taken.code == Some(1) && taken.stderr.starts_with(&line), "{taken:?}");
    let away = copy(&folder, &[], "sqlite", "postgres://headcount@127.0.0.1:1/headcount");
    assert!(away.code == Some(1) && away.stderr.contains("cannot be reached"), "{away:?}");
    // While a server uses the folder.
    let running = Server::start(&fresh_directory(), &[("HEADCOUNT_DATA_DIR", folder.to_str().unwrap())], &[]);
    let in_use = copy(&folder, &[], "sqlite", &url);
    assert!(in_use.code == Some(2) && in_use.stderr.contains("is in use by another process"), "{in_use:?}");
    drop(running);
}

/// The copy has the version of the source, and the next start brings it to this one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_catalog_of_every_version_moves() {
    for (fixture, _) in formats::kept_folders() {
        let (postgres, folder) = (Postgres::start().await, fresh_directory());
        formats::copy(&fixture.join("data"), &folder);
        let url = postgres.url();
        let done = copy(&folder, &[], "sqlite", &url);
        assert_eq!((done.code, &*done.stderr), (Some(0), ""), "{}", fixture.display());
        let report = formats::report_with(folder, &[("HEADCOUNT_DATABASE_URL", &url)]).await;
        assert_eq!(report, formats::wanted(&fixture), "{}", fixture.display());
    }
}

/// Takes a backup of the folder's server, which runs: the file, and what was said.
fn back_up(folder: &Path, settings: &[(&str, &str)]) -> (PathBuf, String) {
    let file = fresh_directory().join("backup");
    let done = run(folder, settings, &["backup", file.to_str().unwrap(), "--data-dir", "."], b"");
    assert_eq!((done.code, &*done.stderr), (Some(0), ""), "{}", done.stdout);
    assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "something is left beside the backup");
    (file, done.stdout)
}

fn restore(file: &Path, settings: &[(&str, &str)]) -> (PathBuf, Done) {
    let folder = fresh_directory();
    let done = run(&folder, settings, &["restore", file.to_str().unwrap(), "--data-dir", "."], b"");
    (folder, done)
}

fn files(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_holds_a_catalog_in_postgresql() {
    let (from, to) = (Postgres::start().await, Postgres::start().await);
    let (folder, from, to) = (fresh_directory(), from.url(), (to.url(), to));
    // A file of before the move is not the catalog.
    std::fs::write(folder.join("catalog.db"), "long gone").unwrap();
    let app = serve(&folder, &from, &[KEY]).await;
    let tokens = fill(&app).await;
    let (before, rows) = (replies(&app, &tokens).await, tables(&app).await);
    let (file, said) = back_up(&folder, &[KEY, ("DATABASE_URL", &from)]);
    assert!(said.starts_with("backed up installation "), "{said}");
    shop::ask(&app, "1.1.0").await;
    app.stop().await;

    // Into another PostgreSQL, once.
    let settings = [KEY, ("DATABASE_URL", &*to.0)];
    let (restored, done) = restore(&file, &settings);
    assert_eq!((done.code, &*done.stderr), (Some(0), ""));
    let place = to.0.replace("headcount@", "");
    assert!(done.stdout.ends_with(&format!(" to `.` and {place}\n")), "{}", done.stdout);
    assert_eq!(files(&restored), ["lock", "spool", "store.db"]);
    let app = serve(&restored, &to.0, &[KEY]).await;
    assert_eq!((replies(&app, &tokens).await, tables(&app).await), (before.clone(), rows.clone()));
    app.stop().await;
    let (untouched, done) = restore(&file, &settings);
    let line = format!("headcount: the catalog database {place} is not empty: it holds installation ");
    assert!(done.code == Some(1) && done.stderr.starts_with(&line), "{done:?}");
    assert!(done.stderr.ends_with("; accepted: an empty database; nothing was restored\n"), "{done:?}");
    assert_eq!(files(&untouched), [""; 0]);

    // Into a file.
    let (restored, done) = restore(&file, &[KEY]);
    assert_eq!((done.code, &*done.stderr), (Some(0), ""));
    assert_eq!(files(&restored), ["catalog.db", "lock", "spool", "store.db"]);
    let app = serve(&restored, "sqlite", &[KEY]).await;
    assert_eq!((replies(&app, &tokens).await, tables(&app).await), (before, rows));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_fails_leaves_nothing_and_can_be_repeated() {
    let (mut postgres, folder) = (Postgres::start().await, fresh_directory());
    serve(&folder, "sqlite", &[]).await.stop().await;
    let (file, _) = back_up(&folder, &[]);
    let url = postgres.url();
    postgres.stop().await;
    let (restored, done) = restore(&file, &[("DATABASE_URL", &url)]);
    assert!(done.code == Some(1) && done.stderr.contains("cannot be reached"), "{done:?}");
    assert_eq!(files(&restored), [""; 0]);
    postgres.start_again().await;
    // A table that is in the way is met in the middle of it.
    postgres.run("CREATE TABLE grants (seq BIGINT)").await;
    let (restored, done) = restore(&file, &[("DATABASE_URL", &url)]);
    assert!(done.code == Some(1) && done.stderr.ends_with("; nothing was restored\n"), "{done:?}");
    assert_eq!(files(&restored), ["lock"]);
    postgres.run("DROP TABLE grants").await;
    let (restored, done) = restore(&file, &[("DATABASE_URL", &url)]);
    assert_eq!((done.code, &*done.stderr), (Some(0), ""));
    serve(&restored, &url, &[]).await.stop().await;
}

/// What is counted is in Redis, and Redis' own copy belongs to the backup: whichever of the two is older, nothing is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_a_redis_a_backup_says_what_it_lacks_and_fits_the_redis_own() {
    let (folder, mut redis) = (fresh_directory(), One::start(Log::None));
    let url = format!("redis://127.0.0.1:{}", redis.port());
    // What was counted before the move to Redis does not count.
    std::fs::write(folder.join("store.db"), "long gone").unwrap();
    let settings = [("REDIS_URL", &*url)];
    let app = serve(&folder, "sqlite", &settings).await;
    let tokens = fill(&app).await;
    let older = redis.copy();
    for _ in 0..5 {
        shop::ask(&app, "1.0.0").await;
    }
    let before = Caller::known(&app, &tokens[0]).get("/telemetry?range=week").await.json();
    assert_eq!(before["summary"]["total_requests"], CHECKS + 5);
    let (file, said) = back_up(&folder, &settings);
    let lacks =
        format!("what is counted is in {url} and not in the backup: back that up, too, as docs/operating.md says\n");
    assert!(said.ends_with(&lacks), "{said}");
    let newer = redis.copy();
    app.stop().await;
    for copy in [older, newer] {
        redis.become_again(&copy);
        let (restored, done) = restore(&file, &settings);
        assert!(done.code == Some(0) && done.stdout.ends_with(&lacks), "{done:?}");
        assert_eq!(files(&restored), ["catalog.db", "lock", "spool"]);
        let app = serve(&restored, "sqlite", &settings).await;
        let report: Value = Caller::known(&app, &tokens[0]).get("/telemetry?range=week").await.json();
        assert_eq!(report, before);
        app.stop().await;
    }
}
