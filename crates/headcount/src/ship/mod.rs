//! From the spool to the store, exactly once.
//!
//! One thread reads what follows each owner's mark, folds it, and applies it by compare-and-set in the same step that
//! moves the mark. Whatever fails is tried again; nothing is applied twice, because the mark admits each row once.

mod ahead;
mod dictionary;
mod fold;
mod scrub;
mod shipper;
mod source;
mod step;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use headcount_engine::day::Millis;
use headcount_engine::mark::SpoolId;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use self::shipper::Shipper;
use crate::clock::Clock;
use crate::retention::Retention;
use crate::spool::{Spool, SpoolError};
use crate::store::{Store, StoreError};

/// What the shipper needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How often it ships without being asked.
    pub interval: Duration,
    /// For how many days devices are kept.
    pub retention: Retention,
    /// How long shipped rows are kept, so that a store that lost something is filled again.
    pub replay_window: Duration,
    /// How many bytes of them at most, in all files of the spool.
    pub replay_bytes: u64,
}

/// Shipping failed; it goes on by itself.
#[derive(Debug, Clone, thiserror::Error)]
#[error("events are not in the store yet: {cause}; the oldest has waited for {lag_millis} ms")]
pub struct Lagging {
    /// Why.
    pub cause: String,
    /// For how long nothing was shipped completely.
    pub lag_millis: i64,
}

/// What the shipper does not ship, or not yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// The files of the spool that cannot be read: what they hold is not counted until they can.
    pub unreadable: BTreeSet<SpoolId>,
    /// How many damaged rows were passed over since the start, of files that are still there.
    pub damaged_rows: u64,
    /// How many events wait because the clock was ahead when they were accepted.
    pub ahead_events: u64,
    /// When the first of them will be shipped.
    pub ahead_until: Option<Millis>,
}

/// How others ask the shipper.
#[derive(Debug, Clone)]
pub struct Shipping {
    requests: mpsc::Sender<oneshot::Sender<Result<(), Lagging>>>,
    progress: Arc<Progress>,
    spool: Arc<Spool>,
    store: Arc<Store>,
    clock: Clock,
}

#[derive(Debug, Default)]
struct Progress {
    // One more than the commits of the spool that are in the store; 0 until what earlier processes left is there.
    commits: AtomicU64,
    // The turn of the store that they are in.
    turn: AtomicU64,
    // When everything that was committed was in the store, last.
    complete_at: AtomicI64,
    // Since when the oldest row has been in the store that is kept for one that loses something; i64::MAX for none.
    kept_since: AtomicI64,
    // What the newest pass did not ship.
    held: Mutex<Held>,
}

impl Progress {
    fn set_held(&self, held: Held) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = held;
    }
}

impl Shipping {
    /// Returns when everything that was committed before the call is in the store.
    pub async fn flush(&self) -> Result<(), Lagging> {
        let lagging = |cause: &str| Lagging { cause: cause.to_owned(), lag_millis: self.lag_millis() };
        let (answer, answered) = oneshot::channel();
        self.requests.send(answer).await.map_err(|_| lagging("the shipper has stopped"))?;
        answered.await.map_err(|_| lagging("the shipper has stopped"))?
    }

    /// The same for what was recorded by checks and beacons; costs nothing where nothing waits.
    pub async fn flush_recorded(&self) -> Result<(), Lagging> {
        let is_same = self.progress.turn.load(Ordering::Acquire) == self.store.turn();
        if is_same && self.progress.commits.load(Ordering::Acquire) > self.spool.commits() {
            return Ok(());
        }
        self.flush().await
    }

    /// For how many milliseconds shipped rows are kept now: a store that was lost for no longer is filled again.
    pub fn replay_millis(&self) -> i64 {
        (self.clock.now().0.saturating_sub(self.progress.kept_since.load(Ordering::Relaxed))).max(0)
    }

    /// What is not shipped, as of the newest pass.
    pub fn held(&self) -> Held {
        self.progress.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// For how many milliseconds something may have waited that is not in the store.
    pub fn lag_millis(&self) -> i64 {
        (self.clock.now().0 - self.progress.complete_at.load(Ordering::Relaxed)).max(0)
    }
}

/// Starts the shipper. It ends, after a last pass, when `stop` is cancelled or nobody is left to ask it.
pub fn start(
    spool: Arc<Spool>,
    store: Arc<Store>,
    clock: Clock,
    settings: Settings,
    stop: CancellationToken,
) -> std::io::Result<(Shipping, std::thread::JoinHandle<()>)> {
    let (requests, asked) = mpsc::channel(1024);
    let progress = Arc::new(Progress::default());
    progress.complete_at.store(clock.now().0, Ordering::Relaxed);
    progress.kept_since.store(i64::MAX, Ordering::Relaxed);
    let shipping = Shipping {
        requests,
        progress: progress.clone(),
        spool: spool.clone(),
        store: store.clone(),
        clock: clock.clone(),
    };
    let shipper = Shipper::new(spool, store, clock, settings, progress);
    // A runtime of its own: shipping goes on however busy the requests keep theirs, and ends after it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let thread = std::thread::Builder::new()
        .name("shipper".to_owned())
        .spawn(move || runtime.block_on(shipper.run(asked, stop)))?;
    Ok((shipping, thread))
}

/// How often one step is tried again at once after somebody else's step came first.
const ATTEMPTS: usize = 8;

/// Why a pass ended early.
#[derive(Debug, thiserror::Error)]
enum ShipError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error("other instances shipped the same owner at the same time, {ATTEMPTS} times in a row")]
    Contended,
}
