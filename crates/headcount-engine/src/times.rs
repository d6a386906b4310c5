//! The accept times of a day's `Last` values.

use std::ops::RangeInclusive;
use std::sync::Arc;

use roaring::RoaringBitmap;

/// When each device's value was accepted: ordinal and milliseconds since the day began, in the order of ordinals.
///
/// A sorted list takes eight bytes a device, and a small batch merges into a large one by searching, not by walking it.
/// Dimensions whose times are the same share one list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Times(Arc<Vec<(u32, u32)>>);

/// How a batch of times stands to the times that are kept.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// Devices whose time in the batch is greater than the one kept.
    pub(crate) later: RoaringBitmap,
    /// Devices whose times are equal.
    pub(crate) equal: RoaringBitmap,
    /// Devices for which no time is kept.
    pub(crate) absent: RoaringBitmap,
}

impl Times {
    /// Times in strictly ascending order of their ordinals.
    pub(crate) fn from_sorted(entries: Vec<(u32, u32)>) -> Self {
        debug_assert!(entries.is_sorted_by(|one, next| one.0 < next.0));
        Self(Arc::new(entries))
    }

    /// Whether both are one list in memory.
    pub(crate) fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn as_slice(&self) -> &[(u32, u32)] {
        &self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes of memory that the list takes.
    pub(crate) fn weight(&self) -> usize {
        self.0.capacity() * size_of::<(u32, u32)>()
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The time of one device, if it has one.
    pub(crate) fn of(&self, ordinal: u32) -> Option<u32> {
        let times = self.as_slice();
        let place = times.binary_search_by_key(&ordinal, |&(of, _)| of).ok()?;
        Some(times[place].1)
    }

    /// The devices that have a time.
    pub(crate) fn devices(&self) -> RoaringBitmap {
        self.as_slice().iter().map(|&(ordinal, _)| ordinal).collect()
    }

    /// The devices whose time lies in that range.
    pub(crate) fn within(&self, times: RangeInclusive<u32>) -> RoaringBitmap {
        self.as_slice().iter().filter(|(_, time)| times.contains(time)).map(|&(ordinal, _)| ordinal).collect()
    }

    /// Those of the devices that have a time.
    pub(crate) fn among(&self, devices: &RoaringBitmap) -> RoaringBitmap {
        let mut cursor = Cursor::new(&self.0);
        devices.iter().filter(|&ordinal| cursor.seek(ordinal).is_ok()).collect()
    }

    /// These times without those that are the same in `other`.
    pub(crate) fn other_than(&self, other: &Self) -> Self {
        if self.is_shared_with(other) {
            return Self::default();
        }
        let mut cursor = Cursor::new(&other.0);
        let differs = |&(ordinal, time): &(u32, u32)| !cursor.seek(ordinal).is_ok_and(|at| other.0[at].1 == time);
        Self(Arc::new(self.0.iter().copied().filter(differs).collect()))
    }

    /// The times of these devices: each has one in `own`, else in `other`. `None` if one has none, or if `own` has more.
    pub(crate) fn assemble(devices: &RoaringBitmap, own: &Self, other: &Self) -> Option<Self> {
        let (mut in_own, mut in_other) = (Cursor::new(&own.0), Cursor::new(&other.0));
        let mut taken = 0;
        let time = |ordinal| match in_own.seek(ordinal) {
            Ok(at) => {
                taken += 1;
                Some(own.0[at])
            }
            Err(_) => in_other.seek(ordinal).ok().map(|at| other.0[at]),
        };
        let times = devices.iter().map(time).collect::<Option<_>>()?;
        (taken == own.0.len()).then_some(Self(Arc::new(times)))
    }

    /// How the times of a batch stand to these.
    pub(crate) fn standing_of(&self, batch: &Self) -> Standing {
        let mut standing = Standing::default();
        let mut cursor = Cursor::new(&self.0);
        for &(ordinal, time) in batch.as_slice() {
            match cursor.seek(ordinal) {
                Ok(at) if time > self.0[at].1 => standing.later.insert(ordinal),
                Ok(at) if time == self.0[at].1 => standing.equal.insert(ordinal),
                Ok(_) => false,
                Err(_) => standing.absent.insert(ordinal),
            };
        }
        standing
    }

    /// Gives these devices their times from the batch, or none if the batch has none.
    pub(crate) fn adopt(&mut self, devices: &RoaringBitmap, batch: &Self) {
        let kept = Arc::make_mut(&mut self.0);
        let mut fresh = Vec::new();
        let mut replaced = 0;
        let (mut from, mut to) = (Cursor::new(&batch.0), 0);
        let mut untimed = RoaringBitmap::new();
        for ordinal in devices {
            let Ok(at) = from.seek(ordinal) else {
                untimed.insert(ordinal);
                continue;
            };
            let mut cursor = Cursor { entries: kept, at: to };
            match cursor.seek(ordinal) {
                Ok(place) => {
                    to = place;
                    kept[place].1 = batch.0[at].1;
                    replaced += 1;
                }
                Err(place) => {
                    to = place;
                    fresh.push(batch.0[at]);
                }
            }
        }
        debug_assert_eq!(replaced + fresh.len() as u64 + untimed.len(), devices.len());
        if !untimed.is_empty() {
            kept.retain(|&(ordinal, _)| !untimed.contains(ordinal));
        }
        insert_sorted(kept, &fresh);
    }
}

/// Inserts entries whose ordinals are not there yet, from the end, moving each stretch between them once.
fn insert_sorted(entries: &mut Vec<(u32, u32)>, fresh: &[(u32, u32)]) {
    let mut end = entries.len();
    // Not twice the room at a time: a large list grows by little, and what is in memory is counted.
    if entries.capacity() - end < fresh.len() {
        entries.reserve_exact(fresh.len() + end / 16);
    }
    entries.resize(end + fresh.len(), (0, 0));
    for (still, entry) in fresh.iter().enumerate().rev() {
        let place = entries[..end].partition_point(|kept| kept.0 < entry.0);
        entries.copy_within(place..end, place + still + 1);
        entries[place + still] = *entry;
        end = place;
    }
}

/// A place in a sorted list that only moves forward.
struct Cursor<'a> {
    entries: &'a [(u32, u32)],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn new(entries: &'a [(u32, u32)]) -> Self {
        Self { entries, at: 0 }
    }

    /// Moves to the ordinal, or to where it would stand: ordinals are asked for in ascending order. The steps double, so
    /// a near place costs little and a far one a logarithm.
    fn seek(&mut self, ordinal: u32) -> Result<usize, usize> {
        let rest = &self.entries[self.at..];
        let mut step = 1;
        while step <= rest.len() && rest[step - 1].0 < ordinal {
            step *= 2;
        }
        let low = step / 2;
        let window = &rest[low..step.min(rest.len())];
        self.at += low + window.partition_point(|entry| entry.0 < ordinal);
        match self.entries.get(self.at) {
            Some(entry) if entry.0 == ordinal => Ok(self.at),
            Some(_) | None => Err(self.at),
        }
    }
}
