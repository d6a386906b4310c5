//! An owner's dictionary in memory: from pseudonyms to ordinals.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use headcount_engine::device::Pseudonym;

use crate::store::{Block, DictionaryState, DictionaryTail};

/// Pseudonyms are keyed hashes: their own first bytes are as good a hash as any.
#[derive(Debug, Default)]
pub(super) struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Called for the length and then for the bytes: the last call decides.
        if let Some(first) = bytes.first_chunk::<8>() {
            self.0 = u64::from_le_bytes(*first);
        }
    }
}

type Ordinals = HashMap<[u8; 16], u32, BuildHasherDefault<FirstBytes>>;

/// An owner's dictionary, as of one state.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    state: DictionaryState,
    ordinals: Ordinals,
    // Ordinals handed out: also those of devices that were erased.
    next: u32,
}

impl Dictionary {
    pub(super) fn state(&self) -> DictionaryState {
        self.state
    }

    pub(super) fn ordinal(&self, device: Pseudonym) -> Option<u32> {
        self.ordinals.get(&device.0).copied()
    }

    /// The ordinal that the next new pseudonym gets.
    pub(super) fn next(&self) -> u32 {
        self.next
    }

    /// Takes a block into memory that the store has accepted.
    pub(super) fn extend(&mut self, block: &Block) {
        self.state.last_block = block.id;
        self.ordinals.reserve(block.pseudonyms.len());
        for pseudonym in &block.pseudonyms {
            self.ordinals.insert(pseudonym.0, self.next);
            self.next += 1;
        }
    }

    /// Follows the store: takes what came, or starts anew where the store's dictionary does not continue this one.
    pub(super) fn follow(&mut self, tail: &DictionaryTail) {
        if !tail.follows {
            *self = Self::default();
        }
        for block in &tail.blocks {
            self.extend(block);
        }
        self.state = tail.state;
    }
}
