//! Cohorts against plain sets.

use std::collections::BTreeSet;

use headcount_engine::day::Day;
use headcount_engine::insight::retention::{Cohort, Known, Period, retention};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::plain::{Asked, asked, event, matching, sources};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn cohorts_are_those_of_plain_sets(
        events in vec(event(24, 2), 0..60),
        asked in asked(24),
        by_week in any::<bool>(),
        from_the_beginning in any::<bool>(),
    ) {
        let (period, length) = if by_week { (Period::Week, 7) } else { (Period::Day, 1) };
        // Day 4 of 1970 was a Monday.
        let start = |day: i32| if by_week { day - (day + 3) % 7 } else { day };
        let known = Known { first: Day(0), today: Day(23), from_the_beginning };
        let found = retention(&asked.query(), period, known, &sources(&events));

        let devices: BTreeSet<u32> = events.iter().map(|event| event.device).collect();
        let first_day = |device: u32| {
            events.iter().filter(|event| event.device == device).map(|event| event.day).min().unwrap()
        };
        let counts = |device: u32| {
            let day = first_day(device);
            matching(&events, &Asked { first: day, last: day, ..asked.clone() }).iter().any(|one| one.device == device)
        };
        let mut expected = Vec::new();
        let mut first = start(asked.first);
        while first <= asked.last {
            let is_known = from_the_beginning || first >= 7;
            let cohort: Vec<u32> =
                devices.iter().copied().filter(|&device| start(first_day(device)) == first && counts(device)).collect();
            let mut returned = Vec::new();
            let mut later = first;
            while later <= 23 {
                let is_over = later == first || later + length <= 23;
                let seen = cohort.iter().filter(|&&device| {
                    events.iter().any(|event| event.device == device && start(event.day) == later)
                });
                returned.push((is_known && is_over).then_some(seen.count() as u64));
                later += length;
            }
            expected.push(Cohort { first: Day(first), devices: is_known.then_some(cohort.len() as u64), returned });
            first += length;
        }
        prop_assert_eq!(found, expected);
    }
}
