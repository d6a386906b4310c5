//! `GET /telemetry/upgrades`.

use serde_json::{Value, json};

use super::{FLEET, Line, at_noon, csv, import, numbers, open};

const FIELDS: [&str; 6] = ["devices", "stayed", "moved", "new", "returned", "gone"];

/// One that comes back after a fortnight, one that is not seen for more than a week, one that updates.
const MORE: [Line<'static>; 5] = [
    (12, 8, "desk", "device-0005", "1.0.0", "stable", "darwin", "arm64", Some(false)),
    (0, 8, "desk", "device-0005", "1.10.0", "stable", "darwin", "arm64", Some(true)),
    (8, 8, "desk", "device-0006", "1.0.0", "stable", "darwin", "arm64", Some(false)),
    (3, 8, "desk", "device-0007", "1.0.0", "stable", "darwin", "arm64", Some(false)),
    (1, 8, "desk", "device-0007", "1.1.0", "stable", "darwin", "arm64", Some(true)),
];

const DAYS: &str = "from=2026-05-25&to=2026-05-27";

fn flow(from: &str, to: &str, devices: u64) -> Value {
    let end = |text: &str| match text {
        "new" | "returned" | "gone" => json!({"kind": text}),
        version => json!({"kind": "version", "version": version}),
    };
    json!({"from": end(from), "to": end(to), "devices": devices})
}

fn answer(flows: &Value, [stayed, moved, new, returned, gone]: [u64; 5]) -> Value {
    json!({
        "from": "2026-05-25", "to": "2026-05-27", "incomplete": [], "flows": flows,
        "totals": {"stayed": stayed, "moved": moved, "new": new, "returned": returned, "gone": gone},
    })
}

#[tokio::test]
async fn devices_flow_from_version_to_version() {
    let (app, _clock) = at_noon().await;
    let caller = open(&app, "acme").await;
    import(&caller, &FLEET).await;
    import(&caller, &MORE).await;
    let flows = json!([
        flow("1.1.0", "1.1.0", 1),
        flow("1.0.0", "1.1.0", 1),
        flow("1.0.0", "1.0.0", 1),
        flow("1.0.0", "gone", 1),
        flow("new", "1.10.0", 1),
        flow("new", "1.1.0", 1),
        flow("returned", "1.10.0", 1),
    ]);
    for (filters, flows, totals) in [
        ("", flows, [2, 1, 2, 1, 1]),
        ("&versions=1.10.0", json!([flow("new", "1.10.0", 1), flow("returned", "1.10.0", 1)]), [0, 0, 1, 1, 0]),
        // On linux, the third device is one with the version of its other app.
        (
            "&platforms=linux",
            json!([flow("1.0.0", "1.0.0", 1), flow("new", "1.10.0", 1), flow("new", "0.9", 1)]),
            [1, 0, 2, 0, 0],
        ),
        ("&apps=tool", json!([flow("new", "0.9", 1)]), [0, 0, 1, 0, 0]),
        ("&statuses=held", json!([]), [0; 5]),
    ] {
        let reply = caller.get(&format!("/telemetry/upgrades?{DAYS}{filters}")).await;
        assert_eq!(numbers(&reply, &FIELDS), answer(&flows, totals), "{filters}");
    }

    let path = format!("/telemetry/upgrades?{DAYS}&versions=1.0.0");
    let rows = "from,from_version,to,to_version,devices\r\nversion,1.0.0,version,1.1.0,1\r\n\
                version,1.0.0,version,1.0.0,1\r\nversion,1.0.0,gone,,1\r\n";
    assert_eq!(csv(&caller, &path).await, rows);
    let totals = "stayed,moved,new,returned,gone\r\n1,1,0,0,1\r\n";
    assert_eq!(csv(&caller, &format!("{path}&table=totals")).await, totals);
}

#[tokio::test]
async fn days_before_the_first_one_matter_and_are_told_where_they_lack() {
    let (app, _clock) = at_noon().await;
    let caller = open(&app, "acme").await;
    import(&caller, &FLEET).await;
    // The retention begins on 2026-04-27, the versions of 2026-05-01 are looked for from 2026-04-25 on.
    let reply = caller.get("/telemetry/upgrades?from=2026-05-01&to=2026-05-25").await;
    let expected = json!({
        "from": "2026-05-01", "to": "2026-05-25", "incomplete": ["2026-04-25", "2026-04-26"],
        "flows": [flow("new", "1.1.0", 1), flow("new", "1.0.0", 1)],
        "totals": {"stayed": 0, "moved": 0, "new": 2, "returned": 0, "gone": 0},
    });
    assert_eq!(numbers(&reply, &FIELDS), expected);
}
