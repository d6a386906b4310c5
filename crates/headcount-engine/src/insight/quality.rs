//! How good the numbers are: what was not counted, which ids are no ids of one device, what was asked for in vain.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;

use crate::dimension::{Dimension, Value};
use crate::id::AppId;
use crate::report::{Query, Source};
use crate::slice::{self, Slice};

/// With how many platforms, or architectures, on one day and in one app an id is that of more than one device.
pub const SHARED_FROM: usize = 3;

/// A counter beside the checks: of which app, its kind and its value.
pub type Tally = (AppId, Box<str>, Box<str>);

/// How good the numbers are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quality {
    /// Counted checks that match all filters.
    pub counted: u64,
    /// What was not counted, and what was noticed beside it, whatever the filters.
    pub tallies: BTreeMap<Tally, u64>,
    /// Devices that are more than one: by app and by what shows it, a platform or an architecture.
    pub shared: BTreeMap<(AppId, Dimension), Shared>,
    /// Devices by versions that the catalog does not know.
    pub unknown_versions: BTreeMap<(AppId, Value), u64>,
}

/// Ids that are those of several devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shared {
    /// How many ids.
    pub devices: u64,
    /// With how many values of the dimension one of them was seen at most, on one day.
    pub most: u64,
}

/// How good the numbers of the query are. `knows` says whether the catalog has that version of that app.
pub fn quality(query: &Query, sources: &[Source], knows: &dyn Fn(AppId, &Value) -> bool) -> Quality {
    let mut tallies: BTreeMap<Tally, u64> = BTreeMap::new();
    let mut shared: BTreeMap<(AppId, Dimension), (RoaringBitmap, u64)> = BTreeMap::new();
    let mut versions: BTreeMap<(AppId, &Value), RoaringBitmap> = BTreeMap::new();
    let mut counted = 0_u64;
    for source in sources.iter().filter(|source| (query.first..=query.last).contains(&source.day)) {
        let slice = Slice::new(&source.segment, &query.filters);
        counted = counted.saturating_add(slice::count_requests([&slice]));
        for (kind, value, count) in source.segment.tallies() {
            let tally = tallies.entry((source.app, kind.into(), value.into())).or_default();
            *tally = tally.saturating_add(count);
        }
        for dimension in [Dimension::Platform, Dimension::Arch] {
            let levels = levels(&slice, dimension);
            let Some(devices) = levels.get(SHARED_FROM - 1) else { continue };
            let (all, most) = shared.entry((source.app, dimension)).or_default();
            *all |= devices;
            *most = (*most).max(levels.len() as u64);
        }
        for (version, devices) in slice.values(Dimension::Version).filter(|(version, _)| !knows(source.app, version)) {
            *versions.entry((source.app, version)).or_default() |= slice.restrict(devices).as_ref();
        }
    }
    let devices = |(key, (devices, most)): (_, (RoaringBitmap, u64))| (key, Shared { devices: devices.len(), most });
    let unknown = versions.into_iter().map(|((app, version), devices)| ((app, version.clone()), devices.len()));
    Quality {
        counted,
        tallies,
        shared: shared.into_iter().map(devices).collect(),
        unknown_versions: unknown.filter(|(_, devices)| *devices > 0).collect(),
    }
}

/// The devices that have at least one value of the dimension, at least two, and so on, as long as there are any.
fn levels(slice: &Slice<'_>, dimension: Dimension) -> Vec<RoaringBitmap> {
    let mut levels: Vec<RoaringBitmap> = Vec::new();
    for (_, devices) in slice.values(dimension) {
        let mut rising = slice.restrict(devices).into_owned();
        for level in &mut levels {
            let again = &rising & &*level;
            *level |= rising;
            rising = again;
        }
        if !rising.is_empty() {
            levels.push(rising);
        }
    }
    levels
}
