//! An owner with an app and releases, for tests of what devices are answered.

use serde_json::{Value, json};

use crate::app::{Caller, Reply, TestApp, created};

/// Creates an owner with an app, the parts that it needs and two releases on `stable` for `darwin` and `amd64`: 1.0.0
/// and 1.1.0.
pub(crate) async fn open<'a>(app: &'a TestApp, owner: &str) -> Caller<'a> {
    let caller = Caller::new(app, owner).await;
    caller.app("myapp").await;
    caller.part("channel", "stable").await;
    caller.part("platform", "darwin").await;
    caller.part("arch", "amd64").await;
    for version in ["1.0.0", "1.1.0"] {
        release(&caller, &on_stable(version, &json!({}))).await;
    }
    caller
}

/// Registers a release: its id.
pub(crate) async fn release(caller: &Caller<'_>, body: &Value) -> String {
    created(&caller.post("/release/create", body).await)
}

/// A release of `myapp` on `stable` for `darwin` and `amd64`, with these fields besides.
pub(crate) fn on_stable(version: &str, fields: &Value) -> Value {
    let link = format!("https://dl.example.org/myapp-{version}.dmg");
    let mut body = json!({
        "app_name": "myapp", "version": version, "channel": "stable", "publish": true,
        "artifacts": [{"platform": "darwin", "arch": "amd64", "package": ".dmg", "link": link}],
    });
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

/// The seed of the newest version, by which devices are chosen for its rollout.
pub(crate) async fn seed_of_newest(caller: &Caller<'_>) -> String {
    let list = caller.get("/release/list?app_name=myapp&limit=1").await.json();
    list["items"][0]["rollout_seed"].as_str().unwrap().to_owned()
}

/// Changes the catalog past the API.
pub(crate) async fn force(app: &TestApp, sql: &str, values: &[&str]) {
    let mut tables = app.tables().await;
    assert_eq!(tables.run(sql, values).await, 1);
    tables.run("UPDATE installation SET revision = revision + 1", &[]).await;
    app.app.catalog.refresh().await.unwrap();
}

/// The check of `version` that the documentation shows, by a device.
pub(crate) async fn ask(app: &TestApp, version: &str) -> Reply {
    let path = format!("/checkVersion?app_name=myapp&version={version}&channel=stable&platform=darwin&arch=x64");
    app.request("GET", &path).header("X-Device-ID", "0f8fad5b-d9cb-469f-a165-70867728950e").send().await
}
