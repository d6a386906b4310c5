//! The accounts of users.

use aide::axum::ApiRouter;
use aide::axum::routing::post;
use axum::Json;
use axum::extract::State;
use headcount_engine::id::Id;
use headcount_engine::name::UserName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::catalog::users::Principal;
use crate::error::{Code, Error};
use crate::http::extract::{Body, RequestBody};
use crate::password::Password;

pub(super) fn routes() -> ApiRouter<App> {
    ApiRouter::new().api_route("/admin/update", post(update_administrator))
}

/// The name of a user, folded to lower case.
pub(super) fn user_name(text: &str) -> Result<UserName, Error> {
    text.to_ascii_lowercase()
        .parse()
        .map_err(|_| Error::invalid("username", "invalid username").accepted(UserName::ACCEPTED))
}

/// A password that may be set.
pub(super) fn new_password(text: String) -> Result<Password, Error> {
    Password::parse(text.into())
        .map_err(|_| Error::invalid("password", "invalid password").accepted(Password::ACCEPTED))
}

/// What an administrator changes of the own account.
#[derive(Deserialize, JsonSchema)]
struct AdministratorUpdate {
    /// The own id.
    id: String,
    /// The own name: it cannot be changed.
    username: String,
    /// A new password of 10 to 1024 bytes, which ends every other session of the account; empty, it stays.
    password: Option<String>,
}

impl RequestBody for AdministratorUpdate {}

/// What was done, in words.
#[derive(Serialize, JsonSchema)]
struct Done {
    /// A sentence.
    message: &'static str,
}

async fn update_administrator(
    State(app): State<App>,
    principal: Principal,
    Body(body): Body<AdministratorUpdate>,
) -> Result<Json<Done>, Error> {
    let caller = principal.administrator()?;
    required("id", &body.id)?;
    required("username", &body.username)?;
    let id: Id = body
        .id
        .parse()
        .map_err(|_| Error::invalid("id", "Invalid ID format").accepted("24 lowercase hex characters"))?;
    if body.username.to_ascii_lowercase() != caller.name {
        return Err(Error::new(Code::Forbidden, "Username mismatch"));
    }
    if id != caller.user {
        return Err(Error::new(Code::NotFound, "Admin not found"));
    }
    if let Some(password) = body.password.filter(|password| !password.is_empty()) {
        let hash = app.passwords.hash(new_password(password)?).await?;
        app.catalog.set_password(caller.user, &hash, Some(caller.session)).await?;
    }
    Ok(Json(Done { message: "Admin updated successfully" }))
}

fn required(field: &'static str, text: &str) -> Result<(), Error> {
    if text.is_empty() {
        return Err(Error::invalid(field, AdministratorUpdate::REFUSAL).accepted("a text that is not empty"));
    }
    Ok(())
}
