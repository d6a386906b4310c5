//! A dictionary and segments under a new epoch: written beside the old ones, and swapped in one step.

use headcount_engine::day::Day;
use headcount_engine::id::AppId;

use super::super::{Rebuild, StoreError};
use super::head::{Head, Tag};
use super::keys::Keys;
use super::maintain::{ALL_DAYS, GRACE, base_name, lives_until, piece_names};
use super::read::Overview;
use super::script::REBUILD;
use super::step::stored;
use super::{Redis, reply};

impl Redis {
    pub(in super::super) async fn rebuild(&self, rebuild: Rebuild) -> Result<bool, StoreError> {
        let owner = rebuild.owner;
        let old = self.overview(owner, &ALL_DAYS).await?;
        let expected = rebuild.expected_dictionary;
        let is_same = |((app, day), head): &((AppId, Day), Head)| {
            rebuild.expected.get(&(*app, *day)) == Some(&head.version(old.epoch))
        };
        let is_unchanged = (old.epoch, old.block) == (expected.epoch, expected.last_block)
            && old.heads.len() == rebuild.expected.len()
            && old.heads.iter().all(is_same);
        if !is_unchanged {
            return Ok(false);
        }
        let (keys, epoch) = (self.keys(owner), expected.epoch + 1);
        let space = format!("{epoch}-{}", Tag::random());
        let mut written = vec![keys.blocks(&space)];
        let prepared = self.prepare(&keys, (&space, &old), &rebuild, &mut written).await;
        let done = match prepared {
            Ok(()) => self.swap(&keys, (&space, epoch), &old, &rebuild).await,
            Err(error) => Err(error),
        };
        self.forget_place(owner);
        match &done {
            Ok(true) => self.let_go(old_keys(&keys, &old)).await?,
            Ok(false) => self.unlink(written).await?,
            // It may have been swapped: what is not used goes at the end of its life.
            Err(_) => {}
        }
        done
    }

    /// Writes everything to the new space, with the life that it will have.
    async fn prepare(
        &self,
        keys: &Keys,
        (space, old): (&str, &Overview),
        rebuild: &Rebuild,
        written: &mut Vec<String>,
    ) -> Result<(), StoreError> {
        let mut life = self.life_of(rebuild.owner, rebuild.at.day());
        for (app, day, pieces, timed) in &rebuild.bases {
            let Some((_, head)) = old.heads.iter().find(|(key, _)| *key == (*app, *day)) else { continue };
            let base = base_name(head.generation + 1);
            let names = piece_names(keys, space, (*app, *day), &base, pieces.len() as u32);
            written.extend(names.iter().cloned());
            let life_of_day = self.life_of(rebuild.owner, *day);
            self.write_pieces(names.into_iter().zip(pieces.iter().cloned()).collect(), ("PXAT", life_of_day)).await?;
            // What readers had before is nothing that these ordinals could be added to.
            let tag = Tag::random();
            let new = Head {
                generation: head.generation + 1,
                first: head.sequence,
                tag,
                first_tag: tag,
                first_bytes: head.bytes,
                base,
                pieces: pieces.len() as u32,
                base_bytes: pieces.iter().map(|piece| piece.len() as u64).sum(),
                timed: *timed,
                ..head.clone()
            };
            let heads = keys.heads(space, *day);
            let mut set = redis::cmd("HSET");
            self.link.put(set.arg(&heads).arg(app.to_string()).arg(new.to_string()).clone()).await?;
            self.link.put(lives_until(&heads, life_of_day)).await?;
            written.push(heads);
            life = life.max(life_of_day);
        }
        for block in &rebuild.blocks {
            let mut push = redis::cmd("RPUSH");
            push.arg(keys.blocks(space)).arg(stored(block));
            self.link.put(push).await?;
            self.link.put(lives_until(&keys.blocks(space), life)).await?;
        }
        Ok(())
    }

    async fn swap(
        &self,
        keys: &Keys,
        (space, epoch): (&str, u64),
        old: &Overview,
        rebuild: &Rebuild,
    ) -> Result<bool, StoreError> {
        let ordinals: usize = rebuild.blocks.iter().map(|block| block.pseudonyms.len()).sum();
        let last_block = rebuild.blocks.last().map_or([0; 8], |block| block.id);
        let call = REBUILD
            .call()
            .key(keys.state())
            .arg(rebuild.expected_dictionary.epoch)
            .arg(&rebuild.expected_dictionary.last_block[..])
            .arg(&old.revision)
            .arg(space)
            .arg(epoch)
            .arg(&last_block[..])
            .arg(ordinals)
            .arg(rebuild.at.0);
        reply::done(&self.link.write(call).await?)
    }

    /// Leaves old keys to the readers that are at them, for a while.
    async fn let_go(&self, names: Vec<String>) -> Result<(), StoreError> {
        let expire = |name: String| {
            let mut command = redis::cmd("PEXPIRE");
            command.arg(name).arg(GRACE);
            command
        };
        self.put_all(names.into_iter().map(expire).collect()).await
    }
}

fn old_keys(keys: &Keys, old: &Overview) -> Vec<String> {
    let mut names = vec![keys.blocks(&old.space)];
    for (key, head) in &old.heads {
        names.push(keys.heads(&old.space, key.1));
        names.push(keys.deltas(&old.space, *key));
        names.extend(piece_names(keys, &old.space, *key, &head.base, head.pieces));
    }
    names.sort_unstable();
    names.dedup();
    names
}
