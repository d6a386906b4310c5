//! What keeps the store small and the years in numbers: compaction, daily totals, expiry, erasure.
//!
//! Every step is by compare-and-set: reports and the shipper go on meanwhile, and any number of instances may keep one
//! store at the same time.

mod compact;
mod devices;
mod rebuild;
mod totals;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use headcount_engine::day::{Day, Millis};
use headcount_engine::id::{AppId, OwnerId};
use headcount_engine::report::Source;
use tokio_util::sync::CancellationToken;

use self::devices::Remembered;
use self::totals::Totalled;
use crate::background::Background;
use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::error::Error;
use crate::retention::Retention;
use crate::store::cache::{SegmentCache, Segments};
use crate::store::{Damage, Head, Store};

/// How often the keeper looks.
const INTERVAL: Duration = Duration::from_secs(10);
/// How long a day that nobody can read any more stays in the store: what is on its way at midnight is compared with the
/// whole past of its own day.
const CLOSING_MILLIS: i64 = 60_000;
/// How long expiry waits for totals that cannot be kept: who is new on a day is counted against the days that would go.
const LONGEST_EXPIRY_WAIT_MILLIS: i64 = headcount_engine::day::DAY_MILLIS;
/// After how long a dictionary is rebuilt that could not be, because too much was shipped meanwhile.
const REBUILD_AGAIN_MILLIS: i64 = 3_600_000;

/// What the keeper needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// For how many days devices are kept.
    pub retention: Retention,
    /// Days for which the audit log is kept.
    pub audit_days: u32,
    /// How long times are kept after a day's end, and after the newest batch that brought it an event.
    pub replay_window: Duration,
}

/// Keeps the store.
#[derive(Debug)]
pub struct Keeper {
    store: Arc<Store>,
    cache: Arc<SegmentCache>,
    catalog: Arc<Catalog>,
    clock: Clock,
    settings: Settings,
    background: Background,
    progress: tokio::sync::Mutex<Progress>,
    damage: ArcSwap<Damage>,
}

#[derive(Debug, Default)]
struct Progress {
    // For which day, and which retention of owners, expiry has been done.
    kept_for: Option<(Day, Arc<HashMap<OwnerId, u32>>)>,
    // Until when expiry waits for totals at most; none while it does not.
    expiry_waits_till: Option<Millis>,
    // When dictionaries are to be rebuilt; none once that is done for the day.
    rebuild_at: Option<Millis>,
    totalled: HashMap<OwnerId, Totalled>,
    erasures: Remembered,
}

impl Keeper {
    /// A keeper of that store.
    pub fn new(
        store: Arc<Store>,
        cache: Arc<SegmentCache>,
        catalog: Arc<Catalog>,
        clock: Clock,
        (settings, background): (Settings, Background),
    ) -> Self {
        let (progress, damage) = (tokio::sync::Mutex::default(), ArcSwap::default());
        Self { store, cache, catalog, clock, settings, background, progress, damage }
    }

    /// Keeps until `stop` is cancelled.
    pub async fn run(&self, stop: CancellationToken) {
        self.look().await;
        while stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
            if let Err(error) = self.round().await {
                tracing::warn!(%error, "keeping the store failed; it is tried again");
            }
        }
    }

    /// What was damaged, as of the newest round.
    pub fn damage(&self) -> Arc<Damage> {
        self.damage.load_full()
    }

    /// One round: erases, mends, compacts what has grown, keeps the totals of days that were compacted or have closed;
    /// after that, once a day and when owners have settled another retention, expires and rebuilds; and looks what is
    /// damaged.
    pub async fn round(&self) -> Result<(), Error> {
        let kept = self.keep().await;
        self.look().await;
        kept
    }

    async fn look(&self) {
        match self.store.damage().await {
            Ok(damage) => self.damage.store(Arc::new(damage)),
            Err(error) => tracing::warn!(%error, "what is damaged cannot be read; it is tried again"),
        }
    }

    async fn keep(&self) -> Result<(), Error> {
        let mut progress = self.progress.lock().await;
        // While the catalog database is away the store is kept all the same.
        let mut kept = self.erase().await;
        let now = self.clock.now();
        kept = kept.and(self.erase_devices(&mut progress.erasures, now).await);
        kept = kept.and(self.mend(now).await);
        // Before anything expires: totals count back over the days that go now.
        let totalled = self.compact_and_total(&mut progress.totalled, now).await;
        let is_total = totalled.is_ok();
        kept = kept.and(totalled);
        let expired = (Millis(now.0 - CLOSING_MILLIS).day(), self.settings.retention.of_owners());
        let is_due = progress.kept_for.as_ref() != Some(&expired);
        if is_due && !is_total {
            progress.expiry_waits_till.get_or_insert(Millis(now.0 + LONGEST_EXPIRY_WAIT_MILLIS));
        }
        if is_due && (is_total || progress.expiry_waits_till.is_some_and(|till| till <= now)) {
            self.expire(now).await?;
            progress.expiry_waits_till = None;
            let audited = i64::from(self.settings.audit_days) * headcount_engine::day::DAY_MILLIS;
            // The store is kept whether the catalog is there or not.
            if let Err(error) = self.catalog.forget_audit(Millis(now.0 - audited)).await {
                tracing::warn!(%error, "what is old in the audit log stays for another day");
            }
            progress.kept_for = Some(expired);
            progress.rebuild_at = Some(now);
        }
        if progress.rebuild_at.is_some_and(|at| at <= now) {
            let is_rebuilt = self.rebuild(now).await?;
            progress.rebuild_at = (!is_rebuilt).then_some(Millis(now.0 + REBUILD_AGAIN_MILLIS));
        }
        kept
    }

    async fn compact_and_total(&self, totalled: &mut HashMap<OwnerId, Totalled>, now: Millis) -> Result<(), Error> {
        let mut by_owner: HashMap<OwnerId, Vec<Head>> = HashMap::new();
        for head in self.store.heads().await? {
            by_owner.entry(head.owner).or_default().push(head);
        }
        let mut kept = Ok(());
        for (owner, heads) in by_owner {
            let compacted = self.compact(owner, &heads, now).await?;
            kept = kept.and(self.total(owner, totalled, (&heads, &compacted), now).await);
        }
        kept
    }

    /// Erases from the store what the catalog says is to be erased.
    pub async fn erase(&self) -> Result<(), Error> {
        for erasure in self.catalog.erasures().await? {
            let (owner, app) = erasure;
            self.store.erase(owner, app, self.clock.now()).await?;
            self.catalog.erased(erasure).await?;
        }
        Ok(())
    }

    /// Does what takes long in the background.
    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        self.background.run(work).await.ok_or_else(|| Error::internal("keeping the store failed"))
    }

    async fn expire(&self, now: Millis) -> Result<(), Error> {
        for owner in self.store.owners().await? {
            let first = self.settings.retention.first_day(owner, Millis(now.0 - CLOSING_MILLIS).day());
            self.store.expire(owner, first, self.marks_before(owner, now), now).await?;
        }
        Ok(())
    }

    /// From when on marks and tombstones of an owner are kept: nothing of before can come again.
    fn marks_before(&self, owner: OwnerId, now: Millis) -> Millis {
        let retention = i64::from(self.settings.retention.days(owner)) * headcount_engine::day::DAY_MILLIS;
        Millis(now.0 - retention - self.replay_millis())
    }

    fn replay_millis(&self) -> i64 {
        i64::try_from(self.settings.replay_window.as_millis()).unwrap_or(i64::MAX)
    }

    /// The segments of an owner that those of `first` are compared with, and all later ones; an import may be of tomorrow.
    async fn with_past(&self, owner: OwnerId, first: Day, now: Millis) -> Result<Segments, Error> {
        let earliest = self.settings.retention.first_day(owner, first);
        Ok(self.cache.segments(&self.store, owner, earliest..=now.day().plus(1)).await?)
    }
}

/// The sources of one app, or of all.
fn sources(segments: &Segments, app: Option<AppId>) -> Vec<Source> {
    let in_scope = segments.seen.iter().filter(|seen| app.is_none_or(|app| seen.app == app));
    in_scope.map(|seen| Source { day: seen.day, app: seen.app, segment: seen.segment.clone() }).collect()
}

/// The days that lack something, of one app or of all.
fn incomplete(segments: &Segments, app: Option<AppId>) -> BTreeSet<Day> {
    let in_scope = segments.incomplete.iter().filter(|(of, _)| app.is_none_or(|app| *of == app));
    in_scope.map(|&(_, day)| day).collect()
}
