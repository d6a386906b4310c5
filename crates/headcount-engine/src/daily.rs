//! What is kept of a day for years: numbers without a device.

use std::collections::BTreeMap;
use std::sync::Arc;

use roaring::{MultiOps as _, RoaringBitmap};

use crate::day::Day;
use crate::dimension::{Dimension, Value};
use crate::report::{Filters, Query, Source, Totals, evaluate};

/// Days of the rolling actives, the day itself included.
pub(crate) const WEEKLY: i32 = 7;
pub(crate) const MONTHLY: i32 = 28;

/// The numbers of one day, of one app or of all of an owner's apps together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DailyTotals {
    /// Requests and devices, also by status.
    pub totals: Totals,
    /// Devices that were not counted in the retention before the day.
    pub new: u64,
    /// Distinct devices of this day and the six before it.
    pub active_7: u64,
    /// Distinct devices of this day and the 27 before it.
    pub active_28: u64,
    /// Devices by value of each dimension; channels, platforms and architectures by their ids.
    pub breakdown: BTreeMap<Dimension, BTreeMap<Box<str>, u64>>,
}

/// The totals of `day`, from the sources of all retained days of the apps in scope.
pub fn daily_totals(sources: &[Source], day: Day, retention_days: u32) -> DailyTotals {
    let of_day: Vec<Source> = sources.iter().filter(|source| source.day == day).cloned().collect();
    let query = Query { first: day, last: day, filters: Filters::default() };
    let report = evaluate(&query, &of_day, &|_, value: &Value| Arc::from(value.as_str()));
    let devices = union(sources, day, day);
    let before = union(sources, day.plus(-(retention_days as i32)), day.plus(-1));
    let rows = |dimension: Dimension| report.rows(dimension).iter().map(|row| (Box::from(&*row.label), row.devices));
    DailyTotals {
        totals: report.totals,
        new: devices.len() - devices.intersection_len(&before),
        active_7: union(sources, day.plus(1 - WEEKLY), day).len(),
        active_28: union(sources, day.plus(1 - MONTHLY), day).len(),
        breakdown: Dimension::ALL.iter().map(|&dimension| (dimension, rows(dimension).collect())).collect(),
    }
}

fn union(sources: &[Source], first: Day, last: Day) -> RoaringBitmap {
    let in_range = sources.iter().filter(|source| (first..=last).contains(&source.day));
    in_range.map(|source| source.segment.devices()).union()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dimension::Status;
    use crate::event::Values;
    use crate::id::{AppId, Id};
    use crate::segment::Fold;

    fn source(app: u8, day: i32, devices: &[u32], status: Status) -> Source {
        let mut fold = Fold::default();
        let mut values = Values::default();
        values[Dimension::Version] = Some(Value::new("1.0.0"));
        values[Dimension::Status] = Some(status.value());
        for &device in devices {
            fold.record(device, Day(day).start(), &values);
        }
        Source { day: Day(day), app: AppId(Id::from_bytes([app; 12])), segment: Arc::new(fold.finish()) }
    }

    #[test]
    fn a_day_is_counted_over_apps_and_against_the_days_before() {
        let sources = [
            source(1, 100, &[1, 2, 3], Status::Latest),
            source(2, 100, &[3, 4], Status::Outdated),
            source(1, 97, &[2], Status::Latest),
            source(1, 80, &[5], Status::Latest),
            source(1, 69, &[1], Status::Latest),
        ];
        let found = daily_totals(&sources, Day(100), 30);
        let totals = Totals { requests: 5, devices: 4, latest: 3, outdated: 2, held: 0, outdated_or_held: 2 };
        assert_eq!(found.totals, totals);
        // 2 was there three days before; 1 was there 31 days before, which is beyond the retention.
        assert_eq!((found.new, found.active_7, found.active_28), (3, 4, 5));
        assert_eq!(found.breakdown[&Dimension::Version], BTreeMap::from([("1.0.0".into(), 4)]));
        assert_eq!(found.breakdown[&Dimension::Status], BTreeMap::from([("latest".into(), 3), ("outdated".into(), 2)]));
        assert_eq!(found.breakdown[&Dimension::Channel], BTreeMap::new());
    }
}
