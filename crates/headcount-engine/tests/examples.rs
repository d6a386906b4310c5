//! The recorded examples E0 to E6 of the wire contract, with the differences that are meant: request totals obey
//! filters, applications are a union, versions have one spelling, known versions are sorted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use headcount_engine::day::{Day, Millis};
use headcount_engine::dimension::{Dimension, Status, Value};
use headcount_engine::event::Values;
use headcount_engine::id::{AppId, Id};
use headcount_engine::report::{Filters, Query, Report, Source, Totals, evaluate};
use headcount_engine::segment::Fold;
use headcount_engine::version::Version;

const FIRST: Day = Day(20_514);
const SECOND: Day = Day(20_515);

/// Checks in the order in which they were accepted.
#[derive(Default)]
struct Story(Vec<(Day, &'static str, u32, Values)>);

impl Story {
    fn check(
        &mut self,
        day: Day,
        [app, version, channel, platform, arch]: [&'static str; 5],
        device: char,
        said: &str,
    ) {
        let mut values = Values::default();
        let version = version.parse::<Version>().ok();
        values[Dimension::Version] = version.map(|version| Value::new(version.name()));
        values[Dimension::Channel] = Some(Value::new(channel));
        values[Dimension::Platform] = Some(Value::new(platform));
        values[Dimension::Arch] = Some(Value::new(arch));
        values[Dimension::Status] = Status::of(&Value::new(said)).map(Status::value);
        self.0.push((day, app, u32::from(device), values));
    }

    fn report(&self, days: [Day; 2], apps: Option<&[&str]>, filters: &[(Dimension, &[&str])]) -> String {
        let mut folds: BTreeMap<(Day, &str), Fold> = BTreeMap::new();
        for (at, (day, app, device, values)) in self.0.iter().enumerate() {
            let fold = folds.entry((*day, app)).or_default();
            fold.record(*device, Millis(day.start().0 + at as i64), values);
        }
        let named = folds.into_iter().filter(|((_, app), _)| apps.is_none_or(|apps| apps.contains(app)));
        let sources = named.map(|((day, app), fold)| {
            let mut id = [0; 12];
            id[..app.len()].copy_from_slice(app.as_bytes());
            Source { day, app: AppId(Id::from_bytes(id)), segment: Arc::new(fold.finish()) }
        });
        let mut wanted = Filters::default();
        for (dimension, values) in filters {
            wanted.set(*dimension, values.iter().map(|value| Value::new(value)).collect::<BTreeSet<_>>());
        }
        let query = Query { first: days[0], last: days[1], filters: wanted };
        text(&evaluate(&query, &sources.collect::<Vec<_>>(), &|_, value| value.as_str().into()))
    }
}

/// `requests/devices/latest/outdated/apps`, then everything else that the report says.
fn text(report: &Report) -> String {
    let numbers = |totals: &Totals| {
        let Totals { requests, devices, latest, outdated_or_held, .. } = totals;
        format!("{requests}/{devices}/{latest}/{outdated_or_held}")
    };
    let mut parts = vec![format!("{}/{}", numbers(&report.totals), report.active_apps)];
    let mut list = |name: &str, entries: Vec<String>| parts.push([vec![name.to_owned()], entries].concat().join(" "));
    list("known", report.known_versions.iter().map(ToString::to_string).collect());
    for dimension in [Dimension::Version, Dimension::Platform, Dimension::Arch, Dimension::Channel] {
        let rows = report.rows(dimension).iter().map(|row| format!("{}:{}", row.label, row.devices));
        list(dimension.name(), rows.collect());
    }
    list("daily", report.daily.iter().map(|(_, totals)| numbers(totals)).collect());
    parts.join("; ")
}

const TODAY: [Day; 2] = [SECOND, SECOND];

fn e1() -> Story {
    let mut story = Story::default();
    story.check(SECOND, ["desk", "1.0.0", "stable", "linux", "amd64"], 'A', "outdated");
    story.check(SECOND, ["desk", "1.0.0", "stable", "linux", "amd64"], 'A', "outdated");
    story.check(SECOND, ["desk", "1.1.0", "stable", "linux", "amd64"], 'B', "latest");
    story
}

fn e2() -> Story {
    let mut story = e1();
    story.check(SECOND, ["desk", "1.1.0", "beta", "windows", "amd64"], 'A', "latest");
    story
}

fn e3() -> Story {
    let mut story = e2();
    story.check(SECOND, ["tool", "1.1.0", "stable", "linux", "arm64"], 'B', "outdated");
    story
}

#[test]
fn e0_nothing_was_recorded() {
    assert_eq!(Story::default().report(TODAY, None, &[]), "0/0/0/0/0; known; version; platform; arch; channel; daily");
}

#[test]
fn e1_two_devices() {
    assert_eq!(
        e1().report(TODAY, None, &[]),
        "3/2/1/1/1; known 1.0.0 1.1.0; version 1.1.0:1 1.0.0:1; platform linux:2; arch amd64:2; channel stable:2; \
         daily 3/2/1/1"
    );
}

/// The version and the status of the last check count; of channel, platform and architecture all do.
#[test]
fn e2_a_device_changes_within_the_day() {
    let story = e2();
    assert_eq!(
        story.report(TODAY, None, &[]),
        "4/2/2/0/1; known 1.0.0 1.1.0; version 1.1.0:2; platform linux:2 windows:1; arch amd64:2; \
         channel stable:2 beta:1; daily 4/2/2/0"
    );
    assert_eq!(
        story.report(TODAY, None, &[(Dimension::Channel, &["stable"])]),
        "3/2/2/0/1; known 1.0.0 1.1.0; version 1.1.0:2; platform linux:2 windows:1; arch amd64:2; channel stable:2; \
         daily 3/2/2/0"
    );
    assert_eq!(
        story.report(TODAY, None, &[(Dimension::Platform, &["windows"])]),
        "1/1/1/0/1; known 1.0.0 1.1.0; version 1.1.0:1; platform windows:1; arch amd64:1; channel beta:1 stable:1; \
         daily 1/1/1/0"
    );
    // The device was never on stable and windows in one check: it matches, no request does.
    assert_eq!(
        story.report(TODAY, None, &[(Dimension::Channel, &["stable"]), (Dimension::Platform, &["windows"])]),
        "0/1/1/0/1; known 1.0.0 1.1.0; version 1.1.0:1; platform windows:1; arch amd64:1; channel stable:1; \
         daily 0/1/1/0"
    );
}

#[test]
fn e3_apps_are_a_union() {
    let story = e3();
    let both = "5/2/2/1/2; known 1.0.0 1.1.0; version 1.1.0:2; platform linux:2 windows:1; arch amd64:2 arm64:1; \
                channel stable:2 beta:1; daily 5/2/2/1";
    assert_eq!(story.report(TODAY, None, &[]), both);
    assert_eq!(story.report(TODAY, Some(&["desk", "tool"]), &[]), both);
    assert_eq!(story.report(TODAY, Some(&["desk", "ghost"]), &[]), e2().report(TODAY, None, &[]));
    assert_eq!(story.report(TODAY, Some(&["desk", "desk"]), &[]), e2().report(TODAY, None, &[]));
}

#[test]
fn e4_over_a_range_a_device_counts_under_each_version_that_it_ended_a_day_with() {
    let mut story = e3();
    story.check(FIRST, ["desk", "1.0.0", "stable", "linux", "amd64"], 'A', "outdated");
    assert_eq!(
        story.report([FIRST, SECOND], None, &[]),
        "6/2/2/2/2; known 1.0.0 1.1.0; version 1.1.0:2 1.0.0:1; platform linux:2 windows:1; arch amd64:2 arm64:1; \
         channel stable:2 beta:1; daily 1/1/0/1 5/2/2/1"
    );
}

#[test]
fn e5_over_a_range_a_device_may_be_latest_and_outdated() {
    let mut story = Story::default();
    story.check(FIRST, ["desk", "1.0", "stable", "linux", "amd64"], 'A', "outdated");
    story.check(SECOND, ["desk", "1.1", "stable", "linux", "amd64"], 'A', "latest");
    assert_eq!(
        story.report([FIRST, SECOND], None, &[]),
        "2/1/1/1/1; known 1.0 1.1; version 1.1:1 1.0:1; platform linux:1; arch amd64:1; channel stable:1; \
         daily 1/1/0/1 1/1/1/0"
    );
}

#[test]
fn e6_a_beacon_may_say_less_than_a_check() {
    let mut story = Story::default();
    story.check(SECOND, ["desk", "2.0.0.4", "stable", "linux", "amd64"], 'A', "latest");
    story.check(SECOND, ["desk", "2.0.0-4", "stable", "linux", "amd64"], 'B', "latest");
    story.check(SECOND, ["desk", "2.0.0.4", "stable", "linux", "amd64"], 'C', "outdated");
    story.check(SECOND, ["desk", "2.0.0.4", "stable", "linux", "amd64"], 'C', "");
    story.check(SECOND, ["desk", "", "stable", "linux", "amd64"], 'E', "");
    assert_eq!(
        story.report(TODAY, None, &[]),
        "5/4/2/1/1; known 2.0.0.4; version 2.0.0.4:3; platform linux:4; arch amd64:4; channel stable:4; daily 5/4/2/1"
    );
}

/// Which of a device's values on one day counts, spelled out for every dimension: the first value was accepted last,
/// though it was told first.
#[test]
fn the_last_version_and_status_count_and_every_channel_platform_and_arch() {
    let table = [
        (Dimension::Version, "1.0", "2.0", "1.0:1"),
        (Dimension::Channel, "beta", "stable", "beta:1 stable:1"),
        (Dimension::Platform, "linux", "windows", "linux:1 windows:1"),
        (Dimension::Arch, "amd64", "arm64", "amd64:1 arm64:1"),
        (Dimension::Status, "outdated", "latest", "outdated:1"),
    ];
    for (dimension, at_two, at_one, expected) in table {
        let mut fold = Fold::default();
        for (value, time) in [(at_two, 2), (at_one, 1)] {
            let mut values = Values::default();
            values[dimension] = Some(Value::new(value));
            fold.record(7, Millis(SECOND.start().0 + time), &values);
        }
        let source = Source { day: SECOND, app: AppId(Id::from_bytes([1; 12])), segment: Arc::new(fold.finish()) };
        let query = Query { first: SECOND, last: SECOND, filters: Filters::default() };
        let report = evaluate(&query, &[source], &|_, value| value.as_str().into());
        let rows: Vec<String> =
            report.rows(dimension).iter().map(|row| format!("{}:{}", row.label, row.devices)).collect();
        assert_eq!(rows.join(" "), expected, "{dimension:?}");
    }
}
