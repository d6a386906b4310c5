//! Taking what was accepted of erased devices out of the files of the spool.

use std::sync::Arc;
use std::time::Instant;

use headcount_engine::day::Millis;
use headcount_engine::event::Event;
use headcount_engine::row;

use crate::retention::Erased;
use crate::spool::{Result, SpoolFile};

/// How many bytes of rows are read at once.
const READ_BYTES: usize = 1 << 20;
/// For how long after an erasure new rows may hold what was accepted before it.
const LATE_MILLIS: i64 = 60_000;

/// For which erasures a file was searched, and how far.
#[derive(Debug, Default)]
pub(super) struct Scrub {
    against: Arc<Erased>,
    through: Option<u64>,
    is_done: bool,
}

impl Scrub {
    /// Goes on through the file until that instant. The rows keep their numbers and tags.
    pub(super) fn go_on(
        &mut self,
        file: &SpoolFile,
        erased: &Arc<Erased>,
        (now, until): (Millis, Instant),
    ) -> Result<()> {
        if !Arc::ptr_eq(&self.against, erased) {
            *self = Self { against: erased.clone(), ..Self::default() };
        }
        if self.is_done || erased.is_empty() {
            return Ok(());
        }
        loop {
            let rows = file.rows_after(self.through, READ_BYTES)?;
            let Some(last) = rows.last() else { break };
            let scrubbed: Vec<(u64, Vec<u8>)> =
                rows.iter().filter_map(|row| Some((row.mark.row, without(&row.body, erased)?))).collect();
            if !scrubbed.is_empty() {
                tracing::info!(spool = %file.id(), rows = scrubbed.len(), "what was accepted of erased devices goes");
                file.replace_bodies(&scrubbed)?;
            }
            self.through = Some(last.mark.row);
            if Instant::now() >= until {
                return Ok(());
            }
        }
        let newest = erased.values().flat_map(|of_owner| of_owner.values()).max();
        self.is_done = newest.is_none_or(|newest| now.0 > newest.0 + LATE_MILLIS);
        Ok(())
    }
}

/// Whether an event was accepted before its device was erased.
fn is_erased(event: &Event, erased: &Erased) -> bool {
    let at = erased.get(&event.owner).and_then(|of_owner| of_owner.get(&event.device));
    at.is_some_and(|at| event.at <= *at)
}

/// The body without what was accepted of erased devices, if there is any. A damaged one stays as it is.
fn without(body: &[u8], erased: &Erased) -> Option<Vec<u8>> {
    // Most rows hold none of them: that can be seen without decoding.
    let devices = || erased.values().flat_map(|of_owner| of_owner.keys());
    if !devices().any(|device| holds(body, device.0)) {
        return None;
    }
    let mut row = row::decode(body).ok()?;
    let before = row.events.len();
    row.events.retain(|event| !is_erased(event, erased));
    (row.events.len() < before).then(|| row::encode(&row))
}

fn holds(body: &[u8], device: [u8; 16]) -> bool {
    let mut rest = body;
    while let Some(at) = rest.iter().position(|&byte| byte == device[0]) {
        if rest[at..].starts_with(&device) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}
