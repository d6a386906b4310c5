//! What a store keeps of an owner beside segments and dictionary, in one piece, and opening a store to copy to it.

use std::path::Path;

use headcount_engine::day::{Day, Millis};
use headcount_engine::format::{encode, seal};
use headcount_engine::id::{AppId, OwnerId};
use headcount_engine::mark::{Mark, SpoolId};
use headcount_engine::segment::Segment;

use super::embedded::Embedded;
use super::redis::Redis;
use super::{Store, StoreError, Tombstone};
use crate::config::RedisSettings;
use crate::installation::Installation;

/// The largest piece of a base, in bytes. With what a Redis puts around a value it still fits into 1 MiB: the next size that
/// its allocator has is a quarter larger.
pub const PIECE_BYTES: usize = (1 << 20) - 64;
/// The room for data in a piece: a sealed piece ends with a checksum of 8 bytes.
const PIECE_CONTENT: usize = PIECE_BYTES - 8;

/// What a store is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To read from it and ship to it: it must be whole.
    Use,
    /// To copy another one to it: it may be the unfinished copy.
    Copy,
}

/// What is kept of an owner beside segments and dictionary, each list in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// The marks of all spools, and when they moved.
    pub marks: Vec<(SpoolId, Mark, Millis)>,
    /// The receipts of imports.
    pub receipts: Vec<Receipt>,
    /// The days that are known to lack something.
    pub incomplete: Vec<(AppId, Day)>,
    /// The days that have expired, and when.
    pub expired: Vec<(AppId, Day, Millis)>,
    /// What was erased, one app or all of the owner, and when.
    pub erased: Vec<(Option<AppId>, Millis)>,
    /// The devices that were erased.
    pub tombstones: Vec<Tombstone>,
}

/// What an import was answered for one of its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The spool of the import.
    pub spool: SpoolId,
    /// The row.
    pub mark: Mark,
    /// The answer.
    pub bytes: Vec<u8>,
    /// When it was stored.
    pub at: Millis,
}

impl Kept {
    /// The same in the one order that every place gives.
    pub(super) fn sorted(mut self) -> Self {
        self.marks.sort_unstable_by_key(|(spool, ..)| *spool);
        self.receipts.sort_unstable_by_key(|receipt| (receipt.spool, receipt.mark.row));
        self.incomplete.sort_unstable();
        self.expired.sort_unstable_by_key(|&(app, day, _)| (app, day));
        self.erased.sort_unstable_by_key(|&(app, _)| app);
        self.tombstones.sort_unstable_by_key(|tombstone| tombstone.device);
        self
    }

    /// The mark of that spool.
    pub fn mark(&self, spool: SpoolId) -> Option<Mark> {
        self.marks.iter().find(|(of, ..)| *of == spool).map(|&(_, mark, _)| mark)
    }
}

impl Store {
    /// Opens the embedded store at that path, or creates it, to copy another one to it.
    pub async fn open_embedded_to_copy(path: &Path, installation: &Installation) -> Result<Self, StoreError> {
        Embedded::open(path, installation, Purpose::Copy).await.map(Self::Embedded)
    }

    /// Opens the store in a Redis to copy another one to it.
    pub async fn open_redis_to_copy(settings: RedisSettings, installation: &Installation) -> Result<Self, StoreError> {
        Redis::open(settings, installation, Purpose::Copy).await.map(Box::new).map(Self::Redis)
    }

    /// Everything of an owner beside segments and dictionary.
    pub async fn kept(&self, owner: OwnerId) -> Result<Kept, StoreError> {
        let kept = match self {
            Self::Embedded(embedded) => embedded.kept(owner).await?,
            Self::Redis(redis) => redis.kept(owner).await?,
        };
        Ok(kept.sorted())
    }

    /// Remembers of days that they have expired, and when. `now` is the moment of this.
    pub async fn keep_expired(
        &self,
        owner: OwnerId,
        expired: Vec<(AppId, Day, Millis)>,
        now: Millis,
    ) -> Result<(), StoreError> {
        match self {
            Self::Embedded(embedded) => embedded.keep_expired(owner, expired).await,
            Self::Redis(redis) => redis.keep_expired(owner, expired, now).await,
        }
    }

    /// Remembers devices that were erased. `now` is the moment of this.
    pub async fn keep_tombstones(
        &self,
        owner: OwnerId,
        tombstones: Vec<Tombstone>,
        now: Millis,
    ) -> Result<(), StoreError> {
        match self {
            Self::Embedded(embedded) => embedded.keep_tombstones(owner, tombstones).await,
            Self::Redis(redis) => redis.keep_tombstones(owner, tombstones, now).await,
        }
    }

    /// What this store is an unfinished copy of, if it is one.
    pub async fn copy_of(&self) -> Result<Option<String>, StoreError> {
        match self {
            Self::Embedded(embedded) => embedded.copy_of().await,
            Self::Redis(redis) => redis.copy_of().await,
        }
    }

    /// Says that this store is an unfinished copy, which nobody opens to use it, or that it is whole.
    pub async fn set_copy_of(&self, source: Option<String>) -> Result<(), StoreError> {
        match self {
            Self::Embedded(embedded) => embedded.set_copy_of(source).await,
            Self::Redis(redis) => redis.set_copy_of(source).await,
        }
    }
}

/// A segment as sealed pieces.
pub fn pieces(segment: &Segment) -> Vec<Vec<u8>> {
    encode(segment).chunks(PIECE_CONTENT).map(|piece| seal(piece.to_vec())).collect()
}
