//! The stream of live numbers, read as it comes.

use std::time::Duration;

use headcount::clock::Clock;
use headcount_engine::day::Millis;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpSocket;

use crate::app::{Caller, Reply, TestApp};
use crate::http::shop;
use crate::postgres::Postgres;

/// 2026-02-02T12:00:00Z.
const NOON: Millis = Millis(1_770_033_600_000);
/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// One event of a stream.
#[derive(Debug, PartialEq)]
struct Told {
    event: String,
    id: Option<String>,
    retry: Option<String>,
    value: Value,
}

/// A stream that is read.
struct Listening {
    response: reqwest::Response,
    text: String,
}

impl Listening {
    async fn to(caller: &Caller<'_>, query: &str, last_event_id: Option<&str>) -> Self {
        let mut request = caller.request("GET", &format!("/telemetry/live{query}"));
        if let Some(id) = last_event_id {
            request = request.header("Last-Event-ID", id);
        }
        let response = request.open().await;
        assert_eq!(response.status(), 200);
        let header = |name: &str| response.headers()[name].to_str().unwrap();
        assert_eq!((header("content-type"), header("cache-control")), ("text/event-stream", "no-store"));
        Self { response, text: String::new() }
    }

    /// The next event, or none where the stream has ended.
    async fn next(&mut self) -> Option<Told> {
        while !self.text.contains("\n\n") {
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("nothing came").unwrap()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        let text = std::mem::take(&mut self.text);
        let (event, rest) = text.split_once("\n\n").unwrap();
        let field = |name: &str| {
            let lines = event.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            lines.map(str::to_owned).next()
        };
        let told = Told {
            event: field("event").unwrap(),
            id: field("id"),
            retry: field("retry"),
            value: serde_json::from_str(&field("data").unwrap()).unwrap(),
        };
        self.text.push_str(rest);
        Some(told)
    }

    /// The next event of that name.
    async fn until(&mut self, event: &str) -> Told {
        loop {
            let told = self.next().await.expect("the stream has ended");
            if told.event == event {
                return told;
            }
        }
    }

    /// The next numbers that are as expected; the test fails when they do not come.
    async fn until_now(&mut self, expected: &Value) {
        let mut last = Value::Null;
        for _ in 0..20 {
            last = self.until("now").await.value;
            if last == *expected {
                return;
            }
        }
        assert_eq!(&last, expected);
    }
}

async fn ask(app: &TestApp, version: &str, device: &str) -> Reply {
    let path = format!("/checkVersion?app_name=myapp&version={version}&channel=stable&platform=darwin&arch=amd64");
    let reply = app.request("GET", &path).header("X-Device-ID", device).send().await;
    assert_eq!(reply.header("headcount"), Some("recorded"));
    reply
}

fn window(devices: u64, versions: &[(&str, u64)]) -> Value {
    let row = |value: &str, devices: u64| json!({"value": value, "devices": devices});
    let versions: Vec<Value> = versions.iter().map(|&(version, devices)| row(version, devices)).collect();
    let platforms = if devices > 0 { vec![row("darwin", devices)] } else { Vec::new() };
    json!({"devices": devices, "platforms": platforms, "versions": versions})
}

fn recorded(at: &str, version: &str, status: &str) -> Value {
    json!({
        "at": at, "app": "myapp", "version": version, "platform": "darwin", "arch": "amd64", "channel": "stable",
        "status": status, "outcome": "recorded", "reason": null, "checks": 1
    })
}

#[tokio::test]
async fn who_is_there_and_the_last_checks_are_told_as_they_come() {
    let app = TestApp::at(Clock::stopped_at(NOON), &[]).await;
    let caller = shop::open(&app, "acme").await;
    ask(&app, "1.0.0", "device-one").await;
    let mut live = Listening::to(&caller, "", None).await;
    let about = live.next().await.unwrap();
    assert_eq!((about.event.as_str(), about.retry.as_deref()), ("about", Some("2000")));
    assert_eq!(about.value["instances"], json!({"now": "all", "checks": "this"}));
    let defined: Vec<&String> = about.value["definitions"].as_object().unwrap().keys().collect();
    assert_eq!(defined, ["checks", "checks_per_second", "devices", "platforms", "versions"]);

    let one = window(1, &[("1.0.0", 1)]);
    let now = |at: &str, rate: f64, five: &Value, thirty: &Value| json!({"as_of": at, "instance": "all", "checks_per_second": rate, "last_5_minutes": five, "last_30_minutes": thirty});
    let first = live.next().await.unwrap();
    let expected = now("2026-02-02T12:00:00.000Z", 0.0, &one, &one);
    assert_eq!((first.event.as_str(), &first.value), ("now", &expected));
    let checks = live.next().await.unwrap();
    let outdated = recorded("2026-02-02T12:00:00.000Z", "1.0.0", "outdated");
    assert_eq!((checks.event.as_str(), &checks.value), ("checks", &json!([outdated])));

    // Four seconds later two come, one of them known; the rate is their mean.
    app.clock.advance(Duration::from_secs(4));
    ask(&app, "1.1.0", "device-one").await;
    ask(&app, "1.0.0", "device-two").await;
    let both = window(2, &[("1.1.0", 1), ("1.0.0", 1)]);
    live.until_now(&now("2026-02-02T12:00:04.000Z", 0.5, &both, &both)).await;

    // What was seen five minutes ago is not of the last five minutes any more.
    app.clock.set(Millis(NOON.0 + 304_000));
    live.until_now(&now("2026-02-02T12:05:04.000Z", 0.0, &window(0, &[]), &both)).await;
    app.clock.set(Millis(NOON.0 + 1_804_000));
    live.until_now(&now("2026-02-02T12:30:04.000Z", 0.0, &window(0, &[]), &window(0, &[]))).await;
}

#[tokio::test]
async fn midnight_does_not_make_devices_vanish() {
    let before_midnight = Millis(NOON.0 + 12 * 3_600_000 - 60_000);
    let app = TestApp::at(Clock::stopped_at(before_midnight), &[]).await;
    let caller = shop::open(&app, "acme").await;
    ask(&app, "1.0.0", "device-one").await;
    app.clock.advance(Duration::from_mins(2));
    ask(&app, "1.1.0", "device-two").await;
    let mut live = Listening::to(&caller, "", None).await;
    let both = window(2, &[("1.1.0", 1), ("1.0.0", 1)]);
    let now = live.until("now").await.value;
    assert_eq!((&now["last_5_minutes"], &now["last_30_minutes"]), (&both, &both));
}

#[tokio::test]
async fn a_client_that_comes_back_is_told_nothing_twice() {
    let app = TestApp::at(Clock::stopped_at(NOON), &[]).await;
    let caller = shop::open(&app, "acme").await;
    ask(&app, "1.0.0", "device-one").await;
    let mut live = Listening::to(&caller, "", None).await;
    let id = live.until("checks").await.id.unwrap();
    drop(live);
    ask(&app, "1.1.0", "device-two").await;
    let latest = recorded("2026-02-02T12:00:00.000Z", "1.1.0", "latest");
    let mut live = Listening::to(&caller, "", Some(&id)).await;
    assert_eq!(live.until("checks").await.value, json!([latest]));
    // The id of another process, or no id at all, says nothing.
    for unknown in ["0000000000000001-1", "anything"] {
        let mut live = Listening::to(&caller, "", Some(unknown)).await;
        assert_eq!(live.until("checks").await.value.as_array().unwrap().len(), 2, "{unknown}");
    }
}

#[tokio::test]
async fn of_a_flood_the_last_checks_are_told_and_no_more() {
    let app = TestApp::at(Clock::stopped_at(NOON), &[]).await;
    let caller = shop::open(&app, "acme").await;
    let mut live = Listening::to(&caller, "", None).await;
    live.until("now").await;
    // It is not read meanwhile.
    for device in 0..120 {
        ask(&app, "1.0.0", &format!("device-number-{device}")).await;
    }
    let mut told = Vec::new();
    let mut last = String::new();
    while !last.ends_with("-120") {
        let checks = live.until("checks").await;
        told.push(checks.value.as_array().unwrap().len());
        last = checks.id.unwrap();
    }
    assert!(told.iter().all(|&checks| checks <= 50), "{told:?}");
    assert!(!live.text.contains("device-number"));
}

#[tokio::test]
async fn what_was_not_counted_is_told_with_its_reason() {
    let app = TestApp::at(Clock::stopped_at(NOON), &[]).await;
    let caller = shop::open(&app, "acme").await;
    let path = "/checkVersion?app_name=myapp&version=1.0.0&channel=stable&platform=darwin&arch=amd64";
    assert_eq!(app.get(path).await.header("headcount"), Some("skipped; reason=no-device"));
    let mut live = Listening::to(&caller, "", None).await;
    let skipped = json!([{
        "at": "2026-02-02T12:00:00.000Z", "app": "myapp", "version": null, "platform": null, "arch": null,
        "channel": null, "status": null, "outcome": "skipped", "reason": "no-device", "checks": 1
    }]);
    assert_eq!(live.until("checks").await.value, skipped);
}

#[tokio::test]
async fn filters_and_apps_limit_what_is_seen() {
    let app = TestApp::at(Clock::stopped_at(NOON), &[]).await;
    let caller = shop::open(&app, "acme").await;
    let other = caller.app("other").await;
    caller.part("platform", "linux").await;
    ask(&app, "1.0.0", "device-one").await;
    let of = async |caller: &Caller<'_>, query: &str| {
        let mut live = Listening::to(caller, query, None).await;
        let devices = live.until("now").await.value["last_5_minutes"]["devices"].as_u64().unwrap();
        // The second numbers come after the checks, if there are any.
        let next = live.next().await.unwrap();
        (devices, next.event == "checks")
    };
    assert_eq!(of(&caller, "?apps=myapp&platforms=darwin").await, (1, true));
    assert_eq!(of(&caller, "?platforms=linux").await, (0, false));
    assert_eq!(of(&caller, "?apps=other").await, (0, false));
    // A token that acts on another app sees nothing of this one.
    let body = json!({"name": "reader", "scopes": ["telemetry:read"], "allowed_apps": [other]});
    let reply = caller.post("/token/create", &body).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let reader = Caller::known(&app, reply.json()["token"].as_str().unwrap());
    assert_eq!(of(&reader, "").await, (0, false));
    // Other owners have their own.
    let neighbour = shop::open(&app, "neighbour").await;
    assert_eq!(of(&neighbour, "").await, (0, false));
    let refused = caller.get("/telemetry/live?platforms=nothing").await;
    assert_eq!(refused.header("content-type"), Some("text/event-stream"));
}

#[tokio::test]
async fn streams_are_limited_by_user_and_in_all() {
    let limits = [("HEADCOUNT_MAX_LIVE_STREAMS", "3"), ("HEADCOUNT_MAX_LIVE_STREAMS_PER_USER", "2")];
    let app = TestApp::with(&limits).await;
    let (alice, bob) = (Caller::new(&app, "alice").await, Caller::new(&app, "bob").await);
    let refused = |message: &str, most: u64| {
        (429, json!({"error": message, "code": "too_many", "accepted": format!("at most {most}")}))
    };
    let one = Listening::to(&alice, "", None).await;
    let _two = Listening::to(&alice, "", None).await;
    let third = alice.get("/telemetry/live").await;
    assert_eq!(third.both(), refused("you have too many live streams open", 2));
    assert_eq!(third.header("retry-after"), Some("30"));
    let _three = Listening::to(&bob, "", None).await;
    assert_eq!(bob.get("/telemetry/live").await.both(), refused("too many live streams are open", 3));
    assert_eq!(app.app.live.open(), 3);
    drop(one);
    // The place is free as soon as the server notices, which is when it tells the next numbers.
    for _ in 0..100 {
        if app.app.live.open() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Listening::to(&bob, "", None).await;
}

#[tokio::test]
async fn who_reads_nothing_is_disconnected() {
    let app = TestApp::at(Clock::stopped_at(NOON), &[("HEADCOUNT_WRITE_TIMEOUT_MS", "500")]).await;
    let caller = shop::open(&app, "acme").await;
    // So many versions that soon no buffer has room for another second.
    let line = |number: u32| {
        let (version, device) = (format!("1.0.{number}-{}", "x".repeat(40)), format!("device-{number:04}"));
        json!({"at": "2026-02-02T12:00:00Z", "app_name": "myapp", "device_id": device, "version": version}).to_string()
    };
    let body: Vec<String> = (0..4000).map(line).collect();
    let imported = caller.request("POST", "/telemetry/import").body(body.join("\n")).send().await;
    assert_eq!(imported.json()["accepted"], 4000, "{imported:?}");

    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(app.address()).await.unwrap();
    let head = format!("GET /telemetry/live HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n", caller.token());
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut reader = Listening::to(&caller, "", None).await;
    for _ in 0..600 {
        if app.app.live.open() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(app.app.live.open(), 2);
    // Who reads goes on.
    let mut seconds = 0;
    while app.app.live.open() == 2 {
        reader.until("now").await;
        seconds += 1;
        assert!(seconds < 120, "a reader of nothing is kept");
    }
    assert_eq!(app.app.live.open(), 1);
    reader.until("now").await;
    drop(stream);
}

#[tokio::test]
async fn a_stream_ends_with_its_session() {
    let app = TestApp::start().await;
    let caller = Caller::new(&app, "alice").await;
    let mut live = Listening::to(&caller, "", None).await;
    live.until("now").await;
    app.tables().await.run("DELETE FROM sessions", &[]).await;
    let end = live.until("end").await;
    assert_eq!(end.value, json!({"error": "invalid or expired token", "code": "unauthenticated"}));
    assert_eq!(live.next().await, None);
    assert_eq!(app.app.live.open(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_goes_on_after_the_database_was_away() {
    let mut server = Postgres::start().await;
    let app = TestApp::with(&[("HEADCOUNT_DATABASE_URL", &server.url())]).await;
    let caller = Caller::new(&app, "alice").await;
    let mut live = Listening::to(&caller, "", None).await;
    live.until("now").await;
    server.stop().await;
    let unavailable = live.until("unavailable").await;
    assert_eq!(unavailable.value, json!({"error": "the catalog database cannot be reached", "code": "unavailable"}));
    server.start_again().await;
    live.until("now").await;
}

#[tokio::test]
async fn no_deadline_of_a_request_ends_a_stream_and_the_end_of_the_server_does() {
    let deadlines = [
        ("HEADCOUNT_REQUEST_TIMEOUT_MS", "500"),
        ("HEADCOUNT_IDLE_TIMEOUT_MS", "300"),
        ("HEADCOUNT_MAX_IN_FLIGHT", "1"),
    ];
    let app = TestApp::with(&deadlines).await;
    let caller = Caller::new(&app, "alice").await;
    let mut live = Listening::to(&caller, "", None).await;
    for _ in 0..4 {
        live.until("now").await;
    }
    // It takes none of the places of requests.
    assert_eq!(caller.get("/whoami").await.status, 200);
    app.stop().await;
    while let Some(told) = live.next().await {
        assert_eq!(told.event, "now");
    }
}
