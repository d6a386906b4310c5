//! Which devices were counted on a day, in few bytes: a device that was not is new.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use headcount_engine::day::Day;
use headcount_engine::device::Pseudonym;
use headcount_engine::id::AppId;

/// So many parts are locked one by one; a part that grows is moved alone.
const PARTS: usize = 64;

/// The first bytes of pseudonyms. Two devices may share them: then the second one is taken for known, and counted.
type Known = HashMap<(AppId, Day), HashSet<u32>>;

/// The devices of today and of the day before, by application.
#[derive(Debug)]
pub(super) struct Newcomers {
    parts: [Mutex<Known>; PARTS],
    counts: Mutex<HashMap<(AppId, Day), u64>>,
}

impl Default for Newcomers {
    fn default() -> Self {
        Self { parts: std::array::from_fn(|_| Mutex::default()), counts: Mutex::default() }
    }
}

impl Newcomers {
    /// Whether the device is known, or is admitted as a new one: `admit` is told how many others there are.
    pub(super) fn admits(&self, key: (AppId, Day), device: Pseudonym, admit: impl FnOnce(u64) -> bool) -> bool {
        let [part, first, second, third, fourth, ..] = device.0;
        let print = u32::from_le_bytes([first, second, third, fourth]);
        let mut known = lock(&self.parts[usize::from(part) % PARTS]);
        if known.get(&key).is_some_and(|prints| prints.contains(&print)) {
            return true;
        }
        let mut counts = lock(&self.counts);
        if !counts.contains_key(&key) {
            counts.retain(|&(_, kept), _| is_near(kept, key.1));
        }
        let count = counts.entry(key).or_default();
        if !admit(*count) {
            return false;
        }
        *count += 1;
        drop(counts);
        if !known.contains_key(&key) {
            known.retain(|&(_, kept), _| is_near(kept, key.1));
        }
        known.entry(key).or_default().insert(print)
    }
}

fn is_near(kept: Day, day: Day) -> bool {
    (kept.0 - day.0).abs() <= 1
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is under the lock is whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use headcount_engine::id::Id;

    use super::*;

    #[test]
    fn known_devices_are_admitted_and_others_are_counted() {
        let newcomers = Newcomers::default();
        let (app, other) = (AppId(Id::from_bytes([1; 12])), AppId(Id::from_bytes([2; 12])));
        let device = |number: u8| Pseudonym([number; 16]);
        let below = |limit: u64| move |others: u64| others < limit;
        for number in 0..3 {
            assert!(newcomers.admits((app, Day(1)), device(number), below(3)));
        }
        assert!(!newcomers.admits((app, Day(1)), device(3), below(3)));
        assert!(newcomers.admits((app, Day(1)), device(2), |_| false));
        assert!(newcomers.admits((other, Day(1)), device(3), below(1)));
        assert!(newcomers.admits((app, Day(2)), device(3), below(1)));
        // The day before is known for one more day.
        assert!(newcomers.admits((app, Day(1)), device(0), |_| false));
        assert!(newcomers.admits((app, Day(3)), device(0), below(1)));
        assert_eq!(lock(&newcomers.counts).len(), 2);
    }
}
