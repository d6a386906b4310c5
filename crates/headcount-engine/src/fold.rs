//! From single events to a segment.

use std::collections::{BTreeMap, HashMap};

use roaring::RoaringBitmap;
use strum::EnumCount as _;

use crate::day::Millis;
use crate::dimension::{Dimension, Kept, Value};
use crate::event::Values;
use crate::segment::{Column, Segment, add_count};
use crate::times::Times;

/// Builds a segment from single events of one application and one UTC day.
#[derive(Debug, Default)]
pub struct Fold {
    tuples: HashMap<Values, usize>,
    counts: Vec<u64>,
    records: Vec<Record>,
    tallies: BTreeMap<(Box<str>, Box<str>), u64>,
}

/// The order of the fields makes the sorted records of one device a neighbourhood.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Record {
    ordinal: u32,
    tuple: u32,
    time: u32,
}

impl Fold {
    /// Counts one event of the device with that ordinal.
    pub fn record(&mut self, ordinal: u32, at: Millis, values: &Values) {
        let tuple = if let Some(&tuple) = self.tuples.get(values) {
            tuple
        } else {
            self.tuples.insert(values.clone(), self.counts.len());
            self.counts.push(0);
            self.counts.len() - 1
        };
        self.counts[tuple] += 1;
        self.records.push(Record { ordinal, tuple: tuple as u32, time: at.within_day() });
    }

    /// Adds to a counter beside the checks.
    pub fn tally(&mut self, kind: &str, value: &str, count: u64) {
        add_count(&mut self.tallies, &(kind.into(), value.into()), count);
    }

    /// The segment of all that was recorded.
    pub fn finish(mut self) -> Segment {
        self.records.sort_unstable();
        let mut tuples = vec![Values::default(); self.counts.len()];
        for (values, place) in self.tuples {
            tuples[place] = values;
        }
        let mut devices = RoaringBitmap::new();
        let mut columns: [_; Dimension::COUNT] =
            std::array::from_fn(|place| ColumnFold::new(Dimension::ALL[place], &tuples));
        for of_device in self.records.chunk_by(|one, next| one.ordinal == next.ordinal) {
            devices.insert(of_device[0].ordinal);
            for column in &mut columns {
                column.record(of_device);
            }
        }
        let requests = tuples.into_iter().zip(self.counts).collect();
        let mut segment =
            Segment { devices, columns: columns.map(ColumnFold::finish), requests, tallies: self.tallies };
        segment.share_times();
        segment
    }
}

/// One dimension of a fold.
struct ColumnFold {
    kept: Kept,
    // In the order of the dimension, so that of two values the one with the greater place is greater.
    values: Vec<Value>,
    bitmaps: Vec<RoaringBitmap>,
    // By tuple, the place of its value in the lists above.
    places: Vec<Option<usize>>,
    times: Vec<(u32, u32)>,
}

impl ColumnFold {
    fn new(dimension: Dimension, tuples: &[Values]) -> Self {
        let mut distinct: Vec<&Value> = tuples.iter().filter_map(|tuple| tuple[dimension].as_ref()).collect();
        distinct.sort_unstable();
        distinct.dedup();
        distinct.sort_unstable_by(|one, other| dimension.compare(one, other));
        let by_value: HashMap<&Value, usize> = distinct.iter().enumerate().map(|(at, &value)| (value, at)).collect();
        let place = |tuple: &Values| tuple[dimension].as_ref().and_then(|value| by_value.get(value).copied());
        Self {
            kept: dimension.kept(),
            places: tuples.iter().map(place).collect(),
            bitmaps: vec![RoaringBitmap::new(); distinct.len()],
            values: distinct.into_iter().cloned().collect(),
            times: Vec::new(),
        }
    }

    /// Takes all records of one device; devices come in the order of their ordinals.
    fn record(&mut self, of_device: &[Record]) {
        let placed = of_device.iter().filter_map(|record| Some((record, self.places[record.tuple as usize]?)));
        match self.kept {
            Kept::Every => {
                for (record, place) in placed {
                    self.bitmaps[place].insert(record.ordinal);
                }
            }
            Kept::Last => {
                if let Some((record, place)) = placed.max_by_key(|(record, place)| (record.time, *place)) {
                    self.bitmaps[place].insert(record.ordinal);
                    self.times.push((record.ordinal, record.time));
                }
            }
        }
    }

    fn finish(self) -> Column {
        let values = self.values.into_iter().zip(self.bitmaps).filter(|(_, bitmap)| !bitmap.is_empty());
        Column { values: values.collect(), times: Times::from_sorted(self.times) }
    }
}
