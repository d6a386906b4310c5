//! The description of the API: generated from the handlers, committed, served.

use serde_json::Value;

use crate::app::TestApp;

const COMMITTED: &str = include_str!("../../../../openapi.json");

#[tokio::test]
async fn the_committed_description_is_the_one_that_is_served() {
    let app = TestApp::start().await;
    let reply = app.get("/openapi.json").await;
    let committed: Value = serde_json::from_str(COMMITTED).unwrap();
    assert_eq!(reply.status, 200);
    assert!(reply.json() == committed, "openapi.json is not that of the handlers; write it anew with `make api`");
}

#[tokio::test]
async fn every_operation_says_what_it_is_and_what_it_answers() {
    let description: Value = serde_json::from_str(COMMITTED).unwrap();
    let mut silent = Vec::new();
    for (path, operations) in description["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let answers = operation["responses"].as_object().is_some_and(|responses| {
                responses.keys().any(|status| status.starts_with('2') || status.starts_with('3'))
            });
            let refuses = operation["security"].is_null() || !operation["responses"]["default"].is_null();
            if operation["summary"].as_str().is_none_or(str::is_empty) || !answers || !refuses {
                silent.push(format!("{method} {path}"));
            }
        }
    }
    assert_eq!(silent, Vec::<String>::new());
}
