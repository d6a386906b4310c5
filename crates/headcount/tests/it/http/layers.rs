//! What holds for every request.

use std::collections::BTreeSet;

use serde_json::json;

use crate::app::{Reply, TestApp};

#[tokio::test]
async fn unknown_paths_and_wrong_methods_answer_json() {
    let app = TestApp::start().await;

    let reply = app.get("/nothing/here").await;
    assert_eq!((reply.status, reply.json()), (404, json!({"error": "not found", "code": "not_found"})));

    let reply = app.request("DELETE", "/health").send().await;
    assert_eq!(
        (reply.status, reply.json()),
        (405, json!({"error": "method not allowed", "code": "method_not_allowed"}))
    );

    assert_eq!(reply.header("content-type"), Some("application/json; charset=utf-8"));

    assert_eq!(app.request("OPTIONS", "/health").send().await.status, 204);
    assert_eq!(app.request("OPTIONS", "/nothing/here").send().await.status, 404);
    assert_eq!(app.request("HEAD", "/health").send().await.status, 200);
    assert_eq!(app.request("HEAD", "/openapi.json").send().await.status, 405);
}

#[tokio::test]
async fn every_path_answers_the_methods_that_it_names_and_no_others() {
    const METHODS: [&str; 7] = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];
    let app = TestApp::start().await;
    let paths: BTreeSet<String> = headcount::http::policies().into_iter().map(|declared| declared.path).collect();
    for path in paths.iter().map(|path| path.replace(['{', '}'], "")) {
        let named = |reply: &Reply| -> BTreeSet<String> {
            reply.header("allow").unwrap_or_default().split(", ").map(str::to_owned).collect()
        };
        let allowed = named(&app.request("OPTIONS", &path).send().await);
        for method in METHODS {
            let reply = app.request(method, &path).send().await;
            assert_eq!(reply.status != 405, allowed.contains(method), "{method} {path}: {allowed:?}");
            if reply.status == 405 {
                assert_eq!(named(&reply), allowed, "{method} {path}");
            }
        }
    }
    let health = app.request("DELETE", "/health").send().await;
    assert_eq!(health.header("allow"), Some("GET, HEAD, OPTIONS"));
    let openapi = app.request("HEAD", "/openapi.json").send().await;
    assert_eq!((openapi.status, openapi.header("allow")), (405, Some("GET, OPTIONS")));
}

#[tokio::test]
async fn errors_carry_cors_headers_for_configured_origins_only() {
    let app = TestApp::with(&[("HEADCOUNT_ALLOWED_CORS", "https://dash.example.org")]).await;

    let reply = app.request("GET", "/nothing").header("Origin", "https://dash.example.org").send().await;
    assert_eq!(reply.status, 404);
    assert_eq!(reply.header("access-control-allow-origin"), Some("https://dash.example.org"));
    assert_eq!(reply.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(reply.header("vary"), Some("Origin"));

    for origin in ["null", "https://evil.example.org", "https://dash.example.org.evil.tld", "http://dash.example.org"] {
        let reply = app.request("GET", "/nothing").header("Origin", origin).send().await;
        assert_eq!(reply.header("access-control-allow-origin"), None, "{origin}");
    }
}
