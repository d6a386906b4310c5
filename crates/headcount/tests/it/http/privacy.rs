//! Devices whose users do not want to be counted, and ids that look as if they named somebody.

use serde_json::{Value, json};

use super::shop::open;
use crate::app::{Caller, TestApp};
use crate::journal::{events, tallies};

const PLACE: &str = "app_name=myapp&channel=stable&platform=darwin&arch=amd64";
const DEVICE: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

/// What becomes of a check and of a beacon with these headers: the same of both.
async fn outcome(app: &TestApp, query: &str, headers: &[(&str, &str)]) -> String {
    let mut outcomes = Vec::new();
    for (path, status) in [("/checkVersion", 200), ("/telemetry/beacon", 204)] {
        let mut request = app.request("GET", &format!("{path}?{PLACE}&version=1.0.0{query}"));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let reply = request.send().await;
        assert_eq!(reply.status, status, "{reply:?}");
        outcomes.push(reply.header("headcount").unwrap().to_owned());
    }
    assert_eq!(outcomes[0], outcomes[1]);
    outcomes.remove(0)
}

async fn settle(caller: &Caller<'_>, change: Value) {
    let reply = caller.post("/settings", &change).await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[tokio::test]
async fn who_opts_out_is_answered_and_not_counted() {
    let app = TestApp::start().await;
    let acme = open(&app, "acme").await;
    let id = ("X-Device-ID", DEVICE);
    for (headers, expected) in [
        ([("Sec-GPC", "1"), id], "skipped; reason=opt-out"),
        ([("DNT", "1"), id], "skipped; reason=opt-out"),
        // The first reason that applies is given.
        ([("DNT", "1"), ("X-Device-ID", "short")], "skipped; reason=opt-out"),
        ([("DNT", "1"), ("Sec-GPC", "0")], "skipped; reason=opt-out"),
        ([("DNT", "0"), ("Sec-GPC", "0")], "skipped; reason=no-device"),
        ([("DNT", "0"), id], "recorded"),
        ([("DNT", "unspecified"), id], "recorded"),
        ([("Sec-GPC", "true"), id], "recorded"),
    ] {
        assert_eq!(outcome(&app, "", &headers).await, expected, "{headers:?}");
    }
    let path = format!("/checkVersion?{PLACE}&version=1.0.0");
    let counted = app.request("GET", &path).header("X-Device-ID", DEVICE).send().await;
    let left_out = app.request("GET", &path).header("X-Device-ID", DEVICE).header("Sec-GPC", "1").send().await;
    assert_eq!((left_out.status, left_out.text), (counted.status, counted.text));
    let refused = app.request("GET", "/checkVersion?app_name=myapp").header("DNT", "1").send().await;
    assert_eq!((refused.status, refused.header("headcount")), (400, Some("skipped; reason=refused")));

    settle(&acme, json!({"opt_out_signals": false})).await;
    assert_eq!(outcome(&app, "", &[("Sec-GPC", "1"), id]).await, "recorded");
    let apps = acme.get("/app/list").await.json();
    settle(&acme, json!({"opt_out_signals": true, "apps": [{"id": apps["apps"][0]["ID"], "telemetry": false}]})).await;
    assert_eq!(outcome(&app, "", &[("Sec-GPC", "1"), id]).await, "skipped; reason=disabled");

    let directory = app.directory().to_owned();
    app.stop().await;
    assert_eq!(events(&directory).len(), 9);
    let expected = [("no-device", 2), ("opt-out", 9)];
    let expected = expected.map(|(reason, count)| (("skipped".to_owned(), reason.to_owned()), count));
    assert_eq!(tallies(&directory), expected.into());
}

/// Ids that look personal, in which way, and whether they can be device ids at all.
const PERSONAL: [(&str, &str, bool); 8] = [
    ("me@example.org", "email", false),
    ("192.168.178.21", "ipv4", true),
    ("2001:db8::7334", "ipv6", true),
    ("00:1A:2B:3C:4D:5E", "mac", true),
    ("00-1a-2b-3c-4d-5e", "mac", true),
    ("4917012345678", "phone", true),
    ("+4917012345678", "phone", false),
    ("490154203237518", "imei", true),
];

#[tokio::test]
async fn ids_that_look_personal_are_counted_and_tallied_by_kind() {
    let app = TestApp::start().await;
    let acme = open(&app, "acme").await;
    for (id, _, is_accepted) in PERSONAL {
        let expected = if is_accepted { "recorded" } else { "skipped; reason=bad-device" };
        assert_eq!(outcome(&app, "", &[("X-Device-ID", id)]).await, expected, "{id}");
    }
    assert_eq!(outcome(&app, "", &[("X-Device-ID", DEVICE)]).await, "recorded");
    let now = jiff::Timestamp::from_millisecond(app.clock.now().0).unwrap();
    let line = |id: &str| format!("{{\"at\": \"{now}\", \"app_name\": \"myapp\", \"device_id\": \"{id}\"}}\n");
    let import = || [line("192.168.178.22"), line("192.168.178.23"), line(DEVICE)].concat();
    let reply = acme.request("POST", "/telemetry/import").body(import()).send().await;
    assert_eq!(reply.both(), (200, json!({"accepted": 3, "rejected": 0, "errors": []})));
    let numbered = acme.request("POST", "/telemetry/import").header("Import-Chunk", "0");
    let reply = numbered.header("Import-Id", DEVICE).body(line("192.168.178.24")).send().await;
    assert_eq!(reply.both(), (200, json!({"accepted": 1, "rejected": 0, "errors": []})));

    // The tallies of the segments are those of the spool, and no other.
    let directory = app.directory().to_owned();
    let app = app.restart().await;
    let by_kind = [("email", 2), ("imei", 2), ("ipv4", 5), ("ipv6", 2), ("mac", 4), ("phone", 4)];
    let expected = by_kind.map(|(kind, count)| (("personal-id".to_owned(), kind.to_owned()), count));
    let mut tallied = tallies(&directory);
    assert_eq!(tallied.remove(&("skipped".to_owned(), "bad-device".to_owned())), Some(4));
    assert_eq!(tallied, expected.into());
    assert_eq!(stored(&app).await, by_kind.map(|(kind, count)| (kind.to_owned(), count)));
}

/// What the store has of ids that look personal.
async fn stored(app: &TestApp) -> Vec<(String, u64)> {
    use headcount::background::Background;
    use headcount::store::cache::SegmentCache;
    use headcount_engine::day::Day;
    use headcount_engine::report::Source;

    app.app.shipping.flush().await.unwrap();
    let cache = SegmentCache::new(1 << 20, Background::new().unwrap());
    let mut sources = Vec::new();
    for owner in app.app.store.owners().await.unwrap() {
        let segments = cache.segments(&app.app.store, owner, Day(0)..=Day(i32::MAX)).await.unwrap();
        sources.extend(segments.seen.into_iter().map(|seen| Source {
            day: seen.day,
            app: seen.app,
            segment: seen.segment,
        }));
    }
    let tallied = headcount_engine::tally::tallied(&sources, headcount_engine::personal::TALLY);
    tallied.into_iter().map(|((_, kind), count)| (kind.into(), count)).collect()
}

#[tokio::test]
async fn in_strict_mode_ids_that_look_personal_are_refused() {
    let app = TestApp::start().await;
    let acme = open(&app, "acme").await;
    open(&app, "other").await;
    settle(&acme, json!({"strict_ids": true})).await;
    for (id, _, is_accepted) in PERSONAL {
        assert_eq!(outcome(&app, "", &[("X-Device-ID", id)]).await, "skipped; reason=bad-device", "{id}");
        let theirs = if is_accepted { "recorded" } else { "skipped; reason=bad-device" };
        assert_eq!(outcome(&app, "&owner=other", &[("X-Device-ID", id)]).await, theirs, "{id}");
    }
    assert_eq!(outcome(&app, "", &[("X-Device-ID", DEVICE)]).await, "recorded");
    let now = jiff::Timestamp::from_millisecond(app.clock.now().0).unwrap();
    let line = format!(r#"{{"at": "{now}", "app_name": "myapp", "device_id": "192.168.178.22"}}"#);
    let reply = acme.request("POST", "/telemetry/import").body(line).send().await;
    let refused = json!({"line": 1, "error": "device_id looks personal (ipv4)"});
    assert_eq!(reply.both(), (200, json!({"accepted": 0, "rejected": 1, "errors": [refused]})));
    let directory = app.directory().to_owned();
    app.stop().await;
    assert_eq!(events(&directory).len(), 2 + 12);
    let tallied = tallies(&directory);
    let number = |kind: &str, value: &str| tallied.get(&(kind.to_owned(), value.to_owned())).copied();
    assert_eq!((number("skipped", "bad-device"), number("personal-id", "mac")), (Some(20), Some(8)));
}
