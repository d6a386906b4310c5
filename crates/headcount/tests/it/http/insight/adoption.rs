//! `GET /telemetry/adoption`.

use serde_json::{Value, json};

use super::{FLEET, at_noon, csv, import, numbers, open};
use crate::app::Caller;

const FIELDS: [&str; 8] = ["age", "devices", "adopted", "share", "held", "t50", "t90", "t95"];

async fn release(caller: &Caller<'_>, version: &str, channel: &str, published_at: &str) {
    let link = format!("https://dl.example.org/desk-{version}.dmg");
    let body = json!({
        "app_name": "desk", "version": version, "channel": channel, "publish": true, "published_at": published_at,
        "artifacts": [{"platform": "darwin", "arch": "arm64", "package": ".dmg", "link": link}],
    });
    assert_eq!(caller.post("/release/create", &body).await.status, 201);
}

fn day(date: &str, age: u64, [devices, adopted]: [u64; 2], share: f64) -> Value {
    json!({"date": date, "age": age, "devices": devices, "adopted": adopted, "share": share, "held": 0})
}

fn expected_first() -> Value {
    json!({
        "version": "1.1.0", "channel": "stable", "published_at": "2026-05-25T06:00:00.000Z",
        "days": [
            day("2026-05-25", 0, [2, 1], 0.5), day("2026-05-26", 1, [1, 0], 0.0), day("2026-05-27", 2, [2, 2], 1.0),
        ],
        "platforms": [
            {"platform": "linux", "days": [
                day("2026-05-25", 0, [1, 0], 0.0), day("2026-05-26", 1, [1, 0], 0.0), day("2026-05-27", 2, [1, 1], 1.0),
            ]},
            {"platform": "darwin", "days": [
                day("2026-05-25", 0, [1, 1], 1.0), day("2026-05-26", 1, [0, 0], 0.0), day("2026-05-27", 2, [1, 1], 1.0),
            ]},
        ],
        // Today has 100 %, but is not over.
        "t50": {"date": "2026-05-25", "age": 0}, "t90": null, "t95": null,
    })
}

#[tokio::test]
async fn releases_are_followed_from_their_publication() {
    let (app, clock) = at_noon().await;
    let caller = open(&app, "acme").await;
    import(&caller, &FLEET).await;
    for (version, channel, at) in [
        ("1.1.0", "stable", "2026-05-25T06:00:00Z"),
        ("1.1.0", "beta", "2026-05-26T06:00:00Z"),
        ("1.10.0", "stable", "2026-05-27T00:00:00Z"),
    ] {
        release(&caller, version, channel, at).await;
    }
    let second = json!({
        "version": "1.10.0", "channel": "stable", "published_at": "2026-05-27T00:00:00.000Z",
        "days": [day("2026-05-27", 0, [2, 1], 0.5)],
        "platforms": [
            {"platform": "darwin", "days": [day("2026-05-27", 0, [1, 0], 0.0)]},
            {"platform": "linux", "days": [day("2026-05-27", 0, [1, 1], 1.0)]},
        ],
        "t50": null, "t90": null, "t95": null,
    });
    let answer = caller.get("/telemetry/adoption?app=desk&version=v1.1.0&compare=1.10.0").await;
    let expected = json!({
        "from": "2026-05-25", "to": "2026-05-27", "incomplete": [], "app": "desk", "unknown": [],
        "releases": [expected_first(), second],
    });
    assert_eq!(numbers(&answer, &FIELDS), expected);

    // Without a version the newest one is meant; `apps` may say which app it is of.
    let newest = numbers(&caller.get("/telemetry/adoption?apps=desk").await, &FIELDS);
    assert_eq!(newest["releases"], json!([second]));
    // A release of another channel is one of its devices.
    let beta = numbers(&caller.get("/telemetry/adoption?app=desk&version=1.1.0&channel=beta").await, &FIELDS);
    assert_eq!(
        beta["releases"][0]["days"],
        json!([day("2026-05-26", 0, [1, 1], 1.0), day("2026-05-27", 1, [0, 0], 0.0)])
    );
    assert_eq!(beta["releases"][0]["t95"], json!({"date": "2026-05-26", "age": 0}));
    // Filters hold; the days end with the range.
    let linux = caller.get("/telemetry/adoption?app=desk&version=1.1.0&platforms=linux&date=2026-05-26").await;
    let linux = numbers(&linux, &FIELDS);
    assert_eq!(
        linux["releases"][0]["days"],
        json!([day("2026-05-25", 0, [1, 0], 0.0), day("2026-05-26", 1, [1, 0], 0.0)])
    );

    let path = "/telemetry/adoption?app=desk&version=1.1.0";
    let days = "version,channel,date,age,devices,adopted,share,held\r\n1.1.0,stable,2026-05-25,0,2,1,0.5,0\r\n\
                1.1.0,stable,2026-05-26,1,1,0,0,0\r\n1.1.0,stable,2026-05-27,2,2,2,1,0\r\n";
    assert_eq!(csv(&caller, path).await, days);
    let platforms = csv(&caller, &format!("{path}&table=platforms&date=2026-05-25")).await;
    let expected = "version,channel,platform,date,age,devices,adopted,share,held\r\n\
                    1.1.0,stable,darwin,2026-05-25,0,1,1,1,0\r\n1.1.0,stable,linux,2026-05-25,0,1,0,0,0\r\n";
    assert_eq!(platforms, expected);
    let milestones = csv(&caller, &format!("{path}&table=milestones")).await;
    let expected = "version,channel,milestone,date,age\r\n1.1.0,stable,t50,2026-05-25,0\r\n1.1.0,stable,t90,,\r\n\
                    1.1.0,stable,t95,,\r\n";
    assert_eq!(milestones, expected);

    // Tomorrow, today is over.
    clock.advance(std::time::Duration::from_hours(24));
    let answer = caller.get(&format!("{path}&date=2026-05-27")).await.json();
    assert_eq!(answer["releases"][0]["t95"], json!({"date": "2026-05-27", "age": 2}));
}

#[tokio::test]
async fn what_followed_a_publication_too_long_ago_is_unknown() {
    let (app, _clock) = at_noon().await;
    let caller = open(&app, "acme").await;
    import(&caller, &FLEET).await;
    release(&caller, "1.1.0", "stable", "2026-04-25T06:00:00Z").await;
    let answer = numbers(&caller.get("/telemetry/adoption?app=desk").await, &FIELDS);
    let gone = ["2026-04-25", "2026-04-26"];
    let reason = "the devices of these days, which followed the publication, are no longer retained";
    let unknown = |field: &str| json!({"field": format!("1.1.0 {field}"), "dates": gone, "reason": reason});
    assert_eq!(answer["unknown"], json!(["days", "t50", "t90", "t95"].map(unknown)));
    assert_eq!((&answer["incomplete"], &answer["from"]), (&json!(gone), &json!("2026-04-25")));
    let found = &answer["releases"][0];
    assert_eq!((&found["days"][0]["date"], &found["days"][0]["age"]), (&json!("2026-04-27"), &json!(2)));
    assert_eq!((&found["t50"], &found["t90"], &found["t95"]), (&Value::Null, &Value::Null, &Value::Null));
}

#[tokio::test]
async fn what_is_not_published_is_refused() {
    let (app, _clock) = at_noon().await;
    let caller = open(&app, "acme").await;
    let nothing = numbers(&caller.get("/telemetry/adoption?app=tool").await, &FIELDS);
    assert_eq!((&nothing["releases"], &nothing["app"]), (&json!([]), &json!("tool")));
    let missing = |error: &str, field: &str| json!({"error": error, "code": "not_found", "field": field});
    for (parameters, status, expected) in [
        (
            "",
            400,
            json!({
                "error": "app is required where there are several", "code": "invalid", "field": "app",
                "accepted": "the name of an app"
            }),
        ),
        ("app=nothing", 404, missing("there is no app of this name", "app")),
        ("app=desk&channel=nothing", 404, missing("there is no channel of this name", "channel")),
        ("app=desk&version=9.9.9", 404, missing("no release of this version is published", "version")),
        ("app=desk&compare=9.9.9", 404, missing("no release of this version is published", "compare")),
        (
            "app=desk&version=x",
            400,
            json!({
                "error": "version is no version", "code": "invalid", "field": "version",
                "accepted": "the version of a release"
            }),
        ),
    ] {
        let reply = caller.get(&format!("/telemetry/adoption?{parameters}")).await;
        assert_eq!(reply.both(), (status, expected), "{parameters}");
    }
    let carol = Caller::team(&app, &caller, "carol", &json!({})).await;
    for (parameters, field) in [("app=desk", "app"), ("app=nothing", "app"), ("apps=desk", "apps")] {
        let reply = carol.get(&format!("/telemetry/adoption?{parameters}")).await;
        let expected = json!({
            "error": format!("{field} names something that you were not granted"), "code": "forbidden", "field": field,
            "accepted": "names of resources that you were granted"
        });
        assert_eq!(reply.both(), (403, expected), "{parameters}");
    }
}
