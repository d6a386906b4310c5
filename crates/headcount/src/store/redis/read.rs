//! What readers ask of an owner's segments.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use headcount_engine::day::Day;
use headcount_engine::id::{AppId, OwnerId};

use super::super::{Base, Blob, BlobAt, Loaded, StoreError, Version, View};
use super::head::{Head, NO_BASE, Tag};
use super::keys::app_day;
use super::maintain::piece_names;
use super::script::{DELTAS, VIEW};
use super::{ATTEMPTS, Place, Redis, reply};

/// How many bytes of deltas are read at once, where there is more than one: nobody else is served meanwhile.
const MOST: usize = 1 << 18;
/// How many reads of one question are under way at once.
const AT_ONCE: usize = 8;
/// After how many attempts a piece that is not there counts as lost.
const PATIENCE: usize = 3;
/// The part of a stored delta before its blob.
const DELTA_HEAD: usize = 32;

/// The states of an owner's segments, all of one moment.
#[derive(Debug)]
pub(super) struct Overview {
    pub(super) owner: OwnerId,
    pub(super) space: String,
    pub(super) epoch: u64,
    pub(super) block: [u8; 8],
    /// Is another one when anything of the owner has changed.
    pub(super) revision: String,
    pub(super) incomplete: Vec<(AppId, Day)>,
    pub(super) heads: Vec<((AppId, Day), Head)>,
}

/// Something moved: the reader starts over.
pub(super) struct Moved;

/// Why a reader stops.
enum Stop {
    Moved,
    Failed(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl Redis {
    pub(in super::super) async fn load(
        &self,
        owner: OwnerId,
        days: RangeInclusive<Day>,
        known: HashMap<(AppId, Day), Version>,
    ) -> Result<View, StoreError> {
        for attempt in 0..ATTEMPTS {
            let heads = self.overview(owner, &days).await?;
            let is_lost = attempt >= PATIENCE;
            let mut reads = Vec::with_capacity(heads.heads.len());
            for (key, head) in &heads.heads {
                reads.push(self.segment(&heads, (*key, head), known.get(key), is_lost));
            }
            let segments = stream::iter(reads).buffered(AT_ONCE).try_collect().await;
            match segments {
                Ok(segments) => return Ok(View { segments, incomplete: heads.incomplete }),
                Err(Stop::Moved) => self.forget_place(owner),
                Err(Stop::Failed(error)) => return Err(error),
            }
        }
        Err(StoreError::Unavailable("the segments changed again and again".to_owned()))
    }

    /// The states of an owner's segments of those days.
    pub(super) async fn overview(&self, owner: OwnerId, days: &RangeInclusive<Day>) -> Result<Overview, StoreError> {
        for _ in 0..ATTEMPTS {
            let place = self.place(owner).await?;
            match self.view(owner, days, &place).await? {
                Ok(heads) => return Ok(heads),
                Err(Moved) => self.forget_place(owner),
            }
        }
        Err(StoreError::Unavailable("the owner's keys changed again and again".to_owned()))
    }

    async fn view(
        &self,
        owner: OwnerId,
        days: &RangeInclusive<Day>,
        place: &Place,
    ) -> Result<Result<Overview, Moved>, StoreError> {
        let keys = self.keys(owner);
        let mut asked: Vec<Day> = place.days.iter().copied().filter(|day| days.contains(day)).collect();
        asked.sort_unstable();
        let call = VIEW
            .call()
            .keys([keys.state(), keys.expired(), keys.incomplete()])
            .keys(asked.iter().map(|&day| keys.heads(&place.space, day)))
            .arg(&place.space)
            .arg(&place.layout);
        let (kind, mut values) = reply::kind(self.link.read(call).await?)?;
        if kind != "view" {
            return Ok(Err(Moved));
        }
        let epoch = reply::number(reply::next(&mut values)?)?;
        let block = reply::bytes(reply::next(&mut values)?)?.try_into().unwrap_or_default();
        let revision = reply::text(reply::next(&mut values)?)?;
        let mut incomplete = Vec::new();
        for _ in 0..2 {
            let members = reply::texts(reply::next(&mut values)?)?;
            incomplete
                .extend(members.iter().filter_map(|member| app_day(member)).filter(|(_, day)| days.contains(day)));
        }
        incomplete.sort_unstable();
        incomplete.dedup();
        let mut heads = Vec::new();
        for (&day, of_day) in asked.iter().zip(reply::array(reply::next(&mut values)?)?) {
            for (app, head) in reply::pairs(of_day)? {
                let app = reply::text(app)?.parse().map_err(|_| reply::unexpected())?;
                let head = reply::text(head)?.parse().map_err(|_| reply::unexpected())?;
                heads.push(((AppId(app), day), head));
            }
        }
        Ok(Ok(Overview { owner, space: place.space.clone(), epoch, block, revision, incomplete, heads }))
    }

    /// What a reader lacks of one segment.
    async fn segment(
        &self,
        heads: &Overview,
        ((app, day), head): ((AppId, Day), &Head),
        known: Option<&Version>,
        is_lost: bool,
    ) -> Result<Loaded, Stop> {
        let version = head.version(heads.epoch);
        let loaded = |base, deltas| Loaded { app, day, version, base, deltas };
        let is_of_base = |known: &&Version| {
            let reaches = (head.first..=head.sequence).contains(&known.sequence);
            reaches && (known.epoch, known.generation) == (version.epoch, version.generation)
        };
        let names = (heads, (app, day), head);
        if let Some(known) = known.filter(is_of_base)
            && let Some(deltas) = self.deltas(names, (known.sequence, Tag(known.tag))).await?
        {
            return Ok(loaded(None, deltas));
        }
        let Some(deltas) = self.deltas(names, (head.first, head.first_tag)).await? else { return Err(Stop::Moved) };
        let base = self.base(names, is_lost).await?;
        Ok(loaded(Some(base), deltas))
    }

    /// The deltas behind a sequence number; `None` if the delta before it has another tag.
    async fn deltas(
        &self,
        (heads, key, head): (&Overview, (AppId, Day), &Head),
        (mut from, mut tag): (u64, Tag),
    ) -> Result<Option<Vec<Blob>>, Stop> {
        let mut deltas = Vec::new();
        if from == head.sequence {
            return Ok((tag == head.tag).then_some(deltas));
        }
        let keys = self.keys(heads.owner);
        while from < head.sequence {
            let call = DELTAS
                .call()
                .key(keys.heads(&heads.space, key.1))
                .key(keys.deltas(&heads.space, key))
                .arg(key.0.to_string())
                .arg(head.generation)
                .arg(from)
                .arg(head.sequence)
                .arg(tag.to_string())
                .arg(MOST);
            let (kind, values) = reply::kind(self.link.read(call).await?)?;
            match kind.as_str() {
                "deltas" => {}
                "other" => return Ok(None),
                _ => return Err(Stop::Moved),
            }
            for value in values {
                let mut bytes = reply::bytes(value)?;
                tag = delta_tag(&bytes)?;
                let blob = bytes.split_off(DELTA_HEAD);
                // Nothing is left of one that was set aside.
                if !blob.is_empty() {
                    deltas.push(Blob { at: BlobAt::Delta(from), bytes: blob });
                }
                from += 1;
            }
        }
        Ok(Some(deltas))
    }

    async fn base(&self, (heads, key, head): (&Overview, (AppId, Day), &Head), is_lost: bool) -> Result<Base, Stop> {
        if head.base == NO_BASE {
            return Ok(Base::default());
        }
        let keys = self.keys(heads.owner);
        let names = piece_names(&keys, &heads.space, key, &head.base, head.pieces);
        let reads: Vec<_> = names.into_iter().map(|name| self.piece(name)).collect();
        let found: Vec<Option<Vec<u8>>> = stream::iter(reads).buffered(AT_ONCE).try_collect().await?;
        let mut pieces = Vec::with_capacity(found.len());
        for (place, found) in (0..).zip(found) {
            let bytes = found.or_else(|| is_lost.then(|| LOST.to_vec())).ok_or(Stop::Moved)?;
            // Nothing is left of one that was set aside.
            if !bytes.is_empty() {
                pieces.push(Blob { at: BlobAt::Piece(head.generation, place), bytes });
            }
        }
        Ok(Base { pieces })
    }

    async fn piece(&self, name: String) -> Result<Option<Vec<u8>>, StoreError> {
        let mut command = redis::cmd("GET");
        command.arg(name);
        reply::optional_bytes(self.link.get(command).await?)
    }
}

/// What is read of a piece that is not there: no checksum is right for it, so that it is set aside.
const LOST: &[u8] = &[0];

fn delta_tag(bytes: &[u8]) -> Result<Tag, StoreError> {
    let tag = bytes.get(..16).filter(|_| bytes.len() >= DELTA_HEAD);
    tag.and_then(|tag| std::str::from_utf8(tag).ok()?.parse().ok()).ok_or_else(reply::unexpected)
}
