//! Logging in, and who one is.

use serde_json::json;

use crate::app::TestApp;

#[tokio::test]
async fn an_administrator_is_known_by_its_token() {
    let app = TestApp::start().await;
    let token = app.administrator("alice").await;

    let reply = app.request("GET", "/whoami").bearer(&token).send().await;
    let id = reply.json()["id"].as_str().unwrap().to_owned();
    assert_eq!((reply.status, reply.json()), (200, json!({"id": id, "username": "alice", "is_admin": true})));
    assert_eq!(id.len(), 24);
}
