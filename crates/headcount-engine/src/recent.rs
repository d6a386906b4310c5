//! Which devices were there in the last minutes.

use std::ops::RangeInclusive;

use roaring::RoaringBitmap;

use crate::day::{DAY_MILLIS, Millis};
use crate::dimension::Dimension;
use crate::report::{Filters, Label, Row, Source};
use crate::segment::Segment;
use crate::slice::{self, Slice, by_name, sets_by_value};

/// The devices of a short time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recent {
    /// Distinct devices whose last check was accepted in that time.
    pub devices: u64,
    /// These by the platforms that each was seen with on that day, in the order of a report.
    pub platforms: Vec<Row>,
    /// These by the last version of each, in the order of a report.
    pub versions: Vec<Row>,
}

/// The devices whose last check in an application was accepted in that time, both ends included. A device is told by the
/// times that are kept beside its last version and status: there are such times while a day is open, and a beacon that
/// names neither has none. Where the time spans midnight, a device counts with the values of both days.
pub fn recent(sources: &[Source], filters: &Filters, time: RangeInclusive<Millis>, label: Label<'_>) -> Recent {
    let slices: Vec<Slice<'_>> = sources
        .iter()
        .filter_map(|source| Some(Slice::new(&source.segment, filters).among(seen(source, &time)?)))
        .collect();
    let by = |dimension| {
        let sets = sets_by_value(dimension, &slices);
        let named = by_name(dimension, &sets, label);
        named.into_iter().map(|(label, devices)| Row { label, devices: devices.len() }).collect()
    };
    Recent {
        devices: slice::devices(&slices).len(),
        platforms: by(Dimension::Platform),
        versions: by(Dimension::Version),
    }
}

/// The counted checks of one source that match the filters by their own values.
pub fn requests(segment: &Segment, filters: &Filters) -> u64 {
    slice::count_requests([&Slice::new(segment, filters)])
}

/// The devices of the source's day in that time; none where the day has no part in it.
fn seen(source: &Source, time: &RangeInclusive<Millis>) -> Option<RoaringBitmap> {
    let (first, last) = (source.day.start(), Millis(source.day.start().0 + DAY_MILLIS - 1));
    let (from, to) = (first.max(*time.start()), last.min(*time.end()));
    (from <= to).then(|| source.segment.seen_within(from.within_day()..=to.within_day()))
}
