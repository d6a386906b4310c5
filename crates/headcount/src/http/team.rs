//! Team users, as their administrator sees and changes them.

use aide::axum::routing::{delete_with, get_with, post_with};
use axum::Json;
use axum::extract::State;
use headcount_api::account::AccountChanged;
use headcount_api::team as wire;
use headcount_engine::id::Id;

use crate::app::App;
use crate::catalog::team::{TeamChange, TeamUser};
use crate::error::{Code, Error};
use crate::http::extract::{Body, Principal, RequestBody};
use crate::http::permissions;
use crate::http::policy::{Policy, Routes};
use crate::http::render;
use crate::http::resources::ACCEPTED_ID;
use crate::http::users::{changed, described, new_password, required, user_name};

pub(super) fn routes() -> Routes {
    let administrator = Policy::ADMINISTRATOR;
    Routes::new()
        .route("/user/create", administrator, post_with(create, described("Create one team user")))
        .route(
            "/user/update",
            administrator,
            post_with(update, described("Change one team user; what is not given stays")),
        )
        .route(
            "/users/list",
            administrator,
            get_with(list, described("List the team users in the order of their creation")),
        )
        .route("/user/delete", administrator, delete_with(delete, described("Delete one team user")))
}

impl RequestBody for wire::NewTeamUser {}
impl RequestBody for wire::TeamUserUpdate {}
impl RequestBody for wire::TeamUserId {}

async fn create(
    State(app): State<App>,
    caller: Principal,
    Body(body): Body<wire::NewTeamUser>,
) -> Result<Json<AccountChanged>, Error> {
    required("username", &body.username)?;
    required("password", &body.password)?;
    let name = user_name(&body.username)?;
    let permissions = permissions::parse(&body.permissions.unwrap_or_default())?;
    let hash = app.passwords.hash(new_password(body.password)?).await?;
    let user = app.catalog.create_team_user(caller.by(), &name, &hash, &permissions).await?;
    tracing::info!(user.id = %user, owner.id = %caller.owner, "a team user was created");
    Ok(changed("Team user created successfully"))
}

async fn update(
    State(app): State<App>,
    caller: Principal,
    Body(body): Body<wire::TeamUserUpdate>,
) -> Result<Json<AccountChanged>, Error> {
    required("id", &body.id)?;
    required("username", &body.username)?;
    let user = user_id(&body.id, "the provided hex string is not a valid ObjectID")?;
    let password = match body.password.filter(|password| !password.is_empty()) {
        Some(password) => Some(app.passwords.hash(new_password(password)?).await?),
        None => None,
    };
    let permissions = body.permissions.as_ref().map(permissions::parse).transpose()?;
    let change = TeamChange { name: user_name(&body.username)?, password, permissions };
    app.catalog.update_team_user(caller.by(), user, change).await?;
    Ok(changed("Team user updated successfully"))
}

async fn list(State(app): State<App>, caller: Principal) -> Result<Json<wire::TeamUserList>, Error> {
    let users = app.catalog.team_users(caller.owner).await?;
    // faynoSync's clients expect `null` for an empty list.
    Ok(Json(wire::TeamUserList { users: (!users.is_empty()).then(|| users.into_iter().map(row).collect()) }))
}

async fn delete(
    State(app): State<App>,
    caller: Principal,
    Body(body): Body<wire::TeamUserId>,
) -> Result<Json<AccountChanged>, Error> {
    required("id", &body.id)?;
    let user = user_id(&body.id, "Invalid user ID format")?;
    if !app.catalog.delete_team_user(caller.by(), user).await? {
        let message = "Team user not found or you don't have permission to delete it";
        return Err(Error::new(Code::NotFound, message));
    }
    tracing::info!(user.id = %user, owner.id = %caller.owner, "a team user was deleted");
    Ok(changed("Team user deleted successfully"))
}

fn user_id(text: &str, refusal: &'static str) -> Result<Id, Error> {
    text.parse().map_err(|_| Error::invalid("id", refusal).accepted(ACCEPTED_ID))
}

fn row(user: TeamUser) -> wire::TeamUserRow {
    wire::TeamUserRow {
        id: user.id.to_string(),
        username: user.name,
        permissions: permissions::render(&user.permissions),
        updated_at: render::moment(user.updated_at),
    }
}
