//! Adoption against plain sets.

use std::collections::{BTreeMap, BTreeSet};

use headcount_engine::day::Day;
use headcount_engine::insight::adoption::{AdoptionDay, MILESTONES, Published, adoption};
use headcount_engine::report::evaluate;
use headcount_engine::version::Version;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::plain::{Asked, Event, VALUES, asked, event, label, matching, names, sources};

/// The order of the versions in [`VALUES`]: `1.0` and `1.0.0` are equal, `(other)` is none.
const RANKS: [Option<u8>; 7] = [None, Some(0), Some(1), Some(2), Some(2), Some(3), Some(4)];
/// The place of `held` among the statuses.
const HELD: usize = 1;

/// Devices, adopted, held: of all, and by platform.
#[derive(Default)]
struct Sets {
    devices: BTreeSet<u32>,
    adopted: BTreeSet<u32>,
    held: BTreeSet<u32>,
    platforms: BTreeMap<&'static str, BTreeSet<u32>>,
}

fn sets(events: &[Event], asked: &Asked, version: usize) -> Sets {
    let mut sets = Sets::default();
    for one in matching(events, asked) {
        sets.devices.insert(one.device);
        let wanted = |at: usize| one.seen[at].iter().copied().filter(move |&place| asked.wants(at, place));
        if wanted(0).any(|place| RANKS[place].is_some_and(|rank| Some(rank) >= RANKS[version])) {
            sets.adopted.insert(one.device);
        }
        if wanted(4).any(|place| place == HELD) {
            sets.held.insert(one.device);
        }
        for name in names(asked, &one, 2) {
            sets.platforms.entry(name).or_default().insert(one.device);
        }
    }
    sets.held = sets.held.difference(&sets.adopted).copied().collect();
    sets
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn adoption_is_that_of_plain_sets(
        events in vec(event(6, 2), 0..60),
        asked in asked(6),
        version in 1..VALUES[0].1.len(),
        on in 0..6_i32,
        first in 0..3_i32,
        today in 3..7_i32,
    ) {
        let retained: Vec<Event> = events.into_iter().filter(|event| event.day >= first).collect();
        let (sources, release) = (sources(&retained), VALUES[0].1[version].0.parse::<Version>().unwrap());
        let published = Published { version: &release, on: Day(on), first: Day(first), today: Day(today) };
        let found = adoption(&asked.query(), &published, &sources, &label);

        let range = Asked { first: on.max(first), ..asked };
        let by_day: Vec<(i32, Sets)> = (range.first..=range.last)
            .map(|day| (day, sets(&retained, &Asked { first: day, last: day, ..range.clone() }, version)))
            .collect();
        let count = |day: i32, sets: &Sets, of: Option<&BTreeSet<u32>>| {
            let among = |set: &BTreeSet<u32>| {
                set.iter().filter(|device| of.is_none_or(|of| of.contains(device))).count() as u64
            };
            let (devices, adopted, held) = (among(&sets.devices), among(&sets.adopted), among(&sets.held));
            AdoptionDay { day: Day(day), devices, adopted, held }
        };
        let days: Vec<AdoptionDay> = by_day.iter().map(|(day, sets)| count(*day, sets, None)).collect();
        prop_assert_eq!(&found.days, &days);

        // The platforms and their order are those of the report, which has a test of its own.
        let report = evaluate(&range.query(), &sources, &label);
        let none = BTreeSet::new();
        let platforms = report.rows(VALUES[2].0).iter().map(|row| {
            let of = |sets: &Sets| sets.platforms.get(&*row.label).unwrap_or(&none).clone();
            let days = by_day.iter().map(|(day, sets)| count(*day, sets, Some(&of(sets)))).collect();
            (row.label.clone(), days)
        });
        prop_assert_eq!(&found.platforms, &platforms.collect::<Vec<(_, Vec<AdoptionDay>)>>());

        for (percent, reached) in MILESTONES.into_iter().zip(found.reached) {
            let enough = |day: &&AdoptionDay| {
                day.day < Day(today) && day.devices > 0 && day.adopted as f64 / day.devices as f64 >= percent as f64 / 100.0
            };
            prop_assert_eq!(reached, days.iter().find(enough).filter(|_| on >= first).map(|day| day.day));
        }
    }
}
