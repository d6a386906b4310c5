//! `GET /telemetry/trend`.

use headcount_engine::day::{DAY_MILLIS, Millis};
use serde_json::{Value, json};

use super::{FLEET, TODAY, at_noon, csv, import, numbers, open};

const FIELDS: [&str; 10] =
    ["requests", "devices", "latest", "outdated", "held", "new", "returning", "wau", "mau", "stickiness"];
const NO_TOTALS: &str = "no totals of this day are kept, or something of it came after they were counted";
const FILTERED: &str = "what is kept of days beyond the retention is for all apps or for one, without filters";
const NOT_EVERY_DAY: &str = "it is not known of every day";
const NOT_RETAINED: &str = "distinct devices of a range are counted while all of its days are retained";

/// Requests, devices, latest, outdated, held, new, returning, WAU, MAU.
fn day(date: &str, numbers: [Option<u64>; 9], stickiness: Option<f64>, from_totals: bool) -> Value {
    let mut day = json!({"date": date, "stickiness": stickiness, "from_totals": from_totals});
    for (field, number) in FIELDS.into_iter().zip(numbers) {
        day[field] = number.into();
    }
    day
}

fn summary(numbers: [Option<u64>; 6]) -> Value {
    let fields = ["requests", "devices", "latest", "outdated", "held", "new"];
    fields
        .into_iter()
        .zip(numbers)
        .map(|(field, number)| (field.to_owned(), number.into()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn unknown(field: &str, dates: &[&str], reason: &str) -> Value {
    json!({"field": field, "dates": dates, "reason": reason})
}

fn known<const N: usize>(numbers: [u64; N]) -> [Option<u64>; N] {
    numbers.map(Some)
}

#[tokio::test]
async fn days_are_shown_beside_those_before_them() {
    let (app, _clock) = at_noon().await;
    let caller = open(&app, "acme").await;
    import(&caller, &FLEET).await;
    let path = "/telemetry/trend?from=2026-05-26&to=2026-05-27";
    // Which devices were new on a day that is over is counted when it closes: nobody has done so yet.
    let early = numbers(&caller.get(path).await, &FIELDS);
    let closed = ["2026-05-25", "2026-05-26"];
    assert_eq!(
        early["unknown"],
        json!([
            unknown("new", &closed, NO_TOTALS),
            unknown("returning", &closed, NO_TOTALS),
            unknown("summary.new", &closed[1..], NOT_EVERY_DAY),
            unknown("previous.summary.new", &closed[..1], NOT_EVERY_DAY),
        ])
    );
    assert_eq!(
        early["days"][0],
        day(
            "2026-05-26",
            [Some(3), Some(2), Some(1), Some(1), Some(0), None, None, Some(3), Some(3)],
            Some(2.0 / 3.0),
            false
        )
    );

    app.app.keeper.round().await.unwrap();
    let expected = json!({
        "from": "2026-05-26", "to": "2026-05-27", "incomplete": [],
        "days": [
            day("2026-05-26", known([3, 2, 1, 1, 0, 1, 1, 3, 3]), Some(2.0 / 3.0), false),
            day("2026-05-27", known([3, 2, 2, 0, 0, 1, 1, 4, 4]), Some(0.5), false),
        ],
        "summary": summary(known([6, 4, 3, 1, 0, 2])),
        "previous": {
            "from": "2026-05-24", "to": "2026-05-25",
            "days": [
                day("2026-05-24", known([0; 9]), Some(0.0), false),
                day("2026-05-25", known([3, 2, 1, 1, 0, 2, 0, 2, 2]), Some(1.0), false),
            ],
            "summary": summary(known([3, 2, 1, 1, 0, 2])),
        },
        "unknown": [],
    });
    assert_eq!(numbers(&caller.get(path).await, &FIELDS), expected);
    let header = "date,requests,devices,latest,outdated,held,new,returning,wau,mau,stickiness,from_totals\r\n";
    let rows = "2026-05-24,0,0,0,0,0,0,0,0,0,0,false\r\n2026-05-25,3,2,1,1,0,2,0,2,2,1,false\r\n";
    assert_eq!(csv(&caller, &format!("{path}&table=previous")).await, format!("{header}{rows}"));
    let rows = "2026-05-26,3,2,1,1,0,1,1,3,3,0.6666666666666666,false\r\n2026-05-27,3,2,2,0,0,1,1,4,4,0.5,false\r\n";
    assert_eq!(csv(&caller, path).await, format!("{header}{rows}"));
}

#[tokio::test]
async fn a_filter_leaves_unknown_what_is_kept_without_it() {
    let (app, _clock) = at_noon().await;
    let caller = open(&app, "acme").await;
    import(&caller, &FLEET).await;
    caller.get("/telemetry").await;
    app.app.keeper.round().await.unwrap();

    let one_app = numbers(&caller.get("/telemetry/trend?date=2026-05-26&apps=tool").await, &FIELDS);
    assert_eq!(one_app["days"], json!([day("2026-05-26", known([1, 1, 0, 0, 0, 1, 0, 1, 1]), Some(1.0), false)]));
    assert_eq!(one_app["unknown"], json!([]));

    let answer = numbers(&caller.get("/telemetry/trend?from=2026-05-26&to=2026-05-27&platforms=linux").await, &FIELDS);
    let closed = ["2026-05-25", "2026-05-26"];
    let expected = json!([
        day(
            "2026-05-26",
            [Some(2), Some(2), Some(0), Some(1), Some(0), None, None, Some(2), Some(2)],
            Some(1.0),
            false
        ),
        day("2026-05-27", known([1, 1, 1, 0, 0, 1, 0, 3, 3]), Some(1.0 / 3.0), false),
    ]);
    assert_eq!(answer["days"], expected);
    assert_eq!(answer["summary"], summary([Some(3), Some(3), Some(1), Some(1), Some(0), None]));
    assert_eq!(
        answer["unknown"],
        json!([
            unknown("new", &closed, FILTERED),
            unknown("returning", &closed, FILTERED),
            unknown("summary.new", &closed[1..], NOT_EVERY_DAY),
            unknown("previous.summary.new", &closed[..1], NOT_EVERY_DAY),
        ])
    );
}

#[tokio::test]
async fn days_beyond_the_retention_are_shown_as_they_closed() {
    let (app, clock) = at_noon().await;
    let caller = open(&app, "acme").await;
    import(&caller, &FLEET).await;
    caller.get("/telemetry").await;
    for days in [1, 40] {
        clock.set(Millis(TODAY.plus(days).start().0 + DAY_MILLIS / 2));
        app.app.keeper.round().await.unwrap();
    }
    let answer = caller.get("/telemetry/trend?from=2026-05-26&to=2026-05-27").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = answer.json();
    let days = json!([
        day("2026-05-26", known([3, 2, 1, 1, 0, 1, 1, 3, 3]), Some(2.0 / 3.0), true),
        day("2026-05-27", known([3, 2, 2, 0, 0, 1, 1, 4, 4]), Some(0.5), true),
    ]);
    assert_eq!((&answer["days"], &answer["incomplete"]), (&days, &json!([])));
    assert_eq!(answer["summary"], summary([Some(6), None, None, None, None, Some(2)]));
    // Nothing was counted on the 24th, so nothing is kept of it.
    let nothing = day("2026-05-24", [None; 9], None, true);
    assert_eq!(answer["previous"]["days"][0], nothing);
    let lacking = FIELDS.map(|field| unknown(field, &["2026-05-24"], NO_TOTALS));
    let of_range = |range: &str, dates: &[&str]| {
        ["devices", "latest", "outdated", "held"].map(|field| unknown(&format!("{range}.{field}"), dates, NOT_RETAINED))
    };
    let mut expected = lacking.to_vec();
    expected.extend(of_range("summary", &["2026-05-26", "2026-05-27"]));
    expected.push(unknown("previous.summary.requests", &["2026-05-24"], NOT_EVERY_DAY));
    expected.extend(of_range("previous.summary", &["2026-05-24", "2026-05-25"]));
    expected.push(unknown("previous.summary.new", &["2026-05-24"], NOT_EVERY_DAY));
    assert_eq!(answer["unknown"], json!(expected));

    let filtered = caller.get("/telemetry/trend?date=2026-05-26&statuses=latest").await.json();
    assert_eq!(filtered["days"], json!([day("2026-05-26", [None; 9], None, true)]));
    assert_eq!(filtered["incomplete"], json!(["2026-05-26"]));
}
