//! The spool: the durable journal of events on this machine.
//!
//! Every start opens a new file under a new random id; the files of earlier starts are only drained. One thread
//! commits: it takes all events that wait, up to a limit, writes them as one row, and answers when the row is on disk.

mod answered;
mod committer;
mod erase;
mod file;
mod import;
mod recent;

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use headcount_engine::event::Event;
use headcount_engine::mark::SpoolId;
use headcount_engine::row::{RowError, Tally};
use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::{mpsc, oneshot};

pub use self::answered::{Answered, Skips};
use self::committer::{Committer, Waiting};
pub use self::file::{FORMAT, Receipt, SpoolFile, StoredRow};
pub use self::import::{Placed, WholeImport};
pub use self::recent::{REMEMBERED, RecentCheck, RecentChecks};
use crate::clock::Clock;
use crate::failpoint::{self, Point};
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
    /// A newer build wrote this row.
    #[error("row {row} of the spool {spool}: {error}")]
    Row {
        /// Whose row.
        spool: SpoolId,
        /// Its number.
        row: u64,
        /// Why it cannot be read.
        error: RowError,
    },
    /// It lacks tables that every spool file has.
    #[error("the spool file {path} is damaged")]
    Malformed {
        /// Where it lies.
        path: String,
    },
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

impl SpoolError {
    /// Whether it says nothing of the file: there is no room for another open one, no memory, or somebody else is at it.
    pub fn may_pass(&self) -> bool {
        use rusqlite::ErrorCode::{CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, OutOfMemory};
        let passing = [CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, OutOfMemory];
        match self {
            Self::File(error) => error.sqlite_error_code().is_some_and(|code| passing.contains(&code)),
            Self::Directory(_) | Self::Row { .. } | Self::Malformed { .. } | Self::Newer { .. } => false,
        }
    }
}

/// The bounds by which the times of commits are told apart, in seconds.
const COMMIT_SECONDS: [f64; 12] = [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

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
#[derive(Debug)]
struct Shared {
    // Rows committed since the start.
    commits: AtomicU64,
    // Rounds that the committer has finished, whatever became of them.
    rounds: AtomicU64,
    // The round that takes longer than requests wait, if it is the one under way: further ones do not wait at all.
    overdue: AtomicU64,
    used_bytes: AtomicU64,
    // How long commits took, in seconds.
    commit_times: Histogram,
    // The files that somebody writes, or deletes, now.
    claimed: Mutex<HashMap<SpoolId, Claimed>>,
    // The files that failed while they were written.
    failed: Mutex<BTreeSet<SpoolId>>,
    recent: RecentChecks,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            commits: AtomicU64::new(0),
            rounds: AtomicU64::new(0),
            overdue: AtomicU64::new(u64::MAX),
            used_bytes: AtomicU64::new(0),
            commit_times: Histogram::new(COMMIT_SECONDS),
            claimed: Mutex::default(),
            failed: Mutex::default(),
            recent: RecentChecks::default(),
        }
    }
}

/// The journal of this process.
#[derive(Debug)]
pub struct Spool {
    directory: PathBuf,
    limits: Limits,
    queue: mpsc::Sender<Waiting>,
    shared: Arc<Shared>,
    earlier: Answered,
}

impl Spool {
    /// Opens a new file below `directory` and starts the thread that commits to it. The thread ends when the spool is
    /// closed.
    pub fn open(directory: &Path, limits: Limits, clock: Clock) -> anyhow::Result<(Self, std::thread::JoinHandle<()>)> {
        std::fs::create_dir_all(directory)?;
        delete_unfinished(directory)?;
        let (queue, waiting) = mpsc::channel(limits.queue_events);
        let shared = Arc::new(Shared::default());
        let earlier = Answered::read(directory)?;
        let committer = Committer::new(directory.to_owned(), shared.clone(), clock, earlier)?;
        let thread = std::thread::Builder::new().name("committer".to_owned()).spawn(move || committer.run(waiting))?;
        Ok((Self { directory: directory.to_owned(), limits, queue, shared, earlier }, thread))
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

    /// What earlier processes answered.
    pub fn earlier(&self) -> &Answered {
        &self.earlier
    }

    /// How many events, and other things, wait for the committer.
    pub fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// How long commits took, in seconds.
    pub fn commit_times(&self) -> &Histogram {
        &self.shared.commit_times
    }

    /// The last checks that were committed.
    pub fn recent(&self) -> &RecentChecks {
        &self.shared.recent
    }

    /// How many bytes the files take, as of about a second ago, or of the question before where nothing is committed.
    pub fn used_bytes(&self) -> u64 {
        // A full queue has it measured, too.
        let _waits_already = self.queue.try_send(Waiting::Measure);
        self.shared.used_bytes.load(Ordering::Relaxed)
    }

    /// Takes the right to write or to delete that file; `None` while somebody else of this process has it.
    pub fn claim(&self, id: SpoolId) -> Option<Claim> {
        Claim::take(&self.shared, id, Claimed::Kept)
    }

    /// For what somebody of this process writes or deletes that file now.
    pub fn claimed(&self, id: SpoolId) -> Option<Claimed> {
        self.shared.claimed.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied()
    }

    /// The files that failed while this process wrote them, and were set aside. What is in them is shipped if it can be
    /// read, and then they go.
    pub fn failed(&self) -> BTreeSet<SpoolId> {
        let mut failed = self.shared.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.retain(|id| SpoolFile::path_of(&self.directory, *id).exists());
        failed.clone()
    }

    /// Whether the files of the spool take as many bytes as they may.
    pub fn is_full(&self) -> bool {
        let full = self.shared.used_bytes.load(Ordering::Relaxed) >= self.limits.max_bytes;
        if full {
            // Nothing is committed now that would have it measured again. A full queue does that, too.
            let _waits_already = self.queue.try_send(Waiting::Measure);
        }
        full
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
        let round = self.shared.rounds.load(Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        match self.queue.try_send(Waiting::Event(event, answer)) {
            Ok(()) => failpoint::reach(Point::EventQueued),
            Err(mpsc::error::TrySendError::Full(_)) => return Recorded::Skipped(SkipReason::Overload),
            Err(mpsc::error::TrySendError::Closed(_)) => return Recorded::Skipped(SkipReason::Disk),
        }
        if self.shared.overdue.load(Ordering::Relaxed) == round {
            return Recorded::Unconfirmed;
        }
        match tokio::time::timeout(self.limits.commit_wait, answered).await {
            Ok(Ok(recorded)) => recorded,
            // The committer died between taking the event and answering.
            Ok(Err(_)) => Recorded::Unconfirmed,
            Err(_) => {
                self.shared.overdue.store(round, Ordering::Relaxed);
                Recorded::Unconfirmed
            }
        }
    }

    /// Hands over how often checks and beacons were not counted, since the first start.
    pub async fn note_skips(&self, skips: Skips) {
        let _closed = self.queue.send(Waiting::Skips(skips)).await;
    }

    /// Hands tallies over, and waits until it is known whether they are in the journal.
    pub async fn tally(&self, tallies: Vec<Tally>) -> bool {
        let (answer, answered) = oneshot::channel();
        if self.queue.send(Waiting::Tallies(tallies, answer)).await.is_err() {
            return false;
        }
        // Where it is not known they are not counted twice.
        !matches!(answered.await, Ok(Recorded::Skipped(_)))
    }
}

/// What a claimed file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// Rows that are kept.
    Kept,
    /// An import that has not ended: it is kept as a whole or goes, and until then there is nothing to be read.
    Unfinished,
}

/// The right to write or to delete one file of the spool. While it lives, nobody else has it.
#[derive(Debug)]
pub struct Claim {
    id: SpoolId,
    shared: Arc<Shared>,
}

impl Claim {
    fn take(shared: &Arc<Shared>, id: SpoolId, claimed: Claimed) -> Option<Self> {
        let mut all = shared.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        let Entry::Vacant(place) = all.entry(id) else { return None };
        place.insert(claimed);
        Some(Self { id, shared: shared.clone() })
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

/// Deletes the files of imports that had not ended when the process did: nothing of them was promised. A file that
/// cannot be read is left alone; it keeps no other from being shipped, and no server from starting.
fn delete_unfinished(directory: &Path) -> Result<()> {
    for path in files(directory)? {
        if let Err(error) = delete_if_unfinished(&path) {
            tracing::error!(path = %path.display(), %error, "a file of the spool cannot be read and is left alone");
        }
    }
    Ok(())
}

fn delete_if_unfinished(path: &Path) -> Result<()> {
    match SpoolFile::open(path)? {
        Some(file) if !file.is_sealed()? => file.delete(),
        Some(_) | None => Ok(()),
    }
}
