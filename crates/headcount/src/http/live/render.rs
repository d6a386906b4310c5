//! What a listener is told, as events.

use std::collections::BTreeMap;

use axum::response::sse::Event;
use headcount_api::live::{LiveAbout, LiveCheck, LiveEvent, LiveNow, LiveRow, LiveWindow};
use headcount_engine::dimension::Dimension;
use headcount_engine::recent::Recent;
use headcount_engine::report::Row;
use headcount_engine::snapshot::OwnerCatalog;
use serde::Serialize;

use super::RETRY;
use crate::http::render::moment;
use crate::report::label;
use crate::report::live::Now;
use crate::spool::RecentCheck;

/// What the numbers mean, in the order of the events.
const DEFINITIONS: [(&str, &str); 5] = [
    (
        "checks_per_second",
        "Counted checks and beacons a second, the mean of the last 10 seconds, by what each said itself; imports are among them.",
    ),
    (
        "devices",
        "Distinct devices whose last check of the day was accepted within that time. A beacon that names neither a version \
         nor a status does not count here.",
    ),
    (
        "platforms",
        "These devices by platform: each counts under every platform that it was seen with on that day, so that the numbers \
         may add up to more.",
    ),
    ("versions", "These devices by the last version of each on that day."),
    (
        "checks",
        "The last checks, without anything that tells one device from another. What was not counted is told once a second, \
         by application and reason, with the number of checks.",
    ),
];

/// Which instances each event shows.
const INSTANCES: [(&str, &str); 2] = [("now", "all"), ("checks", "this")];

pub(super) fn about() -> Event {
    let texts = |list: &[(&str, &str)]| {
        list.iter().map(|&(name, text)| (name.to_owned(), text.to_owned())).collect::<BTreeMap<_, _>>()
    };
    let about = LiveAbout { definitions: texts(&DEFINITIONS), instances: texts(&INSTANCES) };
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
