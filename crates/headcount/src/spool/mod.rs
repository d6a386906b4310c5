//! The spool: the durable journal of events on this machine.
//!
//! Every start opens a new file under a new random id; the files of earlier starts are only drained. One thread
//! commits: it takes all events that wait, up to a limit, writes them as one row, and answers when the row is on disk.

mod committer;
mod file;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use headcount_engine::day::Millis;
use headcount_engine::event::Event;
use headcount_engine::mark::SpoolId;
use headcount_engine::row::Tally;
use tokio::sync::{mpsc, oneshot};

use self::committer::{Committer, Waiting};
pub use self::file::{SpoolFile, StoredRow};
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
    // The file that is written now.
    current: ArcSwapOption<SpoolId>,
    // The files that imports of this process write now.
    importing: Mutex<HashSet<SpoolId>>,
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

    /// The file that is written now; every other one is only drained.
    pub fn current(&self) -> Option<SpoolId> {
        self.shared.current.load().as_deref().copied()
    }

    /// Whether an import of this process writes that file now.
    pub fn is_importing(&self, id: SpoolId) -> bool {
        self.shared.importing.lock().unwrap_or_else(PoisonError::into_inner).contains(&id)
    }

    /// Opens the file of an import for writing, or gives `None` while another import of this process writes it. A file
    /// that is not `sealed` is not shipped, and does not survive a restart, before [`SpoolFile::seal`].
    pub fn import(&self, id: SpoolId, now: Millis, sealed: bool) -> Result<Option<Import>> {
        let fresh = self.shared.importing.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        if !fresh {
            return Ok(None);
        }
        let claim = Claim { id, shared: self.shared.clone() };
        let file = SpoolFile::create(&self.directory, id, now, sealed)?;
        Ok(Some(Import { file, _claim: claim }))
    }

    /// Commits what waits and ends the committer; whatever comes later is skipped.
    pub async fn close(&self) {
        let _closed_before = self.queue.send(Waiting::Close).await;
    }

    /// Hands an event over, and waits a short time for its commit.
    pub async fn record(&self, event: Event) -> Recorded {
        if self.shared.used_bytes.load(Ordering::Relaxed) >= self.limits.max_bytes {
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

/// The file of one import. While it lives, nobody deletes the file and no other import writes it.
#[derive(Debug)]
pub struct Import {
    /// The file.
    pub file: SpoolFile,
    _claim: Claim,
}

#[derive(Debug)]
struct Claim {
    id: SpoolId,
    shared: Arc<Shared>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.shared.importing.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
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
