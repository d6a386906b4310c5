//! The file of the embedded store: its connections, and what happens when it turns out to be damaged.
//!
//! A damaged file is set aside under another name, and an empty one takes its place. The shipper finds the marks gone and
//! fills it again from the rows that the spool keeps; the days of which something is kept nowhere become incomplete.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Row, Transaction, TransactionBehavior, params};

use super::super::StoreError;
use super::super::kept::Purpose;
use crate::failpoint::{self, Point};
use crate::installation::Installation;
use crate::private::create_private;

/// The version of the tables.
pub const FORMAT: i64 = 3;
const SCHEMA: &str = include_str!("schema.sql");
/// From format 1: segments and deltas have tags.
const TAGS: &str = "\
    ALTER TABLE segment ADD COLUMN tag BLOB NOT NULL DEFAULT x'0000000000000000'; \
    ALTER TABLE segment ADD COLUMN first_tag BLOB NOT NULL DEFAULT x'0000000000000000'; \
    ALTER TABLE delta ADD COLUMN tag BLOB NOT NULL DEFAULT x'0000000000000000'; \
    UPDATE installation SET format = 2;";
/// From format 2: devices can be erased. The table is created with what is missing; older builds do not know it.
const TOMBSTONES: &str = "UPDATE installation SET format = 3;";
/// The most damaged files that are kept. With so many there is something wrong that a new file does not mend.
const MOST_DAMAGED: u32 = 9;

#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    own: Installation,
    purpose: Purpose,
    writer: Mutex<Connection>,
    // Readers that nobody uses now.
    readers: Mutex<Vec<Connection>>,
    // Held by whoever reads, so that no file is moved under a reader: at its end it would delete the log of the file that
    // came in its place, and one that begins meanwhile would take the place for an empty store.
    moving: RwLock<()>,
    // Whether there is a file: one that was set aside may have none in its place, for want of room.
    is_there: AtomicBool,
    // How many files were set aside: what was opened before belongs to another file.
    turn: AtomicU64,
}

impl File {
    pub(super) fn open(path: PathBuf, own: Installation, purpose: Purpose) -> Result<Self, StoreError> {
        let writer = match open_writer(&path, &own, purpose) {
            Err(StoreError::Damaged(why)) => {
                move_aside(&path, &why)?;
                open_writer(&path, &own, purpose)?
            }
            other => other?,
        };
        let (writer, readers, moving) = (Mutex::new(writer), Mutex::default(), RwLock::default());
        let is_there = AtomicBool::new(true);
        Ok(Self { path, own, purpose, writer, readers, moving, is_there, turn: AtomicU64::new(0) })
    }

    /// How often the file was set aside.
    pub(super) fn turn(&self) -> u64 {
        self.turn.load(Ordering::Acquire)
    }

    pub(super) fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        // A step that panicked was rolled back with its transaction.
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.begin(&mut writer)?;
        let write = |writer: &mut Connection| {
            let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = work(&transaction)?;
            transaction.commit()?;
            failpoint::reach(Point::StoreCommitted);
            Ok(result)
        };
        let result = write(&mut writer);
        if let Err(StoreError::Damaged(why)) = &result {
            self.replace(&mut writer, why)?;
        }
        result
    }

    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if !self.is_there.load(Ordering::Acquire) {
            self.begin(&mut self.writer.lock().unwrap_or_else(PoisonError::into_inner))?;
        }
        let (turn, result) = {
            let _there = self.moving.read().unwrap_or_else(PoisonError::into_inner);
            (self.turn(), self.read_there(work))
        };
        if let Err(StoreError::Damaged(why)) = &result {
            let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
            // Another reader of the same file may have been faster.
            if self.turn() == turn {
                self.replace(&mut writer, why)?;
            }
        }
        result
    }

    fn read_there<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut reader = match idle {
            Some(reader) => reader,
            None => connect(&self.path)?,
        };
        let result = work(&reader.transaction()?)?;
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
        Ok(result)
    }

    /// The names of the files that were set aside, ever, and are still there.
    pub(super) fn set_aside(&self) -> Vec<String> {
        let there = names_aside(&self.path).filter(|path| path.exists());
        there.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect()
    }

    /// Sets the file aside and begins another one. What was asked of the old one has failed, and is asked again.
    fn replace(&self, writer: &mut Connection, why: &str) -> Result<(), StoreError> {
        let _nobody_reads = self.moving.write().unwrap_or_else(PoisonError::into_inner);
        self.turn.fetch_add(1, Ordering::AcqRel);
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.is_there.store(false, Ordering::Release);
        *writer = Connection::open_in_memory()?;
        move_aside(&self.path, why)?;
        self.begin(writer)
    }

    /// Begins a file where there is none.
    fn begin(&self, writer: &mut Connection) -> Result<(), StoreError> {
        if !self.is_there.load(Ordering::Acquire) {
            *writer = open_writer(&self.path, &self.own, self.purpose)?;
            self.is_there.store(true, Ordering::Release);
        }
        Ok(())
    }
}

/// What damaged files are called, in order.
fn names_aside(path: &Path) -> impl Iterator<Item = PathBuf> {
    (1..=MOST_DAMAGED).map(|number| path.with_extension(format!("damaged-{number}.db")))
}

/// Gives the file and its log another name.
fn move_aside(path: &Path, why: &str) -> Result<(), StoreError> {
    let Some(aside) = names_aside(path).find(|aside| !aside.exists()) else {
        return Err(StoreError::Unavailable(format!("it is damaged ({why}), and so are {MOST_DAMAGED} earlier ones")));
    };
    tracing::error!(path = %path.display(), aside = %aside.display(), why, "the store is damaged and is set aside: a new \
        one is filled from what the spool keeps, and days that lack something are marked incomplete");
    let with = |path: &Path, suffix: &str| {
        let mut path = path.as_os_str().to_owned();
        path.push(suffix);
        PathBuf::from(path)
    };
    let moved = |suffix: &str| match std::fs::rename(with(path, suffix), with(&aside, suffix)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    };
    // The log first: beside a new file it would be taken for that one's.
    ["-wal", "-shm", ""].into_iter().try_for_each(moved).map_err(|error| StoreError::Unavailable(error.to_string()))
}

fn open_writer(path: &Path, own: &Installation, purpose: Purpose) -> Result<Connection, StoreError> {
    create_private(path).map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let mut writer = connect(path)?;
    // Nothing is written to a store that is refused.
    check_installation(&writer, path, own)?;
    if purpose == Purpose::Use && is_unfinished(&writer)? {
        return Err(StoreError::Unfinished(path.display().to_string()));
    }
    writer.pragma_update(None, "journal_mode", "WAL")?;
    writer.pragma_update(None, "synchronous", "FULL")?;
    create(&mut writer, own)?;
    Ok(writer)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    Ok(connection)
}

/// Refuses a store whose pseudonyms were made with another secret: no device would be recognised again. One that lost a
/// table is damaged: begun anew, it would contradict what the others refer to.
fn check_installation(writer: &Connection, path: &Path, own: &Installation) -> Result<(), StoreError> {
    let lacking = lacking_tables(writer)?;
    if lacking.len() == tables().count() {
        return Ok(());
    }
    let of_row = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, i64>(2)?));
    let Some((found, found_fingerprint, format)) =
        writer.query_row("SELECT id, fingerprint, format FROM installation", [], of_row).optional()?
    else {
        return Err(StoreError::Damaged("it does not say whose it is".to_owned()));
    };
    if format == FORMAT && !lacking.is_empty() {
        return Err(StoreError::Damaged(format!("it has no table {}", lacking.join(", "))));
    }
    let path = path.display().to_string();
    if format > FORMAT {
        return Err(StoreError::Newer { path, found: format, known: FORMAT });
    }
    if found != own.id.to_string() || found_fingerprint != own.fingerprint() {
        return Err(StoreError::Foreign { path, found, own: own.id.to_string() });
    }
    Ok(())
}

/// The tables of the present format.
fn tables() -> impl Iterator<Item = &'static str> {
    SCHEMA.lines().filter_map(|line| line.strip_prefix("CREATE TABLE IF NOT EXISTS ")?.split(' ').next())
}

fn lacking_tables(writer: &Connection) -> rusqlite::Result<Vec<&'static str>> {
    let mut lacking = Vec::new();
    for table in tables() {
        if !writer.table_exists(None, table)? {
            lacking.push(table);
        }
    }
    Ok(lacking)
}

fn is_unfinished(writer: &Connection) -> rusqlite::Result<bool> {
    Ok(writer.table_exists(None, "unfinished_copy")?
        && writer.query_row("SELECT count(*) FROM unfinished_copy", [], |row| row.get::<_, i64>(0))? > 0)
}

/// Creates what is missing, and brings what an older build wrote up to date, all at once.
fn create(writer: &mut Connection, own: &Installation) -> rusqlite::Result<()> {
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(SCHEMA)?;
    transaction.execute(
        "INSERT INTO installation (id, fingerprint, format) SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM installation)",
        params![own.id.to_string(), own.fingerprint(), FORMAT],
    )?;
    let format: i64 = transaction.query_row("SELECT format FROM installation", [], |row| row.get(0))?;
    if format < 2 {
        transaction.execute_batch(TAGS)?;
    }
    if format < 3 {
        transaction.execute_batch(TOMBSTONES)?;
    }
    transaction.commit()
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        if is_damage(&error) { Self::Damaged(error.to_string()) } else { Self::Unavailable(error.to_string()) }
    }
}

/// Whether the error says that the file does not hold what was written to it: pages that contradict themselves, tables
/// that are not there, values of another type or length.
fn is_damage(error: &rusqlite::Error) -> bool {
    let lacks = |said: &str| ["no such table", "no such column"].iter().any(|start| said.starts_with(start));
    if let rusqlite::Error::SqliteFailure(failure, said) = error {
        let is_malformed = matches!(failure.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase);
        return is_malformed || said.as_deref().is_some_and(lacks);
    }
    matches!(
        error,
        rusqlite::Error::SqlInputError { .. }
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
    )
}
