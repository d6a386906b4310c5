//! `GET /telemetry/live`: the numbers of now, and the last checks, as a stream of events.

mod listener;
mod render;
mod streams;

use std::convert::Infallible;
use std::time::Duration;

use aide::OperationOutput;
use aide::axum::routing::get_with;
use aide::generate::GenContext;
use aide::openapi::{MediaType, Operation, Response as ApiResponse, SchemaObject};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use futures_util::Stream;
use headcount_api::error::ErrorBody;
use headcount_api::live::LiveEvent;
use schemars::JsonSchema;
use serde::Deserialize;

use self::listener::{Listener, Position};
pub use self::streams::Streams;
use crate::app::App;
use crate::catalog::tokens::TokenScope;
use crate::error::Error;
use crate::http::extract::{Credential, Params, Principal};
use crate::http::policy::{Policy, Routes};
use crate::http::question;

const POLICY: Policy = Policy::USERS.or_token(TokenScope::TelemetryRead);
/// How soon a client that lost the connection comes back.
const RETRY: Duration = Duration::from_secs(2);
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

pub(super) fn routes() -> Routes {
    Routes::new().route("/telemetry/live", POLICY, get_with(live, document))
}

/// What is shown: now, so there are no days. Lists are separated by commas.
#[derive(Debug, Default, Deserialize, JsonSchema)]
struct Parameters {
    /// Names of apps; without it, all apps.
    apps: Option<String>,
    /// Names of channels.
    channels: Option<String>,
    /// Names of platforms.
    platforms: Option<String>,
    /// Names of architectures.
    architectures: Option<String>,
    /// Versions, and `(other)`.
    versions: Option<String>,
    /// `latest`, `outdated`, `held`.
    statuses: Option<String>,
}

impl From<Parameters> for question::Parameters {
    fn from(parameters: Parameters) -> Self {
        let Parameters { apps, channels, platforms, architectures, versions, statuses } = parameters;
        Self { apps, channels, platforms, architectures, versions, statuses, ..Self::default() }
    }
}

async fn live(
    State(app): State<App>,
    caller: Principal,
    Extension(credential): Extension<Credential>,
    headers: HeaderMap,
    Params(parameters): Params<Parameters>,
) -> Result<Events<impl Stream<Item = Result<Event, Infallible>>>, Error> {
    let place = app.live.take(caller.id())?;
    let last_seen = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()?.parse::<Position>().ok());
    let listener = Listener::new(&app, (credential, parameters.into()), &caller).await?;
    Ok(Events(listener.events(place, last_seen.unwrap_or_default())))
}

/// A stream of events. Proxies are asked not to hold it back.
#[derive(Debug)]
struct Events<S>(S);

impl<S: Stream<Item = Result<Event, Infallible>> + Send + 'static> IntoResponse for Events<S> {
    fn into_response(self) -> Response {
        let buffering = HeaderName::from_static("x-accel-buffering");
        ([(header::CACHE_CONTROL, "no-store"), (buffering, "no")], Sse::new(self.0)).into_response()
    }
}

impl<S> OperationOutput for Events<S> {
    type Inner = LiveEvent;

    fn operation_response(ctx: &mut GenContext, _operation: &mut Operation) -> Option<ApiResponse> {
        let event = ctx.schema.subschema_for::<LiveEvent>();
        let media = MediaType {
            schema: Some(SchemaObject { json_schema: event, external_docs: None, example: None }),
            ..MediaType::default()
        };
        Some(ApiResponse {
            description: "Events: each has the name of a field of this type, and its value as JSON.".to_owned(),
            content: [("text/event-stream".to_owned(), media)].into_iter().collect(),
            ..ApiResponse::default()
        })
    }

    fn inferred_responses(ctx: &mut GenContext, operation: &mut Operation) -> Vec<(Option<u16>, ApiResponse)> {
        Self::operation_response(ctx, operation).map(|response| (Some(200), response)).into_iter().collect()
    }
}

fn document(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    operation
        .summary("Which devices are there now, and the last checks")
        .description(
            "Server-sent events: `about` once, then `now` each second and `checks` as they come; `unavailable` where the \
             numbers of a second cannot be told, `end` where the caller may no longer see this. `checks` has an id: sent \
             back as `Last-Event-ID`, no check is told twice. Whoever reads slowly misses checks.",
        )
        .response_with::<429, Json<ErrorBody>, _>(|reply| reply.description("Too many streams are open."))
}
