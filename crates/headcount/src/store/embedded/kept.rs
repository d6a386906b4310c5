//! What is kept of an owner beside segments and dictionary, and whether the store is an unfinished copy.

use headcount_engine::day::{Day, Millis};
use headcount_engine::id::{AppId, OwnerId};
use headcount_engine::mark::{Mark, SpoolId};
use rusqlite::{OptionalExtension as _, Params, Row, Transaction, params};

use super::super::kept::{Kept, Receipt};
use super::super::{StoreError, Tombstone};
use super::{Embedded, app_id, day_of, step};

impl Embedded {
    pub(in super::super) async fn kept(&self, owner: OwnerId) -> Result<Kept, StoreError> {
        self.read(move |transaction| kept(transaction, owner)).await
    }

    pub(in super::super) async fn keep_expired(
        &self,
        owner: OwnerId,
        expired: Vec<(AppId, Day, Millis)>,
    ) -> Result<(), StoreError> {
        self.write(move |transaction| {
            let sql = "INSERT OR REPLACE INTO expired (owner, app, day, at) VALUES (?1, ?2, ?3, ?4)";
            let mut insert = transaction.prepare_cached(sql)?;
            for (app, day, at) in expired {
                insert.execute(params![owner.0.as_bytes(), app.0.as_bytes(), day.0, at.0])?;
            }
            Ok(())
        })
        .await
    }

    pub(in super::super) async fn keep_tombstones(
        &self,
        owner: OwnerId,
        tombstones: Vec<Tombstone>,
    ) -> Result<(), StoreError> {
        self.write(move |transaction| {
            tombstones.into_iter().try_for_each(|tombstone| step::keep_tombstone(transaction, owner, tombstone))
        })
        .await
    }

    pub(in super::super) async fn copy_of(&self) -> Result<Option<String>, StoreError> {
        self.read(|transaction| {
            transaction.query_row("SELECT source FROM unfinished_copy", [], |row| row.get(0)).optional()
        })
        .await
    }

    pub(in super::super) async fn set_copy_of(&self, source: Option<String>) -> Result<(), StoreError> {
        self.write(move |transaction| {
            transaction.execute("DELETE FROM unfinished_copy", [])?;
            if let Some(source) = source {
                transaction.execute("INSERT INTO unfinished_copy (source) VALUES (?1)", [source])?;
            }
            Ok(())
        })
        .await
    }
}

fn kept(transaction: &Transaction<'_>, owner: OwnerId) -> rusqlite::Result<Kept> {
    let of = [owner.0.as_bytes()];
    Ok(Kept {
        marks: rows(transaction, "SELECT spool, row, tag, at FROM mark WHERE owner = ?1", of, |row| {
            Ok((SpoolId(row.get(0)?), mark(row, 1)?, Millis(row.get(3)?)))
        })?,
        receipts: rows(transaction, "SELECT spool, row, tag, bytes, at FROM receipt WHERE owner = ?1", of, |row| {
            let (spool, at) = (SpoolId(row.get(0)?), Millis(row.get(4)?));
            Ok(Receipt { spool, mark: mark(row, 1)?, bytes: row.get(3)?, at })
        })?,
        incomplete: rows(transaction, "SELECT app, day FROM incomplete WHERE owner = ?1", of, |row| {
            Ok((app_id(row, 0)?, day_of(row, 1)?))
        })?,
        expired: rows(transaction, "SELECT app, day, at FROM expired WHERE owner = ?1", of, |row| {
            Ok((app_id(row, 0)?, day_of(row, 1)?, Millis(row.get(2)?)))
        })?,
        erased: rows(transaction, "SELECT nullif(app, x''), at FROM erased WHERE owner = ?1", of, |row| {
            let app = row.get::<_, Option<[u8; 12]>>(0)?;
            Ok((app.map(headcount_engine::id::Id::from_bytes).map(AppId), Millis(row.get(1)?)))
        })?,
        tombstones: super::read::tombstones(transaction, owner)?,
    })
}

fn rows<T>(
    transaction: &Transaction<'_>,
    sql: &str,
    parameters: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    transaction.prepare_cached(sql)?.query_map(parameters, read)?.collect()
}

fn mark(row: &Row<'_>, column: usize) -> rusqlite::Result<Mark> {
    Ok(Mark { row: row.get::<_, i64>(column)? as u64, tag: row.get(column + 1)? })
}
