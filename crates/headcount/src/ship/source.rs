//! One file of the spool as the shipper sees it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use headcount_engine::day::{Day, Millis};
use headcount_engine::id::{AppId, OwnerId};
use headcount_engine::mark::{Mark, SpoolId};
use headcount_engine::row::{self, Row, RowError};

use super::ahead::Waiting;
use super::fold::DecodedRow;
use super::scrub::Scrub;
use crate::retention::Erased;
use crate::spool::{Result, SpoolError, SpoolFile, StoredRow};

/// How many bytes of rows are read at once.
const READ_BYTES: usize = 4 << 20;
/// How many bytes of rows are dropped in one transaction, so that the committer never waits long for it.
const TRIM_BYTES: usize = 1 << 20;

/// A file of the spool and how far it has been shipped.
#[derive(Debug)]
pub(super) struct Source {
    file: SpoolFile,
    created_at: Millis,
    // Everything up to here is in the store, for all owners.
    position: Option<u64>,
    // Up to where it was last noted in the file, and the bytes of the rows that are kept up to there.
    noted: Option<u64>,
    kept_bytes: u64,
    // Up to where the store has acknowledged an owner's events.
    marks: BTreeMap<OwnerId, Mark>,
    has_followed: bool,
    // What waits, where the next row is ahead of the clock; then that was said.
    waiting: Option<Waiting>,
    // The damaged rows that were passed over, since it was opened.
    damaged: BTreeSet<u64>,
    // How far it was searched for erased devices.
    scrub: Scrub,
    // The owners whose mark was compared with the row that it names.
    verified: HashSet<OwnerId>,
    // The owners whose mark names another row of the same number: somebody else wrote under this id.
    forked: HashSet<OwnerId>,
}

/// What the store had acknowledged of an owner and does not have any more.
#[derive(Debug)]
pub(super) struct Loss {
    pub(super) owner: OwnerId,
    /// What it still has.
    pub(super) kept: Option<Mark>,
    /// The days of lost rows that are gone here, too.
    pub(super) days: Vec<(AppId, Day)>,
}

/// What may go from a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spare {
    /// Rows that were shipped before this moment.
    pub(super) shipped_before: Millis,
    /// The oldest shipped rows beyond so many bytes.
    pub(super) most_bytes: u64,
    /// Notes of dropped rows of days before this one.
    pub(super) first_day: Day,
    /// What takes longer waits for the next time.
    pub(super) until: Instant,
}

impl Source {
    /// Opens the file at that path, if its rows may be shipped.
    pub(super) fn open(path: &Path) -> Result<Option<Self>> {
        let Some(file) = SpoolFile::open(path)? else { return Ok(None) };
        if !file.is_sealed()? {
            return Ok(None);
        }
        let position = file.shipped()?;
        Ok(Some(Self {
            created_at: file.created_at()?,
            position,
            noted: position,
            kept_bytes: kept_bytes(&file, position)?,
            marks: file.acknowledged()?,
            has_followed: false,
            waiting: None,
            damaged: BTreeSet::new(),
            scrub: Scrub::default(),
            verified: HashSet::new(),
            forked: HashSet::new(),
            file,
        }))
    }

    pub(super) fn id(&self) -> SpoolId {
        self.file.id()
    }

    pub(super) fn created_at(&self) -> Millis {
        self.created_at
    }

    /// Goes on taking out what was accepted of erased devices.
    pub(super) fn scrub(&mut self, erased: &Arc<Erased>, time: (Millis, Instant)) -> Result<()> {
        self.scrub.go_on(&self.file, erased, time)
    }

    /// The bytes of the rows that are kept only for a store that loses something.
    pub(super) fn kept_bytes(&self) -> u64 {
        self.kept_bytes
    }

    pub(super) fn mark(&self, owner: OwnerId) -> Option<Mark> {
        self.marks.get(&owner).copied()
    }

    /// Takes over a mark that the store has now.
    pub(super) fn set_mark(&mut self, owner: OwnerId, mark: Mark) {
        self.marks.insert(owner, mark);
        self.verified.remove(&owner);
    }

    /// The same for a step of our own: the mark is that of a row of this file.
    pub(super) fn shipped(&mut self, owner: OwnerId, mark: Mark) {
        self.marks.insert(owner, mark);
    }

    /// Whether the marks are those that the store had at some moment of this process.
    pub(super) fn has_followed(&self) -> bool {
        self.has_followed
    }

    pub(super) fn is_forked(&self) -> bool {
        !self.forked.is_empty()
    }

    /// Compares the store's marks with what was acknowledged: takes over those that somebody else moved on, and gives
    /// what the store has lost.
    pub(super) fn follow(&mut self, stored: &HashMap<OwnerId, Mark>) -> Result<Vec<Loss>> {
        let mut losses = Vec::new();
        for (owner, mark) in self.marks.clone() {
            let now = stored.get(&owner).copied();
            if now.is_none_or(|now| now.row < mark.row) {
                losses.extend(self.loss(owner, mark, now)?);
            }
        }
        for (&owner, &mark) in stored {
            if self.marks.get(&owner).is_none_or(|known| *known != mark && known.row <= mark.row) {
                self.set_mark(owner, mark);
            }
        }
        self.has_followed = true;
        Ok(losses)
    }

    /// What of an owner up to `mark` is missing behind `kept`; `None` if it is nothing that anybody could know of.
    fn loss(&mut self, owner: OwnerId, mark: Mark, kept: Option<Mark>) -> Result<Option<Loss>> {
        let days = self.file.dropped_after(owner, kept.map(|kept| kept.row))?;
        let has_rows = self.file.oldest()?.is_some_and(|oldest| oldest <= mark.row);
        if !days.is_empty() || has_rows {
            return Ok(Some(Loss { owner, kept, days }));
        }
        // Marks expire after their rows.
        self.forget(owner, kept);
        self.file.withdraw(owner, kept, self.noted)?;
        Ok(None)
    }

    fn forget(&mut self, owner: OwnerId, kept: Option<Mark>) {
        self.verified.remove(&owner);
        match kept {
            Some(kept) => self.marks.insert(owner, kept),
            None => self.marks.remove(&owner),
        };
    }

    /// Starts again behind what the store still has of an owner.
    pub(super) fn rewind(&mut self, owner: OwnerId, kept: Option<Mark>) -> Result<()> {
        self.forget(owner, kept);
        if let Some(oldest) = self.file.oldest()? {
            let behind = kept.map(|kept| kept.row).max(oldest.checked_sub(1));
            self.position = self.position.min(behind);
        }
        let noted = self.noted.min(self.position);
        self.file.withdraw(owner, kept, noted)?;
        self.kept_bytes = kept_bytes(&self.file, noted)?;
        self.noted = noted;
        Ok(())
    }

    /// Whether an owner's mark names another row than the one here: shipping on would mix two histories. Compared once,
    /// until the mark is another one.
    pub(super) fn is_fork(&mut self, owner: OwnerId) -> Result<bool> {
        if self.forked.contains(&owner) {
            return Ok(true);
        }
        if self.verified.contains(&owner) {
            return Ok(false);
        }
        let mark = self.mark(owner);
        if let Some(mark) = mark
            && let Some(row) = self.file.row(mark.row)?
            && row.mark.tag != mark.tag
        {
            self.forked.insert(owner);
            tracing::error!(%owner, spool = %self.id(), row = mark.row, "the store has another row under this number: \
                two machines write under one spool id; this owner's events of this spool are not shipped");
            return Ok(true);
        }
        // A mark ahead of the newest row is that of a copy, or of somebody who writes under the same id: the row of
        // that number, once there is one, tells which.
        let is_ahead = mark.is_some_and(|mark| self.position.is_none_or(|position| position < mark.row));
        if !is_ahead {
            self.verified.insert(owner);
        }
        Ok(false)
    }

    /// The number of the newest row.
    pub(super) fn newest(&self) -> Result<Option<u64>> {
        Ok(self.file.newest()?.map(|mark| mark.row))
    }

    /// The next rows to be shipped, none of them behind `through`. A row from a clock that was ahead waits until the
    /// clock shows its moment, and so does what follows it: its day is the one that was promised.
    pub(super) fn next_rows(&mut self, through: u64, now: Millis) -> Result<Vec<DecodedRow>> {
        if self.position.is_some_and(|position| position >= through) {
            self.waiting = None;
            return Ok(Vec::new());
        }
        let mut rows = self.rows_after(self.position, through)?;
        match rows.iter().position(|row| row.is_ahead_of(now)) {
            Some(at) => {
                let ahead = rows.split_off(at);
                self.wait(&ahead, through);
            }
            None => self.waiting = None,
        }
        Ok(rows)
    }

    /// Takes note of rows that wait for the clock, and of those behind them.
    fn wait(&mut self, ahead: &[DecodedRow], through: u64) {
        let Some(first) = ahead.first() else { return };
        let mut waiting = match self.waiting.take() {
            Some(waiting) if waiting.begins_with(first) => waiting,
            Some(_) | None => {
                tracing::error!(spool = %self.id(), row = first.mark.row, "events are more than an hour ahead of the \
                    clock: they are not counted before it gets there");
                Waiting::from(first)
            }
        };
        waiting.count(ahead);
        if waiting.counted() < through {
            // What cannot be read is said when its turn comes.
            waiting.count(&self.rows_after(Some(waiting.counted()), through).unwrap_or_default());
        }
        self.waiting = Some(waiting);
    }

    /// How many events wait for the clock, and until which moment the first of them do.
    pub(super) fn waiting(&self) -> Option<(u64, Millis)> {
        self.waiting.as_ref().map(Waiting::events_until)
    }

    /// How many damaged rows were passed over since the file was opened.
    pub(super) fn damaged(&self) -> u64 {
        self.damaged.len() as u64
    }

    fn rows_after(&mut self, after: Option<u64>, through: u64) -> Result<Vec<DecodedRow>> {
        let rows = self.file.rows_after(after, READ_BYTES)?;
        rows.into_iter().filter(|row| row.mark.row <= through).map(|row| self.decode(row)).collect()
    }

    fn decode(&mut self, stored: StoredRow) -> Result<DecodedRow> {
        let StoredRow { mark, body, receipt } = stored;
        match row::decode(&body) {
            Ok(row) => Ok(DecodedRow::new(mark, row, receipt, BTreeSet::new())),
            Err(error @ (RowError::Newer { .. } | RowError::UnknownDimension(_))) => {
                Err(SpoolError::Row { spool: self.id(), row: mark.row, error })
            }
            Err(error @ (RowError::Sealed(_) | RowError::NotARow | RowError::Codec(_))) => {
                if self.damaged.insert(mark.row) {
                    tracing::error!(spool = %self.id(), row = mark.row, %error, "a row of the spool is damaged and is \
                        passed over; the days that it shows are marked incomplete");
                }
                Ok(DecodedRow::new(mark, Row::default(), receipt, row::days(&body)))
            }
        }
    }

    /// Since when the oldest row that is kept has been in the store.
    pub(super) fn kept_since(&self) -> Result<Option<Millis>> {
        self.file.kept_since()
    }

    pub(super) fn advance(&mut self, row: u64) {
        self.position = Some(row);
    }

    /// Notes in the file how far it was shipped.
    pub(super) fn note(&mut self, now: Millis) -> Result<()> {
        if let Some(position) = self.position
            && self.noted != self.position
        {
            let bytes = self.file.bytes_of_rows(self.noted, position)?;
            self.file.note_shipped(position, now, &self.marks)?;
            self.noted = self.position;
            self.kept_bytes += bytes;
        }
        Ok(())
    }

    /// Drops rows that no store needs any more, and says whether time was left to drop all of them.
    pub(super) fn trim(&mut self, spare: &Spare, is_drained: bool) -> Result<bool> {
        self.file.forget_before(spare.first_day)?;
        let old = self.file.shipped_before(spare.shipped_before)?;
        let mut trimmed = false;
        let finished = loop {
            let through = if self.kept_bytes > spare.most_bytes { self.noted } else { old };
            let Some(through) = through else { break true };
            let bytes = self.file.trim(through, TRIM_BYTES)?;
            if bytes == 0 {
                break true;
            }
            trimmed = true;
            self.kept_bytes = self.kept_bytes.saturating_sub(bytes);
            if Instant::now() >= spare.until {
                break false;
            }
        };
        if trimmed && is_drained {
            self.file.shrink()?;
        }
        Ok(finished)
    }

    /// Whether the file can go: nothing in it is or could be needed.
    pub(super) fn is_spent(&self) -> Result<bool> {
        self.file.is_spent()
    }

    pub(super) fn delete(self) -> Result<()> {
        self.file.delete()
    }
}

/// About how many bytes the shipped rows take: all that is in use but for the rows behind. There may be millions of
/// them, which nobody waits to have counted.
fn kept_bytes(file: &SpoolFile, noted: Option<u64>) -> Result<u64> {
    if noted.is_none() {
        return Ok(0);
    }
    Ok(file.used_bytes()?.saturating_sub(file.bytes_of_rows(noted, i64::MAX as u64)?))
}
