//! How many checks and beacons had which outcome: what the journal says of earlier processes.

use std::path::Path;

use headcount_engine::recorded::SkipReason;
use rusqlite::params;
use strum::VariantArray as _;

use super::{Result, SpoolFile, StoredRow, files};
use crate::failpoint::{self, Point};

/// What the outcome of a check is called whose event is in the journal.
const RECORDED: &str = "recorded";

/// How often checks and beacons were not counted, by the number of the [`SkipReason`].
pub type Skips = [u64; SkipReason::VARIANTS.len()];

/// How many checks and beacons earlier processes answered, since the first start. What they committed is exact, whatever
/// the caller was told; skips may lack the last second before a kill.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Answered {
    /// Those whose events they committed.
    pub recorded: u64,
    /// Those that they did not count.
    pub skipped: Skips,
}

impl Answered {
    /// What the files below `directory` say. Each file goes on from those before it, and counts only grow.
    pub(super) fn read(directory: &Path) -> Result<Self> {
        let mut answered = Self::default();
        for path in files(directory)? {
            match counts(&path) {
                Ok(counts) => counts.iter().for_each(|(outcome, count)| answered.raise(outcome, *count)),
                Err(error) => tracing::warn!(path = %path.display(), %error, "a file of the spool cannot be read: the \
                    counters of /metrics may begin too low"),
            }
        }
        Ok(answered)
    }

    fn raise(&mut self, outcome: &str, count: u64) {
        if outcome == RECORDED {
            self.recorded = self.recorded.max(count);
        }
        for (reason, skipped) in SkipReason::VARIANTS.iter().zip(&mut self.skipped) {
            if outcome == reason.name() {
                *skipped = count.max(*skipped);
            }
        }
    }

    /// Names and counts, as a file keeps them.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        std::iter::once((RECORDED, self.recorded)).chain(skip_counts(&self.skipped))
    }
}

pub(super) fn skip_counts(skips: &Skips) -> impl Iterator<Item = (&'static str, u64)> {
    SkipReason::VARIANTS.iter().map(|reason| reason.name()).zip(*skips)
}

fn counts(path: &Path) -> Result<Vec<(String, u64)>> {
    SpoolFile::open(path)?.map_or(Ok(Vec::new()), |file| file.answered())
}

impl SpoolFile {
    /// Adds a row of checks and beacons, with which there are `recorded` of them: both are kept, or neither.
    pub fn append_recorded(&self, row: &StoredRow, recorded: u64) -> Result<()> {
        let transaction = self.connection.unchecked_transaction()?;
        self.append(row)?;
        self.set_answered([(RECORDED, recorded)])?;
        failpoint::reach(Point::RowWritten);
        transaction.commit()?;
        Ok(())
    }

    /// Notes how many checks and beacons had which outcome.
    pub fn note_answered<'a>(&self, counts: impl IntoIterator<Item = (&'a str, u64)>) -> Result<()> {
        let transaction = self.connection.unchecked_transaction()?;
        self.set_answered(counts)?;
        transaction.commit()?;
        Ok(())
    }

    fn set_answered<'a>(&self, counts: impl IntoIterator<Item = (&'a str, u64)>) -> Result<()> {
        let mut statement =
            self.connection.prepare_cached("INSERT OR REPLACE INTO answered (outcome, count) VALUES (?1, ?2)")?;
        for (outcome, count) in counts {
            statement.execute(params![outcome, count as i64])?;
        }
        Ok(())
    }

    /// How many checks and beacons had which outcome. A file that an earlier build wrote does not say.
    pub fn answered(&self) -> Result<Vec<(String, u64)>> {
        if !self.connection.table_exists(None, "answered")? {
            return Ok(Vec::new());
        }
        let mut statement = self.connection.prepare("SELECT outcome, count FROM answered")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}
