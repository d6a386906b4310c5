//! Sessions of browsers: the cookie, and the pages from which it is taken.

use axum::http::Method;
use headcount::http::policies;
use headcount::http::policy::{Declared, Policy};
use serde_json::{Value, json};

use crate::app::{Caller, Reply, TestApp, TestRequest};
use crate::http::policies::harmless;
use crate::http::shop;

const FOREIGN: &str = "a cookie is taken from pages of this server only";

/// The cookie of a fresh session, as a browser sends it back.
async fn cookie(app: &TestApp, name: &str) -> String {
    let reply = from_page(app.request("POST", "/session/create")).json(&credentials(name)).send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let set = reply.header("set-cookie").unwrap();
    set.split(';').next().unwrap().to_owned()
}

fn credentials(name: &str) -> Value {
    json!({"username": name, "password": format!("the password of {name}")})
}

/// As a script of a page of the server sends it.
fn from_page(request: TestRequest) -> TestRequest {
    request.header("Sec-Fetch-Site", "same-origin")
}

/// Status and body, without when it was answered.
fn timeless(reply: &Reply) -> (u16, Value) {
    let (status, mut body) = reply.both();
    if let Some(fields) = body.as_object_mut() {
        fields.remove("as_of");
    }
    (status, body)
}

fn forbidden(reply: &Reply) -> bool {
    reply.status == 403 && reply.json()["error"] == FOREIGN
}

#[tokio::test]
async fn a_browser_gets_a_cookie_and_no_script_sees_the_token() {
    let app = TestApp::start().await;
    app.administrator("alice").await;
    let reply = from_page(app.request("POST", "/session/create")).json(&credentials("alice")).send().await;
    let set = reply.header("set-cookie").unwrap().to_owned();
    let (value, attributes) = set.split_once("; ").unwrap();
    let token = value.strip_prefix("headcount=hcs_").unwrap();
    assert!(token.len() == 64 && token.bytes().all(|byte| byte.is_ascii_hexdigit()), "{set}");
    assert_eq!(attributes, "Path=/; Max-Age=43200; HttpOnly; SameSite=Strict");
    let id = reply.json()["id"].clone();
    assert_eq!(reply.both(), (200, json!({"id": id, "username": "alice", "is_admin": true})));

    // The address of a report can be opened.
    let opened = app.request("GET", "/telemetry").header("Cookie", value).header("Sec-Fetch-Site", "none").send().await;
    assert_eq!((opened.status, opened.json()["admin"].clone()), (200, json!("alice")));
    assert_eq!(opened.header("cache-control"), Some("no-store"));
    // `/login` is for programs, and sets none.
    let reply = app.request("POST", "/login").json(&credentials("alice")).send().await;
    assert_eq!((reply.status, reply.header("set-cookie")), (200, None));
    assert_eq!(reply.json().as_object().unwrap().len(), 1);
}

#[tokio::test]
async fn over_tls_the_cookie_is_secure() {
    let secure = "Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure";
    for (settings, proto, is_secure) in [
        (vec![("HEADCOUNT_PUBLIC_URL", "https://hc.example.org")], None, true),
        (vec![("HEADCOUNT_PUBLIC_URL", "http://hc.example.org")], None, false),
        (vec![("HEADCOUNT_TRUSTED_PROXIES", "127.0.0.1")], Some("https"), true),
        (vec![("HEADCOUNT_TRUSTED_PROXIES", "127.0.0.1")], Some("http, https"), true),
        (vec![("HEADCOUNT_TRUSTED_PROXIES", "127.0.0.1")], Some("https, http"), false),
        (vec![("HEADCOUNT_TRUSTED_PROXIES", "127.0.0.1")], None, false),
        (vec![("HEADCOUNT_TRUSTED_PROXIES", "10.0.0.1")], Some("https"), false),
        (vec![], Some("https"), false),
    ] {
        let app = TestApp::with(&settings).await;
        app.administrator("alice").await;
        let via = |request: TestRequest| match proto {
            Some(proto) => request.header("X-Forwarded-Proto", proto),
            None => request,
        };
        let reply = via(from_page(app.request("POST", "/session/create"))).json(&credentials("alice")).send().await;
        let set = reply.header("set-cookie").unwrap().to_owned();
        let (value, attributes) = set.split_once("; ").unwrap();
        assert_eq!(value.starts_with("__Host-headcount=hcs_"), is_secure, "{settings:?} {proto:?}: {set}");
        assert_eq!(attributes == secure, is_secure, "{settings:?} {proto:?}: {set}");
        let known = via(app.request("GET", "/whoami")).header("Cookie", &format!("a=1; {value}; b=2")).send().await;
        assert_eq!(known.status, 200, "{settings:?} {proto:?}");
        if is_secure {
            // A cookie that was not kept to TLS is nobody's.
            let plain = value.replace("__Host-", "");
            assert_eq!(via(app.request("GET", "/whoami")).header("Cookie", &plain).send().await.status, 401);
        }
    }
}

/// Generated from the list of routes: by its cookie a page of the server may do what its user may, and no other page may.
#[tokio::test]
async fn a_cookie_speaks_for_pages_of_the_server_on_every_route() {
    let app = TestApp::with(&[("API_KEY", "a key that nobody can guess at all")]).await;
    let alice = shop::open(&app, "alice").await;
    Caller::team(&app, &alice, "carol", &json!({})).await;
    let (mut administrator, team) = (cookie(&app, "alice").await, cookie(&app, "carol").await);
    for Declared { method, path, policy } in policies() {
        if policy == Policy::Anyone {
            continue;
        }
        let ask = |cookie: &str| app.request(method.as_str(), &path).header("Cookie", cookie).body(harmless(&path));
        let json = |request: TestRequest| request.header("Content-Type", "application/json");
        let what = format!("{method} {path}");
        if method == Method::GET {
            let foreign = ask(&administrator).header("Origin", "https://evil.example").send().await;
            assert!(forbidden(&foreign), "{what}: {foreign:?}");
        } else {
            for (header, value) in [
                ("Sec-Fetch-Site", "cross-site"),
                ("Sec-Fetch-Site", "same-site"),
                ("Origin", "null"),
                ("Origin", "https://evil.example"),
                ("X-Requested-With", "XMLHttpRequest"),
            ] {
                let foreign = json(ask(&administrator)).header(header, value).send().await;
                assert!(forbidden(&foreign), "{what} with {header}: {value}: {foreign:?}");
            }
            for kind in ["text/plain", "application/x-www-form-urlencoded", "text/plain; a=application/json", ""] {
                let form = from_page(ask(&administrator)).header("Content-Type", kind).send().await;
                assert_eq!((form.status, &form.json()["field"]), (403, &json!("Content-Type")), "{what} as {kind}");
            }
        }
        let (by_cookie, by_header) = (
            from_page(json(ask(&team))).send().await,
            app.request(method.as_str(), &path)
                .bearer(team.split_once('=').unwrap().1)
                .body(harmless(&path))
                .send()
                .await,
        );
        // No two streams are alike.
        if path != "/logout" && path != "/telemetry/live" {
            assert_eq!(timeless(&by_cookie), timeless(&by_header), "{what}");
        }
        let served = from_page(json(ask(&administrator))).send().await;
        assert!(![401, 403].contains(&served.status) && served.status < 500, "{what}: {served:?}");
        if path == "/logout" {
            administrator = cookie(&app, "alice").await;
        }
    }
}

#[tokio::test]
async fn without_fetch_metadata_the_origin_decides() {
    let app = TestApp::start().await;
    app.administrator("alice").await;
    let host = app.address().to_string();
    let create = |origin: Option<String>| {
        let request = app.request("POST", "/session/create").json(&credentials("alice"));
        origin.map_or_else(
            || app.request("POST", "/session/create").json(&credentials("alice")),
            |origin| request.header("Origin", &origin),
        )
    };
    assert_eq!(create(Some(format!("http://{host}"))).send().await.status, 200);
    for origin in [
        None,
        Some("null".to_owned()),
        Some(String::new()),
        Some(format!("https://{host}")),
        Some(format!("http://{host}.evil.example")),
        Some("http://127.0.0.1".to_owned()),
        Some(host.clone()),
    ] {
        let reply = create(origin.clone()).send().await;
        assert!(forbidden(&reply) && reply.header("set-cookie").is_none(), "{origin:?}: {reply:?}");
    }

    let app = TestApp::with(&[("HEADCOUNT_PUBLIC_URL", "https://hc.example.org")]).await;
    app.administrator("alice").await;
    for (origin, status) in [
        ("https://hc.example.org", 200),
        ("http://hc.example.org", 403),
        ("https://hc.example.org:8443", 403),
        ("https://hc.example.org.evil.example", 403),
        ("https://evil.hc.example.org", 403),
    ] {
        let reply =
            app.request("POST", "/session/create").json(&credentials("alice")).header("Origin", origin).send().await;
        assert_eq!(reply.status, status, "{origin}");
    }
}

#[tokio::test]
async fn what_is_no_session_is_no_cookie() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    let token = json!({"name": "reader", "scopes": ["telemetry:read"]});
    let token = alice.post("/token/create", &token).await.json()["token"].as_str().unwrap().to_owned();
    let value = cookie(&app, "alice").await;
    let with = async |cookie: &str| app.request("GET", "/whoami").header("Cookie", cookie).send().await;
    for (cookie, error) in [
        (format!("headcount={token}"), "invalid or expired token"),
        ("headcount=hcs_0000".to_owned(), "invalid or expired token"),
        ("headcount=".to_owned(), "invalid or expired token"),
        (format!("{value}; {value}"), "invalid or expired token"),
        (format!("Headcount={value}"), "missing authorization header"),
        (value.replace('=', " "), "missing authorization header"),
        ("other=1".to_owned(), "missing authorization header"),
        ("\u{e9}".to_owned(), "missing authorization header"),
    ] {
        assert_eq!(with(&cookie).await.both(), (401, json!({"error": error, "code": "unauthenticated"})), "{cookie}");
    }
    // A header decides alone.
    let both = app.request("GET", "/whoami").header("Cookie", &value).bearer("nobody's").send().await;
    assert_eq!(both.both(), (401, json!({"error": "invalid or expired token", "code": "unauthenticated"})));
    let both = app.request("GET", "/whoami").header("Cookie", "headcount=nobody's").bearer(alice.token()).send().await;
    assert_eq!(both.status, 200);
    assert_eq!(with(&value).await.status, 200);
}

#[tokio::test]
async fn logging_out_ends_the_session_and_takes_the_cookie_back() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    let value = cookie(&app, "alice").await;
    let request = from_page(app.request("POST", "/logout")).header("Cookie", &value).json(&json!({}));
    let reply = request.send().await;
    assert_eq!(reply.both(), (200, json!({"message": "Logged out"})));
    assert_eq!(reply.header("set-cookie"), Some("headcount=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"));
    let gone = app.request("GET", "/whoami").header("Cookie", &value).send().await;
    assert_eq!(gone.both(), (401, json!({"error": "invalid or expired token", "code": "unauthenticated"})));
    // The other session of the user goes on, until it is logged out by its header.
    assert_eq!(alice.get("/whoami").await.status, 200);
    assert_eq!(alice.post("/logout", &json!({})).await.status, 200);
    assert_eq!(alice.get("/whoami").await.status, 401);
}

#[tokio::test]
async fn a_wrong_password_sets_no_cookie() {
    let app = TestApp::start().await;
    app.administrator("alice").await;
    let body = json!({"username": "alice", "password": "the password of bob"});
    let reply = from_page(app.request("POST", "/session/create")).json(&body).send().await;
    assert_eq!(reply.both(), (401, json!({"error": "invalid username or password", "code": "unauthenticated"})));
    assert_eq!(reply.header("set-cookie"), None);
}
