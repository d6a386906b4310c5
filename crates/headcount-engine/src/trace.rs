//! What a segment holds of one device.

use std::collections::BTreeMap;

use crate::dimension::{Dimension, Value};
use crate::segment::Segment;

/// What is known of one device on one day of an application.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trace {
    /// The values with which it was seen, in the order of the dimension.
    pub values: BTreeMap<Dimension, Vec<Value>>,
    /// When its last version or status was accepted, in milliseconds since the day began; `None` once that is forgotten.
    pub last_seen: Option<u32>,
}

impl Trace {
    /// What the segment holds of the device with that ordinal, if it was seen.
    pub fn of(segment: &Segment, ordinal: u32) -> Option<Self> {
        if !segment.devices().contains(ordinal) {
            return None;
        }
        let mut trace = Self::default();
        for &dimension in Dimension::ALL {
            let seen = segment.values(dimension).filter(|(_, devices)| devices.contains(ordinal));
            let mut values: Vec<Value> = seen.map(|(value, _)| value.clone()).collect();
            values.sort_by(|one, other| dimension.compare(one, other));
            if !values.is_empty() {
                trace.values.insert(dimension, values);
            }
            trace.last_seen = trace.last_seen.max(segment.column(dimension).times.of(ordinal));
        }
        Some(trace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::day::Millis;
    use crate::event::Values;
    use crate::segment::Fold;

    #[test]
    fn a_trace_is_what_one_device_was_seen_with() {
        let mut fold = Fold::default();
        for (ordinal, at, version, platform) in
            [(7, 5, "1.10", "darwin"), (7, 9, "1.9", "linux"), (8, 20, "2.0", "linux")]
        {
            let mut values = Values::default();
            values[Dimension::Version] = Some(Value::new(version));
            values[Dimension::Platform] = Some(Value::new(platform));
            fold.record(ordinal, Millis(at), &values);
        }
        let mut segment = fold.finish();
        let values = |texts: &[&str]| texts.iter().map(|text| Value::new(text)).collect::<Vec<_>>();
        let seen = BTreeMap::from([
            (Dimension::Version, values(&["1.9"])),
            (Dimension::Platform, values(&["darwin", "linux"])),
        ]);
        assert_eq!(Trace::of(&segment, 7), Some(Trace { values: seen.clone(), last_seen: Some(9) }));
        assert_eq!(Trace::of(&segment, 9), None);
        segment.drop_times();
        assert_eq!(Trace::of(&segment, 7), Some(Trace { values: seen, last_seen: None }));
    }
}
