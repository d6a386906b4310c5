//! Logging in, and who one is.

use aide::axum::ApiRouter;
use aide::axum::routing::{get, post};
use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::catalog::sessions::Token;
use crate::catalog::users::{Principal, Role};
use crate::error::{Code, Error};
use crate::http::extract::{Body, RequestBody};
use crate::http::users::user_name;
use crate::password::Password;

pub(super) fn routes() -> ApiRouter<App> {
    ApiRouter::new().api_route("/login", post(login)).api_route("/whoami", get(whoami))
}

/// Name and password of a user.
#[derive(Deserialize, JsonSchema)]
struct Login {
    /// The name, in any case.
    username: String,
    /// The password.
    password: String,
}

impl RequestBody for Login {
    const REFUSAL: &'static str = "invalid request body";
}

/// The token of a fresh session.
#[derive(Serialize, JsonSchema)]
pub(super) struct LoggedIn {
    /// To be sent as `Authorization: Bearer <token>`. It says nothing else and ends by itself.
    token: String,
}

impl LoggedIn {
    pub(super) fn with(token: &Token) -> Json<Self> {
        Json(Self { token: token.reveal().to_owned() })
    }
}

async fn login(State(app): State<App>, Body(body): Body<Login>) -> Result<Json<LoggedIn>, Error> {
    let refused = || Error::new(Code::Unauthenticated, "invalid username or password");
    let password = Password::parse(body.password.into()).map_err(|_| refused())?;
    // A name that nobody can have is looked up as nobody's, so that it costs the same.
    let known = match user_name(&body.username) {
        Ok(name) => app.catalog.credentials(&name).await?,
        Err(_) => None,
    };
    let (user, hash) = known.map(|known| (known.user, known.password)).unzip();
    let matches = app.passwords.verify(password, hash).await?;
    let user = user.filter(|_| matches).ok_or_else(refused)?;
    let token = app.catalog.open_session(user, app.config.session).await?;
    tracing::info!(user.id = %user, "a user logged in");
    Ok(LoggedIn::with(&token))
}

/// Who the caller is.
#[derive(Serialize, JsonSchema)]
struct Caller {
    /// The id of the user.
    id: String,
    /// The name of the user.
    username: String,
    /// Whether the user owns resources and telemetry.
    is_admin: bool,
}

async fn whoami(principal: Principal) -> Json<Caller> {
    let is_admin = principal.role == Role::Administrator;
    Json(Caller { id: principal.user.to_string(), username: principal.name, is_admin })
}
