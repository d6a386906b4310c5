//! Rows from a clock that was ahead: they wait until the clock shows their moment, and it is told how many events do.

use headcount_engine::day::{AHEAD_MILLIS, Millis};

use super::fold::DecodedRow;

/// What of a file waits for the clock: a row that is ahead of it, and all that follows.
#[derive(Debug)]
pub(super) struct Waiting {
    first: u64,
    until: Millis,
    // Up to where the events are counted: there may be more than are read at once.
    counted: u64,
    events: u64,
}

impl Waiting {
    /// What waits from that row on.
    pub(super) fn from(row: &DecodedRow) -> Self {
        let until = Millis(row.latest().map_or(i64::MIN, |latest| latest.0.saturating_sub(AHEAD_MILLIS)));
        Self { first: row.mark.row, until, counted: row.mark.row, events: row.events() }
    }

    /// Whether it is that row which the others wait for.
    pub(super) fn begins_with(&self, row: &DecodedRow) -> bool {
        self.first == row.mark.row
    }

    /// The row up to which the events are counted.
    pub(super) fn counted(&self) -> u64 {
        self.counted
    }

    /// Counts the events of rows behind the counted ones.
    pub(super) fn count(&mut self, rows: &[DecodedRow]) {
        for row in rows.iter().filter(|row| row.mark.row > self.counted) {
            self.events += row.events();
        }
        self.counted = rows.last().map_or(self.counted, |row| row.mark.row.max(self.counted));
    }

    /// How many events wait, as far as they are counted, and until which moment the first of them do.
    pub(super) fn events_until(&self) -> (u64, Millis) {
        (self.events, self.until)
    }
}
