//! Questions over segments, and their answers.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use roaring::RoaringBitmap;
use strum::EnumCount as _;

use crate::day::Day;
use crate::dimension::{Dimension, Status, Value};
use crate::event::Values;
use crate::id::AppId;
use crate::segment::Segment;
use crate::slice::{self, ByValue, Slice, sets_by_value, union};

/// A question: which days, and which values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The first day of the range.
    pub first: Day,
    /// The last day of the range; it belongs to it.
    pub last: Day,
    /// What is counted.
    pub filters: Filters,
}

/// The values wanted of each dimension. The default wants everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Filters([Option<BTreeSet<Value>>; Dimension::COUNT]);

impl Filters {
    /// Wants only these values of the dimension; an empty set matches nothing.
    pub fn set(&mut self, dimension: Dimension, values: BTreeSet<Value>) {
        self.0[dimension as usize] = Some(values);
    }

    /// The same without the wish for values of that dimension.
    #[must_use]
    pub fn without(&self, dimension: Dimension) -> Self {
        let mut filters = self.clone();
        filters.0[dimension as usize] = None;
        filters
    }

    /// The values wanted of the dimension; `None` wants all, and events that have none.
    pub fn get(&self, dimension: Dimension) -> Option<&BTreeSet<Value>> {
        self.0[dimension as usize].as_ref()
    }

    /// Whether nothing is left out.
    pub fn want_everything(&self) -> bool {
        self.iter().next().is_none()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Dimension, &BTreeSet<Value>)> {
        Dimension::ALL.iter().filter_map(|&dimension| Some((dimension, self.get(dimension)?)))
    }

    pub(crate) fn admit(&self, dimension: Dimension, value: &Value) -> bool {
        self.get(dimension).is_none_or(|wanted| wanted.contains(value))
    }

    /// Whether a check that said this is counted, by its own values.
    pub fn match_request(&self, values: &Values) -> bool {
        self.iter().all(|(dimension, wanted)| values[dimension].as_ref().is_some_and(|value| wanted.contains(value)))
    }
}

/// The name that a stored value is shown under.
pub type Label<'a> = &'a dyn Fn(Dimension, &Value) -> Arc<str>;

/// One application's day, as a question reads it. No two sources are of one application and day.
#[derive(Debug, Clone)]
pub struct Source {
    /// The day.
    pub day: Day,
    /// The application.
    pub app: AppId,
    /// What is kept of it.
    pub segment: Arc<Segment>,
}

/// The answer to a [`Query`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The numbers of the whole range.
    pub totals: Totals,
    /// How many applications have a counted check in the range, whatever the filters.
    pub active_apps: u64,
    /// The names of all versions in any source, in the range or not, whatever the filters; in the order of their bytes.
    pub known_versions: Vec<Arc<str>>,
    /// One row for each day of the range, the earliest first; none if no application is active.
    pub daily: Vec<(Day, Totals)>,
    breakdown: [Vec<Row>; Dimension::COUNT],
}

impl Report {
    /// The devices by value of one dimension: the most devices first; of equal ones the greatest version first, other
    /// names in ascending order. Of versions, `(other)` is last, however many devices it has. A value without a device
    /// has no row.
    pub fn rows(&self, dimension: Dimension) -> &[Row] {
        &self.breakdown[dimension as usize]
    }
}

/// The numbers of a range or of a day. Over several days or applications a device may count under several statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Counted checks.
    pub requests: u64,
    /// Distinct devices.
    pub devices: u64,
    /// Distinct devices whose status was `latest`.
    pub latest: u64,
    /// Distinct devices whose status was `outdated`.
    pub outdated: u64,
    /// Distinct devices whose status was `held`.
    pub held: u64,
    /// Distinct devices whose status was `outdated` or `held`.
    pub outdated_or_held: u64,
}

/// One value of a dimension in a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The name to show.
    pub label: Arc<str>,
    /// Distinct devices.
    pub devices: u64,
}

/// Answers the query from these sources: all that is retained of the applications in scope. Days outside the range add
/// known versions and nothing else. `label` names a stored value; values of one label are one row.
pub fn evaluate(query: &Query, sources: &[Source], label: Label<'_>) -> Report {
    let days = slice::by_day(query, sources);
    let in_range = sources.iter().filter(|source| (query.first..=query.last).contains(&source.day));
    let has_checks = |source: &&Source| !source.segment.devices.is_empty() || !source.segment.requests.is_empty();
    let active: BTreeSet<AppId> = in_range.filter(has_checks).map(|source| source.app).collect();
    let by_day: BTreeMap<Day, Sets<'_>> = days.iter().map(|(&day, slices)| (day, Sets::of_day(slices))).collect();
    let whole = Sets::of_range(by_day.values());
    let row = |day: Day| (day, by_day.get(&day).map(Sets::totals).unwrap_or_default());
    let daily = if active.is_empty() { Vec::new() } else { query.first.through(query.last).map(row).collect() };
    let breakdown = std::array::from_fn(|place| {
        let dimension = Dimension::ALL[place];
        match dimension {
            Dimension::Status => rows(dimension, &whole.statuses, label),
            Dimension::Version | Dimension::Channel | Dimension::Platform | Dimension::Arch => {
                rows(dimension, &sets_by_value(dimension, days.values().flatten()), label)
            }
        }
    });
    let known_versions = known_versions(sources).into_iter().map(|version| label(Dimension::Version, version));
    Report {
        totals: whole.totals(),
        active_apps: active.len() as u64,
        known_versions: known_versions.collect::<BTreeSet<_>>().into_iter().collect(),
        daily,
        breakdown,
    }
}

/// What is counted of a day or a range.
pub(crate) struct Sets<'a> {
    requests: u64,
    devices: Cow<'a, RoaringBitmap>,
    statuses: ByValue<'a>,
}

impl<'a> Sets<'a> {
    pub(crate) fn of_day(slices: &'a [Slice<'a>]) -> Self {
        Self {
            requests: slice::count_requests(slices),
            devices: slice::devices(slices),
            statuses: sets_by_value(Dimension::Status, slices),
        }
    }

    pub(crate) fn of_range(days: impl Iterator<Item = &'a Self> + Clone) -> Self {
        let mut statuses: BTreeMap<&Value, Vec<_>> = BTreeMap::new();
        for (value, devices) in days.clone().flat_map(|day| &day.statuses) {
            statuses.entry(value).or_default().push(Cow::Borrowed(devices.as_ref()));
        }
        Self {
            requests: days.clone().map(|day| day.requests).fold(0, u64::saturating_add),
            devices: union(days.map(|day| Cow::Borrowed(day.devices.as_ref())).collect()),
            statuses: statuses.into_iter().map(|(value, parts)| (value, union(parts))).collect(),
        }
    }

    pub(crate) fn devices(&self) -> &RoaringBitmap {
        &self.devices
    }

    pub(crate) fn totals(&self) -> Totals {
        let of_status = |status: Status| self.statuses.get(&status.value());
        let count = |status| of_status(status).map_or(0, |devices| devices.len());
        let (outdated, held) = (count(Status::Outdated), count(Status::Held));
        Totals {
            requests: self.requests,
            devices: self.devices.len(),
            latest: count(Status::Latest),
            outdated,
            held,
            outdated_or_held: match (of_status(Status::Outdated), of_status(Status::Held)) {
                (Some(one), Some(other)) => one.union_len(other),
                (Some(_), None) | (None, _) => outdated + held,
            },
        }
    }
}

fn rows(dimension: Dimension, sets: &ByValue<'_>, label: Label<'_>) -> Vec<Row> {
    let named = slice::by_name(dimension, sets, label);
    named.into_iter().map(|(label, devices)| Row { label, devices: devices.len() }).collect()
}

/// The versions of all sources: those that devices have, and those that checks named and no device ended a day with.
fn known_versions(sources: &[Source]) -> BTreeSet<&Value> {
    let mut known = BTreeSet::new();
    for source in sources {
        known.extend(source.segment.values(Dimension::Version).map(|(version, _)| version));
        // Checks are in the order of their versions, so most repeat the one before.
        let mut before = None;
        for version in source.segment.requests().filter_map(|(values, _)| values[Dimension::Version].as_ref()) {
            if before != Some(version) {
                known.insert(version);
                before = Some(version);
            }
        }
    }
    known
}
