//! Flows between versions against plain sets.

use std::collections::{BTreeMap, BTreeSet};

use headcount_engine::day::Day;
use headcount_engine::insight::upgrades::{After, Before, Totals, upgrades};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::plain::{Asked, Event, VALUES, asked, event, matching, sources, value};

/// By device the place of its version at that day.
fn versions_at(events: &[Event], asked: &Asked, day: i32) -> BTreeMap<u32, usize> {
    let mut asked = Asked { first: day - 6, last: day, ..asked.clone() };
    asked.wanted[0] = None;
    let mut last: BTreeMap<u32, (i32, usize)> = BTreeMap::new();
    for one in matching(events, &asked) {
        if let Some(&version) = one.seen[0].first() {
            let known = last.entry(one.device).or_insert((one.day, version));
            *known = (*known).max((one.day, version));
        }
    }
    last.into_iter().map(|(device, (_, version))| (device, version)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn flows_are_those_of_plain_sets(events in vec(event(16, 2), 0..60), asked in asked(16)) {
        let found = upgrades(Day(asked.first), Day(asked.last), &asked.query().filters, &sources(&events));

        let before = versions_at(&events, &asked, asked.first);
        let after = versions_at(&events, &asked, asked.last);
        let known: BTreeSet<u32> =
            events.iter().filter(|event| event.day <= asked.first).map(|event| event.device).collect();
        let devices: BTreeSet<u32> = before.keys().chain(after.keys()).copied().collect();
        let mut flows: BTreeMap<(Before, After), u64> = BTreeMap::new();
        let mut totals = Totals::default();
        for device in devices {
            let (from, to) = (before.get(&device), after.get(&device));
            if asked.wanted[0].is_some() && !from.into_iter().chain(to).any(|&version| asked.wants(0, version)) {
                continue;
            }
            let version = |place: &usize| value(0, *place);
            let (from, to, total) = match (from, to) {
                (Some(from), Some(to)) => {
                    let total = if from == to { &mut totals.stayed } else { &mut totals.moved };
                    (Before::Version(version(from)), After::Version(version(to)), total)
                }
                (Some(from), None) => (Before::Version(version(from)), After::Gone, &mut totals.gone),
                (None, Some(to)) if known.contains(&device) => {
                    (Before::Returned, After::Version(version(to)), &mut totals.returned)
                }
                (None, Some(to)) => (Before::New, After::Version(version(to)), &mut totals.new),
                (None, None) => unreachable!("a device without a version on both days"),
            };
            *total += 1;
            *flows.entry((from, to)).or_default() += 1;
        }
        prop_assert_eq!(found.totals, totals);
        // From the greatest version to the least; no version at all comes last.
        let place = |version: &str| VALUES[0].1.iter().position(|(name, _)| *name == version).unwrap();
        let order = |(from, to): &(Before, After)| {
            let from = match from {
                Before::Version(version) => (0, std::cmp::Reverse(place(version.as_str()))),
                Before::New => (1, std::cmp::Reverse(0)),
                Before::Returned => (2, std::cmp::Reverse(0)),
            };
            let to = match to {
                After::Version(version) => (0, std::cmp::Reverse(place(version.as_str()))),
                After::Gone => (1, std::cmp::Reverse(0)),
            };
            (from, to)
        };
        let mut expected: Vec<((Before, After), u64)> = flows.into_iter().collect();
        expected.sort_by_key(|(way, _)| order(way));
        let found: Vec<((Before, After), u64)> =
            found.flows.into_iter().map(|flow| ((flow.from, flow.to), flow.devices)).collect();
        prop_assert_eq!(found, expected);
    }
}
