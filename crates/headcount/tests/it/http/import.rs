//! `POST /telemetry/import`.

use std::path::Path;
use std::time::Duration;

use headcount::clock::Clock;
use headcount::spool::{SpoolFile, files};
use headcount_engine::day::{DAY_MILLIS, Day, Millis};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::app::{Caller, Reply, TestApp, TestRequest};
use crate::http::shop;

const TODAY: Day = Day(20_700);
const NOON: Millis = Millis(TODAY.start().0 + DAY_MILLIS / 2);
const ID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

async fn started() -> TestApp {
    TestApp::at(Clock::stopped_at(NOON), &[]).await
}

/// An owner with one app and one of each part.
async fn owner<'a>(app: &'a TestApp, name: &str) -> Caller<'a> {
    let caller = Caller::new(app, name).await;
    caller.app("desk").await;
    caller.part("channel", "stable").await;
    caller.part("platform", "darwin").await;
    caller.part("arch", "amd64").await;
    caller
}

fn moment(at: Millis) -> String {
    jiff::Timestamp::from_millisecond(at.0).unwrap().to_string()
}

/// A good line, with these fields besides or instead.
fn line(device: &str, fields: &Value) -> String {
    let mut line = json!({
        "at": moment(NOON), "app_name": "desk", "version": "1.0", "channel": "stable", "platform": "darwin",
        "arch": "amd64", "device_id": device, "is_latest": true,
    });
    for (name, value) in fields.as_object().unwrap() {
        line[name] = value.clone();
    }
    line.to_string()
}

/// Good lines of that many devices.
fn lines(devices: std::ops::Range<u32>) -> String {
    devices.map(|device| line(&format!("device-{device:06}"), &json!({}))).collect::<Vec<_>>().join("\n")
}

fn post(caller: &Caller<'_>, body: impl Into<reqwest::Body>) -> TestRequest {
    caller.request("POST", "/telemetry/import").body(body)
}

async fn chunk(caller: &Caller<'_>, number: u32, body: impl Into<reqwest::Body>) -> Reply {
    post(caller, body).header("Import-Id", ID).header("Import-Chunk", &number.to_string()).send().await
}

fn accepted(lines: u32) -> (u16, Value) {
    (200, json!({"accepted": lines, "rejected": 0, "errors": []}))
}

/// Counted checks and devices of the whole month.
async fn counted(caller: &Caller<'_>) -> (u64, u64) {
    let summary = caller.get("/telemetry?range=month").await.json()["summary"].clone();
    (summary["total_requests"].as_u64().unwrap(), summary["unique_clients"].as_u64().unwrap())
}

fn ago(millis: i64) -> String {
    moment(Millis(NOON.0 - millis))
}

/// Lines of which each counts one device, and one that is empty.
fn good_lines(first_day: Day) -> Vec<String> {
    vec![
        line("device-1", &json!({})),
        line("device-2", &json!({"version": null, "channel": null, "platform": "", "is_latest": null})),
        format!(r#"{{"at":"{}","app_name":"desk","device_id":"device-3"}}"#, ago(1)),
        line("device-4", &json!({"version": "v2.0.0-4", "arch": "x64", "platform": "MacOS", "extra": [1]})),
        line("device-5", &json!({"at": moment(first_day.start())})),
        line("device-6", &json!({"at": ago(-3_600_000)})),
        line("device-7", &json!({"at": format!("{}T00:30:00+14:00", first_day.plus(2))})),
        String::new(),
    ]
}

/// Lines that are wrong in one field, and what is said of each.
fn lines_with_a_bad_field(first_day: Day) -> Vec<(Value, String)> {
    let unknown = "is not a name in the catalog";
    let rfc = "at is not a moment of RFC 3339, such as 2026-03-02T10:15:00Z";
    let too_early = format!("at is before {first_day}, the first day that is kept");
    let ahead = "at is more than one hour ahead of the server's clock";
    let device_form = "device_id is not of the form ^[A-Za-z0-9._:{}-]{8,128}$";
    let version_form = "version is not of the form ^v?[0-9][0-9A-Za-z.+_-]{0,63}$";
    let version_parts =
        "version is not made of up to 8 numeric parts below 2^64, an optional -prerelease and an optional +build";
    let shared = "device_id is shared by many installations and names none of them";
    vec![
        (json!({"at": ago(-3_600_001)}), ahead.into()),
        (json!({"at": moment(Millis(first_day.start().0 - 1))}), too_early.clone()),
        (json!({"at": format!("{first_day}T00:30:00+01:00")}), too_early),
        (json!({"at": "yesterday"}), rfc.into()),
        (json!({"at": "2026-09-04T10:15:00"}), rfc.into()),
        (json!({"at": null}), "at is missing".into()),
        (json!({"at": 1_788_000_000}), "at is not a text".into()),
        (json!({"app_name": "tool"}), format!("app_name {unknown}")),
        (json!({"app_name": ""}), "app_name is missing".into()),
        (json!({"app_name": {"a": "desk"}}), "app_name is not a text".into()),
        (json!({"channel": "beta"}), format!("channel {unknown}")),
        (json!({"platform": "linux"}), format!("platform {unknown}")),
        (json!({"arch": "arm64"}), format!("arch {unknown}")),
        (json!({"arch": 64}), "arch is not a text".into()),
        (json!({"version": "new"}), version_form.into()),
        (json!({"version": "1..2"}), version_parts.into()),
        (json!({"is_latest": "true"}), "is_latest is not true, false or null".into()),
        (json!({"device_id": "short"}), device_form.into()),
        (json!({"device_id": "someone@example.org"}), device_form.into()),
        (json!({"device_id": "undefined"}), shared.into()),
        (json!({"device_id": ""}), "device_id is missing".into()),
    ]
}

/// Lines that are no JSON objects, and what is said of each.
fn lines_of_another_form() -> Vec<(String, String)> {
    let not_an_object = "the line is not a JSON object";
    vec![
        ("hello".to_owned(), not_an_object.into()),
        (r#"["2026-09-04T10:15:00Z","desk"]"#.to_owned(), not_an_object.into()),
        ("{".to_owned(), format!("{not_an_object}: EOF while parsing an object at byte 1")),
        ("{} {}".to_owned(), format!("{not_an_object}: trailing characters at byte 4")),
        (r#"{"at":"a","at":"b"}"#.to_owned(), format!("{not_an_object}: duplicate field `at` at byte 14")),
        (format!("{{\"at\":{}", "[".repeat(200)), format!("{not_an_object}: recursion limit exceeded at byte 133")),
        (format!("{}{}", line("device-9", &json!({})), " ".repeat(4096)), "the line is longer than 4096 bytes".into()),
    ]
}

#[tokio::test]
async fn each_line_is_judged_alone() {
    let app = started().await;
    let caller = owner(&app, "acme").await;
    let first_day = TODAY.plus(-30);
    let mut body = good_lines(first_day);
    let bad_fields = lines_with_a_bad_field(first_day).into_iter();
    let bad = bad_fields.map(|(fields, error)| (line("device-8", &fields), error)).chain(lines_of_another_form());
    let mut errors = Vec::new();
    for (line, error) in bad {
        body.push(line);
        errors.push(json!({"line": body.len(), "error": error}));
    }
    body.push(line("device-8", &json!({"is_latest": false})));
    let expected = json!({"accepted": 8, "rejected": errors.len(), "errors": errors});
    assert_eq!(post(&caller, body.join("\n")).send().await.both(), (200, expected));

    let report = caller.get("/telemetry?range=month").await.json();
    let summary = json!({
        "total_requests": 8, "unique_clients": 8, "clients_using_latest_version": 5, "clients_outdated": 1,
        "total_active_apps": 1
    });
    assert_eq!(report["summary"], summary);
    let usage = json!([{"version": "1.0", "client_count": 5}, {"version": "2.0.0.4", "client_count": 1}]);
    assert_eq!(report["versions"]["usage"], usage);
    assert_eq!(report["platforms"], json!([{"platform": "darwin", "client_count": 6}]));
    assert_eq!(report["daily_stats"][0]["unique_clients"], 1, "{report}");
    assert_eq!(report["daily_stats"][1]["unique_clients"], 1, "{report}");
}

#[tokio::test]
async fn lines_may_come_in_any_pieces() {
    let app = started().await;
    let caller = owner(&app, "acme").await;
    let text = format!(
        "\n{}\r\n\r\n{}\n{}\nno line\n{}",
        line("device-1", &json!({})),
        " ".repeat(5000),
        line("device-2", &json!({})),
        line("device-3", &json!({}))
    );
    let expected = json!({
        "accepted": 3, "rejected": 2,
        "errors": [{"line": 4, "error": "the line is longer than 4096 bytes"}, {"line": 6, "error": "the line is not a JSON object"}],
    });
    for size in [1, 7, 4096, 100_000] {
        let pieces: Vec<Result<Vec<u8>, std::io::Error>> =
            text.as_bytes().chunks(size).map(|piece| Ok(piece.to_vec())).collect();
        let body = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
        assert_eq!(post(&caller, body).send().await.both(), (200, expected.clone()), "{size}");
    }
    // One POST is one import: each of the four counts.
    assert_eq!(counted(&caller).await, (12, 3));
    assert_eq!(post(&caller, "").send().await.both(), accepted(0));
}

#[tokio::test]
async fn names_mean_what_they_mean_in_a_check() {
    let app = started().await;
    let caller = owner(&app, "acme").await;
    let other = owner(&app, "other").await;
    let beta = caller.part("channel", "beta").await;
    let renamed = caller.post("/channel/update", &json!({"id": beta, "channel": "preview"})).await;
    assert_eq!(renamed.status, 200, "{renamed:?}");
    let gone = caller.app("gone").await;
    assert_eq!(caller.delete(&format!("/app/delete?id={gone}")).await.status, 200);
    other.app("theirs").await;

    let body = [
        line("device-1", &json!({"channel": "beta"})),
        line("device-2", &json!({"channel": "preview"})),
        line("device-3", &json!({"app_name": "gone"})),
        line("device-3", &json!({"app_name": "theirs"})),
    ];
    let unknown = "app_name is not a name in the catalog";
    let expected = json!({
        "accepted": 2, "rejected": 2, "errors": [{"line": 3, "error": unknown}, {"line": 4, "error": unknown}],
    });
    assert_eq!(post(&caller, body.join("\n")).send().await.both(), (200, expected));
    let report = caller.get("/telemetry").await.json();
    assert_eq!(report["channels"], json!([{"channel": "preview", "client_count": 2}]));
    assert_eq!(counted(&other).await, (0, 0));
}

#[tokio::test]
async fn only_who_may_imports() {
    let app = started().await;
    let reply = app.request("POST", "/telemetry/import").body("").send().await;
    let missing = json!({"error": "missing authorization header", "code": "unauthenticated"});
    assert_eq!(reply.both(), (401, missing));
    let app = TestApp::with(&[("ENABLE_TELEMETRY", "false")]).await;
    let caller = Caller::new(&app, "acme").await;
    let off = json!({"error": "Telemetry is not enabled on this instance", "code": "telemetry_off"});
    assert_eq!(post(&caller, "").send().await.both(), (403, off));
}

type Header<'a> = (&'a str, &'a str);

#[tokio::test]
async fn the_headers_of_a_chunk_come_together_and_in_one_form() {
    let app = started().await;
    let caller = owner(&app, "acme").await;
    let (uuid, number) = ("a UUID such as 0f8fad5b-d9cb-469f-a165-70867728950e", "a whole number from 0 to 4294967295");
    let both = "both Import-Id and Import-Chunk, or neither";
    let table: [(&[Header<'_>], &str, &str, &str); 10] = [
        (&[("Import-Id", ID)], "Import-Chunk", "Import-Id is given without Import-Chunk", both),
        (&[("Import-Chunk", "0")], "Import-Id", "Import-Chunk is given without Import-Id", both),
        (&[("Import-Id", "1"), ("Import-Chunk", "0")], "Import-Id", "invalid Import-Id", uuid),
        (&[("Import-Id", &ID.replace('-', "0")), ("Import-Chunk", "0")], "Import-Id", "invalid Import-Id", uuid),
        (&[("Import-Id", &ID.replace('f', "g")), ("Import-Chunk", "0")], "Import-Id", "invalid Import-Id", uuid),
        (&[("Import-Id", ID), ("Import-Chunk", "-1")], "Import-Chunk", "invalid Import-Chunk", number),
        (&[("Import-Id", ID), ("Import-Chunk", "+1")], "Import-Chunk", "invalid Import-Chunk", number),
        (&[("Import-Id", ID), ("Import-Chunk", "4294967296")], "Import-Chunk", "invalid Import-Chunk", number),
        (&[("Import-Id", ID), ("Import-Id", ID), ("Import-Chunk", "0")], "Import-Id", "Import-Id is given twice", uuid),
        (
            &[("Import-Id", ID), ("Import-Chunk", "0"), ("Import-Chunk", "0")],
            "Import-Chunk",
            "Import-Chunk is given twice",
            number,
        ),
    ];
    for (headers, field, error, form) in table {
        let request =
            headers.iter().fold(post(&caller, lines(0..1)), |request, (name, value)| request.header(name, value));
        let expected = json!({"error": error, "code": "invalid", "field": field, "accepted": form});
        assert_eq!(request.send().await.both(), (400, expected), "{headers:?}");
    }
    assert_eq!(counted(&caller).await, (0, 0));
}

fn other_body(number: u32) -> (u16, Value) {
    let error = format!("chunk {number} of this import had another body");
    (409, json!({"error": error, "code": "conflict", "field": "Import-Chunk"}))
}

fn expected_chunk(expected: u32, sent: u32) -> (u16, Value) {
    let error = format!("chunk {expected} of this import is expected, not chunk {sent}");
    let accepted = expected.to_string();
    (409, json!({"error": error, "code": "conflict", "field": "Import-Chunk", "accepted": accepted}))
}

#[tokio::test]
async fn a_chunk_counts_once() {
    let mut app = started().await;
    let token = {
        let caller = owner(&app, "acme").await;
        assert_eq!(chunk(&caller, 1, lines(0..1)).await.both(), expected_chunk(0, 1));
        assert_eq!(chunk(&caller, 0, lines(0..3)).await.both(), accepted(3));
        // The store answers.
        assert_eq!(chunk(&caller, 0, lines(0..3)).await.both(), accepted(3));
        assert_eq!(chunk(&caller, 0, lines(0..2)).await.both(), other_body(0));
        assert_eq!(chunk(&caller, 2, lines(0..1)).await.both(), expected_chunk(1, 2));
        // Every line is rejected: the chunk has its number all the same.
        let rejected = (
            200,
            json!({"accepted": 0, "rejected": 1, "errors": [{"line": 1, "error": "the line is not a JSON object"}]}),
        );
        for _ in 0..2 {
            assert_eq!(chunk(&caller, 1, "x").await.both(), rejected);
        }
        assert_eq!(chunk(&caller, 1, "y").await.both(), other_body(1));
        assert_eq!(chunk(&caller, 2, "").await.both(), accepted(0));
        assert_eq!(counted(&caller).await, (3, 3));
        caller.token().to_owned()
    };
    for round in 0..2 {
        app = app.restart().await;
        let caller = Caller::known(&app, &token);
        assert_eq!(chunk(&caller, 0, lines(0..3)).await.both(), accepted(3), "{round}");
        assert_eq!(chunk(&caller, 2, "").await.both(), accepted(0), "{round}");
        assert_eq!(chunk(&caller, 9, lines(0..1)).await.both(), expected_chunk(3 + round, 9), "{round}");
        assert_eq!(chunk(&caller, 3, lines(2..5)).await.both(), accepted(3), "{round}");
        assert_eq!(counted(&caller).await, (6, 5), "{round}");
    }
    // The reply is the first one, whatever the lines would mean now.
    app.clock.set(Millis(NOON.0 + 20 * DAY_MILLIS));
    let login = json!({"username": "acme", "password": "the password of acme"});
    let login = app.request("POST", "/login").json(&login).send().await.json();
    let caller = Caller::known(&app, login["token"].as_str().unwrap());
    assert_eq!(chunk(&caller, 3, lines(2..5)).await.both(), accepted(3));
    assert_eq!(counted(&caller).await, (6, 5));
}

#[tokio::test]
async fn owners_do_not_share_the_ids_of_imports() {
    let app = started().await;
    let (acme, other) = (owner(&app, "acme").await, owner(&app, "other").await);
    assert_eq!(chunk(&acme, 0, lines(0..3)).await.both(), accepted(3));
    assert_eq!(chunk(&other, 1, lines(0..3)).await.both(), expected_chunk(0, 1));
    assert_eq!(chunk(&other, 0, lines(0..2)).await.both(), accepted(2));
    assert_eq!((counted(&acme).await, counted(&other).await), ((3, 3), (2, 2)));
}

/// The store knows nothing of the import any more, or never did: what lies in the spool decides.
#[tokio::test]
async fn a_chunk_counts_once_for_a_store_that_starts_anew() {
    let app = started().await;
    let token = {
        let caller = owner(&app, "acme").await;
        assert_eq!(chunk(&caller, 0, lines(0..3)).await.both(), accepted(3));
        assert_eq!(chunk(&caller, 1, "x").await.status, 200);
        caller.token().to_owned()
    };
    let app = app
        .restart_after(|directory| {
            for file in ["store.db", "store.db-wal", "store.db-shm"] {
                // The last two may be gone already.
                _ = std::fs::remove_file(directory.join(file));
            }
        })
        .await;
    let caller = Caller::known(&app, &token);
    assert_eq!(chunk(&caller, 0, lines(0..3)).await.both(), accepted(3));
    assert_eq!(chunk(&caller, 1, "y").await.both(), other_body(1));
    assert_eq!(chunk(&caller, 2, lines(3..4)).await.both(), accepted(1));
    assert_eq!(counted(&caller).await, (4, 4));
}

/// While the store takes nothing, a chunk is kept and not answered; a whole import is kept and answered.
#[tokio::test]
async fn what_a_store_does_not_take_yet_counts_later() {
    let app = started().await;
    let caller = owner(&app, "acme").await;
    let store = rusqlite::Connection::open(app.directory().join("store.db")).unwrap();
    store.execute_batch("BEGIN IMMEDIATE").unwrap();
    let late = json!({
        "error": "the chunk is recorded, and the telemetry store lags behind: send it again for its reply",
        "code": "unavailable",
    });
    let (chunked, whole) = tokio::join!(chunk(&caller, 0, lines(0..3)), post(&caller, lines(3..5)).send());
    assert_eq!((chunked.header("retry-after"), chunked.both()), (Some("5"), (503, late)));
    assert_eq!(whole.both(), accepted(2));
    assert_eq!(chunk(&caller, 0, lines(0..2)).await.both(), other_body(0));
    assert_eq!(chunk(&caller, 2, lines(0..2)).await.both(), expected_chunk(1, 2));
    store.execute_batch("ROLLBACK").unwrap();
    assert_eq!(chunk(&caller, 0, lines(0..3)).await.both(), accepted(3));
    assert_eq!(counted(&caller).await, (5, 5));
}

#[tokio::test]
async fn the_same_chunk_at_the_same_time_counts_once() {
    let app = started().await;
    let caller = owner(&app, "acme").await;
    let busy =
        json!({"error": "another chunk of this import is being written", "code": "conflict", "field": "Import-Id"});
    let send = async || loop {
        let reply = chunk(&caller, 0, lines(0..200)).await;
        if reply.status == 200 {
            return reply.both();
        }
        assert_eq!((reply.header("retry-after"), reply.both()), (Some("1"), (409, busy.clone())));
    };
    let replies = futures_util::future::join_all((0..8).map(|_| send())).await;
    assert!(replies.iter().all(|reply| *reply == accepted(200)), "{replies:?}");
    assert_eq!(counted(&caller).await, (200, 200));
}

#[tokio::test]
async fn a_chunk_has_at_most_10_000_lines() {
    let app = started().await;
    let caller = owner(&app, "acme").await;
    let too_large = json!({
        "error": "the chunk is too large", "code": "too_large", "field": "body",
        "accepted": "at most 10000 lines and 40980000 bytes a chunk",
    });
    assert_eq!(chunk(&caller, 0, "{}\n".repeat(10_001)).await.both(), (413, too_large));
    let errors: Vec<Value> = (1..=100).map(|line| json!({"line": line, "error": "app_name is missing"})).collect();
    let expected = json!({"accepted": 0, "rejected": 10_000, "errors": errors});
    assert_eq!(chunk(&caller, 0, "{}\n".repeat(10_000)).await.both(), (200, expected.clone()));
    // Without a number there is no limit.
    let expected = json!({"accepted": 0, "rejected": 30_000, "errors": expected["errors"]});
    assert_eq!(post(&caller, "{}\n".repeat(30_000)).send().await.both(), (200, expected));
}

/// The rows of imports that have not ended, by file.
fn unfinished(directory: &Path) -> Vec<usize> {
    let open = |path: std::path::PathBuf| SpoolFile::open(&path).ok().flatten();
    let files = files(&directory.join("spool")).unwrap().into_iter().filter_map(open);
    let unfinished = files.filter(|file| matches!(file.is_sealed(), Ok(false)));
    unfinished.map(|file| file.rows_after(None, usize::MAX).map_or(0, |rows| rows.len())).collect()
}

async fn eventually(what: impl Fn() -> bool) {
    for _ in 0..500 {
        if what() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it did not happen within ten seconds");
}

/// Nothing of an import counts before its last line is there, though its rows are on disk: the body is not held in
/// memory.
#[tokio::test]
async fn an_import_that_breaks_off_leaves_nothing() {
    let app = started().await;
    let caller = owner(&app, "acme").await;
    let body = lines(0..25_000);
    let head = format!(
        "POST /telemetry/import HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n",
        caller.token(),
        body.len() + 1
    );
    let mut connection = tokio::net::TcpStream::connect(app.address()).await.unwrap();
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.write_all(body.as_bytes()).await.unwrap();
    eventually(|| unfinished(app.directory()) == [2]).await;
    assert_eq!(counted(&caller).await, (0, 0));
    drop(connection);
    eventually(|| unfinished(app.directory()).is_empty()).await;
    assert_eq!(counted(&caller).await, (0, 0));
    assert_eq!(post(&caller, body).send().await.both(), accepted(25_000));
    assert_eq!(counted(&caller).await, (25_000, 25_000));
}

/// The file of an import that is dropped goes while the shipper reads the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imports_of_which_nothing_is_kept_keep_no_report_waiting() {
    let app = started().await;
    let caller = shop::open(&app, "acme").await;
    let drop_imports = async || {
        for _ in 0..100 {
            assert_eq!(post(&caller, "x").send().await.json()["accepted"], 0);
        }
    };
    let read_reports = async || {
        for _ in 0..100 {
            assert_eq!(shop::ask(&app, "1.0.0").await.header("headcount"), Some("recorded"));
            let report = caller.get("/telemetry?range=month").await;
            assert_eq!(report.status, 200, "{report:?}");
        }
    };
    tokio::join!(drop_imports(), drop_imports(), drop_imports(), drop_imports(), read_reports());
}
