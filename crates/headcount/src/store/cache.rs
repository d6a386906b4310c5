//! Segments in memory: bounded, and never older than the store at the moment of the question.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use headcount_engine::day::Day;
use headcount_engine::format::{decode, unseal};
use headcount_engine::id::{AppId, OwnerId};
use headcount_engine::segment::Segment;

use crate::background::Background;

use super::{Base, Blob, BlobAt, Loaded, Store, StoreError, Version};

/// A bounded cache in front of a store.
#[derive(Debug)]
pub struct SegmentCache {
    limit: usize,
    kept: Mutex<Kept>,
    // What is new of an owner is read and merged once, however many ask for it at the same time.
    turns: Mutex<HashMap<OwnerId, Turn>>,
    background: Background,
}

type Turn = Arc<tokio::sync::Mutex<()>>;

#[derive(Debug, Default)]
struct Kept {
    entries: HashMap<(OwnerId, AppId, Day), Entry>,
    bytes: usize,
    // Grows with every question: the entry of the lowest turn was used the longest time ago.
    turn: u64,
}

#[derive(Debug)]
struct Entry {
    version: Version,
    segment: Arc<Segment>,
    bytes: usize,
    turn: u64,
}

/// One segment as it was at the moment of the question.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The application.
    pub app: AppId,
    /// The day.
    pub day: Day,
    /// Its state.
    pub version: Version,
    /// What it holds.
    pub segment: Arc<Segment>,
}

/// An owner's segments in one consistent view.
#[derive(Debug, Default)]
pub struct Segments {
    /// The segments.
    pub seen: Vec<Seen>,
    /// The days that are known to lack something, by app.
    pub incomplete: Vec<(AppId, Day)>,
}

impl SegmentCache {
    /// A cache of about that many bytes; what it reads is decoded and merged in the background.
    pub fn new(limit: usize, background: Background) -> Self {
        Self { limit, kept: Mutex::default(), turns: Mutex::default(), background }
    }

    fn turn_of(&self, owner: OwnerId) -> Turn {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).entry(owner).or_default().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // What is under the lock is whole between any two statements.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// About how many bytes the kept segments take.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// An owner's segments of those days. Only what the cache lacks is read.
    pub async fn segments(
        &self,
        store: &Store,
        owner: OwnerId,
        days: RangeInclusive<Day>,
    ) -> Result<Segments, StoreError> {
        let (turn, asked) = (self.turn_of(owner), Instant::now());
        let _turn = turn.lock().await;
        let (waited, asked) = (asked.elapsed(), Instant::now());
        let kept = self.kept_of(owner, &days);
        let known: HashMap<_, _> = kept.iter().map(|(&key, (version, _))| (key, *version)).collect();
        let view = store.load(owner, days.clone(), known.clone()).await?;
        let (read, asked) = (asked.elapsed(), Instant::now());
        let mut incomplete = view.incomplete;
        let merged = self.background.run(move || merge_all(view.segments, &kept)).await;
        let merged = merged.ok_or_else(|| StoreError::Unavailable("segments could not be merged".to_owned()))?;
        let mut seen = Vec::with_capacity(merged.len());
        for (segment, damaged) in merged {
            for blob in damaged {
                tracing::error!(%owner, app = %segment.app, day = %segment.day, ?blob, "a stored blob is damaged and is set aside");
                store.set_aside(owner, segment.app, segment.day, blob).await?;
                incomplete.push((segment.app, segment.day));
            }
            seen.push(segment);
        }
        self.keep(owner, &days, &seen, &known);
        tracing::debug!(%owner, ?waited, ?read, merged = ?asked.elapsed(), "segments in memory follow the store");
        Ok(Segments { seen, incomplete })
    }

    /// Takes note of a compaction: whoever has the state `from` has the new base already.
    pub fn compacted(&self, owner: OwnerId, (app, day): (AppId, Day), from: Version, segment: Arc<Segment>) {
        let mut kept = self.lock();
        if let Some(entry) = kept.entries.get_mut(&(owner, app, day)).filter(|entry| entry.version == from) {
            let (before, now) = (entry.bytes, segment.weight());
            entry.version.generation += 1;
            entry.segment = segment;
            entry.bytes = now;
            kept.bytes = kept.bytes + now - before;
        }
    }

    fn kept_of(&self, owner: OwnerId, days: &RangeInclusive<Day>) -> HashMap<(AppId, Day), (Version, Arc<Segment>)> {
        self.lock()
            .entries
            .iter()
            .filter(|((of, _, day), _)| *of == owner && days.contains(day))
            .map(|(&(_, app, day), entry)| ((app, day), (entry.version, entry.segment.clone())))
            .collect()
    }

    fn keep(&self, owner: OwnerId, days: &RangeInclusive<Day>, seen: &[Seen], known: &HashMap<(AppId, Day), Version>) {
        let mut kept = self.lock();
        kept.turn += 1;
        let turn = kept.turn;
        // What the store no longer has was erased or has expired.
        let there: HashSet<(AppId, Day)> = seen.iter().map(|seen| (seen.app, seen.day)).collect();
        let gone: Vec<_> = kept
            .entries
            .keys()
            .filter(|(of, app, day)| *of == owner && days.contains(day) && !there.contains(&(*app, *day)))
            .copied()
            .collect();
        for key in gone {
            kept.remove(key);
        }
        for seen in seen {
            let key = (owner, seen.app, seen.day);
            // Another question may have brought something newer meanwhile; what this one knew before is never newer, not
            // even where a store that lost something counts on from a lower number.
            let is_old = |entry: &Entry| known.get(&(seen.app, seen.day)) == Some(&entry.version);
            match kept.entries.get_mut(&key) {
                Some(entry) if entry.version == seen.version => entry.turn = turn,
                Some(entry) if !is_old(entry) && entry.version > seen.version => entry.turn = turn,
                Some(_) | None => {
                    kept.remove(key);
                    let bytes = seen.segment.weight();
                    kept.bytes += bytes;
                    let entry = Entry { version: seen.version, segment: seen.segment.clone(), bytes, turn };
                    kept.entries.insert(key, entry);
                }
            }
        }
        kept.evict(self.limit);
    }
}

impl Kept {
    fn remove(&mut self, key: (OwnerId, AppId, Day)) {
        if let Some(entry) = self.entries.remove(&key) {
            self.bytes -= entry.bytes;
        }
    }

    fn evict(&mut self, limit: usize) {
        if self.bytes <= limit {
            return;
        }
        let mut oldest: Vec<_> = self.entries.iter().map(|(&key, entry)| (entry.turn, key)).collect();
        oldest.sort_unstable_by_key(|&(turn, (_, _, day))| (turn, day));
        for (_, key) in oldest {
            if self.bytes <= limit {
                break;
            }
            self.remove(key);
        }
    }
}

/// What was loaded with nothing known before, as one segment, and the blobs of it that are damaged.
pub fn merge_loaded(loaded: Loaded) -> (Seen, Vec<BlobAt>) {
    merge(loaded, &HashMap::new())
}

fn merge_all(loaded: Vec<Loaded>, kept: &HashMap<(AppId, Day), (Version, Arc<Segment>)>) -> Vec<(Seen, Vec<BlobAt>)> {
    loaded.into_iter().map(|loaded| merge(loaded, kept)).collect()
}

/// The segment, and the blobs of it that are damaged.
fn merge(loaded: Loaded, kept: &HashMap<(AppId, Day), (Version, Arc<Segment>)>) -> (Seen, Vec<BlobAt>) {
    let Loaded { app, day, version, base, deltas } = loaded;
    let mut damaged = Vec::new();
    let mut segment = match base {
        Some(base) => Arc::new(decode_base(&base).unwrap_or_else(|| {
            damaged.extend(base.pieces.iter().map(|piece| piece.at));
            Segment::default()
        })),
        None => kept.get(&(app, day)).map(|(_, segment)| segment.clone()).unwrap_or_default(),
    };
    let mut fresh = Vec::with_capacity(deltas.len());
    for delta in deltas {
        match decode_blob(&delta) {
            Some(decoded) => fresh.push(decoded),
            None => damaged.push(delta.at),
        }
    }
    if !fresh.is_empty() {
        // Among themselves first: each merge with what is kept walks through many devices.
        Arc::make_mut(&mut segment).merge(&Segment::merged(fresh));
    }
    (Seen { app, day, version, segment }, damaged)
}

fn decode_blob(blob: &Blob) -> Option<Segment> {
    decode(unseal(&blob.bytes).ok()?).ok()
}

fn decode_base(base: &Base) -> Option<Segment> {
    if base.pieces.is_empty() {
        return Some(Segment::default());
    }
    // Room for all of it at once: growing would touch several times the memory.
    let mut bytes = Vec::with_capacity(base.pieces.iter().map(|piece| piece.bytes.len()).sum());
    for piece in &base.pieces {
        bytes.extend_from_slice(unseal(&piece.bytes).ok()?);
    }
    decode(&bytes).ok()
}
