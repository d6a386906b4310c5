//! `/metrics`: what it counts, and that it is told to nobody on the public port.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use headcount_engine::recorded::SkipReason;
use serde_json::json;
use strum::VariantArray as _;

use crate::app::{Caller, TestApp, fresh_directory};
use crate::http::shop;
use crate::journal;
use crate::process::Server;
use crate::readme::{between, document, write_between};

/// The samples of one scrape, by name and labels as they are written.
pub(crate) struct Scrape {
    text: String,
    samples: BTreeMap<String, f64>,
}

impl Scrape {
    pub(crate) async fn of(url: &str) -> Self {
        let reply = reqwest::get(url).await.unwrap();
        assert_eq!(reply.status(), 200);
        let kind = reply.headers()["content-type"].to_str().unwrap().to_owned();
        assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
        let text = reply.text().await.unwrap();
        assert!(text.ends_with("# EOF\n"), "{text}");
        let samples = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.strip_prefix("headcount_").unwrap().to_owned(), value.parse().unwrap())
        });
        Self { samples: samples.collect(), text }
    }

    pub(crate) fn of_app(app: &TestApp) -> impl Future<Output = Self> {
        let url = app.metrics_url();
        async move { Self::of(&url).await }
    }

    /// How many stores, blobs, files and rows of the journal are damaged, how many days lack something, and how many
    /// events wait for the clock.
    pub(crate) fn damage(&self) -> [u32; 6] {
        let count = |name: &str| self.value(name) as u32;
        let damaged = |what| count(&format!("damaged{{what=\"{what}\"}}"));
        let [stores, blobs, files, rows] = ["store", "blob", "spool-file", "spool-row"].map(damaged);
        [stores, blobs, files, rows, count("incomplete_days"), count("ahead_events")]
    }

    pub(crate) fn value(&self, name: &str) -> f64 {
        *self.samples.get(name).unwrap_or_else(|| panic!("{name} is missing: {}", self.text))
    }

    fn skipped(&self, reason: SkipReason) -> f64 {
        self.value(&format!("skipped_total{{reason=\"{}\"}}", reason.name()))
    }

    /// Sent, recorded, unconfirmed and skipped, after it was compared that they add up.
    pub(crate) fn outcomes(&self) -> (f64, f64, f64, BTreeMap<&'static str, f64>) {
        let skipped: BTreeMap<&str, f64> = SkipReason::VARIANTS
            .iter()
            .map(|&reason| (reason.name(), self.skipped(reason)))
            .filter(|&(_, count)| count > 0.0)
            .collect();
        let [sent, recorded, unconfirmed] =
            ["sent", "recorded", "unconfirmed"].map(|name| self.value(&format!("{name}_total")));
        let sum = recorded + unconfirmed + skipped.values().sum::<f64>();
        assert!((sent - sum).abs() < 0.5, "{}", self.text);
        (sent, recorded, unconfirmed, skipped)
    }
}

const CHECK: &str = "/checkVersion?app_name=myapp&version=1.0.0&channel=stable&platform=darwin&arch=amd64";
const BEACON: &str = "/telemetry/beacon?app_name=myapp&version=1.0.0&channel=stable&platform=darwin&arch=amd64";

async fn send(app: &TestApp, path: &str, device: Option<&str>) -> String {
    let request = app.request("GET", path);
    let request = device.map_or(app.request("GET", path), |device| request.header("X-Device-ID", device));
    request.send().await.header("headcount").unwrap().to_owned()
}

#[tokio::test]
async fn every_answer_has_one_outcome_and_they_add_up_also_after_a_restart() {
    let app = TestApp::start().await;
    shop::open(&app, "acme").await;
    let mut said: BTreeMap<String, u32> = BTreeMap::new();
    let unknown_app = CHECK.replace("myapp", "other");
    for (times, path, device) in [
        (5, CHECK, Some("device-0001")),
        (4, BEACON, Some("device-0001")),
        (3, CHECK, None),
        (2, BEACON, Some("short")),
        (2, CHECK, Some("unknown-device")),
        (1, "/checkVersion?app_name=myapp", Some("device-0001")),
        (2, &unknown_app, Some("device-0001")),
        (3, &format!("{CHECK}&owner=nobody"), None),
        (1, &format!("{BEACON}&owner=nobody"), None),
        (1, &BEACON.replace("myapp", "other"), None),
        (1, "/telemetry/beacon?app_name=myapp", None),
    ] {
        for _ in 0..times {
            *said.entry(send(&app, path, device).await).or_default() += 1;
        }
    }
    let expected = [
        ("recorded", 9),
        ("skipped; reason=bad-device", 4),
        ("skipped; reason=no-device", 3),
        ("skipped; reason=refused", 9),
    ];
    assert_eq!(said, expected.map(|(outcome, count)| (outcome.to_owned(), count)).into());

    let before = Scrape::of_app(&app).await;
    let skipped = BTreeMap::from([("bad-device", 4.0), ("no-device", 3.0), ("refused", 9.0)]);
    assert_eq!(before.outcomes(), (25.0, 9.0, 0.0, skipped.clone()));
    for (name, count) in [
        ("http_requests_total{route=\"/checkVersion\",status=\"2xx\"}", 10.0),
        ("http_requests_total{route=\"/checkVersion\",status=\"4xx\"}", 6.0),
        ("http_requests_total{route=\"/telemetry/beacon\",status=\"2xx\"}", 9.0),
        ("unknown_total{what=\"owner\"}", 4.0),
        ("unknown_total{what=\"app\"}", 3.0),
        ("commit_seconds_count", 9.0),
    ] {
        assert_eq!(before.samples.get(name), Some(&count), "{name}\n{}", before.text);
    }
    for (word, where_it_came_from) in
        [("device-0001", "device"), ("acme", "owner"), ("myapp", "app"), ("other", "caller"), ("nobody", "caller")]
    {
        assert!(!before.text.contains(word), "the {where_it_came_from}: {}", before.text);
    }

    let app = app.restart().await;
    assert_eq!(Scrape::of_app(&app).await.outcomes(), (25.0, 9.0, 0.0, skipped.clone()));
    assert_eq!(send(&app, CHECK, Some("device-0001")).await, "recorded");
    let app = app.restart().await;
    assert_eq!(Scrape::of_app(&app).await.outcomes(), (26.0, 10.0, 0.0, skipped));
}

#[tokio::test]
async fn who_hangs_up_before_the_answer_is_counted_too() {
    let app = TestApp::start().await;
    shop::open(&app, "acme").await;
    // Somebody else writes the journal: no commit ends.
    let [journal] = headcount::spool::files(&app.directory().join("spool")).unwrap().try_into().unwrap();
    let other = rusqlite::Connection::open(journal).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut client = std::net::TcpStream::connect(app.address()).unwrap();
    let request = format!("GET {CHECK} HTTP/1.1\r\nHost: x\r\nX-Device-ID: device-0001\r\n\r\n");
    client.write_all(request.as_bytes()).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(Scrape::of_app(&app).await.outcomes(), (0.0, 0.0, 0.0, BTreeMap::new()));
    drop(client);
    for _ in 0..100 {
        let outcomes = Scrape::of_app(&app).await.outcomes();
        if outcomes.0 > 0.0 {
            assert_eq!(outcomes, (1.0, 0.0, 1.0, BTreeMap::new()));
            other.execute_batch("ROLLBACK").unwrap();
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the check was never counted");
}

#[tokio::test]
async fn without_telemetry_everything_is_skipped() {
    let app = TestApp::with(&[("ENABLE_TELEMETRY", "false")]).await;
    shop::open(&app, "acme").await;
    assert_eq!(send(&app, CHECK, Some("device-0001")).await, "skipped; reason=disabled");
    assert_eq!(send(&app, "/checkVersion", None).await, "skipped; reason=disabled");
    assert_eq!(Scrape::of_app(&app).await.outcomes(), (2.0, 0.0, 0.0, BTreeMap::from([("disabled", 2.0)])));
}

#[tokio::test]
async fn gauges_tell_what_there_is() {
    let app = TestApp::start().await;
    let caller = shop::open(&app, "acme").await;
    send(&app, CHECK, Some("device-0001")).await;
    assert_eq!(caller.get("/telemetry").await.status, 200);
    let scrape = Scrape::of_app(&app).await;
    for (name, least, most) in [
        ("queue_events", 0.0, 2.0),
        ("ship_lag_seconds", 0.0, 30.0),
        ("replay_window_seconds", 0.0, 60.0),
        ("spool_bytes", 1.0, 1e9),
        ("store_problem", 0.0, 0.0),
        ("segment_cache_bytes", 1.0, 1e6),
        ("catalog_age_seconds", 0.0, 30.0),
        ("catalog_revision_age_seconds", 0.0, 120.0),
        ("commit_seconds_sum", 1e-9, 30.0),
        ("start_time_seconds", 1.7e9, 1e11),
    ] {
        let value = scrape.value(name);
        assert!((least..=most).contains(&value), "{name} {value}\n{}", scrape.text);
    }
}

#[tokio::test]
async fn the_public_port_has_no_metrics_and_the_other_one_nothing_else() {
    let app = TestApp::start().await;
    let unknown = json!({"error": "not found", "code": "not_found"});
    assert_eq!(app.get("/metrics").await.both(), (404, unknown.clone()));
    let reply = reqwest::get(app.metrics_url().replace("/metrics", "/health")).await.unwrap();
    assert_eq!((reply.status().as_u16(), reply.json::<serde_json::Value>().await.unwrap()), (404, unknown));
}

/// Names, kinds and labels as the program writes them; meanings, too.
#[tokio::test]
async fn the_table_of_the_document_is_what_the_server_prints() {
    let app = TestApp::start().await;
    app.get("/health").await;
    let text = Scrape::of_app(&app).await.text;
    let mut table = "\n| metric | kind | labels | meaning |\n|---|---|---|---|\n".to_owned();
    for family in text.split("# HELP ").skip(1) {
        let (help, rest) = family.split_once('\n').unwrap();
        let (name, help) = help.split_once(' ').unwrap();
        let mut lines = rest.lines();
        let kind = lines.next().unwrap().rsplit(' ').next().unwrap();
        let labels: Vec<&str> = lines
            .next()
            .and_then(|sample| sample.split_once('{')?.1.split_once('}'))
            .map(|(labels, _)| labels.split(',').map(|label| label.split('=').next().unwrap()).collect())
            .unwrap_or_default();
        let labels = labels.into_iter().filter(|&label| label != "le").collect::<Vec<_>>().join(", ");
        let suffix = if kind == "counter" { "_total" } else { "" };
        writeln!(table, "| `{name}{suffix}` | {kind} | {labels} | {} |", help.trim_end_matches('.')).unwrap();
    }
    let (start, end) = ("<!-- metrics:", "<!-- metrics end -->");
    let document = document("docs/operating.md");
    let listed = between(&document, start, end);
    if listed != table {
        write_between("docs/operating.md", start, end, &table);
    }
    assert_eq!(listed, table, "docs/operating.md was written anew");
}

/// The address that the program says in its log.
pub(crate) fn metrics_of(server: &Server) -> String {
    let log = server.log();
    let line = log.lines().find(|line| line.contains("serving metrics")).unwrap_or_else(|| panic!("{log}"));
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    format!("http://{}/metrics", line["address"].as_str().unwrap())
}

#[tokio::test]
async fn a_kill_takes_nothing_from_what_was_recorded() {
    let app = TestApp::start().await;
    shop::open(&app, "acme").await;
    let data_dir = app.directory().to_owned();
    app.stop().await;
    let folder = fresh_directory();
    let serve = || {
        let variables = [("ENABLE_TELEMETRY", "true"), ("HEADCOUNT_METRICS_LISTEN", "127.0.0.1:0")];
        Server::start(&folder, &variables, &["--data-dir", data_dir.to_str().unwrap()])
    };
    let client = reqwest::Client::new();
    let ask = async |server: &Server, device: &str| {
        let request = client.get(server.url(CHECK)).header("X-Device-ID", device);
        request.send().await.unwrap().headers()["headcount"].to_str().unwrap().to_owned()
    };
    let mut recorded = 0;
    for round in 0..3 {
        let mut server = serve();
        let before = Scrape::of(&metrics_of(&server)).await;
        let expected = (f64::from(recorded + round), f64::from(recorded), 0.0);
        let (sent, counted, unconfirmed, skipped) = before.outcomes();
        assert_eq!((sent, counted, unconfirmed), expected, "{skipped:?}");
        assert_eq!(ask(&server, "short").await, "skipped; reason=bad-device");
        // Skips are noted each second; what is recorded, with each commit.
        tokio::time::sleep(Duration::from_millis(2500)).await;
        for device in 0..50 {
            assert_eq!(ask(&server, &format!("device-{device:04}")).await, "recorded");
            recorded += 1;
        }
        server.kill();
        assert_eq!(journal::events(&data_dir).len(), usize::try_from(recorded).unwrap());
    }
}

/// Two owners read nothing of each other there: there is nothing of either.
#[tokio::test]
async fn more_owners_and_apps_make_it_no_longer() {
    let app = TestApp::start().await;
    shop::open(&app, "acme").await;
    send(&app, CHECK, Some("device-0001")).await;
    let names = |scrape: &Scrape| scrape.samples.keys().cloned().collect::<Vec<_>>();
    let before = names(&Scrape::of_app(&app).await);
    shop::open(&app, "other").await;
    Caller::new(&app, "third").await.app("another").await;
    assert_eq!(send(&app, &format!("{CHECK}&owner=other"), Some("device-0002")).await, "recorded");
    for path in ["/nothing/here", "/nothing/there", "/checkVersion/x?owner=other"] {
        assert_eq!(app.get(path).await.status, 404);
    }
    let after = names(&Scrape::of_app(&app).await);
    let new: Vec<_> = after.iter().filter(|name| !before.contains(name)).collect();
    assert_eq!(new, ["http_requests_total{route=\"(unknown)\",status=\"4xx\"}"]);
}
