//! The embedded store: the protocol as tables of one SQLite file.

mod file;
mod kept;
mod maintain;
mod read;
mod step;

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use headcount_engine::day::{Day, Millis};
use headcount_engine::id::{AppId, Id, OwnerId};
use rusqlite::{OptionalExtension as _, Row, Transaction, params};

pub use self::file::FORMAT;
use self::file::File;
use super::kept::Purpose;
use super::{
    Applied, BlobAt, Compaction, Damage, DictionaryState, DictionaryTail, Head, Rebuild, Step, StoreError, Version,
    View,
};
use crate::installation::Installation;
use headcount_engine::mark::{Mark, SpoolId};

/// The store in one SQLite file.
#[derive(Debug, Clone)]
pub struct Embedded(Arc<File>);

impl Embedded {
    pub(super) async fn open(path: &Path, installation: &Installation, purpose: Purpose) -> Result<Self, StoreError> {
        let (path, own) = (path.to_owned(), installation.clone());
        blocking(move || Ok(Self(Arc::new(File::open(path, own, purpose)?)))).await
    }

    pub(super) fn turn(&self) -> u64 {
        self.0.turn()
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let file = self.0.clone();
        blocking(move || file.write(|transaction| Ok(work(transaction)?))).await
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let file = self.0.clone();
        blocking(move || file.read(|transaction| Ok(work(transaction)?))).await
    }

    pub(super) async fn apply(&self, owner: OwnerId, step: Step) -> Result<Applied, StoreError> {
        self.write(move |transaction| step::apply(transaction, owner, &step)).await
    }

    pub(super) async fn marks(&self, spool: SpoolId) -> Result<HashMap<OwnerId, Mark>, StoreError> {
        self.read(move |transaction| read::marks(transaction, spool)).await
    }

    pub(super) async fn receipt(
        &self,
        owner: OwnerId,
        spool: SpoolId,
        row: u64,
    ) -> Result<Option<(Mark, Vec<u8>)>, StoreError> {
        self.read(move |transaction| {
            transaction
                .prepare_cached("SELECT tag, bytes FROM receipt WHERE spool = ?1 AND owner = ?2 AND row = ?3")?
                .query_row(params![spool.0, owner.0.as_bytes(), row as i64], |found| {
                    Ok((Mark { row, tag: found.get(0)? }, found.get(1)?))
                })
                .optional()
        })
        .await
    }

    pub(super) async fn dictionary(
        &self,
        owner: OwnerId,
        known: DictionaryState,
    ) -> Result<DictionaryTail, StoreError> {
        let file = self.0.clone();
        let damaged = move || StoreError::Damaged(format!("a block of the dictionary of owner {owner}"));
        // Without it no bit of a segment says which device it is.
        blocking(move || file.read(|transaction| read::dictionary(transaction, owner, known)?.ok_or_else(damaged)))
            .await
    }

    pub(super) async fn load(
        &self,
        owner: OwnerId,
        days: RangeInclusive<Day>,
        known: HashMap<(AppId, Day), Version>,
    ) -> Result<View, StoreError> {
        self.read(move |transaction| read::view(transaction, owner, &days, &known)).await
    }

    pub(super) async fn heads(&self) -> Result<Vec<Head>, StoreError> {
        self.read(read::heads).await
    }

    pub(super) async fn owners(&self) -> Result<Vec<OwnerId>, StoreError> {
        self.read(read::owners).await
    }

    pub(super) async fn compact(&self, compaction: Compaction) -> Result<bool, StoreError> {
        self.write(move |transaction| maintain::compact(transaction, &compaction)).await
    }

    pub(super) async fn rebuild(&self, rebuild: Rebuild) -> Result<bool, StoreError> {
        self.write(move |transaction| maintain::rebuild(transaction, &rebuild)).await
    }

    pub(super) async fn set_aside(&self, owner: OwnerId, app: AppId, day: Day, blob: BlobAt) -> Result<(), StoreError> {
        self.write(move |transaction| maintain::set_aside(transaction, owner, app, day, blob)).await
    }

    pub(super) async fn damage(&self) -> Result<Damage, StoreError> {
        let file = self.0.clone();
        blocking(move || {
            let (blobs, incomplete) = file.read(|transaction| Ok(read::damage(transaction)?))?;
            Ok(Damage { stores: file.set_aside(), blobs, incomplete })
        })
        .await
    }

    pub(super) async fn expire(
        &self,
        owner: OwnerId,
        first: Day,
        marks_before: Millis,
        at: Millis,
    ) -> Result<(), StoreError> {
        self.write(move |transaction| maintain::expire(transaction, owner, first, (marks_before, at))).await
    }

    pub(super) async fn erase(&self, owner: OwnerId, app: Option<AppId>, at: Millis) -> Result<(), StoreError> {
        self.write(move |transaction| maintain::erase(transaction, owner, app, at)).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(StoreError::Unavailable(error.to_string())),
    }
}

fn mark_of(transaction: &Transaction<'_>, spool: SpoolId, owner: OwnerId) -> rusqlite::Result<Option<Mark>> {
    transaction
        .prepare_cached("SELECT row, tag FROM mark WHERE spool = ?1 AND owner = ?2")?
        .query_row(params![spool.0, owner.0.as_bytes()], |row| {
            Ok(Mark { row: row.get::<_, i64>(0)? as u64, tag: row.get(1)? })
        })
        .optional()
}

/// The state of an owner's dictionary, the number of its ordinals, and since when it has this epoch.
fn dictionary_state(
    transaction: &Transaction<'_>,
    owner: OwnerId,
) -> rusqlite::Result<Option<(DictionaryState, u64, Millis)>> {
    transaction
        .prepare_cached("SELECT epoch, last_block, ordinals, since FROM dictionary WHERE owner = ?1")?
        .query_row([owner.0.as_bytes()], |row| {
            let state = DictionaryState { epoch: row.get::<_, i64>(0)? as u64, last_block: row.get(1)? };
            Ok((state, row.get::<_, i64>(2)? as u64, Millis(row.get(3)?)))
        })
        .optional()
}

/// The state of a segment in a row that has epoch, generation, sequence and tag from that column on.
fn version(row: &Row<'_>, column: usize) -> rusqlite::Result<Version> {
    Ok(Version {
        epoch: row.get::<_, i64>(column)? as u64,
        generation: row.get::<_, i64>(column + 1)? as u64,
        sequence: row.get::<_, i64>(column + 2)? as u64,
        tag: row.get(column + 3)?,
    })
}

/// The tag of the delta before a sequence number of a segment; `None` if it is not known any more.
fn tag_before(
    transaction: &Transaction<'_>,
    (owner, app, day): (OwnerId, AppId, Day),
    now: Version,
    sequence: u64,
) -> rusqlite::Result<Option<[u8; 8]>> {
    if sequence == now.sequence {
        return Ok(Some(now.tag));
    }
    // The base holds what is before the oldest delta.
    transaction
        .prepare_cached(
            "SELECT CASE WHEN d.sequence = ?4 - 1 THEN d.tag ELSE s.first_tag END \
             FROM segment s JOIN delta d ON d.owner = s.owner AND d.app = s.app AND d.day = s.day \
             WHERE s.owner = ?1 AND s.app = ?2 AND s.day = ?3 AND d.sequence BETWEEN ?4 - 1 AND ?4 \
             ORDER BY d.sequence LIMIT 1",
        )?
        .query_row(params![owner.0.as_bytes(), app.0.as_bytes(), day.0, sequence as i64], |row| row.get(0))
        .optional()
}

fn owner_id(row: &Row<'_>, column: usize) -> rusqlite::Result<OwnerId> {
    row.get(column).map(Id::from_bytes).map(OwnerId)
}

fn app_id(row: &Row<'_>, column: usize) -> rusqlite::Result<AppId> {
    row.get(column).map(Id::from_bytes).map(AppId)
}

fn day_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Day> {
    row.get(column).map(Day)
}
