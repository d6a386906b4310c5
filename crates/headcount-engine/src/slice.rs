//! What a question leaves of one application's day, and sets of devices by value.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use roaring::{MultiOps as _, RoaringBitmap};

use crate::day::Day;
use crate::dimension::{Dimension, Value};
use crate::event::Values;
use crate::report::{Filters, Label, Query, Source};
use crate::segment::Segment;

pub(crate) type ByValue<'a> = BTreeMap<&'a Value, Cow<'a, RoaringBitmap>>;

/// What the filters leave of one source.
pub(crate) struct Slice<'a> {
    segment: &'a Segment,
    filters: &'a Filters,
    // `None` stands for all devices.
    kept: Option<Cow<'a, RoaringBitmap>>,
}

impl<'a> Slice<'a> {
    pub(crate) fn new(segment: &'a Segment, filters: &'a Filters) -> Self {
        let wanted = filters.iter().map(|(dimension, values)| {
            union(values.iter().filter_map(|value| segment.with_value(dimension, value)).map(Cow::Borrowed).collect())
        });
        let kept = wanted.reduce(|one, other| Cow::Owned(one.as_ref() & other.as_ref()));
        Self { segment, filters, kept }
    }

    /// The same without all devices but these.
    pub(crate) fn among(self, devices: RoaringBitmap) -> Self {
        let kept = match self.kept {
            None => devices,
            Some(kept) => devices & kept.as_ref(),
        };
        Self { kept: Some(Cow::Owned(kept)), ..self }
    }

    /// The devices that match all filters.
    pub(crate) fn devices(&self) -> &RoaringBitmap {
        self.kept.as_deref().unwrap_or(&self.segment.devices)
    }

    /// The counted checks that match all filters by their own values.
    pub(crate) fn requests(&self) -> impl Iterator<Item = (&'a Values, u64)> {
        self.segment.requests().filter(|(values, _)| self.filters.match_request(values))
    }

    /// The wanted values of the dimension with all their devices, also those that other filters take away.
    pub(crate) fn values(&self, dimension: Dimension) -> impl Iterator<Item = (&'a Value, &'a RoaringBitmap)> {
        self.segment.values(dimension).filter(move |(value, _)| self.filters.admit(dimension, value))
    }

    /// Those of the devices that match all filters.
    pub(crate) fn restrict(&self, devices: &'a RoaringBitmap) -> Cow<'a, RoaringBitmap> {
        match &self.kept {
            None => Cow::Borrowed(devices),
            Some(kept) => Cow::Owned(devices & kept.as_ref()),
        }
    }
}

/// What the query leaves of the sources, by day of its range.
pub(crate) fn by_day<'a>(query: &'a Query, sources: &'a [Source]) -> BTreeMap<Day, Vec<Slice<'a>>> {
    let mut days: BTreeMap<Day, Vec<Slice<'_>>> = BTreeMap::new();
    for source in sources.iter().filter(|source| (query.first..=query.last).contains(&source.day)) {
        days.entry(source.day).or_default().push(Slice::new(&source.segment, &query.filters));
    }
    days
}

/// How many counted checks match.
pub(crate) fn count_requests<'a>(slices: impl IntoIterator<Item = &'a Slice<'a>>) -> u64 {
    slices.into_iter().flat_map(Slice::requests).map(|(_, count)| count).fold(0, u64::saturating_add)
}

/// The devices of all slices.
pub(crate) fn devices<'a>(slices: impl IntoIterator<Item = &'a Slice<'a>>) -> Cow<'a, RoaringBitmap> {
    union(slices.into_iter().map(|slice| Cow::Borrowed(slice.devices())).collect())
}

/// The counted devices of each wanted value that has any. Only one value at a time has its single sets in memory.
pub(crate) fn sets_by_value<'a>(dimension: Dimension, slices: impl IntoIterator<Item = &'a Slice<'a>>) -> ByValue<'a> {
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

pub(crate) fn union(mut parts: Vec<Cow<'_, RoaringBitmap>>) -> Cow<'_, RoaringBitmap> {
    if parts.len() > 1 {
        return Cow::Owned(parts.iter().map(Cow::as_ref).union());
    }
    parts.pop().unwrap_or_default()
}

/// The devices of each name, the most first; of equally many the greatest version first, other names in ascending
/// order. Of versions, `(other)` is last, however many devices it has.
pub(crate) fn by_name<'a>(
    dimension: Dimension,
    sets: &'a ByValue<'a>,
    label: Label<'_>,
) -> Vec<(Arc<str>, Cow<'a, RoaringBitmap>)> {
    let mut named: BTreeMap<Arc<str>, Vec<Cow<'_, RoaringBitmap>>> = BTreeMap::new();
    for (value, devices) in sets {
        named.entry(label(dimension, value)).or_default().push(Cow::Borrowed(devices.as_ref()));
    }
    let mut rows: Vec<(Value, u64, Cow<'_, RoaringBitmap>)> = named
        .into_iter()
        .map(|(name, parts)| {
            let devices = union(parts);
            (Value::new(&name), devices.len(), devices)
        })
        .collect();
    rows.sort_by(|(one, left, _), (other, right, _)| {
        let is_rest = |value: &Value| dimension == Dimension::Version && value.as_str() == Value::OTHER;
        is_rest(one).cmp(&is_rest(other)).then(right.cmp(left)).then_with(|| match dimension {
            Dimension::Version => dimension.compare(other, one),
            Dimension::Channel | Dimension::Platform | Dimension::Arch | Dimension::Status => one.cmp(other),
        })
    });
    rows.into_iter().map(|(name, _, devices)| (name.text().clone(), devices)).collect()
}
