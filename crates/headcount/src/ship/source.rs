//! One file of the spool as the shipper sees it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use headcount_engine::day::{Day, Millis};
use headcount_engine::id::{AppId, OwnerId};
use headcount_engine::row;

use super::fold::DecodedRow;
use crate::spool::{Result, SpoolFile};
use headcount_engine::mark::{Mark, SpoolId};

/// How many bytes of rows are read at once.
const READ_BYTES: usize = 4 << 20;
/// How many rows are dropped in one transaction, so that the committer never waits long for it.
const TRIM_ROWS: u32 = 64;
/// How many such transactions one round of trimming makes.
const TRIM_ROUNDS: usize = 64;

/// A file of the spool and how far it has been shipped.
#[derive(Debug)]
pub(super) struct Source {
    file: SpoolFile,
    // Everything up to here is in the store, for all owners.
    position: Option<u64>,
    // Up to where it was last noted in the file.
    noted: Option<u64>,
    marks: BTreeMap<OwnerId, Mark>,
    // The owners whose mark was compared with the row that it names.
    verified: HashSet<OwnerId>,
    // The owners whose mark names another row of the same number: somebody else wrote under this id.
    forked: HashSet<OwnerId>,
}

/// How an owner's mark stands to the rows of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// What follows the mark may be shipped; these days held rows that the store never got and that are gone.
    Continues(Vec<(AppId, Day)>),
    /// The mark names another row than the one here: shipping on would mix two histories.
    Forked,
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
            file,
            position,
            noted: position,
            marks: BTreeMap::new(),
            verified: HashSet::new(),
            forked: HashSet::new(),
        }))
    }

    pub(super) fn id(&self) -> SpoolId {
        self.file.id()
    }

    pub(super) fn mark(&self, owner: OwnerId) -> Option<Mark> {
        self.marks.get(&owner).copied()
    }

    pub(super) fn set_mark(&mut self, owner: OwnerId, mark: Option<Mark>) {
        match mark {
            Some(mark) => self.marks.insert(owner, mark),
            None => self.marks.remove(&owner),
        };
    }

    pub(super) fn is_forked(&self) -> bool {
        !self.forked.is_empty()
    }

    /// Compares the store's marks with what was acknowledged. Where the store has lost something, shipping starts
    /// again behind what it still has.
    pub(super) fn follow(&mut self, stored: &HashMap<OwnerId, Mark>) -> Result<()> {
        let mut acknowledged = self.file.acknowledged()?;
        acknowledged.extend(self.marks.iter().map(|(&owner, &mark)| (owner, mark)));
        for (&owner, &mark) in &acknowledged {
            let now = stored.get(&owner).copied();
            if now == Some(mark) {
                continue;
            }
            self.verified.remove(&owner);
            if now.is_none_or(|now| now.row < mark.row) {
                tracing::warn!(%owner, spool = %self.id(), "the store lost events that it had acknowledged; they are shipped again");
                self.position = self.position.min(now.map(|now| now.row));
            }
        }
        self.marks = stored.iter().map(|(&owner, &mark)| (owner, mark)).collect();
        Ok(())
    }

    /// Compares an owner's mark with the row that it names; once, until it changes.
    pub(super) fn verify(&mut self, owner: OwnerId) -> Result<Standing> {
        if self.forked.contains(&owner) {
            return Ok(Standing::Forked);
        }
        if self.verified.contains(&owner) {
            return Ok(Standing::Continues(Vec::new()));
        }
        let mark = self.mark(owner);
        if let Some(mark) = mark
            && let Some(row) = self.file.row(mark.row)?
            && row.mark.tag != mark.tag
        {
            self.forked.insert(owner);
            tracing::error!(%owner, spool = %self.id(), row = mark.row, "the store has another row under this number: \
                two machines write under one spool id; this owner's events of this spool are not shipped");
            return Ok(Standing::Forked);
        }
        let lost = self.file.dropped_after(owner, mark.map(|mark| mark.row))?;
        self.verified.insert(owner);
        Ok(Standing::Continues(lost))
    }

    /// Forgets that an owner's mark was compared.
    pub(super) fn doubt(&mut self, owner: OwnerId) {
        self.verified.remove(&owner);
    }

    /// The next rows to be shipped.
    pub(super) fn next_rows(&self) -> Result<Vec<DecodedRow>> {
        let rows = self.file.rows_after(self.position, READ_BYTES)?;
        let decoded = rows.into_iter().map(|stored| {
            let row = row::decode(&stored.body).unwrap_or_else(|error| {
                tracing::error!(spool = %self.id(), row = stored.mark.row, %error, "a row of the spool is damaged and is passed over");
                row::Row::default()
            });
            DecodedRow { mark: stored.mark, row, receipt: stored.receipt }
        });
        Ok(decoded.collect())
    }

    pub(super) fn advance(&mut self, row: u64) {
        self.position = Some(row);
    }

    /// Notes in the file how far it was shipped.
    pub(super) fn note(&mut self, now: Millis) -> Result<()> {
        if let Some(position) = self.position
            && self.noted != self.position
        {
            self.file.note_shipped(position, now, &self.marks)?;
            self.noted = self.position;
        }
        Ok(())
    }

    /// Drops rows that no store needs any more: shipped before `before`, or beyond `most_bytes` of shipped rows.
    pub(super) fn trim(&mut self, before: Millis, most_bytes: u64, first_day: Day) -> Result<()> {
        self.file.forget_before(first_day)?;
        if let Some(through) = self.file.shipped_before(before)? {
            for _ in 0..TRIM_ROUNDS {
                if self.file.trim(through, TRIM_ROWS)? < TRIM_ROWS as usize {
                    break;
                }
            }
        }
        for _ in 0..TRIM_ROUNDS {
            let Some(shipped) = self.noted.filter(|_| self.file.shipped_bytes().is_ok_and(|bytes| bytes > most_bytes))
            else {
                break;
            };
            if self.file.trim(shipped, TRIM_ROWS)? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Whether the file can go: nothing in it is or could be needed.
    pub(super) fn is_spent(&self) -> Result<bool> {
        self.file.is_spent()
    }

    pub(super) fn delete(self) -> Result<()> {
        self.file.delete()
    }
}
