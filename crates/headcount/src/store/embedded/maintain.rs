//! Compaction, rebuilding, expiry and erasure.

use headcount_engine::day::{Day, Millis};
use headcount_engine::id::{AppId, OwnerId};
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::super::{BlobAt, Compaction, DictionaryState, EXPIRED_DAYS, Rebuild, Version};
use super::read::continues;
use super::step::{append_block, mark_incomplete, write_state};
use super::{dictionary_state, version};
use crate::failpoint::{self, Point};

fn version_of(
    transaction: &Transaction<'_>,
    owner: OwnerId,
    app: AppId,
    day: Day,
) -> rusqlite::Result<Option<Version>> {
    transaction
        .prepare_cached(
            "SELECT epoch, generation, sequence, tag FROM segment WHERE owner = ?1 AND app = ?2 AND day = ?3",
        )?
        .query_row(params![owner.0.as_bytes(), app.0.as_bytes(), day.0], |row| version(row, 0))
        .optional()
}

pub(super) fn compact(transaction: &Transaction<'_>, compaction: &Compaction) -> rusqlite::Result<bool> {
    let Compaction { owner, app, day, from, pieces, timed } = compaction;
    let Some(now) = version_of(transaction, *owner, *app, *day)? else { return Ok(false) };
    if !continues(transaction, (*owner, *app, *day), now, *from)? {
        return Ok(false);
    }
    replace_base(transaction, (*owner, *app, *day), *from, pieces, *timed)?;
    Ok(true)
}

/// Puts `pieces` in the place of the base and of all deltas before `from.sequence`.
fn replace_base(
    transaction: &Transaction<'_>,
    (owner, app, day): (OwnerId, AppId, Day),
    from: Version,
    pieces: &[Vec<u8>],
    timed: bool,
) -> rusqlite::Result<()> {
    let key = (owner.0.as_bytes(), app.0.as_bytes(), day.0);
    transaction
        .prepare_cached("DELETE FROM piece WHERE owner = ?1 AND app = ?2 AND day = ?3")?
        .execute(params![key.0, key.1, key.2])?;
    transaction
        .prepare_cached("DELETE FROM delta WHERE owner = ?1 AND app = ?2 AND day = ?3 AND sequence < ?4")?
        .execute(params![key.0, key.1, key.2, from.sequence as i64])?;
    failpoint::reach(Point::StoreCompacting);
    let (generation, from_sequence) = (from.generation as i64 + 1, from.sequence as i64);
    let mut bytes = 0;
    for (place, piece) in pieces.iter().enumerate() {
        bytes += piece.len();
        transaction
            .prepare_cached(
                "INSERT INTO piece (owner, app, day, generation, place, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![key.0, key.1, key.2, generation, place as i64, piece])?;
    }
    transaction
        .prepare_cached(
            "UPDATE segment SET generation = ?4, epoch = ?5, base_bytes = ?6, timed = ?7, first_tag = ?8, \
             tag = CASE WHEN sequence = ?9 THEN ?8 ELSE tag END WHERE owner = ?1 AND app = ?2 AND day = ?3",
        )?
        .execute(params![
            key.0,
            key.1,
            key.2,
            generation,
            from.epoch as i64,
            bytes as i64,
            timed,
            from.tag,
            from_sequence
        ])
        .map(drop)
}

pub(super) fn rebuild(transaction: &Transaction<'_>, rebuild: &Rebuild) -> rusqlite::Result<bool> {
    let owner = rebuild.owner;
    let state = dictionary_state(transaction, owner)?.map(|(state, ..)| state);
    if state != Some(rebuild.expected_dictionary) {
        return Ok(false);
    }
    let segments: i64 = transaction
        .prepare_cached("SELECT count(*) FROM segment WHERE owner = ?1")?
        .query_row([owner.0.as_bytes()], |row| row.get(0))?;
    if segments as usize != rebuild.expected.len() {
        return Ok(false);
    }
    for (&(app, day), &expected) in &rebuild.expected {
        if version_of(transaction, owner, app, day)? != Some(expected) {
            return Ok(false);
        }
    }
    transaction.execute("DELETE FROM block WHERE owner = ?1", [owner.0.as_bytes()])?;
    let mut ordinals = 0;
    for block in &rebuild.blocks {
        append_block(transaction, owner, ordinals, block)?;
        ordinals += block.pseudonyms.len() as u64;
    }
    let epoch = rebuild.expected_dictionary.epoch + 1;
    let last_block = rebuild.blocks.last().map_or([0; 8], |block| block.id);
    write_state(transaction, owner, DictionaryState { epoch, last_block }, ordinals, rebuild.at)?;
    for (app, day, pieces, timed) in &rebuild.bases {
        let Some(&expected) = rebuild.expected.get(&(*app, *day)) else { continue };
        // What readers had before is nothing that these ordinals could be added to.
        let from = Version { epoch, tag: rand::random(), ..expected };
        replace_base(transaction, (owner, *app, *day), from, pieces, *timed)?;
    }
    Ok(true)
}

pub(super) fn set_aside(
    transaction: &Transaction<'_>,
    owner: OwnerId,
    app: AppId,
    day: Day,
    blob: BlobAt,
) -> rusqlite::Result<()> {
    let key = (owner.0.as_bytes(), app.0.as_bytes(), day.0);
    let place = format!("{blob:?}");
    let (copy, delete, numbers) = match blob {
        BlobAt::Delta(sequence) => (
            "INSERT INTO damaged SELECT owner, app, day, ?4, bytes FROM delta \
             WHERE owner = ?1 AND app = ?2 AND day = ?3 AND sequence = ?5 AND 0 = ?6",
            "DELETE FROM delta WHERE owner = ?1 AND app = ?2 AND day = ?3 AND sequence = ?4 AND 0 = ?5",
            (sequence as i64, 0),
        ),
        BlobAt::Piece(generation, place) => (
            "INSERT INTO damaged SELECT owner, app, day, ?4, bytes FROM piece \
             WHERE owner = ?1 AND app = ?2 AND day = ?3 AND generation = ?5 AND place = ?6",
            "DELETE FROM piece WHERE owner = ?1 AND app = ?2 AND day = ?3 AND generation = ?4 AND place = ?5",
            (generation as i64, i64::from(place)),
        ),
    };
    transaction.execute(copy, params![key.0, key.1, key.2, place, numbers.0, numbers.1])?;
    transaction.execute(delete, params![key.0, key.1, key.2, numbers.0, numbers.1])?;
    mark_incomplete(transaction, owner, app, day)
}

pub(super) fn expire(
    transaction: &Transaction<'_>,
    owner: OwnerId,
    first: Day,
    (marks_before, at): (Millis, Millis),
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO expired SELECT owner, app, day, ?3 FROM segment WHERE owner = ?1 AND day < ?2",
        )?
        .execute(params![owner.0.as_bytes(), first.0, at.0])?;
    // Counted from the newest of them and not from the clock, which may be wrong for a moment.
    transaction
        .prepare_cached(
            "DELETE FROM expired WHERE owner = ?1 AND day < (SELECT max(day) FROM expired WHERE owner = ?1) - ?2",
        )?
        .execute(params![owner.0.as_bytes(), EXPIRED_DAYS])?;
    for table in ["segment", "delta", "piece", "incomplete", "damaged"] {
        let sql = format!("DELETE FROM {table} WHERE owner = ?1 AND day < ?2");
        transaction.prepare_cached(&sql)?.execute(params![owner.0.as_bytes(), first.0])?;
    }
    for table in ["mark", "receipt", "erased", "tombstone"] {
        let sql = format!("DELETE FROM {table} WHERE owner = ?1 AND at < ?2");
        transaction.prepare_cached(&sql)?.execute(params![owner.0.as_bytes(), marks_before.0])?;
    }
    Ok(())
}

pub(super) fn erase(
    transaction: &Transaction<'_>,
    owner: OwnerId,
    app: Option<AppId>,
    at: Millis,
) -> rusqlite::Result<()> {
    for table in ["segment", "delta", "piece", "incomplete", "damaged", "expired"] {
        match app {
            Some(app) => transaction.execute(
                &format!("DELETE FROM {table} WHERE owner = ?1 AND app = ?2"),
                params![owner.0.as_bytes(), app.0.as_bytes()],
            )?,
            None => transaction.execute(&format!("DELETE FROM {table} WHERE owner = ?1"), [owner.0.as_bytes()])?,
        };
    }
    if app.is_none() {
        for table in ["block", "dictionary", "receipt", "tombstone"] {
            transaction.execute(&format!("DELETE FROM {table} WHERE owner = ?1"), [owner.0.as_bytes()])?;
        }
    }
    let app = app.map(|app| app.0.as_bytes().to_vec()).unwrap_or_default();
    transaction
        .execute(
            "INSERT OR REPLACE INTO erased (owner, app, at) VALUES (?1, ?2, ?3)",
            params![owner.0.as_bytes(), app, at.0],
        )
        .map(drop)
}
