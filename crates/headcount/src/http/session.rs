//! Logging in, and who one is.

use aide::axum::routing::{get_with, post_with};
use axum::Json;
use axum::extract::State;
use headcount_api::account::{Caller, LoggedIn, Login};

use crate::app::App;
use crate::catalog::principal::{Principal, Who};
use crate::catalog::sessions::Token;
use crate::catalog::team::Permissions;
use crate::error::{Code, Error};
use crate::http::extract::{Body, RequestBody};
use crate::http::permissions;
use crate::http::policy::{Policy, Routes};
use crate::http::users::{described, user_name};
use crate::password::Password;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/login", Policy::Anyone, post_with(login, |operation| operation.tag("accounts").summary("Log in")))
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
    Ok(logged_in(&token))
}

async fn whoami(State(app): State<App>, principal: Principal) -> Result<Json<Caller>, Error> {
    Ok(Json(match principal.who {
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
    }))
}
