//! Days and moments. All days are UTC dates.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;

/// Milliseconds of one day.
pub const DAY_MILLIS: i64 = 86_400_000;

/// How far a moment may be ahead of the clock, in milliseconds: what is further ahead comes from a clock that was wrong.
pub const AHEAD_MILLIS: i64 = 3_600_000;

/// A moment: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(pub i64);

impl Millis {
    /// The UTC day that the moment lies in.
    pub const fn day(self) -> Day {
        Day(self.0.div_euclid(DAY_MILLIS) as i32)
    }

    /// Milliseconds since that day began; below 86,400,000.
    pub const fn within_day(self) -> u32 {
        self.0.rem_euclid(DAY_MILLIS) as u32
    }
}

/// A UTC date, counted in days since 1970-01-01.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

/// The text is not a date of the form `YYYY-MM-DD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a date of the form YYYY-MM-DD")]
pub struct BadDay;

const EPOCH: Date = jiff::civil::date(1970, 1, 1);

impl Day {
    /// The first moment of the day.
    pub const fn start(self) -> Millis {
        Millis(self.0 as i64 * DAY_MILLIS)
    }

    /// The day that many days later, or earlier if negative.
    #[must_use]
    pub const fn plus(self, days: i32) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// Every day from `self` to `last`, both included; empty if `last` is earlier.
    pub fn through(self, last: Self) -> impl DoubleEndedIterator<Item = Self> + Clone {
        (self.0..=last.0).map(Self)
    }
}

impl FromStr for Day {
    type Err = BadDay;

    fn from_str(text: &str) -> Result<Self, BadDay> {
        let shape_is_right = text.len() == 10
            && text.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        if !shape_is_right {
            return Err(BadDay);
        }
        let date: Date = text.parse().map_err(|_| BadDay)?;
        let span = date.since(EPOCH).map_err(|_| BadDay)?;
        Ok(Self(span.get_days()))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = jiff::Span::new().try_days(i64::from(self.0)).map_err(|_| fmt::Error)?;
        let date = EPOCH.checked_add(days).map_err(|_| fmt::Error)?;
        write!(f, "{date}")
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_round_trip_and_bad_ones_are_refused() {
        for text in ["1970-01-01", "2000-02-29", "2026-11-24", "1969-12-31", "9999-12-31"] {
            assert_eq!(text.parse::<Day>().map(|day| day.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "2026-02-30", "2026-2-3", "2026-11-24T00:00", "20261124", "+026-11-24", "*", "2026-11-2x"] {
            assert_eq!(text.parse::<Day>(), Err(BadDay), "{text}");
        }
    }

    #[test]
    fn a_moment_knows_its_day_and_its_place_in_it() {
        assert_eq!(Millis(-1).day(), Day(-1));
        assert_eq!(Millis(-1).within_day(), 86_399_999);
        assert_eq!(Day(20_000).start().day(), Day(20_000));
    }
}
