//! Compaction, and what is damaged.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use headcount_engine::day::Day;
use headcount_engine::id::{AppId, OwnerId};
use redis::Cmd;

use super::super::{self as store, BlobAt, Compaction, Damage, StoreError};
use super::head::{Head, NO_BASE, Tag};
use super::keys::{Keys, app_day, member};
use super::read::Overview;
use super::script::{COMPACT, SET_ASIDE};
use super::{Redis, reply};

/// How long a piece lives that no segment has taken up, in milliseconds.
pub(super) const UNCLAIMED: i64 = 600_000;
/// How long the pieces of an old base stay for readers that are at it, in milliseconds.
pub(super) const GRACE: i64 = 60_000;
/// How many commands of one piece of work are under way at once.
const AT_ONCE: usize = 4;
/// Every day that there can be.
pub(super) const ALL_DAYS: std::ops::RangeInclusive<Day> = Day(i32::MIN)..=Day(i32::MAX);

impl Redis {
    pub(in super::super) async fn heads(&self) -> Result<Vec<store::Head>, StoreError> {
        let mut all = Vec::new();
        for owner in self.owners().await? {
            let Overview { epoch, heads, .. } = self.overview(owner, &ALL_DAYS).await?;
            all.extend(heads.into_iter().map(|((app, day), head)| store::Head {
                owner,
                app,
                day,
                version: head.version(epoch),
                deltas: (head.sequence - head.first, head.bytes - head.first_bytes),
                base_bytes: head.base_bytes,
                changed_at: head.changed_at,
                timed: head.timed,
            }));
        }
        Ok(all)
    }

    pub(in super::super) async fn damage(&self) -> Result<Damage, StoreError> {
        let (mut blobs, mut incomplete) = (0, BTreeSet::new());
        for owner in self.owners().await? {
            let keys = self.keys(owner);
            let mut members = redis::cmd("SMEMBERS");
            let members = reply::texts(self.link.get(members.arg(keys.incomplete()).clone()).await?)?;
            incomplete.extend(members.iter().filter_map(|member| app_day(member)).map(|(_, day)| day));
            let mut count = redis::cmd("SCARD");
            blobs += reply::number::<u64>(self.link.get(count.arg(keys.damaged()).clone()).await?)?;
        }
        Ok(Damage { stores: Vec::new(), blobs, incomplete: incomplete.into_iter().collect() })
    }

    /// The state of one segment, and of what it belongs to.
    async fn head_of(&self, owner: OwnerId, (app, day): (AppId, Day)) -> Result<(Overview, Option<Head>), StoreError> {
        let heads = self.overview(owner, &(day..=day)).await?;
        let head = heads.heads.iter().find(|((of, _), _)| *of == app).map(|(_, head)| head.clone());
        Ok((heads, head))
    }

    pub(in super::super) async fn compact(&self, compaction: Compaction) -> Result<bool, StoreError> {
        let Compaction { owner, app, day, from, pieces, timed } = compaction;
        let (heads, head) = self.head_of(owner, (app, day)).await?;
        let is_it = |head: &Head| (heads.epoch, head.generation) == (from.epoch, from.generation);
        let Some(head) = head.filter(is_it) else { return Ok(false) };
        let keys = self.keys(owner);
        let base = base_name(from.generation + 1);
        let bytes: usize = pieces.iter().map(Vec::len).sum();
        let names = piece_names(&keys, &heads.space, (app, day), &base, pieces.len() as u32);
        self.write_pieces(names.iter().cloned().zip(pieces).collect(), ("PX", UNCLAIMED)).await?;
        let call = COMPACT
            .call()
            .keys([keys.state(), keys.heads(&heads.space, day), keys.deltas(&heads.space, (app, day))])
            .keys(names.iter().cloned())
            .keys(piece_names(&keys, &heads.space, (app, day), &head.base, head.pieces))
            .arg(&heads.space)
            .arg(app.to_string())
            .arg(from.generation)
            .arg(from.sequence)
            .arg(Tag(from.tag).to_string())
            .arg(&base)
            .arg(names.len())
            .arg(bytes)
            .arg(u8::from(timed))
            .arg(self.life_of(owner, day))
            .arg(&head.base)
            .arg(GRACE);
        let done = reply::done(&self.link.write(call).await?)?;
        if !done {
            self.unlink(names).await?;
        }
        Ok(done)
    }

    /// Writes pieces, each with that end of its life.
    pub(super) async fn write_pieces(
        &self,
        pieces: Vec<(String, Vec<u8>)>,
        (option, end): (&'static str, i64),
    ) -> Result<(), StoreError> {
        let mut commands = Vec::with_capacity(pieces.len());
        for (name, piece) in pieces {
            let mut command = redis::cmd("SET");
            command.arg(name).arg(piece).arg(option).arg(end);
            commands.push(command);
        }
        self.put_all(commands).await
    }

    /// Sends commands that write and whose order does not matter.
    pub(super) async fn put_all(&self, commands: Vec<Cmd>) -> Result<(), StoreError> {
        let puts: Vec<_> = commands.into_iter().map(|command| self.link.put(command)).collect();
        let mut puts = stream::iter(puts).buffer_unordered(AT_ONCE);
        while puts.try_next().await?.is_some() {}
        Ok(())
    }

    /// Deletes keys of one owner.
    pub(super) async fn unlink(&self, names: Vec<String>) -> Result<(), StoreError> {
        for some in names.chunks(100) {
            let mut command = redis::cmd("UNLINK");
            command.arg(some);
            self.link.put(command).await?;
        }
        Ok(())
    }

    pub(in super::super) async fn set_aside(
        &self,
        owner: OwnerId,
        app: AppId,
        day: Day,
        blob: BlobAt,
    ) -> Result<(), StoreError> {
        self.enter(owner, false).await?;
        let (heads, head) = self.head_of(owner, (app, day)).await?;
        let keys = self.keys(owner);
        let base = head.as_ref().map_or(NO_BASE, |head| &head.base);
        let (place, name, generation, sequence) = match blob {
            BlobAt::Delta(sequence) => {
                let place = keys.deltas(&heads.space, (app, day));
                (place, format!("delta-{sequence}"), 0, sequence.to_string())
            }
            BlobAt::Piece(generation, place) => {
                let name = format!("piece-{generation}-{place}");
                (keys.piece(&heads.space, (app, day), base, place), name, generation, String::new())
            }
        };
        let call = SET_ASIDE
            .call()
            .keys([keys.state(), keys.incomplete(), keys.damaged(), keys.heads(&heads.space, day), place])
            .key(keys.aside((app, day), &name))
            .arg(member(app, day))
            .arg(app.to_string())
            .arg(generation)
            .arg(base)
            .arg(sequence)
            .arg(self.life_of(owner, day))
            .arg(Tag::random().to_string())
            .arg(format!("{}:{name}", member(app, day)));
        self.link.write(call).await.map(drop)
    }
}

/// The command that sets the end of a key's life.
pub(super) fn lives_until(key: &str, end: i64) -> Cmd {
    let mut command = redis::cmd("PEXPIREAT");
    command.arg(key).arg(end);
    command
}

/// The name of a base: nobody else writes under it.
pub(super) fn base_name(generation: u64) -> String {
    format!("{generation}-{}", Tag::random())
}

/// The keys of all pieces of a base.
pub(super) fn piece_names(keys: &Keys, space: &str, key: (AppId, Day), base: &str, pieces: u32) -> Vec<String> {
    (0..pieces).map(|place| keys.piece(space, key, base, place)).collect()
}
