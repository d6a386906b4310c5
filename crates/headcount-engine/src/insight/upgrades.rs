//! Which versions devices left, and which they came to, between two days.

use std::collections::BTreeMap;

use roaring::{MultiOps as _, RoaringBitmap};

use crate::day::Day;
use crate::dimension::{Dimension, Value};
use crate::report::{Filters, Source};
use crate::slice::{Slice, sets_by_value};

/// A device's version at a day is its last one of so many days, that day included.
pub const LOOK_BACK: i32 = 7;

/// Where a device was on the first of the two days.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Before {
    /// On that version.
    Version(Value),
    /// Nowhere yet: it was counted on no retained day up to then.
    New,
    /// Nowhere, but counted earlier.
    Returned,
}

/// Where it was on the second one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum After {
    /// On that version.
    Version(Value),
    /// Nowhere any more.
    Gone,
}

/// Devices that went one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// Where they were.
    pub from: Before,
    /// Where they are.
    pub to: After,
    /// How many.
    pub devices: u64,
}

/// How many devices did what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// The same version on both days.
    pub stayed: u64,
    /// Another version.
    pub moved: u64,
    /// A version on the second day, and never counted up to the first one.
    pub new: u64,
    /// A version on the second day, none on the first, and counted before it.
    pub returned: u64,
    /// A version on the first day and none on the second.
    pub gone: u64,
}

/// All flows between two days.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Upgrades {
    /// The flows that have a device: from the greatest version to the least, then new and returned ones; to the greatest
    /// version first, gone ones last.
    pub flows: Vec<Flow>,
    /// Their sums.
    pub totals: Totals,
}

/// The flows between `first` and `last`, from all retained days of the apps in scope. A device's version at a day is that
/// of its last day with one among the [`LOOK_BACK`] days up to it; of several apps on that day, the greatest. Filters
/// decide on which days a device is seen, except for that of versions: it keeps the flows that begin or end with a wanted
/// one.
pub fn upgrades(first: Day, last: Day, filters: &Filters, sources: &[Source]) -> Upgrades {
    let wanted = filters.get(Dimension::Version);
    let filters = filters.without(Dimension::Version);
    let before = versions_at(first, &filters, sources);
    let after = versions_at(last, &filters, sources);
    let known = sources.iter().filter(|source| source.day <= first).map(|source| source.segment.devices()).union();
    let (on_first, on_last) = (before.values().union(), after.values().union());
    let arrived = &on_last - &on_first;
    let (returned, new) = (&arrived & &known, &arrived - &known);

    let is_wanted = |from: Option<&Value>, to: Option<&Value>| {
        wanted.is_none_or(|wanted| from.into_iter().chain(to).any(|version| wanted.contains(version)))
    };
    let mut upgrades = Upgrades::default();
    for (from, devices) in descending(&before) {
        for (to, others) in descending(&after).filter(|(to, _)| is_wanted(Some(from), Some(to))) {
            upgrades.add(Before::Version(from.clone()), After::Version(to.clone()), devices.intersection_len(others));
        }
        if is_wanted(Some(from), None) {
            upgrades.add(Before::Version(from.clone()), After::Gone, devices.difference_len(&on_last));
        }
    }
    for (from, devices) in [(Before::New, &new), (Before::Returned, &returned)] {
        for (to, others) in descending(&after).filter(|(to, _)| is_wanted(None, Some(to))) {
            upgrades.add(from.clone(), After::Version(to.clone()), devices.intersection_len(others));
        }
    }
    upgrades
}

impl Upgrades {
    fn add(&mut self, from: Before, to: After, devices: u64) {
        if devices == 0 {
            return;
        }
        let total = match (&from, &to) {
            (Before::Version(from), After::Version(to)) if from == to => &mut self.totals.stayed,
            (Before::Version(_), After::Version(_)) => &mut self.totals.moved,
            (Before::Version(_), After::Gone) => &mut self.totals.gone,
            (Before::New, _) => &mut self.totals.new,
            (Before::Returned, _) => &mut self.totals.returned,
        };
        *total += devices;
        self.flows.push(Flow { from, to, devices });
    }
}

type Versions = BTreeMap<Value, RoaringBitmap>;

fn versions_at(day: Day, filters: &Filters, sources: &[Source]) -> Versions {
    last_values(Dimension::Version, (day, LOOK_BACK), filters, sources)
}

/// The devices by their value on the last day, of so many up to `last`, on which they had one; of several apps on that
/// day, the greatest. No device has two.
pub(crate) fn last_values(
    dimension: Dimension,
    (last, days): (Day, i32),
    filters: &Filters,
    sources: &[Source],
) -> BTreeMap<Value, RoaringBitmap> {
    let mut values: BTreeMap<Value, RoaringBitmap> = BTreeMap::new();
    let mut settled = RoaringBitmap::new();
    for day in last.plus(1 - days).through(last).rev() {
        let of_day = sources.iter().filter(|source| source.day == day);
        let slices: Vec<Slice<'_>> = of_day.map(|source| Slice::new(&source.segment, filters)).collect();
        let mut sets: Vec<_> = sets_by_value(dimension, &slices).into_iter().collect();
        sets.sort_by(|(one, _), (other, _)| dimension.compare(other, one));
        for (value, devices) in sets {
            let fresh = devices.as_ref() - &settled;
            settled |= &fresh;
            *values.entry(value.clone()).or_default() |= fresh;
        }
    }
    values.retain(|_, devices| !devices.is_empty());
    values
}

/// The greatest version first.
fn descending(versions: &Versions) -> impl Iterator<Item = (&Value, &RoaringBitmap)> {
    let mut sorted: Vec<_> = versions.iter().collect();
    sorted.sort_by(|(one, _), (other, _)| Dimension::Version.compare(other, one));
    sorted.into_iter()
}
