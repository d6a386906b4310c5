//! API tokens: what programs call with.

use std::time::Duration;

use headcount::clock::Clock;
use headcount_engine::day::Millis;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::app::{Caller, TestApp, created};
use crate::http::shop;

fn forbidden(error: &str) -> (u16, Value) {
    (403, json!({"error": error, "code": "forbidden"}))
}

fn unauthenticated(error: &str) -> (u16, Value) {
    (401, json!({"error": error, "code": "unauthenticated"}))
}

/// The id of the first app of that name.
async fn app_id(admin: &Caller<'_>, name: &str) -> String {
    let list = admin.get("/app/list").await.json();
    let row = list["apps"].as_array().unwrap().iter().find(|row| row["AppName"] == name).unwrap().clone();
    row["ID"].as_str().unwrap().to_owned()
}

/// A new token: the whole reply, and the token.
async fn new_token(admin: &Caller<'_>, body: &Value) -> (Value, String) {
    let reply = admin.post("/token/create", body).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let reply = reply.json();
    let token = reply["token"].as_str().unwrap().to_owned();
    (reply, token)
}

async fn revoke(admin: &Caller<'_>, id: &str) -> (u16, Value) {
    admin.request("DELETE", "/token/delete").json(&json!({"id": id})).send().await.both()
}

#[tokio::test]
async fn a_token_is_shown_once_listed_and_revoked() {
    let clock = Clock::stopped_at(Millis(1_770_000_000_000));
    let app = TestApp::at(clock.clone(), &[]).await;
    let alice = shop::open(&app, "alice").await;
    let (myapp, tool) = (app_id(&alice, "myapp").await, alice.app("tool").await);
    assert_eq!(alice.get("/token/list").await.both(), (200, json!({"tokens": []})));

    let body = json!({"name": "nightly", "allowed_apps": [tool, myapp, tool]});
    let (reply, nightly) = new_token(&alice, &body).await;
    let id = reply["id"].as_str().unwrap().to_owned();
    let is_hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    assert!(nightly.len() == 68 && nightly.starts_with("fns_") && is_hex(&nightly[4..]), "{nightly}");
    assert_eq!(
        reply,
        json!({
            "id": id, "name": "nightly", "token": nightly, "token_prefix": nightly[..12], "scopes": ["release:write"],
            "allowed_apps": [tool, myapp], "expires_at": null, "created_at": "2026-02-02T02:40:00.000Z"
        })
    );
    clock.advance(Duration::from_mins(1));
    let body = json!({
        "name": "grafana", "scopes": ["telemetry:import", "telemetry:read", "telemetry:read"],
        "expires_at": "2026-02-02T12:00:00+01:00"
    });
    let (reply, grafana) = new_token(&alice, &body).await;
    let second = reply["id"].as_str().unwrap().to_owned();
    assert_eq!(
        reply,
        json!({
            "id": second, "name": "grafana", "token": grafana, "token_prefix": grafana[..12],
            "scopes": ["telemetry:read", "telemetry:import"], "allowed_apps": null,
            "expires_at": "2026-02-02T11:00:00.000Z", "created_at": "2026-02-02T02:41:00.000Z"
        })
    );

    // The last use is noted each five minutes.
    let nightly_caller = Caller::known(&app, &nightly);
    for (minutes, used_at) in [(1, "02:42"), (4, "02:42"), (1, "02:47")] {
        clock.advance(Duration::from_mins(minutes));
        assert_eq!(nightly_caller.get("/app/list").await.status, 200);
        let expected = json!({"tokens": [
            {
                "id": second, "name": "grafana", "token_prefix": grafana[..12],
                "scopes": ["telemetry:read", "telemetry:import"], "allowed_apps": null,
                "expires_at": "2026-02-02T11:00:00.000Z", "created_at": "2026-02-02T02:41:00.000Z"
            },
            {
                "id": id, "name": "nightly", "token_prefix": nightly[..12], "scopes": ["release:write"],
                "allowed_apps": [tool, myapp], "created_at": "2026-02-02T02:40:00.000Z",
                "last_used_at": format!("2026-02-02T{used_at}:00.000Z")
            },
        ]});
        assert_eq!(alice.get("/token/list").await.both(), (200, expected));
    }

    assert_eq!(revoke(&alice, &id).await, (200, json!({"message": "Token revoked"})));
    assert_eq!(nightly_caller.get("/app/list").await.both(), unauthenticated("invalid or expired token"));
    assert_eq!(revoke(&alice, &id).await, (404, json!({"error": "Token not found", "code": "not_found"})));
    // The other one lasts until its time has come.
    let grafana_caller = Caller::known(&app, &grafana);
    clock.advance(Duration::from_hours(8));
    assert_eq!(grafana_caller.get("/telemetry").await.status, 200);
    clock.advance(Duration::from_mins(13));
    assert_eq!(grafana_caller.get("/telemetry").await.both(), unauthenticated("token expired"));
}

#[tokio::test]
async fn what_is_wrong_with_a_new_token_is_named() {
    let app = TestApp::at(Clock::stopped_at(Millis(1_770_000_000_000)), &[]).await;
    let (alice, bob) = (shop::open(&app, "alice").await, Caller::new(&app, "bob").await);
    let (ours, theirs) = (app_id(&alice, "myapp").await, bob.app("theirs").await);
    let gone = alice.app("gone").await;
    assert_eq!(alice.delete(&format!("/app/delete?id={gone}")).await.status, 200);
    let channel = alice.get("/channel/list").await.json()["channels"][0]["ID"].as_str().unwrap().to_owned();
    let invalid = |error: &str, field: &str, accepted: &str| {
        (400, json!({"error": error, "code": "invalid", "field": field, "accepted": accepted}))
    };
    let body = |name: &str, value: Value| {
        let mut body = json!({"name": "nightly", "allowed_apps": [ours]});
        body[name] = value;
        body
    };
    let name = |value: Value| {
        (body("name", value), invalid("Invalid request body", "name", "1 to 100 characters, no control characters"))
    };
    let scopes = |value: Value| {
        let accepted = "at least one of release:write, telemetry:read, telemetry:import";
        (body("scopes", value), invalid("Invalid request body", "scopes", accepted))
    };
    let apps = |value: Value| {
        let accepted = "ids of your apps, each 24 lowercase hex characters";
        (body("allowed_apps", value), invalid("one or more allowed_apps are invalid", "allowed_apps", accepted))
    };
    let no_apps = |value: Value| {
        let expected = invalid("Invalid request body", "allowed_apps", "at least one id of your apps");
        (body("allowed_apps", value), expected)
    };
    let expiry = |value: Value, error: &str| {
        (body("expires_at", value), invalid(error, "expires_at", "RFC 3339, as 2027-01-31T12:00:00Z"))
    };
    let future = "expires_at must be in the future";
    for (body, expected) in [
        name(json!("")),
        name(json!(" ")),
        name(json!("x\ny")),
        name(json!("x".repeat(101))),
        scopes(json!([])),
        scopes(json!(["release:read"])),
        scopes(json!(["release:write", ""])),
        no_apps(json!(null)),
        no_apps(json!([])),
        apps(json!(["nonsense"])),
        apps(json!([ours, theirs])),
        apps(json!([ours, gone])),
        apps(json!([ours, channel])),
        apps(json!([ours, "0123456789abcdef01234567"])),
        expiry(json!("tomorrow"), "Invalid request body"),
        expiry(json!("2026-02-02T02:40:00Z"), future),
        expiry(json!("1999-01-01T00:00:00Z"), future),
    ] {
        assert_eq!(alice.post("/token/create", &body).await.both(), expected, "{body}");
    }
    assert_eq!(alice.get("/token/list").await.both(), (200, json!({"tokens": []})));
    let mut tables = app.tables().await;
    assert_eq!(tables.number("SELECT COUNT(*) FROM grants").await, 0);
}

#[tokio::test]
async fn only_own_tokens_can_be_revoked() {
    let app = TestApp::start().await;
    let (alice, bob) = (shop::open(&app, "alice").await, Caller::new(&app, "bob").await);
    let theirs = bob.app("theirs").await;
    let invalid = |error: &str, field: &str, accepted: &str| {
        (400, json!({"error": error, "code": "invalid", "field": field, "accepted": accepted}))
    };
    for text in ["[]", "{}", "null", "{\"name\":7}"] {
        let reply = alice.request("POST", "/token/create").body(text).send().await;
        assert_eq!((reply.status, &reply.json()["error"]), (400, &json!("Invalid request body")), "{text}");
    }
    let filled = invalid("Invalid request body", "id", "a text that is not empty");
    assert_eq!(revoke(&alice, "").await, filled);
    assert_eq!(revoke(&alice, "7").await, invalid("Invalid token ID format", "id", "24 lowercase hex characters"));
    let (theirs, _) = new_token(&bob, &json!({"name": "theirs", "allowed_apps": [theirs]})).await;
    for id in [theirs["id"].as_str().unwrap(), "0123456789abcdef01234567"] {
        assert_eq!(revoke(&alice, id).await, (404, json!({"error": "Token not found", "code": "not_found"})));
    }
    assert_eq!(bob.get("/token/list").await.json()["tokens"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_token_writes_releases_of_its_apps_only() {
    let app = TestApp::start().await;
    let alice = shop::open(&app, "alice").await;
    let tool = alice.app("tool").await;
    let (_, token) = new_token(&alice, &json!({"name": "nightly", "allowed_apps": [tool]})).await;
    let nightly = Caller::known(&app, &token);
    let on_tool = json!({"app_name": "tool"});

    let made = created(&nightly.post("/release/create", &shop::on_stable("1.0.0", &on_tool)).await);
    let update = json!({"id": made, "rollout": 20});
    assert_eq!(nightly.post("/release/update", &update).await.both(), (200, json!({"id": made})));
    let list = nightly.get("/release/list").await.json();
    assert_eq!(
        (&list["total"], &list["items"][0]["app_name"], &list["items"][0]["rollout"]),
        (&json!(1), &json!("tool"), &json!(20))
    );
    assert_eq!(nightly.get("/search?app_name=tool").await.json()["total"], 1);
    let rows = nightly.get("/app/list").await.json();
    assert_eq!((rows["apps"].as_array().unwrap().len(), &rows["apps"][0]["AppName"]), (1, &json!("tool")));
    for kind in ["channel", "platform", "arch"] {
        let path = format!("/{kind}/list");
        assert_eq!(nightly.get(&path).await.both(), alice.get(&path).await.both());
    }
    let whoami = alice.get("/whoami").await.both();
    assert_eq!(nightly.get("/whoami").await.both(), whoami);

    let no_app = json!({"error": "api token has no access to this app", "code": "forbidden", "field": "app_name"});
    for name in ["myapp", "nothing"] {
        let body = shop::on_stable("3.0.0", &json!({"app_name": name}));
        assert_eq!(nightly.post("/release/create", &body).await.both(), (403, no_app.clone()));
        for path in ["/search", "/release/list"] {
            assert_eq!(nightly.get(&format!("{path}?app_name={name}")).await.both(), (403, no_app.clone()));
        }
    }
    let theirs = alice.get("/release/list?app_name=myapp").await.json()["items"][0]["id"].as_str().unwrap().to_owned();
    for id in [&*theirs, "0123456789abcdef01234567"] {
        let reply = nightly.post("/release/update", &json!({"id": id, "publish": false})).await;
        assert_eq!(reply.both(), (404, json!({"error": "release not found", "code": "not_found"})));
        assert_eq!(nightly.delete(&format!("/release/delete?id={id}")).await.status, 404);
    }
    assert_eq!(nightly.delete(&format!("/release/delete?id={made}")).await.status, 200);

    // An app that is deleted leaves the list, and a token without apps is not one for every app.
    assert_eq!(alice.delete(&format!("/app/delete?id={tool}")).await.status, 200);
    assert_eq!(alice.get("/token/list").await.json()["tokens"][0]["allowed_apps"], json!([]));
    assert_eq!(nightly.get("/app/list").await.both(), (200, json!({"apps": null})));
    assert_eq!(nightly.get("/release/list").await.json()["total"], 0);
    let body = shop::on_stable("3.0.0", &json!({}));
    assert_eq!(nightly.post("/release/create", &body).await.both(), (403, no_app));
}

#[tokio::test]
async fn telemetry_takes_its_scope_and_shows_the_apps_of_the_token() {
    let app = TestApp::start().await;
    let alice = shop::open(&app, "alice").await;
    let (myapp, tool) = (app_id(&alice, "myapp").await, alice.app("tool").await);
    shop::release(&alice, &shop::on_stable("1.0.0", &json!({"app_name": "tool"}))).await;
    shop::ask(&app, "1.0.0").await;
    for device in ["device-one", "device-two"] {
        let path = "/checkVersion?app_name=tool&version=1.0.0&channel=stable&platform=darwin&arch=amd64";
        let reply = app.request("GET", path).header("X-Device-ID", device).send().await;
        assert_eq!(reply.header("headcount"), Some("recorded"));
    }
    let token = async |scope: &str, apps: Value| {
        let body = json!({"name": scope, "scopes": [scope], "allowed_apps": apps});
        Caller::known(&app, &new_token(&alice, &body).await.1)
    };
    let missing = forbidden("API token scope is missing");
    for scope in ["release:write", "telemetry:import"] {
        let caller = token(scope, json!([myapp, tool])).await;
        for question in ["", "?range=week", "?apps=myapp", "?date=nonsense"] {
            assert_eq!(caller.get(&format!("/telemetry{question}")).await.both(), missing, "{scope}");
        }
    }
    for scope in ["release:write", "telemetry:read"] {
        let caller = token(scope, json!([myapp])).await;
        let reply = caller.request("POST", "/telemetry/import").body("{}").send().await;
        assert_eq!(reply.both(), missing, "{scope}");
    }

    let every = token("telemetry:read", json!(null)).await;
    assert_eq!(every.get("/telemetry").await.both(), alice.get("/telemetry").await.both());
    let path = "/telemetry?apps=tool&channels=stable";
    assert_eq!(every.get(path).await.both(), alice.get(path).await.both());
    // Of every app: its only app.
    let one = token("telemetry:read", json!([myapp])).await;
    let of_myapp = alice.get("/telemetry?apps=myapp").await.both();
    assert_eq!(of_myapp.1["summary"]["unique_clients"], 1);
    assert_eq!(one.get("/telemetry").await.both(), of_myapp);
    assert_eq!(one.get("/telemetry?apps=myapp&channels=stable&platforms=darwin").await.both(), of_myapp);
    let refused = json!({
        "error": "apps names something that you were not granted", "code": "forbidden", "field": "apps",
        "accepted": "names of resources that you were granted"
    });
    for apps in ["tool", "nothing", "myapp,tool", "myapp,nothing"] {
        assert_eq!(one.get(&format!("/telemetry?apps={apps}")).await.both(), (403, refused.clone()), "{apps}");
    }
}

#[tokio::test]
async fn a_token_imports_for_its_apps() {
    let app = TestApp::start().await;
    let alice = shop::open(&app, "alice").await;
    let tool = alice.app("tool").await;
    let token = async |apps: Value| {
        let body = json!({"name": "old counts", "scopes": ["telemetry:import"], "allowed_apps": apps});
        Caller::known(&app, &new_token(&alice, &body).await.1)
    };
    let today = app.clock.now().day();
    let line = |name: &str| json!({"at": format!("{today}T00:00:00Z"), "app_name": name, "version": "1.0.0", "device_id": "device-one"});
    let lines = [line("myapp"), line("tool"), line("nothing")].map(|line| line.to_string()).join("\n");
    let wrong = |line: u64| json!({"line": line, "error": "app_name is not a name in the catalog"});
    for (apps, accepted, errors) in
        [(json!([tool]), 1, json!([wrong(1), wrong(3)])), (json!(null), 2, json!([wrong(3)]))]
    {
        let caller = token(apps).await;
        let reply = caller.request("POST", "/telemetry/import").body(lines.clone()).send().await;
        let rejected = errors.as_array().unwrap().len();
        let expected = json!({"accepted": accepted, "rejected": rejected, "errors": errors});
        assert_eq!(reply.both(), (200, expected));
    }
}

/// As they stand in the collection of an installation of faynoSync: the SHA-256 of the whole text.
#[tokio::test]
async fn a_token_of_an_imported_installation_works() {
    let app = TestApp::start().await;
    let alice = shop::open(&app, "alice").await;
    let owner = alice.get("/whoami").await.json()["id"].as_str().unwrap().to_owned();
    let token = format!("fns_{}", "0123456789abcdef".repeat(4));
    let statement = "INSERT INTO api_tokens (id, owner_id, name, token_hash, token_prefix, scopes, every_app, created_at) \
                     VALUES ('66f2c1d5a9b3e8f704c1d2e3', $1, 'old', $2, 'fns_01234567', 'release:write', 0, 0)";
    let mut tables = app.tables().await;
    let hash = hex::encode(Sha256::digest(&token));
    assert_eq!(tables.run(statement, &[&owner, &hash]).await, 1);
    let statement = "INSERT INTO grants (holder_id, resource_id) VALUES ('66f2c1d5a9b3e8f704c1d2e3', $1)";
    assert_eq!(tables.run(statement, &[&app_id(&alice, "myapp").await]).await, 1);

    let caller = Caller::known(&app, &token);
    created(&caller.post("/release/create", &shop::on_stable("2.0.0", &json!({}))).await);
    assert_eq!(caller.get("/telemetry").await.both(), forbidden("API token scope is missing"));
    let wrong = Caller::known(&app, &token.to_uppercase().replace("FNS", "fns"));
    assert_eq!(wrong.get("/app/list").await.both(), unauthenticated("invalid or expired token"));
}

#[tokio::test]
async fn only_the_hash_of_a_token_is_stored_and_it_goes_with_its_owner() {
    let app = TestApp::start().await;
    let alice = shop::open(&app, "alice").await;
    let myapp = app_id(&alice, "myapp").await;
    let (_, token) = new_token(&alice, &json!({"name": "nightly", "allowed_apps": [myapp]})).await;
    let mut tables = app.tables().await;
    let hash = hex::encode(Sha256::digest(&token));
    assert_eq!(tables.text("SELECT token_hash FROM api_tokens").await, hash);
    assert_eq!(tables.text("SELECT token_prefix FROM api_tokens").await, token[..12]);
    assert!(app.app.catalog.delete_user(&"alice".parse().unwrap()).await.unwrap());
    let caller = Caller::known(&app, &token);
    assert_eq!(caller.get("/app/list").await.both(), unauthenticated("invalid or expired token"));
    for table in ["api_tokens", "grants"] {
        assert_eq!(tables.number(&format!("SELECT COUNT(*) FROM {table}")).await, 0, "{table}");
    }
}
