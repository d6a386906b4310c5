//! From an answered request to its event: what checks and beacons have in common.

use std::net::IpAddr;
use std::sync::PoisonError;

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::Operation;
use aide::operation::{ParamLocation, add_parameters, parameters_from_schema};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use headcount_engine::device::DeviceId;
use headcount_engine::dimension::{Status, Value};
use headcount_engine::event::Event;
use headcount_engine::snapshot::{OwnerCatalog, Track};
use headcount_engine::version::Version;
use schemars::JsonSchema;

use crate::app::App;
use crate::http::server::Source;
use headcount_engine::recorded::{Recorded, SkipReason};

const DEVICE: HeaderName = HeaderName::from_static("x-device-id");
const OUTCOME: HeaderName = HeaderName::from_static("headcount");

/// What a request says of the device that sends it.
#[derive(Debug)]
pub(crate) enum Device {
    /// Nothing.
    Unnamed,
    /// Something that cannot serve as a device id.
    Bad,
    /// Its id.
    Named(DeviceId),
}

impl Device {
    /// Reads the header.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut given = headers.get_all(DEVICE).iter();
        match (given.next(), given.next()) {
            (None, _) => Self::Unnamed,
            (Some(value), None) if value.is_empty() => Self::Unnamed,
            (Some(value), None) => {
                value.to_str().ok().and_then(|text| text.parse().ok()).map_or(Self::Bad, Self::Named)
            }
            (Some(_), Some(_)) => Self::Bad,
        }
    }

    /// The id, if it is acceptable.
    pub(super) fn id(&self) -> Option<&DeviceId> {
        match self {
            Self::Named(id) => Some(id),
            Self::Unnamed | Self::Bad => None,
        }
    }
}

/// Who sends a check or a beacon.
#[derive(Debug)]
pub(super) struct Sender {
    /// What it says of itself.
    pub(super) device: Device,
    // Where it is, if that matters.
    source: Option<IpAddr>,
}

impl Sender {
    /// The sender of a request.
    pub(super) fn of(parts: &Parts) -> Self {
        let source = parts.extensions.get::<Source>().and_then(|source| source.0);
        Self { device: Device::of(&parts.headers), source }
    }
}

/// The header as the API's description shows it.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct DeviceHeader {
    /// A stable, anonymous id of the installation, such as a random UUID. Without it the request is answered and not
    /// counted.
    #[serde(rename = "X-Device-ID")]
    #[schemars(regex(pattern = DeviceId::ACCEPTED))]
    device: Option<String>,
}

/// Describes the parameters of a route that parses them by hand, and the header.
pub(super) fn describe<T: JsonSchema>(ctx: &mut GenContext, operation: &mut Operation) {
    axum::extract::Query::<T>::operation_input(ctx, operation);
    let header = ctx.schema.subschema_for::<DeviceHeader>();
    let parameters = parameters_from_schema(ctx, header, ParamLocation::Header);
    add_parameters(ctx, operation, parameters);
}

/// What was seen of a device, before it is known whether it can be counted.
#[derive(Debug)]
pub(super) struct Sighting<'a> {
    pub(super) owner: &'a OwnerCatalog,
    pub(super) track: &'a Track,
    pub(super) version: Option<&'a Version>,
    pub(super) status: Option<Status>,
}

impl Sighting<'_> {
    /// The event to keep, with the time of now, or the reason why there is none.
    pub(super) fn event(&self, app: &App, sender: &Sender) -> Result<Event, SkipReason> {
        if !app.config.telemetry {
            return Err(SkipReason::Disabled);
        }
        let (owner, of_app) = (self.owner.id, self.track.key().app);
        let skipped = |reason: SkipReason| {
            app.recorder.tally(owner, of_app, SKIPPED, reason.name());
            reason
        };
        let device = match &sender.device {
            Device::Unnamed => return Err(skipped(SkipReason::NoDevice)),
            Device::Bad => return Err(skipped(SkipReason::BadDevice)),
            Device::Named(id) => id.pseudonym(&app.catalog.installation().secret, owner),
        };
        let at = app.clock.now();
        if !app.admission.admits(of_app, at, device, sender.source) {
            return Err(skipped(SkipReason::Rate));
        }
        let version = self.version.map(|version| {
            if self.owner.knows_version(of_app, version) {
                return Value::new(version.name());
            }
            let mut unknown = app.unknown_versions.lock().unwrap_or_else(PoisonError::into_inner);
            unknown.value(of_app, at.day(), version)
        });
        Ok(Event { owner, app: of_app, at, device, values: self.track.values(version, self.status) })
    }
}

/// The kind under which skipped events of an application are tallied, by reason.
pub(super) const SKIPPED: &str = "skipped";

/// Hands the event over and waits for its commit.
pub(super) async fn record(app: &App, event: Result<Event, SkipReason>) -> Recorded {
    match event {
        _ if !app.config.telemetry => app.recorder.skip(SkipReason::Disabled),
        Err(reason) => app.recorder.skip(reason),
        Ok(event) => {
            let (owner, of_app) = (event.owner, event.app);
            let recorded = app.recorder.record(event).await;
            if let Recorded::Skipped(reason) = recorded {
                app.recorder.tally(owner, of_app, SKIPPED, reason.name());
            }
            recorded
        }
    }
}

/// Says in the reply what became of the event, and that the reply is not to be kept: every check counts.
pub(super) fn say(mut response: Response, recorded: Recorded) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(OUTCOME, HeaderValue::from_static(recorded.header()));
    response
}
