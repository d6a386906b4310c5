//! Whether the process lives, and whether it can answer checks.

use aide::axum::ApiRouter;
use aide::axum::routing::get;
use axum::Json;
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;

pub(super) fn routes() -> ApiRouter<App> {
    ApiRouter::new().api_route("/health", get(health))
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
