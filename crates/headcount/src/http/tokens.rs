//! API tokens, as their administrator makes and revokes them.

use aide::axum::routing::{delete_with, get_with, post_with};
use aide::transform::TransformOperation;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use headcount_api::token as wire;
use headcount_engine::day::Millis;
use headcount_engine::id::Id;
use jiff::Timestamp;

use crate::app::App;
use crate::catalog::grants::Granted;
use crate::catalog::kind::Kind;
use crate::catalog::sessions::Token;
use crate::catalog::tokens::{ApiToken, NewApiToken, TokenScope, invalid_apps};
use crate::error::{Code, Error};
use crate::http::extract::{Body, Principal, RequestBody};
use crate::http::policy::{Policy, Routes};
use crate::http::render::moment;
use crate::http::resources::ACCEPTED_ID;
use crate::http::users::{described, required};

/// The longest name, in characters.
const LONGEST_NAME: usize = 100;

pub(super) fn routes() -> Routes {
    let administrator = Policy::ADMINISTRATOR;
    Routes::new()
        .route("/token/create", administrator, post_with(create, describe_create))
        .route("/token/list", administrator, get_with(list, described("List the API tokens, the newest first")))
        .route("/token/delete", administrator, delete_with(delete, described("Revoke one API token")))
}

fn describe_create(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    described("Create one API token")(operation).response::<201, Json<wire::ApiTokenCreated>>()
}

impl RequestBody for wire::NewApiToken {}
impl RequestBody for wire::ApiTokenId {}

async fn create(
    State(app): State<App>,
    caller: Principal,
    Body(body): Body<wire::NewApiToken>,
) -> Result<(StatusCode, Json<wire::ApiTokenCreated>), Error> {
    let new = new_token(body, app.clock.now())?;
    let (created, token) = app.catalog.create_api_token(caller.by(), new).await?;
    tracing::info!(token.id = %created.id, owner.id = %caller.owner, "an API token was created");
    Ok((StatusCode::CREATED, Json(shown_once(created, &token))))
}

async fn list(State(app): State<App>, caller: Principal) -> Result<Json<wire::ApiTokenList>, Error> {
    let tokens = app.catalog.api_tokens(caller.owner).await?;
    Ok(Json(wire::ApiTokenList { tokens: tokens.into_iter().map(row).collect() }))
}

async fn delete(
    State(app): State<App>,
    caller: Principal,
    Body(body): Body<wire::ApiTokenId>,
) -> Result<Json<wire::ApiTokenRevoked>, Error> {
    required("id", &body.id)?;
    let refused = |_| Error::invalid("id", "Invalid token ID format").accepted(ACCEPTED_ID);
    let token: Id = body.id.parse().map_err(refused)?;
    if !app.catalog.delete_api_token(caller.by(), token).await? {
        return Err(Error::new(Code::NotFound, "Token not found"));
    }
    tracing::info!(token.id = %token, owner.id = %caller.owner, "an API token was revoked");
    Ok(Json(wire::ApiTokenRevoked { message: "Token revoked".to_owned() }))
}

fn new_token(body: wire::NewApiToken, now: Millis) -> Result<NewApiToken, Error> {
    if body.name.trim().is_empty() || body.name.chars().count() > LONGEST_NAME || body.name.contains(char::is_control) {
        let accepted = "1 to 100 characters, no control characters";
        return Err(Error::invalid("name", "Invalid request body").accepted(accepted));
    }
    let scopes = body.scopes.map_or_else(|| Ok(vec![TokenScope::ReleaseWrite]), |given| scopes(&given))?;
    let apps = body.allowed_apps.map(|ids| apps(&ids)).transpose()?;
    if apps.is_none() && scopes.contains(&TokenScope::ReleaseWrite) {
        return Err(Error::invalid("allowed_apps", "Invalid request body").accepted("at least one id of your apps"));
    }
    let expires_at = body.expires_at.map(|text| expiry(&text, now)).transpose()?;
    Ok(NewApiToken { name: body.name, scopes, apps, expires_at })
}

fn scopes(given: &[String]) -> Result<Vec<TokenScope>, Error> {
    let refused = || {
        let known: Vec<&str> = TokenScope::ALL.iter().map(|scope| scope.as_str()).collect();
        Error::invalid("scopes", "Invalid request body").accepted(format!("at least one of {}", known.join(", ")))
    };
    let parsed: Option<Vec<TokenScope>> = given.iter().map(|scope| TokenScope::parse(scope)).collect();
    let mut scopes = parsed.filter(|scopes| !scopes.is_empty()).ok_or_else(refused)?;
    scopes.sort_unstable();
    scopes.dedup();
    Ok(scopes)
}

fn apps(given: &[String]) -> Result<Granted, Error> {
    if given.is_empty() {
        return Err(Error::invalid("allowed_apps", "Invalid request body").accepted("at least one id of your apps"));
    }
    let mut apps = Granted::default();
    for id in given {
        apps.add(Kind::App, id.parse().map_err(|_| invalid_apps())?);
    }
    Ok(apps)
}

fn expiry(text: &str, now: Millis) -> Result<Millis, Error> {
    let accepted = "RFC 3339, as 2027-01-31T12:00:00Z";
    let moment: Timestamp =
        text.parse().map_err(|_| Error::invalid("expires_at", "Invalid request body").accepted(accepted))?;
    let at = Millis(moment.as_millisecond());
    if at <= now {
        return Err(Error::invalid("expires_at", "expires_at must be in the future").accepted(accepted));
    }
    Ok(at)
}

fn texts(apps: Option<Vec<Id>>) -> Option<Vec<String>> {
    apps.map(|apps| apps.iter().map(ToString::to_string).collect())
}

fn words(scopes: &[TokenScope]) -> Vec<String> {
    scopes.iter().map(|scope| scope.as_str().to_owned()).collect()
}

fn shown_once(created: ApiToken, token: &Token) -> wire::ApiTokenCreated {
    wire::ApiTokenCreated {
        id: created.id.to_string(),
        name: created.name,
        token: token.reveal().to_owned(),
        token_prefix: created.prefix,
        scopes: words(&created.scopes),
        allowed_apps: texts(created.apps),
        expires_at: created.expires_at.map(moment),
        created_at: moment(created.created_at),
    }
}

fn row(token: ApiToken) -> wire::ApiTokenRow {
    wire::ApiTokenRow {
        id: token.id.to_string(),
        name: token.name,
        token_prefix: token.prefix,
        scopes: words(&token.scopes),
        allowed_apps: texts(token.apps),
        expires_at: token.expires_at.map(moment),
        created_at: moment(token.created_at),
        last_used_at: token.last_used_at.map(moment),
    }
}
