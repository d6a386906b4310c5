//! A new epoch: a dictionary without the devices that no retained day knows.

use std::collections::{BTreeMap, BTreeSet};

use headcount_engine::day::{DAY_MILLIS, Day, Millis};
use headcount_engine::device::Pseudonym;
use headcount_engine::id::{AppId, OwnerId};
use roaring::{MultiOps as _, RoaringBitmap};

use super::Keeper;
use super::devices::holes;
use crate::error::Error;
use crate::store::cache::Segments;
use crate::store::{Applied, Block, DictionaryState, DictionaryTail, Rebuild, Step, pieces};

/// How long idle devices stay in the dictionary while they are the smaller half.
const IDLE_MILLIS: i64 = 30 * DAY_MILLIS;
/// How many pseudonyms a block of a new dictionary has: about 1 MB.
const BLOCK: usize = 1 << 16;
/// Every day that there can be.
const ALL_DAYS: std::ops::RangeInclusive<Day> = Day(i32::MIN)..=Day(i32::MAX);

impl Keeper {
    /// Rebuilds the dictionaries in which over half of the devices are idle past the retention, and those that have an
    /// idle one and were not rebuilt for 30 days.
    pub(super) async fn rebuild(&self, now: Millis) -> Result<(), Error> {
        for owner in self.store.owners().await? {
            let tail = self.store.dictionary(owner, DictionaryState::default()).await?;
            let segments = self.cache.segments(&self.store, owner, ALL_DAYS).await?;
            let since = tail.since;
            let rebuild = self.compute(move || {
                let used = used(&segments, &tail);
                let known: usize = tail.blocks.iter().map(|block| block.pseudonyms.len()).sum();
                let idle = known.saturating_sub(used.len() as usize);
                let due = idle * 2 > known || (idle > 0 && now.0 >= since.0 + IDLE_MILLIS);
                due.then(|| renumber(owner, &tail, &segments, &used, now))
            });
            let Some(rebuild) = rebuild.await? else { continue };
            let devices: usize = rebuild.blocks.iter().map(|block| block.pseudonyms.len()).sum();
            // Refused where something was shipped meanwhile: the next round tries again.
            if self.store.rebuild(rebuild).await? {
                tracing::info!(%owner, devices, "the dictionary was rebuilt");
            }
        }
        Ok(())
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
            let rebuild = self.compute(move || renumber(owner, &tail, &segments, &used(&segments, &tail), now)).await?;
            if self.store.rebuild(rebuild).await? {
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

/// The used devices in the order of their old ordinals, and all segments with the new ones.
fn renumber(owner: OwnerId, tail: &DictionaryTail, segments: &Segments, used: &RoaringBitmap, now: Millis) -> Rebuild {
    let kept: Vec<Pseudonym> = tail
        .blocks
        .iter()
        .flat_map(|block| &block.pseudonyms)
        .enumerate()
        .filter(|(ordinal, _)| u32::try_from(*ordinal).is_ok_and(|ordinal| used.contains(ordinal)))
        .map(|(_, &pseudonym)| pseudonym)
        .collect();
    let blocks = kept.chunks(BLOCK).map(|part| Block { id: rand::random(), pseudonyms: part.to_vec() }).collect();
    let renumbered = |old: u32| used.contains(old).then(|| (used.rank(old) - 1) as u32);
    let bases = segments.seen.iter().map(|seen| {
        let segment = seen.segment.remap(renumbered);
        (seen.app, seen.day, pieces(&segment), segment.has_times())
    });
    Rebuild {
        owner,
        expected_dictionary: tail.state,
        expected: segments.seen.iter().map(|seen| ((seen.app, seen.day), seen.version)).collect::<BTreeMap<_, _>>(),
        blocks,
        bases: bases.collect(),
        at: now,
    }
}
