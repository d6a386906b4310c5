//! Releases for tests.

use headcount_engine::version::Version;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::{Value, json};

use crate::app::{Caller, Reply, TestApp};

/// Creates an app, the parts that it needs and two releases on `stable` for `darwin` and `amd64`: 1.0.0 and 1.1.0.
pub(crate) async fn open<'a>(app: &'a TestApp, owner: &str) -> Caller<'a> {
    let caller = Caller::new(app, owner).await;
    caller.app("myapp").await;
    caller.part("channel", "stable").await;
    caller.part("platform", "darwin").await;
    caller.part("arch", "amd64").await;
    for version in ["1.0.0", "1.1.0"] {
        release(app, owner, &on_stable(version, &json!({}))).await;
    }
    caller
}

/// A release of `myapp` on `stable` for `darwin` and `amd64`, with these fields besides.
pub(crate) fn on_stable(version: &str, fields: &Value) -> Value {
    let link = format!("https://dl.example.org/myapp-{version}.dmg");
    let mut body = json!({
        "app_name": "myapp", "version": version, "channel": "stable", "publish": true, "critical": false,
        "intermediate": false, "rollout": 100, "changelog": "",
        "artifacts": [{"platform": "darwin", "arch": "amd64", "package": ".dmg", "link": link}],
    });
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

/// The check of `version` that the documentation shows, by a device.
pub(crate) async fn ask(app: &TestApp, version: &str) -> Reply {
    let path = format!("/checkVersion?app_name=myapp&version={version}&channel=stable&platform=darwin&arch=x64");
    app.request("GET", &path).header("X-Device-ID", "0f8fad5b-d9cb-469f-a165-70867728950e").send().await
}

pub(crate) const SEED: &str = "badadc23b08e3943";

/// Writes a release as `POST /release/create` takes it.
pub(crate) async fn release(app: &TestApp, owner: &str, body: &Value) {
    let rows = Connection::open(app.directory().join("catalog.db")).unwrap();
    let text = |field: &str| body[field].as_str().unwrap().to_owned();
    let flag = |field: &str| i64::from(body[field].as_bool().unwrap());
    let owner: String = rows.query_row("SELECT id FROM users WHERE name = ?1", [owner], |row| row.get(0)).unwrap();
    let resource = |kind: &str, name: &str| -> String {
        let sql = "SELECT id FROM resources WHERE owner_id = ?1 AND kind = ?2 AND name = ?3 AND deleted_at IS NULL";
        rows.query_row(sql, params![owner, kind, name], |row| row.get(0)).optional().unwrap().unwrap_or_default()
    };
    let id = hex::encode(rand::random::<[u8; 12]>());
    let version: Version = text("version").parse().unwrap();
    rows.execute(
        "INSERT INTO releases (id, owner_id, app_id, channel_id, version, version_order, published, critical, \
         intermediate, rollout_percent, rollout_seed, changelog, created_at, updated_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0, 0)",
        params![
            id,
            owner,
            resource("app", &text("app_name")),
            resource("channel", &text("channel")),
            version.name(),
            flag("publish"),
            flag("critical"),
            flag("intermediate"),
            body["rollout"].as_i64().unwrap(),
            SEED,
            text("changelog")
        ],
    )
    .unwrap();
    for (position, artifact) in body["artifacts"].as_array().unwrap().iter().enumerate() {
        let text = |field: &str| artifact[field].as_str();
        rows.execute(
            "INSERT INTO artifacts (release_id, position, platform_id, arch_id, package, link, signature) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                id,
                i64::try_from(position).unwrap(),
                resource("platform", text("platform").unwrap()),
                resource("arch", text("arch").unwrap()),
                text("package"),
                text("link"),
                text("signature")
            ],
        )
        .unwrap();
    }
    rows.execute("UPDATE installation SET revision = revision + 1", []).unwrap();
    app.app.catalog.refresh().await.unwrap();
}
