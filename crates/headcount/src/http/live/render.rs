//! What a listener is told, as events.

use axum::response::sse::Event;
use headcount_api::live::{LiveAbout, LiveCheck, LiveEvent, LiveNow, LiveRow, LiveWindow};
use headcount_engine::dimension::Dimension;
use headcount_engine::metric::Metric;
use headcount_engine::recent::Recent;
use headcount_engine::report::Row;
use headcount_engine::snapshot::OwnerCatalog;
use serde::Serialize;

use super::RETRY;
use crate::http::insight::definitions;
use crate::http::render::moment;
use crate::report::label;
use crate::report::live::Now;
use crate::spool::RecentCheck;

/// What is told, in the order of the events.
const METRICS: [Metric; 5] =
    [Metric::ChecksPerSecond, Metric::LiveDevices, Metric::LivePlatforms, Metric::LiveVersions, Metric::LiveChecks];

/// Which instances each event shows.
const INSTANCES: [(&str, &str); 2] = [("now", "all"), ("checks", "this")];

pub(super) fn about() -> Event {
    let instances = INSTANCES.map(|(event, instances)| (event.to_owned(), instances.to_owned()));
    let about = LiveAbout { definitions: definitions(&METRICS), instances: instances.into() };
    event(&LiveEvent::About(about)).retry(RETRY)
}

pub(super) fn event(event: &LiveEvent) -> Event {
    match event {
        LiveEvent::About(about) => named("about", about),
        LiveEvent::Now(now) => named("now", now),
        LiveEvent::Checks(checks) => named("checks", checks),
        LiveEvent::Unavailable(error) => named("unavailable", error),
        LiveEvent::End(error) => named("end", error),
    }
}

fn named(name: &'static str, value: &impl Serialize) -> Event {
    Event::default().event(name).json_data(value).unwrap_or_else(|error| {
        tracing::error!(%error, name, "an event could not be written");
        Event::default().event(name)
    })
}

pub(super) fn now(now: &Now) -> LiveEvent {
    let [five, thirty] = now.windows.each_ref().map(window);
    LiveEvent::Now(LiveNow {
        as_of: moment(now.as_of),
        instance: "all".to_owned(),
        checks_per_second: now.checks_per_second,
        last_5_minutes: five,
        last_30_minutes: thirty,
    })
}

fn window(recent: &Recent) -> LiveWindow {
    let row = |row: &Row| LiveRow { value: row.label.to_string(), devices: row.devices };
    LiveWindow {
        devices: recent.devices,
        platforms: recent.platforms.iter().map(row).collect(),
        versions: recent.versions.iter().map(row).collect(),
    }
}

pub(super) fn checks(checks: &[RecentCheck], catalog: &OwnerCatalog) -> LiveEvent {
    LiveEvent::Checks(checks.iter().map(|recent| check(recent, catalog)).collect())
}

fn check(check: &RecentCheck, catalog: &OwnerCatalog) -> LiveCheck {
    let name = |dimension: Dimension| {
        check.values[dimension].as_ref().map(|value| label(catalog, dimension, value).to_string())
    };
    let app = catalog.apps.name_of(check.app.0).map_or_else(|| check.app.to_string(), ToString::to_string);
    LiveCheck {
        at: moment(check.at),
        app,
        version: name(Dimension::Version),
        platform: name(Dimension::Platform),
        arch: name(Dimension::Arch),
        channel: name(Dimension::Channel),
        status: name(Dimension::Status),
        outcome: if check.skipped.is_some() { "skipped" } else { "recorded" }.to_owned(),
        reason: check.skipped.as_deref().map(str::to_owned),
        checks: check.checks,
    }
}
