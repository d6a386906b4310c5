//! Releases, registered by link.

use aide::axum::routing::{delete_with, get_with, post_with};
use aide::transform::TransformOperation;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use headcount_api::release as wire;
use headcount_engine::day::Millis;
use headcount_engine::id::Id;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::app::App;
use crate::catalog::files::File;
use crate::catalog::kind::Kind;
use crate::catalog::releases::{Content, LONGEST_CHANGELOG, MOST_ARTIFACTS, NewRelease};
use crate::catalog::rights::Right;
use crate::catalog::search::{Filter, Page, StoredFile, StoredRelease};
use crate::catalog::tokens::TokenScope;
use crate::error::Error;
use crate::http::check::version;
use crate::http::extract::{Body, Params, Principal, RequestBody};
use crate::http::policy::{Policy, Routes};
use crate::http::render;
use crate::http::resources::{Which, described, update_id};
use crate::http::search::{app_in_reach, named};

/// Releases on a page when nothing is said.
const USUAL_LIMIT: u64 = 50;
/// The most releases on a page.
const LARGEST_LIMIT: u64 = 200;
/// How far the clock of whoever publishes may be ahead of ours, in milliseconds.
const CLOCK_TOLERANCE: i64 = 3_600_000;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route(
            "/release/create",
            Policy::right(Kind::App, Right::Upload).or_token(TokenScope::ReleaseWrite),
            post_with(create, describe_create),
        )
        .route(
            "/release/update",
            Policy::right(Kind::App, Right::Edit).or_token(TokenScope::ReleaseWrite),
            post_with(update, described("Change one release; what is not given stays")),
        )
        .route(
            "/release/delete",
            Policy::right(Kind::App, Right::Delete).or_token(TokenScope::ReleaseWrite),
            delete_with(delete, described("Delete one release")),
        )
        .route(
            "/release/list",
            Policy::USERS.or_token(TokenScope::ReleaseWrite),
            get_with(list, described("List releases, the newest version first")),
        )
}

fn describe_create(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    described("Register one release")(operation).response::<201, Json<wire::ReleaseId>>()
}

impl RequestBody for wire::CreateRelease {}
impl RequestBody for wire::UpdateRelease {}

async fn create(
    State(app): State<App>,
    caller: Principal,
    Body(body): Body<wire::CreateRelease>,
) -> Result<(StatusCode, Json<wire::ReleaseId>), Error> {
    let id = app.catalog.create_release(caller.reach(Kind::App), new_release(body, app.clock.now())?).await?;
    Ok((StatusCode::CREATED, Json(wire::ReleaseId { id: id.to_string() })))
}

async fn update(
    State(app): State<App>,
    caller: Principal,
    Body(body): Body<wire::UpdateRelease>,
) -> Result<Json<wire::ReleaseId>, Error> {
    let (id, change) = change(body, app.clock.now())?;
    app.catalog.update_release(caller.reach(Kind::App), id, change).await?;
    Ok(Json(wire::ReleaseId { id: id.to_string() }))
}

async fn delete(
    State(app): State<App>,
    caller: Principal,
    Params(which): Params<Which>,
) -> Result<Json<wire::ReleaseDeleted>, Error> {
    app.catalog.delete_release(caller.reach(Kind::App), which.parse()?).await?;
    Ok(Json(wire::ReleaseDeleted { deleted: 1 }))
}

/// Which releases to list.
#[derive(Debug, Deserialize, JsonSchema)]
struct Listed {
    /// The name of an app; of every app when nothing is given.
    app_name: Option<String>,
    /// The name of a channel; on every channel when nothing is given.
    channel: Option<String>,
    /// The number of the page, from 1.
    page: Option<String>,
    /// How many releases a page has at most: 1 to 200, else 50.
    limit: Option<String>,
}

async fn list(
    State(app): State<App>,
    caller: Principal,
    Params(listed): Params<Listed>,
) -> Result<Json<wire::ReleasePage>, Error> {
    let page = listed.page()?;
    let snapshot = app.catalog.snapshot();
    let catalog = snapshot.owner(caller.owner);
    let filter = Filter {
        app: app_in_reach(&app, &caller, catalog, listed.app_name.as_deref()).await?,
        channel: named(catalog.map(|catalog| &catalog.channels), "channel", listed.channel.as_deref())?,
        ..Filter::default()
    };
    let (releases, total) = app.catalog.releases(caller.reach(Kind::App), &filter, page).await?;
    let items = releases.into_iter().map(row).collect();
    Ok(Json(wire::ReleasePage { items, total, page: page.number, limit: page.limit }))
}

impl Listed {
    fn page(&self) -> Result<Page, Error> {
        let number = |field: &'static str, text: &Option<String>, usual, largest: u64, accepted: &'static str| {
            let Some(text) = text.as_deref().filter(|text| !text.is_empty()) else { return Ok(usual) };
            let parsed = text.parse().ok().filter(|number| (1..=largest).contains(number));
            parsed.ok_or_else(|| Error::invalid(field, format!("invalid {field} parameter")).accepted(accepted))
        };
        Ok(Page {
            number: number("page", &self.page, 1, u64::MAX, "a whole number from 1")?,
            limit: number("limit", &self.limit, USUAL_LIMIT, LARGEST_LIMIT, "a whole number from 1 to 200")?,
        })
    }
}

fn row(release: StoredRelease) -> wire::ReleaseRow {
    wire::ReleaseRow {
        id: release.id.to_string(),
        app_name: release.app,
        version: release.version,
        channel: release.channel,
        publish: release.published,
        critical: release.critical,
        intermediate: release.intermediate,
        rollout: release.rollout_percent,
        rollout_seed: release.rollout_seed,
        changelog: release.changelog,
        artifacts: release.files.into_iter().map(artifact).collect(),
        published_at: release.published_at.map(render::moment),
    }
}

fn artifact(file: StoredFile) -> wire::Artifact {
    wire::Artifact {
        platform: Some(file.platform),
        arch: Some(file.arch),
        package: file.package,
        link: file.link,
        signature: file.signature,
        sha512: file.sha512,
        size: file.size,
    }
}

fn new_release(body: wire::CreateRelease, now: Millis) -> Result<NewRelease, Error> {
    if body.app_name.is_empty() {
        return Err(Error::invalid("app_name", "invalid app_name parameter").accepted("the name of an app"));
    }
    Ok(NewRelease {
        version: version(&body.version)?,
        app: body.app_name,
        channel: body.channel.filter(|name| !name.is_empty()),
        rollout_seed: None,
        content: Content {
            published: Some(body.publish),
            critical: Some(body.critical),
            intermediate: Some(body.intermediate),
            rollout_percent: body.rollout.map(rollout).transpose()?,
            changelog: Some(changelog(body.changelog)?),
            files: Some(files(body.artifacts)?),
            published_at: body.published_at.map(|text| published_at(&text, now)).transpose()?,
        },
    })
}

fn change(body: wire::UpdateRelease, now: Millis) -> Result<(Id, Content), Error> {
    let change = Content {
        published: body.publish,
        critical: body.critical,
        intermediate: body.intermediate,
        rollout_percent: body.rollout.map(rollout).transpose()?,
        changelog: body.changelog.map(changelog).transpose()?,
        files: body.artifacts.map(files).transpose()?,
        published_at: body.published_at.map(|text| published_at(&text, now)).transpose()?,
    };
    Ok((update_id(&body.id)?, change))
}

fn rollout(percent: i64) -> Result<u8, Error> {
    let refused = || Error::invalid("rollout", "rollout must be an integer between 0 and 100");
    u8::try_from(percent).ok().filter(|percent| *percent <= 100).ok_or_else(refused)
}

fn changelog(text: String) -> Result<String, Error> {
    let is_plain = text.chars().all(|char| !char.is_control() || matches!(char, '\n' | '\r' | '\t'));
    if text.len() > LONGEST_CHANGELOG || !is_plain {
        return Err(Error::invalid("changelog", "invalid changelog")
            .accepted("at most 32,768 bytes without control characters"));
    }
    Ok(text)
}

fn files(artifacts: Vec<wire::Artifact>) -> Result<Vec<File>, Error> {
    if artifacts.len() > MOST_ARTIFACTS {
        return Err(Error::invalid("artifacts", "too many artifacts").accepted("at most 200 artifacts"));
    }
    artifacts.into_iter().enumerate().map(|(at, artifact)| File::parse(at, artifact)).collect()
}

fn published_at(text: &str, now: Millis) -> Result<Millis, Error> {
    let moment = text.parse::<Timestamp>().map(|moment| Millis(moment.as_millisecond())).ok();
    moment.filter(|moment| (0..=now.0.saturating_add(CLOCK_TOLERANCE)).contains(&moment.0)).ok_or_else(|| {
        Error::invalid("published_at", "invalid published_at")
            .accepted("RFC 3339, as 2026-01-31T12:00:00Z, from 1970 on and not in the future")
    })
}
