//! Trends against plain sets.

use std::collections::{BTreeMap, BTreeSet};

use headcount_engine::daily::DailyTotals;
use headcount_engine::day::Day;
use headcount_engine::insight::trend::{Known, Period, TrendDay, trend};
use headcount_engine::report::Totals;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use crate::count;
use crate::plain::{Asked, Event, asked, event, matching, sources};

/// The last day on which there may be events.
const DAYS: i32 = 40;

/// Distinct devices that match on those days.
fn active(events: &[Event], asked: &Asked, first: i32, last: i32) -> u64 {
    let asked = Asked { first, last, ..asked.clone() };
    matching(events, &asked).into_iter().map(|one| one.device).collect::<BTreeSet<u32>>().len() as u64
}

/// What is kept of a day when its devices are gone; `right` where nothing came after it was counted.
fn kept(events: &[Event], day: i32, right: bool, number: u64) -> DailyTotals {
    let everything = Asked { first: day, last: day, wanted: vec![None; 5] };
    let mut totals = count(events, &everything, day, day).totals();
    totals.devices += u64::from(!right);
    DailyTotals { totals, new: number, active_7: number + 1, active_28: number + 2, ..DailyTotals::default() }
}

fn expected_day(
    retained: &[Event],
    asked: &Asked,
    (first, today): (i32, i32),
    totals: Option<&BTreeMap<Day, DailyTotals>>,
    day: i32,
) -> TrendDay {
    let kept = totals.and_then(|totals| totals.get(&Day(day)));
    if day < first {
        return TrendDay {
            day: Day(day),
            from_totals: true,
            counted: kept.map(|kept| kept.totals),
            new: kept.map(|kept| kept.new),
            weekly: kept.map(|kept| kept.active_7),
            monthly: kept.map(|kept| kept.active_28),
        };
    }
    let counted: Totals = count(retained, asked, day, day).totals();
    let kept = kept.filter(|kept| kept.totals == counted);
    let before: BTreeSet<u32> = retained.iter().filter(|event| event.day < day).map(|event| event.device).collect();
    let of_day: BTreeSet<u32> = matching(retained, &Asked { first: day, last: day, ..asked.clone() })
        .into_iter()
        .map(|one| one.device)
        .collect();
    let new = (day >= today || of_day.is_empty()).then(|| of_day.difference(&before).count() as u64);
    let rolling = |length: i32| (day + 1 - length >= first).then(|| active(retained, asked, day + 1 - length, day));
    TrendDay {
        day: Day(day),
        from_totals: false,
        counted: Some(counted),
        new: new.or_else(|| kept.map(|kept| kept.new)),
        weekly: rolling(7).or_else(|| kept.map(|kept| kept.active_7)),
        monthly: rolling(28).or_else(|| kept.map(|kept| kept.active_28)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn trends_are_those_of_plain_sets(
        events in vec(event(DAYS, 3), 0..60),
        asked in asked(DAYS),
        first in 0..DAYS,
        today in 0..DAYS,
        totals in option::of(btree_map(0..DAYS, any::<(bool, u8)>(), 0..40)),
    ) {
        let asked = Asked { first: asked.first.min(asked.last), last: asked.first.max(asked.last), ..asked };
        let retained: Vec<Event> = events.into_iter().filter(|event| event.day >= first).collect();
        let totals: Option<BTreeMap<Day, DailyTotals>> = totals.map(|days| {
            let day = |(day, (right, number)): (i32, (bool, u8))| (Day(day), kept(&retained, day, right, number.into()));
            days.into_iter().map(day).collect()
        });
        let known = Known { first: Day(first), today: Day(today), totals: totals.as_ref() };

        let days: Vec<TrendDay> = (asked.first..=asked.last)
            .map(|day| expected_day(&retained, &asked, (first, today), totals.as_ref(), day))
            .collect();
        let expected = Period {
            requests: days.iter().map(|day| day.counted.map(|counted| counted.requests)).sum(),
            distinct: (asked.first >= first).then(|| count(&retained, &asked, asked.first, asked.last).totals()),
            new: days.iter().map(|day| day.new).sum(),
            days,
        };
        prop_assert_eq!(trend(&asked.query(), &sources(&retained), &known), expected);
    }
}
