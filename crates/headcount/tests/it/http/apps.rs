//! Applications.

use headcount::clock::Clock;
use headcount_engine::day::Millis;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::app::{Caller, Reply, TestApp, created};

/// 2026-03-04T05:06:07.089Z
const NOON: Millis = Millis(1_772_600_767_089);

const ANOTHER_ID: &str = "0123456789abcdef01234567";

#[tokio::test]
async fn an_app_is_created_listed_changed_and_deleted() {
    let clock = Clock::stopped_at(NOON);
    let app = TestApp::at(clock.clone(), &[]).await;
    let alice = Caller::new(&app, "alice").await;
    assert_eq!(alice.get("/app/list").await.both(), (200, json!({"apps": null})));

    let fields = json!({
        "app": "My App 2", "description": "Two\nlines", "private": "true", "tuf": "false", "reports": "1", "cdn": "",
    });
    let reply = alice.form("/app/create", &fields).await;
    let id = created(&reply);
    assert_eq!(reply.both(), (200, json!({"createAppResult.Created": id})));
    let plain = alice.app("plain").await;

    let first = format!(
        "{{\"ID\":\"{id}\",\"AppName\":\"My App 2\",\"Logo\":\"\",\"Private\":true,\"Tuf\":false,\"Reports\":true,\
         \"CdnEdge\":false,\"Description\":\"Two\\nlines\",\"Owner\":\"alice\",\
         \"Updated_at\":\"2026-03-04T05:06:07.089Z\"}}"
    );
    let second = format!(
        "{{\"ID\":\"{plain}\",\"AppName\":\"plain\",\"Logo\":\"\",\"Private\":false,\"Tuf\":false,\"Reports\":false,\
         \"CdnEdge\":false,\"Description\":\"\",\"Owner\":\"alice\",\"Updated_at\":\"2026-03-04T05:06:07.089Z\"}}"
    );
    assert_eq!(alice.get("/app/list").await.text, format!("{{\"apps\":[{first},{second}]}}"));

    clock.advance(std::time::Duration::from_mins(1));
    let change = json!({"id": id, "app": "My App 3", "tuf": "true"});
    let reply = alice.form("/app/update", &change).await;
    assert_eq!(reply.both(), (200, json!({"updateAppResult.Updated": true})));
    let changed = json!({
        "ID": id, "AppName": "My App 3", "Logo": "", "Private": true, "Tuf": true, "Reports": true, "CdnEdge": false,
        "Description": "Two\nlines", "Owner": "alice", "Updated_at": "2026-03-04T05:07:07.089Z",
    });
    assert_eq!(alice.get("/app/list").await.json()["apps"][0], changed);

    let reply = alice.delete(&format!("/app/delete?id={plain}")).await;
    assert_eq!(reply.both(), (200, json!({"deleteAppResult.DeletedCount": 1})));
    assert_eq!(alice.get("/app/list").await.json(), json!({"apps": [changed]}));
    let reply = alice.delete(&format!("/app/delete?id={plain}")).await;
    let details = format!("no document found with ID {plain}");
    assert_eq!(reply.both(), (404, json!({"error": "failed to delete app", "code": "not_found", "details": details})));
}

#[tokio::test]
async fn the_form_is_taken_with_and_without_an_empty_file() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    let send = async |form: Form| alice.request("POST", "/app/create").multipart(form).send().await;
    let fields = |name: &str| json!({ "app": name }).to_string();

    // The dashboard sends `file` first, and a form of a browser sends it empty.
    let empty = Part::bytes(Vec::new()).file_name("");
    created(&send(Form::new().part("file", empty).text("data", fields("one"))).await);
    let typed = Part::text(fields("two")).file_name("blob").mime_str("application/json").unwrap();
    created(&send(Form::new().part("data", typed).text("other", "x")).await);

    let logo = Part::bytes(b"\x89PNG".to_vec()).file_name("logo.png");
    let refused =
        json!({"error": "logos are not stored here", "code": "invalid", "field": "file", "accepted": "no file"});
    let reply = send(Form::new().text("data", fields("three")).part("file", logo)).await;
    assert_eq!(reply.both(), (400, refused));
    assert_eq!(names(&alice.get("/app/list").await), ["one", "two"]);
}

#[tokio::test]
async fn a_form_of_another_shape_is_refused() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    let missing = json!({"error": "No JSON data provided", "code": "invalid", "field": "data", "accepted": "multipart/form-data"});
    let broken = json!({
        "error": "Invalid JSON data", "code": "invalid", "field": "data", "accepted": "one JSON object of strings",
    });
    let nested = format!("{}{}", r#"{"app":"#.repeat(200), "}".repeat(200));
    for path in ["/app/create", "/app/update"] {
        let reply = alice.post(path, &json!({"app": "a"})).await;
        assert_eq!(reply.both(), (400, missing.clone()));
        let reply = alice.request("POST", path).multipart(Form::new().text("other", "{}")).send().await;
        assert_eq!(reply.both(), (400, missing.clone()));
        for bad in ["", "app", "[]", "7", r#"{"app":true}"#, r#"{"app":"a","x":null}"#, r#"{"app":"a""#, &nested] {
            let reply = alice.request("POST", path).multipart(Form::new().text("data", bad.to_owned())).send().await;
            assert_eq!(reply.both(), (400, broken.clone()), "{bad:.40}");
        }
        let twice = Form::new().text("data", r#"{"app":"a"}"#).text("data", r#"{"app":"a"}"#);
        assert_eq!(alice.request("POST", path).multipart(twice).send().await.both(), (400, broken.clone()));

        let cut = alice
            .request("POST", path)
            .header("Content-Type", "multipart/form-data; boundary=x")
            .body("--x\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n{")
            .send()
            .await;
        let unreadable = json!({
            "error": "Invalid request body", "code": "invalid", "field": "body", "accepted": "multipart/form-data",
        });
        assert_eq!(cut.both(), (400, unreadable));
        let large = alice.form(path, &json!({"app": "a".repeat(70_000)})).await;
        assert_eq!(large.both(), (413, json!({"error": "request body is too large", "code": "too_large"})));
    }
    assert_eq!(alice.get("/app/list").await.json(), json!({"apps": null}));
}

#[tokio::test]
async fn fields_of_another_form_are_refused() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    let id = alice.app("good").await;
    let before = alice.get("/app/list").await.text;
    let refuse = async |fields: Value, refused: Value| {
        let mut change = fields.clone();
        change["id"] = json!(id);
        assert_eq!(alice.form("/app/create", &fields).await.both(), (400, refused.clone()), "{fields:.80}");
        assert_eq!(alice.form("/app/update", &change).await.both(), (400, refused), "{fields:.80}");
    };

    let required = json!({"error": "app is required", "code": "invalid", "field": "app"});
    refuse(json!({"description": "x"}), required.clone()).await;
    refuse(json!({"app": ""}), required).await;
    let name = json!({
        "error": "invalid app name", "code": "invalid", "field": "app",
        "accepted": "^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$",
    });
    for bad in [" ", " a", "a\0", "a\nb", "🚀", "a:b", "*", "{}", "..", "a'b", "a/b", "<b>", &"a".repeat(65)] {
        refuse(json!({ "app": bad }), name.clone()).await;
    }
    for field in ["private", "tuf", "reports", "cdn"] {
        let switch = json!({
            "error": format!("invalid {field} parameter"), "code": "invalid", "field": field,
            "accepted": "\"true\" or \"false\"",
        });
        for bad in ["yes", "tRUE", " ", "2", "\0"] {
            refuse(json!({"app": "a", field: bad}), switch.clone()).await;
        }
    }
    let description = json!({
        "error": "invalid description parameter", "code": "invalid", "field": "description",
        "accepted": "at most 2,048 bytes without control characters",
    });
    for bad in ["a\0", "\x1b[2J", &"a".repeat(2049)] {
        refuse(json!({"app": "a", "description": bad}), description.clone()).await;
    }
    assert_eq!(alice.get("/app/list").await.text, before);
    created(&alice.form("/app/create", &json!({"app": "a", "description": "a".repeat(2048)})).await);
}

#[tokio::test]
async fn an_app_that_cannot_be_meant_is_not_changed() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    let bob = Caller::new(&app, "bob").await;
    let of_bob = bob.app("desk").await;
    let other = alice.app("desk").await;
    alice.app("taken").await;

    let required = json!({"error": "id is required", "code": "invalid", "field": "id"});
    assert_eq!(alice.form("/app/update", &json!({"app": "desk"})).await.both(), (400, required));
    let form = json!({
        "error": "invalid id format", "code": "invalid", "field": "id", "accepted": "24 lowercase hex characters",
    });
    assert_eq!(alice.form("/app/update", &json!({"id": "7", "app": "desk"})).await.both(), (400, form));
    for id in [&of_bob, ANOTHER_ID] {
        let missing = json!({"error": "app not found", "code": "not_found"});
        assert_eq!(alice.form("/app/update", &json!({"id": id, "app": "desk"})).await.both(), (404, missing));
    }
    let taken = json!({"error": "app with this name already exists", "code": "conflict", "field": "app"});
    assert_eq!(alice.form("/app/create", &json!({"app": "taken"})).await.both(), (409, taken.clone()));
    assert_eq!(alice.form("/app/update", &json!({"id": other, "app": "taken"})).await.both(), (409, taken));

    let bad = json!({
        "error": "invalid telemetry parameter", "code": "invalid", "field": "telemetry", "accepted": "true or false",
    });
    assert_eq!(alice.delete(&format!("/app/delete?id={other}&telemetry=yes")).await.both(), (400, bad));
    assert_eq!(names(&alice.get("/app/list").await), ["desk", "taken"]);
    assert_eq!(names(&bob.get("/app/list").await), ["desk"]);
}

#[tokio::test]
async fn telemetry_is_erased_with_its_app_where_that_is_asked_for() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    let bob = Caller::new(&app, "bob").await;
    let erasures = |id: &str| -> i64 {
        let store = rusqlite::Connection::open(app.directory().join("store.db")).unwrap();
        store.query_row("SELECT count(*) FROM erased WHERE lower(hex(app)) = ?1", [id], |row| row.get(0)).unwrap()
    };
    let released = alice.app("released").await;
    let body = json!({"app_name": "released", "version": "1"});
    let release = created(&alice.post("/release/create", &body).await);
    for (more, expected) in
        [("", 0), ("&telemetry=", 0), ("&telemetry=false", 0), ("&telemetry=true", 1), ("&telemetry=1", 1)]
    {
        let id = alice.app("desk").await;
        // Of another owner, or refused: nothing is erased.
        assert_eq!(bob.delete(&format!("/app/delete?id={id}{more}")).await.status, 404);
        assert_eq!(alice.delete(&format!("/app/delete?id={released}{more}")).await.status, 409);
        assert_eq!([erasures(&id), erasures(&released)], [0, 0], "{more}");
        assert_eq!(alice.delete(&format!("/app/delete?id={id}{more}")).await.status, 200);
        assert_eq!(erasures(&id), expected, "{more}");
    }
    assert_eq!(alice.delete(&format!("/release/delete?id={release}")).await.status, 200);
    assert_eq!(alice.delete(&format!("/app/delete?id={released}&telemetry=true")).await.status, 200);
    assert_eq!(erasures(&released), 1);
}

fn names(list: &Reply) -> Vec<String> {
    let rows = list.json()["apps"].as_array().unwrap().clone();
    rows.iter().map(|row| row["AppName"].as_str().unwrap().to_owned()).collect()
}
