//! The versions of an app, as faynoSync's clients read them.

use std::sync::Arc;

use aide::axum::routing::get_with;
use axum::Json;
use axum::extract::State;
use headcount_api::release::{SearchArtifact, SearchChange, SearchPage, SearchRow};
use headcount_engine::id::Id;
use headcount_engine::snapshot::{NameIndex, OwnerCatalog};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::app::App;
use crate::catalog::kind::Kind;
use crate::catalog::search::{Filter, Page, StoredFile, StoredRelease};
use crate::catalog::tokens::TokenScope;
use crate::error::{Code, Error};
use crate::http::extract::{Params, Principal};
use crate::http::policy::{Policy, Routes};
use crate::http::query::truth;
use crate::http::render;
use crate::http::resources::described;

/// Versions on a page when nothing is said.
const USUAL_LIMIT: u64 = 9;
/// The most versions on a page; a larger wish gets as many.
const LARGEST_LIMIT: u64 = 1000;

pub(super) fn routes() -> Routes {
    Routes::new().route(
        "/search",
        Policy::USERS.or_token(TokenScope::ReleaseWrite),
        get_with(search, described("List the versions of one app, the newest version first")),
    )
}

/// Which versions to list.
#[derive(Debug, Deserialize, JsonSchema)]
struct Searched {
    /// The name of the app. Required.
    app_name: Option<String>,
    /// The name of a channel.
    channel: Option<String>,
    /// The name of a platform.
    platform: Option<String>,
    /// The name of an architecture.
    arch: Option<String>,
    /// `true` or `false`; any other text restricts nothing.
    published: Option<String>,
    /// `true` or `false`; any other text restricts nothing.
    critical: Option<String>,
    /// The number of the page: 1, unless a number from 1 is given.
    page: Option<String>,
    /// How many versions a page has at most: 9, unless a number from 1 to 1,000 is given.
    limit: Option<String>,
}

async fn search(
    State(app): State<App>,
    caller: Principal,
    Params(searched): Params<Searched>,
) -> Result<Json<SearchPage>, Error> {
    let snapshot = app.catalog.snapshot();
    let catalog = snapshot.owner(caller.owner);
    let app_id = app_in_reach(&app, &caller, catalog, searched.app_name.as_deref()).await?;
    let filter = Filter {
        app: Some(app_id.ok_or_else(|| unknown("app_name"))?),
        channel: named(catalog.map(|catalog| &catalog.channels), "channel", searched.channel.as_deref())?,
        platform: named(catalog.map(|catalog| &catalog.platforms), "platform", searched.platform.as_deref())?,
        arch: named(catalog.map(|catalog| &catalog.archs), "arch", searched.arch.as_deref())?,
        published: searched.published.as_deref().and_then(truth),
        critical: searched.critical.as_deref().and_then(truth),
    };
    let page = searched.page();
    let (releases, total) = app.catalog.releases(caller.reach(Kind::App), &filter, page).await?;
    // faynoSync's clients expect `null` for an empty list.
    let items = (!releases.is_empty()).then(|| releases.into_iter().map(row).collect());
    Ok(Json(SearchPage { items, total, page: page.number, limit: page.limit }))
}

impl Searched {
    fn page(&self) -> Page {
        let number =
            |text: &Option<String>| text.as_deref().and_then(|text| text.parse().ok()).filter(|&number| number > 0);
        Page {
            number: number(&self.page).unwrap_or(1),
            limit: number(&self.limit).unwrap_or(USUAL_LIMIT).min(LARGEST_LIMIT),
        }
    }
}

/// The app of that name, or none where the parameter is missing or empty.
///
/// # Errors
/// 404 where there is none; for a caller whose reach is limited 403, also where there is one that it may not see.
pub(super) async fn app_in_reach(
    app: &App,
    caller: &Principal,
    catalog: Option<&Arc<OwnerCatalog>>,
    name: Option<&str>,
) -> Result<Option<Id>, Error> {
    let found = named(catalog.map(|catalog| &catalog.apps), "app_name", name);
    if name.is_none_or(str::is_empty) || !caller.reach(Kind::App).is_limited() {
        return found;
    }
    app.catalog.app_in(caller.reach(Kind::App), found.ok().flatten()).await
}

/// The resource of that name, or none where the parameter is missing or empty.
///
/// # Errors
/// 404 with the contract's string.
pub(super) fn named(
    index: Option<&NameIndex>,
    parameter: &'static str,
    name: Option<&str>,
) -> Result<Option<Id>, Error> {
    let Some(name) = name.filter(|name| !name.is_empty()) else { return Ok(None) };
    index.and_then(|index| index.resolve(name)).map(Some).ok_or_else(|| unknown(parameter))
}

/// The caller's owner has no resource of the name that the parameter gives.
pub(super) fn unknown(parameter: &'static str) -> Error {
    Error::new(Code::NotFound, format!("{parameter} not found in apps_meta collection")).field(parameter)
}

fn row(release: StoredRelease) -> SearchRow {
    SearchRow {
        id: release.id.to_string(),
        app_name: release.app,
        channel: release.channel,
        published: release.published,
        critical: release.critical,
        intermediate: release.intermediate,
        artifacts: release.files.into_iter().map(artifact).collect(),
        changelog: vec![SearchChange {
            version: release.version.clone(),
            changes: release.changelog,
            date: release.created_at.day().to_string(),
        }],
        version: release.version,
        updated_at: render::moment(release.updated_at),
        rollout_percent: release.rollout_percent,
    }
}

fn artifact(file: StoredFile) -> SearchArtifact {
    SearchArtifact {
        link: file.link,
        platform: file.platform,
        arch: file.arch,
        package: file.package,
        tuf_task_id: None,
        tuf_signed: false,
    }
}
