//! How devices and checks develop from day to day.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::daily::{DailyTotals, MONTHLY, WEEKLY};
use crate::day::Day;
use crate::report::{Query, Sets, Source, Totals};
use crate::slice::{self, union};

/// What is known of days whose devices are gone, and since when they are not.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The oldest day whose devices are retained.
    pub first: Day,
    /// The day now, which is compared with all of the retention.
    pub today: Day,
    /// The totals that are kept of closed days; none where they are not those of the question, which names several apps
    /// or has filters.
    pub totals: Option<&'a BTreeMap<Day, DailyTotals>>,
}

/// The days of a range, and the range as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    /// Every day, the earliest first.
    pub days: Vec<TrendDay>,
    /// Counted checks, if they are known of every day.
    pub requests: Option<u64>,
    /// Distinct devices, if those of every day are retained.
    pub distinct: Option<Totals>,
    /// The new devices of all days, if they are known of every day.
    pub new: Option<u64>,
}

/// The numbers of one day; `None` where they cannot be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrendDay {
    /// The day.
    pub day: Day,
    /// Whether the day is older than the retention, and so shown as it was counted when it closed.
    pub from_totals: bool,
    /// Checks and devices.
    pub counted: Option<Totals>,
    /// Devices that were not counted in the retention before the day.
    pub new: Option<u64>,
    /// Distinct devices of the day and the 6 before it.
    pub weekly: Option<u64>,
    /// Distinct devices of the day and the 27 before it.
    pub monthly: Option<u64>,
}

/// The numbers of each day of the query, and of all of it. `sources` is all that is retained of the apps in scope.
pub fn trend(query: &Query, sources: &[Source], known: &Known<'_>) -> Period {
    let reach = Query { first: query.first.plus(1 - MONTHLY), ..query.clone() };
    let slices = slice::by_day(&reach, sources);
    let sets: BTreeMap<Day, Sets<'_>> = slices.iter().map(|(&day, slices)| (day, Sets::of_day(slices))).collect();
    let retained = Retained { sources, sets: &sets, known };
    let days: Vec<TrendDay> = query.first.through(query.last).map(|day| retained.day(day)).collect();
    let of_all = |number: fn(&TrendDay) -> Option<u64>| days.iter().map(number).sum::<Option<u64>>();
    let in_range = sets.iter().filter(|(day, _)| (query.first..=query.last).contains(*day)).map(|(_, sets)| sets);
    Period {
        requests: of_all(|day| Some(day.counted?.requests)),
        distinct: (query.first >= known.first).then(|| Sets::of_range(in_range).totals()),
        new: of_all(|day| day.new),
        days,
    }
}

struct Retained<'a> {
    sources: &'a [Source],
    sets: &'a BTreeMap<Day, Sets<'a>>,
    known: &'a Known<'a>,
}

impl Retained<'_> {
    fn day(&self, day: Day) -> TrendDay {
        let kept = self.known.totals.and_then(|totals| totals.get(&day));
        if day < self.known.first {
            return TrendDay {
                day,
                from_totals: true,
                counted: kept.map(|kept| kept.totals),
                new: kept.map(|kept| kept.new),
                weekly: kept.map(|kept| kept.active_7),
                monthly: kept.map(|kept| kept.active_28),
            };
        }
        let counted = self.sets.get(&day).map(Sets::totals).unwrap_or_default();
        // What was kept of the day before something of it came late is not compared with what is counted now.
        let kept = kept.filter(|kept| kept.totals == counted);
        TrendDay {
            day,
            from_totals: false,
            counted: Some(counted),
            new: self.new_on(day, counted.devices).or_else(|| kept.map(|kept| kept.new)),
            weekly: self.active(day, WEEKLY).or_else(|| kept.map(|kept| kept.active_7)),
            monthly: self.active(day, MONTHLY).or_else(|| kept.map(|kept| kept.active_28)),
        }
    }

    /// The devices of the day that were not counted in the retention before it, with whatever values.
    fn new_on(&self, day: Day, devices: u64) -> Option<u64> {
        if devices == 0 {
            return Some(0);
        }
        if day < self.known.today {
            return None;
        }
        let before = self.sources.iter().filter(|source| source.day < day);
        let before = union(before.map(|source| Cow::Borrowed(source.segment.devices())).collect());
        self.sets.get(&day).map(|sets| devices - sets.devices().intersection_len(&before))
    }

    /// The distinct devices of that many days, the last of which is `day`.
    fn active(&self, day: Day, days: i32) -> Option<u64> {
        let first = day.plus(1 - days);
        let of_days = self.sets.range(first..=day).map(|(_, sets)| Cow::Borrowed(sets.devices())).collect();
        (first >= self.known.first).then(|| union(of_days).len())
    }
}
