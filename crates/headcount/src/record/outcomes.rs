//! How many checks and beacons had which outcome. Every answer is counted here once, so that nothing is silent.

use std::sync::atomic::{AtomicU64, Ordering};

use headcount_engine::recorded::{Recorded, SkipReason};

use crate::spool::{Answered, Skips};

/// The counters, by outcome.
#[derive(Debug)]
pub(super) struct Outcomes {
    recorded: AtomicU64,
    unconfirmed: AtomicU64,
    skipped: [AtomicU64; SKIP_REASONS],
    unknown: [AtomicU64; Unknown::ALL.len()],
}

/// What a check or beacon names that does not exist. There is no segment to tally it in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// The owner, or there is no default owner.
    Owner,
    /// The application of the owner.
    App,
}

impl Unknown {
    const ALL: [(Self, &'static str); 2] = [(Self::Owner, "owner"), (Self::App, "app")];
}

const SKIP_REASONS: usize = <SkipReason as strum::VariantArray>::VARIANTS.len();

/// The counters of one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Those that were answered `recorded`, with those that earlier processes committed.
    pub recorded: u64,
    /// Those that this process answered `unconfirmed`, and those whose caller did not wait for the answer.
    pub unconfirmed: u64,
    /// Those that were not counted, by the number of the reason; earlier processes included.
    pub skipped: Skips,
}

impl Outcomes {
    /// Goes on from what earlier processes answered.
    pub(super) fn after(earlier: &Answered) -> Self {
        Self {
            recorded: earlier.recorded.into(),
            unconfirmed: AtomicU64::new(0),
            skipped: earlier.skipped.map(AtomicU64::new),
            unknown: Default::default(),
        }
    }

    /// Counts one answer.
    pub(super) fn count(&self, outcome: Recorded) {
        let counter = match outcome {
            Recorded::Recorded => &self.recorded,
            Recorded::Unconfirmed => &self.unconfirmed,
            Recorded::Skipped(reason) => &self.skipped[reason as usize],
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_unknown(&self, what: Unknown) {
        self.unknown[what as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn unknown(&self) -> [(&'static str, u64); Unknown::ALL.len()] {
        Unknown::ALL.map(|(what, name)| (name, self.unknown[what as usize].load(Ordering::Relaxed)))
    }

    pub(super) fn counted(&self) -> Counted {
        Counted {
            recorded: self.recorded.load(Ordering::Relaxed),
            unconfirmed: self.unconfirmed.load(Ordering::Relaxed),
            skipped: self.skipped.each_ref().map(|count| count.load(Ordering::Relaxed)),
        }
    }
}

impl Counted {
    /// All checks and beacons.
    pub fn sent(&self) -> u64 {
        self.recorded + self.unconfirmed + self.skipped.iter().sum::<u64>()
    }
}

/// An event whose fate is not known yet. Where nobody waits for it any more it counts as unconfirmed.
#[derive(Debug)]
pub(super) struct Undecided<'a> {
    outcomes: &'a Outcomes,
    outcome: Recorded,
}

impl<'a> Undecided<'a> {
    pub(super) fn of(outcomes: &'a Outcomes) -> Self {
        Self { outcomes, outcome: Recorded::Unconfirmed }
    }

    pub(super) fn decide(mut self, outcome: Recorded) -> Recorded {
        self.outcome = outcome;
        outcome
    }
}

impl Drop for Undecided<'_> {
    fn drop(&mut self) {
        self.outcomes.count(self.outcome);
    }
}
