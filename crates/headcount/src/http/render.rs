//! Forms that several replies share.

use headcount_engine::day::Millis;
use jiff::Timestamp;

/// A moment as RFC 3339 in UTC, with milliseconds. Moments come from the clock or were parsed, so they have a date.
pub(super) fn moment(at: Millis) -> String {
    Timestamp::from_millisecond(at.0).map(|moment| format!("{moment:.3}")).unwrap_or_default()
}
