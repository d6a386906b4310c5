//! The steps of one owner.

use headcount_engine::day::Millis;
use headcount_engine::id::OwnerId;
use headcount_engine::mark::SpoolId;

use super::dictionary::{Dictionary, Followed};
use super::fold::{DecodedRow, Folded, fold};
use super::shipper::Shipper;
use super::source::{Loss, Source};
use super::{ATTEMPTS, ShipError};
use crate::store::{Applied, Block, DictionaryState, Step};

/// What became of an owner's part of some rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shipped {
    /// It is in the store, or is not to get there.
    Done,
    /// The store has less than it had acknowledged: what it lost comes before these rows.
    StoreWentBack,
}

impl Shipper {
    pub(super) async fn ship_owner(
        &mut self,
        source: &mut Source,
        owner: OwnerId,
        rows: &[DecodedRow],
        now: Millis,
    ) -> Result<Shipped, ShipError> {
        let (first_day, erased) = (self.first_day(owner, now), self.erased());
        let of_owner_erased = erased.get(&owner);
        for _ in 0..ATTEMPTS {
            if source.is_fork(owner)? {
                return Ok(Shipped::Done);
            }
            let mark = source.mark(owner);
            let is_fresh = |row: &&DecodedRow| mark.is_none_or(|mark| row.mark.row > mark.row);
            let of_owner = |row: &&DecodedRow| row.owners().binary_search(&owner).is_ok();
            let fresh: Vec<&DecodedRow> = rows.iter().filter(is_fresh).filter(of_owner).collect();
            let Some(last) = fresh.last() else { return Ok(Shipped::Done) };
            let dictionary = self.dictionary(owner).await?;
            let folded = fold(&fresh, owner, dictionary, (first_day, of_owner_erased));
            if folded.expired > 0 {
                tracing::warn!(%owner, events = folded.expired, "events of expired days are dropped");
            }
            let shown = first_day..=now.day().plus(1);
            let damaged = fresh.iter().flat_map(|row| row.damaged_of(owner)).filter(|(_, day)| shown.contains(day));
            let step = Step {
                expected_mark: mark,
                mark: Some(last.mark),
                incomplete: damaged.collect(),
                receipts: fresh.iter().filter_map(|row| row.receipt_of(owner)).collect(),
                ..Step::empty(source.id(), now)
            };
            match self.apply_all(owner, step, folded).await? {
                Applied::Yes => {
                    source.shipped(owner, last.mark);
                    return Ok(Shipped::Done);
                }
                Applied::MarkMoved(now) => match (mark, now) {
                    (Some(mark), now) if now.is_none_or(|now| now.row < mark.row) => return Ok(Shipped::StoreWentBack),
                    (_, Some(now)) => source.set_mark(owner, now),
                    // Nothing was expected and nothing is there: the store contradicts itself.
                    (_, None) => {}
                },
                Applied::DictionaryMoved(_) => self.follow_dictionary(owner).await?,
            }
        }
        Err(ShipError::Contended)
    }

    /// Marks the days incomplete of which the store lost something that is kept nowhere; `false` if somebody else has
    /// shipped under the same id meanwhile.
    pub(super) async fn adopt(&mut self, spool: SpoolId, loss: &Loss, now: Millis) -> Result<bool, ShipError> {
        let first_day = self.first_day(loss.owner, now);
        let lost: Vec<_> = loss.days.iter().copied().filter(|&(_, day)| day >= first_day).collect();
        for _ in 0..ATTEMPTS {
            let expected_dictionary = self.dictionary(loss.owner).await?.state();
            let step = Step {
                expected_mark: loss.kept,
                expected_dictionary,
                incomplete: lost.clone(),
                ..Step::empty(spool, now)
            };
            match self.store.apply(loss.owner, step).await? {
                Applied::Yes => return Ok(true),
                Applied::MarkMoved(_) => return Ok(false),
                Applied::DictionaryMoved(_) => self.follow_dictionary(loss.owner).await?,
            }
        }
        Err(ShipError::Contended)
    }

    /// Applies the blocks that do not fit into one step, and then the rest with the last of them.
    async fn apply_all(&mut self, owner: OwnerId, last: Step, folded: Folded) -> Result<Applied, ShipError> {
        let mut blocks = folded.blocks;
        let final_block = blocks.pop();
        for block in blocks {
            let step = Step { expected_mark: last.expected_mark, ..Step::empty(last.spool, last.at) };
            let applied = self.apply_block(owner, Some(block), step).await?;
            if applied != Applied::Yes {
                return Ok(applied);
            }
        }
        self.apply_block(owner, final_block, Step { deltas: folded.deltas, ..last }).await
    }

    async fn apply_block(&mut self, owner: OwnerId, block: Option<Block>, step: Step) -> Result<Applied, ShipError> {
        let dictionary = self.dictionaries.entry(owner).or_default();
        let step = Step { expected_dictionary: dictionary.state(), block: block.clone(), ..step };
        let applied = self.store.apply(owner, step).await;
        match (&applied, block) {
            (Ok(Applied::Yes), Some(block)) => dictionary.extend(&block),
            // Whether the step was applied is not known: the next one starts from what the store has.
            (Err(_), _) => drop(self.dictionaries.remove(&owner)),
            (Ok(_), _) => {}
        }
        Ok(applied?)
    }

    async fn dictionary(&mut self, owner: OwnerId) -> Result<&Dictionary, ShipError> {
        if !self.dictionaries.contains_key(&owner) {
            self.follow_dictionary(owner).await?;
        }
        Ok(self.dictionaries.entry(owner).or_default())
    }

    async fn follow_dictionary(&mut self, owner: OwnerId) -> Result<(), ShipError> {
        let dictionary = self.dictionaries.entry(owner).or_default();
        let tail = self.store.dictionary(owner, dictionary.state()).await?;
        if dictionary.follow(&tail) == Followed::Torn {
            *dictionary = Dictionary::default();
            dictionary.follow(&self.store.dictionary(owner, DictionaryState::default()).await?);
        }
        Ok(())
    }
}
