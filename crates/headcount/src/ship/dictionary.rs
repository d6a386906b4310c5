//! An owner's dictionary in memory: from pseudonyms to ordinals.

use std::collections::HashMap;

use hashbrown::HashTable;
use headcount_engine::day::Millis;
use headcount_engine::device::Pseudonym;

use crate::store::{Block, DictionaryState, DictionaryTail};

/// How many pseudonyms lie together: a full part has exactly this room, so only the last one has some to spare.
const PART: usize = 1 << 16;

/// Whether a dictionary could follow the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Followed {
    /// It is as the store's.
    Whole,
    /// A device was erased so long ago that nobody knows any more which one: everything has to be read again.
    Torn,
}

/// An owner's dictionary, as of one state.
///
/// What a device takes here is what memory is spent on: 16 bytes for its pseudonym, and about 8 in a table of ordinals
/// that finds it.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    state: DictionaryState,
    // By ordinal.
    parts: Vec<Vec<Pseudonym>>,
    ordinals: HashTable<u32>,
    // When devices were erased.
    erased: HashMap<Pseudonym, Millis>,
    // Ordinals handed out: also those of devices that were erased.
    next: u32,
}

impl Dictionary {
    pub(super) fn state(&self) -> DictionaryState {
        self.state
    }

    pub(super) fn ordinal(&self, device: Pseudonym) -> Option<u32> {
        self.ordinals.find(hash(device), |&ordinal| pseudonym(&self.parts, ordinal) == device).copied()
    }

    /// When a device was erased, if it is remembered that it was.
    pub(super) fn erased_at(&self, device: Pseudonym) -> Option<Millis> {
        self.erased.get(&device).copied()
    }

    /// The ordinal that the next new pseudonym gets.
    pub(super) fn next(&self) -> u32 {
        self.next
    }

    /// Takes a block into memory that the store has accepted.
    pub(super) fn extend(&mut self, block: &Block) {
        self.state.last_block = block.id;
        for &device in &block.pseudonyms {
            self.push(device);
        }
    }

    fn push(&mut self, device: Pseudonym) {
        match self.parts.last_mut() {
            Some(part) if part.len() < PART => part.push(device),
            // A small owner's only part grows; those behind it are full soon.
            Some(_) => {
                let mut part = Vec::with_capacity(PART);
                part.push(device);
                self.parts.push(part);
            }
            None => self.parts.push(vec![device]),
        }
        if device == Pseudonym::HOLE {
            self.next += 1;
            return;
        }
        let Self { parts, ordinals, next, .. } = self;
        let is_it = |&ordinal: &u32| pseudonym(parts, ordinal) == device;
        match ordinals.find_mut(hash(device), is_it) {
            Some(ordinal) => *ordinal = *next,
            None => {
                ordinals.insert_unique(hash(device), *next, |&ordinal| hash(pseudonym(parts, ordinal)));
            }
        }
        *next += 1;
    }

    /// Takes an erased device out: its ordinal is a hole.
    fn dig(&mut self, device: Pseudonym) {
        let Self { parts, ordinals, .. } = self;
        let is_it = |&ordinal: &u32| pseudonym(parts, ordinal) == device;
        if let Ok(entry) = ordinals.find_entry(hash(device), is_it) {
            let (ordinal, _) = entry.remove();
            parts[ordinal as usize / PART][ordinal as usize % PART] = Pseudonym::HOLE;
        }
    }

    /// Follows the store: takes what came, or starts anew where the store's dictionary does not continue this one.
    pub(super) fn follow(&mut self, tail: &DictionaryTail) -> Followed {
        if !tail.follows {
            *self = Self::default();
        }
        self.erased = tail.erased.iter().map(|tombstone| (tombstone.device, tombstone.at)).collect();
        // Whoever had nothing has read the holes with everything else.
        let had_some = self.next > 0;
        let joining = tail.blocks.iter().map(|block| block.pseudonyms.len()).sum();
        let Self { parts, ordinals, .. } = self;
        ordinals.reserve(joining, |&ordinal| hash(pseudonym(parts, ordinal)));
        for block in &tail.blocks {
            if had_some && block.is_hole() {
                match tail.erased.iter().find(|tombstone| tombstone.block == block.id) {
                    Some(tombstone) => self.dig(tombstone.device),
                    None => return Followed::Torn,
                }
            }
            self.extend(block);
        }
        self.state = tail.state;
        Followed::Whole
    }
}

/// The pseudonym of an ordinal that was handed out.
fn pseudonym(parts: &[Vec<Pseudonym>], ordinal: u32) -> Pseudonym {
    parts[ordinal as usize / PART][ordinal as usize % PART]
}

/// Pseudonyms are keyed hashes: their own first bytes are as good a hash as any.
fn hash(device: Pseudonym) -> u64 {
    let [first @ .., _, _, _, _, _, _, _, _] = device.0;
    u64::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(number: u32) -> Pseudonym {
        let mut bytes = [0; 16];
        // Equal first bytes for some: a hash alone tells no two devices apart.
        let first = u64::from(number / 3).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        bytes[..8].copy_from_slice(&first.to_le_bytes());
        bytes[12..].copy_from_slice(&number.to_le_bytes());
        Pseudonym(bytes)
    }

    #[test]
    fn every_pseudonym_has_the_ordinal_of_its_place() {
        let count = 2 * PART as u32 + 10;
        let blocks: Vec<Block> = (0..count)
            .collect::<Vec<_>>()
            .chunks(1500)
            .map(|numbers| Block { id: [7; 8], pseudonyms: numbers.iter().map(|&number| device(number)).collect() })
            .collect();
        let mut dictionary = Dictionary::default();
        dictionary.follow(&DictionaryTail { follows: true, blocks, ..DictionaryTail::default() });
        assert_eq!(dictionary.next(), count);
        for number in 0..count {
            assert_eq!(dictionary.ordinal(device(number)), Some(number));
        }
        assert_eq!(dictionary.ordinal(device(count)), None);

        // The newest place of a pseudonym counts.
        dictionary.extend(&Block { id: [8; 8], pseudonyms: vec![device(5), device(count)] });
        assert_eq!([device(5), device(count)].map(|one| dictionary.ordinal(one)), [Some(count), Some(count + 1)]);
        dictionary.follow(&DictionaryTail::default());
        assert_eq!((dictionary.next(), dictionary.ordinal(device(5))), (0, None));
    }
}
