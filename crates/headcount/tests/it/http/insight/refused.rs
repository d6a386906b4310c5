//! What none of the questions accepts.

use serde_json::json;

use super::{at_noon, open};

/// The questions, each with what it needs to be asked.
const QUESTIONS: [&str; 8] =
    ["trend?", "breakdown?", "matrix?", "adoption?app=desk", "upgrades?", "attention?", "retention?", "quality?"];

const DAY: &str = "a UTC date of the form YYYY-MM-DD";
const LIST: &str = "at most 50 values, separated by commas";

#[tokio::test]
async fn every_question_refuses_the_same_and_says_what_it_accepts() {
    let (app, _clock) = at_noon().await;
    let caller = open(&app, "acme").await;
    let long = vec!["a"; 51].join(",");
    let mut refused = vec![
        ("date=2026-13-01".to_owned(), "date", DAY),
        ("date=yesterday".to_owned(), "date", DAY),
        ("date=2026-05-29".to_owned(), "date", "a UTC date up to tomorrow"),
        ("from=2026-05-01".to_owned(), "to", "both from and to"),
        ("to=2026-05-01".to_owned(), "from", "both from and to"),
        ("from=x&to=2026-05-01".to_owned(), "from", DAY),
        ("from=2026-05-01&to=x".to_owned(), "to", DAY),
        ("from=2026-05-02&to=2026-05-01".to_owned(), "from", "a day that is not after to"),
        ("from=2025-01-01&to=2026-05-01".to_owned(), "from", "at most 400 days"),
        ("from=2026-05-01&to=2026-05-02&range=week".to_owned(), "from", "either from and to, or date, or range"),
        ("range=year".to_owned(), "range", "week or month"),
        ("versions=x".to_owned(), "versions", "versions, or (other)"),
        ("statuses=late".to_owned(), "statuses", "latest, outdated or held"),
    ];
    for list in ["apps", "channels", "platforms", "architectures", "versions", "statuses"] {
        refused.push((format!("{list}={long}"), list, LIST));
    }
    for question in QUESTIONS {
        for (parameters, field, accepted) in &refused {
            let reply = caller.get(&format!("/telemetry/{question}&{parameters}")).await;
            let said = reply.json();
            let expected = json!({"code": "invalid", "error": said["error"], "field": field, "accepted": accepted});
            assert_eq!(reply.both(), (400, expected), "{question} {parameters}");
            assert!(said["error"].is_string(), "{question} {parameters}");
        }
        for (twice, expected) in [("date=2026-05-01&date=2026-05-02", 400), ("table=nothing", 200)] {
            let reply = caller.get(&format!("/telemetry/{question}&{twice}")).await;
            assert_eq!(reply.status, expected, "{question} {twice}: {reply:?}");
        }
        let path = format!("/telemetry/{question}&table=nothing");
        let reply = caller.request("GET", &path).header("Accept", "text/csv").send().await;
        let said = reply.json();
        assert_eq!(
            (reply.status, &said["field"], &said["code"]),
            (400, &json!("table"), &json!("invalid")),
            "{question}"
        );
        // Without a caller there is no answer.
        assert_eq!(app.get(&format!("/telemetry/{question}")).await.status, 401, "{question}");
    }
}
