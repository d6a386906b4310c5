//! Erasing single devices: from the dictionary, and then from every segment.
//!
//! The hole comes first, with the tombstone, in one step that changes the dictionary's state: whoever folds by what was
//! before has to read the dictionary again, and learns of the erasure. From then on no segment gets a bit of the device, so
//! that those which are there can be taken out one by one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use headcount_engine::day::{Day, Millis};
use headcount_engine::device::Pseudonym;
use headcount_engine::id::{AppId, OwnerId};
use roaring::RoaringBitmap;

use super::Keeper;
use crate::catalog::totals::{TotalsKey, TotalsVersion};
use crate::error::{Code, Error};
use crate::store::cache::Seen;
use crate::store::{Applied, Block, Compaction, DictionaryState, DictionaryTail, Erasure, Step, pieces};

/// How often one step is tried again at once after somebody else's step came first.
const ATTEMPTS: usize = 16;

/// In which state a dictionary was last seen to remember all erased devices.
pub(super) type Remembered = HashMap<OwnerId, DictionaryState>;

impl Keeper {
    /// Erases a device from the store: what was accepted of it until `at` is counted no more, and what is still to come
    /// of that neither. What it does twice does no harm.
    ///
    /// # Errors
    /// 503 where the store cannot be reached, or changes all the time: the next round tries again.
    pub async fn erase_device(&self, owner: OwnerId, device: Pseudonym, at: Millis) -> Result<(), Error> {
        self.make_hole(owner, device, at).await?;
        let changed = self.clear_holes(owner).await?;
        self.keep_totals_of(owner, &changed).await?;
        self.catalog.device_is_erased(owner, device, at).await
    }

    /// Erases what the catalog says is to be erased, also where the store has forgotten that it was, and forgets what
    /// nothing can come of any more.
    pub(super) async fn erase_devices(&self, remembered: &mut Remembered, now: Millis) -> Result<(), Error> {
        let mut by_owner: BTreeMap<OwnerId, Vec<_>> = BTreeMap::new();
        for erasure in self.catalog.device_erasures().await? {
            by_owner.entry(erasure.owner).or_default().push(erasure);
        }
        for (owner, erasures) in by_owner {
            let before = self.marks_before(owner, now);
            if erasures.iter().any(|erasure| erasure.at < before) {
                self.catalog.forget_device_erasures(owner, before).await?;
            }
            let known = remembered.get(&owner).copied().unwrap_or_default();
            let tail = self.store.dictionary(owner, known).await?;
            let is_there = |device, at| tail.erased.iter().any(|erased| erased.device == device && erased.at >= at);
            for erasure in erasures.into_iter().filter(|erasure| erasure.at >= before) {
                if !erasure.done || !is_there(erasure.device, erasure.at) {
                    self.erase_device(owner, erasure.device, erasure.at).await?;
                }
            }
            remembered.insert(owner, tail.state);
        }
        Ok(())
    }

    async fn make_hole(&self, owner: OwnerId, device: Pseudonym, at: Millis) -> Result<(), Error> {
        for _ in 0..ATTEMPTS {
            let tail = self.store.dictionary(owner, DictionaryState::default()).await?;
            if tail.erased.iter().any(|erased| erased.device == device && erased.at >= at) {
                return Ok(());
            }
            let step = self.compute(move || hole(&tail, device, at)).await?;
            if self.store.apply(owner, step).await? == Applied::Yes {
                return Ok(());
            }
        }
        Err(contended())
    }

    /// Takes the bits of erased devices out of every segment, base and deltas: which segments had any.
    async fn clear_holes(&self, owner: OwnerId) -> Result<BTreeSet<(AppId, Day)>, Error> {
        let mut changed = BTreeSet::new();
        for _ in 0..ATTEMPTS {
            let tail = self.store.dictionary(owner, DictionaryState::default()).await?;
            let (epoch, holes) = (tail.state.epoch, self.compute(move || holes(&tail)).await?);
            let holes = Arc::new(holes);
            let heads = self.store.heads().await?;
            let days: BTreeSet<Day> = heads.iter().filter(|head| head.owner == owner).map(|head| head.day).collect();
            let mut is_done = true;
            for day in days {
                for seen in self.cache.segments(&self.store, owner, day..=day).await?.seen {
                    if seen.version.epoch != epoch {
                        is_done = false;
                    } else if !seen.segment.devices().is_disjoint(&holes) {
                        is_done &= self.clear(owner, &seen, holes.clone()).await?;
                        changed.insert((seen.app, seen.day));
                    }
                }
            }
            if is_done {
                return Ok(changed);
            }
        }
        Err(contended())
    }

    async fn clear(&self, owner: OwnerId, seen: &Seen, holes: Arc<RoaringBitmap>) -> Result<bool, Error> {
        let segment = seen.segment.clone();
        let cleared = move || {
            let segment = segment.remap(|ordinal| (!holes.contains(ordinal)).then_some(ordinal));
            (pieces(&segment), segment.has_times(), Arc::new(segment))
        };
        let (pieces, timed, segment) = self.compute(cleared).await?;
        let Seen { app, day, version, .. } = *seen;
        let done = self.store.compact(Compaction { owner, app, day, from: version, pieces, timed }).await?;
        if done {
            self.cache.compacted(owner, (app, day), version, segment);
        }
        Ok(done)
    }

    /// The totals of closed days stay as they are: those that are kept are from now on those of the segments that have
    /// changed.
    async fn keep_totals_of(&self, owner: OwnerId, changed: &BTreeSet<(AppId, Day)>) -> Result<(), Error> {
        let today = self.clock.now().day();
        let closed: BTreeSet<Day> = changed.iter().map(|&(_, day)| day).filter(|day| *day < today).collect();
        if closed.is_empty() {
            return Ok(());
        }
        let mut versions: BTreeMap<TotalsKey, TotalsVersion> = BTreeMap::new();
        for head in self.store.heads().await?.iter().filter(|head| head.owner == owner && closed.contains(&head.day)) {
            for key in [(Some(head.app), head.day), (None, head.day)] {
                let version = versions.entry(key).or_default();
                *version = version.with(head.version.generation, head.version.sequence);
            }
        }
        self.catalog.move_totals(owner, versions).await
    }
}

fn contended() -> Error {
    Error::new(Code::Unavailable, "the telemetry store changes all the time").retry_after(5)
}

/// The step that puts a hole in the place of the device.
fn hole(tail: &DictionaryTail, device: Pseudonym, at: Millis) -> Step {
    let with_hole = |block: &Block| {
        let without = |&of: &Pseudonym| if of == device { Pseudonym::HOLE } else { of };
        Block { id: block.id, pseudonyms: block.pseudonyms.iter().map(without).collect() }
    };
    let having = (0..).zip(&tail.blocks).filter(|(_, block)| block.pseudonyms.contains(&device));
    let replaced = having.map(|(place, block)| (place, with_hole(block))).collect();
    let erased = Some(Erasure { device, replaced });
    Step { expected_dictionary: tail.state, block: Some(Block::hole()), erased, ..Step::of_no_spool(at) }
}

/// The ordinals that no device has any more.
pub(super) fn holes(tail: &DictionaryTail) -> RoaringBitmap {
    let pseudonyms = tail.blocks.iter().flat_map(|block| &block.pseudonyms);
    let places = (0_u32..).zip(pseudonyms).filter(|(_, device)| **device == Pseudonym::HOLE);
    places.map(|(ordinal, _)| ordinal).collect()
}
