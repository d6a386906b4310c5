//! From the spool to the store, exactly once.
//!
//! One thread reads what follows each owner's mark, folds it, and applies it by compare-and-set in the same step that
//! moves the mark. Whatever fails is tried again; nothing is applied twice, because the mark admits each row once.

mod dictionary;
mod fold;
mod source;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use headcount_engine::day::{Day, Millis};
use headcount_engine::id::OwnerId;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use self::dictionary::Dictionary;
use self::fold::{DecodedRow, Folded, fold};
use self::source::{Source, Standing};
use crate::clock::Clock;
use crate::spool::{self, Spool, SpoolError};
use crate::store::{Applied, Block, Step, Store, StoreError};
use headcount_engine::mark::SpoolId;

/// How long two early flushes are apart at least.
const EARLY: Duration = Duration::from_millis(50);
/// How often the store's marks are compared with what was acknowledged.
const DOUBT: Duration = Duration::from_secs(5);
/// How often progress is noted in the files and old rows are dropped.
const NOTE: Duration = Duration::from_secs(10);
/// How often one step is tried again at once after somebody else's step came first.
const ATTEMPTS: usize = 8;

/// What the shipper needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How often it ships without being asked.
    pub interval: Duration,
    /// Days before today that reports show.
    pub retention_days: u32,
    /// How long shipped rows are kept, so that a store that lost something is filled again.
    pub replay_window: Duration,
    /// How many bytes of them at most, in one file of the spool.
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

/// How others ask the shipper.
#[derive(Debug, Clone)]
pub struct Shipping {
    requests: mpsc::Sender<oneshot::Sender<Result<(), Lagging>>>,
    progress: Arc<Progress>,
    spool: Arc<Spool>,
    clock: Clock,
}

#[derive(Debug, Default)]
struct Progress {
    // The commits of the spool that are in the store.
    commits: AtomicU64,
    // When everything that was committed was in the store, last.
    complete_at: AtomicI64,
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
        if self.progress.commits.load(Ordering::Acquire) >= self.spool.commits() {
            return Ok(());
        }
        self.flush().await
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
    let shipping = Shipping { requests, progress: progress.clone(), spool: spool.clone(), clock: clock.clone() };
    let long_ago = Instant::now();
    let shipper = Shipper {
        spool,
        store,
        clock,
        settings,
        progress,
        sources: HashMap::new(),
        dictionaries: HashMap::new(),
        doubted: long_ago,
        noted: long_ago,
    };
    // A runtime of its own: shipping goes on however busy the requests keep theirs, and ends after it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let thread = std::thread::Builder::new()
        .name("shipper".to_owned())
        .spawn(move || runtime.block_on(shipper.run(asked, stop)))?;
    Ok((shipping, thread))
}

struct Shipper {
    spool: Arc<Spool>,
    store: Arc<Store>,
    clock: Clock,
    settings: Settings,
    progress: Arc<Progress>,
    sources: HashMap<SpoolId, Source>,
    dictionaries: HashMap<OwnerId, Dictionary>,
    doubted: Instant,
    noted: Instant,
}

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

impl Shipper {
    async fn run(mut self, mut asked: mpsc::Receiver<oneshot::Sender<Result<(), Lagging>>>, stop: CancellationToken) {
        let mut waiting = Vec::new();
        loop {
            tokio::select! {
                request = asked.recv() => match request {
                    Some(request) => waiting.push(request),
                    // Nobody is left who could ask: the server is gone.
                    None => break,
                },
                () = tokio::time::sleep(self.settings.interval) => {}
                () = stop.cancelled() => break,
            }
            while let Ok(request) = asked.try_recv() {
                waiting.push(request);
            }
            let early = !waiting.is_empty();
            let result = self.pass().await;
            for request in waiting.drain(..) {
                // Who no longer waits has been answered.
                let _gone = request.send(result.clone());
            }
            if early {
                tokio::time::sleep(EARLY).await;
            }
        }
        if let Err(lagging) = self.pass().await {
            tracing::warn!(%lagging, "the last events stay in the spool and are shipped at the next start");
        }
        self.note(true);
    }

    async fn pass(&mut self) -> Result<(), Lagging> {
        let (commits, at) = (self.spool.commits(), self.clock.now());
        match self.ship_all(at).await {
            Ok(()) => {
                self.progress.commits.store(commits, Ordering::Release);
                self.progress.complete_at.store(at.0, Ordering::Relaxed);
                self.note(false);
                Ok(())
            }
            Err(error) => {
                tracing::warn!(%error, "shipping failed; it is tried again");
                let lag_millis = (self.clock.now().0 - self.progress.complete_at.load(Ordering::Relaxed)).max(0);
                Err(Lagging { cause: error.to_string(), lag_millis })
            }
        }
    }

    async fn ship_all(&mut self, now: Millis) -> Result<(), ShipError> {
        self.open_sources().await?;
        if self.doubted.elapsed() >= DOUBT {
            self.doubted = Instant::now();
            for (&id, source) in &mut self.sources {
                source.follow(&self.store.marks(id).await?)?;
            }
        }
        let mut ids: Vec<SpoolId> = self.sources.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            // Taken out while it is shipped, so that the rest of the shipper can be used meanwhile.
            let Some(mut source) = self.sources.remove(&id) else { continue };
            let result = self.ship_source(&mut source, now).await;
            self.sources.insert(id, source);
            result?;
        }
        Ok(())
    }

    async fn open_sources(&mut self) -> Result<(), ShipError> {
        for path in spool::files(self.spool.directory())? {
            let id = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
            if id.is_some_and(|id| self.sources.contains_key(&id)) {
                continue;
            }
            let Some(mut source) = Source::open(&path)? else { continue };
            source.follow(&self.store.marks(source.id()).await?)?;
            self.sources.insert(source.id(), source);
        }
        Ok(())
    }

    async fn ship_source(&mut self, source: &mut Source, now: Millis) -> Result<(), ShipError> {
        loop {
            let rows = source.next_rows()?;
            let Some(last) = rows.last() else { return Ok(()) };
            let owners: BTreeSet<OwnerId> = rows.iter().flat_map(DecodedRow::owners).collect();
            for owner in owners {
                self.ship_owner(source, owner, &rows, now).await?;
            }
            source.advance(last.mark.row);
        }
    }

    async fn ship_owner(
        &mut self,
        source: &mut Source,
        owner: OwnerId,
        rows: &[DecodedRow],
        now: Millis,
    ) -> Result<(), ShipError> {
        for _ in 0..ATTEMPTS {
            let incomplete = match source.verify(owner)? {
                Standing::Continues(lost) => lost,
                Standing::Forked => return Ok(()),
            };
            let mark = source.mark(owner);
            let fresh: Vec<&DecodedRow> = rows
                .iter()
                .filter(|row| mark.is_none_or(|mark| row.mark.row > mark.row) && row.owners().contains(&owner))
                .collect();
            let Some(last) = fresh.last() else { return Ok(()) };
            let first_day = self.first_day(now);
            let dictionary = self.dictionary(owner).await?;
            let folded = fold(&fresh, owner, dictionary, first_day);
            if folded.expired > 0 {
                tracing::warn!(%owner, events = folded.expired, "events of expired days are dropped");
            }
            let step = Step {
                spool: source.id(),
                expected_mark: mark,
                mark: Some(last.mark),
                expected_dictionary: dictionary.state(),
                block: None,
                deltas: Vec::new(),
                incomplete: incomplete.into_iter().filter(|&(_, day)| day >= first_day).collect(),
                receipts: fresh.iter().filter_map(|row| row.receipt_of(owner)).collect(),
                at: now,
            };
            if !step.incomplete.is_empty() {
                tracing::error!(%owner, days = step.incomplete.len(), "the store lost events that are no longer kept; \
                    their days are marked incomplete");
            }
            match self.apply_all(owner, step, folded).await? {
                Applied::Yes => {
                    source.set_mark(owner, Some(last.mark));
                    return Ok(());
                }
                Applied::MarkMoved(mark) => {
                    source.set_mark(owner, mark);
                    source.doubt(owner);
                }
                Applied::DictionaryMoved(_) => {
                    source.doubt(owner);
                    self.follow_dictionary(owner).await?;
                }
            }
        }
        Err(ShipError::Contended)
    }

    /// Applies the blocks that do not fit into one step, and then the rest with the last of them.
    async fn apply_all(&mut self, owner: OwnerId, last: Step, folded: Folded) -> Result<Applied, ShipError> {
        let mut blocks = folded.blocks;
        let final_block = blocks.pop();
        for block in blocks {
            let step = Step { mark: None, incomplete: Vec::new(), receipts: Vec::new(), ..last.clone() };
            let applied = self.apply_block(owner, Some(block), step).await?;
            if applied != Applied::Yes {
                return Ok(applied);
            }
        }
        self.apply_block(owner, final_block, Step { deltas: folded.deltas, ..last }).await
    }

    async fn apply_block(&mut self, owner: OwnerId, block: Option<Block>, step: Step) -> Result<Applied, ShipError> {
        let dictionary = self.dictionaries.entry(owner).or_default();
        let step = Step { expected_dictionary: dictionary.state(), block: block.clone(), ..step };
        let applied = self.store.apply(owner, step).await;
        match (&applied, block) {
            (Ok(Applied::Yes), Some(block)) => dictionary.extend(&block),
            // Whether the step was applied is not known: the next one starts from what the store has.
            (Err(_), _) => drop(self.dictionaries.remove(&owner)),
            (Ok(_), _) => {}
        }
        Ok(applied?)
    }

    async fn dictionary(&mut self, owner: OwnerId) -> Result<&Dictionary, ShipError> {
        if !self.dictionaries.contains_key(&owner) {
            self.follow_dictionary(owner).await?;
        }
        Ok(self.dictionaries.entry(owner).or_default())
    }

    async fn follow_dictionary(&mut self, owner: OwnerId) -> Result<(), ShipError> {
        let dictionary = self.dictionaries.entry(owner).or_default();
        let tail = self.store.dictionary(owner, dictionary.state()).await?;
        dictionary.follow(&tail);
        Ok(())
    }

    /// The oldest day that reports show.
    fn first_day(&self, now: Millis) -> Day {
        now.day().plus(-(self.settings.retention_days as i32))
    }

    /// Notes progress, drops what no store needs, and deletes files of which nothing is left.
    fn note(&mut self, at_once: bool) {
        if !at_once && self.noted.elapsed() < NOTE {
            return;
        }
        self.noted = Instant::now();
        let now = self.clock.now();
        let before = Millis(now.0 - i64::try_from(self.settings.replay_window.as_millis()).unwrap_or(i64::MAX));
        let first_day = self.first_day(now);
        let mut spent = Vec::new();
        for (&id, source) in &mut self.sources {
            let kept = tidy(source, now, before, (self.settings.replay_bytes, first_day));
            match kept {
                Ok(true) => {}
                Ok(false) => spent.push(id),
                Err(error) => tracing::warn!(spool = %id, %error, "a spool file could not be tidied"),
            }
        }
        for id in spent {
            if let Err(error) = self.delete_spent(id) {
                tracing::warn!(spool = %id, %error, "a spent spool file could not be deleted");
            }
        }
    }

    /// Deletes a file, unless somebody writes it or has written to it since it was found to be spent.
    fn delete_spent(&mut self, id: SpoolId) -> spool::Result<()> {
        let Some(_claim) = self.spool.claim(id) else { return Ok(()) };
        match self.sources.remove(&id) {
            Some(source) if source.is_spent()? => source.delete(),
            Some(source) => {
                self.sources.insert(id, source);
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// Whether anything is left in the file.
fn tidy(source: &mut Source, now: Millis, before: Millis, (most_bytes, first_day): (u64, Day)) -> spool::Result<bool> {
    if source.is_forked() {
        // An operator has to look at it; until then nothing of it goes.
        return Ok(true);
    }
    source.note(now)?;
    source.trim(before, most_bytes, first_day)?;
    Ok(!source.is_spent()?)
}
