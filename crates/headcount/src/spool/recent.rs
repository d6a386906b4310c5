//! The last checks of each owner, for those who look on.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use headcount_engine::day::Millis;
use headcount_engine::event::Values;
use headcount_engine::id::{AppId, OwnerId};
use headcount_engine::recorded::SKIPPED;
use headcount_engine::row::Row;

/// How many checks of an owner are remembered.
pub const REMEMBERED: usize = 50;

/// One check, or several that were not counted for the same reason. It says nothing of the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentCheck {
    /// Its number among those of the owner, from 1 and in ascending order.
    pub number: u64,
    /// When it was accepted.
    pub at: Millis,
    /// The application that asked.
    pub app: AppId,
    /// What it said; nothing where it was not counted.
    pub values: Values,
    /// Why it was not counted, if it was not.
    pub skipped: Option<Box<str>>,
    /// How many checks it stands for.
    pub checks: u64,
}

/// The last checks that were committed, by owner. Its size is that of the catalog, however many checks there are; its
/// lock is held for as long as it takes to copy [`REMEMBERED`] of them.
#[derive(Debug)]
pub struct RecentChecks {
    series: u64,
    owners: Mutex<HashMap<OwnerId, Ring>>,
}

#[derive(Debug, Default)]
struct Ring {
    number: u64,
    checks: VecDeque<RecentCheck>,
}

impl Default for RecentChecks {
    fn default() -> Self {
        Self { series: rand::random(), owners: Mutex::default() }
    }
}

impl RecentChecks {
    /// Tells the numbers of this process from those of any other.
    pub fn series(&self) -> u64 {
        self.series
    }

    /// The checks of the owner that are remembered and have a greater number, the oldest first.
    pub fn after(&self, owner: OwnerId, number: u64) -> Vec<RecentCheck> {
        let owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        let ring = owners.get(&owner).into_iter().flat_map(|ring| &ring.checks);
        ring.filter(|check| check.number > number).cloned().collect()
    }

    /// Remembers the last ones of a row that was committed.
    pub(super) fn remember(&self, row: &Row) {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        let mut fresh: HashMap<OwnerId, Vec<RecentCheck>> = HashMap::new();
        // Most rows are of one owner: of the many events before the last ones only the owner is compared.
        let mut has_enough = None;
        for event in row.events.iter().rev() {
            if has_enough == Some(event.owner) {
                continue;
            }
            let of_owner = fresh.entry(event.owner).or_default();
            if of_owner.len() >= REMEMBERED {
                has_enough = Some(event.owner);
                continue;
            }
            let (at, app, values) = (event.at, event.app, event.values.clone());
            of_owner.push(RecentCheck { number: 0, at, app, values, skipped: None, checks: 1 });
        }
        for tally in row.tallies.iter().filter(|tally| *tally.kind == *SKIPPED) {
            let (at, app, skipped) = (tally.at, tally.app, Some(tally.value.clone()));
            let skipped = RecentCheck { number: 0, at, app, values: Values::default(), skipped, checks: tally.count };
            fresh.entry(tally.owner).or_default().insert(0, skipped);
        }
        for (owner, checks) in fresh {
            owners.entry(owner).or_default().take(checks.into_iter().rev());
        }
    }
}

impl Ring {
    fn take(&mut self, checks: impl Iterator<Item = RecentCheck>) {
        for check in checks {
            self.number += 1;
            self.checks.push_back(RecentCheck { number: self.number, ..check });
            if self.checks.len() > REMEMBERED {
                self.checks.pop_front();
            }
        }
    }
}
