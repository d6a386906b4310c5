//! The sessions of a user, and of a team: which there are, and how they are ended.

use aide::axum::routing::{delete_with, get_with};
use axum::Json;
use axum::extract::State;
use headcount_api::account as wire;
use headcount_engine::id::Id;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::app::App;
use crate::catalog::sessions::Session;
use crate::error::{Code, Error};
use crate::http::extract::{Body, Params, Principal, RequestBody};
use crate::http::policy::{Policy, Routes};
use crate::http::render::moment;
use crate::http::resources::ACCEPTED_ID;
use crate::http::users::{changed, described, required};

pub(super) fn routes() -> Routes {
    Routes::new()
        .route(
            "/session/list",
            Policy::USERS,
            get_with(list, described("List the own sessions, or those of a team user, the newest first")),
        )
        .route(
            "/session/delete",
            Policy::USERS,
            delete_with(delete, described("End one of the own sessions, or one of a team user")),
        )
        .route(
            "/session/delete-all",
            Policy::USERS,
            delete_with(delete_all, described("Sign out everywhere: end all own sessions, or all of a team user")),
        )
}

impl RequestBody for wire::SessionId {}
impl RequestBody for wire::SessionsOf {}

/// Whose sessions to list.
#[derive(Debug, Deserialize, JsonSchema)]
struct Whose {
    /// The id of a team user of the administrator who asks; the own ones when nothing is given.
    user: Option<String>,
}

async fn list(
    State(app): State<App>,
    caller: Principal,
    Params(whose): Params<Whose>,
) -> Result<Json<wire::SessionList>, Error> {
    let login = caller.login()?;
    let user = user(whose.user.as_deref(), login.user)?;
    let sessions = app.catalog.sessions(login.user, user).await?.ok_or_else(no_such_user)?;
    Ok(Json(wire::SessionList { sessions: sessions.into_iter().map(|one| row(one, login.session)).collect() }))
}

async fn delete(
    State(app): State<App>,
    caller: Principal,
    Body(body): Body<wire::SessionId>,
) -> Result<Json<wire::AccountChanged>, Error> {
    required("id", &body.id)?;
    let refused = |_| Error::invalid("id", "Invalid session ID format").accepted(ACCEPTED_ID);
    let session: Id = body.id.parse().map_err(refused)?;
    if !app.catalog.end_session(caller.by(), session).await? {
        return Err(Error::new(Code::NotFound, "Session not found"));
    }
    Ok(changed("Session ended"))
}

async fn delete_all(
    State(app): State<App>,
    caller: Principal,
    Body(body): Body<wire::SessionsOf>,
) -> Result<Json<wire::SessionsEnded>, Error> {
    let own = caller.login()?.user;
    let user = user(body.user.as_deref(), own)?;
    let ended = app.catalog.end_sessions_of(caller.by(), user).await?.ok_or_else(no_such_user)?;
    tracing::info!(user.id = %user, ended, "all sessions of a user were ended");
    Ok(Json(wire::SessionsEnded { ended }))
}

fn user(given: Option<&str>, own: Id) -> Result<Id, Error> {
    let refused = |_| Error::invalid("user", "Invalid user ID format").accepted(ACCEPTED_ID);
    given.map_or(Ok(own), |text| text.parse().map_err(refused))
}

fn no_such_user() -> Error {
    Error::new(Code::NotFound, "User not found")
}

fn row(session: Session, current: Id) -> wire::SessionRow {
    wire::SessionRow {
        id: session.id.to_string(),
        kind: session.kind.as_str().to_owned(),
        agent: session.agent,
        created_at: moment(session.created_at),
        last_used_at: moment(session.last_used_at),
        expires_at: moment(session.expires_at),
        current: session.id == current,
    }
}
