//! One step of an owner, as one transaction.

use headcount_engine::day::{Day, Millis};
use headcount_engine::format::seal;
use headcount_engine::id::{AppId, OwnerId};
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::super::{Applied, Block, DictionaryState, Erasure, Step, Tombstone};
use super::{dictionary_state, mark_of};
use crate::failpoint::{self, Point};

pub(super) fn apply(transaction: &Transaction<'_>, owner: OwnerId, step: &Step) -> rusqlite::Result<Applied> {
    let mark = mark_of(transaction, step.spool, owner)?;
    if mark != step.expected_mark {
        return Ok(Applied::MarkMoved(mark));
    }
    if is_erased(transaction, owner, None)? {
        // What still comes of it is passed over, whatever dictionary it was made for.
        move_mark(transaction, owner, step)?;
        return Ok(Applied::Yes);
    }
    let (state, ordinals, since) =
        dictionary_state(transaction, owner)?.unwrap_or((DictionaryState::default(), 0, step.at));
    if state != step.expected_dictionary {
        return Ok(Applied::DictionaryMoved(state));
    }
    if let Some(block) = &step.block {
        let state = DictionaryState { last_block: block.id, ..state };
        append_block(transaction, owner, ordinals, block)?;
        write_state(transaction, owner, state, ordinals + block.pseudonyms.len() as u64, since)?;
        if let Some(erasure) = &step.erased {
            bury(transaction, owner, erasure, Tombstone { device: erasure.device, at: step.at, block: block.id })?;
        }
    }
    let tag: [u8; 8] = rand::random();
    for (app, day, bytes) in &step.deltas {
        if is_expired(transaction, owner, (*app, *day), step.at)? {
            tracing::warn!(%owner, %app, %day, "events of a day that has expired are dropped: the clock has gone back");
        } else if !is_erased(transaction, owner, Some(*app))? {
            append_delta(transaction, (owner, *app, *day), (state.epoch, bytes, step.at), tag)?;
        }
    }
    for (app, day) in &step.incomplete {
        if !is_erased(transaction, owner, Some(*app))? {
            mark_incomplete(transaction, owner, *app, *day)?;
        }
    }
    failpoint::reach(Point::StepWritten);
    for (mark, bytes) in &step.receipts {
        transaction
            .prepare_cached(
                "INSERT OR IGNORE INTO receipt (spool, owner, row, tag, bytes, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![step.spool.0, owner.0.as_bytes(), mark.row as i64, mark.tag, bytes, step.at.0])?;
    }
    move_mark(transaction, owner, step)?;
    Ok(Applied::Yes)
}

/// Puts holes in the place of a device, and remembers that it was erased.
fn bury(
    transaction: &Transaction<'_>,
    owner: OwnerId,
    erasure: &Erasure,
    tombstone: Tombstone,
) -> rusqlite::Result<()> {
    // What is overwritten is not to be read from the free room of the file.
    transaction.pragma_update(None, "secure_delete", true)?;
    for (_, block) in &erasure.replaced {
        transaction.prepare_cached("UPDATE block SET bytes = ?3 WHERE owner = ?1 AND id = ?2")?.execute(params![
            owner.0.as_bytes(),
            block.id,
            sealed(block)
        ])?;
    }
    transaction.pragma_update(None, "secure_delete", false)?;
    keep_tombstone(transaction, owner, tombstone)
}

pub(super) fn keep_tombstone(
    transaction: &Transaction<'_>,
    owner: OwnerId,
    Tombstone { device, at, block }: Tombstone,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT OR REPLACE INTO tombstone (owner, device, at, block) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![owner.0.as_bytes(), device.0, at.0, block])
        .map(drop)
}

fn sealed(block: &Block) -> Vec<u8> {
    seal(block.pseudonyms.iter().flat_map(|pseudonym| pseudonym.0).collect())
}

fn move_mark(transaction: &Transaction<'_>, owner: OwnerId, step: &Step) -> rusqlite::Result<()> {
    let Some(mark) = step.mark else { return Ok(()) };
    transaction
        .prepare_cached("INSERT OR REPLACE INTO mark (spool, owner, row, tag, at) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![step.spool.0, owner.0.as_bytes(), mark.row as i64, mark.tag, step.at.0])
        .map(drop)
}

fn is_erased(transaction: &Transaction<'_>, owner: OwnerId, app: Option<AppId>) -> rusqlite::Result<bool> {
    let app = app.map(|app| app.0.as_bytes().to_vec()).unwrap_or_default();
    transaction
        .prepare_cached("SELECT 1 FROM erased WHERE owner = ?1 AND app = ?2")?
        .query_row(params![owner.0.as_bytes(), app], |_| Ok(()))
        .optional()
        .map(|found| found.is_some())
}

/// Whether the day expired at a moment that is still to come.
fn is_expired(
    transaction: &Transaction<'_>,
    owner: OwnerId,
    (app, day): (AppId, Day),
    now: Millis,
) -> rusqlite::Result<bool> {
    transaction
        .prepare_cached("SELECT 1 FROM expired WHERE owner = ?1 AND app = ?2 AND day = ?3 AND at > ?4")?
        .query_row(params![owner.0.as_bytes(), app.0.as_bytes(), day.0, now.0], |_| Ok(()))
        .optional()
        .map(|found| found.is_some())
}

pub(super) fn append_block(
    transaction: &Transaction<'_>,
    owner: OwnerId,
    first_ordinal: u64,
    block: &Block,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT INTO block (owner, first_ordinal, id, bytes) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![owner.0.as_bytes(), first_ordinal as i64, block.id, sealed(block)])
        .map(drop)
}

pub(super) fn write_state(
    transaction: &Transaction<'_>,
    owner: OwnerId,
    state: DictionaryState,
    ordinals: u64,
    since: Millis,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO dictionary (owner, epoch, last_block, ordinals, since) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![owner.0.as_bytes(), state.epoch as i64, state.last_block, ordinals as i64, since.0])
        .map(drop)
}

fn append_delta(
    transaction: &Transaction<'_>,
    (owner, app, day): (OwnerId, AppId, Day),
    (epoch, bytes, at): (u64, &[u8], Millis),
    tag: [u8; 8],
) -> rusqlite::Result<()> {
    let key = (owner.0.as_bytes(), app.0.as_bytes(), day.0);
    // The first generation is the moment: a store that lost the segment and gets it again has a newer one, so that
    // nobody takes the old one for it.
    let sequence: i64 = transaction
        .prepare_cached(
            "INSERT INTO segment \
             (owner, app, day, epoch, generation, sequence, base_bytes, timed, changed_at, tag, first_tag) \
             VALUES (?1, ?2, ?3, ?4, ?5, 1, 0, 1, ?5, ?6, ?6) \
             ON CONFLICT (owner, app, day) DO UPDATE SET \
             sequence = sequence + 1, changed_at = max(changed_at, ?5), tag = ?6 \
             RETURNING sequence - 1",
        )?
        .query_row(params![key.0, key.1, key.2, epoch as i64, at.0, tag], |row| row.get(0))?;
    transaction
        .prepare_cached("INSERT INTO delta (owner, app, day, sequence, bytes, tag) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![key.0, key.1, key.2, sequence, bytes, tag])
        .map(drop)
}

pub(super) fn mark_incomplete(
    transaction: &Transaction<'_>,
    owner: OwnerId,
    app: AppId,
    day: Day,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT OR IGNORE INTO incomplete (owner, app, day) VALUES (?1, ?2, ?3)")?
        .execute(params![owner.0.as_bytes(), app.0.as_bytes(), day.0])
        .map(drop)
}
