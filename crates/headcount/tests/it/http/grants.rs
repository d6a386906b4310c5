//! What team users see and change of the catalog.

use serde_json::{Value, json};

use crate::app::{Caller, TestApp, created};
use crate::http::shop;

const KINDS: [(&str, &str); 3] = [("channel", "ChannelName"), ("platform", "PlatformName"), ("arch", "ArchID")];

fn forbidden(error: &str) -> (u16, Value) {
    (403, json!({"error": error, "code": "forbidden"}))
}

/// All flags, and these lists.
fn all_of(apps: &[&str], channels: &[&str], platforms: &[&str], archs: &[&str]) -> Value {
    let part = |ids: &[&str]| json!({"create": true, "edit": true, "delete": true, "allowed": ids});
    let mut permissions = json!({
        "apps": part(apps), "channels": part(channels), "platforms": part(platforms), "archs": part(archs)
    });
    permissions["apps"]["upload"] = json!(true);
    permissions
}

/// The names in a list, or nothing.
async fn names(caller: &Caller<'_>, kind: &str, key: &str) -> Vec<String> {
    let reply = caller.get(&format!("/{kind}/list")).await;
    assert_eq!(reply.status, 200);
    let rows = reply.json()[format!("{kind}s")].as_array().cloned().unwrap_or_default();
    rows.iter().map(|row| row[key].as_str().unwrap().to_owned()).collect()
}

async fn update(caller: &Caller<'_>, kind: &str, id: &str, name: &str) -> (u16, Value) {
    let mut body = json!({"id": id, kind: name});
    if kind == "app" {
        return caller.form("/app/update", &body).await.both();
    }
    if kind == "platform" {
        body["updaters"] = json!([{"type": "manual", "default": true}]);
    }
    caller.post(&format!("/{kind}/update"), &body).await.both()
}

async fn delete(caller: &Caller<'_>, kind: &str, id: &str) -> (u16, Value) {
    caller.delete(&format!("/{kind}/delete?id={id}")).await.both()
}

async fn create(caller: &Caller<'_>, kind: &str, name: &str) -> (u16, Value) {
    let body = json!({ kind: name });
    let path = format!("/{kind}/create");
    if kind == "app" { caller.form(&path, &body).await.both() } else { caller.post(&path, &body).await.both() }
}

#[tokio::test]
async fn a_team_user_sees_what_was_granted() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    let mut granted = Vec::new();
    for (kind, _) in KINDS {
        granted.push(alice.part(kind, "one").await);
        alice.part(kind, "two").await;
    }
    let desk = alice.app("desk").await;
    alice.app("tool").await;
    let [channel, platform, arch] = [&*granted[0], &*granted[1], &*granted[2]];
    let carol = Caller::team(&app, &alice, "carol", &all_of(&[&desk], &[channel], &[platform], &[arch])).await;
    let dave = Caller::team(&app, &alice, "dave", &json!({})).await;

    for (kind, key) in KINDS {
        assert_eq!(names(&alice, kind, key).await, ["one", "two"]);
        assert_eq!(names(&carol, kind, key).await, ["one"]);
        assert_eq!(dave.get(&format!("/{kind}/list")).await.both(), (200, json!({ format!("{kind}s"): null })));
    }
    assert_eq!(names(&carol, "app", "AppName").await, ["desk"]);
    assert_eq!(dave.get("/app/list").await.both(), (200, json!({"apps": null})));
    // A row is the one that the administrator sees.
    assert_eq!(carol.get("/app/list").await.json()["apps"][0], alice.get("/app/list").await.json()["apps"][0]);
}

#[tokio::test]
async fn what_a_team_user_creates_is_the_administrators_and_granted_to_the_user() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    let carol = Caller::team(&app, &alice, "carol", &all_of(&[], &[], &[], &[])).await;
    let dave = Caller::team(&app, &alice, "dave", &all_of(&[], &[], &[], &[])).await;
    let kinds = KINDS.into_iter().chain([("app", "AppName")]);
    for (kind, key) in kinds {
        let id = if kind == "app" { carol.app("made").await } else { carol.part(kind, "made").await };
        assert_eq!(names(&alice, kind, key).await, ["made"]);
        assert_eq!(names(&carol, kind, key).await, ["made"]);
        assert_eq!(names(&dave, kind, key).await, [""; 0]);
        let list = alice.get(&format!("/{kind}/list")).await.json();
        assert_eq!(list[format!("{kind}s")][0]["Owner"], "alice");
        let users = alice.get("/users/list").await.json();
        let plural = ["Apps", "Channels", "Platforms", "Archs"]
            .into_iter()
            .find(|plural| plural.to_lowercase() == format!("{kind}s"))
            .unwrap();
        let allowed = |at: usize| users["users"][at]["permissions"][plural]["Allowed"].clone();
        assert_eq!([allowed(0), allowed(1)], [json!([id]), json!(null)]);
        // The name is taken for everybody.
        let taken = format!("{kind} with this name already exists");
        assert_eq!(
            create(&dave, kind, "made").await,
            (409, json!({"error": taken, "code": "conflict", "field": kind}))
        );
        assert_eq!(update(&carol, kind, &id, "renamed").await.0, 200);
        // What goes, goes from every list.
        assert_eq!(delete(&alice, kind, &id).await.0, 200);
        let users = alice.get("/users/list").await.json();
        assert_eq!(users["users"][0]["permissions"][plural]["Allowed"], json!(null));
    }
    let mut tables = app.tables().await;
    assert_eq!(tables.number("SELECT COUNT(*) FROM grants").await, 0);
}

#[tokio::test]
async fn without_the_flag_nothing_is_changed() {
    let app = TestApp::start().await;
    let alice = shop::open(&app, "alice").await;
    let id = |list: Value, key: &str| list[key][0]["ID"].as_str().unwrap().to_owned();
    let mut ids = Vec::new();
    for kind in ["app", "channel", "platform", "arch"] {
        ids.push(id(alice.get(&format!("/{kind}/list")).await.json(), &format!("{kind}s")));
    }
    let allowed = |id: &str| json!({"allowed": [id]});
    let permissions = json!({
        "apps": allowed(&ids[0]), "channels": allowed(&ids[1]), "platforms": allowed(&ids[2]), "archs": allowed(&ids[3])
    });
    let carol = Caller::team(&app, &alice, "carol", &permissions).await;
    let release = id(alice.get("/search?app_name=myapp").await.json(), "items");
    let before = alice.get("/search?app_name=myapp").await.text;
    let denied = forbidden("Permission denied");
    for (kind, id) in ["app", "channel", "platform", "arch"].into_iter().zip(&ids) {
        assert_eq!(create(&carol, kind, "mine").await, denied, "{kind}");
        assert_eq!(update(&carol, kind, id, "mine").await, denied, "{kind}");
        assert_eq!(delete(&carol, kind, id).await, denied, "{kind}");
    }
    let body = shop::on_stable("2.0.0", &json!({}));
    assert_eq!(carol.post("/release/create", &body).await.both(), denied);
    assert_eq!(carol.post("/release/update", &json!({"id": release, "publish": false})).await.both(), denied);
    assert_eq!(carol.delete(&format!("/release/delete?id={release}")).await.both(), denied);
    for (method, path) in [("GET", "/users/list"), ("POST", "/user/create"), ("POST", "/telemetry/import")] {
        let reply = carol.request(method, path).body("{}").send().await;
        assert_eq!(reply.both(), forbidden("Admin access required"), "{path}");
    }
    assert_eq!(alice.get("/search?app_name=myapp").await.text, before);
}

#[tokio::test]
async fn what_was_not_granted_is_out_of_reach_whoever_owns_it() {
    let app = TestApp::start().await;
    let (alice, bob) = (Caller::new(&app, "alice").await, Caller::new(&app, "bob").await);
    let carol = Caller::team(&app, &alice, "carol", &all_of(&[], &[], &[], &[])).await;
    for kind in ["app", "channel", "platform", "arch"] {
        let mut ids = vec!["0123456789abcdef01234567".to_owned()];
        for owner in [&alice, &bob] {
            ids.push(if kind == "app" { owner.app("made").await } else { owner.part(kind, "made").await });
        }
        let not_allowed = |what: &str| {
            format!("you don't have permission to {what} this {kind} as it's not in your allowed {kind}s list")
        };
        for id in &ids {
            assert_eq!(update(&carol, kind, id, "mine").await, forbidden(&not_allowed("update")));
            let mut expected = forbidden(&format!("failed to delete {kind}"));
            expected.1["details"] = json!(not_allowed("delete"));
            assert_eq!(delete(&carol, kind, id).await, expected);
        }
    }
}

#[tokio::test]
async fn a_team_user_works_with_the_releases_of_its_apps() {
    let app = TestApp::start().await;
    let alice = shop::open(&app, "alice").await;
    let desk = alice.app("desk").await;
    let (bob, on_desk) = (shop::open(&app, "bob").await, json!({"app_name": "desk"}));
    let carol = Caller::team(&app, &alice, "carol", &all_of(&[&desk], &[], &[], &[])).await;
    let dave = Caller::team(&app, &alice, "dave", &all_of(&[], &[], &[], &[])).await;

    let made = created(&carol.post("/release/create", &shop::on_stable("1.0.0", &on_desk)).await);
    let update = json!({"id": made, "critical": true});
    assert_eq!(carol.post("/release/update", &update).await.both(), (200, json!({"id": made})));
    let page = |reply: Value| {
        let row = |row: &Value| (row["app_name"].clone(), row["version"].clone());
        (reply["items"].as_array().unwrap().iter().map(row).collect::<Vec<_>>(), reply["total"].clone())
    };
    let seen = page(carol.get("/release/list").await.json());
    assert_eq!(seen, (vec![(json!("desk"), json!("1.0.0"))], json!(1)));
    assert_eq!(carol.get("/search?app_name=desk").await.json()["items"][0]["Critical"], true);
    assert_eq!(dave.get("/release/list").await.json()["total"], 0);

    // An app that was not granted is as one that does not exist, to read, and to write.
    let no_app = |message: &str| (403, json!({"error": message, "code": "forbidden", "field": "app_name"}));
    for name in ["myapp", "nothing"] {
        for path in ["/search", "/release/list"] {
            let path = format!("{path}?app_name={name}");
            let expected = no_app("you don't have permission to access this app");
            assert_eq!(carol.get(&path).await.both(), expected, "{path}");
            let expected = no_app("you don't have permission to access any apps");
            assert_eq!(dave.get(&path).await.both(), expected, "{path}");
        }
        let body = shop::on_stable("3.0.0", &json!({"app_name": name}));
        let expected = no_app("you don't have permission to access this app");
        assert_eq!(carol.post("/release/create", &body).await.both(), expected);
    }
    let mut others = vec!["0123456789abcdef01234567".to_owned()];
    for owner in [&alice, &bob] {
        let list = owner.get("/release/list?app_name=myapp").await.json();
        others.push(list["items"][0]["id"].as_str().unwrap().to_owned());
    }
    for id in others {
        let reply = carol.post("/release/update", &json!({"id": id, "publish": false})).await;
        assert_eq!(reply.both(), (404, json!({"error": "release not found", "code": "not_found"})));
        let reply = carol.delete(&format!("/release/delete?id={id}")).await;
        let details = format!("no document found with ID {id}");
        let expected = json!({"error": "failed to delete release", "code": "not_found", "details": details});
        assert_eq!(reply.both(), (404, expected));
    }
    let reply = carol.delete(&format!("/release/delete?id={made}")).await;
    assert_eq!(reply.both(), (200, json!({"deleted": 1})));
    assert_eq!(alice.get("/release/list").await.json()["total"], 2);
}

/// A team user reads everything that its administrator reads, and names only what was granted.
#[tokio::test]
async fn a_team_user_filters_statistics_by_what_was_granted() {
    let app = TestApp::start().await;
    let alice = shop::open(&app, "alice").await;
    let (bob, tool) = (Caller::new(&app, "bob").await, alice.app("tool").await);
    bob.app("theirs").await;
    let gone = alice.app("gone").await;
    assert_eq!(alice.delete(&format!("/app/delete?id={gone}")).await.status, 200);
    alice.part("channel", "beta").await;
    shop::ask(&app, "1.0.0").await;
    let mut ids = Vec::new();
    for kind in ["app", "channel", "platform", "arch"] {
        let list = alice.get(&format!("/{kind}/list")).await.json();
        ids.push(list[format!("{kind}s")][0]["ID"].as_str().unwrap().to_owned());
    }
    let carol = Caller::team(&app, &alice, "carol", &all_of(&[&ids[0]], &[&ids[1]], &[&ids[2]], &[&ids[3]])).await;
    let dave = Caller::team(&app, &alice, "dave", &json!({"apps": {"allowed": [tool]}})).await;

    for question in ["", "?range=week", "?range=month"] {
        let whole = alice.get(&format!("/telemetry{question}")).await;
        assert_eq!((whole.status, whole.json()["admin"].clone()), (200, json!("alice")));
        assert_eq!(whole.json()["summary"]["unique_clients"], 1);
        for user in [&carol, &dave] {
            assert_eq!(user.get(&format!("/telemetry{question}")).await.both(), whole.both());
        }
    }
    // `x64` is another name of `amd64`.
    for filter in [
        "apps=myapp",
        "channels=stable",
        "platforms=darwin,macos",
        "architectures=x64",
        "apps=myapp&channels=stable&platforms=darwin&architectures=amd64",
    ] {
        let path = format!("/telemetry?{filter}");
        assert_eq!(carol.get(&path).await.both(), alice.get(&path).await.both(), "{filter}");
    }
    for (parameter, values) in [
        ("apps", ["tool", "myapp,tool", "nothing", "theirs", "gone", "*"]),
        ("channels", ["beta", "stable,beta", "nothing", "theirs", "stable,nothing", "*"]),
        ("platforms", ["linux", "darwin,linux", "nothing", "windows", "win32", "*"]),
        ("architectures", ["arm64", "amd64,arm64", "nothing", "x86", "aarch64", "*"]),
    ] {
        let expected = json!({
            "error": format!("{parameter} names something that you were not granted"), "code": "forbidden",
            "field": parameter, "accepted": "names of resources that you were granted"
        });
        for value in values {
            let reply = carol.get(&format!("/telemetry?{parameter}={value}")).await;
            assert_eq!(reply.both(), (403, expected.clone()), "{parameter}={value}");
        }
    }
    for (parameter, value) in
        [("apps", "myapp"), ("channels", "stable"), ("platforms", "darwin"), ("architectures", "amd64")]
    {
        assert_eq!(dave.get(&format!("/telemetry?{parameter}={value}")).await.status, 403, "{parameter}");
        assert_eq!(dave.get(&format!("/telemetry?{parameter}=nothing")).await.status, 403, "{parameter}");
    }
    assert_eq!(dave.get("/telemetry?apps=tool").await.json()["summary"]["unique_clients"], 0);
    // Empty lists are no filters.
    assert_eq!(dave.get("/telemetry?apps=,&channels=").await.json()["summary"]["unique_clients"], 1);
}
