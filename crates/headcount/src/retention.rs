//! What is kept of the devices of which owner: for how many days, and which were erased.
//!
//! Whoever stores, ships, keeps or reports asks here, and hears of a change as soon as this process has read it.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use headcount_engine::day::{Day, Millis};
use headcount_engine::device::Pseudonym;
use headcount_engine::id::OwnerId;

/// When devices were erased, by owner: what was accepted of them until then is not counted.
pub type Erased = HashMap<OwnerId, HashMap<Pseudonym, Millis>>;

/// The days before today for which every device is kept. Clones share what they know.
#[derive(Debug, Clone)]
pub struct Retention(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    of_installation: u32,
    of_owners: ArcSwap<HashMap<OwnerId, u32>>,
    erased: ArcSwap<Erased>,
}

impl Retention {
    /// The days of an installation, until owners have settled others.
    pub fn of_installation(days: u32) -> Self {
        Self(Arc::new(Shared { of_installation: days, of_owners: ArcSwap::default(), erased: ArcSwap::default() }))
    }

    /// What owners have settled: whoever is not among them has the days of the installation.
    pub fn of_owners(&self) -> Arc<HashMap<OwnerId, u32>> {
        self.0.of_owners.load_full()
    }

    /// Takes over what owners have settled.
    pub fn settle(&self, of_owners: HashMap<OwnerId, u32>) {
        self.0.of_owners.store(Arc::new(of_owners));
    }

    /// The devices that were erased, as far as it is remembered. It is the same one until another one is.
    pub fn erased(&self) -> Arc<Erased> {
        self.0.erased.load_full()
    }

    /// Takes over which devices were erased.
    pub fn bury(&self, erased: Erased) {
        if **self.0.erased.load() != erased {
            self.0.erased.store(Arc::new(erased));
        }
    }

    /// The days of one owner.
    pub fn days(&self, owner: OwnerId) -> u32 {
        self.0.of_owners.load().get(&owner).copied().unwrap_or(self.0.of_installation)
    }

    /// The oldest day of an owner that is kept.
    pub fn first_day(&self, owner: OwnerId, today: Day) -> Day {
        before(today, self.days(owner))
    }

    /// The oldest day that is kept of anybody.
    pub fn earliest_day(&self, today: Day) -> Day {
        let longest = self.0.of_owners.load().values().copied().fold(self.0.of_installation, u32::max);
        before(today, longest)
    }
}

fn before(today: Day, days: u32) -> Day {
    today.plus(i32::try_from(days).map_or(i32::MIN, |days| -days))
}
