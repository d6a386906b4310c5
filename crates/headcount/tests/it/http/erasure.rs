//! What is known of one device, and erasing it.

use std::path::{Path, PathBuf};

use headcount::clock::Clock;
use headcount_engine::day::{DAY_MILLIS, Day, Millis};
use headcount_engine::device::{DeviceId, Pseudonym};
use headcount_engine::id::OwnerId;
use serde_json::{Value, json};

use super::retention::{check, report};
use super::shop::{on_stable, open, release};
use crate::app::{Caller, Reply, TestApp};
use crate::journal::events;
use crate::redis::{Log, One};

/// Far ahead: what lies in a Redis does not go by itself while a test runs.
const TODAY: Day = Day(40_000);
/// The device that is erased, and one that is not.
const GONE: u32 = 7;
const STAYS: u32 = 8;

fn id(device: u32) -> String {
    format!("device-{device:04}")
}

async fn find(caller: &Caller<'_>, device: u32) -> Value {
    let reply = caller.post("/privacy/device/find", &json!({"device": id(device)})).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

async fn erase(caller: &Caller<'_>, device: u32) -> Reply {
    caller.post("/privacy/device/erase", &json!({"device": id(device)})).await
}

async fn pseudonym(app: &TestApp, caller: &Caller<'_>, device: u32) -> Pseudonym {
    let owner = OwnerId(caller.get("/whoami").await.json()["id"].as_str().unwrap().parse().unwrap());
    let id: DeviceId = id(device).parse().unwrap();
    id.pseudonym(&app.app.catalog.installation().secret, owner)
}

/// A server at noon that is moved by the test, with these settings.
async fn at_noon(settings: &[(&str, &str)]) -> (TestApp, Clock) {
    let clock = Clock::stopped_at(Millis(TODAY.start().0 + DAY_MILLIS / 2));
    let settings = [settings, &[("HEADCOUNT_SESSION_HOURS", "8760")]].concat();
    (TestApp::at(clock.clone(), &settings).await, clock)
}

/// Three days of checks; `also` is left out where it is not to be there.
async fn three_days(app: &TestApp, clock: &Clock, also: Option<u32>) {
    for day in 0..3 {
        for device in [1, 2, STAYS].into_iter().chain(also) {
            let versions: &[&str] = if device == GONE { &["1.0.0", "1.1.0"] } else { &["1.1.0"] };
            for version in versions {
                check(app, "stable", version, device).await;
                clock.set(Millis(clock.now().0 + 1));
            }
        }
        if day < 2 {
            clock.set(Millis(TODAY.plus(day + 1).start().0 + DAY_MILLIS / 2));
        }
    }
}

/// A report without what an erasure leaves: numbers of checks, and known versions.
async fn shown(caller: &Caller<'_>) -> Value {
    let mut shown = report(caller, "range=week").await;
    shown["summary"]["total_requests"] = Value::Null;
    shown["versions"]["known_versions"] = Value::Null;
    for day in shown["daily_stats"].as_array_mut().unwrap() {
        day["total_requests"] = Value::Null;
    }
    shown
}

/// The report of a server on which the device never was.
async fn without_it() -> Value {
    let (app, clock) = at_noon(&[]).await;
    let caller = open(&app, "acme").await;
    three_days(&app, &clock, None).await;
    shown(&caller).await
}

#[tokio::test]
async fn a_device_is_found_with_its_days_and_values() {
    let (app, clock) = at_noon(&[]).await;
    let acme = open(&app, "acme").await;
    let other = open(&app, "other").await;
    acme.app("second").await;
    acme.part("channel", "beta").await;
    let body = json!({"app_name": "second", "channel": "beta"});
    release(&acme, &on_stable("3.0.0", &body)).await;
    check(&app, "stable", "1.0.0", GONE).await;
    clock.set(Millis(clock.now().0 + 1500));
    check(&app, "stable", "1.1.0", GONE).await;
    check(&app, "stable", "1.1.0", STAYS).await;
    clock.set(Millis(clock.now().0 + 3 * DAY_MILLIS));
    check(&app, "stable", "1.1.0", GONE).await;
    let path = "/checkVersion?app_name=second&version=2.0.0&channel=beta&platform=macos&arch=x86_64";
    let reply = app.request("GET", path).header("X-Device-ID", &id(GONE)).send().await;
    assert_eq!(reply.header("headcount"), Some("recorded"));

    let day = |day: i32, version: &str, status: &str, channel: &str, time: &str| {
        let date = TODAY.plus(day);
        json!({
            "date": date.to_string(), "version": version, "status": status, "channels": [channel],
            "platforms": ["darwin"], "archs": ["amd64"], "last_seen_at": format!("{date}T{time}Z"),
        })
    };
    let (first, last) = (TODAY.to_string(), TODAY.plus(3).to_string());
    let noon = "12:00:01.500";
    let days = [day(0, "1.1.0", "latest", "stable", noon), day(3, "1.1.0", "latest", "stable", noon)];
    let second = [day(3, "2.0.0", "outdated", "beta", noon)];
    let expected = json!({
        "apps": [
            {"app": "myapp", "first_day": first, "last_day": last, "days": days},
            {"app": "second", "first_day": last, "last_day": last, "days": second},
        ],
        "erased_at": null,
    });
    assert_eq!(find(&acme, GONE).await, expected);
    let nothing = json!({"apps": [], "erased_at": null});
    assert_eq!(find(&acme, 99).await, nothing);
    // The device of that id that somebody else has is another one.
    assert_eq!(find(&other, GONE).await, nothing);

    // Once the times are forgotten, the rest is there.
    clock.set(Millis(clock.now().0 + 2 * DAY_MILLIS));
    app.app.keeper.round().await.unwrap();
    let found = find(&acme, GONE).await;
    assert_eq!(found["apps"][0]["days"][0]["last_seen_at"], Value::Null);
    assert_eq!(found["apps"][0]["days"][0]["version"], "1.1.0");
    // And nothing of it once its days have gone.
    clock.set(TODAY.plus(40).start());
    assert_eq!(find(&acme, GONE).await, nothing);
}

#[tokio::test]
async fn what_names_no_device_is_refused_and_not_repeated() {
    let app = TestApp::start().await;
    let acme = open(&app, "acme").await;
    for path in ["/privacy/device/find", "/privacy/device/erase"] {
        for device in ["short", "me@example.org", "00000000-0000-0000-0000-000000000000"] {
            let reply = acme.post(path, &json!({"device": device})).await;
            let expected = json!({
                "error": "invalid device id", "code": "invalid", "field": "device",
                "accepted": "^[A-Za-z0-9._:{}-]{8,128}$",
            });
            assert_eq!(reply.both(), (400, expected));
        }
        for body in [json!({}), json!({"device": 7}), json!({"device": "device-0001", "more": 1}), json!(["x"])] {
            let reply = acme.post(path, &body).await;
            assert_eq!((reply.status, &reply.json()["field"]), (400, &json!("body")), "{body}");
        }
    }
}

/// A device is erased from the store that these settings name.
async fn erased_from(settings: &[(&str, &str)]) {
    let expected = without_it().await;
    let (app, clock) = at_noon(settings).await;
    let (acme, other) = (open(&app, "acme").await, open(&app, "other").await);
    three_days(&app, &clock, Some(GONE)).await;
    check(&app, "stable&owner=other", "1.0.0", GONE).await;
    // Some of it is compacted, some lies in deltas, and the newest is not shipped yet.
    report(&acme, "").await;
    app.app.keeper.round().await.unwrap();
    check(&app, "stable", "1.0.0", GONE).await;
    let with_it = report(&acme, "range=week").await;
    check(&app, "stable", "1.0.0", GONE).await;
    let theirs = shown(&other).await;
    assert_ne!(shown(&acme).await, expected);

    let reply = erase(&acme, GONE).await;
    let erased_at = reply.json()["erased_at"].clone();
    assert_eq!(reply.both(), (200, json!({"erased_at": erased_at})));
    assert!(erased_at.as_str().unwrap().starts_with(&TODAY.plus(2).to_string()));
    for keeping in [false, true] {
        if keeping {
            app.app.keeper.round().await.unwrap();
        }
        assert_eq!(shown(&acme).await, expected);
        assert_eq!(shown(&other).await, theirs);
        assert_eq!(find(&acme, GONE).await, json!({"apps": [], "erased_at": erased_at}));
        assert_eq!(find(&acme, STAYS).await["apps"][0]["days"].as_array().unwrap().len(), 3);
    }
    // The checks that were counted stay counted.
    let now = report(&acme, "range=week").await;
    assert!(now["summary"]["total_requests"].as_u64() >= with_it["summary"]["total_requests"].as_u64());
    assert_eq!(now["versions"]["known_versions"], with_it["versions"]["known_versions"]);

    // A later check is that of a new device.
    clock.set(Millis(clock.now().0 + 1));
    check(&app, "stable", "1.1.0", GONE).await;
    let again = report(&acme, "range=week").await;
    let devices = |shown: &Value| shown["summary"]["unique_clients"].as_u64().unwrap();
    assert_eq!(devices(&again), devices(&expected) + 1);
    let found = find(&acme, GONE).await;
    assert_eq!(found["apps"][0]["days"].as_array().unwrap().len(), 1);
    // And that one can be erased, too.
    assert_eq!(erase(&acme, GONE).await.status, 200);
    assert_eq!(shown(&acme).await, expected);
    assert_eq!(find(&acme, GONE).await["apps"], json!([]));
    app.stop().await;
}

#[tokio::test]
async fn an_erased_device_is_gone_from_the_file() {
    erased_from(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_device_is_gone_from_a_redis() {
    let redis = One::start(Log::None);
    erased_from(&[("REDIS_URL", &redis.url())]).await;
}

/// The files whose names begin so, with their bytes.
fn files(folder: &Path, prefix: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let named = paths.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(prefix) && path.is_file());
    named.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

fn put(files: &[(PathBuf, Vec<u8>)]) {
    for (path, bytes) in files {
        std::fs::write(path, bytes).unwrap();
    }
}

fn remove(folder: &Path, prefix: &str) {
    for (path, _) in files(folder, prefix) {
        std::fs::remove_file(path).unwrap();
    }
}

#[tokio::test]
async fn no_replay_and_no_older_copy_brings_an_erased_device_back() {
    let expected = without_it().await;
    let (app, clock) = at_noon(&[]).await;
    let acme = open(&app, "acme").await;
    three_days(&app, &clock, Some(GONE)).await;
    report(&acme, "").await;
    let (token, device) = (acme.token().to_owned(), pseudonym(&app, &acme, GONE).await);
    let mut older = (Vec::new(), Vec::new());
    let app = app.restart_after(|folder| older = (files(folder, "store.db"), files(&folder.join("spool"), ""))).await;
    let acme = Caller::known(&app, &token);
    let count = events(app.directory()).len();
    assert_eq!(erase(&acme, GONE).await.status, 200);
    app.app.shipping.flush().await.unwrap();
    // The journal has the other events, and none of its.
    let kept = events(app.directory());
    assert_eq!(kept.len(), count - 6);
    assert!(kept.iter().all(|event| event.device != device));
    let directory = app.directory().to_owned();

    // The store is emptied and filled again from the journal.
    let app = app.restart_after(|folder| remove(folder, "store.db")).await;
    assert_eq!(shown(&Caller::known(&app, &token)).await, expected);
    assert!(files(&directory.join("spool"), "").iter().all(|(_, bytes)| !holds(bytes, device)));

    // An older journal, which still has it, fills an empty store.
    let app = app
        .restart_after(|folder| {
            remove(folder, "store.db");
            remove(&folder.join("spool"), "");
            put(&older.1);
        })
        .await;
    assert_eq!(shown(&Caller::known(&app, &token)).await, expected);
    assert!(events(app.directory()).iter().all(|event| event.device != device));

    // An older store, which still has it, takes the place of the new one.
    let app = app
        .restart_after(|folder| {
            remove(folder, "store.db");
            put(&older.0);
        })
        .await;
    app.app.keeper.round().await.unwrap();
    let acme = Caller::known(&app, &token);
    assert_eq!(shown(&acme).await, expected);
    assert_eq!(find(&acme, GONE).await["apps"], json!([]));

    only_what_is_later_counts(&acme, clock.now()).await;
    app.stop().await;
}

/// What is imported as of before the erasure is not counted; what is of later is.
async fn only_what_is_later_counts(acme: &Caller<'_>, now: Millis) {
    for (at, apps) in [(now.0 - 60_000, 0), (now.0 + 60_000, 1)] {
        let at = jiff::Timestamp::from_millisecond(at).unwrap();
        let line = format!(r#"{{"at": "{at}", "app_name": "myapp", "device_id": "{}"}}"#, id(GONE));
        let reply = acme.request("POST", "/telemetry/import").body(line).send().await;
        assert_eq!(reply.both(), (200, json!({"accepted": 1, "rejected": 0, "errors": []})));
        assert_eq!(find(acme, GONE).await["apps"].as_array().unwrap().len(), apps);
    }
}

/// The store remembers it for a catalog that does not, such as one that was restored.
#[tokio::test]
async fn the_store_knows_an_erasure_that_the_catalog_has_forgotten() {
    let (app, clock) = at_noon(&[]).await;
    let acme = open(&app, "acme").await;
    check(&app, "stable", "1.0.0", GONE).await;
    assert_eq!(erase(&acme, GONE).await.status, 200);
    let token = acme.token().to_owned();
    let owner = app.app.catalog.snapshot().owner_named(Some("acme")).unwrap().id;
    app.app.catalog.forget_device_erasures(owner, Millis(i64::MAX)).await.unwrap();
    let app = app.restart().await;
    assert_eq!(app.app.catalog.device_erasures().await.unwrap(), []);
    only_what_is_later_counts(&Caller::known(&app, &token), clock.now()).await;
    app.stop().await;
}

fn holds(bytes: &[u8], device: Pseudonym) -> bool {
    bytes.windows(16).any(|window| window == device.0)
}

#[tokio::test]
async fn tombstones_go_when_nothing_from_before_can_come_any_more() {
    let (app, clock) = at_noon(&[]).await;
    let acme = open(&app, "acme").await;
    check(&app, "stable", "1.0.0", GONE).await;
    check(&app, "stable", "1.0.0", STAYS).await;
    assert_eq!(erase(&acme, GONE).await.status, 200);
    let remembered = async |days: i32| {
        clock.set(TODAY.plus(days).start());
        app.app.keeper.round().await.unwrap();
        let owner = app.app.catalog.snapshot().owner_named(Some("acme")).unwrap().id;
        let in_store = app.app.store.kept(owner).await.unwrap().tombstones.len();
        (app.app.catalog.device_erasures().await.unwrap().len(), in_store)
    };
    // Retention and replay window are 31 days together.
    assert_eq!(remembered(31).await, (1, 1));
    assert_eq!(find(&acme, GONE).await["erased_at"].as_str().map(|at| &at[..10]), Some(&*TODAY.to_string()));
    assert_eq!(remembered(32).await, (0, 0));
    assert_eq!(find(&acme, GONE).await, json!({"apps": [], "erased_at": null}));
}

#[tokio::test]
async fn the_totals_of_closed_days_stay() {
    let (app, clock) = at_noon(&[]).await;
    let acme = open(&app, "acme").await;
    three_days(&app, &clock, Some(GONE)).await;
    report(&acme, "").await;
    clock.set(Millis(clock.now().0 + 120_000));
    app.app.keeper.round().await.unwrap();
    let owner = app.app.catalog.snapshot().owner_named(Some("acme")).unwrap().id;
    let before = app.app.catalog.totals(owner, (None, TODAY)).await.unwrap().unwrap();
    assert_eq!((before.numbers.totals.devices, before.numbers.totals.requests), (4, 5));
    assert_eq!(erase(&acme, GONE).await.status, 200);
    for _ in 0..2 {
        app.app.keeper.round().await.unwrap();
        let now = app.app.catalog.totals(owner, (None, TODAY)).await.unwrap().unwrap();
        assert_eq!(now.numbers, before.numbers);
    }
}

/// A backup reads the journal for as long as it takes.
#[tokio::test]
async fn a_device_is_erased_while_somebody_reads_the_journal_and_no_check_waits() {
    let (app, _clock) = at_noon(&[("HEADCOUNT_COMMIT_WAIT_MS", "3000")]).await;
    let caller = open(&app, "acme").await;
    check(&app, "stable", "1.0.0", GONE).await;
    let journal = std::fs::read_dir(app.directory().join("spool")).unwrap().map(|entry| entry.unwrap().path());
    let readers: Vec<rusqlite::Connection> = journal
        .filter(|path| path.extension().is_some_and(|extension| extension == "db"))
        .map(|path| {
            let reader = rusqlite::Connection::open(path).unwrap();
            reader.execute_batch("BEGIN").unwrap();
            reader.query_row("SELECT count(*) FROM row", [], |_| Ok(())).unwrap();
            reader
        })
        .collect();
    assert_eq!(readers.len(), 1);
    assert_eq!(erase(&caller, GONE).await.status, 200);
    let checks = async {
        for _ in 0..20 {
            check(&app, "stable", "1.0.0", STAYS).await;
        }
    };
    let (shipped, ()) = tokio::join!(app.app.shipping.flush(), checks);
    shipped.unwrap();
}
