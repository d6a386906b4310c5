//! Questions over segments, and their answers.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use roaring::{MultiOps as _, RoaringBitmap};
use strum::EnumCount as _;

use crate::day::Day;
use crate::dimension::{Dimension, Status, Value};
use crate::event::Values;
use crate::id::AppId;
use crate::segment::Segment;

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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filters([Option<BTreeSet<Value>>; Dimension::COUNT]);

impl Filters {
    /// Wants only these values of the dimension; an empty set matches nothing.
    pub fn set(&mut self, dimension: Dimension, values: BTreeSet<Value>) {
        self.0[dimension as usize] = Some(values);
    }

    /// The values wanted of the dimension; `None` wants all, and events that have none.
    pub fn get(&self, dimension: Dimension) -> Option<&BTreeSet<Value>> {
        self.0[dimension as usize].as_ref()
    }

    fn iter(&self) -> impl Iterator<Item = (Dimension, &BTreeSet<Value>)> {
        Dimension::ALL.iter().filter_map(|&dimension| Some((dimension, self.get(dimension)?)))
    }

    fn admit(&self, dimension: Dimension, value: &Value) -> bool {
        self.get(dimension).is_none_or(|wanted| wanted.contains(value))
    }

    fn match_request(&self, values: &Values) -> bool {
        self.iter().all(|(dimension, wanted)| values[dimension].as_ref().is_some_and(|value| wanted.contains(value)))
    }
}

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
pub fn evaluate(query: &Query, sources: &[Source], label: &dyn Fn(Dimension, &Value) -> Arc<str>) -> Report {
    let mut days: BTreeMap<Day, Vec<Slice<'_>>> = BTreeMap::new();
    let mut active = BTreeSet::new();
    for source in sources.iter().filter(|source| (query.first..=query.last).contains(&source.day)) {
        days.entry(source.day).or_default().push(Slice::new(&source.segment, &query.filters));
        if !source.segment.devices.is_empty() || !source.segment.requests.is_empty() {
            active.insert(source.app);
        }
    }
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

type ByValue<'a> = BTreeMap<&'a Value, Cow<'a, RoaringBitmap>>;

/// What the filters leave of one source.
struct Slice<'a> {
    segment: &'a Segment,
    filters: &'a Filters,
    // `None` stands for all devices.
    kept: Option<Cow<'a, RoaringBitmap>>,
}

impl<'a> Slice<'a> {
    fn new(segment: &'a Segment, filters: &'a Filters) -> Self {
        let wanted = filters.iter().map(|(dimension, values)| {
            union(values.iter().filter_map(|value| segment.with_value(dimension, value)).map(Cow::Borrowed).collect())
        });
        let kept = wanted.reduce(|one, other| Cow::Owned(one.as_ref() & other.as_ref()));
        Self { segment, filters, kept }
    }

    fn devices(&self) -> Cow<'_, RoaringBitmap> {
        Cow::Borrowed(self.kept.as_deref().unwrap_or(&self.segment.devices))
    }

    fn requests(&self) -> u64 {
        let matching = self.segment.requests().filter(|(values, _)| self.filters.match_request(values));
        matching.map(|(_, count)| count).fold(0, u64::saturating_add)
    }

    /// The wanted values of the dimension with all their devices, also those that other filters take away.
    fn values(&self, dimension: Dimension) -> impl Iterator<Item = (&'a Value, &'a RoaringBitmap)> {
        self.segment.values(dimension).filter(move |(value, _)| self.filters.admit(dimension, value))
    }

    fn restrict(&self, devices: &'a RoaringBitmap) -> Cow<'a, RoaringBitmap> {
        match &self.kept {
            None => Cow::Borrowed(devices),
            Some(kept) => Cow::Owned(devices & kept.as_ref()),
        }
    }
}

/// What is counted of a day or a range.
struct Sets<'a> {
    requests: u64,
    devices: Cow<'a, RoaringBitmap>,
    statuses: ByValue<'a>,
}

impl<'a> Sets<'a> {
    fn of_day(slices: &'a [Slice<'a>]) -> Self {
        Self {
            requests: slices.iter().map(Slice::requests).fold(0, u64::saturating_add),
            devices: union(slices.iter().map(Slice::devices).collect()),
            statuses: sets_by_value(Dimension::Status, slices.iter()),
        }
    }

    fn of_range(days: impl Iterator<Item = &'a Self> + Clone) -> Self {
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

    fn totals(&self) -> Totals {
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

/// The counted devices of each wanted value that has any. Only one value at a time has its single sets in memory.
fn sets_by_value<'a>(dimension: Dimension, slices: impl Iterator<Item = &'a Slice<'a>>) -> ByValue<'a> {
    let mut parts: BTreeMap<&Value, Vec<(&Slice<'_>, &RoaringBitmap)>> = BTreeMap::new();
    for slice in slices {
        for (value, devices) in slice.values(dimension) {
            parts.entry(value).or_default().push((slice, devices));
        }
    }
    let counted = |parts: Vec<(&'a Slice<'a>, &'a RoaringBitmap)>| {
        union(parts.into_iter().map(|(slice, devices)| slice.restrict(devices)).collect())
    };
    let sets = parts.into_iter().map(|(value, parts)| (value, counted(parts)));
    sets.filter(|(_, devices)| !devices.is_empty()).collect()
}

fn union(mut parts: Vec<Cow<'_, RoaringBitmap>>) -> Cow<'_, RoaringBitmap> {
    if parts.len() > 1 {
        return Cow::Owned(parts.iter().map(Cow::as_ref).union());
    }
    parts.pop().unwrap_or_default()
}

/// One row for each name, in the order of [`Report::rows`].
fn rows(dimension: Dimension, sets: &ByValue<'_>, label: &dyn Fn(Dimension, &Value) -> Arc<str>) -> Vec<Row> {
    let mut named: BTreeMap<Arc<str>, Vec<Cow<'_, RoaringBitmap>>> = BTreeMap::new();
    for (value, devices) in sets {
        named.entry(label(dimension, value)).or_default().push(Cow::Borrowed(devices.as_ref()));
    }
    let mut rows: Vec<(Value, Row)> = named
        .into_iter()
        .map(|(label, parts)| (Value::new(&label), Row { label, devices: union(parts).len() }))
        .collect();
    rows.sort_by(|(one, left), (other, right)| {
        let is_rest = |value: &Value| dimension == Dimension::Version && value.as_str() == Value::OTHER;
        is_rest(one).cmp(&is_rest(other)).then(right.devices.cmp(&left.devices)).then_with(|| match dimension {
            Dimension::Version => dimension.compare(other, one),
            Dimension::Channel | Dimension::Platform | Dimension::Arch | Dimension::Status => one.cmp(other),
        })
    });
    rows.into_iter().map(|(_, row)| row).collect()
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
