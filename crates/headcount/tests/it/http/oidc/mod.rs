//! Signing in through an OpenID Connect provider: a real one, and one that lies.

mod browser;
mod liar;
mod provider;

use std::time::Duration;

use headcount::clock::Clock;
use serde_json::{Value, json};

use self::browser::Browser;
use self::provider::RealProvider;
use crate::app::{Caller, TestApp};
use crate::http::shop;

/// Where browsers believe the server to be.
const PUBLIC: &str = "http://headcount.localhost";
const CALLBACK: &str = "http://headcount.localhost/session/oidc/callback";

/// A server that knows that provider, as one of its clients.
async fn knowing(issuer: &str, client: &[(&str, &str)]) -> TestApp {
    knowing_at(Clock::wall(), issuer, client).await
}

/// The same, at a time that the test sets.
async fn knowing_at(clock: Clock, issuer: &str, client: &[(&str, &str)]) -> TestApp {
    let settings = [
        ("HEADCOUNT_PUBLIC_URL", PUBLIC),
        ("HEADCOUNT_OIDC_ISSUER", issuer),
        ("HEADCOUNT_OIDC_NAME", "the house"),
        ("HEADCOUNT_OIDC_CLIENT_ID", "headcount"),
        ("HEADCOUNT_OIDC_CLIENT_SECRET", "a secret of the two"),
    ];
    TestApp::at(clock, &[&settings[..], client].concat()).await
}

fn refused(word: &str) -> String {
    format!("/sign-in?refused={word}")
}

async fn whoami(app: &TestApp, browser: &Browser) -> (u16, Value) {
    app.request("GET", "/whoami").header("Cookie", &browser.cookies_of(PUBLIC, "/")).send().await.both()
}

#[tokio::test]
async fn who_has_a_role_signs_in_and_stays_the_same_user() {
    let provider = RealProvider::start(CALLBACK);
    let app = knowing(&provider.issuer, &[]).await;
    let acme = shop::open(&app, "acme").await;
    provider.set_roles("ada", "headcount-administrator,others").await;
    provider.set_roles("tim", "headcount-team").await;
    assert_eq!(app.get("/session/oidc").await.both(), (200, json!({"provider": "the house"})));

    let mut browser = Browser::default();
    let to_provider = browser.begin(&app, "?next=/versions%3Frange%3D7d%26compare%3Dtrue").await;
    for part in ["response_type=code", "scope=openid+profile", "code_challenge_method=S256", "client_id=headcount"] {
        assert!(to_provider.contains(part), "{to_provider}");
    }
    let kept = browser.set_cookie.clone();
    assert!(kept[0].ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax"), "{kept:?}");
    let back = browser.sign_in_there(&to_provider, "ada").await;
    let before = browser.clone();
    let page = browser.come_back(&app, &back).await;
    assert_eq!((page.status, page.header("cache-control")), (200, Some("no-store")));
    assert!(page.text.contains("content=\"0;url=/versions?range=7d&amp;compare=true\""), "{}", page.text);
    let cookies = browser.set_cookie.clone();
    assert!(cookies[0].starts_with("headcount-sign-in=; Path=/; Max-Age=0;"), "{cookies:?}");
    assert!(cookies[1].starts_with("headcount=hcs_"), "{cookies:?}");
    assert!(cookies[1].ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"), "{cookies:?}");
    let (status, ada) = whoami(&app, &browser).await;
    assert_eq!((status, &ada["username"], &ada["is_admin"]), (200, &json!("ada"), &json!(true)));

    // What was used is used up, for who has the cookie still and for who has not.
    assert_eq!(browser.come_back(&app, &back).await.header("location"), Some(&*refused("unknown")));
    let mut again = before.clone();
    assert_eq!(again.come_back(&app, &back).await.header("location"), Some(&*refused("refused")));

    let mut second = Browser::default();
    second.sign_in(&app, "ada").await;
    assert_eq!(whoami(&app, &second).await, (200, ada));

    let mut of_team = Browser::default();
    of_team.sign_in(&app, "tim").await;
    let (_, tim) = whoami(&app, &of_team).await;
    assert_eq!((&tim["username"], &tim["is_admin"], &tim["owner"]), (&json!("tim"), &json!(false), &json!("acme")));
    let team = acme.get("/users/list").await.json();
    assert_eq!(
        (&team["users"][0]["username"], &team["users"][0]["permissions"]["Apps"]["Allowed"]),
        (&json!("tim"), &Value::Null)
    );
    let log = acme.get("/audit/list?kind=user").await.json();
    assert_eq!((&log["entries"][0]["actor"]["name"], &log["entries"][0]["via"]), (&json!("tim"), &json!("provider")));

    // Nobody knows a password of them.
    for name in ["ada", "tim", "nobody"] {
        let reply = app.request("POST", "/login").json(&json!({"username": name, "password": "correct horse battery"}));
        let wrong = json!({"error": "invalid username or password", "code": "unauthenticated"});
        assert_eq!(reply.send().await.both(), (401, wrong));
    }
}

#[tokio::test]
async fn the_role_is_that_of_the_last_sign_in() {
    let provider = RealProvider::start(CALLBACK);
    let app = knowing(&provider.issuer, &[]).await;
    Caller::new(&app, "acme").await;
    let mut browsers = [Browser::default(), Browser::default(), Browser::default()];
    let [first, second, third] = &mut browsers;
    assert_eq!(first.sign_in(&app, "ada").await.header("location"), Some(&*refused("no-role")));

    provider.set_roles("ada", "headcount-administrator").await;
    first.sign_in(&app, "ada").await;
    let (_, administrator) = whoami(&app, first).await;
    provider.set_roles("ada", "headcount-team").await;
    second.sign_in(&app, "ada").await;
    let (_, of_team) = whoami(&app, second).await;
    assert_ne!(administrator["id"], of_team["id"]);
    assert_eq!((&of_team["username"], &of_team["owner"]), (&json!("ada-2"), &json!("acme")));
    assert_eq!(whoami(&app, first).await.0, 401);

    provider.set_roles("ada", "others").await;
    assert_eq!(third.sign_in(&app, "ada").await.header("location"), Some(&*refused("no-role")));
    assert_eq!(whoami(&app, second).await.0, 401);
    provider.set_roles("ada", "headcount-administrator").await;
    third.sign_in(&app, "ada").await;
    assert_eq!(whoami(&app, third).await, (200, administrator));
}

#[tokio::test]
async fn a_public_client_has_no_secret() {
    let provider = RealProvider::start(CALLBACK);
    let client = [("HEADCOUNT_OIDC_CLIENT_ID", "public"), ("HEADCOUNT_OIDC_CLIENT_SECRET", "")];
    let app = knowing(&provider.issuer, &client).await;
    provider.set_roles("ada", "headcount-administrator").await;
    let mut browser = Browser::default();
    assert_eq!(browser.sign_in(&app, "ada").await.status, 200);
    assert_eq!(whoami(&app, &browser).await.1["username"], "ada");
}

#[tokio::test]
async fn only_what_this_browser_began_comes_to_an_end() {
    let provider = RealProvider::start(CALLBACK);
    let app = knowing(&provider.issuer, &[]).await;
    provider.set_roles("ada", "headcount-administrator").await;
    let (mut victim, mut attacker) = (Browser::default(), Browser::default());
    let begun = victim.begin(&app, "").await;
    let to_provider = attacker.begin(&app, "").await;
    let back = attacker.sign_in_there(&to_provider, "ada").await;
    // With the attacker's state, with the victim's, and without any.
    let parameter = |address: &str, name: &str| {
        let url = reqwest::Url::parse(address).unwrap();
        url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned()).unwrap()
    };
    let code = parameter(&back, "code");
    let state = parameter(&begun, "state");
    for (query, word) in [
        (back.split_once('?').unwrap().1.to_owned(), "unknown"),
        (format!("code={code}"), "unknown"),
        (format!("code={code}&state={state}&iss=https://elsewhere.example"), "untrue"),
        (format!("error=access_denied&state={state}"), "refused"),
        (format!("state={state}"), "refused"),
        // The code belongs to another verifier.
        (format!("code={code}&state={state}"), "refused"),
    ] {
        let mut browser = victim.clone();
        let reply = browser.come_back(&app, &format!("{CALLBACK}?{query}")).await;
        assert_eq!((reply.status, reply.header("location")), (303, Some(&*refused(word))), "{query}");
        assert!(browser.set_cookie[0].starts_with("headcount-sign-in=; Path=/; Max-Age=0;"));
    }
    let mut forged = victim.clone();
    forged.spoil_cookies();
    let reply = forged.come_back(&app, &format!("{CALLBACK}?code={code}&state={state}")).await;
    assert_eq!(reply.header("location"), Some(&*refused("unknown")));
}

#[tokio::test]
async fn nobody_is_sent_to_another_server_afterwards() {
    let provider = RealProvider::start(CALLBACK);
    let app = knowing(&provider.issuer, &[]).await;
    provider.set_roles("ada", "headcount-administrator").await;
    for next in ["https://elsewhere.example", "//elsewhere.example", "/\\elsewhere.example", "versions", ""] {
        let mut browser = Browser::default();
        let to_provider = browser.begin(&app, &format!("?next={next}")).await;
        let back = browser.sign_in_there(&to_provider, "ada").await;
        let page = browser.come_back(&app, &back).await;
        assert!(page.text.contains("content=\"0;url=/\""), "{next}: {}", page.text);
    }
}

#[tokio::test]
async fn without_the_provider_passwords_do() {
    let provider = RealProvider::start(CALLBACK);
    let (app, issuer) = (knowing(&provider.issuer, &[]).await, provider.issuer.clone());
    app.administrator("acme").await;
    provider.set_roles("ada", "headcount-administrator").await;
    let mut browser = Browser::default();
    let to_provider = browser.begin(&app, "").await;
    let back = browser.sign_in_there(&to_provider, "ada").await;
    drop(provider);
    assert_eq!(browser.come_back(&app, &back).await.header("location"), Some(&*refused("unavailable")));
    let body = json!({"username": "acme", "password": "the password of acme"});
    assert_eq!(app.request("POST", "/login").json(&body).send().await.status, 200);

    let other = knowing(&issuer, &[]).await;
    let reply = other.get("/session/oidc/begin").await;
    assert_eq!((reply.status, reply.header("location")), (303, Some(&*refused("unavailable"))));
}

#[tokio::test]
async fn without_a_provider_there_is_none() {
    let app = TestApp::start().await;
    assert_eq!(app.get("/session/oidc").await.both(), (200, json!({"provider": null})));
    for path in ["/session/oidc/begin", "/session/oidc/callback?code=1&state=2"] {
        assert_eq!(app.get(path).await.both(), (404, json!({"error": "not found", "code": "not_found"})));
    }
}

#[tokio::test]
async fn a_sign_in_takes_ten_minutes_at_most() {
    let provider = RealProvider::start(CALLBACK);
    let clock = Clock::stopped_at(Clock::wall().now());
    let app = knowing_at(clock.clone(), &provider.issuer, &[]).await;
    let mut browser = Browser::default();
    let to_provider = browser.begin(&app, "").await;
    let back = browser.sign_in_there(&to_provider, "ada").await;
    clock.advance(Duration::from_mins(10));
    assert_eq!(browser.come_back(&app, &back).await.header("location"), Some(&*refused("unknown")));
}
