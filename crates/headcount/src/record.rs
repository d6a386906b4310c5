//! Between a request and the spool: an event is handed over here, and this is what the caller learns about it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use headcount_engine::day::{Day, Millis};
use headcount_engine::dimension::Value;
use headcount_engine::event::Event;
use headcount_engine::id::{AppId, OwnerId};
use headcount_engine::recorded::Recorded;
use headcount_engine::row::Tally;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::spool::Spool;

/// How often tallies go to the spool: one record per second, app, kind and value.
const TALLY_INTERVAL: Duration = Duration::from_secs(1);
/// The most values of one kind, app and day that are told apart; further ones count as [`Value::OTHER`].
const MOST_VALUES: usize = 200;

/// Takes the events and tallies of requests.
#[derive(Debug)]
pub struct Recorder {
    spool: Arc<Spool>,
    clock: Clock,
    pending: Mutex<Pending>,
}

type Kind = (OwnerId, AppId, &'static str);

#[derive(Debug, Default)]
struct Pending {
    day: Option<Day>,
    // The values of this day, so that no flood of them grows anything.
    values: HashMap<Kind, HashSet<Box<str>>>,
    counts: HashMap<(Kind, Day, Box<str>), u64>,
}

impl Recorder {
    /// A recorder that writes to that spool.
    pub fn new(spool: Arc<Spool>, clock: Clock) -> Self {
        Self { spool, clock, pending: Mutex::default() }
    }

    /// Hands an event over and waits until its fate is known.
    pub async fn record(&self, event: Event) -> Recorded {
        self.spool.record(event).await
    }

    /// Counts something that has no device: skips by reason, unserved demand.
    pub fn tally(&self, owner: OwnerId, app: AppId, kind: &'static str, value: &str) {
        let today = self.clock.now().day();
        let mut pending = self.lock();
        if pending.day != Some(today) {
            pending.day = Some(today);
            pending.values.clear();
        }
        let kind = (owner, app, kind);
        let values = pending.values.entry(kind).or_default();
        let known = values.contains(value) || (values.len() < MOST_VALUES && values.insert(value.into()));
        let value = if known { value } else { Value::OTHER };
        *pending.counts.entry((kind, today, value.into())).or_default() += 1;
    }

    /// Hands the tallies over each second until `stop` is cancelled, and then once more.
    pub async fn run(&self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(TALLY_INTERVAL)).await.is_some() {
            self.hand_over().await;
        }
        self.hand_over().await;
    }

    async fn hand_over(&self) {
        let counts = std::mem::take(&mut self.lock().counts);
        if counts.is_empty() {
            return;
        }
        let now = self.clock.now();
        let tally = |(&((owner, app, kind), day, ref value), &count): (&(Kind, Day, Box<str>), &u64)| {
            // What was counted before midnight counts before midnight.
            let at = if day == now.day() { now } else { Millis(day.plus(1).start().0 - 1) };
            Tally { owner, app, at, kind: Box::from(kind), value: value.clone(), count }
        };
        if !self.spool.tally(counts.iter().map(tally).collect()).await {
            // The disk is full, for example: they wait until it is not.
            let mut pending = self.lock();
            for (key, count) in counts {
                *pending.counts.entry(key).or_default() += count;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        // What is under the lock is whole between any two statements.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
