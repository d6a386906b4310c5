//! From rows of the spool to the steps of one owner.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use headcount_engine::day::{AHEAD_MILLIS, Day, Millis};
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
    row: Row,
    receipt: Option<Receipt>,
    // The owners of whom the row holds something, each once, in order.
    owners: Vec<OwnerId>,
    // The days that a damaged row shows.
    damaged: BTreeSet<(OwnerId, AppId, Day)>,
}

impl DecodedRow {
    pub(super) fn new(
        mark: Mark,
        row: Row,
        receipt: Option<Receipt>,
        damaged: BTreeSet<(OwnerId, AppId, Day)>,
    ) -> Self {
        let events = row.events.iter().map(|event| event.owner);
        let tallies = row.tallies.iter().map(|tally| tally.owner);
        // An import of which every line was rejected is answered alike when it comes again.
        let receipt_of = receipt.as_ref().map(|receipt| receipt.owner);
        let shown = damaged.iter().map(|&(owner, ..)| owner);
        let mut owners: Vec<OwnerId> = events.chain(tallies).chain(receipt_of).chain(shown).collect();
        owners.sort_unstable();
        owners.dedup();
        Self { mark, row, receipt, owners, damaged }
    }

    /// The owners of whom the row holds something, each once.
    pub(super) fn owners(&self) -> &[OwnerId] {
        &self.owners
    }

    /// How many events it holds.
    pub(super) fn events(&self) -> u64 {
        self.row.events.len() as u64
    }

    /// The latest moment of anything in it.
    pub(super) fn latest(&self) -> Option<Millis> {
        self.row.latest()
    }

    /// Whether something in the row is of a moment that the clock will not show for long.
    pub(super) fn is_ahead_of(&self, now: Millis) -> bool {
        self.latest().is_some_and(|latest| latest.0 > now.0.saturating_add(AHEAD_MILLIS))
    }

    /// The days of the owner that the row shows and has not preserved.
    pub(super) fn damaged_of(&self, owner: OwnerId) -> impl Iterator<Item = (AppId, Day)> {
        self.damaged.iter().filter(move |&&(of, ..)| of == owner).map(|&(_, app, day)| (app, day))
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

/// Folds what `rows` hold of `owner`; ordinals continue those of `dictionary`. What was accepted of a device before it was
/// erased is passed over, whether the store knows of that or this process does.
pub(super) fn fold(
    rows: &[&DecodedRow],
    owner: OwnerId,
    dictionary: &Dictionary,
    (first_day, erased): (Day, Option<&HashMap<Pseudonym, Millis>>),
) -> Folded {
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
            let erased_at = erased.and_then(|erased| erased.get(&event.device)).copied();
            if erased_at.max(dictionary.erased_at(event.device)).is_some_and(|at| event.at <= at) {
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
