//! What an administrator settles about the devices that are counted.

use aide::axum::routing::get_with;
use aide::transform::TransformOperation;
use axum::Json;
use axum::extract::State;
use headcount_api::settings as wire;
use headcount_engine::id::{AppId, Id};

use crate::app::App;
use crate::catalog::settings::{Settings, SettingsChange};
use crate::error::Error;
use crate::http::extract::{Body, Principal, RequestBody};
use crate::http::policy::{Policy, Routes};
use crate::http::resources::ACCEPTED_ID;

/// For how many days devices may be kept.
const RETENTION_DAYS: std::ops::RangeInclusive<u32> = 1..=400;

pub(super) fn routes() -> Routes {
    Routes::new().route(
        "/settings",
        Policy::ADMINISTRATOR,
        get_with(show, described("Show what is settled about the devices that are counted"))
            .post_with(settle, described("Settle something anew; what is not given stays")),
    )
}

fn described(summary: &'static str) -> impl FnOnce(TransformOperation<'_>) -> TransformOperation<'_> {
    move |operation| operation.tag("privacy").summary(summary)
}

impl RequestBody for wire::SettingsUpdate {}

async fn show(State(app): State<App>, caller: Principal) -> Result<Json<wire::Settings>, Error> {
    Ok(render(&app, app.catalog.settings(caller.owner).await?))
}

async fn settle(
    State(app): State<App>,
    caller: Principal,
    Body(body): Body<wire::SettingsUpdate>,
) -> Result<Json<wire::Settings>, Error> {
    let settings = app.catalog.settle(caller.by(), change(body)?).await?;
    tracing::info!(owner.id = %caller.owner, "settings were changed");
    Ok(render(&app, settings))
}

fn change(body: wire::SettingsUpdate) -> Result<SettingsChange, Error> {
    if body.retention_days.flatten().is_some_and(|days| !RETENTION_DAYS.contains(&days)) {
        return Err(Error::invalid("retention_days", "invalid retention_days")
            .accepted("a whole number of days from 1 to 400, or null for those of the installation"));
    }
    let app = |app: wire::AppSettingsUpdate| {
        let id = app.id.parse().map_err(|_| Error::invalid("apps", "invalid id of an app").accepted(ACCEPTED_ID));
        Ok((AppId(id?), app.telemetry))
    };
    Ok(SettingsChange {
        retention_days: body.retention_days,
        opt_out_signals: body.opt_out_signals,
        strict_ids: body.strict_ids,
        apps: body.apps.into_iter().map(app).collect::<Result<_, Error>>()?,
    })
}

fn render(app: &App, settings: Settings) -> Json<wire::Settings> {
    let of_app = |(id, app, telemetry): (Id, String, bool)| wire::AppSettings { id: id.to_string(), app, telemetry };
    let Settings { retention_days, opt_out_signals, strict_ids, apps } = settings;
    Json(wire::Settings {
        retention_days,
        installation_retention_days: app.config.retention_days,
        opt_out_signals,
        strict_ids,
        apps: apps.into_iter().map(of_app).collect(),
    })
}
