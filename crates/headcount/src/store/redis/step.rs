//! One step of an owner, as one script.

use headcount_engine::format::seal;
use headcount_engine::id::OwnerId;
use headcount_engine::mark::Mark;
use redis::Value;

use super::super::{Applied, Block, DictionaryState, Step, StoreError};
use super::head::Tag;
use super::keys::member;
use super::script::{APPLY, Call};
use super::{ATTEMPTS, Redis, distinct, longest, reply};

/// What became of the script.
enum Answer {
    Applied(Applied),
    // The owner's keys are others than was thought.
    Moved,
}

impl Redis {
    pub(in super::super) async fn apply(&self, owner: OwnerId, step: Step) -> Result<Applied, StoreError> {
        self.enter(owner, false).await?;
        for _ in 0..ATTEMPTS {
            let place = self.place(owner).await?;
            let is_new = place.space.is_empty();
            let space = if is_new { format!("0-{}", Tag::random()) } else { place.space.clone() };
            let reply = self.link.write(self.step(owner, &step, (&space, is_new))).await?;
            let answer = self.answer(owner, reply).await?;
            if is_new {
                self.forget_place(owner);
            }
            match answer {
                Answer::Applied(applied) => return Ok(applied),
                Answer::Moved => self.forget_place(owner),
            }
        }
        Err(StoreError::Unavailable("the owner's keys changed again and again".to_owned()))
    }

    fn step(&self, owner: OwnerId, step: &Step, (space, is_new): (&str, bool)) -> Call {
        let keys = self.keys(owner);
        let days = distinct(step.deltas.iter().map(|&(_, day, _)| day));
        let named = step.incomplete.iter().map(|&(_, day)| day);
        let life = longest(self, (owner, step.at), days.iter().copied().chain(named));
        let mark = |mark: Option<_>| mark.map_or_else(Vec::new, |mark| mark_bytes(mark).to_vec());
        let (block, pseudonyms) = match &step.block {
            Some(block) => (block.id.to_vec(), block.pseudonyms.iter().flat_map(|device| device.0).collect()),
            None => (Vec::new(), Vec::new()),
        };
        let count = pseudonyms.len() / 16;
        let mut call = APPLY
            .call()
            .keys([keys.state(), keys.marks(), keys.receipts(), keys.erased(), keys.expired(), keys.incomplete()])
            .keys([keys.blocks(space), keys.days(), keys.tombstones()])
            .keys(days.iter().map(|&day| keys.heads(space, day)))
            .keys(step.deltas.iter().map(|&(app, day, _)| keys.deltas(space, (app, day))))
            .arg(step.expected_dictionary.epoch)
            .arg(&step.expected_dictionary.last_block[..])
            .arg(space)
            .arg(u8::from(is_new))
            .arg(step.spool.to_string())
            .arg(mark(step.expected_mark))
            .arg(mark(step.mark))
            .arg(step.at.0)
            .arg(life)
            .arg(block)
            .arg(seal(pseudonyms))
            .arg(count)
            .arg(Tag::random().to_string());
        for count in [days.len(), step.deltas.len(), step.incomplete.len(), step.receipts.len()] {
            call = call.arg(count);
        }
        let replaced = step.erased.iter().flat_map(|erasure| &erasure.replaced);
        call = call.arg(step.erased.as_ref().map_or_else(String::new, |erasure| hex::encode(erasure.device.0)));
        call = call.arg(replaced.clone().count());
        for &day in &days {
            call = call.arg(self.life_of(owner, day));
        }
        for (app, day, bytes) in &step.deltas {
            let place = days.partition_point(|other| other < day) + 1;
            call = call.arg(app.to_string()).arg(day.to_string()).arg(place).arg(&bytes[..]);
        }
        for &(app, day) in &step.incomplete {
            call = call.arg(member(app, day)).arg(app.to_string());
        }
        for (mark, bytes) in &step.receipts {
            call = call.arg(format!("{}:{}", step.spool, mark.row)).arg(&mark.tag[..]).arg(&bytes[..]);
        }
        for (place, block) in replaced {
            call = call.arg(*place).arg(stored(block));
        }
        call
    }

    async fn answer(&self, owner: OwnerId, reply: Value) -> Result<Answer, StoreError> {
        let (kind, mut values) = reply::kind(reply)?;
        match kind.as_str() {
            "mark" => {
                let found = reply::bytes(reply::next(&mut values)?)?;
                let mark = found.first_chunk().map(read_mark);
                Ok(Answer::Applied(Applied::MarkMoved(mark)))
            }
            "dictionary" => {
                let epoch = reply::number(reply::next(&mut values)?)?;
                let last_block = reply::eight(reply::next(&mut values)?)?;
                Ok(Answer::Applied(Applied::DictionaryMoved(DictionaryState { epoch, last_block })))
            }
            "applied" => {
                let is_fresh = reply::number::<u8>(reply::next(&mut values)?)? == 1;
                for dropped in values {
                    let segment = reply::text(dropped)?;
                    tracing::warn!(%owner, segment, "events of a day that has expired are dropped: the clock has gone back");
                }
                if is_fresh {
                    self.enter(owner, true).await?;
                }
                Ok(Answer::Applied(Applied::Yes))
            }
            _ => Ok(Answer::Moved),
        }
    }
}

/// A block as an element of the list: its id, and its pseudonyms with a checksum.
pub(super) fn stored(block: &Block) -> Vec<u8> {
    let pseudonyms = block.pseudonyms.iter().flat_map(|device| device.0).collect();
    [&block.id[..], &seal(pseudonyms)].concat()
}

/// A mark as bytes: the row, with the greatest byte first, and the tag.
fn mark_bytes(mark: Mark) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&mark.row.to_be_bytes());
    bytes[8..].copy_from_slice(&mark.tag);
    bytes
}

/// What [`mark_bytes`] wrote.
pub(super) fn read_mark(bytes: &[u8; 16]) -> Mark {
    let (mut row, mut tag) = ([0; 8], [0; 8]);
    row.copy_from_slice(&bytes[..8]);
    tag.copy_from_slice(&bytes[8..]);
    Mark { row: u64::from_be_bytes(row), tag }
}
