//! The accounts of users.

use aide::axum::routing::post_with;
use aide::transform::TransformOperation;
use axum::Json;
use axum::extract::State;
use headcount_api::account::{AccountChanged, AdministratorUpdate};
use headcount_engine::id::Id;
use headcount_engine::name::UserName;

use crate::app::App;
use crate::catalog::principal::Principal;
use crate::error::{Code, Error};
use crate::http::extract::{Body, RequestBody};
use crate::http::policy::{Policy, Routes};
use crate::password::{BadPassword, Password};

pub(super) fn routes() -> Routes {
    Routes::new().route(
        "/admin/update",
        Policy::ADMINISTRATOR,
        post_with(update_administrator, described("Change the password of the own account")),
    )
}

/// The name of a user, folded to lower case.
pub(super) fn user_name(text: &str) -> Result<UserName, Error> {
    text.to_ascii_lowercase()
        .parse()
        .map_err(|_| Error::invalid("username", "invalid username").accepted(UserName::ACCEPTED))
}

/// A password that may be set.
pub(super) fn new_password(text: String) -> Result<Password, Error> {
    Password::parse(text.into()).map_err(|bad| {
        let message = match bad {
            BadPassword::Length => "invalid password",
            BadPassword::Common => "this password is one of the commonest",
        };
        Error::invalid("password", message).accepted(Password::ACCEPTED)
    })
}

impl RequestBody for AdministratorUpdate {}

async fn update_administrator(
    State(app): State<App>,
    principal: Principal,
    Body(body): Body<AdministratorUpdate>,
) -> Result<Json<AccountChanged>, Error> {
    let by = principal.by();
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
        app.catalog.set_password(by, caller.user, &hash, Some(caller.session)).await?;
    }
    Ok(changed("Admin updated successfully"))
}

/// The reply that says that an account was created, changed or deleted.
pub(super) fn changed(message: &str) -> Json<AccountChanged> {
    Json(AccountChanged { message: message.to_owned() })
}

/// The description of an operation on accounts.
pub(super) fn described(summary: &'static str) -> impl FnOnce(TransformOperation<'_>) -> TransformOperation<'_> {
    move |operation| operation.tag("accounts").summary(summary)
}

/// A field of a body that must be filled.
///
/// # Errors
/// 400 with the contract's string.
pub(super) fn required(field: &'static str, text: &str) -> Result<(), Error> {
    if text.is_empty() {
        return Err(Error::invalid(field, "Invalid request body").accepted("a text that is not empty"));
    }
    Ok(())
}
