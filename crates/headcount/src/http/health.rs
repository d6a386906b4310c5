//! Whether the process lives, and whether it can answer checks.

use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;

/// From which lag on the counting is called degraded.
const DEGRADED_MILLIS: i64 = 10_000;

pub(super) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route("/health", get_with(health, |operation| operation.summary("Whether the process lives")))
        .api_route("/ready", get_with(ready, |operation| operation.summary("Whether checks can be answered")))
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
    /// For how many milliseconds an event may have waited for the store.
    lag_millis: i64,
}

async fn ready(State(app): State<App>) -> Json<Ready> {
    let lag_millis = app.shipping.lag_millis();
    let telemetry = match app.config.telemetry {
        false => "off",
        true if lag_millis >= DEGRADED_MILLIS => "degraded",
        true => "ok",
    };
    Json(Ready { status: "ready", telemetry, lag_millis })
}
