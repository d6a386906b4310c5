//! The golden fleets: events and the reports that they must give, kept in `fixtures/golden`.
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be read fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;

use headcount_engine::day::{Day, Millis};
use headcount_engine::dimension::{Dimension, Status, Value};
use headcount_engine::event::Values;
use headcount_engine::id::{AppId, Id};
use headcount_engine::report::{Filters, Query, Report, Source, Totals, evaluate};
use headcount_engine::segment::Fold;
use serde_json::{Value as Json, json};

const TODAY: Day = Day(20_000);

fn read(name: &str) -> String {
    let path = format!("{}/fixtures/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn day(offset: &Json) -> Day {
    TODAY.plus(offset.as_i64().unwrap() as i32)
}

fn app(name: &str) -> AppId {
    let mut bytes = [0; 12];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    AppId(Id::from_bytes(bytes))
}

const NAMED: [(Dimension, &str, &str); 4] = [
    (Dimension::Version, "version", "versions"),
    (Dimension::Channel, "channel", "channels"),
    (Dimension::Platform, "platform", "platforms"),
    (Dimension::Arch, "arch", "architectures"),
];

fn fleet(number: u32) -> Vec<Source> {
    let mut ordinals = BTreeMap::new();
    let mut folds: BTreeMap<(Day, AppId), Fold> = BTreeMap::new();
    for (at, line) in read(&format!("fleet-{number}.ndjson")).lines().enumerate() {
        let event: Json = serde_json::from_str(line).unwrap();
        let known = ordinals.len() as u32;
        let ordinal = *ordinals.entry(event["device_id"].as_str().unwrap().to_owned()).or_insert(known);
        let mut values = Values::default();
        for (dimension, field, _) in NAMED {
            values[dimension] = event[field].as_str().map(Value::new);
        }
        let status = |latest| if latest { Status::Latest } else { Status::Outdated };
        values[Dimension::Status] = event["is_latest"].as_bool().map(status).map(Status::value);
        let (day, app) = (day(&event["day"]), app(event["app_name"].as_str().unwrap()));
        folds.entry((day, app)).or_default().record(ordinal, Millis(day.start().0 + at as i64), &values);
    }
    let source = |((day, app), fold): ((Day, AppId), Fold)| Source { day, app, segment: Arc::new(fold.finish()) };
    folds.into_iter().map(source).collect()
}

fn rendered(report: &Report) -> Json {
    let numbers = |totals: &Totals| {
        json!({
            "total_requests": totals.requests,
            "unique_clients": totals.devices,
            "clients_using_latest_version": totals.latest,
            "clients_outdated": totals.outdated_or_held,
        })
    };
    let mut summary = numbers(&report.totals);
    summary["total_active_apps"] = report.active_apps.into();
    let known: Vec<&str> = report.known_versions.iter().map(AsRef::as_ref).collect();
    let daily = report.daily.iter().map(|(day, totals)| {
        let mut row = numbers(totals);
        row["date"] = (day.0 - TODAY.0).into();
        row
    });
    let mut rendered = json!({ "summary": summary, "known_versions": known, "daily": daily.collect::<Vec<_>>() });
    for (dimension, _, field) in NAMED {
        let rows = report.rows(dimension).iter().map(|row| (row.label.to_string(), row.devices.into()));
        rendered[field] = rows.collect::<serde_json::Map<String, Json>>().into();
    }
    rendered
}

fn check(number: u32, queries: usize) {
    let sources = fleet(number);
    let reports: Vec<Json> = serde_json::from_str(&read(&format!("reports-{number}.json"))).unwrap();
    assert_eq!(reports.len(), queries);
    for expected in &reports {
        let mut filters = Filters::default();
        for (dimension, _, field) in NAMED {
            if let Some(names) = expected[field].as_array() {
                filters.set(dimension, names.iter().map(|name| Value::new(name.as_str().unwrap())).collect());
            }
        }
        let apps = expected["apps"].as_array();
        let apps: Option<BTreeSet<AppId>> =
            apps.map(|names| names.iter().map(|name| app(name.as_str().unwrap())).collect());
        let in_scope = |source: &&Source| apps.as_ref().is_none_or(|apps| apps.contains(&source.app));
        let in_scope: Vec<Source> = sources.iter().filter(in_scope).cloned().collect();
        let query = Query { first: day(&expected["from"]), last: day(&expected["to"]), filters };
        let report = evaluate(&query, &in_scope, &|_, value| value.as_str().into());
        assert_eq!(rendered(&report), expected["report"], "fleet {number}, {query:?}");
    }
}

#[test]
fn fleet_1_gives_its_reports() {
    check(1, 30);
}

#[test]
fn fleet_2_gives_its_reports() {
    check(2, 45);
}

#[test]
fn fleet_3_gives_its_reports() {
    check(3, 45);
}
