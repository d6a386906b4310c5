//! Bad input to the routes that anybody may call: the whole reply to each, and never a fault of the server.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::shop::{ask, open};
use crate::app::TestApp;

const DEVICE: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";
const GOOD: [(&str, &str); 8] = [
    ("app_name", "myapp"),
    ("version", "1.0.0"),
    ("channel", "stable"),
    ("platform", "darwin"),
    ("arch", "amd64"),
    ("owner", "acme"),
    ("updater", "manual"),
    ("publish", "true"),
];

/// The good query with one parameter as `part` says; without it where that is empty.
fn query_with(parameter: &str, part: &str) -> String {
    let others = GOOD.iter().filter(|(name, _)| *name != parameter).map(|(name, value)| format!("{name}={value}"));
    others.chain((!part.is_empty()).then(|| part.to_owned())).collect::<Vec<String>>().join("&")
}

/// Every way in which one parameter can be bad, as the text of the query string.
fn bad_parts(parameter: &str) -> Vec<(&'static str, String)> {
    let good = GOOD.iter().find(|(name, _)| *name == parameter).unwrap().1;
    let with = |value: &str| format!("{parameter}={value}");
    vec![
        ("missing", String::new()),
        ("empty", with("")),
        ("without =", parameter.to_owned()),
        ("doubled", format!("{}&{}", with(good), with(good))),
        ("doubled, encoded", format!("{}&%{:02X}{}={good}", with(good), parameter.as_bytes()[0], &parameter[1..])),
        ("long", with(&"1".repeat(1000))),
        ("NUL", with("1%00")),
        ("newline", with("1%0A")),
        ("CRLF", with("1%0D%0ASet-Cookie:%20a=1")),
        ("emoji", with("%F0%9F%9A%80")),
        ("broken encoding", with("1%zz")),
        ("broken end", with("1%")),
        ("not UTF-8", with("%FF")),
        (":", with("1:2")),
        ("*", with("*")),
        ("{}", with("%7B%7D")),
        ("..", with("..")),
        ("'", with("'")),
        ("space", with("%20")),
    ]
}

/// The reply to a check with such a parameter.
fn expected(parameter: &str, kind: &str) -> Value {
    let invalid = |accepted: &str| {
        json!({"error": format!("invalid {parameter} parameter"), "code": "invalid", "field": parameter,
               "accepted": accepted})
    };
    let nothing = json!({"error": "no matching documents found for app_name: myapp", "code": "invalid"});
    match (parameter, kind) {
        (_, "doubled" | "doubled, encoded") => {
            json!({"error": "parameter is given twice", "code": "invalid", "field": parameter,
                   "accepted": "each parameter once"})
        }
        (_, "broken encoding" | "broken end" | "not UTF-8") => {
            json!({"error": "parameter is not percent-encoded UTF-8", "code": "invalid", "field": parameter,
                   "accepted": "percent-encoded UTF-8, RFC 3986 section 2.1"})
        }
        ("updater" | "publish", _) | ("owner", "missing" | "empty" | "without =") => {
            json!({"critical": false, "update_available": true,
                   "update_url_dmg": "https://dl.example.org/myapp-1.1.0.dmg"})
        }
        ("owner", _) => {
            json!({"error": "app_name not found in apps_meta collection", "code": "invalid", "field": "app_name"})
        }
        ("channel", "missing" | "empty" | "without =") => {
            json!({"error": "you have a created channels, setting channel is required", "code": "invalid",
                   "field": "channel"})
        }
        ("platform" | "arch", "missing" | "empty" | "without =") => nothing,
        ("app_name", _) => invalid("^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$"),
        ("version", _) => invalid("^v?[0-9][0-9A-Za-z.+_-]{0,63}$"),
        ("channel" | "platform" | "arch", _) => invalid("^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$"),
        _ => panic!("{parameter} {kind}"),
    }
}

#[tokio::test]
async fn every_bad_parameter_of_a_check_is_answered() {
    let app = TestApp::start().await;
    open(&app, "acme").await;
    for (parameter, _) in GOOD {
        for (kind, part) in bad_parts(parameter) {
            let path = format!("/checkVersion?{}", query_with(parameter, &part));
            let reply = app.request("GET", &path).header("X-Device-ID", DEVICE).send().await;
            let expected = expected(parameter, kind);
            let (status, outcome) = match expected.get("error") {
                None => (200, "recorded"),
                Some(_) => (400, "skipped; reason=refused"),
            };
            let outcome = (status, Some(outcome), Some("no-store"), Some("*"));
            let headers = ["headcount", "cache-control", "access-control-allow-origin"].map(|name| reply.header(name));
            assert_eq!((reply.status, headers[0], headers[1], headers[2]), outcome, "{parameter} {kind}");
            assert_eq!(reply.json(), expected, "{parameter} {kind}");
        }
    }
}

#[tokio::test]
async fn every_bad_parameter_of_a_beacon_is_answered() {
    let app = TestApp::start().await;
    open(&app, "acme").await;
    let good = ["updater", "publish"];
    for (parameter, _) in GOOD {
        for (kind, part) in bad_parts(parameter) {
            let path = format!("/telemetry/beacon?{}", query_with(parameter, &part));
            let reply = app.request("GET", &path).header("X-Device-ID", DEVICE).send().await;
            let malformed =
                matches!(kind, "doubled" | "doubled, encoded" | "broken encoding" | "broken end" | "not UTF-8");
            let not_given = matches!(kind, "missing" | "empty" | "without =");
            let counted =
                !malformed && (good.contains(&parameter) || not_given && ["owner", "version"].contains(&parameter));
            let outcome = if counted { "recorded" } else { "skipped; reason=refused" };
            assert_eq!((reply.status, reply.text.as_str()), (204, ""), "{parameter} {kind}");
            assert_eq!(reply.header("headcount"), Some(outcome), "{parameter} {kind}");
            assert_eq!(reply.header("cache-control"), Some("no-store"));
        }
    }
}

#[tokio::test]
async fn names_are_refused_in_the_order_of_the_contract() {
    let app = TestApp::start().await;
    open(&app, "acme").await;
    let refusal = |error: &str, field: &str| json!({"error": error, "code": "invalid", "field": field});
    let mut nothing = refusal("no matching documents found for app_name: myapp", "");
    nothing.as_object_mut().unwrap().remove("field");
    let malformed = |version: &str| {
        json!({"error": format!("Malformed version: {version}"), "code": "invalid", "field": "version",
               "accepted": "up to 8 numeric parts below 2^64, an optional -prerelease and an optional +build"})
    };
    for (query, expected) in [
        ("app_name=myapp&version=1..2&channel=ghost", malformed("1..2")),
        ("app_name=myapp&version=1.2.3.4.5.6.7.8.9&channel=stable", malformed("1.2.3.4.5.6.7.8.9")),
        ("app_name=myapp&version=18446744073709551616&channel=stable", malformed("18446744073709551616")),
        ("app_name=myapp&version=1.0&owner=ghost", refusal("app_name not found in apps_meta collection", "app_name")),
        ("app_name=ghost&version=1.0", refusal("you have a created channels, setting channel is required", "channel")),
        (
            "app_name=ghost&version=1.0&channel=ghost",
            refusal("wrong name of channel. Channel does not exist", "channel"),
        ),
        (
            "app_name=ghost&version=1.0&channel=stable",
            refusal("app_name not found in apps_meta collection", "app_name"),
        ),
        ("app_name=myapp&version=1.0&channel=stable&platform=haiku&arch=amd64", nothing.clone()),
        ("app_name=myapp&version=1.0&channel=stable&platform=darwin&arch=riscv64", nothing.clone()),
        ("app_name=myapp&version=1.0&channel=stable", nothing),
    ] {
        let reply = app.get(&format!("/checkVersion?{query}")).await;
        assert_eq!((reply.status, reply.json()), (400, expected), "{query}");
        assert_eq!(reply.header("headcount"), Some("skipped; reason=refused"), "{query}");
    }
}

#[tokio::test]
async fn without_any_administrator_no_app_is_known() {
    let app = TestApp::start().await;
    let reply = ask(&app, "1.0.0").await;
    assert_eq!(
        (reply.status, reply.json()),
        (400, json!({"error": "app_name not found in apps_meta collection", "code": "invalid", "field": "app_name"}))
    );
}

#[tokio::test]
async fn a_device_id_has_one_form() {
    let app = TestApp::start().await;
    open(&app, "acme").await;
    let (recorded, bad) = ("recorded", "skipped; reason=bad-device");
    let mut cases: Vec<(Vec<u8>, &str)> = vec![
        (b"".to_vec(), "skipped; reason=no-device"),
        (b"1234567".to_vec(), bad),
        (b"12345678".to_vec(), recorded),
        (b"ab".repeat(64), recorded),
        ([&b"ab".repeat(64)[..], b"c"].concat(), bad),
        (b"12345678\xFF".to_vec(), bad),
        ("12345678é".as_bytes().to_vec(), bad),
        (b"1234\t5678".to_vec(), bad),
    ];
    for text in [
        DEVICE,
        "{0F8FAD5B-D9CB-469F-A165-70867728950E}",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "a.b_c:d-e",
        // Spaces around a value are no part of it (RFC 9110, section 5.5).
        "   12345678",
    ] {
        cases.push((text.as_bytes().to_vec(), recorded));
    }
    for text in [
        "me@example.org",
        "1234 5678",
        "1234,5678",
        "+14155550123",
        "null",
        "unknown",
        "undefined",
        "unknown-device",
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "aaaaaaaaaaaaaaaa",
        "12345678;drop",
    ] {
        cases.push((text.as_bytes().to_vec(), bad));
    }
    for (id, outcome) in cases {
        let shown = String::from_utf8_lossy(&id).into_owned();
        let reply = raw(&app, &[&b"X-Device-ID: "[..], &id, b"\r\n"].concat()).await;
        assert!(reply.starts_with("HTTP/1.1 200 OK\r\n") && reply.ends_with(ANSWER), "{shown}: {reply}");
        assert!(reply.contains(&format!("\r\nheadcount: {outcome}\r\n")), "{shown}: {reply}");
    }
}

#[tokio::test]
async fn there_is_one_device_id_or_none() {
    let app = TestApp::start().await;
    open(&app, "acme").await;
    for headers in [
        &b"X-Device-ID: 12345678\r\nX-Device-ID: 87654321\r\n"[..],
        b"X-Device-ID: 12345678\r\nx-device-id: 12345678\r\n",
        b"X-Device-ID: 12345678\r\nX-Device-ID:\r\n",
    ] {
        let reply = raw(&app, headers).await;
        assert!(
            reply.starts_with("HTTP/1.1 200 OK\r\n") && reply.contains("\r\nheadcount: skipped; reason=bad-device\r\n"),
            "{reply}"
        );
    }
    let reply = raw(&app, b"").await;
    assert!(reply.contains("\r\nheadcount: skipped; reason=no-device\r\n") && reply.ends_with(ANSWER), "{reply}");
    // What is no HTTP is refused before the check.
    let long = [&b"X-Device-ID: "[..], &b"1".repeat(500_000), b"\r\n"].concat();
    for headers in [&b"X-Device-ID: 1234\x005678\r\n"[..], b"X-Device-ID: 1234\r5678\r\n", &long] {
        let reply = raw(&app, headers).await;
        assert!(reply.starts_with("HTTP/1.1 4"), "{reply}");
    }
}

/// The body of the reply to the check that [`raw`] sends.
const ANSWER: &str =
    r#"{"critical":false,"update_available":true,"update_url_dmg":"https://dl.example.org/myapp-1.1.0.dmg"}"#;

/// The reply to a check with these bytes as further headers.
async fn raw(app: &TestApp, headers: &[u8]) -> String {
    let url = app.url("");
    let mut stream = tokio::net::TcpStream::connect(url.strip_prefix("http://").unwrap()).await.unwrap();
    let head = "GET /checkVersion?app_name=myapp&version=1.0.0&channel=stable&platform=darwin&arch=amd64 HTTP/1.1\r\n\
                Host: localhost\r\nConnection: close\r\n";
    // A server that has seen enough answers and closes: then not everything can be written.
    let _ = stream.write_all(&[head.as_bytes(), headers, b"\r\n"].concat()).await;
    let mut reply = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut reply)).await.unwrap();
    String::from_utf8(reply).unwrap()
}

#[tokio::test]
async fn parameters_that_are_unknown_or_many() {
    let app = TestApp::start().await;
    open(&app, "acme").await;
    let good = query_with("", "");
    let reply = app.get(&format!("/checkVersion?&&{good}&noCache=1j4k&x&=&")).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let many: Vec<String> = (0..57).map(|number| format!("p{number}=1")).collect();
    let reply = app.get(&format!("/checkVersion?{good}&{}", many.join("&"))).await;
    let expected = json!({"error": "too many parameters", "code": "invalid", "field": "query", "accepted": "at most 64 parameters"});
    assert_eq!((reply.status, reply.json()), (400, expected));
    for method in ["POST", "PUT", "DELETE", "HEAD"] {
        for path in ["/checkVersion", "/telemetry/beacon"] {
            assert_eq!(app.request(method, &format!("{path}?{good}")).send().await.status, 405, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn no_query_is_the_fault_of_the_server() {
    let app = TestApp::start().await;
    open(&app, "acme").await;
    let mut random = StdRng::seed_from_u64(1);
    let names = ["app_name", "version", "channel", "platform", "arch", "owner", "is_latest", "x", ""];
    let pieces = [
        "myapp",
        "1.0.0",
        "stable",
        "darwin",
        "amd64",
        "acme",
        "%00",
        "%FF",
        "%F0%9F%9A%80",
        "%",
        "%2",
        "+",
        "=",
        ":",
        "*",
        "{}",
        "..",
        "'",
        "--",
        "99999999999999999999",
        "v",
        "-rc.1",
        "%2B",
        "(other)",
        "true",
        "é",
        "\"<script>",
    ];
    for _ in 0..500 {
        let parts: Vec<String> = (0..random.random_range(0..9))
            .map(|_| {
                let name = names[random.random_range(0..names.len())];
                let value = (0..random.random_range(0..3)).map(|_| pieces[random.random_range(0..pieces.len())]);
                format!("{name}={}", value.collect::<String>())
            })
            .collect();
        let query = parts.join("&");
        let reply = app.get(&format!("/checkVersion?{query}")).await;
        assert!(matches!(reply.status, 200 | 400) && reply.json().is_object(), "{query}: {reply:?}");
        let reply = app.get(&format!("/telemetry/beacon?{query}")).await;
        assert_eq!((reply.status, reply.text.as_str()), (204, ""), "{query}");
    }
}
