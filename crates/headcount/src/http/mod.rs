//! The list of routes and layers.

mod apps;
mod audit;
mod beacon;
pub(crate) mod check;
mod compat;
mod cookie;
pub(crate) mod count;
pub mod extract;
pub mod health;
mod import;
mod insight;
mod latest;
mod layers;
pub mod live;
mod metrics;
mod oidc;
mod permissions;
pub mod policy;
mod privacy;
pub mod query;
pub(crate) mod question;
mod releases;
mod render;
mod reply;
mod report;
mod requests;
mod resources;
pub mod scope;
mod search;
pub mod server;
mod session;
mod sessions;
mod settings;
mod setup;
mod team;
mod tokens;
mod users;
mod web;

use aide::axum::routing::get_with;
use aide::openapi::{ApiKeyLocation, OpenApi, SecurityScheme};
use aide::transform::TransformOpenApi;
use axum::extract::DefaultBodyLimit;
use axum::http::request::Parts;
use axum::response::Response;
use axum::{Extension, Json, Router, middleware};
use std::sync::Arc;

use self::layers::Around;
use self::metrics::Counted;
use self::policy::{Declared, Policies, Policy, Routes};
use self::requests::Requests;
use self::server::Gate;
use crate::app::App;
use crate::error::{Code, Error};

/// The description of the API, generated from its handlers.
pub fn description() -> OpenApi {
    described_routes().1
}

/// Who may call which route: every route of the API.
pub fn policies() -> Vec<Declared> {
    routes().into_parts().1
}

fn described_routes() -> (Router<App>, OpenApi, Policies) {
    let mut description = OpenApi::default();
    let (router, declared) = routes().into_parts();
    let router = router.finish_api_with(&mut description, describe);
    (router, description, Policies::of(declared))
}

/// What the two listeners serve.
#[derive(Debug)]
pub struct Routers {
    /// All routes, with their layers.
    pub public: Router,
    /// The metrics, for those who run the server.
    pub metrics: Router,
}

/// All routes, with their layers; the metrics tell of `gate`, the one in front of them.
pub fn routers(app: App, gate: Arc<Gate>) -> Routers {
    let body_limit = app.config.max_body_bytes;
    let (router, description, policies) = described_routes();
    let paths = description.paths.iter().flat_map(|paths| paths.paths.keys());
    let requests = Arc::new(Requests::of(paths.map(String::as_str)));
    let around = Around { app: app.clone(), requests: requests.clone(), policies: Arc::new(policies) };
    let public = router
        .fallback(elsewhere)
        .method_not_allowed_fallback(async || Error::new(Code::MethodNotAllowed, "method not allowed"))
        .layer(DefaultBodyLimit::max(body_limit))
        .layer(middleware::from_fn_with_state(around, layers::cross_cutting))
        .layer(Extension(Arc::new(description)))
        .with_state(app.clone());
    Routers { public, metrics: metrics::router(app, Counted { requests, gate }) }
}

/// Every route of the API. One line a noun; the paths stand in the modules, and beside each who may call it.
fn routes() -> Routes {
    Routes::new()
        .route("/openapi.json", Policy::Anyone, get_with(openapi, |operation| operation.summary("This description")))
        .merge(health::routes())
        .merge(import::routes())
        .merge(apps::routes())
        .merge(audit::routes())
        .merge(report::routes())
        .merge(insight::routes())
        .merge(latest::routes())
        .merge(live::routes())
        .merge(oidc::routes())
        .merge(privacy::routes())
        .merge(releases::routes())
        .merge(resources::routes())
        .merge(search::routes())
        .merge(check::routes())
        .merge(beacon::routes())
        .merge(session::routes())
        .merge(sessions::routes())
        .merge(settings::routes())
        .merge(setup::routes())
        .merge(users::routes())
        .merge(team::routes())
        .merge(tokens::routes())
}

fn describe(api: TransformOpenApi<'_>) -> TransformOpenApi<'_> {
    let bearer = SecurityScheme::Http {
        scheme: "bearer".to_owned(),
        bearer_format: None,
        description: Some("The token that POST /login answers with, or an API token.".to_owned()),
        extensions: [].into_iter().collect(),
    };
    let cookie = SecurityScheme::ApiKey {
        location: ApiKeyLocation::Cookie,
        name: "__Host-headcount".to_owned(),
        description: Some(
            "The cookie that POST /session/create sets, for pages of this server; without TLS its name is `headcount`. \
             It is HttpOnly. Whatever is not GET must come with `Sec-Fetch-Site: same-origin` (browsers send it) or the \
             server's own `Origin`, and with a body of `application/json`, or `multipart/form-data` or \
             `application/x-ndjson` where a route takes that; else it is 403. A request with `Authorization` is judged by \
             that alone."
                .to_owned(),
        ),
        extensions: [].into_iter().collect(),
    };
    api.title("Headcount")
        .version(env!("CARGO_PKG_VERSION"))
        .summary("Which of your devices run which version, right now and over time.")
        .security_scheme("bearer", bearer)
        .security_scheme("cookie", cookie)
}

/// What no route answers: the dashboard, or nothing.
async fn elsewhere(request: Parts) -> Result<Response, Error> {
    web::answer(&request).ok_or_else(|| Error::new(Code::NotFound, "not found"))
}

async fn openapi(Extension(description): Extension<Arc<OpenApi>>) -> Result<Json<serde_json::Value>, Error> {
    serde_json::to_value(&*description).map(Json).map_err(Error::internal)
}
