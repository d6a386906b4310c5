//! Devices by the values of two dimensions at once.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::dimension::{Dimension, Value};
use crate::report::{Label, Query, Source};
use crate::slice::{self, Slice, by_name, sets_by_value, union};

/// Devices by the values of two dimensions. All numbers are distinct devices: none is the sum of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrix {
    /// The columns, in the order of [`Report::rows`](crate::report::Report::rows).
    pub columns: Vec<Line>,
    /// The rows, in the same order, each with its cells in the order of the columns.
    pub rows: Vec<(Line, Vec<u64>)>,
    /// All devices in scope, with or without values of the two dimensions.
    pub total: u64,
}

/// One value of one dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The name to show.
    pub label: Arc<str>,
    /// Distinct devices with the value.
    pub total: u64,
}

/// The devices that the query leaves, by two dimensions. A device is in a cell if it had both values on the same day, in
/// the same app.
pub fn matrix(query: &Query, (rows, columns): (Dimension, Dimension), sources: &[Source], label: Label<'_>) -> Matrix {
    let days = slice::by_day(query, sources);
    let slices = || days.values().flatten();
    let lines = |dimension| -> Vec<Line> {
        let sets = sets_by_value(dimension, slices());
        let line = |(label, devices): (Arc<str>, Cow<'_, RoaringBitmap>)| Line { label, total: devices.len() };
        by_name(dimension, &sets, label).into_iter().map(line).collect()
    };
    let (row_lines, columns_lines) = (lines(rows), lines(columns));
    let column_of = Places::new(columns, &columns_lines, label);
    let mut parts = holders(rows, slices(), label);
    let with_cells = |line: Line| {
        let mut cells: Vec<Vec<Cow<'_, RoaringBitmap>>> = vec![Vec::new(); columns_lines.len()];
        for (slice, devices) in parts.remove(&line.label).unwrap_or_default() {
            let devices = slice.restrict(devices);
            for (value, others) in slice.values(columns) {
                let both = devices.as_ref() & others;
                if !both.is_empty()
                    && let Some(cell) = column_of.get(value).and_then(|place| cells.get_mut(place))
                {
                    cell.push(Cow::Owned(both));
                }
            }
        }
        (line, cells.into_iter().map(|parts| union(parts).len()).collect())
    };
    Matrix {
        rows: row_lines.into_iter().map(with_cells).collect(),
        columns: columns_lines,
        total: slice::devices(slices()).len(),
    }
}

/// The devices of each name, slice by slice.
type Holders<'a> = HashMap<Arc<str>, Vec<(&'a Slice<'a>, &'a RoaringBitmap)>>;

fn holders<'a>(dimension: Dimension, slices: impl Iterator<Item = &'a Slice<'a>>, label: Label<'_>) -> Holders<'a> {
    let mut by_value: BTreeMap<&Value, Vec<_>> = BTreeMap::new();
    for slice in slices {
        for (value, devices) in slice.values(dimension) {
            by_value.entry(value).or_default().push((slice, devices));
        }
    }
    let mut named: Holders<'_> = HashMap::new();
    for (value, parts) in by_value {
        named.entry(label(dimension, value)).or_default().extend(parts);
    }
    named
}

/// The place of each value's column.
struct Places<'a> {
    dimension: Dimension,
    by_label: HashMap<&'a str, usize>,
    label: Label<'a>,
}

impl<'a> Places<'a> {
    fn new(dimension: Dimension, lines: &'a [Line], label: Label<'a>) -> Self {
        let by_label = lines.iter().enumerate().map(|(place, line)| (&*line.label, place)).collect();
        Self { dimension, by_label, label }
    }

    fn get(&self, value: &Value) -> Option<usize> {
        self.by_label.get(&*(self.label)(self.dimension, value)).copied()
    }
}
