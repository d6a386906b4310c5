//! More than the server can do: what is not counted is said, and what is not answered is said in time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::app::{Reply, TestApp};
use crate::http::shop;
use crate::metrics::Scrape;

const CHECK: &str = "/checkVersion?app_name=myapp&version=1.0.0&channel=stable&platform=darwin&arch=amd64";

async fn check(app: &TestApp, device: &str) -> Reply {
    app.request("GET", CHECK).header("X-Device-ID", device).send().await
}

/// Another writer of the journal: while it holds the file, no commit ends.
struct Holder(rusqlite::Connection);

impl Holder {
    fn of(app: &TestApp) -> Self {
        let [journal] = headcount::spool::files(&app.directory().join("spool")).unwrap().try_into().unwrap();
        let holder = Self(rusqlite::Connection::open(journal).unwrap());
        holder.0.busy_timeout(Duration::from_secs(5)).unwrap();
        holder
    }

    fn hold(&self) {
        self.0.execute_batch("BEGIN IMMEDIATE").unwrap();
    }

    fn release(&self) {
        self.0.execute_batch("ROLLBACK").unwrap();
    }
}

/// Asks until a check is recorded, and notes what it was told.
async fn recover(app: &TestApp, said: &mut BTreeMap<String, u32>) {
    let began = Instant::now();
    loop {
        let outcome = check(app, "device-0000").await.header("headcount").unwrap().to_owned();
        let recorded = outcome == "recorded";
        *said.entry(outcome).or_default() += 1;
        if recorded {
            return;
        }
        assert!(began.elapsed() < Duration::from_mins(1), "it does not recover: {said:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn requests_beyond_the_limit_are_told_when_to_come_again() {
    let settings = [("HEADCOUNT_MAX_IN_FLIGHT", "2"), ("HEADCOUNT_COMMIT_WAIT_MS", "10000")];
    let app = Arc::new(TestApp::with(&settings).await);
    shop::open(&app, "acme").await;
    let holder = Holder::of(&app);
    holder.hold();
    let waiting: Vec<_> = ["device-0001", "device-0002"]
        .map(|device| {
            let app = app.clone();
            tokio::spawn(async move { check(&app, device).await })
        })
        .into();
    tokio::time::sleep(Duration::from_millis(300)).await;

    for _ in 0..20 {
        let reply = check(&app, "device-0003").await;
        let expected = json!({"error": "the server has too much to do", "code": "unavailable"});
        assert_eq!((reply.both(), reply.header("headcount")), ((503, expected), None));
        let retry: u32 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((30..=300).contains(&retry), "{retry}");
    }
    // Nobody was kept waiting for those before.
    assert!(waiting.iter().all(|check| !check.is_finished()));
    assert_eq!((app.get("/health").await.status, app.get("/ready").await.status), (200, 200));
    assert_eq!(app.get("/telemetry").await.status, 503);

    holder.release();
    for reply in waiting {
        assert_eq!(reply.await.unwrap().header("headcount"), Some("recorded"));
    }
    assert_eq!(check(&app, "device-0004").await.header("headcount"), Some("recorded"));
    // The application has seen three checks.
    let scrape = Scrape::of_app(&app).await;
    assert_eq!(scrape.outcomes(), (3.0, 3.0, 0.0, BTreeMap::new()));
    assert_eq!(scrape.value("refused_total{limit=\"in-flight\"}").to_string(), "21");
}

#[tokio::test]
async fn events_beyond_the_queue_are_skipped_and_their_checks_answered() {
    let settings = [("HEADCOUNT_QUEUE_EVENTS", "4"), ("HEADCOUNT_COMMIT_WAIT_MS", "30")];
    let app = TestApp::with(&settings).await;
    let caller = shop::open(&app, "acme").await;
    let usual = check(&app, "device-0000").await;
    assert_eq!(usual.header("headcount"), Some("recorded"));
    let holder = Holder::of(&app);
    holder.hold();
    let commits = app.app.spool.commits();
    let mut said = Vec::new();
    for device in 1..=12 {
        let reply = check(&app, &format!("device-{device:04}")).await;
        assert_eq!((reply.status, &reply.text), (200, &usual.text));
        said.push(reply.header("headcount").unwrap().to_owned());
    }
    // None of them waited for a commit to end.
    assert_eq!(app.app.spool.commits(), commits);
    let overload = said.iter().filter(|said| *said == "skipped; reason=overload").count();
    // The committer has taken one or more of them; the queue holds four.
    assert!((5..=7).contains(&overload), "{said:?}");
    assert!(said[..12 - overload].iter().all(|said| said == "unconfirmed"), "{said:?}");

    holder.release();
    let mut after = BTreeMap::new();
    recover(&app, &mut after).await;
    let report = caller.get("/telemetry").await.json();
    assert_eq!(report["summary"]["unique_clients"], json!(1 + 12 - overload), "{report}");
    let (_, _, unconfirmed, skipped) = Scrape::of_app(&app).await.outcomes();
    let after = |outcome: &str| after.get(outcome).copied().unwrap_or_default() as usize;
    let told = (12 - overload + after("unconfirmed"), overload + after("skipped; reason=overload"));
    assert_eq!((unconfirmed, skipped), (told.0 as f64, BTreeMap::from([("overload", told.1 as f64)])));
}

/// Many clients at once, and a disk that is slow: whatever they are told is what is counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_overload_every_answer_is_accounted_for() {
    let settings =
        [("HEADCOUNT_QUEUE_EVENTS", "16"), ("HEADCOUNT_COMMIT_WAIT_MS", "40"), ("HEADCOUNT_MAX_IN_FLIGHT", "8")];
    let app = Arc::new(TestApp::with(&settings).await);
    let caller = shop::open(&app, "acme").await;
    let (holder, stop) = (Holder::of(&app), Arc::new(AtomicBool::new(false)));
    let slow_disk = {
        let stop = stop.clone();
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                holder.hold();
                std::thread::sleep(Duration::from_millis(90));
                holder.release();
                std::thread::sleep(Duration::from_millis(10));
            }
        })
    };
    let clients = (0..64).map(|client| {
        let (app, stop) = (app.clone(), stop.clone());
        tokio::spawn(async move {
            let mut said: BTreeMap<String, u32> = BTreeMap::new();
            for number in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let reply = check(&app, &format!("device-{client:02}-{number:06}")).await;
                assert!(reply.status == 200 || reply.status == 503, "{reply:?}");
                let outcome = reply.header("headcount").map_or("refused", |said| said).to_owned();
                assert_eq!(outcome == "refused", reply.status == 503);
                *said.entry(outcome).or_default() += 1;
            }
            said
        })
    });
    let clients: Vec<_> = clients.collect();
    tokio::time::sleep(Duration::from_secs(3)).await;
    stop.store(true, Ordering::Relaxed);
    let mut said: BTreeMap<String, u32> = BTreeMap::new();
    for client in clients {
        for (outcome, count) in client.await.unwrap() {
            *said.entry(outcome).or_default() += count;
        }
    }
    slow_disk.join().unwrap();
    recover(&app, &mut said).await;
    let of = |outcome: &str| f64::from(said.get(outcome).copied().unwrap_or_default());
    assert!(["recorded", "skipped; reason=overload", "refused"].iter().all(|outcome| of(outcome) > 0.0), "{said:?}");
    let scrape = Scrape::of_app(&app).await;
    let (_, recorded, unconfirmed, skipped) = scrape.outcomes();
    let told = (of("recorded"), of("unconfirmed"), BTreeMap::from([("overload", of("skipped; reason=overload"))]));
    assert_eq!((recorded, unconfirmed, skipped), told);
    assert_eq!(scrape.value("refused_total{limit=\"in-flight\"}").to_string(), of("refused").to_string());

    let counted = caller.get("/telemetry").await.json()["summary"]["total_requests"].as_f64().unwrap();
    assert!((recorded..=recorded + unconfirmed).contains(&counted), "{recorded} {counted} {unconfirmed}");
}
