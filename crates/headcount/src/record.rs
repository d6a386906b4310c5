//! Between a request and the spool: an event is handed over here, and this is what the caller learns about it.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use headcount_engine::day::Day;
use headcount_engine::dimension::Value;
use headcount_engine::event::Event;
use headcount_engine::id::{AppId, OwnerId};
use headcount_engine::row::Tally;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::spool::Spool;

/// What became of the event of one check or beacon. Its text is the value of the reply's `Headcount` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It is on disk and will be counted exactly once.
    Recorded,
    /// The commit was not known in time: it will be counted once, or not at all.
    Unconfirmed,
    /// It is not counted.
    Skipped(SkipReason),
}

/// Why an event is not counted, in the order of precedence: the first reason that applies is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::VariantArray)]
pub enum SkipReason {
    /// Telemetry is off on this installation.
    Disabled,
    /// The check was answered with 400, or the beacon is not allowed.
    Refused,
    /// The user of the device does not want to be counted.
    OptOut,
    /// The request carries no device id.
    NoDevice,
    /// The device id is not acceptable, or there is more than one.
    BadDevice,
    /// Too many new devices from one source.
    Rate,
    /// Too many events wait for their commit.
    Overload,
    /// The disk takes no more events.
    Disk,
}

impl SkipReason {
    /// The word that clients and reports see.
    pub fn name(self) -> &'static str {
        let header = Recorded::Skipped(self).header();
        header.split_once('=').map_or(header, |(_, name)| name)
    }
}

impl Recorded {
    /// The value of the reply's `Headcount` header.
    pub const fn header(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Unconfirmed => "unconfirmed",
            Self::Skipped(reason) => match reason {
                SkipReason::Disabled => "skipped; reason=disabled",
                SkipReason::Refused => "skipped; reason=refused",
                SkipReason::OptOut => "skipped; reason=opt-out",
                SkipReason::NoDevice => "skipped; reason=no-device",
                SkipReason::BadDevice => "skipped; reason=bad-device",
                SkipReason::Rate => "skipped; reason=rate",
                SkipReason::Overload => "skipped; reason=overload",
                SkipReason::Disk => "skipped; reason=disk",
            },
        }
    }
}

impl fmt::Display for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.header())
    }
}

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
    counts: HashMap<(Kind, Box<str>), u64>,
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
        *pending.counts.entry((kind, value.into())).or_default() += 1;
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
        let at = self.clock.now();
        let tally =
            |(((owner, app, kind), value), count)| Tally { owner, app, at, kind: Box::from(kind), value, count };
        self.spool.tally(counts.into_iter().map(tally).collect()).await;
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        // What is under the lock is whole between any two statements.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_says_what_became_of_an_event() {
        let texts = [Recorded::Recorded, Recorded::Unconfirmed, Recorded::Skipped(SkipReason::NoDevice)];
        assert_eq!(texts.map(|fate| fate.to_string()), ["recorded", "unconfirmed", "skipped; reason=no-device"]);
        assert_eq!(SkipReason::OptOut.name(), "opt-out");
    }
}
