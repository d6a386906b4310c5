//! What is wrong with a store, what it lacks, and how its dictionaries are mended.

use headcount_engine::day::Day;
use headcount_engine::id::OwnerId;

use super::{DictionaryState, DictionaryTail, Store, StoreError};

/// What was damaged and set aside, and what the segments lack.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Damage {
    /// The names of stores that were set aside as a whole.
    pub stores: Vec<String>,
    /// How many blobs were set aside.
    pub blobs: u64,
    /// The days that are known to lack something, of any owner and app, in order.
    pub incomplete: Vec<Day>,
}

impl Store {
    /// What was damaged so far, and what is lacking.
    pub async fn damage(&self) -> Result<Damage, StoreError> {
        match self {
            Self::Embedded(embedded) => embedded.damage().await,
            Self::Redis(redis) => redis.damage().await,
        }
    }

    /// What is wrong with the store now, so that nothing can be read from it or shipped to it.
    pub fn problem(&self) -> Option<String> {
        match self {
            Self::Embedded(_) => None,
            Self::Redis(redis) => redis.problem(),
        }
    }

    /// What is not as it should be, and may go wrong.
    pub fn warnings(&self) -> Vec<String> {
        match self {
            Self::Embedded(_) => Vec::new(),
            Self::Redis(redis) => redis.warnings(),
        }
    }

    /// Grows when the store turns out to be damaged and begins anew: what was in it before is to be looked after.
    pub fn turn(&self) -> u64 {
        match self {
            Self::Embedded(embedded) => embedded.turn(),
            Self::Redis(redis) => redis.turn(),
        }
    }

    /// The owners in whose dictionary a damaged block was found: nothing of theirs can be shipped. An embedded store with
    /// such a block is set aside as a whole instead.
    pub fn damaged_dictionaries(&self) -> Vec<OwnerId> {
        match self {
            Self::Embedded(_) => Vec::new(),
            Self::Redis(redis) => redis.damaged_dictionaries(),
        }
    }

    /// A whole dictionary, and how many of its pseudonyms are lost: in their places are such that no device has.
    ///
    /// # Errors
    /// The store cannot be reached, or so much is damaged that the places of the others are not known.
    pub async fn dictionary_with_gaps(&self, owner: OwnerId) -> Result<(DictionaryTail, usize), StoreError> {
        match self {
            Self::Embedded(embedded) => Ok((embedded.dictionary(owner, DictionaryState::default()).await?, 0)),
            Self::Redis(redis) => redis.dictionary_with_gaps(owner).await,
        }
    }
}
