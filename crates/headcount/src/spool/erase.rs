//! Taking something out of rows that are there.

use std::time::Duration;

use rusqlite::{ErrorCode, params};

use super::file::BUSY;
use super::{Result, SpoolFile};

impl SpoolFile {
    /// Puts other bodies in the place of those of these rows, which keep their numbers and tags, and leaves nothing of the
    /// old ones in the file.
    pub fn replace_bodies(&self, bodies: &[(u64, Vec<u8>)]) -> Result<()> {
        self.connection.pragma_update(None, "secure_delete", true)?;
        let transaction = self.connection.unchecked_transaction()?;
        for (row, body) in bodies {
            transaction
                .prepare_cached("UPDATE row SET body = ?2 WHERE id = ?1")?
                .execute(params![*row as i64, body])?;
        }
        transaction.commit()?;
        self.connection.pragma_update(None, "secure_delete", false)?;
        // The log has them, too. Where somebody reads it now, it is written over later: to wait for him would keep commits
        // waiting.
        self.connection.busy_timeout(Duration::ZERO)?;
        let written = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        self.connection.busy_timeout(BUSY)?;
        match written {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(()),
            other => Ok(other?),
        }
    }
}
