//! The spool: the durable journal of events on this machine.
//!
//! Every start opens a new file under a new random id; the files of earlier starts are only drained. One thread
//! commits: it takes all events that wait, up to a limit, writes them as one row, and answers when the row is on disk.

mod committer;
mod file;
mod import;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use headcount_engine::event::Event;
use headcount_engine::mark::SpoolId;
use headcount_engine::row::Tally;
use tokio::sync::{mpsc, oneshot};

use self::committer::{Committer, Waiting};
pub use self::file::{Receipt, SpoolFile, StoredRow};
pub use self::import::{Placed, WholeImport};
use crate::clock::Clock;
use headcount_engine::recorded::{Recorded, SkipReason};

/// A file of the spool failed.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The file system or the file refused.
    #[error("the spool failed: {0}")]
    File(#[from] rusqlite::Error),
    /// The files cannot be listed or deleted.
    #[error("the spool failed: {0}")]
    Directory(#[from] std::io::Error),
    /// A newer build wrote it.
    #[error("the spool file {path} has format {found}; this build reads up to {known}")]
    Newer {
        /// Where it lies.
        path: String,
        /// The format found.
        found: i64,
        /// The newest format known.
        known: i64,
    },
}

/// What the spool's files answer.
pub type Result<T> = std::result::Result<T, SpoolError>;

/// The limits of the spool.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Events that may wait for their commit.
    pub queue_events: usize,
    /// How long a request waits for its commit.
    pub commit_wait: Duration,
    /// Bytes of the spool at which new events are skipped.
    pub max_bytes: u64,
}

/// What the committer and the requests know of each other.
#[derive(Debug, Default)]
struct Shared {
    // Rows committed since the start.
    commits: AtomicU64,
    // A commit takes longer than requests wait: further ones do not wait at all.
    overdue: AtomicBool,
    used_bytes: AtomicU64,
    // The files that somebody writes, or deletes, now.
    claimed: Mutex<HashSet<SpoolId>>,
}

/// The journal of this process.
#[derive(Debug)]
pub struct Spool {
    directory: PathBuf,
    limits: Limits,
    queue: mpsc::Sender<Waiting>,
    shared: Arc<Shared>,
}

impl Spool {
    /// Opens a new file below `directory` and starts the thread that commits to it. The thread ends when the spool is
    /// closed.
    pub fn open(directory: &Path, limits: Limits, clock: Clock) -> anyhow::Result<(Self, std::thread::JoinHandle<()>)> {
        std::fs::create_dir_all(directory)?;
        delete_unfinished(directory)?;
        let (queue, waiting) = mpsc::channel(limits.queue_events);
        let shared = Arc::new(Shared::default());
        let committer = Committer::new(directory.to_owned(), shared.clone(), clock)?;
        let thread = std::thread::Builder::new().name("committer".to_owned()).spawn(move || committer.run(waiting))?;
        Ok((Self { directory: directory.to_owned(), limits, queue, shared }, thread))
    }

    /// Where the files lie.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// How many rows were committed since the start: a report that shows what was recorded before some moment has to
    /// ship what was committed until then.
    pub fn commits(&self) -> u64 {
        self.shared.commits.load(Ordering::Acquire)
    }

    /// Takes the right to write or to delete that file; `None` while somebody else of this process has it.
    pub fn claim(&self, id: SpoolId) -> Option<Claim> {
        Claim::take(&self.shared, id)
    }

    /// Whether the files of the spool take as many bytes as they may.
    pub fn is_full(&self) -> bool {
        self.shared.used_bytes.load(Ordering::Relaxed) >= self.limits.max_bytes
    }

    /// Commits what waits and ends the committer; whatever comes later is skipped.
    pub async fn close(&self) {
        let _closed_before = self.queue.send(Waiting::Close).await;
    }

    /// Hands an event over, and waits a short time for its commit.
    pub async fn record(&self, event: Event) -> Recorded {
        if self.is_full() {
            return Recorded::Skipped(SkipReason::Disk);
        }
        let (answer, answered) = oneshot::channel();
        match self.queue.try_send(Waiting::Event(event, answer)) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => return Recorded::Skipped(SkipReason::Overload),
            Err(mpsc::error::TrySendError::Closed(_)) => return Recorded::Skipped(SkipReason::Disk),
        }
        if self.shared.overdue.load(Ordering::Relaxed) {
            return Recorded::Unconfirmed;
        }
        match tokio::time::timeout(self.limits.commit_wait, answered).await {
            Ok(Ok(recorded)) => recorded,
            // The committer died between taking the event and answering.
            Ok(Err(_)) => Recorded::Unconfirmed,
            Err(_) => {
                self.shared.overdue.store(true, Ordering::Relaxed);
                Recorded::Unconfirmed
            }
        }
    }

    /// Hands tallies over. They are counted once or, if the process dies within a moment, not at all.
    pub async fn tally(&self, tallies: Vec<Tally>) {
        // Without a committer there is no way to count them; the skips themselves were answered.
        let _closed = self.queue.send(Waiting::Tallies(tallies)).await;
    }
}

/// The right to write or to delete one file of the spool. While it lives, nobody else has it.
#[derive(Debug)]
pub struct Claim {
    id: SpoolId,
    shared: Arc<Shared>,
}

impl Claim {
    fn take(shared: &Arc<Shared>, id: SpoolId) -> Option<Self> {
        let fresh = shared.claimed.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        fresh.then(|| Self { id, shared: shared.clone() })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.shared.claimed.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// The paths of all files of the spool below `directory`.
pub fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "db") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Deletes the files of imports that had not ended when the process did: nothing of them was promised.
fn delete_unfinished(directory: &Path) -> anyhow::Result<()> {
    for path in files(directory)? {
        if let Some(file) = SpoolFile::open(&path)?
            && !file.is_sealed()?
        {
            file.delete()?;
        }
    }
    Ok(())
}
