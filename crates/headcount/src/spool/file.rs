//! One file of the spool: the rows of one spool id.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use headcount_engine::day::{Day, Millis};
use headcount_engine::id::{AppId, Id, OwnerId};
use headcount_engine::row;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row, Transaction, TransactionBehavior, params};

use super::{Result, SpoolError};
use crate::failpoint::{self, Point};
use crate::private::create_private;
use headcount_engine::mark::{Mark, SpoolId};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS spool (format INTEGER NOT NULL, created_at INTEGER NOT NULL, sealed INTEGER NOT NULL);
    -- The journal. `receipt` is what an import of the owner is answered for this row.
    CREATE TABLE IF NOT EXISTS row (
        id INTEGER PRIMARY KEY, tag BLOB NOT NULL, body BLOB NOT NULL, owner BLOB, receipt BLOB
    );
    -- Which days the rows held that are no longer kept: the newest such row for each.
    CREATE TABLE IF NOT EXISTS dropped (
        owner BLOB NOT NULL, app BLOB NOT NULL, day INTEGER NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (owner, app, day)
    );
    -- Up to which row everything was in the store, and since when.
    CREATE TABLE IF NOT EXISTS shipped (row INTEGER PRIMARY KEY, at INTEGER NOT NULL);
    -- Up to which row the store has acknowledged an owner's events.
    CREATE TABLE IF NOT EXISTS acknowledged (owner BLOB PRIMARY KEY, row INTEGER NOT NULL, tag BLOB NOT NULL);
    -- How many checks and beacons had which outcome, since the first start. A file of an import has none.
    CREATE TABLE IF NOT EXISTS answered (outcome TEXT PRIMARY KEY, count INTEGER NOT NULL);
";

/// The version of a spool file's tables.
pub const FORMAT: i64 = 1;
/// How long one writer of a file waits for another.
pub(super) const BUSY: Duration = Duration::from_secs(5);
/// How many pages of a drained file are given back at once.
const SHRINK_PAGES: u32 = 1024;

/// One row as it lies in the file.
#[derive(Debug, Clone)]
pub struct StoredRow {
    /// Its number and its tag.
    pub mark: Mark,
    /// A sealed [`row::Row`].
    pub body: Vec<u8>,
    /// What the import that brought it is answered, if it came from one that has numbers.
    pub receipt: Option<Receipt>,
}

/// What an import is answered for one row. The row belongs to the owner even where it holds no event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Whose import it is.
    pub owner: OwnerId,
    /// The body of the reply.
    pub bytes: Vec<u8>,
}

/// One file of the spool, open for reading or for writing.
#[derive(Debug)]
pub struct SpoolFile {
    id: SpoolId,
    path: PathBuf,
    pub(super) connection: Connection,
}

impl SpoolFile {
    /// Where the file of that id lies.
    pub fn path_of(directory: &Path, id: SpoolId) -> PathBuf {
        directory.join(format!("{id}.db"))
    }

    /// Opens the file of that id for writing; creates it if there is none. A file that is not `sealed` holds an import
    /// that has not ended; its rows are not shipped before it is sealed.
    pub fn create(directory: &Path, id: SpoolId, now: Millis, sealed: bool) -> Result<Self> {
        let path = Self::path_of(directory, id);
        create_private(&path)?;
        let connection = Connection::open(&path)?;
        connection.busy_timeout(BUSY)?;
        // A drained file gives back its room; before there is a table, or never.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        // A group commit is one append to the log and one fsync of it.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        // In one step: whoever finds the tables finds the file whole. One that begins by writing waits for others.
        let transaction = Transaction::new_unchecked(&connection, TransactionBehavior::Immediate)?;
        transaction.execute_batch(SCHEMA)?;
        transaction.execute(
            "INSERT INTO spool (format, created_at, sealed) SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM spool)",
            params![FORMAT, now.0, sealed],
        )?;
        transaction.commit()?;
        let file = Self { id, path, connection };
        file.check_format()?;
        Ok(file)
    }

    /// Opens the file at that path for reading; `None` if its name is not that of a spool file.
    pub fn open(path: &Path) -> Result<Option<Self>> {
        let named = path.extension().is_some_and(|extension| extension == "db");
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let Some(id) = stem.filter(|_| named).and_then(|stem| stem.parse().ok()) else { return Ok(None) };
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        let file = Self { id, path: path.to_owned(), connection };
        file.check_format()?;
        Ok(Some(file))
    }

    /// Whether its creation came so far that it can hold rows.
    fn has_tables(&self) -> Result<bool> {
        let tables = "SELECT count(*), count(*) FILTER (WHERE name = 'spool') FROM sqlite_schema";
        match self.connection.query_row(tables, [], |row| Ok((row.get(0)?, row.get(1)?)))? {
            (0, _) => Ok(false),
            // They are created in one step. A file that has some of them only is damaged, and may hold rows.
            (_, 0) => Err(SpoolError::Malformed { path: self.path.display().to_string() }),
            (_, _) => Ok(true),
        }
    }

    fn check_format(&self) -> Result<()> {
        if !self.has_tables()? {
            return Ok(());
        }
        let found: i64 = self.connection.query_row("SELECT format FROM spool", [], |row| row.get(0))?;
        if found <= FORMAT {
            return Ok(());
        }
        Err(SpoolError::Newer { path: self.path.display().to_string(), found, known: FORMAT })
    }

    /// The id of the spool.
    pub fn id(&self) -> SpoolId {
        self.id
    }

    /// Whether all its rows may be shipped.
    pub fn is_sealed(&self) -> Result<bool> {
        Ok(self.has_tables()? && self.connection.query_row("SELECT sealed FROM spool", [], |row| row.get(0))?)
    }

    /// Says that the import has ended: its rows may be shipped.
    pub fn seal(&self) -> Result<()> {
        self.connection.execute("UPDATE spool SET sealed = 1", [])?;
        Ok(())
    }

    /// Appends one row; it is on disk when this returns.
    pub fn append(&self, row: &StoredRow) -> Result<()> {
        self.connection
            .prepare_cached("INSERT INTO row (id, tag, body, owner, receipt) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![
                row.mark.row as i64,
                row.mark.tag,
                row.body,
                row.receipt.as_ref().map(|receipt| receipt.owner.0.as_bytes()),
                row.receipt.as_ref().map(|receipt| &receipt.bytes),
            ])?;
        Ok(())
    }

    /// The rows behind `after`, in order, up to about `bytes` of them but at least one if there is any.
    pub fn rows_after(&self, after: Option<u64>, bytes: usize) -> Result<Vec<StoredRow>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT id, tag, body, owner, receipt FROM row WHERE id > ?1 ORDER BY id")?;
        let mut found = statement.query([after.map_or(-1, |row| row as i64)])?;
        let (mut rows, mut taken) = (Vec::new(), 0);
        while taken < bytes {
            match found.next().and_then(|row| row.map(stored_row).transpose()) {
                Ok(Some(row)) => {
                    taken += row.body.len();
                    rows.push(row);
                }
                Ok(None) => break,
                // What lies before the damage is whole.
                Err(_) if !rows.is_empty() => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(rows)
    }

    /// The row of that number, if it is kept.
    pub fn row(&self, number: u64) -> Result<Option<StoredRow>> {
        let mut statement =
            self.connection.prepare_cached("SELECT id, tag, body, owner, receipt FROM row WHERE id = ?1")?;
        Ok(statement.query_row([number as i64], stored_row).optional()?)
    }

    /// The number and tag of the newest row.
    pub fn newest(&self) -> Result<Option<Mark>> {
        let mut statement = self.connection.prepare_cached("SELECT id, tag FROM row ORDER BY id DESC LIMIT 1")?;
        let mark = |row: &Row<'_>| Ok(Mark { row: row.get::<_, i64>(0)? as u64, tag: row.get(1)? });
        Ok(statement.query_row([], mark).optional()?)
    }

    /// The number of the oldest row that is kept.
    pub fn oldest(&self) -> Result<Option<u64>> {
        let oldest: Option<i64> = self.connection.query_row("SELECT min(id) FROM row", [], |row| row.get(0))?;
        Ok(oldest.map(|row| row as u64))
    }

    /// When the file was created.
    pub fn created_at(&self) -> Result<Millis> {
        Ok(self.connection.query_row("SELECT created_at FROM spool", [], |row| row.get(0).map(Millis))?)
    }

    /// Up to which row each owner's events were acknowledged.
    pub fn acknowledged(&self) -> Result<BTreeMap<OwnerId, Mark>> {
        let mut statement = self.connection.prepare_cached("SELECT owner, row, tag FROM acknowledged")?;
        let rows = statement.query_map([], |row| {
            let mark = Mark { row: row.get::<_, i64>(1)? as u64, tag: row.get(2)? };
            Ok((OwnerId(Id::from_bytes(row.get(0)?)), mark))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Up to which row everything was shipped, as far as it was noted.
    pub fn shipped(&self) -> Result<Option<u64>> {
        let newest =
            self.connection.query_row("SELECT max(row) FROM shipped", [], |row| row.get::<_, Option<i64>>(0))?;
        Ok(newest.map(|row| row as u64))
    }

    /// Notes that everything up to `row` is in the store.
    pub fn note_shipped(&self, row: u64, at: Millis, owners: &BTreeMap<OwnerId, Mark>) -> Result<()> {
        let transaction = self.connection.unchecked_transaction()?;
        transaction.execute("INSERT OR IGNORE INTO shipped (row, at) VALUES (?1, ?2)", params![row as i64, at.0])?;
        {
            let mut statement = transaction
                .prepare_cached("INSERT OR REPLACE INTO acknowledged (owner, row, tag) VALUES (?1, ?2, ?3)")?;
            for (owner, mark) in owners {
                statement.execute(params![owner.0.as_bytes(), mark.row as i64, mark.tag])?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    /// Takes a note back: of this owner the store has only what is up to `kept`, and shipping starts again behind
    /// `position`.
    pub fn withdraw(&self, owner: OwnerId, kept: Option<Mark>, position: Option<u64>) -> Result<()> {
        let transaction = self.connection.unchecked_transaction()?;
        transaction.execute("DELETE FROM acknowledged WHERE owner = ?1", [owner.0.as_bytes()])?;
        if let Some(mark) = kept {
            transaction.execute(
                "INSERT INTO acknowledged (owner, row, tag) VALUES (?1, ?2, ?3)",
                params![owner.0.as_bytes(), mark.row as i64, mark.tag],
            )?;
        }
        let position = position.map_or(-1, |row| row as i64);
        transaction.execute("DELETE FROM shipped WHERE row > ?1", [position])?;
        transaction.commit()?;
        Ok(())
    }

    /// The newest row that was shipped before `before`: no store needs it, or an older one, to be filled again.
    pub fn shipped_before(&self, before: Millis) -> Result<Option<u64>> {
        let row = self
            .connection
            .query_row("SELECT max(row) FROM shipped WHERE at < ?1", [before.0], |row| row.get::<_, Option<i64>>(0))?;
        Ok(row.map(|row| row as u64))
    }

    /// Since when the oldest row that is kept has been in the store, as far as it was noted.
    pub fn kept_since(&self) -> Result<Option<Millis>> {
        let at = self.connection.query_row(
            "SELECT min(at) FROM shipped WHERE row >= (SELECT min(id) FROM row)",
            [],
            |row| row.get::<_, Option<i64>>(0),
        )?;
        Ok(at.map(Millis))
    }

    /// How many bytes of the file are in use.
    pub fn used_bytes(&self) -> Result<u64> {
        let pragma = |name: &str| self.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let pages = pragma("page_count")? - pragma("freelist_count")?;
        Ok((pages * pragma("page_size")?) as u64)
    }

    /// How many bytes the rows behind `after` take, up to `through`.
    pub fn bytes_of_rows(&self, after: Option<u64>, through: u64) -> Result<u64> {
        let bytes: i64 = self.connection.query_row(
            "SELECT coalesce(sum(length(body)), 0) FROM row WHERE id > ?1 AND id <= ?2",
            params![after.map_or(-1, |row| row as i64), through as i64],
            |row| row.get(0),
        )?;
        Ok(bytes as u64)
    }

    /// Drops the oldest rows that are not newer than `through`, about `most` bytes of them but at least one if there
    /// is any, and notes which days they held. Gives the number of bytes dropped.
    pub fn trim(&self, through: u64, most: usize) -> Result<u64> {
        // Shipped rows change no more. What is read before the transaction keeps no commit waiting, and a transaction
        // that began with reading could not write after one.
        let mut days: BTreeMap<(OwnerId, AppId, Day), u64> = BTreeMap::new();
        let mut oldest = self.rows_after(None, most)?;
        oldest.retain(|row| row.mark.row <= through);
        let Some(last) = oldest.last().map(|row| row.mark.row) else { return Ok(0) };
        for row in &oldest {
            days.extend(row::days(&row.body).into_iter().map(|day| (day, row.mark.row)));
        }
        let transaction = self.connection.unchecked_transaction()?;
        transaction.execute("DELETE FROM row WHERE id <= ?1", [last as i64])?;
        failpoint::reach(Point::SpoolTrimming);
        // The newest note of what is no longer kept says how far it was shipped; the older ones say nothing any more.
        transaction
            .execute("DELETE FROM shipped WHERE row < (SELECT max(row) FROM shipped WHERE row <= ?1)", [last as i64])?;
        for ((owner, app, day), number) in days {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO dropped (owner, app, day, row) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![owner.0.as_bytes(), app.0.as_bytes(), day.0, number as i64])?;
        }
        transaction.commit()?;
        Ok(oldest.iter().map(|row| row.body.len() as u64).sum())
    }

    /// Gives the room of dropped rows back to the disk; in a file that is still written it is used again anyway.
    pub fn shrink(&self) -> Result<()> {
        let free = || self.connection.pragma_query_value(None, "freelist_count", |row| row.get::<_, i64>(0));
        let mut left = free()?;
        while left > 0 {
            self.connection.execute_batch(&format!("PRAGMA incremental_vacuum({SHRINK_PAGES})"))?;
            let now = free()?;
            if now >= left {
                break;
            }
            left = now;
        }
        Ok(())
    }

    /// The days of an owner that rows behind `after` held and that are no longer kept.
    pub fn dropped_after(&self, owner: OwnerId, after: Option<u64>) -> Result<Vec<(AppId, Day)>> {
        let mut statement =
            self.connection.prepare_cached("SELECT app, day FROM dropped WHERE owner = ?1 AND row > ?2")?;
        let rows = statement.query_map(params![owner.0.as_bytes(), after.map_or(-1, |row| row as i64)], |row| {
            Ok((AppId(Id::from_bytes(row.get(0)?)), Day(row.get(1)?)))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Forgets which days dropped rows held where the days are before `first`; reports do not show them any more.
    pub fn forget_before(&self, first: Day) -> Result<()> {
        self.connection.execute("DELETE FROM dropped WHERE day < ?1", [first.0])?;
        Ok(())
    }

    /// Whether nothing is left that a store could ever need.
    pub fn is_spent(&self) -> Result<bool> {
        let left: i64 = self.connection.query_row(
            "SELECT (SELECT count(*) FROM (SELECT 1 FROM row LIMIT 1)) + (SELECT count(*) FROM (SELECT 1 FROM dropped LIMIT 1))",
            [],
            |row| row.get(0),
        )?;
        Ok(left == 0)
    }

    /// Closes the file and deletes it.
    pub fn delete(self) -> Result<()> {
        drop(self.connection);
        for suffix in ["-wal", "-shm", ""] {
            let mut path = self.path.clone().into_os_string();
            path.push(suffix);
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }
}

fn stored_row(row: &Row<'_>) -> rusqlite::Result<StoredRow> {
    let owner: Option<[u8; 12]> = row.get(3)?;
    let receipt = match owner {
        Some(owner) => Some(Receipt { owner: OwnerId(Id::from_bytes(owner)), bytes: row.get(4)? }),
        None => None,
    };
    Ok(StoredRow { mark: Mark { row: row.get::<_, i64>(0)? as u64, tag: row.get(1)? }, body: row.get(2)?, receipt })
}
