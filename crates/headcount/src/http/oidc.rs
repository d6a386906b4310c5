//! Signing a browser in through an OpenID Connect provider.
//!
//! The browser is sent there with a cookie that holds what it has to bring back, and comes back with a code. Whatever
//! goes wrong ends on the sign-in page, whose address has the word for it.

use aide::axum::IntoApiResponse;
use aide::axum::routing::get_with;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use headcount_api::account::Provider as Shown;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use crate::app::App;
use crate::catalog::identities::Identity;
use crate::catalog::sessions::{NewSession, SessionKind, Token};
use crate::catalog::users::Credentials;
use crate::error::{Code, Error};
use crate::http::cookie::Arrival;
use crate::http::extract::Params;
use crate::http::policy::{Policy, Routes};
use crate::http::users::described;
use crate::oidc::{CALLBACK, Failed, Pending, Provider, SignedIn};
use crate::password::Password;

pub(super) fn routes() -> Routes {
    let begins = "Send a browser to the OpenID Connect provider; 404 where there is none";
    let ends = "Take the browser back from the provider, and log it in as POST /session/create does";
    Routes::new()
        .route(
            "/session/oidc",
            Policy::Anyone,
            get_with(show, described("Say which OpenID Connect provider browsers may log in with, too")),
        )
        .route(
            "/session/oidc/begin",
            Policy::Anyone,
            get_with(begin, |operation| described(begins)(operation).response::<303, ()>()),
        )
        .route(
            CALLBACK,
            Policy::Anyone,
            get_with(end, |operation| described(ends)(operation).response::<200, ()>().response::<303, ()>()),
        )
}

async fn show(State(app): State<App>) -> Json<Shown> {
    Json(Shown { provider: app.provider.as_ref().map(|provider| provider.name().to_owned()) })
}

/// How to begin.
#[derive(Debug, Deserialize, JsonSchema)]
struct Begin {
    /// The path to show afterwards.
    next: Option<String>,
}

async fn begin(
    State(app): State<App>,
    arrival: Arrival,
    Params(asked): Params<Begin>,
) -> Result<impl IntoApiResponse, Error> {
    let provider = provider(&app)?;
    let pending = Pending::begin(asked.next.as_deref(), app.clock.now());
    let address = match provider.address(&pending, app.clock.now()).await {
        Ok(address) => address,
        Err(failed) => return refuse(&arrival, &app, &failed),
    };
    let sealed = pending.seal(&app.catalog.installation().secret);
    let cookie = arrival.way(&app).keep_pending(&sealed)?;
    Ok(moved(&address, [(header::SET_COOKIE, cookie)])?.into_response())
}

/// What the provider sends back (RFC 6749, section 4.1.2; RFC 9207).
#[derive(Debug, Deserialize, JsonSchema)]
struct End {
    /// What the user can be asked for with.
    code: Option<String>,
    /// Which sign-in it belongs to.
    state: Option<String>,
    /// Who sends it, if the provider says so.
    iss: Option<String>,
    /// Why there is no code.
    error: Option<String>,
}

async fn end(
    State(app): State<App>,
    arrival: Arrival,
    Params(sent): Params<End>,
) -> Result<impl IntoApiResponse, Error> {
    let provider = provider(&app)?;
    let way = arrival.way(&app);
    let key = &app.catalog.installation().secret;
    let pending = way.pending().and_then(|sealed| Pending::open(sealed, key, app.clock.now()));
    match sign_in(&app, provider, (pending, sent), &arrival).await {
        Ok((token, next)) => Ok(arrived(&next, [way.forget_pending()?, way.hand_over(&token)?])),
        Err(Ended::Failed(failed)) => refuse(&arrival, &app, &failed),
        Err(Ended::Error(error)) => Err(error),
    }
}

/// How a sign-in ends that comes to nothing.
enum Ended {
    /// On the sign-in page.
    Failed(Failed),
    /// By an answer of the API.
    Error(Error),
}

impl From<Failed> for Ended {
    fn from(failed: Failed) -> Self {
        Self::Failed(failed)
    }
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        if error.code() == Code::TooMany { Self::Failed(Failed::TooMany) } else { Self::Error(error) }
    }
}

/// A session for who comes back from the provider, and where to go.
async fn sign_in(
    app: &App,
    provider: &Provider,
    (pending, sent): (Option<Pending>, End),
    arrival: &Arrival,
) -> Result<(Token, String), Ended> {
    let (pending, code) = brought(provider, pending, sent)?;
    // Counted before the provider is asked, and by network alone: nobody is kept out from elsewhere. Where all come from
    // one place, a stranger would keep them all out.
    let attempt = match arrival.network() {
        Some(network) => {
            let name = format!("(through the provider, {network})");
            Some(app.catalog.attempt_login(&name, Some(network)).await?)
        }
        None => None,
    };
    let SignedIn { subject, name, role } = provider.sign_in(&pending, &code, app.clock.now()).await?;
    let Some(role) = role else {
        app.catalog.sign_out_identity(provider.issuer(), &subject).await?;
        return Err(Failed::NoRole(provider.role_claim().to_owned()).into());
    };
    let known = user(app, Identity { issuer: provider.issuer(), subject: &subject, role }, &name).await?;
    let new = NewSession { kind: SessionKind::Browser, agent: arrival.agent(), lifetime: app.config.session };
    let token = app.catalog.open_session(&known, new, attempt.as_ref()).await?.ok_or(Failed::Unknown)?;
    tracing::info!(user.id = %known.user, "a user logged in through the provider");
    Ok((token, pending.next))
}

/// What the browser was given at the beginning, and the code that it brings back with it.
fn brought(provider: &Provider, pending: Option<Pending>, sent: End) -> Result<(Pending, String), Failed> {
    let pending = pending.filter(|pending| Some(&pending.state) == sent.state.as_ref()).ok_or(Failed::Unknown)?;
    if sent.iss.as_ref().is_some_and(|issuer| issuer != provider.issuer()) {
        return Err(Failed::Untrue("another provider sends it".to_owned()));
    }
    if let Some(error) = sent.error {
        // The words of the standard are such; what else a query says is not for the log.
        let is_word = error.len() <= 40 && error.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        return Err(Failed::Refused(if is_word { error } else { "for no reason of the standard".to_owned() }));
    }
    let code = sent.code.ok_or_else(|| Failed::Refused("there is no code".to_owned()))?;
    Ok((pending, code))
}

/// The user of an identity, who is created the first time under a name like that one.
async fn user(app: &App, identity: Identity<'_>, name: &str) -> Result<Credentials, Error> {
    if let Some(known) = app.catalog.user_of_identity(identity).await? {
        return Ok(known);
    }
    // Nobody knows it: a login with a password costs as much as any, and fails.
    let secret = SecretString::from(hex::encode(rand::random::<[u8; 32]>()));
    let password = Password::parse(secret).map_err(|_| Error::internal("a random password was refused"))?;
    let hash = app.passwords.hash(password).await?;
    app.catalog.create_user_of_identity(identity, name, hash).await
}

fn provider(app: &App) -> Result<&Provider, Error> {
    app.provider.as_ref().ok_or_else(|| Error::new(Code::NotFound, "not found"))
}

/// Back to the sign-in page, which says why.
fn refuse(arrival: &Arrival, app: &App, failed: &Failed) -> Result<Response, Error> {
    tracing::warn!(cause = %failed, "a sign-in through the provider failed");
    let forgotten = arrival.way(app).forget_pending()?;
    moved(&format!("/sign-in?refused={}", failed.word()), [(header::SET_COOKIE, forgotten)])
}

fn moved<const N: usize>(address: &str, headers: [(header::HeaderName, HeaderValue); N]) -> Result<Response, Error> {
    let location = HeaderValue::from_str(address).map_err(Error::internal)?;
    let fixed = [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((StatusCode::SEE_OTHER, fixed, headers).into_response())
}

/// A page that goes on by itself. What follows a redirect from another site is sent without the session's cookie, which is
/// for this site alone; what follows a page of this server has it.
fn arrived(next: &str, cookies: [HeaderValue; 2]) -> Response {
    let escaped = next.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;");
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta http-equiv=\"refresh\" content=\"0;url={escaped}\">\n\
         <title>Signed in · Headcount</title>\n<p>You are signed in. <a href=\"{escaped}\">Go on</a></p>\n</html>\n"
    );
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    let mut response = (headers, page).into_response();
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
