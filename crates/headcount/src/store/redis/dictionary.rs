//! Following an owner's dictionary.

use headcount_engine::day::Millis;
use headcount_engine::device::Pseudonym;
use headcount_engine::format::unseal;
use headcount_engine::id::OwnerId;

use super::super::{Block, DictionaryState, DictionaryTail, StoreError};
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
    /// The newest first.
    blocks: Vec<Block>,
}

impl Redis {
    pub(in super::super) async fn dictionary(
        &self,
        owner: OwnerId,
        known: DictionaryState,
    ) -> Result<DictionaryTail, StoreError> {
        for _ in 0..ATTEMPTS {
            match self.tail(owner, known).await? {
                Some(tail) => return Ok(tail),
                None => self.forget_place(owner),
            }
        }
        Err(StoreError::Unavailable("the dictionary was rebuilt again and again".to_owned()))
    }

    /// Reads backwards until the known block comes; `None` if the dictionary was rebuilt meanwhile.
    async fn tail(&self, owner: OwnerId, known: DictionaryState) -> Result<Option<DictionaryTail>, StoreError> {
        let space = self.place(owner).await?.space.clone();
        let Some(newest) = self.part(owner, &space, known, None).await? else { return Ok(None) };
        let mut tail = DictionaryTail { state: newest.state, since: newest.since, ..DictionaryTail::default() };
        tail.follows = known == newest.state;
        let mut part = newest;
        while !tail.follows {
            let is_same_epoch = part.state.epoch == known.epoch;
            for block in part.blocks {
                if is_same_epoch && block.id == known.last_block {
                    tail.follows = true;
                    break;
                }
                tail.blocks.push(block);
            }
            if tail.follows || part.place == 0 {
                // From the very beginning is behind nothing, too.
                tail.follows |= is_same_epoch && known.last_block == [0; 8];
                break;
            }
            match self.part(owner, &space, known, Some(part.place)).await? {
                Some(next) => part = next,
                None => return Ok(None),
            }
        }
        tail.blocks.reverse();
        Ok(Some(tail))
    }

    async fn part(
        &self,
        owner: OwnerId,
        space: &str,
        known: DictionaryState,
        before: Option<u64>,
    ) -> Result<Option<Part>, StoreError> {
        let keys = self.keys(owner);
        let call = DICTIONARY.call().key(keys.state()).key(keys.blocks(space)).arg(space);
        let call = call.arg(known.epoch).arg(&known.last_block[..]);
        let call = call.arg(before.map_or_else(String::new, |place| place.to_string())).arg(MOST);
        let (kind, mut values) = reply::kind(self.link.read(call).await?)?;
        if kind != "blocks" {
            return Ok(None);
        }
        let epoch = reply::number(reply::next(&mut values)?)?;
        let last_block = reply::eight(reply::next(&mut values)?)?;
        let since = reply::text(reply::next(&mut values)?)?.parse().map_or(Millis::default(), Millis);
        let place = reply::number(reply::next(&mut values)?)?;
        let blocks = values.map(|value| block(owner, &reply::bytes(value)?)).collect::<Result<_, _>>()?;
        Ok(Some(Part { state: DictionaryState { epoch, last_block }, since, place, blocks }))
    }
}

fn block(owner: OwnerId, bytes: &[u8]) -> Result<Block, StoreError> {
    // Without it no bit of a segment says which device it is.
    let damaged = || StoreError::Damaged(format!("a block of the dictionary of owner {owner}"));
    let (id, sealed) = bytes.split_first_chunk().ok_or_else(damaged)?;
    let (pseudonyms, rest) = unseal(sealed).map_err(|_| damaged())?.as_chunks::<16>();
    if !rest.is_empty() {
        return Err(damaged());
    }
    Ok(Block { id: *id, pseudonyms: pseudonyms.iter().copied().map(Pseudonym).collect() })
}
