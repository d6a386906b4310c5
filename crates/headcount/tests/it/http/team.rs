//! Team users, as their administrator sees and changes them.

use headcount_engine::name::UserName;
use serde_json::{Value, json};

use crate::app::{Caller, Reply, TestApp};

fn refused(status: u16, error: &str, code: &str) -> (u16, Value) {
    (status, json!({"error": error, "code": code}))
}

fn said(message: &str) -> (u16, Value) {
    (200, json!({"message": message}))
}

async fn login(app: &TestApp, name: &str, password: &str) -> Reply {
    app.request("POST", "/login").json(&json!({"username": name, "password": password})).send().await
}

/// The id of the only team user.
async fn only_id(admin: &Caller<'_>) -> String {
    admin.get("/users/list").await.json()["users"][0]["id"].as_str().unwrap().to_owned()
}

async fn delete(admin: &Caller<'_>, id: &str) -> (u16, Value) {
    admin.request("DELETE", "/user/delete").json(&json!({"id": id})).send().await.both()
}

fn nothing() -> Value {
    let part = json!({"Create": false, "Delete": false, "Edit": false, "Allowed": null});
    json!({
        "Apps": {
            "Create": false, "Delete": false, "Edit": false, "Download": false, "Upload": false, "Allowed": null
        },
        "Channels": part, "Platforms": part, "Archs": part
    })
}

#[tokio::test]
async fn a_team_user_lives_from_creation_to_deletion() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    assert_eq!(alice.get("/users/list").await.both(), (200, json!({"users": null})));
    let (desk, tool) = (alice.app("desk").await, alice.app("tool").await);
    let stable = alice.part("channel", "stable").await;

    let permissions = json!({
        "apps": {"create": false, "delete": true, "edit": true, "download": true, "upload": true, "allowed": [tool, desk]},
        "channels": {"create": true, "allowed": [stable]},
    });
    let body = json!({"username": "Carol", "password": "the password of carol", "permissions": permissions});
    assert_eq!(alice.post("/user/create", &body).await.both(), said("Team user created successfully"));

    let list = alice.get("/users/list").await;
    let user = list.json()["users"][0].clone();
    let (id, updated_at) = (user["id"].as_str().unwrap().to_owned(), user["updated_at"].as_str().unwrap().to_owned());
    assert_eq!((id.len(), updated_at.len(), &updated_at[23..]), (24, 24, "Z"));
    let mut expected = nothing();
    expected["Apps"] = json!({
        "Create": false, "Delete": true, "Edit": true, "Download": true, "Upload": true, "Allowed": [tool, desk]
    });
    expected["Channels"] = json!({"Create": true, "Delete": false, "Edit": false, "Allowed": [stable]});
    let row = json!({"id": id, "username": "carol", "permissions": expected, "updated_at": updated_at});
    assert_eq!(list.both(), (200, json!({"users": [row]})));

    let carol = Caller::login(&app, "CAROL", "the password of carol").await;
    let whoami = json!({"id": id, "username": "carol", "is_admin": false, "owner": "alice", "permissions": expected});
    assert_eq!(carol.get("/whoami").await.both(), (200, whoami));

    // A change without permissions leaves them, one with empty permissions clears them; both take effect at once.
    let body = json!({"id": id, "username": "caroline"});
    assert_eq!(alice.post("/user/update", &body).await.both(), said("Team user updated successfully"));
    let whoami =
        json!({"id": id, "username": "caroline", "is_admin": false, "owner": "alice", "permissions": expected});
    assert_eq!(carol.get("/whoami").await.both(), (200, whoami));
    let body = json!({"id": id, "username": "caroline", "permissions": nothing()});
    assert_eq!(alice.post("/user/update", &body).await.both(), said("Team user updated successfully"));
    let whoami =
        json!({"id": id, "username": "caroline", "is_admin": false, "owner": "alice", "permissions": nothing()});
    assert_eq!(carol.get("/whoami").await.both(), (200, whoami));
    assert_eq!(login(&app, "carol", "the password of carol").await.status, 401);
    assert_eq!(login(&app, "caroline", "the password of carol").await.status, 200);

    assert_eq!(delete(&alice, &id).await, said("Team user deleted successfully"));
    let gone = refused(401, "invalid or expired token", "unauthenticated");
    assert_eq!(carol.get("/whoami").await.both(), gone);
    assert_eq!(login(&app, "caroline", "the password of carol").await.status, 401);
    assert_eq!(alice.get("/users/list").await.both(), (200, json!({"users": null})));
    let missing = "Team user not found or you don't have permission to delete it";
    assert_eq!(delete(&alice, &id).await, refused(404, missing, "not_found"));
    let mut tables = app.tables().await;
    assert_eq!(tables.number("SELECT COUNT(*) FROM grants").await, 0);
}

#[tokio::test]
async fn a_new_password_of_a_team_user_ends_its_sessions() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    let carol = Caller::team(&app, &alice, "carol", &json!({})).await;
    let id = only_id(&alice).await;
    for password in [json!(null), json!("")] {
        let body = json!({"id": id, "username": "carol", "password": password});
        assert_eq!(alice.post("/user/update", &body).await.status, 200);
    }
    assert_eq!(carol.get("/whoami").await.status, 200);
    let body = json!({"id": id, "username": "carol", "password": "another password"});
    assert_eq!(alice.post("/user/update", &body).await.status, 200);
    assert_eq!(carol.get("/whoami").await.both(), refused(401, "invalid or expired token", "unauthenticated"));
    assert_eq!(login(&app, "carol", "the password of carol").await.status, 401);
    assert_eq!(login(&app, "carol", "another password").await.status, 200);
    assert_eq!(alice.get("/whoami").await.status, 200);
}

#[tokio::test]
async fn all_users_share_one_namespace_of_names() {
    let app = TestApp::with(&[("API_KEY", "a key that nobody can guess at all")]).await;
    let alice = Caller::new(&app, "alice").await;
    let bob = Caller::new(&app, "bob").await;
    let carol = Caller::team(&app, &alice, "carol", &json!({})).await;
    let taken = (409, json!({"error": "Username already exists", "code": "conflict", "field": "username"}));
    for name in ["alice", "Bob", "CAROL"] {
        for admin in [&alice, &bob] {
            let body = json!({"username": name, "password": "some other password"});
            assert_eq!(admin.post("/user/create", &body).await.both(), taken, "{name}");
        }
    }
    let id = only_id(&alice).await;
    for name in ["ALICE", "bob"] {
        let body = json!({"id": id, "username": name, "password": "some other password", "permissions": {}});
        assert_eq!(alice.post("/user/update", &body).await.both(), taken, "{name}");
    }
    let body = json!({"username": "Carol", "password": "some other password", "api_key": "a key that nobody can guess at all"});
    let reply = app.request("POST", "/signup").json(&body).send().await;
    assert_eq!(reply.both(), refused(401, "user already exists", "unauthenticated"));
    assert_eq!(carol.get("/whoami").await.json()["username"], "carol");
    assert_eq!(bob.get("/users/list").await.both(), (200, json!({"users": null})));
}

#[tokio::test]
async fn what_is_wrong_with_a_team_user_is_named() {
    let app = TestApp::start().await;
    let (alice, bob) = (Caller::new(&app, "alice").await, Caller::new(&app, "bob").await);
    Caller::team(&app, &alice, "carol", &json!({})).await;
    let id = only_id(&alice).await;
    let (ours, theirs) = (alice.part("channel", "stable").await, bob.part("channel", "stable").await);
    let deleted = alice.part("channel", "old").await;
    assert_eq!(alice.delete(&format!("/channel/delete?id={deleted}")).await.status, 200);
    let invalid = |error: &str, field: &str, accepted: &str| {
        (400, json!({"error": error, "code": "invalid", "field": field, "accepted": accepted}))
    };
    let filled = |field| invalid("Invalid request body", field, "a text that is not empty");
    for (body, expected) in [
        (json!({"username": "", "password": "some password"}), filled("username")),
        (
            json!({"username": "é", "password": "some password"}),
            invalid("invalid username", "username", UserName::ACCEPTED),
        ),
        (json!({"username": "dave", "password": ""}), filled("password")),
        (json!({"username": "dave", "password": "short"}), invalid("invalid password", "password", "10 to 1024 bytes")),
    ] {
        assert_eq!(alice.post("/user/create", &body).await.both(), expected, "{body}");
    }
    let ids = "ids of your channels, each 24 lowercase hex characters";
    let not_ours = invalid("Invalid request body", "permissions.channels.allowed", ids);
    for channel in ["nonsense", &theirs, &deleted, "0123456789abcdef01234567", &id] {
        let permissions = json!({"channels": {"allowed": [ours, channel]}});
        let body = json!({"username": "dave", "password": "some password", "permissions": permissions});
        assert_eq!(alice.post("/user/create", &body).await.both(), not_ours, "{channel}");
        let body = json!({"id": id, "username": "carol", "permissions": permissions});
        assert_eq!(alice.post("/user/update", &body).await.both(), not_ours, "{channel}");
    }
    assert_eq!(alice.get("/users/list").await.json()["users"].as_array().unwrap().len(), 1);

    let hex = "24 lowercase hex characters";
    let object_id = "the provided hex string is not a valid ObjectID";
    for (body, expected) in [
        (json!({"id": "", "username": "carol"}), filled("id")),
        (json!({"id": id, "username": ""}), filled("username")),
        (json!({"id": "7", "username": "carol"}), invalid(object_id, "id", hex)),
    ] {
        assert_eq!(alice.post("/user/update", &body).await.both(), expected, "{body}");
    }
    assert_eq!(delete(&alice, "").await, filled("id"));
    assert_eq!(delete(&alice, "7").await, invalid("Invalid user ID format", "id", hex));

    // Neither another administrator's team user nor an administrator is one of one's own.
    let alice_id = alice.get("/whoami").await.json()["id"].as_str().unwrap().to_owned();
    let missing = "Team user not found or you don't have permission to delete it";
    for other in [&*id, &*alice_id, "0123456789abcdef01234567"] {
        let body = json!({"id": other, "username": "mallory", "password": "a stolen password"});
        assert_eq!(bob.post("/user/update", &body).await.both(), refused(404, "Team user not found", "not_found"));
        assert_eq!(delete(&bob, other).await, refused(404, missing, "not_found"));
    }
    for (method, path) in [("POST", "/user/create"), ("POST", "/user/update"), ("DELETE", "/user/delete")] {
        let reply = alice.request(method, path).body("[1]").send().await;
        let expected = json!({
            "error": "Invalid request body", "code": "invalid", "field": "body", "details": "expected a JSON object"
        });
        assert_eq!(reply.both(), (400, expected), "{path}");
    }
    assert_eq!(login(&app, "carol", "the password of carol").await.status, 200);
}

#[tokio::test]
async fn an_administrator_goes_with_its_team() {
    let app = TestApp::start().await;
    let (alice, bob) = (Caller::new(&app, "alice").await, Caller::new(&app, "bob").await);
    let stable = alice.part("channel", "stable").await;
    let allowed = json!({"channels": {"allowed": [stable]}});
    let carol = Caller::team(&app, &alice, "carol", &allowed).await;
    let dave = Caller::team(&app, &bob, "dave", &json!({})).await;
    assert!(app.app.catalog.delete_user(&"alice".parse().unwrap()).await.unwrap());
    assert_eq!(carol.get("/whoami").await.status, 401);
    assert_eq!(dave.get("/whoami").await.status, 200);
    let mut tables = app.tables().await;
    assert_eq!(tables.number("SELECT COUNT(*) FROM grants").await, 0);
    assert_eq!(tables.number("SELECT COUNT(*) FROM users").await, 2);
}
