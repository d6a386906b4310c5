//! Logging in, and who one is.

use aide::axum::routing::{get_with, post_with};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, Method, header};
use headcount_api::account::{AccountChanged, Caller, LoggedIn, Login};

use crate::app::App;
use crate::catalog::principal::{Principal, Who};
use crate::catalog::sessions::{NewSession, SessionKind, Token};
use crate::catalog::team::Permissions;
use crate::error::{Code, Error};
use crate::http::cookie::Arrival;
use crate::http::extract::{Body, RequestBody, authenticate};
use crate::http::permissions;
use crate::http::policy::{Policy, Routes};
use crate::http::users::{changed, described, user_name};
use crate::password::{Typed, Verified};

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/login", Policy::Anyone, post_with(login, |operation| operation.tag("accounts").summary("Log in")))
        .route(
            "/session/create",
            Policy::Anyone,
            post_with(create, |operation| {
                described("Log a browser in: the token goes into an HttpOnly cookie and nowhere else")(operation)
                    .response::<200, Json<Caller>>()
            }),
        )
        .route(
            "/logout",
            Policy::USERS,
            post_with(log_out, |operation| {
                described("End the session that the request is sent with, and take its cookie back")(operation)
                    .response::<200, Json<AccountChanged>>()
            }),
        )
        .route("/whoami", Policy::KNOWN, get_with(whoami, described("Say who the caller is")))
}

impl RequestBody for Login {
    const REFUSAL: &'static str = "invalid request body";
}

/// The reply that hands a token over.
pub(super) fn logged_in(token: &Token) -> Json<LoggedIn> {
    Json(LoggedIn { token: token.reveal().to_owned() })
}

async fn login(State(app): State<App>, arrival: Arrival, Body(body): Body<Login>) -> Result<Json<LoggedIn>, Error> {
    Ok(logged_in(&log_in(&app, body, (SessionKind::Bearer, &arrival)).await?))
}

/// A reply with the header that sets, or takes, the cookie.
type WithCookie<T> = ([(HeaderName, HeaderValue); 1], Json<T>);

async fn create(
    State(app): State<App>,
    arrival: Arrival,
    Body(body): Body<Login>,
) -> Result<WithCookie<Caller>, Error> {
    let way = arrival.way(&app);
    // Nobody logs a browser in but a page of this server.
    way.admit(&Method::POST)?;
    let token = log_in(&app, body, (SessionKind::Browser, &arrival)).await?;
    let caller = authenticate(&app, token.reveal()).await?;
    Ok(([(header::SET_COOKIE, way.hand_over(&token)?)], Json(described_caller(&app, caller).await?)))
}

async fn log_out(
    State(app): State<App>,
    caller: Principal,
    arrival: Arrival,
) -> Result<WithCookie<AccountChanged>, Error> {
    app.catalog.end_session(caller.by(), caller.login()?.session).await?;
    let taken_back = arrival.way(&app).take_back()?;
    Ok(([(header::SET_COOKIE, taken_back)], changed("Logged out")))
}

/// Opens a session for who says that name and password.
///
/// # Errors
/// 401 if there is no such user, or the password is another; 429 after too many tries, or when too many are being
/// verified.
async fn log_in(app: &App, body: Login, (kind, arrival): (SessionKind, &Arrival)) -> Result<Token, Error> {
    let refused = || Error::new(Code::Unauthenticated, "invalid username or password");
    let typed = Typed::new(body.password.into()).ok_or_else(refused)?;
    // A name that nobody can have is tried, and looked up, as nobody's, so that it costs the same.
    let name = body.username.to_ascii_lowercase();
    let attempt = app.catalog.attempt_login(&name, arrival.network()).await?;
    let known = match user_name(&name) {
        Ok(name) => app.catalog.credentials(&name).await?,
        Err(_) => None,
    };
    let verified = app.passwords.verify(typed, known.as_ref().map(|known| known.password.clone())).await?;
    let mut known = known.ok_or_else(refused)?;
    match verified {
        Verified::No => return Err(refused()),
        Verified::Yes => {}
        Verified::Outdated(hash) => {
            app.catalog.replace_hash(&known, &hash).await?;
            known.password = hash;
        }
    }
    let new = NewSession { kind, agent: arrival.agent(), lifetime: app.config.session };
    let token = app.catalog.open_session(&known, new, Some(&attempt)).await?.ok_or_else(refused)?;
    tracing::info!(user.id = %known.user, "a user logged in");
    Ok(token)
}

async fn whoami(State(app): State<App>, principal: Principal) -> Result<Json<Caller>, Error> {
    described_caller(&app, principal).await.map(Json)
}

async fn described_caller(app: &App, principal: Principal) -> Result<Caller, Error> {
    Ok(match principal.who {
        Who::Administrator(login) => {
            Caller { id: login.user.to_string(), username: login.name, is_admin: true, owner: None, permissions: None }
        }
        // faynoSync's clients take it for the administrator.
        Who::Token(_) => Caller {
            id: principal.owner.to_string(),
            username: principal.owner_name,
            is_admin: true,
            owner: None,
            permissions: None,
        },
        Who::Team(login, rights) => {
            let permissions = Permissions { rights, granted: app.catalog.granted(login.user).await? };
            Caller {
                id: login.user.to_string(),
                username: login.name,
                is_admin: false,
                owner: Some(principal.owner_name),
                permissions: Some(permissions::render(&permissions)),
            }
        }
    })
}
