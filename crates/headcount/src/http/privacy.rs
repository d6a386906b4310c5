//! What is known of one device, and erasing it: for the administrator whom its user asks.

use std::collections::BTreeMap;

use aide::axum::routing::post_with;
use aide::transform::TransformOperation;
use axum::Json;
use axum::extract::State;
use headcount_api::privacy as wire;
use headcount_engine::day::{Day, Millis};
use headcount_engine::device::{DeviceId, Pseudonym};
use headcount_engine::dimension::Dimension;
use headcount_engine::id::OwnerId;
use headcount_engine::snapshot::OwnerCatalog;
use headcount_engine::trace::Trace;

use crate::app::App;
use crate::error::Error;
use crate::http::extract::{Body, Principal, RequestBody};
use crate::http::policy::{Policy, Routes};
use crate::http::render::moment;
use crate::report::label;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route(
            "/privacy/device/find",
            Policy::ADMINISTRATOR,
            post_with(find, described("Show what is known of one device", FINDS)),
        )
        .route(
            "/privacy/device/erase",
            Policy::ADMINISTRATOR,
            post_with(erase, described("Erase one device from everything that is counted", ERASES)),
        )
}

const FINDS: &str = "In all apps of the administrator, as days and values, within the retention.";
const ERASES: &str = "It is no device of any day any more; the numbers of checks and the daily totals stay. What was accepted \
                      of it before does not come back, and what it sends later is a new device. After a 503 it is written \
                      down and done as soon as the store is there.";

fn described(
    summary: &'static str,
    description: &'static str,
) -> impl FnOnce(TransformOperation<'_>) -> TransformOperation<'_> {
    move |operation| operation.tag("privacy").summary(summary).description(description)
}

impl RequestBody for wire::DeviceNamed {}

async fn find(
    State(app): State<App>,
    caller: Principal,
    Body(body): Body<wire::DeviceNamed>,
) -> Result<Json<wire::DeviceFound>, Error> {
    let device = pseudonym(&app, caller.owner, &body)?;
    let snapshot = app.catalog.snapshot();
    let catalog = snapshot.owner(caller.owner).ok_or_else(|| Error::internal("an owner without a catalog"))?;
    let mut apps: BTreeMap<String, Vec<wire::DeviceDay>> = BTreeMap::new();
    for (of_app, day, trace) in app.reports.traces(caller.owner, device).await? {
        let name = catalog.apps.name_of(of_app.0).map_or_else(|| of_app.to_string(), ToString::to_string);
        apps.entry(name).or_default().push(on_day(catalog, day, &trace));
    }
    let erased_at = app.catalog.retention().erased().get(&caller.owner).and_then(|erased| erased.get(&device).copied());
    Ok(Json(wire::DeviceFound {
        apps: apps.into_iter().filter_map(|(app, days)| in_app(app, days)).collect(),
        erased_at: erased_at.map(moment),
    }))
}

async fn erase(
    State(app): State<App>,
    caller: Principal,
    Body(body): Body<wire::DeviceNamed>,
) -> Result<Json<wire::DeviceErased>, Error> {
    let device = pseudonym(&app, caller.owner, &body)?;
    let at = app.catalog.erase_device(caller.by(), device).await?;
    tracing::info!(owner.id = %caller.owner, "a device is erased");
    app.keeper.erase_device(caller.owner, device, at).await?;
    Ok(Json(wire::DeviceErased { erased_at: moment(at) }))
}

/// The pseudonym of the device that is meant. No error repeats its id.
fn pseudonym(app: &App, owner: OwnerId, body: &wire::DeviceNamed) -> Result<Pseudonym, Error> {
    let id: DeviceId =
        body.device.parse().map_err(|_| Error::invalid("device", "invalid device id").accepted(DeviceId::ACCEPTED))?;
    Ok(id.pseudonym(&app.catalog.installation().secret, owner))
}

fn in_app(app: String, mut days: Vec<wire::DeviceDay>) -> Option<wire::DeviceApp> {
    days.sort_by(|one, other| one.date.cmp(&other.date));
    let (first_day, last_day) = (days.first()?.date.clone(), days.last()?.date.clone());
    Some(wire::DeviceApp { app, first_day, last_day, days })
}

fn on_day(catalog: &OwnerCatalog, day: Day, trace: &Trace) -> wire::DeviceDay {
    let all = |dimension: Dimension| -> Vec<String> {
        let values = trace.values.get(&dimension).into_iter().flatten();
        values.map(|value| label(catalog, dimension, value).to_string()).collect()
    };
    let last_seen = trace.last_seen.map(|millis| Millis(day.start().0 + i64::from(millis)));
    wire::DeviceDay {
        date: day.to_string(),
        version: all(Dimension::Version).pop(),
        status: all(Dimension::Status).pop(),
        channels: all(Dimension::Channel),
        platforms: all(Dimension::Platform),
        archs: all(Dimension::Arch),
        last_seen_at: last_seen.map(moment),
    }
}
