//! Channels, platforms and architectures.

use headcount::clock::Clock;
use headcount_engine::day::Millis;
use serde_json::{Value, json};

use crate::app::{Caller, TestApp, created};

/// 2026-03-04T05:06:07.089Z
const NOON: Millis = Millis(1_772_600_767_089);

/// Kind, field of bodies, key of lists, key of names in lists, and the word in the keys of results.
const PARTS: [(&str, &str, &str, &str); 3] = [
    ("channel", "channels", "ChannelName", "Channel"),
    ("platform", "platforms", "PlatformName", "Platform"),
    ("arch", "archs", "ArchID", "Arch"),
];

const ANOTHER_ID: &str = "0123456789abcdef01234567";

#[tokio::test]
async fn each_kind_is_created_listed_renamed_and_deleted() {
    let app = TestApp::at(Clock::stopped_at(NOON), &[]).await;
    let alice = Caller::new(&app, "alice").await;
    for (kind, rows, name_key, word) in PARTS {
        let list = format!("/{kind}/list");
        assert_eq!(alice.get(&list).await.both(), (200, json!({ rows: null })));

        let reply = alice.post(&format!("/{kind}/create"), &json!({ kind: "first" })).await;
        let first = created(&reply);
        assert_eq!(reply.json(), json!({ format!("create{word}Result.Created"): first }));
        assert!(first.len() == 24 && first.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{first}");
        let second = alice.part(kind, "a-second.one_2").await;

        let row = |id: &str, name: &str| {
            let mut row = json!({"ID": id, name_key: name, "Owner": "alice", "Updated_at": "2026-03-04T05:06:07.089Z"});
            if kind == "platform" {
                row["Updaters"] = json!([{"type": "manual", "default": true}]);
            }
            row
        };
        let both = json!({ rows: [row(&first, "first"), row(&second, "a-second.one_2")] });
        assert_eq!(alice.get(&list).await.both(), (200, both));

        let mut change = json!({"id": second, kind: "zweiter"});
        if kind == "platform" {
            change["updaters"] = json!([{"type": "manual", "default": true}]);
        }
        let reply = alice.post(&format!("/{kind}/update"), &change).await;
        assert_eq!(reply.both(), (200, json!({ format!("update{word}Result.Updated"): true })));
        let reply = alice.delete(&format!("/{kind}/delete?id={first}")).await;
        assert_eq!(reply.both(), (200, json!({ format!("delete{word}Result.DeletedCount"): 1 })));
        assert_eq!(alice.get(&list).await.both(), (200, json!({ rows: [row(&second, "zweiter")] })));

        let reply = alice.delete(&format!("/{kind}/delete?id={first}")).await;
        assert_eq!(reply.both(), (404, not_deleted(kind, "not_found", &format!("no document found with ID {first}"))));
    }
}

#[tokio::test]
async fn lists_keep_the_order_of_fields_and_creation() {
    let app = TestApp::at(Clock::stopped_at(NOON), &[]).await;
    let alice = Caller::new(&app, "alice").await;
    let mut ids = Vec::new();
    for number in 0..120 {
        ids.push(alice.part("channel", &format!("c{}", 999 - number)).await);
    }
    let reply = alice.get("/channel/list").await;
    let listed: Vec<String> =
        reply.json()["channels"].as_array().unwrap().iter().map(|row| row["ID"].as_str().unwrap().to_owned()).collect();
    assert_eq!(listed, ids);
    let first = format!(
        r#"{{"channels":[{{"ID":"{}","ChannelName":"c999","Owner":"alice","Updated_at":"2026-03-04T05:06:07.089Z"}},"#,
        ids[0]
    );
    assert!(reply.text.starts_with(&first), "{}", &reply.text[..200]);
}

#[tokio::test]
async fn a_name_is_used_once_per_kind_and_owner() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    let bob = Caller::new(&app, "bob").await;
    for (kind, ..) in PARTS {
        alice.part(kind, "one").await;
        let two = alice.part(kind, "two").await;
        let taken =
            json!({"error": format!("{kind} with this name already exists"), "code": "conflict", "field": kind});
        let reply = alice.post(&format!("/{kind}/create"), &json!({ kind: "one" })).await;
        assert_eq!(reply.both(), (409, taken.clone()));
        let change = json!({"id": two, kind: "one", "updaters": [{"type": "tauri", "default": true}]});
        assert_eq!(alice.post(&format!("/{kind}/update"), &change).await.both(), (409, taken));
        bob.part(kind, "one").await;
    }
    // The refused change left the platform as it was.
    let platforms = alice.get("/platform/list").await.json();
    assert_eq!(platforms["platforms"][1]["Updaters"], json!([{"type": "manual", "default": true}]));
}

#[tokio::test]
async fn a_name_that_no_check_could_ask_for_is_refused() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    let long = "a".repeat(33);
    for (kind, rows, ..) in PARTS {
        let id = alice.part(kind, "good").await;
        let noun = if kind == "arch" { "architecture" } else { kind };
        let refused = json!({
            "error": format!("invalid {noun} name"), "code": "invalid", "field": kind,
            "accepted": "^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$",
        });
        for bad in ["", " ", "a b", "a\0", "a\nb", "🚀", "a:b", "*", "{}", "..", "a'b", "-a", &long] {
            let reply = alice.post(&format!("/{kind}/create"), &json!({ kind: bad })).await;
            assert_eq!(reply.both(), (400, refused.clone()), "{bad:?}");
            let change = json!({"id": id, kind: bad, "updaters": [{"type": "manual", "default": true}]});
            let reply = alice.post(&format!("/{kind}/update"), &change).await;
            assert_eq!(reply.both(), (400, refused.clone()), "{bad:?}");
        }
        assert_eq!(alice.get(&format!("/{kind}/list")).await.json()[rows].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn an_id_of_another_owner_is_like_one_that_does_not_exist() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    let bob = Caller::new(&app, "bob").await;
    for (kind, ..) in PARTS {
        let of_alice = alice.part(kind, "one").await;
        let before = alice.get(&format!("/{kind}/list")).await.text;
        for id in [&of_alice, ANOTHER_ID] {
            let change = json!({"id": id, kind: "mine", "updaters": [{"type": "manual", "default": true}]});
            let reply = bob.post(&format!("/{kind}/update"), &change).await;
            assert_eq!(reply.both(), (404, json!({"error": format!("{kind} not found"), "code": "not_found"})));
            let reply = bob.delete(&format!("/{kind}/delete?id={id}")).await;
            let details = format!("no document found with ID {id}");
            assert_eq!(reply.both(), (404, not_deleted(kind, "not_found", &details)));
        }
        assert_eq!(alice.get(&format!("/{kind}/list")).await.text, before);
    }
}

#[tokio::test]
async fn an_id_has_one_form() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    let accepted = "24 lowercase hex characters";
    for (kind, ..) in PARTS {
        for bad in ["", "1", "0123456789ABCDEF01234567", "0123456789abcdef0123456z", "0123456789abcdef012345678", "'"] {
            let change = json!({"id": bad, kind: "mine", "updaters": [{"type": "manual", "default": true}]});
            let reply = alice.post(&format!("/{kind}/update"), &change).await;
            let refused = json!({"error": "invalid id format", "code": "invalid", "field": "id", "accepted": accepted});
            assert_eq!(reply.both(), (400, refused), "{bad}");
            let refused = json!({
                "error": "the provided hex string is not a valid ObjectID",
                "code": "invalid", "field": "id", "accepted": accepted,
            });
            let reply = alice.delete(&format!("/{kind}/delete?id={bad}")).await;
            assert_eq!(reply.both(), (400, refused.clone()), "{bad}");
            assert_eq!(alice.delete(&format!("/{kind}/delete")).await.both(), (400, refused));
        }
        let reply = alice.delete(&format!("/{kind}/delete?id={ANOTHER_ID}&id={ANOTHER_ID}")).await;
        let twice = json!({
            "error": "parameter is given twice", "code": "invalid", "field": "id", "accepted": "each parameter once",
        });
        assert_eq!(reply.both(), (400, twice));
    }
}

#[tokio::test]
async fn updaters_have_one_default_and_known_types() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    let given = json!([{"type": "sparkle", "default": false}, {"type": "squirrel_darwin", "default": true}]);
    let id = created(&alice.post("/platform/create", &json!({"platform": "darwin", "updaters": given})).await);
    assert_eq!(alice.get("/platform/list").await.json()["platforms"][0]["Updaters"], given);
    let empty = alice.post("/platform/create", &json!({"platform": "linux", "updaters": []})).await;
    created(&empty);
    let manual = json!([{"type": "manual", "default": true}]);
    assert_eq!(alice.get("/platform/list").await.json()["platforms"][1]["Updaters"], manual);

    let types = "Valid types are: [manual squirrel_darwin squirrel_windows sparkle electron-builder tauri velopack]";
    let unknown = format!("invalid updater type: none. {types}");
    let cases = [
        (json!([{"type": "none", "default": true}]), unknown.as_str()),
        (json!([{"type": "tauri", "default": true}, {"type": "tauri"}]), "duplicate updater type: tauri"),
        (
            json!([{"type": "tauri"}, {"type": "manual", "default": false}]),
            "exactly one updater must be set as default",
        ),
        (
            json!([{"type": "tauri", "default": true}, {"type": "manual", "default": true}]),
            "only one updater can be set as default",
        ),
    ];
    for (updaters, message) in cases {
        let refused = json!({"error": message, "code": "invalid", "field": "updaters"});
        let reply = alice.post("/platform/create", &json!({"platform": "new", "updaters": updaters})).await;
        assert_eq!(reply.both(), (400, refused.clone()));
        let change = json!({"id": id, "platform": "darwin", "updaters": updaters});
        assert_eq!(alice.post("/platform/update", &change).await.both(), (400, refused));
    }
    let change = json!({"id": id, "platform": "darwin", "updaters": []});
    let refused = json!({"error": "at least one updater is required", "code": "invalid", "field": "updaters"});
    assert_eq!(alice.post("/platform/update", &change).await.both(), (400, refused));

    let change = json!({"id": id, "platform": "darwin", "updaters": manual});
    assert_eq!(alice.post("/platform/update", &change).await.status, 200);
    assert_eq!(alice.get("/platform/list").await.json()["platforms"][0]["Updaters"], manual);
}

#[tokio::test]
async fn a_body_of_another_form_is_refused_whole() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    let nested = format!("{}{}", r#"{"channel":"#.repeat(200), "}".repeat(200));
    let bodies = [
        ("", "expected a JSON object"),
        ("channel=stable", "expected a JSON object"),
        (r#"["stable"]"#, "expected a JSON object"),
        ("null", "expected a JSON object"),
        (r#"{"channel":"stable""#, "EOF while parsing an object at line 1 column 19"),
        ("{}", "missing field `channel` at line 1 column 2"),
        (r#"{"channel":null}"#, "invalid type: null, expected a string at line 1 column 15"),
        (r#"{"channel":7}"#, "invalid type: integer `7`, expected a string at line 1 column 12"),
        (r#"{"channel":{"channel":"a"}}"#, "invalid type: map, expected a string at line 1 column 11"),
        (r#"{"channel":"a","channel":"b"}"#, "duplicate field `channel` at line 1 column 24"),
        ("{\"channel\":\"\\ud800\"}", "unexpected end of hex escape at line 1 column 19"),
        (nested.as_str(), "invalid type: map, expected a string at line 1 column 11"),
    ];
    for (body, details) in bodies {
        let refused = json!({"error": "Invalid request body", "code": "invalid", "field": "body", "details": details});
        let reply = alice.request("POST", "/channel/create").body(body.to_owned()).send().await;
        assert_eq!(reply.both(), (400, refused), "{body:.80}");
    }
    let broken = alice.request("POST", "/channel/create").body(b"{\"channel\":\"\xff\"}".to_vec()).send().await;
    assert_eq!(broken.json()["error"], "Invalid request body");

    let large = json!({"channel": "a".repeat(70_000)});
    let too_large = json!({"error": "request body is too large", "code": "too_large"});
    assert_eq!(alice.post("/channel/create", &large).await.both(), (413, too_large));
    assert_eq!(alice.get("/channel/list").await.json(), json!({"channels": null}));
}

#[tokio::test]
async fn without_a_session_nothing_is_answered() {
    let app = TestApp::start().await;
    let missing = (401, json!({"error": "missing authorization header", "code": "unauthenticated"}));
    let unknown = (401, json!({"error": "invalid or expired token", "code": "unauthenticated"}));
    let wrong = (405, json!({"error": "method not allowed", "code": "method_not_allowed"}));
    let mut routes = vec![("GET", "/search".to_owned())];
    for noun in ["app", "channel", "platform", "arch", "release"] {
        for (method, action) in [("POST", "create"), ("GET", "list"), ("POST", "update"), ("DELETE", "delete")] {
            routes.push((method, format!("/{noun}/{action}")));
        }
    }
    let description = app.get("/openapi.json").await.json();
    for (method, path) in routes {
        let described = &description["paths"][&path][method.to_lowercase()];
        let success = if path == "/release/create" { "201" } else { "200" };
        assert!(described["responses"][success]["content"]["application/json"]["schema"].is_object(), "{path}");
        assert_eq!(described["security"], json!([{"bearer": []}, {"cookie": []}]), "{path}");
        assert_eq!(app.request(method, &path).send().await.both(), missing, "{path}");
        assert_eq!(app.request(method, &path).bearer("x").send().await.both(), unknown, "{path}");
        assert_eq!(app.request("PUT", &path).send().await.both(), wrong, "{path}");
        assert_eq!(app.request("OPTIONS", &path).send().await.status, 204, "{path}");
    }
    assert_eq!(app.request("POST", "/apps/latest").send().await.both(), wrong);
}

fn not_deleted(kind: &str, code: &str, details: &str) -> Value {
    json!({"error": format!("failed to delete {kind}"), "code": code, "details": details})
}
