//! Between a request and the spool: an event is handed over here, and this is what the caller learns about it.

mod outcomes;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use headcount_engine::day::{Day, Millis};
use headcount_engine::dimension::Value;
use headcount_engine::event::Event;
use headcount_engine::id::{AppId, OwnerId};
use headcount_engine::recorded::{Recorded, SkipReason};
use headcount_engine::row::Tally;
use tokio_util::sync::CancellationToken;

pub use self::outcomes::{Counted, Unknown};
use self::outcomes::{Outcomes, Undecided};
use crate::clock::Clock;
use crate::spool::{Skips, Spool};

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
    outcomes: Outcomes,
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
        let outcomes = Outcomes::after(spool.earlier());
        Self { spool, clock, pending: Mutex::default(), outcomes }
    }

    /// Hands an event over and waits until its fate is known.
    pub async fn record(&self, event: Event) -> Recorded {
        let undecided = Undecided::of(&self.outcomes);
        undecided.decide(self.spool.record(event).await)
    }

    /// Takes note of a check or beacon that has no event.
    pub fn skip(&self, reason: SkipReason) -> Recorded {
        let skipped = Recorded::Skipped(reason);
        self.outcomes.count(skipped);
        skipped
    }

    /// Takes note of a check or beacon for something that does not exist.
    pub fn count_unknown(&self, what: Unknown) {
        self.outcomes.count_unknown(what);
    }

    /// How many checks and beacons named something that does not exist, by what it is.
    pub fn unknown(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.outcomes.unknown().into_iter()
    }

    /// How many checks and beacons had which outcome.
    pub fn counted(&self) -> Counted {
        self.outcomes.counted()
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

    /// Hands the tallies and the numbers of skips over each second until `stop` is cancelled, and then once more.
    pub async fn run(&self, stop: CancellationToken) {
        let mut noted = self.spool.earlier().skipped;
        while stop.run_until_cancelled(tokio::time::sleep(TALLY_INTERVAL)).await.is_some() {
            self.hand_over().await;
            self.note_skips(&mut noted).await;
        }
        self.hand_over().await;
        self.note_skips(&mut noted).await;
    }

    async fn note_skips(&self, noted: &mut Skips) {
        let skipped = self.counted().skipped;
        if skipped != *noted {
            self.spool.note_skips(skipped).await;
            *noted = skipped;
        }
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
