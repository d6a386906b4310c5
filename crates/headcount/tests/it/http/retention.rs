//! What the years do to the numbers: renames, deletions, expiry, compaction, new epochs.

use std::sync::atomic::{AtomicBool, Ordering};

use headcount::catalog::totals::KeptTotals;
use headcount::clock::Clock;
use headcount::store::DictionaryState;
use headcount_engine::day::{DAY_MILLIS, Day, Millis};
use headcount_engine::id::{AppId, OwnerId};
use serde_json::{Value, json};

use super::shop::open;
use crate::app::{Caller, TestApp};

pub(super) const TODAY: Day = Day(20_600);

/// A server whose clock stands at noon of a day, and whose logins last for a year.
pub(super) async fn at_noon() -> (TestApp, Clock) {
    let clock = Clock::stopped_at(Millis(TODAY.start().0 + DAY_MILLIS / 2));
    (TestApp::at(clock.clone(), &[("HEADCOUNT_SESSION_HOURS", "8760")]).await, clock)
}

pub(super) async fn check(app: &TestApp, channel: &str, version: &str, device: u32) {
    let path = format!("/checkVersion?app_name=myapp&version={version}&channel={channel}&platform=darwin&arch=amd64");
    let reply = app.request("GET", &path).header("X-Device-ID", &format!("device-{device:04}")).send().await;
    assert_eq!((reply.status, reply.header("headcount")), (200, Some("recorded")), "{reply:?}");
}

pub(super) async fn report(caller: &Caller<'_>, question: &str) -> Value {
    let reply = caller.get(&format!("/telemetry?{question}")).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

/// Requests, devices, latest, outdated.
pub(super) fn summary(report: &Value) -> [u64; 4] {
    ["total_requests", "unique_clients", "clients_using_latest_version", "clients_outdated"]
        .map(|field| report["summary"][field].as_u64().unwrap())
}

#[tokio::test]
async fn a_renamed_resource_is_one_row_and_its_old_name_still_means_it() {
    let (app, _clock) = at_noon().await;
    let caller = open(&app, "acme").await;
    check(&app, "stable", "1.0.0", 1).await;

    let channels = caller.get("/channel/list").await.json();
    let stable = channels["channels"][0]["ID"].as_str().unwrap().to_owned();
    let renamed = caller.post("/channel/update", &json!({"id": stable, "channel": "general"})).await;
    assert_eq!(renamed.status, 200, "{renamed:?}");
    check(&app, "stable", "1.0.0", 2).await;
    check(&app, "general", "1.1.0", 3).await;

    let whole = report(&caller, "").await;
    assert_eq!(whole["channels"], json!([{"channel": "general", "client_count": 3}]));
    assert_eq!(summary(&whole), [3, 3, 1, 2]);
    for filter in ["channels=general", "channels=stable", "channels=general,stable"] {
        assert_eq!(report(&caller, filter).await, whole, "{filter}");
    }
    assert_eq!(summary(&report(&caller, "channels=beta").await), [0, 0, 0, 0]);

    // Once another channel takes the old name, it means that one.
    caller.part("channel", "stable").await;
    assert_eq!(summary(&report(&caller, "channels=stable").await), [0, 0, 0, 0]);
    assert_eq!(report(&caller, "channels=general").await, whole);
}

#[tokio::test]
async fn a_name_that_is_created_again_reports_all_who_had_it() {
    let (app, clock) = at_noon().await;
    let caller = open(&app, "acme").await;
    check(&app, "stable", "1.0.0", 1).await;
    delete_app(&caller, "").await;
    clock.set(Millis(clock.now().0 + DAY_MILLIS));
    reopen(&caller).await;
    check(&app, "stable", "1.0.0", 1).await;
    check(&app, "stable", "1.0.0", 2).await;

    let both = report(&caller, "range=week&apps=myapp").await;
    assert_eq!(summary(&both), [3, 2, 0, 2]);
    assert_eq!(both["summary"]["total_active_apps"], 2);
    assert_eq!(both["channels"], json!([{"channel": "stable", "client_count": 2}]));
    assert_eq!(report(&caller, "range=week").await, both);
}

#[tokio::test]
async fn erased_telemetry_is_gone_at_once_and_for_good() {
    let (app, _clock) = at_noon().await;
    let caller = open(&app, "acme").await;
    check(&app, "stable", "1.0.0", 1).await;
    assert_eq!(summary(&report(&caller, "").await), [1, 1, 0, 1]);
    check(&app, "stable", "1.0.0", 2).await;

    delete_app(&caller, "&telemetry=true").await;
    assert_eq!(summary(&report(&caller, "").await), [0, 0, 0, 0]);
    reopen(&caller).await;
    check(&app, "stable", "1.1.0", 1).await;
    let whole = report(&caller, "").await;
    assert_eq!(summary(&whole), [1, 1, 1, 0]);
    assert_eq!(whole["versions"]["known_versions"], json!(["1.1.0"]));
}

async fn delete_app(caller: &Caller<'_>, how: &str) {
    for release in caller.get("/release/list?app_name=myapp").await.json()["items"].as_array().unwrap() {
        let id = release["id"].as_str().unwrap();
        assert_eq!(caller.delete(&format!("/release/delete?id={id}")).await.status, 200);
    }
    let apps = caller.get("/app/list").await.json();
    let id = apps["apps"][0]["ID"].as_str().unwrap();
    let reply = caller.delete(&format!("/app/delete?id={id}{how}")).await;
    assert_eq!(reply.json(), json!({"deleteAppResult.DeletedCount": 1}));
}

async fn reopen(caller: &Caller<'_>) {
    caller.app("myapp").await;
    let release = super::shop::on_stable("1.1.0", &json!({}));
    assert_eq!(caller.post("/release/create", &release).await.status, 201);
}

#[tokio::test]
async fn a_day_is_readable_through_the_retention_and_then_goes_whole() {
    let (app, clock) = at_noon().await;
    let caller = open(&app, "acme").await;
    check(&app, "stable", "1.0.0", 1).await;
    let first = format!("from={TODAY}&to={TODAY}");

    clock.set(Millis(TODAY.plus(31).start().0 - 1));
    app.app.keeper.round().await.unwrap();
    let last_chance = report(&caller, "range=month").await;
    assert_eq!(summary(&last_chance), [1, 1, 0, 1]);
    assert_eq!(last_chance["date"], json!(TODAY.to_string()));
    assert_eq!(last_chance.get("incomplete"), None);
    assert_eq!(report(&caller, &first).await["versions"]["known_versions"], json!(["1.0.0"]));

    clock.set(TODAY.plus(31).start());
    for keeping in [false, true] {
        if keeping {
            app.app.keeper.round().await.unwrap();
        }
        let gone = report(&caller, &first).await;
        assert_eq!(summary(&gone), [0, 0, 0, 0]);
        assert_eq!(gone["incomplete"], json!([TODAY.to_string()]));
        assert_eq!(gone["versions"]["known_versions"], Value::Null);
    }
}

#[tokio::test]
async fn compaction_a_restart_and_a_new_epoch_change_no_number() {
    let (app, clock) = at_noon().await;
    let caller = open(&app, "acme").await;
    // Most of these devices are never seen again: once their day has gone, the dictionary is rebuilt without them.
    for device in 0..6 {
        check(&app, "stable", "1.0.0", device).await;
    }
    report(&caller, "").await;
    for day in 1..=3 {
        clock.set(Millis(clock.now().0 + DAY_MILLIS));
        for device in [0, 7, 8 + day] {
            check(&app, "stable", if day == 3 { "1.1.0" } else { "1.0.0" }, device).await;
            report(&caller, "").await;
        }
        app.app.keeper.round().await.unwrap();
    }
    let question = format!("from={}&to={}", TODAY.plus(1), TODAY.plus(3));
    let expected = report(&caller, &question).await;
    assert_eq!(summary(&expected), [9, 5, 3, 4]);

    let dictionary = async || app.app.store.dictionary(owner(&caller).await, DictionaryState::default()).await.unwrap();
    let before = dictionary().await;
    clock.set(Millis(TODAY.plus(31).start().0 + 60_000));
    app.app.keeper.round().await.unwrap();
    let after = dictionary().await;
    assert_eq!((before.state.epoch, after.state.epoch), (0, 1));
    assert_eq!(
        [before, after].map(|tail| tail.blocks.iter().map(|block| block.pseudonyms.len()).sum::<usize>()),
        [10, 5]
    );
    assert_eq!(report(&caller, &question).await, expected);
    let token = caller.token().to_owned();
    let app = app.restart().await;
    let caller = Caller::known(&app, &token);
    assert_eq!(report(&caller, &question).await, expected);

    // A device of before is the same device, one that was forgotten is a new one, and each is counted once.
    for device in [7, 7, 0, 1] {
        check(&app, "stable", "1.1.0", device).await;
    }
    let all = report(&caller, "range=month").await;
    assert_eq!(summary(&all), [13, 6, 4, 4]);
    assert_eq!(report(&caller, &question).await, expected);
}

#[tokio::test]
async fn closed_days_are_kept_as_totals() {
    let (app, clock) = at_noon().await;
    let caller = open(&app, "acme").await;
    for device in [1, 2, 2] {
        check(&app, "stable", "1.0.0", device).await;
    }
    clock.set(Millis(clock.now().0 + DAY_MILLIS));
    for device in [2, 3] {
        check(&app, "stable", "1.1.0", device).await;
    }
    clock.set(Millis(clock.now().0 + DAY_MILLIS));
    report(&caller, "").await;
    app.app.keeper.round().await.unwrap();

    let owner = owner(&caller).await;
    let app_id = caller.get("/app/list").await.json()["apps"][0]["ID"].as_str().unwrap().parse().unwrap();
    for scope in [None, Some(AppId(app_id))] {
        let first = totals(&app, owner, scope, TODAY).await;
        assert_eq!((first.numbers.totals.requests, first.numbers.totals.devices), (3, 2));
        assert_eq!((first.numbers.new, first.numbers.active_7, first.numbers.active_28), (2, 2, 2));
        let second = totals(&app, owner, scope, TODAY.plus(1)).await;
        assert_eq!((second.numbers.totals.requests, second.numbers.totals.latest), (2, 2));
        assert_eq!((second.numbers.new, second.numbers.active_7, second.numbers.active_28), (1, 3, 3));
        assert!(!second.incomplete);
    }
    assert_eq!(app.app.catalog.totals(owner, (None, TODAY.plus(2))).await.unwrap(), None);

    // The totals outlive the segments.
    let kept = totals(&app, owner, None, TODAY).await;
    clock.set(TODAY.plus(40).start());
    app.app.keeper.round().await.unwrap();
    assert_eq!(totals(&app, owner, None, TODAY).await, kept);
}

#[tokio::test]
async fn who_is_new_is_counted_against_the_whole_retention_before_the_day() {
    let (app, clock) = at_noon().await;
    let caller = open(&app, "acme").await;
    // Today is the first day of the past of that day, and goes when it closes.
    let last = TODAY.plus(30);
    for device in [1, 2] {
        check(&app, "stable", "1.0.0", device).await;
    }
    report(&caller, "").await;
    clock.set(Millis(last.start().0 + DAY_MILLIS / 2));
    for device in [1, 3] {
        check(&app, "stable", "1.0.0", device).await;
    }
    clock.set(Millis(last.plus(1).start().0 + 5_000));
    report(&caller, "").await;
    app.app.keeper.round().await.unwrap();
    let owner = owner(&caller).await;
    let new = async || {
        let numbers = totals(&app, owner, None, last).await.numbers;
        (numbers.totals.devices, numbers.new)
    };
    assert_eq!(new().await, (2, 1));

    // What was on its way at midnight has the same past.
    for device in [2, 4] {
        let (at, device) = (format!("{last}T23:59:59Z"), format!("device-{device:04}"));
        let line = json!({"at": at, "app_name": "myapp", "device_id": device, "version": "1.0.0"}).to_string();
        let reply = caller.request("POST", "/telemetry/import").body(line).send().await;
        assert_eq!(reply.json()["accepted"], 1, "{reply:?}");
    }
    report(&caller, "").await;
    app.app.keeper.round().await.unwrap();
    assert_eq!(new().await, (4, 2));

    // A minute later that day has gone, and the number stays.
    let days = async || app.app.store.heads().await.unwrap().iter().map(|head| head.day).collect::<Vec<_>>();
    assert_eq!(days().await.into_iter().min(), Some(TODAY));
    clock.set(Millis(last.plus(1).start().0 + 60_000));
    for _ in 0..2 {
        app.app.keeper.round().await.unwrap();
        assert_eq!((days().await.into_iter().min(), new().await), (Some(last), (4, 2)));
    }
}

#[tokio::test]
async fn a_server_that_slept_over_midnight_counts_who_is_new_against_the_whole_past() {
    let (app, clock) = at_noon().await;
    let caller = open(&app, "acme").await;
    for days in [0, 29, 30] {
        clock.set(Millis(TODAY.plus(days).start().0 + DAY_MILLIS / 2));
        check(&app, "stable", "1.0.0", 1).await;
        check(&app, "stable", "1.0.0", 2 + days as u32).await;
        report(&caller, "").await;
    }
    clock.set(TODAY.plus(33).start());
    app.app.keeper.round().await.unwrap();
    let owner = owner(&caller).await;
    for (days, new) in [(0, 2), (29, 1), (30, 1)] {
        assert_eq!(totals(&app, owner, None, TODAY.plus(days)).await.numbers.new, new, "{days}");
    }
}

/// No day goes before the totals that are counted back over it are kept; but not for longer than a day.
#[tokio::test]
async fn a_day_waits_for_the_totals_that_need_it() {
    let (app, clock) = at_noon().await;
    let caller = open(&app, "acme").await;
    let last = TODAY.plus(30);
    check(&app, "stable", "1.0.0", 1).await;
    report(&caller, "").await;
    clock.set(Millis(last.start().0 + DAY_MILLIS / 2));
    for device in [1, 2] {
        check(&app, "stable", "1.0.0", device).await;
    }
    report(&caller, "").await;
    let owner = owner(&caller).await;
    let first_day = async || app.app.store.heads().await.unwrap().iter().map(|head| head.day).min();
    clock.set(Millis(last.plus(1).start().0 + 60_000));
    let mut somebody = app.tables().await;
    let lock = ["BEGIN", "UPDATE installation SET revision = revision"];
    for statement in lock {
        somebody.run(statement, &[]).await;
    }
    assert!(app.app.keeper.round().await.is_err());
    assert_eq!(first_day().await, Some(TODAY));
    somebody.run("ROLLBACK", &[]).await;
    app.app.keeper.round().await.unwrap();
    assert_eq!((first_day().await, totals(&app, owner, None, last).await.numbers.new), (Some(last), 1));

    clock.set(Millis(last.plus(31).start().0 + 60_000));
    for statement in lock {
        somebody.run(statement, &[]).await;
    }
    check(&app, "stable", "1.0.0", 3).await;
    clock.set(Millis(last.plus(32).start().0 + 60_000));
    app.app.shipping.flush().await.unwrap();
    assert!(app.app.keeper.round().await.is_err());
    assert_eq!(first_day().await, Some(last));
    clock.set(Millis(last.plus(33).start().0 + 60_000));
    assert!(app.app.keeper.round().await.is_err());
    assert_eq!(first_day().await, Some(last.plus(31)));
}

/// The totals of the owner go on with what is left.
#[tokio::test]
async fn totals_follow_the_other_apps_when_one_is_erased() {
    let (app, clock) = at_noon().await;
    let caller = open(&app, "acme").await;
    let other = caller.app("other").await;
    let import = async |name: &str, device: &str| {
        let line = json!({"at": format!("{TODAY}T08:00:00Z"), "app_name": name, "device_id": device}).to_string();
        let reply = caller.request("POST", "/telemetry/import").body(line).send().await;
        assert_eq!(reply.json()["accepted"], 1, "{reply:?}");
    };
    import("myapp", "device-1").await;
    // Its segment is a later one.
    clock.set(Millis(clock.now().0 + 1_000));
    import("other", "device-2").await;
    clock.set(Millis(TODAY.plus(1).start().0 + DAY_MILLIS / 2));
    app.app.keeper.round().await.unwrap();
    let owner = owner(&caller).await;
    assert_eq!(totals(&app, owner, None, TODAY).await.numbers.totals.devices, 2);
    let deleted = caller.delete(&format!("/app/delete?id={other}&telemetry=true")).await;
    assert_eq!(deleted.status, 200, "{deleted:?}");
    app.app.keeper.round().await.unwrap();
    assert_eq!(totals(&app, owner, None, TODAY).await.numbers.totals.devices, 1);
    import("myapp", "device-3").await;
    import("myapp", "device-4").await;
    app.app.keeper.round().await.unwrap();
    assert_eq!(totals(&app, owner, None, TODAY).await.numbers.totals.devices, 3);
}

async fn owner(caller: &Caller<'_>) -> OwnerId {
    OwnerId(caller.get("/whoami").await.json()["id"].as_str().unwrap().parse().unwrap())
}

async fn totals(app: &TestApp, owner: OwnerId, of: Option<AppId>, day: Day) -> KeptTotals {
    app.app.catalog.totals(owner, (of, day)).await.unwrap().unwrap()
}

/// Renumbering takes longer than the time between two flushes, and today's segment is another one after each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_are_forgotten_also_where_others_never_stop_checking() {
    let (app, clock) = at_noon().await;
    let caller = open(&app, "acme").await;
    for (day, devices) in [(0, 0..30_000), (20, 30_000..50_000)] {
        clock.set(Millis(TODAY.plus(day).start().0 + DAY_MILLIS / 2));
        let at = format!("{}T08:00:00Z", TODAY.plus(day));
        let line = |device| {
            json!({
                "at": at, "app_name": "myapp", "version": "1.0.0", "channel": "stable", "platform": "darwin",
                "arch": "amd64", "device_id": format!("device-{device:05}"),
            })
            .to_string()
        };
        let lines = devices.map(line).collect::<Vec<_>>().join("\n");
        let reply = caller.request("POST", "/telemetry/import").body(lines).send().await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    clock.set(Millis(TODAY.plus(31).start().0 + DAY_MILLIS / 2));
    let is_kept = AtomicBool::new(false);
    let checking = async {
        let mut devices = 0..;
        while !is_kept.load(Ordering::Relaxed) {
            check(&app, "stable", "1.1.0", devices.next().unwrap()).await;
            app.app.shipping.flush().await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    let keeping = async {
        let kept = app.app.keeper.round().await;
        is_kept.store(true, Ordering::Relaxed);
        kept.unwrap();
    };
    tokio::join!(keeping, checking);
    let dictionary = app.app.store.dictionary(owner(&caller).await, DictionaryState::default()).await.unwrap();
    let devices = dictionary.blocks.iter().map(|block| block.pseudonyms.len()).sum::<usize>();
    assert_eq!(dictionary.state.epoch, 1, "{devices} devices");
    let month = report(&caller, "range=month").await;
    let [checks, all, ..] = summary(&month);
    assert_eq!((checks - 20_000, all - 20_000), (devices as u64 - 20_000, devices as u64 - 20_000));
}
