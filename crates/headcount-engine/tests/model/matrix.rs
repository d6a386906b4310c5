//! Matrices against plain sets.

use std::collections::{BTreeMap, BTreeSet};

use headcount_engine::insight::matrix::{Line, matrix};
use headcount_engine::report::evaluate;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::plain::{VALUES, asked, event, label, matching, names, sources};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn matrices_are_those_of_plain_sets(
        events in vec(event(3, 3), 0..40),
        asked in asked(3),
        row in 0..VALUES.len(),
        apart in 1..VALUES.len(),
    ) {
        let column = (row + apart) % VALUES.len();
        let (query, sources) = (asked.query(), sources(&events));
        let found = matrix(&query, (VALUES[row].0, VALUES[column].0), &sources, &label);

        let mut cells: BTreeMap<(&str, &str), BTreeSet<u32>> = BTreeMap::new();
        let mut all = BTreeSet::new();
        for one in matching(&events, &asked) {
            all.insert(one.device);
            for row in names(&asked, &one, row) {
                for column in names(&asked, &one, column) {
                    cells.entry((row, column)).or_default().insert(one.device);
                }
            }
        }
        prop_assert_eq!(found.total, all.len() as u64);
        // The values, their order and their totals are those of the report, which has a test of its own.
        let report = evaluate(&query, &sources, &label);
        let lines = |at: usize| -> Vec<Line> {
            let rows = report.rows(VALUES[at].0).iter();
            rows.map(|row| Line { label: row.label.clone(), total: row.devices }).collect()
        };
        prop_assert_eq!(&found.columns, &lines(column));
        let rows: Vec<(Line, Vec<u64>)> = lines(row)
            .into_iter()
            .map(|line| {
                let cell = |column: &Line| cells.get(&(&*line.label, &*column.label)).map_or(0, |cell| cell.len() as u64);
                let cells = found.columns.iter().map(cell).collect();
                (line, cells)
            })
            .collect();
        prop_assert_eq!(found.rows, rows);
    }
}
