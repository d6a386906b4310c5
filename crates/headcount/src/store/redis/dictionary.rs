//! Following an owner's dictionary, also where a part of it is damaged.

use std::sync::PoisonError;

use headcount_engine::day::Millis;
use headcount_engine::device::Pseudonym;
use headcount_engine::format::unseal;
use headcount_engine::id::OwnerId;
use redis::Value;

use super::super::{Block, DictionaryState, DictionaryTail, StoreError, Tombstone};
use super::script::DICTIONARY;
use super::{ATTEMPTS, Redis, reply};

/// How much of it is read at once, in bytes: nobody else is served meanwhile.
const MOST: usize = 1 << 18;

/// What one script gives of it.
struct Part {
    state: DictionaryState,
    since: Millis,
    /// The place of the oldest block.
    place: u64,
    /// All of them, with the newest blocks.
    erased: Vec<Tombstone>,
    /// The newest first.
    blocks: Vec<Found>,
}

/// A block as it is found.
struct Found {
    block: Block,
    is_damaged: bool,
}

/// What was read of a dictionary.
struct Read {
    tail: DictionaryTail,
    /// The places in it of the blocks that are damaged.
    damaged: Vec<usize>,
}

impl Redis {
    pub(in super::super) async fn dictionary(
        &self,
        owner: OwnerId,
        known: DictionaryState,
    ) -> Result<DictionaryTail, StoreError> {
        let Read { tail, damaged } = self.read_dictionary(owner, known).await?;
        let mut owners = self.damaged.lock().unwrap_or_else(PoisonError::into_inner);
        if !damaged.is_empty() {
            owners.insert(owner);
            // Without it no bit of a segment says which device it is.
            return Err(StoreError::Damaged(format!("a block of the dictionary of owner {owner}")));
        }
        if known == DictionaryState::default() {
            owners.remove(&owner);
        }
        Ok(tail)
    }

    pub(in super::super) async fn dictionary_with_gaps(
        &self,
        owner: OwnerId,
    ) -> Result<(DictionaryTail, usize), StoreError> {
        let mut ordinals = redis::cmd("HGET");
        let ordinals = self.link.get(ordinals.arg(self.keys(owner).state()).arg("ordinals").clone()).await?;
        let ordinals = reply::optional_bytes(ordinals)?.and_then(|text| String::from_utf8(text).ok()?.parse().ok());
        let mut read = self.read_dictionary(owner, DictionaryState::default()).await?;
        let lost = read.fill(ordinals.unwrap_or(0));
        let lost = lost.ok_or_else(|| StoreError::Damaged(format!("the dictionary of owner {owner}, too much")))?;
        if lost == 0 {
            self.damaged.lock().unwrap_or_else(PoisonError::into_inner).remove(&owner);
        }
        Ok((read.tail, lost))
    }

    async fn read_dictionary(&self, owner: OwnerId, known: DictionaryState) -> Result<Read, StoreError> {
        for _ in 0..ATTEMPTS {
            match self.tail(owner, known).await? {
                Some(read) => return Ok(read),
                None => self.forget_place(owner),
            }
        }
        Err(StoreError::Unavailable("the dictionary was rebuilt again and again".to_owned()))
    }

    /// Reads backwards until the known block comes; `None` if the dictionary was rebuilt meanwhile.
    async fn tail(&self, owner: OwnerId, known: DictionaryState) -> Result<Option<Read>, StoreError> {
        let space = self.place(owner).await?.space.clone();
        let Some(newest) = self.part(owner, &space, known, None).await? else { return Ok(None) };
        let (state, since, erased) = (newest.state, newest.since, newest.erased.clone());
        let mut tail = DictionaryTail { state, since, erased, ..DictionaryTail::default() };
        tail.follows = known == newest.state;
        let (mut part, mut damaged, mut read) = (newest, Vec::new(), 0);
        while !tail.follows {
            let is_same_epoch = part.state.epoch == known.epoch;
            for Found { block, is_damaged } in part.blocks {
                if is_same_epoch && block.id == known.last_block {
                    tail.follows = true;
                    break;
                }
                if is_damaged {
                    damaged.push(tail.blocks.len());
                }
                read += 1 + block.pseudonyms.len();
                tail.blocks.push(block);
            }
            if tail.follows || part.place == 0 {
                // From the very beginning is behind nothing, too.
                tail.follows |= is_same_epoch && known.last_block == [0; 8];
                break;
            }
            match self.part(owner, &space, known, Some((part.place, read))).await? {
                Some(next) => part = next,
                None => return Ok(None),
            }
        }
        tail.blocks.reverse();
        let damaged = damaged.into_iter().rev().map(|from_end| tail.blocks.len() - 1 - from_end).collect();
        Ok(Some(Read { tail, damaged }))
    }

    /// The newest blocks, or those before a place, of a caller that read so many blocks and pseudonyms already.
    async fn part(
        &self,
        owner: OwnerId,
        space: &str,
        known: DictionaryState,
        before: Option<(u64, usize)>,
    ) -> Result<Option<Part>, StoreError> {
        let keys = self.keys(owner);
        let call = DICTIONARY.call().keys([keys.state(), keys.blocks(space), keys.tombstones()]).arg(space);
        let call = call.arg(known.epoch).arg(&known.last_block[..]);
        let (place, read) = before.map_or_else(Default::default, |(place, read)| (place.to_string(), read));
        let call = call.arg(place).arg(MOST).arg(read);
        let (kind, mut values) = reply::kind(self.link.read(call).await?)?;
        if kind != "blocks" {
            return Ok(None);
        }
        let epoch = reply::number(reply::next(&mut values)?)?;
        let last_block = reply::eight(reply::next(&mut values)?)?;
        let since = reply::text(reply::next(&mut values)?)?.parse().map_or(Millis::default(), Millis);
        let place = reply::number(reply::next(&mut values)?)?;
        let erased = tombstones(reply::next(&mut values)?)?;
        let blocks = values.map(|value| reply::bytes(value).map(|bytes| found(&bytes))).collect::<Result<_, _>>()?;
        Ok(Some(Part { state: DictionaryState { epoch, last_block }, since, place, erased, blocks }))
    }
}

impl Read {
    /// Puts pseudonyms that no device has in the places of those that are lost, so that the whole has so many ordinals:
    /// how many, unless that cannot be.
    fn fill(&mut self, ordinals: usize) -> Option<usize> {
        let blocks = &mut self.tail.blocks;
        let all: usize = blocks.iter().map(|block| block.pseudonyms.len()).sum();
        match self.damaged[..] {
            [] => Some(0),
            // All others tell how many it had.
            [only] => {
                let lost = ordinals.checked_sub(all - blocks[only].pseudonyms.len())?;
                blocks[only].pseudonyms = made_up(lost);
                Some(lost)
            }
            // Their lengths are believed where they add up.
            _ => (all == ordinals).then(|| self.damaged.iter().map(|&at| blocks[at].pseudonyms.len()).sum()),
        }
    }
}

/// A block that is damaged has pseudonyms that no device has: as many as its length says.
fn found(bytes: &[u8]) -> Found {
    // Its id and its checksum.
    const REST: usize = 16;
    let intact = || {
        let (id, sealed) = bytes.split_first_chunk()?;
        let (pseudonyms, rest) = unseal(sealed).ok()?.as_chunks::<16>();
        let pseudonyms = pseudonyms.iter().copied().map(Pseudonym).collect();
        rest.is_empty().then_some(Block { id: *id, pseudonyms })
    };
    if let Some(block) = intact() {
        return Found { block, is_damaged: false };
    }
    let pseudonyms = made_up(bytes.len().saturating_sub(REST) / 16);
    Found { block: Block { id: rand::random(), pseudonyms }, is_damaged: true }
}

fn made_up(count: usize) -> Vec<Pseudonym> {
    (0..count).map(|_| Pseudonym(rand::random())).collect()
}

/// The fields and values of the hash.
pub(super) fn tombstones(fields: Value) -> Result<Vec<Tombstone>, StoreError> {
    let tombstone = |(field, value): (Value, Value)| {
        let mut device = [0; 16];
        hex::decode_to_slice(reply::text(field)?, &mut device).map_err(|_| reply::unexpected())?;
        let value = reply::bytes(value)?;
        let (at, block) = value.split_last_chunk::<8>().ok_or_else(reply::unexpected)?;
        let at = std::str::from_utf8(at).ok().and_then(|at| at.strip_suffix(':')?.parse().ok());
        let at = Millis(at.ok_or_else(reply::unexpected)?);
        Ok(Tombstone { device: Pseudonym(device), at, block: *block })
    };
    reply::pairs(fields)?.into_iter().map(tombstone).collect()
}
