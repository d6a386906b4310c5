//! An owner's dictionary, as the protocol speaks of it: a log of blocks, in which the place of a pseudonym is its ordinal.

use headcount_engine::day::Millis;
use headcount_engine::device::Pseudonym;

/// The state of an owner's dictionary: two equal states hold the same pseudonyms under the same ordinals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DictionaryState {
    /// Grows when dictionary and segments are rebuilt.
    pub epoch: u64,
    /// The random id of the newest block; zero if there is none.
    pub last_block: [u8; 8],
}

/// Pseudonyms that joined a dictionary together, in the order of their ordinals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The random id of the block.
    pub id: [u8; 8],
    /// The pseudonyms; the ordinal of each is its place in the dictionary. [`Pseudonym::HOLE`] stands where one was.
    pub pseudonyms: Vec<Pseudonym>,
}

impl Block {
    /// The block by which a dictionary says that one of its devices was erased. It takes an ordinal that no device gets.
    pub fn hole() -> Self {
        Self { id: rand::random(), pseudonyms: vec![Pseudonym::HOLE] }
    }

    /// Whether nothing but a hole is in it.
    pub fn is_hole(&self) -> bool {
        self.pseudonyms == [Pseudonym::HOLE]
    }
}

/// An erased device: what was accepted of it until that moment is not counted, whenever it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tombstone {
    /// The device.
    pub device: Pseudonym,
    /// When it was erased.
    pub at: Millis,
    /// The block that was appended to the dictionary with it.
    pub block: [u8; 8],
}

/// That a device is to be erased from a dictionary, as a part of the step that appends a [`Block::hole`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// The device.
    pub device: Pseudonym,
    /// The blocks that had the device, with a hole in its place; each by its number in the log, from 0.
    pub replaced: Vec<(u64, Block)>,
}

/// An owner's dictionary as far as a reader lacks it.
#[derive(Debug, Clone, Default)]
pub struct DictionaryTail {
    /// Its state.
    pub state: DictionaryState,
    /// When it was last rebuilt, or made.
    pub since: Millis,
    /// Whether the blocks follow the block that the reader named; otherwise they are all there are.
    pub follows: bool,
    /// The blocks, in order.
    pub blocks: Vec<Block>,
    /// All erased devices that are remembered.
    pub erased: Vec<Tombstone>,
}
