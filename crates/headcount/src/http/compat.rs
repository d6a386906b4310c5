//! The report in faynoSync's shape: named lists, `null` where one is empty.

use std::collections::BTreeSet;

use headcount_api::report::{
    ArchCount, ChannelCount, DayCount, PlatformCount, Summary, TelemetryReport, VersionCount, Versions,
};
use headcount_engine::day::Day;
use headcount_engine::dimension::Dimension;
use headcount_engine::report::{Report, Totals};

/// Renders a report over the days from `first` to `last`. `apps_named` says that the question named apps, which are in
/// scope even if none of them has a counted check.
pub(super) fn render(
    report: &Report,
    (first, last): (Day, Day),
    admin: &str,
    apps_named: bool,
    incomplete: &BTreeSet<Day>,
) -> TelemetryReport {
    let days = || first.through(last);
    let usage = list(report, Dimension::Version, |version, client_count| VersionCount { version, client_count });
    let idle = report.daily.is_empty();
    let daily_stats = if idle && apps_named {
        days().map(|day| daily(day, &Totals::default())).collect()
    } else {
        report.daily.iter().map(|(day, totals)| daily(*day, totals)).collect()
    };
    // Without any app in scope there is nothing whose versions could be known.
    let known = report.known_versions.iter().filter(|_| apps_named || !idle).map(ToString::to_string);
    TelemetryReport {
        date: first.to_string(),
        date_range: days().map(|day| day.to_string()).collect(),
        admin: admin.to_owned(),
        summary: Summary {
            total_requests: report.totals.requests,
            unique_clients: report.totals.devices,
            clients_using_latest_version: report.totals.latest,
            clients_outdated: report.totals.outdated_or_held,
            total_active_apps: report.active_apps,
        },
        versions: Versions {
            used_versions_count: usage.as_ref().map_or(0, |usage| usage.len() as u64),
            known_versions: filled(known.collect()),
            usage,
        },
        platforms: list(report, Dimension::Platform, |platform, client_count| PlatformCount { platform, client_count }),
        architectures: list(report, Dimension::Arch, |arch, client_count| ArchCount { arch, client_count }),
        channels: list(report, Dimension::Channel, |channel, client_count| ChannelCount { channel, client_count }),
        daily_stats,
        incomplete: incomplete.iter().map(ToString::to_string).collect(),
    }
}

fn list<T>(report: &Report, dimension: Dimension, entry: impl Fn(String, u64) -> T) -> Option<Vec<T>> {
    filled(report.rows(dimension).iter().map(|row| entry(row.label.to_string(), row.devices)).collect())
}

fn filled<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn daily(day: Day, totals: &Totals) -> DayCount {
    DayCount {
        date: day.to_string(),
        total_requests: totals.requests,
        unique_clients: totals.devices,
        clients_using_latest_version: totals.latest,
        clients_outdated: totals.outdated_or_held,
    }
}
