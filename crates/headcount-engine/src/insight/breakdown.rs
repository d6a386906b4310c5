//! Devices and requests by the values of one dimension, at once and day by day.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::day::Day;
use crate::dimension::{Dimension, Value};
use crate::report::{Label, Query, Source};
use crate::slice::{self, Slice, by_name, sets_by_value};

/// Devices and requests by the values of one dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breakdown {
    /// One row for each name that a device has, in the order of [`Report::rows`](crate::report::Report::rows).
    pub rows: Vec<Row>,
    /// Distinct devices, with and without a value of the dimension.
    pub devices: u64,
    /// Counted checks, with and without a value of the dimension.
    pub requests: u64,
}

/// One value of the dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The name to show.
    pub label: Arc<str>,
    /// Distinct devices.
    pub devices: u64,
    /// Counted checks that said this value, also those of devices that ended their day with another one.
    pub requests: u64,
}

/// Breaks down what the query leaves of the sources.
pub fn breakdown(query: &Query, dimension: Dimension, sources: &[Source], label: Label<'_>) -> Breakdown {
    let days = slice::by_day(query, sources);
    let slices = || days.values().flatten();
    let requests = requests_by_name(dimension, slices(), label);
    let sets = sets_by_value(dimension, slices());
    let rows = by_name(dimension, &sets, label).into_iter().map(|(label, devices)| Row {
        requests: requests.get(&label).copied().unwrap_or_default(),
        devices: devices.len(),
        label,
    });
    Breakdown {
        rows: rows.collect(),
        devices: slice::devices(slices()).len(),
        requests: slice::count_requests(slices()),
    }
}

/// The devices of each row on each day of the query, the earliest first.
pub fn series(
    query: &Query,
    (dimension, rows): (Dimension, &[Row]),
    sources: &[Source],
    label: Label<'_>,
) -> Vec<(Day, Vec<u64>)> {
    let days = slice::by_day(query, sources);
    let of_day = |day: Day| {
        let sets = sets_by_value(dimension, days.get(&day).into_iter().flatten());
        let devices: HashMap<Arc<str>, u64> =
            by_name(dimension, &sets, label).into_iter().map(|(name, devices)| (name, devices.len())).collect();
        rows.iter().map(|row| devices.get(&row.label).copied().unwrap_or_default()).collect()
    };
    query.first.through(query.last).map(|day| (day, of_day(day))).collect()
}

fn requests_by_name<'a>(
    dimension: Dimension,
    slices: impl Iterator<Item = &'a Slice<'a>>,
    label: Label<'_>,
) -> HashMap<Arc<str>, u64> {
    let mut by_value: BTreeMap<&Value, u64> = BTreeMap::new();
    for (values, count) in slices.flat_map(Slice::requests) {
        if let Some(value) = &values[dimension] {
            let counted = by_value.entry(value).or_default();
            *counted = counted.saturating_add(count);
        }
    }
    let mut by_name: HashMap<Arc<str>, u64> = HashMap::new();
    for (value, count) in by_value {
        let counted = by_name.entry(label(dimension, value)).or_default();
        *counted = counted.saturating_add(count);
    }
    by_name
}
