//! The thread that ships: which files, when, and what goes from them afterwards.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use headcount_engine::day::{Day, Millis};
use headcount_engine::id::OwnerId;
use headcount_engine::mark::SpoolId;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::dictionary::Dictionary;
use super::fold::DecodedRow;
use super::source::{Source, Spare};
use super::step::Shipped;
use super::{ATTEMPTS, Held, Lagging, Progress, Settings, ShipError};
use crate::clock::Clock;
use crate::retention::Erased;
use crate::spool::{self, Claimed, Spool, SpoolError, SpoolFile};
use crate::store::Store;

/// How long two early flushes are apart at least.
const EARLY: Duration = Duration::from_millis(50);
/// How often the store's marks are compared with what was acknowledged.
const DOUBT: Duration = Duration::from_secs(5);
/// How often progress is noted in the files and old rows are dropped.
const NOTE: Duration = Duration::from_secs(10);
/// How long rows are dropped, or searched for erased devices, before something is shipped again; what is left comes after
/// that.
const TRIM_TIME: Duration = Duration::from_millis(200);
/// For how long it may be for another reason than its damage that a file cannot be read.
const PASSING: Duration = Duration::from_mins(1);
/// How long the last pass may take, and dropping rows after it; what they leave is for the next process.
const LAST_PASS: Duration = Duration::from_secs(1);

type Request = oneshot::Sender<Result<(), Lagging>>;

pub(super) struct Shipper {
    pub(super) store: Arc<Store>,
    pub(super) dictionaries: HashMap<OwnerId, Dictionary>,
    spool: Arc<Spool>,
    clock: Clock,
    settings: Settings,
    progress: Arc<Progress>,
    sources: HashMap<SpoolId, Source>,
    // The files of which it was said that they cannot be read.
    unreadable: BTreeSet<SpoolId>,
    // Since when files cannot be read for a reason that may pass.
    failing: HashMap<SpoolId, Instant>,
    doubted: Instant,
    // None where there is more to drop.
    noted: Option<Instant>,
}

impl Shipper {
    pub(super) fn new(
        spool: Arc<Spool>,
        store: Arc<Store>,
        clock: Clock,
        settings: Settings,
        progress: Arc<Progress>,
    ) -> Self {
        Self {
            store,
            dictionaries: HashMap::new(),
            spool,
            clock,
            settings,
            progress,
            sources: HashMap::new(),
            unreadable: BTreeSet::new(),
            failing: HashMap::new(),
            doubted: Instant::now(),
            noted: Some(Instant::now()),
        }
    }

    pub(super) async fn run(mut self, mut asked: mpsc::Receiver<Request>, stop: CancellationToken) {
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
        match tokio::time::timeout(LAST_PASS, self.pass()).await {
            Ok(Ok(())) => self.note(true),
            Ok(Err(lagging)) => {
                tracing::warn!(%lagging, "the last events stay in the spool and are shipped at the next start");
            }
            Err(_) => tracing::warn!("the last events stay in the spool and are shipped at the next start"),
        }
    }

    async fn pass(&mut self) -> Result<(), Lagging> {
        let (commits, at, turn) = (self.spool.commits(), self.clock.now(), self.store.turn());
        let shipped = self.ship_all(at).await;
        self.progress.set_held(self.held());
        match shipped {
            Ok(()) => {
                self.progress.turn.store(turn, Ordering::Release);
                self.progress.commits.store(commits + 1, Ordering::Release);
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
        let is_another = self.progress.turn.load(Ordering::Relaxed) != self.store.turn();
        let doubt = is_another || self.doubted.elapsed() >= DOUBT;
        if doubt {
            self.doubted = Instant::now();
        }
        let mut ids: Vec<SpoolId> = Vec::new();
        for path in spool::files(self.spool.directory())? {
            let id: Option<SpoolId> =
                path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
            ids.extend(id);
        }
        // What somebody has taken away is nobody's trouble any more.
        self.unreadable.retain(|id| ids.contains(id));
        self.failing.retain(|id, _| ids.contains(id));
        let mut failed = None;
        for id in ids {
            if self.spool.claimed(id) == Some(Claimed::Unfinished) {
                continue;
            }
            match self.ship_file(id, doubt, now).await {
                Ok(()) => {
                    self.unreadable.remove(&id);
                    self.failing.remove(&id);
                }
                // An import that was not kept.
                Err(ShipError::Spool(_)) if !SpoolFile::path_of(self.spool.directory(), id).exists() => {}
                Err(ShipError::Spool(error)) if self.spool.claimed(id).is_none() && self.is_lasting(id, &error) => {
                    self.report(id, &error);
                }
                // The store fails for every file alike.
                Err(error @ ShipError::Store(_)) => return Err(error),
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// What is not shipped now, and why.
    fn held(&self) -> Held {
        let waiting = || self.sources.values().filter_map(Source::waiting);
        Held {
            unreadable: self.unreadable.clone(),
            damaged_rows: self.sources.values().map(Source::damaged).sum(),
            ahead_events: waiting().map(|(events, _)| events).sum(),
            ahead_until: waiting().map(|(_, until)| until).min(),
        }
    }

    /// Whether it is the file that cannot be read, or was not read for long, whatever for.
    fn is_lasting(&mut self, id: SpoolId, error: &SpoolError) -> bool {
        !error.may_pass() || self.failing.entry(id).or_insert_with(Instant::now).elapsed() >= PASSING
    }

    /// A file that nobody writes any more and that cannot be read holds up neither the others nor reports.
    fn report(&mut self, id: SpoolId, error: &SpoolError) {
        if self.unreadable.insert(id) {
            tracing::error!(spool = %id, %error, "a file of the spool cannot be read: what it holds is not counted until it can");
        }
    }

    async fn ship_file(&mut self, id: SpoolId, doubt: bool, now: Millis) -> Result<(), ShipError> {
        // Taken out while it is shipped, so that the rest of the shipper can be used meanwhile.
        let mut source = match self.sources.remove(&id) {
            Some(source) => source,
            None => match Source::open(&SpoolFile::path_of(self.spool.directory(), id))? {
                Some(source) => source,
                None => return Ok(()),
            },
        };
        let result = self.follow_and_ship(&mut source, doubt, now).await;
        self.sources.insert(id, source);
        result
    }

    async fn follow_and_ship(&mut self, source: &mut Source, doubt: bool, now: Millis) -> Result<(), ShipError> {
        source.scrub(&self.erased(), (now, Instant::now() + TRIM_TIME))?;
        if doubt || !source.has_followed() {
            self.follow(source, now).await?;
        }
        self.ship_source(source, now).await
    }

    /// Compares the store's marks with what was acknowledged. Where the store has lost something, shipping starts again
    /// behind what it still has; days of which something is kept nowhere become incomplete before.
    async fn follow(&mut self, source: &mut Source, now: Millis) -> Result<(), ShipError> {
        let stored = self.store.marks(source.id()).await?;
        for loss in source.follow(&stored)? {
            tracing::warn!(owner = %loss.owner, spool = %source.id(), days_lost = loss.days.len(), "the store lost \
                events that it had acknowledged; those that are kept are shipped again");
            if self.adopt(source.id(), &loss, now).await? {
                source.rewind(loss.owner, loss.kept)?;
            }
        }
        Ok(())
    }

    /// Ships what was in the file when the pass came to it; what is committed meanwhile is for the next one.
    async fn ship_source(&mut self, source: &mut Source, now: Millis) -> Result<(), ShipError> {
        let Some(through) = source.newest()? else { return Ok(()) };
        let mut setbacks = 0;
        'rows: loop {
            let rows = source.next_rows(through, now)?;
            let Some(last) = rows.last() else { return Ok(()) };
            let owners: BTreeSet<OwnerId> = rows.iter().flat_map(DecodedRow::owners).copied().collect();
            for owner in owners {
                if self.ship_owner(source, owner, &rows, now).await? == Shipped::StoreWentBack {
                    setbacks += 1;
                    if setbacks > ATTEMPTS {
                        return Err(ShipError::Contended);
                    }
                    self.follow(source, now).await?;
                    continue 'rows;
                }
            }
            source.advance(last.mark.row);
        }
    }

    /// The oldest day of an owner that reports show.
    pub(super) fn first_day(&self, owner: OwnerId, now: Millis) -> Day {
        self.settings.retention.first_day(owner, now.day())
    }

    /// The devices that were erased, as far as this process knows.
    pub(super) fn erased(&self) -> Arc<Erased> {
        self.settings.retention.erased()
    }

    /// Notes progress, drops what no store needs, and deletes files of which nothing is left.
    fn note(&mut self, at_once: bool) {
        if !at_once && self.noted.is_some_and(|noted| noted.elapsed() < NOTE) {
            return;
        }
        self.noted = Some(Instant::now());
        let until = Instant::now() + if at_once { LAST_PASS } else { TRIM_TIME };
        let now = self.clock.now();
        let window = i64::try_from(self.settings.replay_window.as_millis()).unwrap_or(i64::MAX);
        let mut newest_first: Vec<SpoolId> = self.sources.keys().copied().collect();
        newest_first.sort_unstable_by_key(|id| (Reverse(self.sources[id].created_at()), *id));
        let mut most_bytes = self.settings.replay_bytes;
        let mut kept_since = i64::MAX;
        for id in newest_first {
            let spare = Spare {
                shipped_before: Millis(now.0.saturating_sub(window)),
                most_bytes,
                first_day: self.settings.retention.earliest_day(now.day()),
                until,
            };
            match self.tidy(id, now, &spare) {
                Ok(Some(kept_bytes)) => most_bytes = most_bytes.saturating_sub(kept_bytes),
                Ok(None) => {}
                Err(error) => tracing::warn!(spool = %id, %error, "a spool file could not be tidied"),
            }
            let kept = self.sources.get(&id).and_then(|source| source.kept_since().ok().flatten());
            kept_since = kept_since.min(kept.map_or(i64::MAX, |at| at.0));
        }
        self.progress.kept_since.store(kept_since, Ordering::Relaxed);
    }

    /// Tidies one file: how many bytes of shipped rows it keeps, or `None` if it is gone.
    fn tidy(&mut self, id: SpoolId, now: Millis, spare: &Spare) -> spool::Result<Option<u64>> {
        let Some(source) = self.sources.get_mut(&id) else { return Ok(None) };
        if source.is_forked() {
            // An operator has to look at it; until then nothing of it goes.
            return Ok(Some(0));
        }
        source.note(now)?;
        if !source.trim(spare, self.spool.claimed(id).is_none())? {
            self.noted = None;
        }
        let kept_bytes = source.kept_bytes();
        if source.is_spent()? {
            self.delete_spent(id)?;
        }
        Ok(Some(kept_bytes))
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
