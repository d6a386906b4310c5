//! From rows of the spool to the steps of one owner.

use std::collections::{BTreeMap, HashMap};

use headcount_engine::day::Day;
use headcount_engine::device::Pseudonym;
use headcount_engine::format::{encode, seal};
use headcount_engine::id::{AppId, OwnerId};
use headcount_engine::row::Row;
use headcount_engine::segment::Fold;

use super::dictionary::Dictionary;
use crate::spool::Receipt;
use crate::store::{Block, MOST_NEW_PSEUDONYMS};
use headcount_engine::mark::Mark;

/// One row of a spool, decoded.
#[derive(Debug)]
pub(super) struct DecodedRow {
    pub(super) mark: Mark,
    pub(super) row: Row,
    pub(super) receipt: Option<Receipt>,
}

impl DecodedRow {
    /// The owners of whom the row holds something, each once.
    pub(super) fn owners(&self) -> Vec<OwnerId> {
        let events = self.row.events.iter().map(|event| event.owner);
        let tallies = self.row.tallies.iter().map(|tally| tally.owner);
        // An import of which every line was rejected is answered alike when it comes again.
        let receipt = self.receipt.as_ref().map(|receipt| receipt.owner);
        let mut owners: Vec<OwnerId> = events.chain(tallies).chain(receipt).collect();
        owners.sort_unstable();
        owners.dedup();
        owners
    }

    /// What an import of the owner is answered for this row.
    pub(super) fn receipt_of(&self, owner: OwnerId) -> Option<(Mark, Vec<u8>)> {
        let receipt = self.receipt.as_ref().filter(|receipt| receipt.owner == owner)?;
        Some((self.mark, receipt.bytes.clone()))
    }
}

/// What the rows hold of one owner.
#[derive(Debug)]
pub(super) struct Folded {
    /// Blocks that must be in the dictionary before the deltas are; the last one may go with them.
    pub(super) blocks: Vec<Block>,
    /// The deltas.
    pub(super) deltas: Vec<(AppId, Day, Vec<u8>)>,
    /// Events of days that are no longer reported.
    pub(super) expired: u64,
}

/// Folds what `rows` hold of `owner`; ordinals continue those of `dictionary`.
pub(super) fn fold(rows: &[&DecodedRow], owner: OwnerId, dictionary: &Dictionary, first_day: Day) -> Folded {
    let mut folds: BTreeMap<(AppId, Day), Fold> = BTreeMap::new();
    let mut fresh: HashMap<Pseudonym, u32> = HashMap::new();
    let mut joined: Vec<Pseudonym> = Vec::new();
    let mut expired = 0;
    for row in rows {
        for event in row.row.events.iter().filter(|event| event.owner == owner) {
            let day = event.at.day();
            if day < first_day {
                expired += 1;
                continue;
            }
            let ordinal = dictionary.ordinal(event.device).unwrap_or_else(|| {
                *fresh.entry(event.device).or_insert_with(|| {
                    joined.push(event.device);
                    dictionary.next() + joined.len() as u32 - 1
                })
            });
            folds.entry((event.app, day)).or_default().record(ordinal, event.at, &event.values);
        }
        for tally in row.row.tallies.iter().filter(|tally| tally.owner == owner && tally.at.day() >= first_day) {
            folds.entry((tally.app, tally.at.day())).or_default().tally(&tally.kind, &tally.value, tally.count);
        }
    }
    let blocks = joined
        .chunks(MOST_NEW_PSEUDONYMS)
        .map(|pseudonyms| Block { id: rand::random(), pseudonyms: pseudonyms.to_vec() })
        .collect();
    let deltas = folds.into_iter().map(|((app, day), fold)| (app, day, seal(encode(&fold.finish())))).collect();
    Folded { blocks, deltas, expired }
}
