//! Segments: what is kept of one application's day.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use roaring::{MultiOps as _, RoaringBitmap};
use strum::EnumCount as _;

use crate::dimension::{Dimension, Kept, Value};
use crate::event::Values;
pub use crate::fold::Fold;
use crate::times::Times;

/// One application's day: which devices were seen, with which values, and how many checks were counted.
///
/// Devices are ordinals of their owner's dictionary. Segments of one application and day [merge](Self::merge) in any
/// order to the same segment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Segment {
    pub(crate) devices: RoaringBitmap,
    pub(crate) columns: [Column; Dimension::COUNT],
    pub(crate) requests: BTreeMap<Values, u64>,
    pub(crate) tallies: BTreeMap<(Box<str>, Box<str>), u64>,
}

/// The devices of one dimension, by value. No value is without a device; under `Last` no device has two values.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Column {
    pub(crate) values: BTreeMap<Value, RoaringBitmap>,
    // Of `Last` values only. A device with a value and without a time has its final value.
    pub(crate) times: Times,
}

impl Segment {
    /// Whether nothing was counted or tallied.
    pub fn is_empty(&self) -> bool {
        self.devices.is_empty() && self.requests.is_empty() && self.tallies.is_empty()
    }

    /// All devices seen, whatever their values.
    pub fn devices(&self) -> &RoaringBitmap {
        &self.devices
    }

    /// The devices with that value, if there are any.
    pub fn with_value(&self, dimension: Dimension, value: &Value) -> Option<&RoaringBitmap> {
        self.column(dimension).values.get(value)
    }

    /// Every value of the dimension that a device has, with the devices that have it.
    pub fn values(&self, dimension: Dimension) -> impl Iterator<Item = (&Value, &RoaringBitmap)> {
        self.column(dimension).values.iter()
    }

    /// The number of counted checks by what they said.
    pub fn requests(&self) -> impl Iterator<Item = (&Values, u64)> {
        self.requests.iter().map(|(values, &count)| (values, count))
    }

    /// The counters beside the checks: kind, value, count.
    pub fn tallies(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        self.tallies.iter().map(|((kind, value), &count)| (kind.as_ref(), value.as_ref(), count))
    }

    /// Whether the time of any `Last` value is kept.
    pub fn has_times(&self) -> bool {
        self.columns.iter().any(|column| !column.times.is_empty())
    }

    /// The devices whose last check of the day was accepted in that time, in milliseconds since the day began; as far as
    /// times are kept, and of checks that named a version or had a status.
    pub fn seen_within(&self, times: RangeInclusive<u32>) -> RoaringBitmap {
        self.columns.iter().map(|column| column.times.within(times.clone())).union()
    }

    /// Forgets the times of `Last` values: what each device has now is final.
    pub fn drop_times(&mut self) {
        for column in &mut self.columns {
            column.times.clear();
        }
    }

    /// Adds what another segment of the same application and day holds. Of two `Last` values of a device the one of
    /// the greater time stays, on equal times the greater value; a final value stays before any that has a time.
    ///
    /// The order in which segments are merged does not matter. The cost grows with `other`, not with `self`, but for
    /// one move of the times behind a device that is new to them.
    pub fn merge(&mut self, other: &Self) {
        self.devices |= &other.devices;
        let mut retimed = [const { None }; Dimension::COUNT];
        for &dimension in Dimension::ALL {
            let column = &mut self.columns[dimension as usize];
            let incoming = other.column(dimension);
            match dimension.kept() {
                Kept::Every => column.add(incoming),
                Kept::Last => retimed[dimension as usize] = column.replace(incoming, dimension),
            }
        }
        self.retime(other, retimed);
        for (values, count) in &other.requests {
            add_count(&mut self.requests, values, *count);
        }
        for (tally, count) in &other.tallies {
            add_count(&mut self.tallies, tally, *count);
        }
    }

    /// Gives the devices of each dimension their times from `other`. Lists that were shared and change alike stay shared.
    fn retime(&mut self, other: &Self, mut retimed: [Option<RoaringBitmap>; Dimension::COUNT]) {
        for place in 0..Dimension::COUNT {
            let Some(devices) = retimed[place].take() else { continue };
            let is_shared =
                |segment: &Self, twin: usize| segment.columns[place].times.is_shared_with(&segment.columns[twin].times);
            let twins: Vec<usize> = (place + 1..Dimension::COUNT)
                .filter(|&twin| retimed[twin].as_ref() == Some(&devices))
                .filter(|&twin| is_shared(self, twin) && is_shared(other, twin))
                .collect();
            for &twin in &twins {
                // Changed in its place, not copied, where nobody else has it.
                self.columns[twin].times.clear();
                retimed[twin] = None;
            }
            self.columns[place].times.adopt(&devices, &other.columns[place].times);
            for twin in twins {
                self.columns[twin].times = self.columns[place].times.clone();
            }
        }
    }

    /// Lets dimensions whose times are the same have one list of them.
    pub(crate) fn share_times(&mut self) {
        for place in 1..Dimension::COUNT {
            let (before, rest) = self.columns.split_at_mut(place);
            if let Some(twin) = before.iter().find(|column| column.times == rest[0].times) {
                rest[0].times = twin.times.clone();
            }
        }
    }

    /// What all of them hold, merged by twos, so that none of many takes part in more than a few merges.
    #[must_use]
    pub fn merged(mut segments: Vec<Self>) -> Self {
        while segments.len() > 1 {
            let mut rest = segments.into_iter();
            segments = Vec::with_capacity(rest.len().div_ceil(2));
            while let Some(mut one) = rest.next() {
                rest.next().iter().for_each(|other| one.merge(other));
                segments.push(one);
            }
        }
        segments.pop().unwrap_or_default()
    }

    /// The segment with other ordinals. Devices whose ordinal becomes `None` vanish; what was counted stays. No two
    /// ordinals may become one. The function is called several times for each device.
    #[must_use]
    pub fn remap(&self, ordinal: impl Fn(u32) -> Option<u32>) -> Self {
        let bits = |bitmap: &RoaringBitmap| {
            let mut ordinals: Vec<u32> = bitmap.iter().filter_map(&ordinal).collect();
            ordinals.sort_unstable();
            ordinals.into_iter().collect::<RoaringBitmap>()
        };
        let columns = self.columns.each_ref().map(|column| {
            let values = column.values.iter().map(|(value, bitmap)| (value.clone(), bits(bitmap)));
            let moved = column.times.as_slice().iter().filter_map(|&(old, time)| ordinal(old).map(|new| (new, time)));
            let mut times: Vec<(u32, u32)> = moved.collect();
            times.sort_unstable();
            Column {
                values: values.filter(|(_, bitmap)| !bitmap.is_empty()).collect(),
                times: Times::from_sorted(times),
            }
        });
        let (requests, tallies) = (self.requests.clone(), self.tallies.clone());
        let mut moved = Self { devices: bits(&self.devices), columns, requests, tallies };
        moved.share_times();
        moved
    }

    /// About how many bytes of memory the segment takes.
    pub fn weight(&self) -> usize {
        const NODE: usize = 64;
        let columns = self.columns.iter().enumerate().map(|(place, column)| {
            let bitmaps =
                column.values.iter().map(|(value, bitmap)| NODE + value.as_str().len() + bitmap.serialized_size());
            let is_counted = self.columns[..place].iter().any(|before| before.times.is_shared_with(&column.times));
            bitmaps.sum::<usize>() + if is_counted { 0 } else { column.times.weight() }
        });
        let tallies = self.tallies.keys().map(|(kind, value)| NODE + kind.len() + value.len());
        size_of::<Self>()
            + self.devices.serialized_size()
            + columns.sum::<usize>()
            + self.requests.len() * (size_of::<Values>() + size_of::<u64>())
            + tallies.sum::<usize>()
    }

    pub(crate) fn column(&self, dimension: Dimension) -> &Column {
        &self.columns[dimension as usize]
    }
}

pub(crate) fn add_count<K: Ord + Clone>(counters: &mut BTreeMap<K, u64>, key: &K, count: u64) {
    match counters.get_mut(key) {
        Some(counter) => *counter = counter.saturating_add(count),
        None => {
            counters.insert(key.clone(), count);
        }
    }
}

impl Column {
    /// The merge of an `Every` dimension.
    fn add(&mut self, incoming: &Self) {
        for (value, devices) in &incoming.values {
            self.give(value, devices);
        }
    }

    /// The merge of a `Last` dimension, but for the times: the devices that get theirs from `incoming`, if any.
    fn replace(&mut self, incoming: &Self, dimension: Dimension) -> Option<RoaringBitmap> {
        if self.values.is_empty() {
            self.clone_from(incoming);
            return None;
        }
        if incoming.values.is_empty() {
            return None;
        }
        let (winners, alike) = self.winners(incoming, dimension);
        self.hand_over(incoming, &winners);
        Some(winners - alike)
    }

    /// The devices whose incoming value stands against the one that they have, if any; and devices whose time stays.
    fn winners(&self, incoming: &Self, dimension: Dimension) -> (RoaringBitmap, RoaringBitmap) {
        let standing = self.times.standing_of(&incoming.times);
        let final_ones = incoming.values.values().union() - incoming.times.devices();
        let held = self.holders_among(&(&standing.absent | &final_ones));

        let mut winners = standing.later;
        winners |= standing.absent - &held;
        let held_finals = &final_ones & held;
        winners |= final_ones - &held_finals;
        let over_timed = self.times.among(&held_finals);
        let contested = &standing.equal | &(held_finals - &over_timed);
        winners |= over_timed;
        winners |= self.lesser_among(incoming, contested, dimension);
        (winners, standing.equal)
    }

    /// Those of the devices that have a value.
    fn holders_among(&self, devices: &RoaringBitmap) -> RoaringBitmap {
        if devices.is_empty() {
            return RoaringBitmap::new();
        }
        self.values.values().map(|holders| holders & devices).union()
    }

    /// Those of the devices whose value is less than the incoming one.
    fn lesser_among(&self, incoming: &Self, mut devices: RoaringBitmap, dimension: Dimension) -> RoaringBitmap {
        devices -= self.alike_among(incoming, &devices);
        let mut lesser = RoaringBitmap::new();
        if devices.is_empty() {
            return lesser;
        }
        for (held, holders) in &self.values {
            let holders = holders & &devices;
            if holders.is_empty() {
                continue;
            }
            for (value, devices) in &incoming.values {
                let both = devices & &holders;
                if !both.is_empty() && dimension.compare(value, held).is_gt() {
                    lesser |= both;
                }
            }
        }
        lesser
    }

    /// Those of the devices that have the same value in both.
    fn alike_among(&self, incoming: &Self, devices: &RoaringBitmap) -> RoaringBitmap {
        let alike = |(value, incoming): (&Value, &RoaringBitmap)| Some(self.values.get(value)? & &(incoming & devices));
        incoming.values.iter().filter_map(alike).union()
    }

    /// Takes the devices out of the values that they have and puts them in the incoming ones.
    fn hand_over(&mut self, incoming: &Self, winners: &RoaringBitmap) {
        // Most devices keep their value all day; only the others touch large bitmaps.
        let movers = winners - self.alike_among(incoming, winners);
        if movers.is_empty() {
            return;
        }
        self.values.retain(|_, holders| {
            *holders -= &movers;
            !holders.is_empty()
        });
        for (value, devices) in &incoming.values {
            self.give(value, &(devices & &movers));
        }
    }

    fn give(&mut self, value: &Value, devices: &RoaringBitmap) {
        match self.values.get_mut(value) {
            Some(holders) => *holders |= devices,
            None if devices.is_empty() => {}
            None => {
                self.values.insert(value.clone(), devices.clone());
            }
        }
    }
}
