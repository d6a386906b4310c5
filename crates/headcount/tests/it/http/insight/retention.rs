//! `GET /telemetry/retention`.

use headcount::catalog::totals::KeptTotals;
use headcount_engine::id::OwnerId;
use serde_json::{Value, json};

use super::{FLEET, Line, TODAY, at_noon, csv, import, numbers, open};

const FIELDS: [&str; 2] = ["devices", "returned"];
const DAYS: &str = "from=2026-05-25&to=2026-05-27";

fn cohort(first: &str, devices: u64, returned: &[Option<u64>]) -> Value {
    json!({"first": first, "devices": devices, "returned": returned})
}

#[tokio::test]
async fn devices_come_back_day_by_day_and_week_by_week() {
    let (app, _clock) = at_noon().await;
    let caller = open(&app, "acme").await;
    import(&caller, &FLEET).await;
    let running =
        |dates: &[&str]| json!([{"field": "returned", "dates": dates, "reason": "The last day or week is not over."}]);
    let expected = json!({
        "from": "2026-05-25", "to": "2026-05-27", "incomplete": [], "by": "day",
        "cohorts": [
            cohort("2026-05-25", 2, &[Some(2), Some(1), None]),
            cohort("2026-05-26", 1, &[Some(1), None]),
            cohort("2026-05-27", 1, &[Some(1)]),
        ],
        "unknown": running(&["2026-05-25", "2026-05-26"]),
    });
    let reply = caller.get(&format!("/telemetry/retention?{DAYS}")).await;
    assert_eq!(numbers(&reply, &FIELDS), expected);
    let rows = "first,devices,day_0,day_1,day_2\r\n2026-05-25,2,2,1,\r\n2026-05-26,1,1,,\r\n2026-05-27,1,1,,\r\n";
    assert_eq!(csv(&caller, &format!("/telemetry/retention?{DAYS}")).await, rows);

    // A device that came in the week before, and again in this one.
    let earlier: [Line<'_>; 2] = [
        (9, 8, "desk", "device-0008", "1.0.0", "stable", "linux", "amd64", Some(false)),
        (1, 8, "tool", "device-0008", "0.9", "stable", "linux", "amd64", None),
    ];
    import(&caller, &earlier).await;
    let expected = json!({
        "from": "2026-05-18", "to": "2026-05-27", "incomplete": [], "by": "week",
        "cohorts": [cohort("2026-05-18", 1, &[Some(1), None]), cohort("2026-05-25", 4, &[Some(4)])],
        "unknown": running(&["2026-05-18"]),
    });
    let reply = caller.get("/telemetry/retention?by=week&from=2026-05-18&to=2026-05-27").await;
    assert_eq!(numbers(&reply, &FIELDS), expected);
    // It came on stable and by this app.
    for (filters, devices) in [("channels=beta", 1), ("apps=tool", 2), ("versions=1.1.0", 2), ("statuses=held", 0)] {
        let reply = caller.get(&format!("/telemetry/retention?by=week&{DAYS}&{filters}")).await;
        assert_eq!(
            numbers(&reply, &FIELDS)["cohorts"],
            json!([cohort("2026-05-25", devices, &[Some(devices)])]),
            "{filters}"
        );
    }
    let refused = caller.get("/telemetry/retention?by=month").await;
    let expected =
        json!({"error": "by is neither day nor week", "code": "invalid", "field": "by", "accepted": "day, week"});
    assert_eq!(refused.both(), (400, expected));
}

#[tokio::test]
async fn who_is_new_is_not_known_where_the_days_before_are_gone() {
    let (app, _clock) = at_noon().await;
    let caller = open(&app, "acme").await;
    import(&caller, &FLEET).await;
    // Something was counted long ago: its totals are kept for years.
    let owner = OwnerId(caller.get("/whoami").await.json()["id"].as_str().unwrap().parse().unwrap());
    app.app.catalog.keep_totals(owner, (None, TODAY.plus(-200)), KeptTotals::default()).await.unwrap();
    let unknown = json!([{
        "field": "devices", "dates": ["2026-05-03"],
        "reason": "Fewer than 7 days before it are retained, so that it is not known which devices were seen before.",
    }]);
    let reply = caller.get("/telemetry/retention?date=2026-05-03").await;
    let answer = numbers(&reply, &FIELDS);
    assert_eq!((&answer["unknown"], &answer["cohorts"][0]["devices"]), (&unknown, &Value::Null));
    let reply = caller.get("/telemetry/retention?date=2026-05-04").await;
    assert_eq!(numbers(&reply, &FIELDS)["cohorts"][0]["devices"], json!(0));
}
