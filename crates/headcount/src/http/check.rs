//! The update check: `GET /checkVersion`.

use std::convert::Infallible;

use aide::OperationInput;
use aide::axum::routing::get_with;
use aide::generate::GenContext;
use aide::openapi::Operation;
use aide::transform::TransformOperation;
use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use headcount_api::check::CheckReply;
use headcount_api::error::ErrorBody;
use headcount_engine::check::{Check, Refusal, decide};
use headcount_engine::event::Event;
use headcount_engine::id::AppId;
use headcount_engine::name::{AppName, BadName, PartName};
use headcount_engine::snapshot::CatalogSnapshot;
use headcount_engine::version::{BadVersion, Version};
use schemars::JsonSchema;

use crate::app::App;
use crate::error::{Code, Error};
use crate::http::count::{self, Sender, Sighting};
use crate::http::policy::{Policy, Routes};
use crate::http::query::Query;
use crate::http::reply::json;
use crate::record::Unknown;
use headcount_engine::recorded::{SKIPPED, SkipReason};

pub(super) fn routes() -> Routes {
    Routes::new().route("/checkVersion", Policy::Anyone, get_with(check_version, describe))
}

async fn check_version(State(app): State<App>, asked: Asked) -> Response {
    let catalog = app.catalog.snapshot();
    let (response, event) = answer(&app, &catalog, asked);
    let recorded = count::record(&app, event).await;
    count::say(response, recorded)
}

fn answer(app: &App, catalog: &CatalogSnapshot, asked: Asked) -> (Response, Result<Event, SkipReason>) {
    let Asked { check, sender } = asked;
    let parsed = check.map_err(|error| (error, SkipReason::Refused));
    let decided = parsed.and_then(|check| match decide(catalog, &check, sender.device.id()) {
        Ok(decision) => Ok((check.version, decision)),
        Err(refusal) => Err((refusal.clone().into(), refused(app, catalog, (&check, &refusal)))),
    });
    match decided {
        Err((error, reason)) => (error.into_response(), Err(reason)),
        Ok((version, decision)) => {
            let (version, status) = (Some(&version), Some(decision.status));
            let sighting = Sighting { owner: decision.owner, track: decision.track, version, status };
            (Json(json::reply(&decision)).into_response(), sighting.event(app, &sender))
        }
    }
}

/// Counts a check that the catalog has no answer to, and says why it has no event.
fn refused(app: &App, catalog: &CatalogSnapshot, (check, refusal): (&Check, &Refusal)) -> SkipReason {
    let owner = catalog.owner_named(check.owner.as_deref());
    if *refusal == Refusal::UnknownApp {
        app.recorder.count_unknown(if owner.is_some() { Unknown::App } else { Unknown::Owner });
    }
    let of_app = owner.and_then(|owner| Some((owner, AppId(owner.apps.resolve(check.app.as_str())?))));
    if of_app.is_some_and(|(owner, of_app)| !owner.settings.counts(of_app)) {
        return SkipReason::Disabled;
    }
    if app.config.telemetry {
        tally(app, refusal);
    }
    SkipReason::Refused
}

/// Counts a check that an existing application could not answer.
fn tally(app: &App, refusal: &Refusal) {
    if let Some(unserved) = refusal.unserved() {
        let lack = &unserved.lack;
        app.recorder.tally(unserved.owner, unserved.app, lack.kind(), &lack.to_string());
        app.recorder.tally(unserved.owner, unserved.app, SKIPPED, SkipReason::Refused.name());
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            Refusal::UnknownApp => Self::invalid("app_name", message),
            Refusal::ChannelRequired | Refusal::UnknownChannel { .. } => Self::invalid("channel", message),
            Refusal::NothingPublished { .. } => Self::new(Code::Invalid, message),
        }
    }
}

/// The request, parsed. A bad one is answered like any other: its header says that it was not counted.
struct Asked {
    check: Result<Check, Error>,
    sender: Sender,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let check = parse_raw(parts.uri.query().unwrap_or_default());
        Ok(Self { check, sender: Sender::of(parts) })
    }
}

/// The check that a query string, without its `?`, asks for.
pub(crate) fn parse_raw(query: &str) -> Result<Check, Error> {
    parse(&Query::parse(query)?)
}

/// The parameters in the order in which the contract validates them.
fn parse(query: &Query<'_>) -> Result<Check, Error> {
    let app = query
        .get("app_name")
        .unwrap_or_default()
        .parse()
        .map_err(|bad: BadName| Error::invalid("app_name", "invalid app_name parameter").accepted(bad.accepted))?;
    let version = version(query.get("version").unwrap_or_default())?;
    let part = |name: &'static str, message: &'static str| match query.filled(name) {
        None => Ok(None),
        Some(text) => {
            text.parse().map(Some).map_err(|bad: BadName| Error::invalid(name, message).accepted(bad.accepted))
        }
    };
    Ok(Check {
        app,
        version,
        channel: part("channel", "invalid channel parameter")?,
        platform: part("platform", "invalid platform parameter")?,
        arch: part("arch", "invalid arch parameter")?,
        owner: query.filled("owner").map(Into::into),
    })
}

/// The version of a request.
pub(super) fn version(text: &str) -> Result<Version, Error> {
    text.parse().map_err(|bad| match bad {
        BadVersion::Form => Error::invalid("version", "invalid version parameter").accepted(Version::ACCEPTED),
        BadVersion::Malformed => {
            Error::invalid("version", format!("Malformed version: {text}")).accepted(Version::PARTS)
        }
    })
}

/// The parameters as the API's description shows them.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used: the hot path parses by hand")]
struct Parameters {
    /// The application.
    #[schemars(regex(pattern = AppName::ACCEPTED))]
    app_name: String,
    /// The version that the device runs.
    #[schemars(regex(pattern = Version::ACCEPTED))]
    version: String,
    /// The channel. Required as soon as the owner has one.
    #[schemars(regex(pattern = PartName::ACCEPTED))]
    channel: Option<String>,
    /// The platform, or one of its other names (`macos` for `darwin`). Empty: files that are for none in particular.
    #[schemars(regex(pattern = PartName::ACCEPTED))]
    platform: Option<String>,
    /// The architecture, or one of its other names (`x86_64` for `amd64`). Empty: files that are for none in particular.
    #[schemars(regex(pattern = PartName::ACCEPTED))]
    arch: Option<String>,
    /// The administrator whose application it is. Missing or empty: the default owner of this server.
    owner: Option<String>,
    /// The update client that asks. Any text; the answer has the default format.
    updater: Option<String>,
    /// Accepted and ignored.
    publish: Option<String>,
}

impl OperationInput for Asked {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        count::describe::<Parameters>(ctx, operation);
    }
}

fn describe(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    operation
        .summary("Ask for an update")
        .description(
            "Answered from the release catalog and counted once if the request names a device. The reply's header \
             `Headcount` says what became of it: `recorded`, `unconfirmed`, or `skipped; reason=R`.",
        )
        .response_with::<200, Json<CheckReply>, _>(|reply| reply.description("What the catalog answers."))
        .response_with::<400, Json<ErrorBody>, _>(|reply| reply.description("What is wrong with the request."))
}
