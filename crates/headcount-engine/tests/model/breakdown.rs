//! Breakdowns against plain sets.

use std::collections::{BTreeMap, BTreeSet};

use headcount_engine::day::Day;
use headcount_engine::insight::breakdown::{Row, breakdown, series};
use headcount_engine::report::evaluate;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::plain::{Asked, Event, VALUES, asked, event, label, matching, names, requests, sources};

type Named<T> = BTreeMap<&'static str, T>;

/// The devices of each name.
fn devices(events: &[Event], asked: &Asked, at: usize) -> Named<BTreeSet<u32>> {
    let mut named: Named<BTreeSet<u32>> = BTreeMap::new();
    for one in matching(events, asked) {
        for name in names(asked, &one, at) {
            named.entry(name).or_default().insert(one.device);
        }
    }
    named
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn breakdowns_are_those_of_plain_sets(events in vec(event(3, 3), 0..40), asked in asked(3), at in 0..VALUES.len()) {
        let (query, sources, dimension) = (asked.query(), sources(&events), VALUES[at].0);
        let found = breakdown(&query, dimension, &sources, &label);

        let mut counted: Named<u64> = BTreeMap::new();
        let asked_for = requests(&events, &asked);
        for place in asked_for.iter().filter_map(|event| event.values[at]) {
            *counted.entry(VALUES[at].1[place].1).or_default() += 1;
        }
        let expected: BTreeSet<(String, u64, u64)> = devices(&events, &asked, at)
            .into_iter()
            .map(|(name, devices)| (name.to_owned(), devices.len() as u64, counted.get(name).copied().unwrap_or(0)))
            .collect();
        let row = |row: &Row| (row.label.to_string(), row.devices, row.requests);
        prop_assert_eq!(found.rows.iter().map(row).collect::<BTreeSet<_>>(), expected);
        let all: BTreeSet<u32> = matching(&events, &asked).iter().map(|one| one.device).collect();
        prop_assert_eq!((found.devices, found.requests), (all.len() as u64, asked_for.len() as u64));

        // The order is that of the report, which has a test of its own.
        let report = evaluate(&query, &sources, &label);
        let in_order: Vec<&str> = report.rows(dimension).iter().map(|row| &*row.label).collect();
        prop_assert_eq!(found.rows.iter().map(|row| &*row.label).collect::<Vec<_>>(), in_order);

        let days = (asked.first..=asked.last).map(|day| {
            let of_day = devices(&events, &Asked { first: day, last: day, ..asked.clone() }, at);
            let of_row = |row: &Row| of_day.get(&*row.label).map_or(0, |devices| devices.len() as u64);
            (Day(day), found.rows.iter().map(of_row).collect())
        });
        let expected: Vec<(Day, Vec<u64>)> = days.collect();
        prop_assert_eq!(series(&query, (dimension, &found.rows), &sources, &label), expected);
    }
}
