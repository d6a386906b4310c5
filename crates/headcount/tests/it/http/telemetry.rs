//! What an administrator reads.

use serde_json::json;

use crate::app::TestApp;

#[tokio::test]
async fn an_empty_installation_reports_nothing() {
    let app = TestApp::start().await;
    let token = app.administrator("acme").await;

    let reply = app.request("GET", "/telemetry?date=2026-03-02").bearer(&token).send().await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(
        reply.json(),
        json!({
            "date": "2026-03-02", "date_range": ["2026-03-02"], "admin": "acme",
            "summary": {"total_requests": 0, "unique_clients": 0, "clients_using_latest_version": 0, "clients_outdated": 0, "total_active_apps": 0},
            "versions": {"used_versions_count": 0, "known_versions": null, "usage": null},
            "platforms": null, "architectures": null, "channels": null, "daily_stats": [], "incomplete": ["2026-03-02"]
        })
    );
}
