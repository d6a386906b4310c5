//! Daily totals: computed when a day is compacted and when it has closed.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use headcount_engine::daily::daily_totals;
use headcount_engine::day::{Day, Millis};
use headcount_engine::id::{AppId, OwnerId};

use super::{Keeper, incomplete, sources};
use crate::catalog::totals::{KeptTotals, TotalsKey, TotalsVersion};
use crate::error::Error;
use crate::store::Head;
use crate::store::cache::Segments;

/// From which state of the segments each of an owner's totals was computed.
pub(super) type Totalled = HashMap<TotalsKey, TotalsVersion>;

impl Keeper {
    /// Keeps the totals of the days that were compacted now, and of the closed days that have changed since.
    pub(super) async fn total(
        &self,
        owner: OwnerId,
        totalled: &mut HashMap<OwnerId, Totalled>,
        (heads, compacted): (&[Head], &BTreeSet<(AppId, Day)>),
        now: Millis,
    ) -> Result<(), Error> {
        let known = match totalled.entry(owner) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(self.catalog.totals_versions(owner).await?),
        };
        let due: BTreeMap<TotalsKey, TotalsVersion> = due(heads, compacted, known, now.day());
        let Some(first) = due.keys().map(|&(_, day)| day).min() else { return Ok(()) };
        let segments = self.with_past(owner, first, now).await?;
        for &(app, day) in due.keys() {
            let totals = self.totals_of(owner, &segments, (app, day)).await?;
            let version = totals.version;
            self.catalog.keep_totals(owner, (app, day), totals).await?;
            known.insert((app, day), version);
        }
        Ok(())
    }

    async fn totals_of(&self, owner: OwnerId, segments: &Segments, (app, day): TotalsKey) -> Result<KeptTotals, Error> {
        let of_day = segments.seen.iter().filter(|seen| seen.day == day && app.is_none_or(|app| seen.app == app));
        let version =
            of_day.fold(TotalsVersion::default(), |sum, seen| sum.with(seen.version.generation, seen.version.sequence));
        let (sources, retention) = (sources(segments, app), self.settings.retention.days(owner));
        let numbers = self.compute(move || daily_totals(&sources, day, retention)).await?;
        Ok(KeptTotals { version, incomplete: incomplete(segments, app).contains(&day), numbers })
    }
}

impl TotalsVersion {
    /// The version of several segments together: it grows when any of them does.
    pub(super) fn with(self, generation: u64, sequence: u64) -> Self {
        Self { generation: self.generation.max(generation), sequence: self.sequence + sequence }
    }
}

/// The totals to be computed: of single apps, and of their owner.
fn due(
    heads: &[Head],
    compacted: &BTreeSet<(AppId, Day)>,
    known: &Totalled,
    today: Day,
) -> BTreeMap<TotalsKey, TotalsVersion> {
    let mut now: BTreeMap<TotalsKey, TotalsVersion> = BTreeMap::new();
    for head in heads {
        for key in [(Some(head.app), head.day), (None, head.day)] {
            let version = now.entry(key).or_default();
            *version = version.with(head.version.generation, head.version.sequence);
        }
    }
    let compacted_days: BTreeSet<Day> = compacted.iter().map(|&(_, day)| day).collect();
    now.retain(|&(app, day), version| {
        let was_compacted = match app {
            Some(app) => compacted.contains(&(app, day)),
            None => compacted_days.contains(&day),
        };
        // Less than was there before: an app was erased.
        was_compacted || (day < today && known.get(&(app, day)).is_none_or(|known| known != version))
    });
    now
}
