//! `GET /telemetry/matrix`.

use serde_json::json;

use super::{FLEET, at_noon, csv, import, numbers, open};

const FIELDS: [&str; 3] = ["cells", "total", "column_totals"];

#[tokio::test]
async fn devices_are_counted_by_two_dimensions_and_totals_are_no_sums() {
    let (app, _clock) = at_noon().await;
    let caller = open(&app, "acme").await;
    import(&caller, &FLEET).await;
    let days = "from=2026-05-25&to=2026-05-27";
    let row = |value: &str, total: u64, cells: [u64; 2]| json!({"value": value, "total": total, "cells": cells});

    let answer = caller.get(&format!("/telemetry/matrix?{days}")).await;
    // device-0003 is one device of four, on two platforms.
    let expected = json!({
        "from": "2026-05-25", "to": "2026-05-27", "incomplete": [], "rows_by": "version", "columns_by": "platform",
        "columns": ["linux", "darwin"], "column_totals": [3, 2],
        "rows": [
            row("1.1.0", 2, [0, 2]), row("1.10.0", 1, [1, 0]), row("1.0.0", 1, [1, 0]), row("0.9", 1, [1, 0])
        ],
        "total": 4,
    });
    assert_eq!(numbers(&answer, &FIELDS), expected);

    let answer = caller.get(&format!("/telemetry/matrix?rows=status&columns=arch&apps=desk&{days}")).await;
    let expected = json!({
        "from": "2026-05-25", "to": "2026-05-27", "incomplete": [], "rows_by": "status", "columns_by": "arch",
        "columns": ["arm64", "amd64"], "column_totals": [3, 1],
        "rows": [row("latest", 3, [3, 0]), row("outdated", 1, [0, 1])], "total": 4,
    });
    assert_eq!(numbers(&answer, &FIELDS), expected);
    let table = csv(&caller, &format!("/telemetry/matrix?rows=status&columns=arch&apps=desk&{days}")).await;
    assert_eq!(table, "status,arm64,amd64,(total)\r\nlatest,3,0,3\r\noutdated,0,1,1\r\n(total),3,1,4\r\n");

    let empty = caller.get("/telemetry/matrix?date=2026-05-20").await;
    let expected = json!({
        "from": "2026-05-20", "to": "2026-05-20", "incomplete": [], "rows_by": "version", "columns_by": "platform",
        "columns": [], "column_totals": [], "rows": [], "total": 0,
    });
    assert_eq!(numbers(&empty, &FIELDS), expected);
}

#[tokio::test]
async fn a_matrix_has_two_dimensions() {
    let (app, _clock) = at_noon().await;
    let caller = open(&app, "acme").await;
    let dimensions = "version, channel, platform, arch, status";
    for (parameters, error, field, accepted) in [
        ("rows=device", "rows is not a dimension", "rows", dimensions),
        ("columns=x", "columns is not a dimension", "columns", dimensions),
        ("rows=platform", "rows and columns are the same dimension", "columns", "two dimensions"),
        ("apps=desk&from=2026-05-25", "from is given without to", "to", "both from and to"),
    ] {
        let reply = caller.get(&format!("/telemetry/matrix?{parameters}")).await;
        let expected = json!({"error": error, "code": "invalid", "field": field, "accepted": accepted});
        assert_eq!(reply.both(), (400, expected), "{parameters}");
    }
}
