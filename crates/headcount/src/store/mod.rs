//! Where segments live, and the one protocol that every place speaks.
//!
//! An owner's dictionary and segments change in single steps, each by compare-and-set: a step names the mark of the
//! spool and the state of the dictionary that it was made for, and is applied as a whole or not at all.

pub mod cache;
pub mod copy;
mod dictionary;
mod embedded;
mod kept;
mod redis;
mod step;
mod trouble;

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;
use std::path::Path;

use headcount_engine::day::{Day, Millis};
use headcount_engine::id::{AppId, OwnerId};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

pub use self::dictionary::{Block, DictionaryState, DictionaryTail, Erasure, Tombstone};
use self::embedded::Embedded;
pub use self::embedded::FORMAT;
use self::kept::Purpose;
pub use self::kept::{Kept, PIECE_BYTES, Receipt, pieces};
use self::redis::Redis;
pub use self::redis::scripts as redis_scripts;
pub use self::step::{Applied, Step};
pub use self::trouble::Damage;
use crate::config::RedisSettings;
use crate::installation::Installation;
use headcount_engine::mark::{Mark, SpoolId};

/// The most new pseudonyms of one step, so that no step takes long anywhere.
pub const MOST_NEW_PSEUDONYMS: usize = 1500;
/// For how many days it is remembered that a day has expired: as long as the longest report.
const EXPIRED_DAYS: i32 = 400;

/// A place where segments live.
#[derive(Debug)]
pub enum Store {
    /// A file below the data directory.
    Embedded(Embedded),
    /// A Redis, which several instances may share.
    Redis(Box<Redis>),
}

/// The store could not do it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The place cannot be reached, or failed.
    #[error("the store failed: {0}")]
    Unavailable(String),
    /// It does not hold what was written to it; it has been set aside, and an empty one is in its place.
    #[error("the store was damaged: {0}")]
    Damaged(String),
    /// It is not such that something may be shipped to it: somebody has to look after it.
    #[error("nothing is shipped to the store: {0}")]
    Refused(String),
    /// It belongs to another installation, whose pseudonyms this one could not recognise.
    #[error("the store at {path} belongs to another installation ({found}); this one is {own}")]
    Foreign {
        /// Where it lies.
        path: String,
        /// Whose it is.
        found: String,
        /// Who asks.
        own: String,
    },
    /// It was copied from another one, and not all of it.
    #[error("the store at {0} is an unfinished copy: run the same `headcount store copy` again")]
    Unfinished(String),
    /// A newer build wrote it.
    #[error("the store at {path} has format {found}; this build reads up to {known}")]
    Newer {
        /// Where it lies.
        path: String,
        /// The format found.
        found: i64,
        /// The newest format known.
        known: i64,
    },
}

/// Which state of a segment somebody has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Version {
    /// The epoch of its ordinals.
    pub epoch: u64,
    /// The base: a greater generation replaced it.
    pub generation: u64,
    /// The sequence number that the next delta gets.
    pub sequence: u64,
    /// The random tag of the newest delta, or of the rebuilt base: a store that lost its tail gives the same numbers to
    /// other data, and not the same tag.
    pub tag: [u8; 8],
}

/// What a reader lacks of one segment.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The application.
    pub app: AppId,
    /// The day.
    pub day: Day,
    /// The state that the segment has with all this merged.
    pub version: Version,
    /// The base, if the reader does not have this generation.
    pub base: Option<Base>,
    /// The deltas behind what the reader has, each a sealed segment.
    pub deltas: Vec<Blob>,
}

/// The pieces of an encoded segment, in order.
#[derive(Debug, Clone, Default)]
pub struct Base {
    /// The pieces, each sealed; together a sealed segment. None for a segment that was never compacted.
    pub pieces: Vec<Blob>,
}

/// A stored blob and its name, under which it is set aside if it is damaged.
#[derive(Debug, Clone)]
pub struct Blob {
    /// Where it lies.
    pub at: BlobAt,
    /// Its sealed bytes.
    pub bytes: Vec<u8>,
}

/// The name of a blob within one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobAt {
    /// The delta of that sequence number.
    Delta(u64),
    /// A piece of the base of that generation.
    Piece(u64, u32),
}

/// A consistent view of an owner's segments.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// What the reader lacks, by app and day; a segment of which it lacks nothing has no pieces and no deltas.
    pub segments: Vec<Loaded>,
    /// The days that are known to lack something.
    pub incomplete: Vec<(AppId, Day)>,
}

/// One segment as maintenance sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Whose it is.
    pub owner: OwnerId,
    /// The application.
    pub app: AppId,
    /// The day.
    pub day: Day,
    /// Its state.
    pub version: Version,
    /// How many deltas wait for a compaction, and their bytes.
    pub deltas: (u64, u64),
    /// The bytes of its base.
    pub base_bytes: u64,
    /// When the newest delta came.
    pub changed_at: Millis,
    /// Whether the times of `Last` values are still kept in the base.
    pub timed: bool,
}

/// A new base for one segment.
#[derive(Debug, Clone)]
pub struct Compaction {
    /// Whose.
    pub owner: OwnerId,
    /// The application.
    pub app: AppId,
    /// The day.
    pub day: Day,
    /// The state that the new base holds; another generation, or fewer deltas, refuse it.
    pub from: Version,
    /// The pieces of the new base.
    pub pieces: Vec<Vec<u8>>,
    /// Whether it keeps the times of `Last` values.
    pub timed: bool,
}

/// A dictionary and segments under a new epoch.
#[derive(Debug, Clone)]
pub struct Rebuild {
    /// Whose.
    pub owner: OwnerId,
    /// The state of the dictionary that it was made of.
    pub expected_dictionary: DictionaryState,
    /// The states of all segments that it was made of.
    pub expected: BTreeMap<(AppId, Day), Version>,
    /// The new dictionary.
    pub blocks: Vec<Block>,
    /// The new bases.
    pub bases: Vec<(AppId, Day, Vec<Vec<u8>>, bool)>,
    /// The moment.
    pub at: Millis,
}

/// How long commands took, in seconds; the label says what they are.
pub type CommandTimes = Family<[(&'static str, &'static str); 1], Histogram, fn() -> Histogram>;

macro_rules! place {
    ($store:expr, $place:ident => $call:expr) => {
        match $store {
            Store::Embedded($place) => $call,
            Store::Redis($place) => $call,
        }
    };
}

impl Store {
    /// Opens the embedded store at that path, or creates it for this installation.
    pub async fn open_embedded(path: &Path, installation: &Installation) -> Result<Self, StoreError> {
        Embedded::open(path, installation, Purpose::Use).await.map(Self::Embedded)
    }

    /// Opens the store in a Redis. One that cannot be reached now is waited for: what is asked meanwhile fails.
    ///
    /// # Errors
    /// If it belongs to another installation, a newer build wrote it, or the settings cannot be used.
    pub async fn open_redis(settings: RedisSettings, installation: &Installation) -> Result<Self, StoreError> {
        Redis::open(settings, installation, Purpose::Use).await.map(Box::new).map(Self::Redis)
    }

    /// Applies one step, as a whole or not at all.
    pub async fn apply(&self, owner: OwnerId, step: Step) -> Result<Applied, StoreError> {
        place!(self, place => place.apply(owner, step).await)
    }

    /// The marks of all owners for that spool.
    pub async fn marks(&self, spool: SpoolId) -> Result<HashMap<OwnerId, Mark>, StoreError> {
        place!(self, place => place.marks(spool).await)
    }

    /// The receipt that was stored for a row of an import, with the mark of that row.
    pub async fn receipt(
        &self,
        owner: OwnerId,
        spool: SpoolId,
        row: u64,
    ) -> Result<Option<(Mark, Vec<u8>)>, StoreError> {
        place!(self, place => place.receipt(owner, spool, row).await)
    }

    /// The dictionary behind the block that the reader has last.
    pub async fn dictionary(&self, owner: OwnerId, known: DictionaryState) -> Result<DictionaryTail, StoreError> {
        place!(self, place => place.dictionary(owner, known).await)
    }

    /// What a reader lacks of an owner's segments of those days, in one consistent view.
    pub async fn load(
        &self,
        owner: OwnerId,
        days: RangeInclusive<Day>,
        known: HashMap<(AppId, Day), Version>,
    ) -> Result<View, StoreError> {
        place!(self, place => place.load(owner, days, known).await)
    }

    /// All segments there are.
    pub async fn heads(&self) -> Result<Vec<Head>, StoreError> {
        place!(self, place => place.heads().await)
    }

    /// Replaces base and deltas of a segment by a new base; `false` if the segment has changed meanwhile.
    pub async fn compact(&self, compaction: Compaction) -> Result<bool, StoreError> {
        place!(self, place => place.compact(compaction).await)
    }

    /// Replaces dictionary and segments of an owner; `false` if either has changed meanwhile.
    pub async fn rebuild(&self, rebuild: Rebuild) -> Result<bool, StoreError> {
        place!(self, place => place.rebuild(rebuild).await)
    }

    /// Sets a damaged blob aside and marks its day incomplete.
    pub async fn set_aside(&self, owner: OwnerId, app: AppId, day: Day, blob: BlobAt) -> Result<(), StoreError> {
        place!(self, place => place.set_aside(owner, app, day, blob).await)
    }

    /// How long commands to a Redis took, in seconds, by what they are.
    pub fn command_times(&self) -> Option<&CommandTimes> {
        match self {
            Self::Embedded(_) => None,
            Self::Redis(redis) => Some(redis.times()),
        }
    }

    /// Removes an owner's segments and incomplete days before `first`, and the owner's marks and receipts that are
    /// older than `marks_before`. A clock that goes back behind `at` does not bring a removed segment back: steps of
    /// before bring its day nothing, and the day stays incomplete.
    pub async fn expire(&self, owner: OwnerId, first: Day, marks_before: Millis, at: Millis) -> Result<(), StoreError> {
        place!(self, place => place.expire(owner, first, marks_before, at).await)
    }

    /// The owners of whom there is anything.
    pub async fn owners(&self) -> Result<Vec<OwnerId>, StoreError> {
        place!(self, place => place.owners().await)
    }

    /// Removes everything of an owner, or of one app, and what is still to come of it from spools.
    pub async fn erase(&self, owner: OwnerId, app: Option<AppId>, at: Millis) -> Result<(), StoreError> {
        place!(self, place => place.erase(owner, app, at).await)
    }
}
