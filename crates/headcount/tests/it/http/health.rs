//! What `/ready` says, and `/metrics` counts, of what is damaged, lacking or waiting: never that checks are not answered.

use std::path::Path;

use headcount::spool::{SpoolFile, StoredRow, files};
use headcount_engine::day::{DAY_MILLIS, Millis};
use headcount_engine::mark::{Mark, SpoolId};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::retention::{TODAY, at_noon, check, report, summary};
use super::shop::open;
use crate::app::{Caller, TestApp};
use crate::metrics::Scrape;

/// Everything is looked at anew.
async fn look(app: &TestApp) {
    app.app.keeper.round().await.unwrap();
    app.app.shipping.flush().await.unwrap();
}

/// Compares the whole reply: these fields and what is always there. The clock stands, so that nothing lags.
async fn assert_ready(app: &TestApp, fields: Value, damage: [u32; 6]) {
    let mut expected = json!({"status": "ready", "telemetry": "ok", "catalog": "ok", "lag_millis": 0});
    expected.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    assert_eq!(app.get("/ready").await.both(), (200, expected));
    assert_eq!(Scrape::of_app(app).await.damage(), damage);
}

fn damaged(stores: &[&str], blobs: u32, spool_files: &[String], spool_rows: u32) -> Value {
    json!({"stores": stores, "blobs": blobs, "spool_files": spool_files, "spool_rows": spool_rows})
}

fn execute(file: &Path, sql: &str) {
    Connection::open(file).unwrap().execute_batch(sql).unwrap();
}

#[tokio::test]
async fn a_damaged_blob_and_its_day_are_named_until_they_expire() {
    let (app, clock) = at_noon().await;
    let token = open(&app, "acme").await.token().to_owned();
    check(&app, "stable", "1.0.0", 1).await;
    look(&app).await;
    assert_ready(&app, json!({}), [0; 6]).await;

    let flip = |data: &Path| execute(&data.join("store.db"), "UPDATE delta SET bytes = zeroblob(length(bytes))");
    let app = app.restart_after(flip).await;
    let lacking = report(&Caller::known(&app, &token), "").await;
    assert_eq!((summary(&lacking), &lacking["incomplete"]), ([0; 4], &json!([TODAY.to_string()])));
    look(&app).await;
    let named = json!({"damaged": damaged(&[], 1, &[], 0), "incomplete": [TODAY.to_string()]});
    assert_ready(&app, named.clone(), [0, 1, 0, 0, 1, 0]).await;
    // Also to the next process.
    let app = app.restart().await;
    look(&app).await;
    assert_ready(&app, named, [0, 1, 0, 0, 1, 0]).await;
    // And checks are counted.
    check(&app, "stable", "1.0.0", 2).await;

    clock.set(Millis(clock.now().0 + 31 * DAY_MILLIS));
    look(&app).await;
    assert_ready(&app, json!({}), [0; 6]).await;
}

#[tokio::test]
async fn a_store_that_was_set_aside_is_named_as_long_as_it_lies_there() {
    let (app, _clock) = at_noon().await;
    let token = open(&app, "acme").await.token().to_owned();
    for device in 1..=3 {
        check(&app, "stable", "1.0.0", device).await;
    }
    let overwrite = |data: &Path| {
        // What is in its log would be read instead.
        std::fs::remove_file(data.join("store.db-wal")).unwrap();
        std::fs::write(data.join("store.db"), "no database at all".repeat(500)).unwrap();
    };
    let app = app.restart_after(overwrite).await;
    assert_eq!(summary(&report(&Caller::known(&app, &token), "").await), [3, 3, 0, 3]);
    look(&app).await;
    let aside = "store.damaged-1.db";
    assert_ready(&app, json!({"damaged": damaged(&[aside], 0, &[], 0)}), [1, 0, 0, 0, 0, 0]).await;
    std::fs::remove_file(app.directory().join(aside)).unwrap();
    look(&app).await;
    assert_ready(&app, json!({}), [0; 6]).await;
}

#[tokio::test]
async fn files_and_rows_of_the_journal_that_fail_are_named() {
    let (app, clock) = at_noon().await;
    let token = open(&app, "acme").await.token().to_owned();
    let spool = app.directory().join("spool");
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();

    // One that takes no row any more.
    let failed = files(&spool).unwrap().pop().unwrap();
    execute(&failed, "CREATE TRIGGER broken BEFORE INSERT ON row BEGIN SELECT RAISE(FAIL, 'broken'); END");
    let path = "/checkVersion?app_name=myapp&version=1.0.0&channel=stable&platform=darwin&arch=amd64";
    let reply = app.request("GET", path).header("X-Device-ID", "device-0001").send().await;
    assert_eq!((reply.status, reply.header("headcount")), (200, Some("unconfirmed")));
    look(&app).await;
    assert_ready(&app, json!({"damaged": damaged(&[], 0, &[name(&failed)], 0)}), [0, 0, 1, 0, 0, 0]).await;

    // One that cannot be read, and one with a row that is none.
    let unreadable = spool.join(format!("{}.db", SpoolId([0xab; 16])));
    let app = app
        .restart_after(|_| {
            std::fs::write(&unreadable, "no database at all".repeat(500)).unwrap();
            let file = SpoolFile::create(&spool, SpoolId([0xcd; 16]), clock.now(), true).unwrap();
            let mark = Mark { row: 0, tag: [1; 8] };
            file.append(&StoredRow { mark, body: b"no row at all".to_vec(), receipt: None }).unwrap();
        })
        .await;
    look(&app).await;
    assert_ready(&app, json!({"damaged": damaged(&[], 0, &[name(&unreadable)], 1)}), [0, 0, 1, 1, 0, 0]).await;
    check(&app, "stable", "1.0.0", 2).await;
    assert_eq!(summary(&report(&Caller::known(&app, &token), "").await), [1, 1, 0, 1]);
    std::fs::remove_file(&unreadable).unwrap();
    look(&app).await;
    assert_ready(&app, json!({"damaged": damaged(&[], 0, &[], 1)}), [0, 0, 0, 1, 0, 0]).await;
}

#[tokio::test]
async fn events_ahead_of_the_clock_are_named_until_it_gets_there() {
    let (app, clock) = at_noon().await;
    let caller = open(&app, "acme").await;
    let noon = clock.now();
    clock.set(Millis(noon.0 + DAY_MILLIS));
    for device in 1..=3 {
        check(&app, "stable", "1.0.0", device).await;
    }
    clock.set(noon);
    check(&app, "stable", "1.0.0", 4).await;
    assert_eq!(summary(&report(&caller, "").await), [1, 1, 0, 1]);
    look(&app).await;
    let until = format!("{}T11:00:00.000Z", TODAY.plus(1));
    assert_ready(&app, json!({"ahead": {"events": 3, "until": until}}), [0, 0, 0, 0, 0, 3]).await;

    clock.set(Millis(noon.0 + DAY_MILLIS - 3_600_000));
    look(&app).await;
    assert_ready(&app, json!({}), [0; 6]).await;
    assert_eq!(summary(&report(&caller, &format!("from={TODAY}&to={}", TODAY.plus(1))).await), [4, 4, 0, 4]);
}
