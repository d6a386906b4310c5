//! Compaction: base and deltas of one day become a new base.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use headcount_engine::day::{Day, Millis};
use headcount_engine::id::{AppId, OwnerId};

use super::Keeper;
use crate::error::Error;
use crate::store::cache::Seen;
use crate::store::{Compaction, Head, pieces};

/// How many deltas an open day gathers over an empty base.
const MOST_DELTAS: u64 = 64;
/// For how many bytes of its base it gathers one more: a large one is not written anew all the time.
const BYTES_OF_BASE: u64 = 16 << 10;
/// How many deltas it gathers at most, so that a reader who has nothing yet finds each of them quickly.
const MOST_DELTAS_OF_ALL: u64 = 1024;
/// How many bytes of deltas are left alone however small the base is.
const FEW_BYTES: u64 = 256 << 10;
/// How long a closed day must be quiet before its last deltas are compacted.
const QUIET_MILLIS: i64 = 60_000;

impl Keeper {
    /// Compacts what is due of an owner, and says which app-days were.
    pub(super) async fn compact(
        &self,
        owner: OwnerId,
        heads: &[Head],
        now: Millis,
    ) -> Result<BTreeSet<(AppId, Day)>, Error> {
        // A day that nobody can read any more goes soon.
        let first = self.settings.retention.first_day(owner, now.day());
        let due: Vec<&Head> = heads.iter().filter(|head| head.day >= first && self.is_due(head, now)).collect();
        let mut compacted = BTreeSet::new();
        let (Some(first), Some(last)) = (due.iter().map(|head| head.day).min(), due.iter().map(|head| head.day).max())
        else {
            return Ok(compacted);
        };
        let segments = self.cache.segments(&self.store, owner, first..=last).await?;
        let seen: HashMap<(AppId, Day), &Seen> =
            segments.seen.iter().map(|seen| ((seen.app, seen.day), seen)).collect();
        for head in due {
            let Some(seen) = seen.get(&(head.app, head.day)) else { continue };
            if self.compact_one(owner, seen, self.may_drop_times(head, now)).await? {
                compacted.insert((head.app, head.day));
            }
        }
        Ok(compacted)
    }

    async fn compact_one(&self, owner: OwnerId, seen: &Seen, drop_times: bool) -> Result<bool, Error> {
        let mut segment = Arc::clone(&seen.segment);
        let encode = move || {
            if drop_times && segment.has_times() {
                Arc::make_mut(&mut segment).drop_times();
            }
            (pieces(&segment), segment.has_times(), segment)
        };
        let (pieces, timed, segment) = self.compute(encode).await?;
        let Seen { app, day, version, .. } = *seen;
        let compaction = Compaction { owner, app, day, from: version, pieces, timed };
        let done = self.store.compact(compaction).await?;
        if done {
            self.cache.compacted(owner, (app, day), version, segment);
        }
        Ok(done)
    }

    fn is_due(&self, head: &Head, now: Millis) -> bool {
        let closed = head.day < now.day() && now.0 >= head.changed_at.0 + QUIET_MILLIS;
        have_grown(head.deltas, head.base_bytes)
            || (closed && head.deltas.0 > 0)
            || (head.timed && self.may_drop_times(head, now))
    }

    /// Times are kept until nothing that may still be replayed could need them: one replay window after the day's end,
    /// and after the newest batch that brought the day an event.
    fn may_drop_times(&self, head: &Head, now: Millis) -> bool {
        let end = head.day.plus(1).start();
        now.0 >= end.0 + self.replay_millis() && now.0 >= head.changed_at.0 + self.replay_millis()
    }
}

/// Whether there are so many deltas, or so many bytes of them, that a new base is worth its writing.
fn have_grown((deltas, bytes): (u64, u64), base_bytes: u64) -> bool {
    let most = (MOST_DELTAS + base_bytes / BYTES_OF_BASE).min(MOST_DELTAS_OF_ALL);
    deltas >= most || bytes > FEW_BYTES.max(base_bytes / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many bytes of bases a day writes on which so many devices come one after the other, 9 bytes each in the base,
    /// with a delta a second; and the most deltas that a reader may find.
    fn written(devices: u64) -> (u64, u64) {
        let (mut base, mut deltas, mut written, mut most) = (0, (0, 0), 0, 0);
        for second in 1..=86_400 {
            deltas = (deltas.0 + 1, deltas.1 + 100 + devices * 24 / 86_400);
            most = deltas.0.max(most);
            if second % 10 == 0 && have_grown(deltas, base) {
                base = devices * 9 * second / 86_400;
                (deltas, written) = ((0, 0), written + base);
            }
        }
        (written, most)
    }

    #[test]
    fn what_a_day_writes_grows_with_its_deltas() {
        for devices in [0, 1_000, 100_000, 1_000_000] {
            let (written, most) = written(devices);
            assert!(written <= 86_400 * BYTES_OF_BASE, "{devices}: {written}");
            assert!(most <= MOST_DELTAS_OF_ALL + 10, "{devices}: {most}");
        }
    }
}
