//! The golden fleets, imported and reported over HTTP.

use std::collections::{BTreeMap, BTreeSet};

use headcount::clock::Clock;
use headcount_engine::day::{DAY_MILLIS, Day, Millis};
use serde_json::{Value, json};

use crate::app::{Caller, TestApp};

const TODAY: Day = Day(20_700);

fn read(name: &str) -> String {
    let path = format!("{}/../headcount-engine/fixtures/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn day(offset: &Value) -> Day {
    TODAY.plus(i32::try_from(offset.as_i64().unwrap()).unwrap())
}

/// The fleet as lines of an import.
fn fleet(number: u32) -> Vec<Value> {
    let line = |(at, text): (usize, &str)| {
        let mut line: Value = serde_json::from_str(text).unwrap();
        let moment = Millis(day(&line["day"]).start().0 + i64::try_from(at).unwrap());
        line["at"] = jiff::Timestamp::from_millisecond(moment.0).unwrap().to_string().into();
        line.as_object_mut().unwrap().remove("day");
        line
    };
    read(&format!("fleet-{number}.ndjson")).lines().enumerate().map(line).collect()
}

/// Creates everything that the lines name.
async fn open_catalog(caller: &Caller<'_>, lines: &[Value]) {
    let names = |field: &str| lines.iter().filter_map(|line| line[field].as_str()).collect::<BTreeSet<&str>>();
    for app in names("app_name") {
        caller.app(app).await;
    }
    for kind in ["channel", "platform", "arch"] {
        for name in names(kind) {
            caller.part(kind, name).await;
        }
    }
}

/// The path that asks what a query of the fixture asks.
fn path(query: &Value) -> String {
    let days = ["from", "to"].into_iter().filter(|end| !query[end].is_null());
    let mut parts: Vec<String> = days.map(|end| format!("{end}={}", day(&query[end]))).collect();
    for field in ["apps", "channels", "platforms", "architectures"] {
        if let Some(names) = query[field].as_array() {
            let names: Vec<&str> = names.iter().map(|name| name.as_str().unwrap()).collect();
            parts.push(format!("{field}={}", names.join(",")));
        }
    }
    format!("/telemetry?{}", parts.join("&"))
}

/// The reply in the form of the fixture: what has no order as maps, days as offsets.
fn rendered(reply: &Value) -> Value {
    let map = |list: &Value, name: &str| {
        let rows = list.as_array().into_iter().flatten();
        rows.map(|row| (row[name].as_str().unwrap().to_owned(), row["client_count"].clone()))
            .collect::<BTreeMap<String, Value>>()
    };
    let daily = reply["daily_stats"].as_array().unwrap().iter().map(|row| {
        let mut row = row.clone();
        row["date"] = (row["date"].as_str().unwrap().parse::<Day>().unwrap().0 - TODAY.0).into();
        row
    });
    json!({
        "summary": reply["summary"],
        "known_versions": reply["versions"]["known_versions"].as_array().cloned().unwrap_or_default(),
        "versions": map(&reply["versions"]["usage"], "version"),
        "platforms": map(&reply["platforms"], "platform"),
        "architectures": map(&reply["architectures"], "arch"),
        "channels": map(&reply["channels"], "channel"),
        "daily": daily.collect::<Vec<Value>>(),
    })
}

/// The same lines in another order, the same one each time.
fn shuffled(lines: &[Value]) -> Vec<Value> {
    let mut keyed: Vec<([u8; 32], &Value)> =
        lines.iter().map(|line| (*blake3::hash(line.to_string().as_bytes()).as_bytes(), line)).collect();
    keyed.sort_by_key(|&(key, _)| key);
    keyed.into_iter().map(|(_, line)| line.clone()).collect()
}

async fn check(number: u32, queries: usize) {
    let noon = Millis(TODAY.start().0 + DAY_MILLIS / 2);
    let app = TestApp::at(Clock::stopped_at(noon), &[]).await;
    let lines = fleet(number);
    let [told, any_order] = [Caller::new(&app, "told").await, Caller::new(&app, "any").await];
    for (caller, lines) in [(&told, lines.clone()), (&any_order, shuffled(&lines))] {
        open_catalog(caller, &lines).await;
        let body: Vec<String> = lines.iter().map(Value::to_string).collect();
        let reply = caller.request("POST", "/telemetry/import").body(body.join("\n")).send().await;
        assert_eq!(reply.both(), (200, json!({"accepted": lines.len(), "rejected": 0, "errors": []})));
    }
    let reports: Vec<Value> = serde_json::from_str(&read(&format!("reports-{number}.json"))).unwrap();
    assert_eq!(reports.len(), queries);
    for expected in &reports {
        for caller in [&told, &any_order] {
            let reply = caller.get(&path(expected)).await;
            assert_eq!(rendered(&reply.json()), expected["report"], "fleet {number}, {}", path(expected));
        }
    }
}

#[tokio::test]
async fn fleet_1_gives_its_reports() {
    check(1, 30).await;
}

#[tokio::test]
async fn fleet_2_gives_its_reports() {
    check(2, 45).await;
}

#[tokio::test]
async fn fleet_3_gives_its_reports() {
    check(3, 45).await;
}
