//! `GET /telemetry/breakdown`.

use serde_json::{Value, json};

use super::{FLEET, at_noon, csv, import, numbers, open};

const FIELDS: [&str; 3] = ["requests", "devices", "share"];

fn row(value: &str, devices: u64, share: f64, requests: u64) -> Value {
    json!({"value": value, "devices": devices, "share": share, "requests": requests})
}

#[tokio::test]
async fn devices_are_broken_down_by_any_dimension_and_by_day() {
    let (app, _clock) = at_noon().await;
    let caller = open(&app, "acme").await;
    import(&caller, &FLEET).await;
    let days = "from=2026-05-25&to=2026-05-27";

    let answer = caller.get(&format!("/telemetry/breakdown?by=version&over=time&{days}")).await;
    let day = |date: &str, values: [u64; 4]| json!({"date": date, "values": values});
    let expected = json!({
        "from": "2026-05-25", "to": "2026-05-27", "incomplete": [], "by": "version",
        // 1.0.0 has the request of a device that ended its day on 1.1.0.
        "rows": [row("1.1.0", 2, 0.5, 4), row("1.10.0", 1, 0.25, 1), row("1.0.0", 1, 0.25, 3), row("0.9", 1, 0.25, 1)],
        "total": {"devices": 4, "requests": 9},
        "series": [
            day("2026-05-25", [1, 0, 1, 0]), day("2026-05-26", [1, 0, 1, 1]), day("2026-05-27", [1, 1, 0, 0])
        ],
    });
    assert_eq!(numbers(&answer, &FIELDS), expected);
    let without = caller.get(&format!("/telemetry/breakdown?{days}")).await;
    let mut expected = expected;
    expected["series"] = Value::Null;
    assert_eq!(numbers(&without, &FIELDS), expected);

    for (by, rows) in [
        ("channel", json!([row("stable", 4, 1.0, 8), row("beta", 1, 0.25, 1)])),
        ("platform", json!([row("linux", 3, 0.75, 4), row("darwin", 2, 0.5, 5)])),
        ("arch", json!([row("arm64", 3, 0.75, 6), row("amd64", 2, 0.5, 3)])),
        ("status", json!([row("latest", 3, 0.75, 5), row("outdated", 1, 0.25, 3)])),
    ] {
        let answer = numbers(&caller.get(&format!("/telemetry/breakdown?by={by}&{days}")).await, &FIELDS);
        assert_eq!((&answer["rows"], &answer["by"]), (&rows, &json!(by)));
        assert_eq!(answer["total"], json!({"devices": 4, "requests": 9}));
    }
}

#[tokio::test]
async fn a_breakdown_obeys_all_filters() {
    let (app, _clock) = at_noon().await;
    let caller = open(&app, "acme").await;
    import(&caller, &FLEET).await;
    for (filters, rows, total) in [
        ("apps=tool", json!([row("0.9", 1, 1.0, 1)]), (1, 1)),
        ("platforms=macos", json!([row("1.1.0", 2, 1.0, 4)]), (2, 5)),
        ("versions=1.0.0,v1.10.0", json!([row("1.10.0", 1, 0.5, 1), row("1.0.0", 1, 0.5, 3)]), (2, 4)),
        ("statuses=outdated", json!([row("1.0.0", 1, 1.0, 3)]), (1, 3)),
        ("statuses=outdated,held,latest&architectures=amd64", json!([row("1.0.0", 1, 1.0, 2)]), (1, 2)),
        ("versions=(other)", json!([]), (0, 0)),
        ("versions=7.7", json!([]), (0, 0)),
    ] {
        let answer = caller.get(&format!("/telemetry/breakdown?from=2026-05-25&to=2026-05-27&{filters}")).await;
        let expected = json!({
            "from": "2026-05-25", "to": "2026-05-27", "incomplete": [], "by": "version", "rows": rows,
            "total": {"devices": total.0, "requests": total.1}, "series": null,
        });
        assert_eq!(numbers(&answer, &FIELDS), expected, "{filters}");
    }
    // The same two filters are understood by every report.
    let report = caller.get("/telemetry?versions=1.1.0&statuses=latest").await.json();
    assert_eq!(report["summary"]["unique_clients"], 1);
}

#[tokio::test]
async fn tables_are_csv_where_the_caller_prefers_it() {
    let (app, _clock) = at_noon().await;
    let caller = open(&app, "acme").await;
    import(&caller, &FLEET).await;
    let path = "/telemetry/breakdown?by=platform&over=time&from=2026-05-25&to=2026-05-27";
    let rows = "platform,devices,share,requests\r\nlinux,3,0.75,4\r\ndarwin,2,0.5,5\r\n";
    assert_eq!(csv(&caller, path).await, rows);
    assert_eq!(csv(&caller, &format!("{path}&table=rows")).await, rows);
    let series = "date,linux,darwin\r\n2026-05-25,1,1\r\n2026-05-26,2,1\r\n2026-05-27,1,1\r\n";
    assert_eq!(csv(&caller, &format!("{path}&table=series")).await, series);

    let refused = caller.request("GET", "/telemetry/breakdown?table=series").header("Accept", "text/csv").send().await;
    let expected = json!({
        "error": "the answer has no table of this name", "code": "invalid", "field": "table", "accepted": "rows"
    });
    assert_eq!(refused.both(), (400, expected));
    // Who takes either gets JSON, and a table is chosen for CSV only.
    assert_eq!(caller.get("/telemetry/breakdown?table=series").await.json()["by"], "version");
}

#[tokio::test]
async fn what_is_no_question_is_refused() {
    let (app, _clock) = at_noon().await;
    let caller = open(&app, "acme").await;
    let dimensions = "version, channel, platform, arch, status";
    for (parameters, error, field, accepted) in [
        ("by=device", "by is not a dimension", "by", dimensions),
        ("by=Version", "by is not a dimension", "by", dimensions),
        ("over=space", "over is not time", "over", "time"),
        ("versions=x", "versions names something that is no version", "versions", "versions, or (other)"),
        ("statuses=late", "statuses names something that is no status", "statuses", "latest, outdated or held"),
        ("range=year", "Invalid range parameter. Use 'week' or 'month'", "range", "week or month"),
    ] {
        let reply = caller.get(&format!("/telemetry/breakdown?{parameters}")).await;
        let expected = json!({"error": error, "code": "invalid", "field": field, "accepted": accepted});
        assert_eq!(reply.both(), (400, expected), "{parameters}");
    }
}
