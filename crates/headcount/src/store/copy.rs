//! Copies everything that a store holds to an empty one. Broken off and run again it goes on: what is there already is
//! left alone.
//!
//! The copy says what it is one of until it is whole, and nobody opens it to use it before that. What it is one of is a
//! hash of the states of the source, so that a source that has gone on meanwhile is noticed.

use std::collections::{BTreeMap, BTreeSet};

use headcount_engine::day::{Day, Millis};
use headcount_engine::device::Pseudonym;
use headcount_engine::format::{encode, seal};
use headcount_engine::id::{AppId, OwnerId};
use headcount_engine::segment::Segment;

use crate::retention::Retention;

use super::cache::{Seen, merge_loaded};
use super::{Applied, Compaction, DictionaryState, DictionaryTail, Head, Kept, Step, Store, StoreError, pieces};

/// What was copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Owners.
    pub owners: u64,
    /// Devices of their dictionaries.
    pub devices: u64,
    /// Segments: days of applications.
    pub segments: u64,
    /// Blobs that are damaged, and stayed where they are: their days are incomplete.
    pub damaged: u64,
}

/// A store was not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// There is something else.
    #[error("the destination is not empty: it holds what is no part of this copy")]
    NotEmpty,
    /// It holds the copy of another state of the source.
    #[error("the source has changed since the copy began: stop what ships to it, empty the destination, begin anew")]
    Changed,
    /// One of the two failed.
    #[error("the source: {0}")]
    Source(StoreError),
    /// The other one did.
    #[error("the destination: {0}")]
    Destination(StoreError),
}

/// Where to copy from and to, and for whom.
#[derive(Debug)]
pub struct Copy<'a> {
    /// The source. Nothing ships to it meanwhile.
    pub from: &'a Store,
    /// The destination.
    pub to: &'a Store,
    /// For how many days devices are kept: older days have expired.
    pub retention: Retention,
    /// The moment.
    pub now: Millis,
}

/// What the source holds, but for the contents.
#[derive(Debug)]
struct Plan {
    owners: BTreeMap<OwnerId, (DictionaryState, Kept)>,
    heads: BTreeMap<(OwnerId, Day), BTreeSet<AppId>>,
    hash: String,
}

impl Copy<'_> {
    /// Copies what is not there yet. `progress` is told how many of how many days of owners are done.
    pub async fn run(&self, progress: impl Fn(u64, u64)) -> Result<Copied, CopyError> {
        let plan = self.plan().await?;
        self.begin(&plan).await?;
        let heads = self.to.heads().await.map_err(CopyError::Destination)?;
        let there: BTreeMap<_, _> = heads.iter().map(|head| ((head.owner, head.app, head.day), *head)).collect();
        let (mut copied, mut done) = (Copied::default(), 0);
        let total = (plan.owners.len() + plan.heads.len()) as u64;
        for (&owner, (_, kept)) in &plan.owners {
            progress(done, total);
            copied.devices += self.begin_owner(owner, kept).await?;
            for ((_, day), apps) in plan.heads.range((owner, Day(i32::MIN))..=(owner, Day(i32::MAX))) {
                self.day(owner, *day, apps, (&there, &mut copied)).await?;
                done += 1;
                progress(done, total);
            }
            self.end_owner(owner, kept).await?;
            (copied.owners, done) = (copied.owners + 1, done + 1);
        }
        self.end(&plan).await?;
        progress(total, total);
        Ok(copied)
    }

    fn first_day(&self, owner: OwnerId) -> Day {
        self.retention.first_day(owner, self.now.day())
    }

    async fn plan(&self) -> Result<Plan, CopyError> {
        self.read_plan().await.map_err(CopyError::Source)
    }

    async fn read_plan(&self) -> Result<Plan, StoreError> {
        let (mut owners, mut days) = (BTreeMap::new(), BTreeMap::<_, BTreeSet<_>>::new());
        for owner in self.from.owners().await? {
            let state = self.from.dictionary(owner, DictionaryState::default()).await?.state;
            owners.insert(owner, (state, self.from.kept(owner).await?));
        }
        let mut heads = self.from.heads().await?;
        heads.sort_unstable_by_key(|head| (head.owner, head.day, head.app));
        // A debug form has every field, and both runs are of one build.
        let hash = blake3::hash(format!("{owners:?}{heads:?}").as_bytes()).to_hex().to_string();
        for head in heads {
            days.entry((head.owner, head.day)).or_default().insert(head.app);
        }
        Ok(Plan { owners, heads: days, hash })
    }

    /// Takes an empty destination, or the one that was begun.
    async fn begin(&self, plan: &Plan) -> Result<(), CopyError> {
        match self.to.copy_of().await.map_err(CopyError::Destination)? {
            Some(hash) if hash == plan.hash => return Ok(()),
            Some(_) => return Err(CopyError::Changed),
            None => {}
        }
        if !self.to.owners().await.map_err(CopyError::Destination)?.is_empty() {
            return Err(CopyError::NotEmpty);
        }
        self.to.set_copy_of(Some(plan.hash.clone())).await.map_err(CopyError::Destination)
    }

    /// The tombstones, which let nothing in that was erased, and the dictionary: of how many devices it is.
    async fn begin_owner(&self, owner: OwnerId, kept: &Kept) -> Result<u64, CopyError> {
        let blocks = self.from.dictionary(owner, DictionaryState::default()).await.map_err(CopyError::Source)?;
        self.write_dictionary(owner, kept, blocks).await.map_err(CopyError::Destination)
    }

    async fn write_dictionary(&self, owner: OwnerId, kept: &Kept, tail: DictionaryTail) -> Result<u64, StoreError> {
        let there = self.to.dictionary(owner, DictionaryState::default()).await?;
        // First a step of now, so that nothing of the owner goes by itself: those that follow are of earlier.
        self.apply(owner, empty_step(self.now, there.state)).await?;
        for &(app, at) in &kept.erased {
            self.to.erase(owner, app, at).await?;
        }
        let mut expected_dictionary = there.state;
        let pseudonyms = tail.blocks.iter().flat_map(|block| &block.pseudonyms);
        let devices = pseudonyms.filter(|device| **device != Pseudonym::HOLE).count() as u64;
        for block in tail.blocks.into_iter().skip(there.blocks.len()) {
            let id = block.id;
            let step = Step { block: Some(block), ..empty_step(tail.since, expected_dictionary) };
            self.apply(owner, step).await?;
            expected_dictionary.last_block = id;
        }
        Ok(devices)
    }

    /// An owner's segments of one day, each as one base.
    async fn day(
        &self,
        owner: OwnerId,
        day: Day,
        apps: &BTreeSet<AppId>,
        (there, copied): (&BTreeMap<(OwnerId, AppId, Day), Head>, &mut Copied),
    ) -> Result<(), CopyError> {
        if day < self.first_day(owner) {
            let expired = apps.iter().map(|&app| (app, day, self.now)).collect();
            return self.to.keep_expired(owner, expired, self.now).await.map_err(CopyError::Destination);
        }
        copied.segments += apps.len() as u64;
        let is_done = |app: &AppId| there.get(&(owner, *app, day)).is_some_and(|head| head.base_bytes > 0);
        if apps.iter().all(is_done) {
            return Ok(());
        }
        let view = self.from.load(owner, day..=day, std::collections::HashMap::new()).await;
        for loaded in view.map_err(CopyError::Source)?.segments {
            if is_done(&loaded.app) {
                continue;
            }
            let (seen, damaged) = merge_loaded(loaded);
            copied.damaged += damaged.len() as u64;
            self.segment(owner, &seen, !damaged.is_empty()).await.map_err(CopyError::Destination)?;
        }
        Ok(())
    }

    /// An empty delta makes the segment, and a compaction gives it its base.
    async fn segment(&self, owner: OwnerId, seen: &Seen, is_damaged: bool) -> Result<(), StoreError> {
        let Seen { app, day, segment, .. } = seen;
        if self.version(owner, *app, *day).await?.is_none() {
            let dictionary = self.to.dictionary(owner, DictionaryState::default()).await?.state;
            let deltas = vec![(*app, *day, seal(encode(&Segment::default())))];
            let incomplete = if is_damaged { vec![(*app, *day)] } else { Vec::new() };
            self.apply(owner, Step { deltas, incomplete, ..empty_step(self.now, dictionary) }).await?;
        }
        let from = self.version(owner, *app, *day).await?.ok_or_else(unexpected)?;
        let (pieces, timed) = (pieces(segment), segment.has_times());
        let done = self.to.compact(Compaction { owner, app: *app, day: *day, from, pieces, timed }).await?;
        if done { Ok(()) } else { Err(unexpected()) }
    }

    async fn version(&self, owner: OwnerId, app: AppId, day: Day) -> Result<Option<super::Version>, StoreError> {
        let view = self.to.load(owner, day..=day, std::collections::HashMap::new()).await?;
        Ok(view.segments.iter().find(|loaded| loaded.app == app).map(|loaded| loaded.version))
    }

    /// Everything else of an owner.
    async fn end_owner(&self, owner: OwnerId, kept: &Kept) -> Result<(), CopyError> {
        self.write_kept(owner, kept).await.map_err(CopyError::Destination)
    }

    async fn write_kept(&self, owner: OwnerId, kept: &Kept) -> Result<(), StoreError> {
        let there = self.to.kept(owner).await?;
        let dictionary = self.to.dictionary(owner, DictionaryState::default()).await?.state;
        self.to.keep_expired(owner, kept.expired.clone(), self.now).await?;
        self.to.keep_tombstones(owner, kept.tombstones.clone(), self.now).await?;
        let step = Step { incomplete: kept.incomplete.clone(), ..empty_step(self.now, dictionary) };
        self.apply(owner, step).await?;
        for receipt in kept.receipts.iter().filter(|receipt| !there.receipts.contains(receipt)) {
            let (spool, expected_mark) = (receipt.spool, there.mark(receipt.spool));
            let receipts = vec![(receipt.mark, receipt.bytes.clone())];
            let step = Step { spool, expected_mark, receipts, ..empty_step(receipt.at, dictionary) };
            self.apply(owner, step).await?;
        }
        for &(spool, mark, at) in kept.marks.iter().filter(|mark| !there.marks.contains(mark)) {
            let step = Step { spool, mark: Some(mark), ..empty_step(at, dictionary) };
            self.apply(owner, step).await?;
        }
        Ok(())
    }

    /// Says that the copy is whole, if the source is as it was and the copy as the source.
    async fn end(&self, plan: &Plan) -> Result<(), CopyError> {
        if self.plan().await?.hash != plan.hash {
            return Err(CopyError::Changed);
        }
        self.compare(plan).await.map_err(CopyError::Destination)?;
        self.to.set_copy_of(None).await.map_err(CopyError::Destination)
    }

    async fn compare(&self, plan: &Plan) -> Result<(), StoreError> {
        for (&owner, (state, kept)) in &plan.owners {
            let there = self.to.kept(owner).await?;
            let last_block = self.to.dictionary(owner, DictionaryState::default()).await?.state.last_block;
            let is_same = (&there.marks, &there.receipts) == (&kept.marks, &kept.receipts)
                && (&there.erased, &there.tombstones) == (&kept.erased, &kept.tombstones)
                && last_block == state.last_block;
            if !is_same {
                return Err(unexpected());
            }
        }
        let heads: BTreeSet<_> = self.to.heads().await?.iter().map(|head| (head.owner, head.day, head.app)).collect();
        let shown = plan.heads.iter().filter(|((owner, day), _)| *day >= self.first_day(*owner));
        let expected = shown.flat_map(|(&(owner, day), apps)| apps.iter().map(move |&app| (owner, day, app)));
        if heads == expected.collect() { Ok(()) } else { Err(unexpected()) }
    }

    async fn apply(&self, owner: OwnerId, step: Step) -> Result<(), StoreError> {
        let applied = self.to.apply(owner, step).await?;
        if applied == Applied::Yes { Ok(()) } else { Err(unexpected()) }
    }
}

fn unexpected() -> StoreError {
    StoreError::Unavailable("somebody else has written to it meanwhile".to_owned())
}

/// A step that changes nothing yet.
fn empty_step(at: Millis, expected_dictionary: DictionaryState) -> Step {
    Step { expected_dictionary, ..Step::of_no_spool(at) }
}
