//! Who comes back: devices by when they were first seen, and how many of them were seen later.

use std::collections::BTreeMap;

use roaring::{MultiOps as _, RoaringBitmap};

use crate::day::Day;
use crate::report::{Query, Source};
use crate::slice::Slice;

/// Days of a week, and the day of 1970-01-05, the first Monday.
const WEEK: i32 = 7;
const MONDAY: i32 = 4;

/// How long a cohort's days last, and the time until it is looked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// A UTC day.
    Day,
    /// Seven UTC days from a Monday on.
    Week,
}

impl Period {
    /// The word for it in questions and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
        }
    }

    const fn days(self) -> i32 {
        match self {
            Self::Day => 1,
            Self::Week => WEEK,
        }
    }

    /// The first day of the period that the day lies in.
    pub const fn start(self, day: Day) -> Day {
        match self {
            Self::Day => day,
            Self::Week => Day(day.0 - (day.0 - MONDAY).rem_euclid(WEEK)),
        }
    }
}

/// Which days are known.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// The oldest day that is retained.
    pub first: Day,
    /// The day now.
    pub today: Day,
    /// Whether nothing was counted before the oldest retained day.
    pub from_the_beginning: bool,
}

/// So many days have to be retained before a cohort, unless there was nothing before: else many would be taken for new
/// that were seen before.
pub const LEAST_LOOK_BACK: i32 = 7;

/// The devices that were first seen in one period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cohort {
    /// The first day of the period.
    pub first: Day,
    /// How many there are; none where too few days before are known to tell who is new.
    pub devices: Option<u64>,
    /// How many of them were seen in the n-th period after their own, which is the 0-th; none where that is not over or
    /// not known. It ends with the period of today.
    pub returned: Vec<Option<u64>>,
}

/// The cohorts of all periods that have a day in the query, from all retained days of the apps in scope. A device belongs
/// to the period of the first retained day on which it was seen, if it matched the filters on that day; it returns with
/// any check in these apps.
pub fn retention(query: &Query, period: Period, known: Known, sources: &[Source]) -> Vec<Cohort> {
    let mut days: BTreeMap<Day, Vec<&Source>> = BTreeMap::new();
    for source in sources {
        days.entry(source.day).or_default().push(source);
    }
    let (mut before, mut new, mut seen) = (RoaringBitmap::new(), Sets::new(), Sets::new());
    for (day, sources) in days {
        let all = sources.iter().map(|source| source.segment.devices()).union();
        let slices = sources.iter().map(|source| Slice::new(&source.segment, &query.filters));
        let matching = slices.map(|slice| slice.devices().clone()).union();
        let start = period.start(day);
        *new.entry(start).or_default() |= (&all - &before) & matching;
        *seen.entry(start).or_default() |= &all;
        before |= all;
    }
    let (first, last) = (period.start(query.first), period.start(query.last.min(known.today)));
    let starts = first.through(last).step_by(period.days() as usize);
    starts.map(|start| cohort(start, (period, known), &new, &seen)).collect()
}

type Sets = BTreeMap<Day, RoaringBitmap>;

fn cohort(start: Day, (period, known): (Period, Known), new: &Sets, seen: &Sets) -> Cohort {
    let is_known = known.from_the_beginning || start >= known.first.plus(LEAST_LOOK_BACK);
    let none = RoaringBitmap::new();
    let devices = new.get(&start).unwrap_or(&none);
    let now = period.start(known.today);
    let returned = start.through(now).step_by(period.days() as usize).map(|later| {
        let is_over = later < now || later == start;
        (is_known && is_over).then(|| seen.get(&later).map_or(0, |seen| devices.intersection_len(seen)))
    });
    Cohort { first: start, devices: is_known.then(|| devices.len()), returned: returned.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_begins_on_monday() {
        let day = |text: &str| text.parse::<Day>().unwrap();
        for (any, monday) in [
            ("2026-05-25", "2026-05-25"),
            ("2026-05-31", "2026-05-25"),
            ("2026-06-01", "2026-06-01"),
            ("1970-01-05", "1970-01-05"),
            ("1970-01-04", "1969-12-29"),
        ] {
            assert_eq!(Period::Week.start(day(any)), day(monday), "{any}");
            assert_eq!(Period::Day.start(day(any)), day(any));
        }
    }
}
