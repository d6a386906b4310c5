//! A new epoch: a dictionary without the devices that no retained day knows.

use std::collections::{BTreeSet, HashMap};

use headcount_engine::day::{DAY_MILLIS, Day, Millis};
use headcount_engine::device::Pseudonym;
use headcount_engine::id::{AppId, OwnerId};
use roaring::{MultiOps as _, RoaringBitmap};

use super::Keeper;
use super::devices::holes;
use crate::error::Error;
use crate::store::cache::Segments;
use crate::store::{Applied, Block, DictionaryState, DictionaryTail, Rebuild, Step, Version, pieces};

/// How long idle devices stay in the dictionary while they are the smaller half.
const IDLE_MILLIS: i64 = 30 * DAY_MILLIS;
/// How many pseudonyms a block of a new dictionary has: about 1 MB.
const BLOCK: usize = 1 << 16;
/// How often a rebuild is tried in a row.
const TRIES: usize = 8;
/// Stands for the new ordinal of a device that goes.
const NOWHERE: u32 = u32::MAX;
/// Every day that there can be.
const ALL_DAYS: std::ops::RangeInclusive<Day> = Day(i32::MIN)..=Day(i32::MAX);

/// A base, and the same with the version of the segment that it was made of.
type Base = (AppId, Day, Vec<Vec<u8>>, bool);
type Kept = (Version, Base);

impl Keeper {
    /// Rebuilds the dictionaries in which over half of the devices are idle past the retention, and those that have an
    /// idle one and were not rebuilt for 30 days.
    ///
    /// Gives whether all of them are.
    pub(super) async fn rebuild(&self, now: Millis) -> Result<bool, Error> {
        let mut is_done = true;
        for owner in self.store.owners().await? {
            is_done &= self.rebuild_of(owner, now).await?;
        }
        Ok(is_done)
    }

    async fn rebuild_of(&self, owner: OwnerId, now: Millis) -> Result<bool, Error> {
        let mut last = None;
        for _ in 0..TRIES {
            let tail = self.store.dictionary(owner, DictionaryState::default()).await?;
            let segments = self.cache.segments(&self.store, owner, ALL_DAYS).await?;
            let before = last.take();
            let renumbered = self.compute(move || {
                let used = used(&segments, &tail);
                let known: usize = tail.blocks.iter().map(|block| block.pseudonyms.len()).sum();
                let idle = known.saturating_sub(used.len() as usize);
                let due = idle * 2 > known || (idle > 0 && now.0 >= tail.since.0 + IDLE_MILLIS);
                due.then(|| Renumbered::of(owner, &tail, &segments, (used, now), before))
            });
            let Some(renumbered) = renumbered.await? else { return Ok(true) };
            if self.store.rebuild(renumbered.rebuild.clone()).await? {
                tracing::info!(%owner, devices = renumbered.used.len(), "the dictionary was rebuilt");
                return Ok(true);
            }
            // Something was shipped meanwhile. The next try has only that to do, and is faster.
            last = Some(renumbered);
        }
        tracing::warn!(%owner, "the dictionary could not be rebuilt beside what is shipped; it is tried again in an hour");
        Ok(false)
    }
}

impl Keeper {
    /// Makes dictionaries anew of which a block is damaged. The devices that it named keep their places, so that every day
    /// that was counted stays as it is; nobody recognises them any more. One that comes again is another device from
    /// today on, and today, which may show it twice, is incomplete.
    pub(super) async fn mend(&self, now: Millis) -> Result<(), Error> {
        for owner in self.store.damaged_dictionaries() {
            let (tail, lost) = self.store.dictionary_with_gaps(owner).await?;
            if lost == 0 {
                continue;
            }
            let segments = self.cache.segments(&self.store, owner, ALL_DAYS).await?;
            let apps: BTreeSet<AppId> = segments.seen.iter().map(|seen| seen.app).collect();
            let incomplete = apps.into_iter().map(|app| (app, now.day())).collect();
            let step = Step { expected_dictionary: tail.state, incomplete, ..Step::of_no_spool(now) };
            if self.store.apply(owner, step).await? != Applied::Yes {
                continue;
            }
            let rebuild = self
                .compute(move || Renumbered::of(owner, &tail, &segments, (used(&segments, &tail), now), None))
                .await?;
            if self.store.rebuild(rebuild.rebuild).await? {
                tracing::error!(%owner, devices = lost, "a part of the dictionary was damaged: these devices are not \
                    recognised any more, and the dictionary was made anew without them");
            }
        }
        Ok(())
    }
}

/// The devices that any day has. The bits of one whose erasure is under way go with the dictionary.
fn used(segments: &Segments, tail: &DictionaryTail) -> RoaringBitmap {
    let seen: RoaringBitmap = segments.seen.iter().map(|seen| seen.segment.devices()).union();
    seen - holes(tail)
}

/// A dictionary and segments with new ordinals, and the devices, by their old ones, that they have.
struct Renumbered {
    used: RoaringBitmap,
    rebuild: Rebuild,
}

impl Renumbered {
    /// The used devices in the order of their old ordinals, and all segments with the new ones. What an earlier try has of
    /// segments that did not change since is taken from it.
    fn of(
        owner: OwnerId,
        tail: &DictionaryTail,
        segments: &Segments,
        (used, now): (RoaringBitmap, Millis),
        before: Option<Self>,
    ) -> Self {
        let before = before.filter(|before| before.has_the_same_places(&used));
        let mut earlier: HashMap<(AppId, Day), Kept> = before.map(Self::bases).unwrap_or_default();
        let places = places(&used);
        let bases = segments.seen.iter().map(|seen| match earlier.remove(&(seen.app, seen.day)) {
            Some((version, base)) if version == seen.version => base,
            _ => {
                let segment = seen.segment.remap(|old| places.get(old as usize).copied().filter(|&new| new != NOWHERE));
                (seen.app, seen.day, pieces(&segment), segment.has_times())
            }
        });
        let rebuild = Rebuild {
            owner,
            expected_dictionary: tail.state,
            expected: segments.seen.iter().map(|seen| ((seen.app, seen.day), seen.version)).collect(),
            bases: bases.collect(),
            blocks: blocks(tail, &used),
            at: now,
        };
        Self { used, rebuild }
    }

    /// Whether all devices that it has would have the same ordinals again: others may only come behind them.
    fn has_the_same_places(&self, used: &RoaringBitmap) -> bool {
        let changed = (&self.used ^ used).min();
        changed.is_none_or(|first| self.used.max().is_none_or(|last| first > last))
    }

    fn bases(self) -> HashMap<(AppId, Day), Kept> {
        let Rebuild { expected, bases, .. } = self.rebuild;
        let kept = |base: Base| Some(((base.0, base.1), (*expected.get(&(base.0, base.1))?, base)));
        bases.into_iter().filter_map(kept).collect()
    }
}

/// The new ordinal of each old one.
fn places(used: &RoaringBitmap) -> Vec<u32> {
    let mut places = vec![NOWHERE; used.max().map_or(0, |last| last as usize + 1)];
    for (old, new) in used.iter().zip(0..) {
        places[old as usize] = new;
    }
    places
}

/// The pseudonyms of these devices, in their order.
fn blocks(tail: &DictionaryTail, used: &RoaringBitmap) -> Vec<Block> {
    let all: Vec<Pseudonym> = tail.blocks.iter().flat_map(|block| &block.pseudonyms).copied().collect();
    let kept: Vec<Pseudonym> = used.iter().filter_map(|ordinal| all.get(ordinal as usize).copied()).collect();
    kept.chunks(BLOCK).map(|part| Block { id: rand::random(), pseudonyms: part.to_vec() }).collect()
}
