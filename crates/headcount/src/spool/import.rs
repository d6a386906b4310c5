//! Imports: rows that do not wait for a group commit. They lie in files of their own.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use headcount_engine::day::Millis;
use headcount_engine::mark::{Mark, SpoolId};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Claim, Claimed, Result, Spool, SpoolError, SpoolFile, StoredRow};

/// Rows on their way to the disk.
const WAITING: usize = 2;

/// An import without numbers: all its rows are kept, or none. Dropped before it is sealed, it leaves nothing.
#[derive(Debug)]
pub struct WholeImport {
    rows: mpsc::Sender<Next>,
    writer: JoinHandle<Result<()>>,
}

#[derive(Debug)]
enum Next {
    Row(Vec<u8>),
    Seal,
}

/// What became of a numbered row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placed {
    /// It is on disk, now or since an earlier attempt; this is what the first one was answered.
    There(Vec<u8>),
    /// Another row has its number.
    Taken,
    /// The rows before it are not all there, or it was dropped: this is the next number.
    OutOfOrder(u64),
    /// Another import of this process writes the file now.
    Busy,
}

impl WholeImport {
    /// Begins a file under a new random id.
    pub fn begin(spool: Arc<Spool>, now: Millis) -> Self {
        let (rows, next) = mpsc::channel(WAITING);
        let writer = tokio::task::spawn_blocking(move || write_whole(&spool, now, next));
        Self { rows, writer }
    }

    /// Hands over the body of a row: a sealed [`headcount_engine::row::Row`].
    ///
    /// # Errors
    /// The file failed: nothing of the import is kept.
    pub async fn append(&mut self, body: Vec<u8>) -> Result<()> {
        if self.rows.send(Next::Row(body)).await.is_ok() { Ok(()) } else { joined(&mut self.writer).await }
    }

    /// Keeps the rows: they are on disk and will be shipped when this returns.
    ///
    /// # Errors
    /// The file failed: nothing of the import is kept.
    pub async fn seal(mut self) -> Result<()> {
        // A writer that has ended already says why.
        let _ended = self.rows.send(Next::Seal).await;
        joined(&mut self.writer).await
    }
}

async fn joined(writer: &mut JoinHandle<Result<()>>) -> Result<()> {
    writer.await.unwrap_or_else(|error| Err(SpoolError::Directory(std::io::Error::other(error))))
}

fn write_whole(spool: &Spool, now: Millis, next: mpsc::Receiver<Next>) -> Result<()> {
    let id = SpoolId(rand::random());
    // No other file has this id, so nobody else can have claimed it.
    let claim = Claim::take(&spool.shared, id, Claimed::Unfinished);
    let file = SpoolFile::create(&spool.directory, id, now, false)?;
    let written = write_rows(&file, next);
    if matches!(written, Ok(true)) {
        // First: who sees that something was committed finds it.
        drop(claim);
        spool.shared.commits.fetch_add(1, Ordering::Release);
    } else {
        // Also where sealing failed: whether it reached the disk is not known, and the caller is told that it did not.
        file.delete()?;
    }
    written.map(drop)
}

/// Whether the import ended well.
fn write_rows(file: &SpoolFile, mut next: mpsc::Receiver<Next>) -> Result<bool> {
    for row in 0.. {
        match next.blocking_recv() {
            Some(Next::Row(body)) => {
                let mark = Mark { row, tag: rand::random() };
                file.append(&StoredRow { mark, body, receipt: None })?;
            }
            Some(Next::Seal) => return file.seal().map(|()| true),
            None => break,
        }
    }
    Ok(false)
}

impl Spool {
    /// Puts a numbered row of an import into its file, unless it is there. `shipped` is the newest row that the store
    /// has. The row is on disk when this returns; it blocks.
    ///
    /// # Errors
    /// The file failed: whether the row is there is found out by the next attempt.
    pub fn place(&self, id: SpoolId, now: Millis, row: &StoredRow, shipped: Option<Mark>) -> Result<Placed> {
        let Some(_claim) = self.claim(id) else { return Ok(Placed::Busy) };
        let file = SpoolFile::create(&self.directory, id, now, true)?;
        let placed = place(&file, row, shipped)?;
        if matches!(placed, Placed::There(_)) {
            self.shared.commits.fetch_add(1, Ordering::Release);
        }
        Ok(placed)
    }
}

fn place(file: &SpoolFile, row: &StoredRow, shipped: Option<Mark>) -> Result<Placed> {
    let reply = |row: &StoredRow| row.receipt.as_ref().map_or_else(Vec::new, |receipt| receipt.bytes.clone());
    if let Some(there) = file.row(row.mark.row)? {
        let same = there.mark == row.mark;
        return Ok(if same { Placed::There(reply(&there)) } else { Placed::Taken });
    }
    if let Some(shipped) = shipped
        && file.row(shipped.row)?.is_some_and(|here| here.mark != shipped)
    {
        // Two machines import different things under one id: what follows here could never be shipped.
        return Ok(Placed::Taken);
    }
    let newest = file.newest()?.map(|mark| mark.row).max(file.shipped()?).max(shipped.map(|mark| mark.row));
    let next = newest.map_or(0, |newest| newest + 1);
    if row.mark.row != next {
        return Ok(Placed::OutOfOrder(next));
    }
    file.append(row)?;
    Ok(Placed::There(reply(row)))
}
