//! Questions over an owner's segments: the newest events shipped first, the answer exact.

pub mod live;

use std::collections::{BTreeSet, HashMap};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use headcount_engine::day::{Day, Millis};
use headcount_engine::device::Pseudonym;
use headcount_engine::dimension::{Dimension, Value};
use headcount_engine::id::{AppId, OwnerId};
use headcount_engine::report::{Query, Source};
use headcount_engine::snapshot::OwnerCatalog;
use headcount_engine::trace::Trace;
use tokio::sync::Semaphore;

use self::live::Watches;
use crate::background::Background;
use crate::clock::Clock;
use crate::error::{Code, Error};
use crate::retention::Retention;
use crate::ship::Shipping;
use crate::store::cache::{Seen, SegmentCache, Segments};
use crate::store::{DictionaryState, Store, StoreError};

/// How often a device is looked for again whose dictionary was rebuilt meanwhile.
const ATTEMPTS: usize = 8;
/// How many questions of one owner are evaluated at once.
const RUNNING: usize = 4;
/// How many more may wait.
const WAITING: usize = 64;
/// How long they wait.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a question waits until what was recorded before it is in the store.
const FLUSH_DEADLINE: Duration = Duration::from_secs(2);

/// Answers questions.
#[derive(Debug)]
pub struct Reports {
    store: Arc<Store>,
    cache: Arc<SegmentCache>,
    shipping: Shipping,
    clock: Clock,
    retention: Retention,
    background: Background,
    places: Mutex<HashMap<OwnerId, Arc<Places>>>,
    watches: Watches,
}

#[derive(Debug)]
struct Places {
    running: Semaphore,
    waiting: Semaphore,
}

/// What is asked of an owner's segments.
#[derive(Debug, Clone)]
pub struct Question {
    /// The catalog of the owner, which has the names.
    pub catalog: Arc<OwnerCatalog>,
    /// The days, and what is counted.
    pub query: Query,
    /// The apps that are read; all without it.
    pub apps: Option<BTreeSet<AppId>>,
}

/// All that is kept of the apps of a question.
#[derive(Debug)]
pub struct Retained {
    /// What is asked.
    pub question: Question,
    /// Every retained day of every app in scope, also those outside of the range that is asked for.
    pub sources: Vec<Source>,
    /// The moment that they show.
    pub as_of: Millis,
    /// The day now.
    pub today: Day,
    /// The oldest day that is retained.
    pub first_day: Day,
}

impl Retained {
    /// The name that a stored value is shown under.
    pub fn label(&self, dimension: Dimension, value: &Value) -> Arc<str> {
        label(&self.question.catalog, dimension, value)
    }
}

/// The name that a stored value is shown under.
pub fn label(catalog: &OwnerCatalog, dimension: Dimension, value: &Value) -> Arc<str> {
    let names = match dimension {
        Dimension::Channel => &catalog.channels,
        Dimension::Platform => &catalog.platforms,
        Dimension::Arch => &catalog.archs,
        Dimension::Version | Dimension::Status => return value.text().clone(),
    };
    let name = value.as_str().parse().ok().and_then(|id| names.name_of(id));
    name.unwrap_or_else(|| value.text()).clone()
}

/// An answer, and what is to be known about it.
#[derive(Debug)]
pub struct Answer<T> {
    /// The numbers.
    pub numbers: T,
    /// The days of the range that lack something, or are older than the retention.
    pub incomplete: BTreeSet<Day>,
    /// The moment that the numbers show.
    pub as_of: Millis,
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store failed");
        Self::new(Code::Unavailable, "the telemetry store cannot be reached").retry_after(5)
    }
}

impl Reports {
    /// Reports over the segments of that store.
    pub fn new(
        store: Arc<Store>,
        cache: Arc<SegmentCache>,
        shipping: Shipping,
        clock: Clock,
        (retention, background): (Retention, Background),
    ) -> Self {
        let (places, watches) = (Mutex::default(), Watches::default());
        Self { store, cache, shipping, clock, retention, background, places, watches }
    }

    /// About how many bytes the segments in memory take.
    pub fn cached_bytes(&self) -> usize {
        self.cache.bytes()
    }

    /// The oldest day of an owner that is reported now.
    pub fn first_day(&self, owner: OwnerId) -> Day {
        self.retention.first_day(owner, self.clock.now().day())
    }

    /// Answers a question by that function, in the background. The answer includes every event that this instance
    /// recorded before the call.
    ///
    /// # Errors
    /// 429 where the owner asks too much at once; 503 where the store cannot be reached or events lag behind.
    pub async fn answer<T: Send + 'static>(
        &self,
        question: Question,
        evaluate: impl FnOnce(&Retained) -> T + Send + 'static,
    ) -> Result<Answer<T>, Error> {
        // Every retained day is asked for, whatever the range: the known versions are those of the whole retention.
        self.answer_from(self.first_day(question.catalog.id), question, evaluate).await
    }

    /// The same from the segments of fewer days: those from `from` on.
    async fn answer_from<T: Send + 'static>(
        &self,
        from: Day,
        question: Question,
        evaluate: impl FnOnce(&Retained) -> T + Send + 'static,
    ) -> Result<Answer<T>, Error> {
        let owner = question.catalog.id;
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner).entry(owner).or_default().clone();
        let _place = places.take().await?;
        let (as_of, first_day) = (self.clock.now(), self.first_day(owner));
        // An import may be up to an hour ahead of the clock, and so be of tomorrow.
        let segments = self.segments(owner, from..=as_of.day().plus(1)).await?;
        let in_scope = |app: AppId| question.apps.as_ref().is_none_or(|apps| apps.contains(&app));
        let Query { first, last, .. } = question.query;
        let mut incomplete: BTreeSet<Day> = first.through(last.min(first_day.plus(-1))).collect();
        let lacking = segments.incomplete.iter().filter(|&&(app, day)| in_scope(app) && (first..=last).contains(&day));
        incomplete.extend(lacking.map(|&(_, day)| day));
        let seen = segments.seen.into_iter().filter(|seen| in_scope(seen.app));
        let sources = seen.map(|seen| Source { day: seen.day, app: seen.app, segment: seen.segment }).collect();
        let retained = Retained { question, sources, as_of, today: as_of.day(), first_day };
        let evaluated = self.background.run(move || evaluate(&retained)).await;
        let numbers = evaluated.ok_or_else(|| Error::internal("a report could not be evaluated"))?;
        Ok(Answer { numbers, incomplete, as_of })
    }

    /// What is kept of one device, by app and day.
    ///
    /// # Errors
    /// 429 where the owner asks too much at once; 503 where the store cannot be reached or events lag behind.
    pub async fn traces(&self, owner: OwnerId, device: Pseudonym) -> Result<Vec<(AppId, Day, Trace)>, Error> {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner).entry(owner).or_default().clone();
        let _place = places.take().await?;
        for _ in 0..ATTEMPTS {
            let retained = self.first_day(owner)..=self.clock.now().day().plus(1);
            let segments = self.segments(owner, retained).await?;
            // Read after the segments: it has every ordinal of theirs.
            let tail = self.store.dictionary(owner, DictionaryState::default()).await?;
            if segments.seen.iter().any(|seen| seen.version.epoch != tail.state.epoch) {
                continue;
            }
            let traced = self.background.run(move || {
                let devices = tail.blocks.iter().flat_map(|block| &block.pseudonyms);
                let Some((ordinal, _)) = (0..).zip(devices).filter(|(_, known)| **known == device).last() else {
                    return Vec::new();
                };
                let trace = |seen: Seen| Some((seen.app, seen.day, Trace::of(&seen.segment, ordinal)?));
                segments.seen.into_iter().filter_map(trace).collect()
            });
            return traced.await.ok_or_else(|| Error::internal("a device could not be looked for"));
        }
        Err(changes())
    }

    /// An owner's segments of those days, with every event that this instance recorded before the call.
    async fn segments(&self, owner: OwnerId, days: RangeInclusive<Day>) -> Result<Segments, Error> {
        for _ in 0..ATTEMPTS {
            let turn = self.store.turn();
            self.flush().await?;
            let segments = self.cache.segments(&self.store, owner, days.clone()).await?;
            // Else another store may have come in the place of the one that was filled.
            if self.store.turn() == turn {
                return Ok(segments);
            }
        }
        Err(changes())
    }

    /// How many devices the application has that has most of them today.
    ///
    /// # Errors
    /// 503 where the store cannot be reached.
    pub async fn most_devices_today(&self) -> Result<u64, Error> {
        let today = self.clock.now().day();
        let mut most = 0;
        for owner in self.store.owners().await? {
            let segments = self.cache.segments(&self.store, owner, today..=today).await?;
            most = segments.seen.iter().map(|seen| seen.segment.devices().len()).fold(most, u64::max);
        }
        Ok(most)
    }

    /// Tells every device that was counted today before this call.
    ///
    /// # Errors
    /// 503 where the store cannot be reached.
    pub async fn devices_today(&self, tell: impl Fn(AppId, Day, Pseudonym)) -> Result<(), Error> {
        // Late events come to `tell` on another way, or are admitted: nobody waits for the store here.
        if let Err(error) = self.flush().await {
            tracing::debug!(%error, "the devices of today are read before all of them are in the store");
        }
        let today = self.clock.now().day();
        for owner in self.store.owners().await? {
            let segments = self.cache.segments(&self.store, owner, today..=today).await?;
            if segments.seen.is_empty() {
                continue;
            }
            // Read after the segments: it has every ordinal of theirs.
            let blocks = self.store.dictionary(owner, DictionaryState::default()).await?.blocks;
            let devices: Vec<Pseudonym> = blocks.into_iter().flat_map(|block| block.pseudonyms).collect();
            for seen in segments.seen {
                for device in seen.segment.devices().iter().filter_map(|ordinal| devices.get(ordinal as usize)) {
                    tell(seen.app, seen.day, *device);
                }
            }
        }
        Ok(())
    }

    async fn flush(&self) -> Result<(), Error> {
        let late = |lag: String| {
            Error::new(Code::Unavailable, format!("the telemetry store lags behind: {lag}")).retry_after(5)
        };
        match tokio::time::timeout(FLUSH_DEADLINE, self.shipping.flush_recorded()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(lagging)) => {
                tracing::error!(%lagging, "a report cannot be answered");
                Err(late(format!("events have waited for {} ms", lagging.lag_millis)))
            }
            Err(_) => Err(late(format!("events have waited for {} ms", self.shipping.lag_millis()))),
        }
    }
}

fn changes() -> Error {
    Error::new(Code::Unavailable, "the telemetry store changes all the time").retry_after(5)
}

impl Default for Places {
    fn default() -> Self {
        Self { running: Semaphore::new(RUNNING), waiting: Semaphore::new(RUNNING + WAITING) }
    }
}

impl Places {
    async fn take(&self) -> Result<(tokio::sync::SemaphorePermit<'_>, tokio::sync::SemaphorePermit<'_>), Error> {
        let busy = || Error::new(Code::TooMany, "too many reports are asked for at once").retry_after(5);
        let waiting = self.waiting.try_acquire().map_err(|_| busy())?;
        match tokio::time::timeout(PATIENCE, self.running.acquire()).await {
            Ok(running) => Ok((waiting, running.map_err(Error::internal)?)),
            Err(_) => Err(busy()),
        }
    }
}
