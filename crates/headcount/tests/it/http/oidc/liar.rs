//! A provider that says what it should not: each ID token that does not hold is refused, and so is each answer that is none.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use headcount::clock::Clock;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::browser::Browser;
use super::{CALLBACK, knowing, knowing_at, refused, whoami};
use crate::app::{Reply, TestApp};

/// The public half of the key that it publishes.
type Published = Arc<Mutex<String>>;

/// What the token endpoint answers.
type Said = Arc<Mutex<(StatusCode, String)>>;

/// What it answers in place of what is true.
type Lie<'a> = &'a dyn Fn(&Value) -> (u16, String);

struct Liar {
    issuer: String,
    key: Vec<u8>,
    published: Published,
    said: Said,
}

/// A key pair, and the public half as the provider publishes it.
fn key_pair() -> (Vec<u8>, String) {
    let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap();
    (key.as_ref().to_vec(), URL_SAFE_NO_PAD.encode(pair.public_key().as_ref()))
}

/// One key, as a provider publishes its keys.
fn as_keys(id: &str, public: &str) -> String {
    let key = json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": id, "alg": "EdDSA", "x": public});
    json!({ "keys": [key] }).to_string()
}

impl Liar {
    /// One that calls itself so; its own address, if nothing is given.
    async fn start(calls_itself: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let (key, public) = key_pair();
        let said = Said::new(Mutex::new((StatusCode::OK, String::new())));
        let metadata = json!({
            "issuer": calls_itself.unwrap_or(&issuer), "authorization_endpoint": format!("{issuer}/auth"),
            "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/keys"),
        });
        let published = Published::new(Mutex::new(as_keys("one", &public)));
        let keys = published.clone();
        let token = said.clone();
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(async move || Json(metadata)))
            .route("/keys", get(async move || keys.lock().unwrap().clone()))
            .route("/token", post(async move || token.lock().unwrap().clone()));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { issuer, key, published, said }
    }

    /// Begins, and comes back at once; meanwhile the provider gets to know the nonce, and says something.
    async fn sign_in(&self, app: &TestApp, says: impl FnOnce(&str) -> (u16, String)) -> (Reply, Browser) {
        let mut browser = Browser::default();
        let url = reqwest::Url::parse(&browser.begin(app, "").await).unwrap();
        let parameter = |name: &str| url.query_pairs().find(|(known, _)| known == name).unwrap().1.into_owned();
        let (status, body) = says(&parameter("nonce"));
        *self.said.lock().unwrap() = (StatusCode::from_u16(status).unwrap(), body);
        let back = format!("{CALLBACK}?code=any&state={}", parameter("state"));
        (browser.come_back(app, &back).await, browser)
    }

    /// What is true, for that sign-in.
    fn claims(&self, nonce: &str) -> Value {
        let now = Clock::wall().now().0 / 1000;
        json!({
            "iss": self.issuer, "aud": "headcount", "sub": "0001", "exp": now + 600, "iat": now, "nonce": nonce,
            "preferred_username": "Ada", "roles": "headcount-administrator",
        })
    }

    fn signed(&self, claims: &Value) -> (u16, String) {
        signed_by(&EncodingKey::from_ed_der(&self.key), Algorithm::EdDSA, "one", claims)
    }
}

fn answer(id_token: &str) -> (u16, String) {
    (200, json!({"id_token": id_token, "access_token": "any", "token_type": "Bearer"}).to_string())
}

fn signed_by(key: &EncodingKey, algorithm: Algorithm, id: &str, claims: &Value) -> (u16, String) {
    let header = Header { kid: Some(id.to_owned()), ..Header::new(algorithm) };
    answer(&jsonwebtoken::encode(&header, claims, key).unwrap())
}

#[tokio::test]
async fn what_is_true_is_believed() {
    let liar = Liar::start(None).await;
    let app = knowing(&liar.issuer, &[]).await;
    let (reply, browser) = liar.sign_in(&app, |nonce| liar.signed(&liar.claims(nonce))).await;
    assert_eq!((reply.status, &whoami(&app, &browser).await.1["username"]), (200, &json!("ada")));
    let several = |nonce: &str| {
        let mut claims = liar.claims(nonce);
        claims["aud"] = json!(["headcount", "another"]);
        claims["azp"] = "headcount".into();
        liar.signed(&claims)
    };
    assert_eq!(liar.sign_in(&app, several).await.0.status, 200);
    // Who is called as no user can be is called by an id.
    let strange = |nonce: &str| {
        let mut claims = liar.claims(nonce);
        claims["sub"] = "0002".into();
        claims["preferred_username"] = "<\u{fc}>".into();
        liar.signed(&claims)
    };
    let (_, browser) = liar.sign_in(&app, strange).await;
    assert_eq!(whoami(&app, &browser).await.1["username"].as_str().unwrap().len(), 24);
}

#[tokio::test]
async fn a_token_that_does_not_hold_is_refused() {
    let liar = Liar::start(None).await;
    let app = knowing(&liar.issuer, &[]).await;
    let now = Clock::wall().now().0 / 1000;
    let lies: [(&str, Value); 10] = [
        ("iss", json!("https://elsewhere.example")),
        ("aud", json!("another")),
        ("aud", json!(["headcount", "another"])),
        ("aud", Value::Null),
        ("azp", json!("another")),
        ("nonce", json!("of another sign-in")),
        ("nonce", Value::Null),
        ("exp", json!(now - 120)),
        ("exp", Value::Null),
        ("sub", Value::Null),
    ];
    for (claim, lie) in lies {
        let lying = |nonce: &str| {
            let mut claims = liar.claims(nonce);
            claims[claim] = lie.clone();
            claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
            liar.signed(&claims)
        };
        let (reply, browser) = liar.sign_in(&app, lying).await;
        assert_eq!((reply.status, reply.header("location")), (303, Some(&*refused("untrue"))), "{claim}: {lie}");
        assert_eq!(whoami(&app, &browser).await.0, 401);
    }
}

#[tokio::test]
async fn a_token_that_the_provider_did_not_sign_is_refused() {
    let liar = Liar::start(None).await;
    let app = knowing(&liar.issuer, &[]).await;
    let (stranger, _) = key_pair();
    let none = |claims: &Value| {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        answer(&format!("{}.{}.", part(&json!({"alg": "none"})), part(claims)))
    };
    let spoilt = |claims: &Value| {
        let (status, body) = liar.signed(claims);
        (status, body.replace("\"id_token\":\"", "\"id_token\":\"e"))
    };
    let lies: [(&str, Lie<'_>); 6] = [
        ("another key", &|claims| signed_by(&EncodingKey::from_ed_der(&stranger), Algorithm::EdDSA, "one", claims)),
        ("a key that is not published", &|claims| {
            signed_by(&EncodingKey::from_ed_der(&liar.key), Algorithm::EdDSA, "two", claims)
        }),
        ("a shared secret", &|claims| signed_by(&EncodingKey::from_secret(b"one"), Algorithm::HS256, "one", claims)),
        ("nothing", &none),
        ("spoilt", &spoilt),
        ("no token", &|_| answer("no token")),
    ];
    for (what, lie) in lies {
        let (reply, _) = liar.sign_in(&app, |nonce| lie(&liar.claims(nonce))).await;
        assert_eq!((reply.status, reply.header("location")), (303, Some(&*refused("untrue"))), "{what}");
    }
}

#[tokio::test]
async fn an_answer_that_is_none_is_the_providers_fault() {
    let liar = Liar::start(None).await;
    let app = knowing(&liar.issuer, &[]).await;
    for (status, body, word) in [
        (500, "an error".to_owned(), "unavailable"),
        (302, String::new(), "unavailable"),
        (200, "no JSON".to_owned(), "unavailable"),
        (200, json!({"access_token": "any"}).to_string(), "unavailable"),
        (200, " ".repeat(2 << 20), "unavailable"),
        (400, json!({"error": "invalid_grant"}).to_string(), "refused"),
    ] {
        let (reply, _) = liar.sign_in(&app, |_| (status, body)).await;
        assert_eq!((reply.status, reply.header("location")), (303, Some(&*refused(word))), "{status}");
    }
    let another = Liar::start(Some("https://elsewhere.example")).await;
    let app = knowing(&another.issuer, &[]).await;
    assert_eq!(app.get("/session/oidc/begin").await.header("location"), Some(&*refused("unavailable")));
}

#[tokio::test]
async fn a_key_that_is_new_is_asked_for_once_a_minute() {
    let liar = Liar::start(None).await;
    let clock = Clock::stopped_at(Clock::wall().now());
    let app = knowing_at(clock.clone(), &liar.issuer, &[]).await;
    assert_eq!(liar.sign_in(&app, |nonce| liar.signed(&liar.claims(nonce))).await.0.status, 200);
    let (key, public) = key_pair();
    *liar.published.lock().unwrap() = as_keys("two", &public);
    let with_new_key =
        |nonce: &str| signed_by(&EncodingKey::from_ed_der(&key), Algorithm::EdDSA, "two", &liar.claims(nonce));
    clock.advance(Duration::from_secs(59));
    let (reply, _) = liar.sign_in(&app, with_new_key).await;
    assert_eq!(reply.header("location"), Some(&*refused("untrue")));
    clock.advance(Duration::from_secs(1));
    assert_eq!(liar.sign_in(&app, with_new_key).await.0.status, 200);
}

#[tokio::test]
async fn sign_ins_that_fail_wait_and_others_do_not() {
    let liar = Liar::start(None).await;
    let app = knowing(&liar.issuer, &[("HEADCOUNT_LIMIT_LOCAL_SOURCES", "true")]).await;
    app.administrator("acme").await;
    for _ in 0..12 {
        assert_eq!(liar.sign_in(&app, |nonce| liar.signed(&liar.claims(nonce))).await.0.status, 200);
    }
    let refusal = || (400, json!({"error": "invalid_grant"}).to_string());
    for _ in 0..10 {
        let (reply, _) = liar.sign_in(&app, |_| refusal()).await;
        assert_eq!(reply.header("location"), Some(&*refused("refused")));
    }
    let (reply, _) = liar.sign_in(&app, |nonce| liar.signed(&liar.claims(nonce))).await;
    assert_eq!((reply.status, reply.header("location")), (303, Some(&*refused("too-many"))));
    let body = json!({"username": "acme", "password": "the password of acme"});
    assert_eq!(app.request("POST", "/login").json(&body).send().await.status, 200);
    // Behind a proxy that is not trusted all come from one place: no stranger keeps the others out.
    let app = knowing(&liar.issuer, &[]).await;
    for _ in 0..11 {
        liar.sign_in(&app, |_| refusal()).await;
    }
    assert_eq!(liar.sign_in(&app, |nonce| liar.signed(&liar.claims(nonce))).await.0.status, 200);
}
