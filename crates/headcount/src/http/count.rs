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
use headcount_engine::personal::{self, Personal};
use headcount_engine::snapshot::{OwnerCatalog, Track};
use headcount_engine::version::Version;
use schemars::JsonSchema;

use crate::app::App;
use crate::http::server::Source;
use headcount_engine::recorded::{Recorded, SKIPPED, SkipReason};

const DEVICE: HeaderName = HeaderName::from_static("x-device-id");
/// The headers by which browsers and others say that a user does not want to be counted.
const OPT_OUT: [HeaderName; 2] = [HeaderName::from_static("sec-gpc"), HeaderName::from_static("dnt")];
const OUTCOME: HeaderName = HeaderName::from_static("headcount");

/// What a request says of the device that sends it.
#[derive(Debug)]
pub(crate) enum Device {
    /// Nothing.
    Unnamed,
    /// Something that cannot serve as a device id, and what it looks like.
    Bad(Option<Personal>),
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
                let named = value.to_str().ok().and_then(|text| text.parse().ok());
                named.map_or_else(|| Self::Bad(Personal::of(value.as_bytes())), Self::Named)
            }
            (Some(_), Some(_)) => Self::Bad(None),
        }
    }

    /// The id, if it is acceptable.
    pub(super) fn id(&self) -> Option<&DeviceId> {
        match self {
            Self::Named(id) => Some(id),
            Self::Unnamed | Self::Bad(_) => None,
        }
    }

    /// What the id looks like, if it looks as if it named a person.
    fn personal(&self) -> Option<Personal> {
        match self {
            Self::Unnamed => None,
            Self::Bad(personal) => *personal,
            Self::Named(id) => Personal::of(id.as_str().as_bytes()),
        }
    }
}

/// Who sends a check or a beacon.
#[derive(Debug)]
pub(super) struct Sender {
    /// What it says of itself.
    pub(super) device: Device,
    // Whether its user does not want it to be counted.
    opts_out: bool,
    // Where it is, if that matters.
    source: Option<IpAddr>,
}

impl Sender {
    /// The sender of a request.
    pub(super) fn of(parts: &Parts) -> Self {
        let source = parts.extensions.get::<Source>().and_then(|source| source.limited);
        Self { device: Device::of(&parts.headers), opts_out: opts_out(&parts.headers), source }
    }
}

/// Whether one of the headers says that whoever sends it does not want to be counted.
fn opts_out(headers: &HeaderMap) -> bool {
    OPT_OUT.iter().any(|header| headers.get_all(header).iter().any(|value| value == "1"))
}

/// The headers as the API's description shows them.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Headers {
    /// A stable, anonymous id of the installation, such as a random UUID. Without it the request is answered and not
    /// counted.
    #[serde(rename = "X-Device-ID")]
    #[schemars(regex(pattern = DeviceId::ACCEPTED))]
    device: Option<String>,
    /// `1`: the request is answered and not counted, unless the owner has settled something else.
    #[serde(rename = "Sec-GPC")]
    global_privacy_control: Option<String>,
    /// The same.
    #[serde(rename = "DNT")]
    do_not_track: Option<String>,
}

/// Describes the parameters of a route that parses them by hand, and the headers.
pub(super) fn describe<T: JsonSchema>(ctx: &mut GenContext, operation: &mut Operation) {
    axum::extract::Query::<T>::operation_input(ctx, operation);
    let headers = ctx.schema.subschema_for::<Headers>();
    let parameters = parameters_from_schema(ctx, headers, ParamLocation::Header);
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
        let (owner, settings, of_app) = (self.owner.id, &self.owner.settings, self.track.key().app);
        if !app.config.telemetry || !settings.counts(of_app) {
            return Err(SkipReason::Disabled);
        }
        let skipped = |reason: SkipReason| {
            app.recorder.tally(owner, of_app, SKIPPED, reason.name());
            reason
        };
        if sender.opts_out && settings.opt_out_signals {
            return Err(skipped(SkipReason::OptOut));
        }
        let personal = sender.device.personal();
        if let Some(personal) = personal {
            app.recorder.tally(owner, of_app, personal::TALLY, personal.name());
        }
        let device = match &sender.device {
            Device::Unnamed => return Err(skipped(SkipReason::NoDevice)),
            Device::Bad(_) => return Err(skipped(SkipReason::BadDevice)),
            Device::Named(_) if settings.strict_ids && personal.is_some() => {
                return Err(skipped(SkipReason::BadDevice));
            }
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
