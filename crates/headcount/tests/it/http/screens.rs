//! The calls that the screens of faynoSync's dashboard make, in their order, from its origin: each has the status and the
//! shape of a recorded answer.

use serde_json::{Value, json};

use crate::app::{Caller, Reply, TestApp};
use crate::http::shop;

const ORIGIN: &str = "https://dashboard.example.org";
const KEY: &str = "a key that nobody can guess at all";

/// The dashboard in a browser.
struct Browser<'a> {
    app: &'a TestApp,
    /// What it keeps in `localStorage`.
    token: Option<String>,
}

impl Browser<'_> {
    /// One call; the browser asks first whether it may, and shows the answer only if it may.
    async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let route = path.split('?').next().unwrap();
        let preflight = self.app.request("OPTIONS", route).header("Origin", ORIGIN);
        let preflight = preflight.header("Access-Control-Request-Method", method).send().await;
        if preflight.status != 404 {
            assert_eq!(preflight.status, 204, "{path}");
            for (header, wanted) in
                [("access-control-allow-methods", method), ("access-control-allow-headers", "Authorization")]
            {
                assert!(preflight.header(header).unwrap().contains(wanted), "{path}: {preflight:?}");
            }
        }
        let mut request = self.app.request(method, path).header("Origin", ORIGIN);
        if let Some(token) = &self.token {
            request = request.bearer(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let reply = request.send().await;
        assert_eq!(reply.header("access-control-allow-origin"), Some(ORIGIN), "{path}");
        assert_eq!(reply.header("access-control-allow-credentials"), Some("true"), "{path}");
        reply
    }

    /// A call whose answer has this status and the shape of this recorded one.
    async fn like(
        &self,
        (method, path): (&str, &str),
        body: Option<&Value>,
        (status, recorded): (u16, Value),
    ) -> Value {
        let reply = self.call(method, path, body).await;
        assert_eq!(reply.status, status, "{method} {path}: {reply:?}");
        let said = reply.json();
        assert_eq!(shape(&said), shape(&recorded), "{method} {path}");
        said
    }
}

/// The names of fields and the kinds of values; of a list, those of its first element.
fn shape(value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Bool(_) => "a truth value".into(),
        Value::Number(_) => "a number".into(),
        Value::String(_) => "a text".into(),
        Value::Array(list) => list.iter().take(1).map(shape).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), shape(value))).collect(),
    }
}

const ID: &str = "66ae2a3bdef1f5a3b1d6e0a4";
const AT: &str = "2024-08-03T14:46:42.361Z";

fn app_list() -> Value {
    json!({"apps": [{
        "ID": ID, "AppName": "myapp", "Logo": "", "Private": false, "Tuf": false, "Reports": false, "CdnEdge": false,
        "Description": "", "Owner": "admin", "Updated_at": AT,
    }]})
}

fn channel_list() -> Value {
    json!({"channels": [{"ID": ID, "ChannelName": "stable", "Owner": "admin", "Updated_at": AT}]})
}

fn platform_list() -> Value {
    let updaters = json!([{"type": "manual", "default": true}]);
    json!({"platforms": [{"ID": ID, "PlatformName": "darwin", "Updaters": updaters, "Owner": "admin", "Updated_at": AT}]})
}

fn arch_list() -> Value {
    json!({"archs": [{"ID": ID, "ArchID": "amd64", "Owner": "admin", "Updated_at": AT}]})
}

fn permissions() -> Value {
    let part = json!({"Create": true, "Delete": false, "Edit": false, "Allowed": null});
    let apps = json!({
        "Create": false, "Delete": false, "Edit": true, "Download": false, "Upload": true, "Allowed": [ID],
    });
    json!({"Apps": apps, "Channels": part, "Platforms": part, "Archs": part})
}

/// Signs up and in, as the two forms do.
async fn enter(app: &TestApp) -> Browser<'_> {
    let mut browser = Browser { app, token: None };
    let user = json!({"username": "admin", "password": "a long password", "api_key": "wrong"});
    let refused = json!({"error": "wrong api key", "code": "unauthenticated"});
    assert_eq!(browser.call("POST", "/signup", Some(&user)).await.both(), (401, refused));
    let user = json!({"username": "admin", "password": "a long password", "api_key": KEY});
    let told = json!({"result": "Successfully created admin user."});
    assert_eq!(browser.call("POST", "/signup", Some(&user)).await.both(), (200, told));
    let wrong = json!({"username": "admin", "password": "another password"});
    let refused = json!({"error": "invalid username or password", "code": "unauthenticated"});
    assert_eq!(browser.call("POST", "/login", Some(&wrong)).await.both(), (401, refused));
    let user = json!({"username": "admin", "password": "a long password"});
    let said = browser.like(("POST", "/login"), Some(&user), (200, json!({"token": "jwt"}))).await;
    browser.token = Some(said["token"].as_str().unwrap().to_owned());
    browser
}

#[tokio::test]
async fn a_new_administrator_opens_every_page() {
    let app = TestApp::with(&[("API_KEY", KEY), ("ALLOWED_CORS", ORIGIN)]).await;
    let browser = enter(&app).await;
    for (kind, list) in [("app", "apps"), ("channel", "channels"), ("platform", "platforms"), ("arch", "archs")] {
        let path = format!("/{kind}/list");
        assert_eq!(browser.call("GET", &path, None).await.both(), (200, json!({ list: null })));
    }
    let whoami = json!({"id": ID, "username": "admin", "is_admin": true});
    browser.like(("GET", "/whoami"), None, (200, whoami)).await;
    browser.like(("GET", "/users/list"), None, (200, json!({"users": null}))).await;
    browser.like(("GET", "/token/list"), None, (200, json!({"tokens": []}))).await;
    // A token that is worth something is never answered 401: the dashboard would sign out.
    assert_eq!(browser.call("GET", "/report-keys/list", None).await.status, 404);
    let guest = Browser { app: &app, token: Some("worth nothing".to_owned()) };
    assert_eq!(guest.call("GET", "/app/list", None).await.status, 401);
}

#[tokio::test]
async fn the_pages_of_the_catalog_make_their_calls() {
    let app = TestApp::with(&[("ALLOWED_CORS", ORIGIN)]).await;
    let admin = shop::open(&app, "admin").await;
    let browser = Browser { app: &app, token: Some(admin.token().to_owned()) };
    browser.like(("GET", "/app/list"), None, (200, app_list())).await;
    browser.like(("GET", "/channel/list"), None, (200, channel_list())).await;
    browser.like(("GET", "/platform/list"), None, (200, platform_list())).await;
    browser.like(("GET", "/arch/list"), None, (200, arch_list())).await;
    let artifact = json!({
        "link": "https://h/a.dmg", "platform": "darwin", "arch": "amd64", "package": ".dmg", "TufTaskID": null,
        "TufSigned": false,
    });
    let version = json!({
        "ID": ID, "AppName": "myapp", "Version": "1.1.0", "Channel": "stable", "Published": true, "Critical": false,
        "Intermediate": false, "Artifacts": [artifact],
        "Changelog": [{"Version": "1.1.0", "Changes": "", "Date": "2024-08-03"}], "Updated_at": AT,
        "RolloutPercent": 100,
    });
    let page = json!({"items": [version], "total": 2, "page": 1, "limit": 9});
    for filters in ["", "&channel=stable&platform=darwin&arch=amd64&published=true&critical=false"] {
        let path = format!("/search?app_name=myapp&limit=9&page=1{filters}");
        browser.like(("GET", &path), None, (200, page.clone())).await;
    }
    let updaters = json!([{"type": "manual", "default": true}, {"type": "tauri", "default": false}]);
    for (kind, word, more) in
        [("channel", "Channel", None), ("platform", "Platform", Some(updaters)), ("arch", "Arch", None)]
    {
        let mut fields = json!({ kind: "new" });
        if let Some(updaters) = more {
            fields["updaters"] = updaters;
        }
        let key = format!("create{word}Result.Created");
        let path = format!("/{kind}/create");
        let made = browser.like(("POST", &path), Some(&fields), (200, json!({ &key: ID }))).await;
        fields["id"] = made[&key].clone();
        fields[kind] = "newer".into();
        let (path, told) = (format!("/{kind}/update"), json!({ format!("update{word}Result.Updated"): true }));
        assert_eq!(browser.call("POST", &path, Some(&fields)).await.both(), (200, told));
        let path = format!("/{kind}/delete?id={}", fields["id"].as_str().unwrap());
        let told = json!({ format!("delete{word}Result.DeletedCount"): 1 });
        assert_eq!(browser.call("DELETE", &path, None).await.both(), (200, told));
    }
}

#[tokio::test]
async fn the_page_of_users_makes_its_calls() {
    let app = TestApp::with(&[("ALLOWED_CORS", ORIGIN)]).await;
    let admin = shop::open(&app, "admin").await;
    let browser = Browser { app: &app, token: Some(admin.token().to_owned()) };
    let app_id = browser.call("GET", "/app/list", None).await.json()["apps"][0]["ID"].clone();
    let part = json!({"create": true, "delete": false, "edit": false, "allowed": []});
    let apps = json!({
        "create": false, "delete": false, "edit": true, "download": false, "upload": true, "allowed": [app_id],
    });
    let sent = json!({"apps": apps, "channels": part, "platforms": part, "archs": part});
    let user = json!({"username": "dave", "password": "a long password", "permissions": sent});
    let told = |message: &str| (200, json!({ "message": message }));
    let made = browser.call("POST", "/user/create", Some(&user)).await;
    assert_eq!(made.both(), told("Team user created successfully"));
    let row = json!({"id": ID, "username": "dave", "permissions": permissions(), "updated_at": AT});
    let users = browser.like(("GET", "/users/list"), None, (200, json!({"users": [row]}))).await;
    let id = &users["users"][0]["id"];
    let dave = Caller::login(&app, "dave", "a long password").await;
    let profile = Browser { app: &app, token: Some(dave.token().to_owned()) };
    let whoami =
        json!({"id": ID, "username": "dave", "is_admin": false, "owner": "admin", "permissions": permissions()});
    profile.like(("GET", "/whoami"), None, (200, whoami)).await;
    profile.like(("GET", "/app/list"), None, (200, app_list())).await;
    let change = json!({"id": id, "username": "dave", "permissions": sent});
    let changed = browser.call("POST", "/user/update", Some(&change)).await;
    assert_eq!(changed.both(), told("Team user updated successfully"));
    let gone = browser.call("DELETE", "/user/delete", Some(&json!({ "id": id }))).await;
    assert_eq!(gone.both(), told("Team user deleted successfully"));
    browser.like(("GET", "/users/list"), None, (200, json!({"users": null}))).await;
}

#[tokio::test]
async fn the_page_of_tokens_makes_its_calls() {
    let app = TestApp::with(&[("ALLOWED_CORS", ORIGIN)]).await;
    let admin = shop::open(&app, "admin").await;
    let browser = Browser { app: &app, token: Some(admin.token().to_owned()) };
    let app_id = browser.call("GET", "/app/list", None).await.json()["apps"][0]["ID"].clone();
    // Beside what was recorded there are the scopes of a token.
    let recorded = |expiry: Value| {
        json!({
            "id": ID, "name": "ci", "token": "fns_0", "token_prefix": "fns_01234567", "scopes": ["release:write"],
            "allowed_apps": [ID], "expires_at": expiry, "created_at": AT,
        })
    };
    let body = json!({"name": "ci", "allowed_apps": [app_id]});
    browser.like(("POST", "/token/create"), Some(&body), (201, recorded(Value::Null))).await;
    let body = json!({"name": "ci", "allowed_apps": [app_id], "expires_at": "2100-01-01T00:00:00Z"});
    let made = browser.like(("POST", "/token/create"), Some(&body), (201, recorded(AT.into()))).await;
    let mut row = recorded(AT.into());
    row.as_object_mut().unwrap().remove("token");
    browser.like(("GET", "/token/list"), None, (200, json!({"tokens": [row]}))).await;
    let revoked = browser.call("DELETE", "/token/delete", Some(&json!({"id": made["id"]}))).await;
    assert_eq!(revoked.both(), (200, json!({"message": "Token revoked"})));
}
