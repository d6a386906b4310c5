//! The quality of the numbers against plain sets.

use std::collections::{BTreeMap, BTreeSet};

use headcount_engine::dimension::{Dimension, Value};
use headcount_engine::id::AppId;
use headcount_engine::insight::quality::{Shared, quality};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::plain::{app, asked, event, matching, requests, sources, value};

fn knows(of: AppId, version: &Value) -> bool {
    of == app(0) && ["1.0", "1.2"].contains(&version.as_str())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn quality_is_that_of_plain_sets(events in vec(event(2, 2), 0..60), asked in asked(2)) {
        let sources = sources(&events);
        let found = quality(&asked.query(), &sources, &knows);
        prop_assert_eq!(found.counted, requests(&events, &asked).len() as u64);

        // The model tallies the time of every event, whatever the filters.
        let mut tallies: BTreeMap<(AppId, Box<str>, Box<str>), u64> = BTreeMap::new();
        for event in events.iter().filter(|event| (asked.first..=asked.last).contains(&event.day)) {
            let name = if event.app == 0 { "first" } else { "other" };
            *tallies.entry((app(event.app), "app".into(), name.into())).or_default() += u64::from(event.time);
        }
        prop_assert_eq!(found.tallies, tallies);

        let mut shared: BTreeMap<(AppId, Dimension), (BTreeSet<u32>, u64)> = BTreeMap::new();
        let mut unknown: BTreeMap<(AppId, Value), BTreeSet<u32>> = BTreeMap::new();
        for one in matching(&events, &asked) {
            for (at, dimension) in [(2, Dimension::Platform), (3, Dimension::Arch)] {
                let values = one.seen[at].iter().filter(|&&place| asked.wants(at, place)).count();
                if values >= 3 {
                    let (devices, most) = shared.entry((app(one.app), dimension)).or_default();
                    devices.insert(one.device);
                    *most = (*most).max(values as u64);
                }
            }
            for &place in one.seen[0].iter().filter(|&&place| asked.wants(0, place)) {
                if !knows(app(one.app), &value(0, place)) {
                    unknown.entry((app(one.app), value(0, place))).or_default().insert(one.device);
                }
            }
        }
        let shared: BTreeMap<(AppId, Dimension), Shared> = shared
            .into_iter()
            .map(|(key, (devices, most))| (key, Shared { devices: devices.len() as u64, most }))
            .collect();
        prop_assert_eq!(found.shared, shared);
        let unknown: BTreeMap<(AppId, Value), u64> =
            unknown.into_iter().map(|(key, devices)| (key, devices.len() as u64)).collect();
        prop_assert_eq!(found.unknown_versions, unknown);
    }
}
