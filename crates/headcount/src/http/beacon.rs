//! The beacon: a client that asked elsewhere (an edge cache, a static file) says what it runs.

use std::convert::Infallible;

use aide::OperationInput;
use aide::axum::routing::get_with;
use aide::generate::GenContext;
use aide::openapi::Operation;
use aide::transform::TransformOperation;
use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use headcount_api::error::ErrorBody;
use headcount_engine::dimension::Status;
use headcount_engine::event::Event;
use headcount_engine::id::AppId;
use headcount_engine::name::{AppName, PartName};
use headcount_engine::version::Version;
use schemars::JsonSchema;

use crate::app::App;
use crate::error::Error;
use crate::http::count::{self, Sender, Sighting};
use crate::http::policy::{Policy, Routes};
use crate::http::query::{Query, truth};
use crate::record::Unknown;
use headcount_engine::recorded::SkipReason;

pub(super) fn routes() -> Routes {
    Routes::new().route("/telemetry/beacon", Policy::Anyone, get_with(beacon, describe))
}

async fn beacon(State(app): State<App>, sent: Sent) -> Response {
    let response = if app.config.telemetry {
        StatusCode::NO_CONTENT.into_response()
    } else {
        Error::telemetry_off().into_response()
    };
    let event = sent.beacon.ok_or(SkipReason::Refused).and_then(|beacon| beacon.event(&app, &sent.sender));
    let recorded = count::record(&app, event).await;
    count::say(response, recorded)
}

/// The request, parsed; no beacon where any part of it is missing or not acceptable.
struct Sent {
    beacon: Option<Beacon>,
    sender: Sender,
}

/// What a client says that it runs.
struct Beacon {
    owner: Option<Box<str>>,
    app: AppName,
    version: Option<Version>,
    place: [PartName; 3],
    status: Option<Status>,
}

impl Beacon {
    fn parse(raw: &str) -> Option<Self> {
        let query = Query::parse(raw).ok()?;
        let part = |name: &str| query.get(name)?.parse().ok();
        Some(Self {
            owner: query.filled("owner").map(Into::into),
            app: query.get("app_name")?.parse().ok()?,
            version: query.filled("version").map(str::parse).transpose().ok()?,
            place: [part("channel")?, part("platform")?, part("arch")?],
            status: query.get("is_latest").and_then(status),
        })
    }

    /// The event to keep: only what is published somewhere may be counted.
    fn event(&self, app: &App, sender: &Sender) -> Result<Event, SkipReason> {
        let catalog = app.catalog.snapshot();
        let unknown = |what| {
            app.recorder.count_unknown(what);
            SkipReason::Refused
        };
        let owner = catalog.owner_named(self.owner.as_deref()).ok_or_else(|| unknown(Unknown::Owner))?;
        let of_app = owner.apps.resolve(self.app.as_str()).ok_or_else(|| unknown(Unknown::App))?;
        if !owner.settings.counts(AppId(of_app)) {
            return Err(SkipReason::Disabled);
        }
        let track = owner.track_named(&self.app, self.place.each_ref()).ok_or(SkipReason::Refused)?;
        Sighting { owner, track, version: self.version.as_ref(), status: self.status }.event(app, sender)
    }
}

/// The spellings that clients use for yes and no; any other says nothing.
fn status(is_latest: &str) -> Option<Status> {
    truth(is_latest).map(|is_latest| if is_latest { Status::Latest } else { Status::Outdated })
}

impl<S: Send + Sync> FromRequestParts<S> for Sent {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let beacon = Beacon::parse(parts.uri.query().unwrap_or_default());
        Ok(Self { beacon, sender: Sender::of(parts) })
    }
}

/// The parameters as the API's description shows them.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used: the hot path parses by hand")]
struct Parameters {
    /// The application.
    #[schemars(regex(pattern = AppName::ACCEPTED))]
    app_name: String,
    /// The version that the device runs. Missing or empty: the device is counted without one.
    #[schemars(regex(pattern = Version::ACCEPTED))]
    version: Option<String>,
    /// The channel.
    #[schemars(regex(pattern = PartName::ACCEPTED))]
    channel: String,
    /// The platform, or one of its other names.
    #[schemars(regex(pattern = PartName::ACCEPTED))]
    platform: String,
    /// The architecture, or one of its other names.
    #[schemars(regex(pattern = PartName::ACCEPTED))]
    arch: String,
    /// The administrator whose application it is. Missing or empty: the default owner of this server.
    owner: Option<String>,
    /// Whether the device runs the latest version: `true`, `t` or `1`, `false`, `f` or `0`. Any other value says
    /// nothing.
    is_latest: Option<String>,
}

impl OperationInput for Sent {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        count::describe::<Parameters>(ctx, operation);
    }
}

fn describe(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    operation
        .summary("Say what a device runs")
        .description(
            "For clients that learned of updates elsewhere. Counted if something is published for the application, \
             channel, platform and architecture, and the request names a device. The reply is the same in any case; \
             its header `Headcount` says what became of it: `recorded`, `unconfirmed`, or `skipped; reason=R`.",
        )
        .response_with::<204, (), _>(|reply| reply.description("Received."))
        .response_with::<403, Json<ErrorBody>, _>(|reply| reply.description("Telemetry is off on this server."))
}
