//! How administrators come about: the first one by a token that the server shows at its start, others by the signup key.

use aide::OperationInput;
use aide::axum::routing::post_with;
use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use headcount_api::account::{FirstAdministrator, LoggedIn, NewAdministrator, SignedUp};
use headcount_engine::id::OwnerId;
use secrecy::{ExposeSecret as _, SecretString};

use crate::app::App;
use crate::catalog::sessions::NewSession;
use crate::catalog::users::{Credentials, Setup};
use crate::error::{Code, Error};
use crate::http::cookie::Arrival;
use crate::http::extract::{Body, RequestBody};
use crate::http::policy::{Policy, Routes};
use crate::http::session::logged_in;
use crate::http::users::{new_password, user_name};

pub(super) fn routes() -> Routes {
    Routes::new()
        .route(
            "/setup",
            Policy::Anyone,
            post_with(set_up, |operation| {
                operation.tag("accounts").summary("Create the first administrator, once, by the token of the start")
            }),
        )
        .route(
            "/signup",
            Policy::Anyone,
            post_with(sign_up, |operation| {
                operation.tag("accounts").summary("Create an administrator by the signup key; 404 without one")
            }),
        )
}

impl RequestBody for FirstAdministrator {
    const REFUSAL: &'static str = "invalid request body";
}

async fn set_up(
    State(app): State<App>,
    arrival: Arrival,
    Body(body): Body<FirstAdministrator>,
) -> Result<Json<LoggedIn>, Error> {
    let refused = || Error::new(Code::Unauthenticated, "invalid or expired setup token");
    // Asked before the password is hashed, so that a stranger cannot make the server work.
    if !app.catalog.is_setup_token(&body.token).await? {
        return Err(refused());
    }
    let name = user_name(&body.username)?;
    let hash = app.passwords.hash(new_password(body.password)?).await?;
    match app.catalog.set_up(&body.token, &name, &hash).await? {
        Setup::Created(user) => {
            tracing::info!(user.id = %user, "the first administrator was created");
            if let Err(error) = app.keep_setup_token(None) {
                tracing::warn!(%error, "the file of the used setup token cannot be removed");
            }
            let known = Credentials { user, owner: OwnerId(user), password: hash };
            let new = NewSession { agent: arrival.agent(), ..NewSession::bearer(app.config.session) };
            let token = app.catalog.open_session(&known, new, None).await?;
            Ok(logged_in(&token.ok_or_else(refused)?))
        }
        Setup::WrongToken => Err(refused()),
        Setup::NameTaken => Err(Error::new(Code::Conflict, "user already exists")),
    }
}

/// The key that signup asks for; without one the route does not exist.
struct SignupKey(SecretString);

impl FromRequestParts<App> for SignupKey {
    type Rejection = Error;

    async fn from_request_parts(_parts: &mut Parts, app: &App) -> Result<Self, Error> {
        app.config.api_key.clone().map(Self).ok_or_else(|| Error::new(Code::NotFound, "not found"))
    }
}

impl OperationInput for SignupKey {}

impl SignupKey {
    /// Compares in a time that says nothing about the key.
    fn is(&self, given: &str) -> bool {
        blake3::hash(self.0.expose_secret().as_bytes()) == blake3::hash(given.as_bytes())
    }
}

impl RequestBody for NewAdministrator {
    const REFUSAL: &'static str = "invalid request body";
}

async fn sign_up(
    State(app): State<App>,
    key: SignupKey,
    Body(body): Body<NewAdministrator>,
) -> Result<Json<SignedUp>, Error> {
    if !key.is(&body.api_key) {
        return Err(Error::new(Code::Unauthenticated, "wrong api key"));
    }
    let name = user_name(&body.username)?;
    let hash = app.passwords.hash(new_password(body.password)?).await?;
    let created = app.catalog.sign_up(&name, &hash).await?;
    let user = created.ok_or_else(|| Error::new(Code::Unauthenticated, "user already exists"))?;
    tracing::info!(user.id = %user, "an administrator signed up");
    Ok(Json(SignedUp { result: "Successfully created admin user.".to_owned() }))
}
