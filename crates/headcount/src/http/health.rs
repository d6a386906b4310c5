//! Whether the process lives, and whether it can answer checks.

use aide::axum::routing::get_with;
use axum::extract::State;
use axum::{Json, Router};
use schemars::JsonSchema;
use serde::Serialize;

use super::render::moment;
use crate::app::App;
use crate::error::{Code, Error};
use crate::http::policy::{Policy, Routes};

/// From which lag on the counting is called degraded.
const DEGRADED_MILLIS: i64 = 10_000;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/health", Policy::Anyone, get_with(health, |operation| operation.summary("Whether the process lives")))
        .route(
            "/ready",
            Policy::Anyone,
            get_with(ready, |operation| operation.summary("Whether checks can be answered")),
        )
}

/// The process lives.
#[derive(Debug, Serialize, JsonSchema)]
struct Health {
    /// `healthy`.
    status: &'static str,
}

async fn health() -> Json<Health> {
    Json(Health { status: "healthy" })
}

/// Checks can be answered; what becomes of their events does not matter to that, and is reported beside it.
#[derive(Debug, Serialize, JsonSchema)]
struct Ready {
    /// `ready`.
    status: &'static str,
    /// `off`; `ok`; or `degraded`: events wait in the journal because the store does not take them.
    telemetry: &'static str,
    /// `ok`; or `stale`: the catalog database is away, and checks are answered as it was last.
    catalog: &'static str,
    /// For how many milliseconds an event may have waited for the store.
    lag_millis: i64,
    /// What is wrong with the store, so that it takes nothing; absent where it is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<String>,
    /// What is not as it should be with the store, which takes everything all the same; absent where nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    warnings: Option<Vec<String>>,
    /// What is damaged and was set aside; absent where nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    damaged: Option<Damaged>,
    /// The days of which the store lacks something, of any owner; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    incomplete: Option<Vec<String>>,
    /// Events that wait because the clock was ahead when they were accepted; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    ahead: Option<Ahead>,
}

/// What is damaged and was set aside.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Damaged {
    /// Stores that could not be read: names of files in the data folder.
    pub(super) stores: Vec<String>,
    /// How many single blobs of the store were set aside in it.
    pub(super) blobs: u64,
    /// Files of the journal that cannot be read, or that failed while they were written: names in its folder.
    pub(super) spool_files: Vec<String>,
    /// How many rows of the journal were passed over since the start.
    pub(super) spool_rows: u64,
}

/// Events that wait for the clock.
#[derive(Debug, Serialize, JsonSchema)]
struct Ahead {
    /// How many.
    events: u64,
    /// When the first of them are counted.
    until: String,
}

impl Damaged {
    pub(super) fn of(app: &App) -> Self {
        let (damage, held) = (app.keeper.damage(), app.shipping.held());
        let spool_files = held.unreadable.union(&app.spool.failed()).map(|id| format!("{id}.db")).collect();
        Self { stores: damage.stores.clone(), blobs: damage.blobs, spool_files, spool_rows: held.damaged_rows }
    }

    fn is_nothing(&self) -> bool {
        self.stores.is_empty() && self.blobs == 0 && self.spool_files.is_empty() && self.spool_rows == 0
    }
}

async fn ready(State(app): State<App>) -> Json<Ready> {
    let lag_millis = app.shipping.lag_millis();
    let telemetry = match app.config.telemetry {
        false => "off",
        true if lag_millis >= DEGRADED_MILLIS => "degraded",
        true => "ok",
    };
    let held = app.shipping.held();
    let incomplete = app.keeper.damage().incomplete.iter().map(ToString::to_string).collect();
    Json(Ready {
        status: "ready",
        telemetry,
        catalog: if app.catalog.is_away() { "stale" } else { "ok" },
        lag_millis,
        store: app.store.problem(),
        warnings: Some(app.store.warnings()).filter(|warnings| !warnings.is_empty()),
        damaged: Some(Damaged::of(&app)).filter(|damaged| !damaged.is_nothing()),
        incomplete: Some(incomplete).filter(|days: &Vec<String>| !days.is_empty()),
        ahead: held.ahead_until.map(|until| Ahead { events: held.ahead_events, until: moment(until) }),
    })
}

/// What is served while the catalog database is away and nothing is kept on disk: everybody hears why.
pub fn waiting() -> Router {
    let why = "the catalog database cannot be reached, and no catalog is kept in the data folder";
    Router::new()
        .route("/health", axum::routing::get(health))
        .fallback(async move || Error::new(Code::Unavailable, why).retry_after(5))
}
