//! What readers ask.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use headcount_engine::day::{Day, Millis};
use headcount_engine::device::Pseudonym;
use headcount_engine::format::unseal;
use headcount_engine::id::{AppId, OwnerId};
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::super::{
    Base, Blob, BlobAt, Block, DictionaryState, DictionaryTail, Head, Loaded, Tombstone, Version, View,
};
use super::{app_id, day_of, dictionary_state, owner_id, tag_before, version};
use headcount_engine::mark::{Mark, SpoolId};

pub(super) fn marks(transaction: &Transaction<'_>, spool: SpoolId) -> rusqlite::Result<HashMap<OwnerId, Mark>> {
    transaction
        .prepare_cached("SELECT owner, row, tag FROM mark WHERE spool = ?1")?
        .query_map([spool.0], |row| {
            Ok((owner_id(row, 0)?, Mark { row: row.get::<_, i64>(1)? as u64, tag: row.get(2)? }))
        })?
        .collect()
}

pub(super) fn owners(transaction: &Transaction<'_>) -> rusqlite::Result<Vec<OwnerId>> {
    transaction
        .prepare_cached(
            "SELECT owner FROM dictionary UNION SELECT owner FROM segment UNION SELECT owner FROM mark \
             UNION SELECT owner FROM receipt UNION SELECT owner FROM incomplete UNION SELECT owner FROM erased",
        )?
        .query_map([], |row| owner_id(row, 0))?
        .collect()
}

pub(super) fn tombstones(transaction: &Transaction<'_>, owner: OwnerId) -> rusqlite::Result<Vec<Tombstone>> {
    transaction
        .prepare_cached("SELECT device, at, block FROM tombstone WHERE owner = ?1")?
        .query_map([owner.0.as_bytes()], |row| {
            Ok(Tombstone { device: Pseudonym(row.get(0)?), at: Millis(row.get(1)?), block: row.get(2)? })
        })?
        .collect()
}

/// `None` if a block is damaged.
pub(super) fn dictionary(
    transaction: &Transaction<'_>,
    owner: OwnerId,
    known: DictionaryState,
) -> rusqlite::Result<Option<DictionaryTail>> {
    let Some((state, _ordinals, since)) = dictionary_state(transaction, owner)? else {
        let (follows, erased) = (known == DictionaryState::default(), tombstones(transaction, owner)?);
        return Ok(Some(DictionaryTail { follows, erased, ..DictionaryTail::default() }));
    };
    let erased = tombstones(transaction, owner)?;
    let mut tail = DictionaryTail { state, since, erased, ..DictionaryTail::default() };
    let after = if known.epoch != state.epoch {
        None
    } else if known.last_block == [0; 8] {
        Some(-1)
    } else {
        transaction
            .prepare_cached("SELECT first_ordinal FROM block WHERE owner = ?1 AND id = ?2")?
            .query_row(params![owner.0.as_bytes(), known.last_block], |row| row.get::<_, i64>(0))
            .optional()?
    };
    tail.follows = after.is_some();
    let mut statement = transaction
        .prepare_cached("SELECT id, bytes FROM block WHERE owner = ?1 AND first_ordinal > ?2 ORDER BY first_ordinal")?;
    let mut rows = statement.query(params![owner.0.as_bytes(), after.unwrap_or(-1)])?;
    while let Some(row) = rows.next()? {
        let Ok(content) = unseal(row.get_ref(1)?.as_blob()?) else { return Ok(None) };
        let (pseudonyms, rest) = content.as_chunks::<16>();
        if !rest.is_empty() {
            return Ok(None);
        }
        tail.blocks.push(Block { id: row.get(0)?, pseudonyms: pseudonyms.iter().copied().map(Pseudonym).collect() });
    }
    Ok(Some(tail))
}

pub(super) fn view(
    transaction: &Transaction<'_>,
    owner: OwnerId,
    days: &RangeInclusive<Day>,
    known: &HashMap<(AppId, Day), Version>,
) -> rusqlite::Result<View> {
    let mut view = View::default();
    let range = params![owner.0.as_bytes(), days.start().0, days.end().0];
    let mut statement = transaction.prepare_cached(
        "SELECT app, day, epoch, generation, sequence, tag FROM segment WHERE owner = ?1 AND day BETWEEN ?2 AND ?3",
    )?;
    let mut rows = statement.query(range)?;
    while let Some(row) = rows.next()? {
        let (app, day, version) = (app_id(row, 0)?, day_of(row, 1)?, version(row, 2)?);
        let known = match known.get(&(app, day)) {
            Some(known) if continues(transaction, (owner, app, day), version, *known)? => Some(known),
            Some(_) | None => None,
        };
        let base = match known {
            Some(_) => None,
            None => Some(Base { pieces: pieces(transaction, owner, app, day, version.generation)? }),
        };
        let deltas = deltas(transaction, owner, app, day, known.map_or(0, |known| known.sequence))?;
        view.segments.push(Loaded { app, day, version, base, deltas });
    }
    view.incomplete = transaction
        .prepare_cached(
            "SELECT app, day FROM incomplete WHERE owner = ?1 AND day BETWEEN ?2 AND ?3 \
             UNION SELECT app, day FROM expired WHERE owner = ?1 AND day BETWEEN ?2 AND ?3",
        )?
        .query_map(range, |row| Ok((app_id(row, 0)?, day_of(row, 1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(view)
}

/// Whether the segment is what a reader has, and perhaps more. A reader that is ahead, or has read another delta under the
/// same number, has seen what the store has lost since.
pub(super) fn continues(
    transaction: &Transaction<'_>,
    key: (OwnerId, AppId, Day),
    now: Version,
    known: Version,
) -> rusqlite::Result<bool> {
    let is_of_base = (known.epoch, known.generation) == (now.epoch, now.generation) && known.sequence <= now.sequence;
    Ok(is_of_base && tag_before(transaction, key, now, known.sequence)? == Some(known.tag))
}

fn pieces(
    transaction: &Transaction<'_>,
    owner: OwnerId,
    app: AppId,
    day: Day,
    generation: u64,
) -> rusqlite::Result<Vec<Blob>> {
    transaction
        .prepare_cached(
            "SELECT place, bytes FROM piece WHERE owner = ?1 AND app = ?2 AND day = ?3 AND generation = ?4 ORDER BY place",
        )?
        .query_map(params![owner.0.as_bytes(), app.0.as_bytes(), day.0, generation as i64], |row| {
            Ok(Blob { at: BlobAt::Piece(generation, row.get(0)?), bytes: row.get(1)? })
        })?
        .collect()
}

fn deltas(
    transaction: &Transaction<'_>,
    owner: OwnerId,
    app: AppId,
    day: Day,
    from: u64,
) -> rusqlite::Result<Vec<Blob>> {
    transaction
        .prepare_cached(
            "SELECT sequence, bytes FROM delta WHERE owner = ?1 AND app = ?2 AND day = ?3 AND sequence >= ?4 ORDER BY sequence",
        )?
        .query_map(params![owner.0.as_bytes(), app.0.as_bytes(), day.0, from as i64], |row| {
            Ok(Blob { at: BlobAt::Delta(row.get::<_, i64>(0)? as u64), bytes: row.get(1)? })
        })?
        .collect()
}

/// How many blobs were set aside, and the days that lack something.
pub(super) fn damage(transaction: &Transaction<'_>) -> rusqlite::Result<(u64, Vec<Day>)> {
    let blobs: i64 = transaction.prepare_cached("SELECT count(*) FROM damaged")?.query_row([], |row| row.get(0))?;
    let mut statement = transaction.prepare_cached("SELECT DISTINCT day FROM incomplete ORDER BY day")?;
    let days = statement.query_map([], |row| day_of(row, 0))?.collect::<rusqlite::Result<_>>()?;
    Ok((blobs as u64, days))
}

pub(super) fn heads(transaction: &Transaction<'_>) -> rusqlite::Result<Vec<Head>> {
    transaction
        .prepare_cached(
            "SELECT s.owner, s.app, s.day, s.epoch, s.generation, s.sequence, s.tag, s.base_bytes, s.timed, s.changed_at, \
             count(d.sequence), coalesce(sum(length(d.bytes)), 0) \
             FROM segment s LEFT JOIN delta d ON d.owner = s.owner AND d.app = s.app AND d.day = s.day \
             GROUP BY s.owner, s.app, s.day",
        )?
        .query_map([], |row| {
            Ok(Head {
                owner: owner_id(row, 0)?,
                app: app_id(row, 1)?,
                day: day_of(row, 2)?,
                version: version(row, 3)?,
                base_bytes: row.get::<_, i64>(7)? as u64,
                timed: row.get(8)?,
                changed_at: Millis(row.get(9)?),
                deltas: (row.get::<_, i64>(10)? as u64, row.get::<_, i64>(11)? as u64),
            })
        })?
        .collect()
}
