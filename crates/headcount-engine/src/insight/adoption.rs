//! How fast the devices of an app move to a release.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::day::Day;
use crate::dimension::{Dimension, Status, Value};
use crate::report::{Label, Query, Source};
use crate::slice::{self, Slice, by_name, sets_by_value, union};
use crate::version::Version;

/// The shares, in percent, of which it is said when they were reached.
pub const MILESTONES: [u64; 3] = [50, 90, 95];

/// How fast a release arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adoption {
    /// The days that are retained, from the publication to the end of the range.
    pub days: Vec<AdoptionDay>,
    /// The same by platform, the one with the most devices first.
    pub platforms: Vec<(Arc<str>, Vec<AdoptionDay>)>,
    /// The first day that is over on which at least so many percent of its devices ended it on the release or a newer
    /// one, for each of [`MILESTONES`]; `None` also where days since the publication are no longer retained.
    pub reached: [Option<Day>; MILESTONES.len()],
}

/// One day of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdoptionDay {
    /// The day.
    pub day: Day,
    /// Distinct devices.
    pub devices: u64,
    /// Those that ended the day on the release or a newer one.
    pub adopted: u64,
    /// Those that did not, because a staged rollout held them back.
    pub held: u64,
}

/// When a release was published, and which days can be looked at.
#[derive(Debug, Clone, Copy)]
pub struct Published<'a> {
    /// The version.
    pub version: &'a Version,
    /// The UTC day of its publication.
    pub on: Day,
    /// The oldest day whose devices are retained.
    pub first: Day,
    /// The day now, which is not over.
    pub today: Day,
}

/// The adoption of a release among the devices that the query leaves, up to its last day.
pub fn adoption(query: &Query, release: &Published<'_>, sources: &[Source], label: Label<'_>) -> Adoption {
    let first = release.on.max(release.first);
    let query = Query { first, ..query.clone() };
    let slices = slice::by_day(&query, sources);
    let of_all = sets_by_value(Dimension::Platform, slices.values().flatten());
    let names: Vec<Arc<str>> = by_name(Dimension::Platform, &of_all, label).into_iter().map(|(name, _)| name).collect();
    let mut platforms: Vec<Vec<AdoptionDay>> = vec![Vec::new(); names.len()];
    let mut days = Vec::new();
    for day in first.through(query.last) {
        let slices = slices.get(&day).map(Vec::as_slice).unwrap_or_default();
        let of_day = Sets::of(slices, release.version);
        days.push(of_day.among(day, None));
        let sets = sets_by_value(Dimension::Platform, slices);
        let sets: BTreeMap<Arc<str>, _> = by_name(Dimension::Platform, &sets, label).into_iter().collect();
        let none = RoaringBitmap::new();
        for (name, days) in names.iter().zip(&mut platforms) {
            days.push(of_day.among(day, Some(sets.get(name).map_or(&none, Cow::as_ref))));
        }
    }
    let reached = MILESTONES.map(|percent| {
        let is_reached = |one: &&AdoptionDay| {
            one.day < release.today && one.devices > 0 && one.adopted * 100 >= one.devices * percent
        };
        days.iter().find(is_reached).filter(|_| release.on >= release.first).map(|one| one.day)
    });
    Adoption { days, platforms: names.into_iter().zip(platforms).collect(), reached }
}

/// The devices of one day.
struct Sets<'a> {
    devices: Cow<'a, RoaringBitmap>,
    adopted: Cow<'a, RoaringBitmap>,
    held: RoaringBitmap,
}

impl<'a> Sets<'a> {
    fn of(slices: &'a [Slice<'a>], version: &Version) -> Self {
        let is_newer =
            |value: &Value| value.as_str().parse::<Version>().is_ok_and(|found| found.precedence(version).is_ge());
        let with = |dimension: Dimension, is_wanted: &dyn Fn(&Value) -> bool| {
            let parts = slices.iter().flat_map(|slice| {
                let values = slice.values(dimension).filter(|(value, _)| is_wanted(value));
                values.map(|(_, devices)| slice.restrict(devices)).collect::<Vec<_>>()
            });
            union(parts.collect())
        };
        let adopted = with(Dimension::Version, &is_newer);
        let held = with(Dimension::Status, &|value| Status::of(value) == Some(Status::Held));
        let held = held.as_ref() - adopted.as_ref();
        Self { devices: slice::devices(slices), adopted, held }
    }

    /// The numbers of all devices, or of these.
    fn among(&self, day: Day, devices: Option<&RoaringBitmap>) -> AdoptionDay {
        let count = |set: &RoaringBitmap| devices.map_or_else(|| set.len(), |devices| set.intersection_len(devices));
        AdoptionDay { day, devices: count(&self.devices), adopted: count(&self.adopted), held: count(&self.held) }
    }
}
