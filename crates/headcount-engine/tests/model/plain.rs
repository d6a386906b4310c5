//! A fleet as plain events, and what is asked of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use headcount_engine::day::{Day, Millis};
use headcount_engine::dimension::{Dimension, Value};
use headcount_engine::event::Values;
use headcount_engine::id::{AppId, Id};
use headcount_engine::report::{Filters, Query, Source};
use headcount_engine::segment::{Fold, Segment};
use proptest::collection::btree_set;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// The values of each dimension in ascending order, and the name under which each is shown.
pub(crate) const VALUES: [(Dimension, &[(&str, &str)]); 5] = [
    (
        Dimension::Version,
        &[
            ("(other)", "(other)"),
            ("0.9", "0.9"),
            ("1.0.0-rc.1", "1.0.0-rc.1"),
            ("1.0", "1.0"),
            ("1.0.0", "1.0.0"),
            ("1.2", "1.2"),
            ("1.10", "1.10"),
        ],
    ),
    (Dimension::Channel, &[("c1", "stable"), ("c2", "beta"), ("c3", "stable")]),
    (Dimension::Platform, &[("p1", "linux"), ("p2", "windows"), ("p3", "darwin"), ("p4", "linux")]),
    (Dimension::Arch, &[("a1", "arm64"), ("a2", "amd64")]),
    (Dimension::Status, &[("outdated", "outdated"), ("held", "held"), ("latest", "latest")]),
];

/// Where only the last value of a day counts, stated here once more: the engine's own table is not asked.
pub(crate) const LAST: [Dimension; 2] = [Dimension::Version, Dimension::Status];

pub(crate) fn value(dimension: usize, place: usize) -> Value {
    Value::new(VALUES[dimension].1[place].0)
}

pub(crate) fn label(dimension: Dimension, value: &Value) -> Arc<str> {
    let values = VALUES[dimension as usize].1;
    values.iter().find(|(stored, _)| *stored == value.as_str()).map_or("?", |(_, shown)| shown).into()
}

pub(crate) fn app(number: u8) -> AppId {
    AppId(Id::from_bytes([number; 12]))
}

/// An event as the model sees it; values are places in [`VALUES`].
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) day: i32,
    pub(crate) app: u8,
    pub(crate) device: u32,
    pub(crate) time: u32,
    pub(crate) values: Vec<Option<usize>>,
}

impl Event {
    pub(crate) fn values(&self) -> Values {
        let mut values = Values::default();
        for (at, place) in self.values.iter().enumerate() {
            values[VALUES[at].0] = place.map(|place| value(at, place));
        }
        values
    }

    pub(crate) fn at(&self) -> Millis {
        Millis(Day(self.day).start().0 + i64::from(self.time))
    }
}

/// Few devices, days and times, so that events meet; ordinals on both sides of a container's edge.
pub(crate) fn event(days: i32, apps: u8) -> impl Strategy<Value = Event> {
    let devices = vec![0, 1, 2, 3, 65_535, 65_536, 1 << 20, u32::MAX];
    let values: Vec<_> = VALUES.iter().map(|(_, values)| option::weighted(0.9, 0..values.len())).collect();
    (0..days, 0..apps, select(devices), select(vec![0, 1, 2, 86_399_999]), values)
        .prop_map(|(day, app, device, time, values)| Event { day, app, device, time, values })
}

pub(crate) fn fold<'a>(events: impl IntoIterator<Item = &'a Event>) -> Segment {
    let mut fold = Fold::default();
    for event in events {
        fold.record(event.device, event.at(), &event.values());
        fold.tally("app", if event.app == 0 { "first" } else { "other" }, u64::from(event.time));
    }
    fold.finish()
}

pub(crate) fn sources(events: &[Event]) -> Vec<Source> {
    let scopes: BTreeSet<(i32, u8)> = events.iter().map(|event| (event.day, event.app)).collect();
    let source = |(day, number): (i32, u8)| {
        let segment = fold(events.iter().filter(|event| (event.day, event.app) == (day, number)));
        Source { day: Day(day), app: app(number), segment: Arc::new(segment) }
    };
    scopes.into_iter().map(source).collect()
}

/// A query; wanted values are places in [`VALUES`].
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) first: i32,
    pub(crate) last: i32,
    pub(crate) wanted: Vec<Option<BTreeSet<usize>>>,
}

impl Asked {
    pub(crate) fn query(&self) -> Query {
        let mut filters = Filters::default();
        for (at, wanted) in self.wanted.iter().enumerate() {
            if let Some(wanted) = wanted {
                filters.set(VALUES[at].0, wanted.iter().map(|&place| value(at, place)).collect());
            }
        }
        Query { first: Day(self.first), last: Day(self.last), filters }
    }

    pub(crate) fn wants(&self, at: usize, place: usize) -> bool {
        self.wanted[at].as_ref().is_none_or(|wanted| wanted.contains(&place))
    }
}

pub(crate) fn asked(days: i32) -> impl Strategy<Value = Asked> {
    let wanted: Vec<_> =
        VALUES.iter().map(|(_, values)| option::weighted(0.3, btree_set(0..values.len(), 0..3))).collect();
    (0..days, 0..days, wanted).prop_map(|(first, last, wanted)| Asked { first, last, wanted })
}

/// What one device did in one app on one day: by dimension the places of the values that count.
pub(crate) type Seen = Vec<BTreeSet<usize>>;

pub(crate) fn seen(events: &[&Event]) -> Seen {
    let by_dimension = VALUES.iter().enumerate().map(|(at, (dimension, _))| {
        let told = events.iter().filter_map(|event| Some((event.time, event.values[at]?)));
        if LAST.contains(dimension) {
            told.max().map(|(_, place)| place).into_iter().collect()
        } else {
            told.map(|(_, place)| place).collect()
        }
    });
    by_dimension.collect()
}

/// What a device that matches did on one day in one app.
pub(crate) struct Matching {
    pub(crate) day: i32,
    pub(crate) app: u8,
    pub(crate) device: u32,
    pub(crate) seen: Seen,
}

/// Every device that the question counts, on each day of its range and in each app.
pub(crate) fn matching(events: &[Event], asked: &Asked) -> Vec<Matching> {
    let mut devices: BTreeMap<(i32, u8, u32), Vec<&Event>> = BTreeMap::new();
    for event in events.iter().filter(|event| (asked.first..=asked.last).contains(&event.day)) {
        devices.entry((event.day, event.app, event.device)).or_default().push(event);
    }
    let each = devices.into_iter();
    let each = each.map(|((day, app, device), events)| Matching { day, app, device, seen: seen(&events) });
    let matches = |one: &Matching| {
        (0..VALUES.len())
            .all(|at| asked.wanted[at].is_none() || one.seen[at].iter().any(|&place| asked.wants(at, place)))
    };
    each.filter(matches).collect()
}

/// The checks that the question counts.
pub(crate) fn requests<'a>(events: &'a [Event], asked: &Asked) -> Vec<&'a Event> {
    let matches = |event: &&Event| {
        let wanted =
            |at: usize| asked.wanted[at].is_none() || event.values[at].is_some_and(|place| asked.wants(at, place));
        (asked.first..=asked.last).contains(&event.day) && (0..VALUES.len()).all(wanted)
    };
    events.iter().filter(matches).collect()
}

/// The names under which the question counts a device by that dimension.
pub(crate) fn names<'a>(asked: &'a Asked, one: &'a Matching, at: usize) -> impl Iterator<Item = &'static str> + 'a {
    one.seen[at].iter().filter(move |&&place| asked.wants(at, place)).map(move |&place| VALUES[at].1[place].1)
}
