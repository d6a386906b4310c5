//! The embedded store: the protocol as tables of one SQLite file.

mod maintain;
mod read;
mod step;

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use headcount_engine::day::{Day, Millis};
use headcount_engine::id::{AppId, Id, OwnerId};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, TransactionBehavior, params};

use super::{
    Applied, BlobAt, Compaction, DictionaryState, DictionaryTail, Head, Rebuild, Step, StoreError, Version, View,
};
use crate::installation::Installation;
use crate::private::create_private;
use headcount_engine::mark::{Mark, SpoolId};

/// The version of the tables.
pub const FORMAT: i64 = 1;

/// The store in one SQLite file.
#[derive(Debug, Clone)]
pub struct Embedded(Arc<File>);

#[derive(Debug)]
struct File {
    path: PathBuf,
    writer: Mutex<Connection>,
    // Readers that nobody uses now.
    readers: Mutex<Vec<Connection>>,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl Embedded {
    pub(super) async fn open(path: &Path, installation: &Installation) -> Result<Self, StoreError> {
        let (path, own) = (path.to_owned(), installation.clone());
        blocking(move || {
            create_private(&path).map_err(|error| StoreError::Unavailable(error.to_string()))?;
            let mut writer = connect(&path)?;
            // Nothing is written to a store that is refused.
            check_installation(&writer, &path, &own)?;
            writer.pragma_update(None, "journal_mode", "WAL")?;
            writer.pragma_update(None, "synchronous", "FULL")?;
            create(&mut writer, &own)?;
            Ok(Self(Arc::new(File { path, writer: Mutex::new(writer), readers: Mutex::default() })))
        })
        .await
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let file = self.0.clone();
        blocking(move || {
            // A step that panicked was rolled back with its transaction.
            let mut writer = file.writer.lock().unwrap_or_else(PoisonError::into_inner);
            let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = work(&transaction)?;
            transaction.commit()?;
            Ok(result)
        })
        .await
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let file = self.0.clone();
        blocking(move || {
            let idle = file.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut reader = match idle {
                Some(reader) => reader,
                None => connect(&file.path)?,
            };
            let result = work(&reader.transaction()?)?;
            file.readers.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
            Ok(result)
        })
        .await
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
        let tail = self.read(move |transaction| read::dictionary(transaction, owner, known)).await?;
        tail.ok_or_else(|| StoreError::Unavailable(format!("the dictionary of owner {owner} is damaged")))
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

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    Ok(connection)
}

/// Refuses a store whose pseudonyms were made with another secret: no device would be recognised again.
fn check_installation(writer: &Connection, path: &Path, own: &Installation) -> Result<(), StoreError> {
    if !writer.table_exists(None, "installation")? {
        return Ok(());
    }
    let (found, found_fingerprint, format) =
        writer.query_row("SELECT id, fingerprint, format FROM installation", [], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, i64>(2)?))
        })?;
    let path = path.display().to_string();
    if format > FORMAT {
        return Err(StoreError::Newer { path, found: format, known: FORMAT });
    }
    if found != own.id.to_string() || found_fingerprint != fingerprint(own) {
        return Err(StoreError::Foreign { path, found, own: own.id.to_string() });
    }
    Ok(())
}

/// Creates what is missing, all at once.
fn create(writer: &mut Connection, own: &Installation) -> rusqlite::Result<()> {
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(include_str!("embedded/schema.sql"))?;
    transaction.execute(
        "INSERT INTO installation (id, fingerprint, format) SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM installation)",
        params![own.id.to_string(), fingerprint(own), FORMAT],
    )?;
    transaction.commit()
}

fn fingerprint(own: &Installation) -> [u8; 8] {
    let mut first = [0; 8];
    first.copy_from_slice(&blake3::hash(&own.secret).as_bytes()[..8]);
    first
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

/// The state of a segment in a row that has epoch, generation and sequence from that column on.
fn version(row: &Row<'_>, column: usize) -> rusqlite::Result<Version> {
    Ok(Version {
        epoch: row.get::<_, i64>(column)? as u64,
        generation: row.get::<_, i64>(column + 1)? as u64,
        sequence: row.get::<_, i64>(column + 2)? as u64,
    })
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
