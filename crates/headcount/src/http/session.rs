//! Logging in, and who one is.

use aide::axum::routing::{get_with, post_with};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::{Extension, Json};
use headcount_api::account::{AccountChanged, Caller, LoggedIn, Login};

use crate::app::App;
use crate::catalog::principal::{Principal, Who};
use crate::catalog::sessions::Token;
use crate::catalog::team::Permissions;
use crate::error::{Code, Error};
use crate::http::cookie::Way;
use crate::http::extract::{Body, RequestBody, authenticate};
use crate::http::permissions;
use crate::http::policy::{Policy, Routes};
use crate::http::server::Source;
use crate::http::users::{changed, described, user_name};
use crate::password::Password;

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

async fn login(State(app): State<App>, Body(body): Body<Login>) -> Result<Json<LoggedIn>, Error> {
    Ok(logged_in(&log_in(&app, body).await?))
}

/// A reply with the header that sets, or takes, the cookie.
type WithCookie<T> = ([(HeaderName, HeaderValue); 1], Json<T>);

async fn create(
    State(app): State<App>,
    Extension(source): Extension<Source>,
    headers: HeaderMap,
    Body(body): Body<Login>,
) -> Result<WithCookie<Caller>, Error> {
    let way = Way::of(&app, &headers, Some(&source));
    // Nobody logs a browser in but a page of this server.
    way.admit(&Method::POST)?;
    let token = log_in(&app, body).await?;
    let caller = authenticate(&app, token.reveal()).await?;
    Ok(([(header::SET_COOKIE, way.hand_over(&token)?)], Json(described_caller(&app, caller).await?)))
}

async fn log_out(
    State(app): State<App>,
    caller: Principal,
    Extension(source): Extension<Source>,
    headers: HeaderMap,
) -> Result<WithCookie<AccountChanged>, Error> {
    app.catalog.end_session(caller.login()?.session).await?;
    let taken_back = Way::of(&app, &headers, Some(&source)).take_back()?;
    Ok(([(header::SET_COOKIE, taken_back)], changed("Logged out")))
}

/// Opens a session for who says that name and password.
///
/// # Errors
/// 401 if there is no such user, or the password is another; 429 when too many are being verified.
async fn log_in(app: &App, body: Login) -> Result<Token, Error> {
    let refused = || Error::new(Code::Unauthenticated, "invalid username or password");
    let password = Password::parse(body.password.into()).map_err(|_| refused())?;
    // A name that nobody can have is looked up as nobody's, so that it costs the same.
    let known = match user_name(&body.username) {
        Ok(name) => app.catalog.credentials(&name).await?,
        Err(_) => None,
    };
    let matches = app.passwords.verify(password, known.as_ref().map(|known| known.password.clone())).await?;
    let known = known.filter(|_| matches).ok_or_else(refused)?;
    let token = app.catalog.open_session(&known, app.config.session).await?.ok_or_else(refused)?;
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
