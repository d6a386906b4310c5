//! Every route with every kind of caller: generated from the list of routes.

use std::sync::LazyLock;
use std::time::Duration;

use axum::http::Method;
use headcount::catalog::rights::word;
use headcount::catalog::tokens::TokenScope;
use headcount::clock::Clock;
use headcount::http::policies;
use headcount::http::policy::{Declared, Policy, Team, Tokens};
use headcount_engine::day::Millis;
use serde_json::{Value, json};

use crate::app::{Caller, Reply, TestApp};
use crate::http::shop;
use crate::readme::{between, document};

/// Who may call what, as it was agreed on: rows of a table. A new route, or another policy, is another row.
pub(super) static AGREED: LazyLock<String> = LazyLock::new(|| {
    let text = document("docs/api.md");
    between(&text, "<!-- routes:", "<!-- routes end -->")
        .trim_start_matches("\n| route | callers |\n|---|---|\n")
        .to_owned()
});

#[test]
fn every_route_may_be_called_by_whom_it_was_agreed_on() {
    let mut lines: Vec<String> = policies()
        .into_iter()
        .map(|Declared { method, path, policy }| {
            let said = policy.to_string();
            let callers = said.strip_prefix("May be called by ").unwrap().strip_suffix('.').unwrap();
            format!("| `{method} {path}` | {callers} |\n")
        })
        .collect();
    lines.sort();
    assert_eq!(format!("{}\n", lines.concat()), *AGREED);
}

/// Whoever may call something, or may not.
#[derive(Clone, Copy, Debug)]
enum Who {
    Nobody,
    Administrator,
    /// With these rights.
    Team(&'static [&'static str]),
    /// Of that scope.
    Token(&'static str),
    /// Somebody who was known once.
    Former(&'static str),
}

const EVERY_RIGHT: &[&str] = &[
    "apps.create",
    "apps.edit",
    "apps.delete",
    "apps.upload",
    "apps.download",
    "channels.create",
    "channels.edit",
    "channels.delete",
    "platforms.create",
    "platforms.edit",
    "platforms.delete",
    "archs.create",
    "archs.edit",
    "archs.delete",
];

/// What the caller is refused with; nothing where the route serves it.
fn refusal(policy: Policy, who: Who) -> Option<(u16, &'static str)> {
    let Policy::Known(team, tokens) = policy else { return None };
    match who {
        Who::Nobody => Some((401, "missing authorization header")),
        Who::Former(why) => Some((401, why)),
        Who::Administrator => None,
        Who::Team(rights) => match team {
            Team::Nobody => Some((403, "Admin access required")),
            Team::Everybody => None,
            Team::With(kind, right) if rights.contains(&word(kind, right).as_str()) => None,
            Team::With(..) => Some((403, "Permission denied")),
        },
        Who::Token(scope) => match (tokens, team) {
            (Tokens::Everybody, _) => None,
            (Tokens::With(wanted), _) if wanted.as_str() == scope => None,
            (Tokens::With(_), _) => Some((403, "API token scope is missing")),
            (Tokens::Nobody, Team::With(..)) => Some((403, "API tokens are restricted to app upload")),
            (Tokens::Nobody, _) => Some((403, "Admin JWT is required")),
        },
    }
}

/// Every flag, for every resource of that administrator.
async fn everything(admin: &Caller<'_>) -> Value {
    let mut permissions = json!({});
    for kind in ["app", "channel", "platform", "arch"] {
        let list = admin.get(&format!("/{kind}/list")).await.json();
        let rows = list[format!("{kind}s")].as_array().cloned().unwrap_or_default();
        let ids: Vec<&str> = rows.iter().map(|row| row["ID"].as_str().unwrap()).collect();
        permissions[format!("{kind}s")] = json!({
            "create": true, "edit": true, "delete": true, "upload": true, "download": true, "allowed": ids
        });
    }
    permissions
}

async fn new_token(admin: &Caller<'_>, scope: &str, fields: &Value) -> (String, String) {
    let mut body = json!({"name": scope, "scopes": [scope]});
    if scope == "release:write" {
        let apps = everything(admin).await["apps"]["allowed"].clone();
        body["allowed_apps"] = apps;
    }
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    let reply = admin.post("/token/create", &body).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let reply = reply.json();
    (reply["id"].as_str().unwrap().to_owned(), reply["token"].as_str().unwrap().to_owned())
}

/// A body that ends no session: the next caller needs it.
pub(crate) fn harmless(path: &str) -> &'static str {
    if path == "/session/delete-all" { r#"{"user": "nobody"}"# } else { "{}" }
}

#[tokio::test]
async fn every_route_serves_whom_its_policy_names_and_nobody_else() {
    let clock = Clock::stopped_at(Millis(1_770_000_000_000));
    let app = TestApp::at(clock.clone(), &[("API_KEY", "a key that nobody can guess at all")]).await;
    let ended = app.administrator("zoe").await;
    let alice = shop::open(&app, "alice").await;
    app.administrator("bob").await;
    let soon = json!({"expires_at": "2026-02-02T02:45:00Z"});
    let (_, expired) = new_token(&alice, "telemetry:read", &soon).await;
    clock.advance(Duration::from_hours(13));
    let again = async |name: &str| Caller::login(&app, name, &format!("the password of {name}")).await;
    let (alice, bob) = (again("alice").await, again("bob").await);
    let carol = Caller::team(&app, &alice, "carol", &json!({})).await;
    let dave = Caller::team(&app, &alice, "dave", &everything(&alice).await).await;
    let erin = Caller::team(&app, &alice, "erin", &everything(&alice).await).await;
    let (revoked_id, revoked) = new_token(&alice, "release:write", &json!({})).await;
    let reply = alice.request("DELETE", "/token/delete").json(&json!({"id": revoked_id})).send().await;
    assert_eq!(reply.both(), (200, json!({"message": "Token revoked"})));
    let erin_id = erin.get("/whoami").await.json()["id"].clone();
    assert_eq!(alice.request("DELETE", "/user/delete").json(&json!({"id": erin_id})).send().await.status, 200);

    let unknown = Who::Former("invalid or expired token");
    let mut callers = vec![
        (Who::Nobody, None),
        (Who::Administrator, Some(alice.token().to_owned())),
        (Who::Administrator, Some(bob.token().to_owned())),
        (Who::Team(&[]), Some(carol.token().to_owned())),
        (Who::Team(EVERY_RIGHT), Some(dave.token().to_owned())),
        (Who::Former("token expired"), Some(expired)),
        (unknown, Some(revoked)),
        (unknown, Some(erin.token().to_owned())),
        (unknown, Some(ended)),
        (unknown, Some(format!("fns_{}", "0".repeat(64)))),
    ];
    for scope in ["release:write", "telemetry:read", "telemetry:import"] {
        callers.push((Who::Token(scope), Some(new_token(&alice, scope, &json!({})).await.1)));
    }
    let mut routes = policies();
    // What ends the session that it is called with comes last.
    routes.sort_by_key(|declared| declared.path == "/logout");
    for Declared { method, path, policy } in routes {
        for (who, token) in &callers {
            let request = app.request(method.as_str(), &path).body(harmless(&path));
            let mut request = request.header("Sec-Fetch-Site", "none").header("Content-Type", "application/json");
            if let Some(token) = token {
                request = request.bearer(token);
            }
            check(&request.send().await, policy, *who, &format!("{method} {path} by {who:?}"));
        }
    }
}

fn check(reply: &Reply, policy: Policy, who: Who, what: &str) {
    match refusal(policy, who) {
        Some((status, error)) => {
            let code = if status == 401 { "unauthenticated" } else { "forbidden" };
            assert_eq!(reply.both(), (status, json!({"error": error, "code": code})), "{what}");
        }
        None => assert!(![401, 403, 405].contains(&reply.status) && reply.status < 500, "{what}: {reply:?}"),
    }
}

/// A route that reads telemetry is one that tokens with that scope may call; a new one is asked as soon as it is there.
#[tokio::test]
async fn every_route_that_reads_telemetry_refuses_names_that_were_not_granted() {
    let app = TestApp::start().await;
    let alice = shop::open(&app, "alice").await;
    let carol = Caller::team(&app, &alice, "carol", &json!({})).await;
    let reads =
        |declared: &Declared| matches!(declared.policy, Policy::Known(_, Tokens::With(TokenScope::TelemetryRead)));
    let paths: Vec<String> = policies().into_iter().filter(reads).map(|declared| declared.path).collect();
    assert!(paths.contains(&"/telemetry".to_owned()), "{paths:?}");
    for path in paths {
        for (parameter, name) in
            [("apps", "myapp"), ("channels", "stable"), ("platforms", "darwin"), ("architectures", "amd64")]
        {
            let granted = alice.get(&format!("{path}?{parameter}={name}")).await;
            assert_eq!(granted.status, 200, "{path} by {parameter}");
            let [known, unknown] = [name, "nothing"].map(|name| format!("{path}?{parameter}={name}"));
            let (known, unknown) = (carol.get(&known).await, carol.get(&unknown).await);
            assert_eq!((known.status, &known.text), (403, &unknown.text), "{path} by {parameter}");
            assert_eq!((unknown.status, &unknown.json()["field"]), (403, &json!(parameter)), "{path} by {parameter}");
        }
    }
}

/// Where a route takes an id.
enum At {
    Query,
    Json(fn(&str) -> Value),
    Form(fn(&str) -> Value),
}

/// Every way in which a route takes an id.
const WITH_ID: &[(&str, &str, At)] = &[
    ("DELETE", "/app/delete", At::Query),
    ("DELETE", "/arch/delete", At::Query),
    ("DELETE", "/channel/delete", At::Query),
    ("DELETE", "/platform/delete", At::Query),
    ("DELETE", "/release/delete", At::Query),
    ("DELETE", "/session/delete", At::Json(|id| json!({"id": id}))),
    ("DELETE", "/session/delete-all", At::Json(|id| json!({"user": id}))),
    ("DELETE", "/token/delete", At::Json(|id| json!({"id": id}))),
    ("DELETE", "/user/delete", At::Json(|id| json!({"id": id}))),
    ("POST", "/admin/update", At::Json(|id| json!({"id": id, "username": "alice", "password": "a stolen password"}))),
    ("POST", "/app/update", At::Form(|id| json!({"id": id, "app": "stolen"}))),
    ("POST", "/arch/update", At::Json(|id| json!({"id": id, "arch": "stolen"}))),
    ("POST", "/channel/update", At::Json(|id| json!({"id": id, "channel": "stolen"}))),
    (
        "POST",
        "/platform/update",
        At::Json(|id| json!({"id": id, "platform": "stolen", "updaters": [{"type": "manual", "default": true}]})),
    ),
    ("POST", "/release/update", At::Json(|id| json!({"id": id, "publish": false}))),
    ("POST", "/settings", At::Json(|id| json!({"apps": [{"id": id, "telemetry": false}]}))),
    ("POST", "/token/create", At::Json(|id| json!({"name": "stolen", "allowed_apps": [id]}))),
    ("POST", "/user/update", At::Json(|id| json!({"id": id, "username": "stolen", "password": "a stolen password"}))),
    ("POST", "/user/create", At::Json(|id| new_user(&json!({"apps": {"allowed": [id]}})))),
    ("POST", "/user/create", At::Json(|id| new_user(&json!({"channels": {"allowed": [id]}})))),
    ("POST", "/user/create", At::Json(|id| new_user(&json!({"platforms": {"allowed": [id]}})))),
    ("POST", "/user/create", At::Json(|id| new_user(&json!({"archs": {"allowed": [id]}})))),
];

/// The routes that take no id: by all methods, or by one.
const WITHOUT_ID: &[&str] = &[
    "/app/create",
    "/app/list",
    "/apps/latest",
    "/arch/create",
    "/arch/list",
    "/audit/list",
    "/channel/create",
    "/channel/list",
    "/checkVersion",
    "/health",
    "/login",
    "/logout",
    "/openapi.json",
    "/platform/create",
    "/platform/list",
    "/ready",
    "/privacy/device/erase",
    "/privacy/device/find",
    "/release/create",
    "/release/list",
    "/search",
    "/session/create",
    "/session/list",
    "/session/oidc",
    "/session/oidc/begin",
    "/session/oidc/callback",
    "/setup",
    "/signup",
    "/telemetry",
    "/telemetry/adoption",
    "/telemetry/attention",
    "/telemetry/beacon",
    "/telemetry/breakdown",
    "/telemetry/import",
    "/telemetry/live",
    "/telemetry/matrix",
    "/telemetry/quality",
    "/telemetry/retention",
    "/telemetry/trend",
    "/telemetry/upgrades",
    "/token/list",
    "/users/list",
    "/whoami",
    "GET /settings",
];

fn new_user(permissions: &Value) -> Value {
    json!({"username": "stolen", "password": "a stolen password", "permissions": permissions})
}

#[test]
fn of_every_route_it_is_known_whether_it_takes_an_id() {
    let with = |method: &Method, path: &str| WITH_ID.iter().any(|one| one.0 == method.as_str() && one.1 == path);
    let without = |route: &str| WITHOUT_ID.contains(&route);
    for Declared { method, path, .. } in policies() {
        let is_without = without(&path) || without(&format!("{method} {path}"));
        assert!(with(&method, &path) != is_without, "{method} {path}");
    }
}

async fn send(caller: &Caller<'_>, (method, path, at): &(&str, &str, At), id: &str) -> (u16, String) {
    let reply = match at {
        At::Query => caller.request(method, &format!("{path}?id={id}")).send().await,
        At::Json(body) => caller.request(method, path).json(&body(id)).send().await,
        At::Form(fields) => caller.form(path, &fields(id)).await,
    };
    (reply.status, reply.text.replace(id, "ID"))
}

/// What an owner has, as the owner sees it.
async fn seen(owner: &Caller<'_>) -> Vec<String> {
    let mut seen = Vec::new();
    for path in [
        "/app/list",
        "/channel/list",
        "/platform/list",
        "/arch/list",
        "/release/list",
        "/users/list",
        "/token/list",
        "/whoami",
        "/telemetry",
        "/settings",
    ] {
        seen.push(owner.get(path).await.text);
    }
    seen
}

#[tokio::test]
async fn an_id_of_another_owner_is_as_one_of_nobody() {
    let app = TestApp::start().await;
    let (alice, bob) = (shop::open(&app, "alice").await, shop::open(&app, "bob").await);
    Caller::team(&app, &bob, "berta", &everything(&bob).await).await;
    let dave = Caller::team(&app, &alice, "dave", &everything(&alice).await).await;
    let mut theirs = vec![new_token(&bob, "release:write", &json!({})).await.0];
    let first = |list: Value, key: &str, id: &str| list[key][0][id].as_str().unwrap().to_owned();
    for kind in ["app", "channel", "platform", "arch"] {
        theirs.push(first(bob.get(&format!("/{kind}/list")).await.json(), &format!("{kind}s"), "ID"));
    }
    theirs.push(first(bob.get("/release/list").await.json(), "items", "id"));
    theirs.push(first(bob.get("/users/list").await.json(), "users", "id"));
    theirs.push(bob.get("/whoami").await.json()["id"].as_str().unwrap().to_owned());
    let tokens = [
        new_token(&alice, "release:write", &json!({})).await.1,
        new_token(&alice, "telemetry:import", &json!({})).await.1,
    ];
    let [writer, importer] = tokens.each_ref().map(|token| Caller::known(&app, token));
    let before = [seen(&alice).await, seen(&bob).await];

    for caller in [&alice, &dave, &writer, &importer] {
        for route in WITH_ID {
            let (status, nobodys) = send(caller, route, "0123456789abcdef01234567").await;
            assert!((400..500).contains(&status), "{} {}: {status} {nobodys}", route.0, route.1);
            for id in &theirs {
                let reply = send(caller, route, id).await;
                assert_eq!(reply, (status, nobodys.clone()), "{} {} with {id}", route.0, route.1);
            }
        }
    }
    let now = [seen(&alice).await, seen(&bob).await];
    assert_eq!(now[1], before[1]);
    // Only when its tokens were last used has changed for the other.
    let but_tokens = |seen: &[String]| [&seen[..6], &seen[7..]].concat();
    assert_eq!(but_tokens(&now[0]), but_tokens(&before[0]));
}
