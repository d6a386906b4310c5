//! What goes: days that have expired, and what was erased.

use std::collections::BTreeMap;

use headcount_engine::day::{Day, Millis};
use headcount_engine::id::{AppId, OwnerId};

use super::super::{EXPIRED_DAYS, StoreError};
use super::head::{Head, Tag};
use super::keys::app_day;
use super::maintain::{ALL_DAYS, lives_until, piece_names};
use super::read::Overview;
use super::script::{ERASE, EXPIRE, REMOVE};
use super::{ATTEMPTS, Redis, longest, reply};
use crate::clock::Clock;

/// How much shorter a life may be than it should, in milliseconds: clocks differ.
const CLOSE: i64 = 3_600_000;

/// Which segments are to go.
#[derive(Debug, Clone, Copy)]
enum Which {
    /// All of the days before this one, which is remembered with the moment.
    Before(Day, Millis),
    /// All of an app, or of the owner.
    Of(Option<AppId>),
}

impl Redis {
    pub(in super::super) async fn expire(
        &self,
        owner: OwnerId,
        first: Day,
        marks_before: Millis,
        at: Millis,
    ) -> Result<(), StoreError> {
        self.remove(owner, Which::Before(first, at)).await?;
        let keys = self.keys(owner);
        let mut command = redis::cmd("HKEYS");
        let expired = reply::texts(self.link.get(command.arg(keys.expired()).clone()).await?)?;
        // Counted from the newest of them and not from the clock, which may be wrong for a moment.
        let newest = expired.iter().filter_map(|field| app_day(field)).map(|(_, day)| day).max();
        let oldest = newest.map_or_else(String::new, |newest| newest.plus(-EXPIRED_DAYS).to_string());
        let call = EXPIRE
            .call()
            .keys([keys.state(), keys.marks(), keys.receipts(), keys.erased(), keys.expired(), keys.incomplete()])
            .keys([keys.damaged(), keys.days(), keys.tombstones(), keys.blocks(&self.find(owner).await?.space)])
            .arg(first.to_string())
            .arg(marks_before.0)
            .arg(oldest)
            .arg(longest(self, (owner, at), std::iter::empty()));
        if reply::done(&self.link.write(call).await?)? {
            let mut command = redis::cmd("SREM");
            self.link.put(command.arg(self.link.shared.owners()).arg(owner.to_string()).clone()).await?;
            self.forget_place(owner);
        }
        self.lengthen_lives(owner).await
    }

    /// Gives all that belongs to a day the life that it has by the settings of now, which may keep days for longer.
    async fn lengthen_lives(&self, owner: OwnerId) -> Result<(), StoreError> {
        let overview = self.overview(owner, &ALL_DAYS).await?;
        let keys = self.keys(owner);
        let mut by_day: BTreeMap<Day, Vec<String>> = BTreeMap::new();
        for (key, head) in &overview.heads {
            let names = by_day.entry(key.1).or_default();
            names.push(keys.deltas(&overview.space, *key));
            names.extend(piece_names(&keys, &overview.space, *key, &head.base, head.pieces));
        }
        for (day, mut names) in by_day {
            let (heads, life) = (keys.heads(&overview.space, day), self.life_of(owner, day));
            let mut ask = redis::cmd("PTTL");
            let left: i64 = reply::number(self.link.get(ask.arg(&heads).clone()).await?)?;
            if Clock::wall().now().0.saturating_add(left) >= life.saturating_sub(CLOSE) {
                continue;
            }
            // The one that is looked at comes last.
            names.push(heads);
            let mut commands = Vec::with_capacity(names.len());
            for name in &names {
                commands.push(lives_until(name, life));
            }
            let last = commands.split_off(commands.len() - 1);
            self.put_all(commands).await?;
            self.put_all(last).await?;
        }
        Ok(())
    }

    pub(in super::super) async fn erase(
        &self,
        owner: OwnerId,
        app: Option<AppId>,
        at: Millis,
    ) -> Result<(), StoreError> {
        self.enter(owner, true).await?;
        let keys = self.keys(owner);
        let space = self.find(owner).await?.space.clone();
        // First nothing more comes in, and then what there is goes out.
        let call = ERASE
            .call()
            .keys([keys.state(), keys.erased(), keys.expired(), keys.incomplete(), keys.damaged()])
            .keys([keys.receipts(), keys.tombstones(), keys.blocks(&space)])
            .arg(app.map_or_else(String::new, |app| app.to_string()))
            .arg(at.0)
            .arg(longest(self, (owner, at), std::iter::empty()))
            .arg(Tag::random().to_string());
        self.link.write(call).await?;
        self.remove(owner, Which::Of(app)).await
    }

    /// Removes segments, those of one day in one step.
    async fn remove(&self, owner: OwnerId, which: Which) -> Result<(), StoreError> {
        let days = match which {
            Which::Before(first, _) => Day(i32::MIN)..=first.plus(-1),
            Which::Of(_) => Day(i32::MIN)..=Day(i32::MAX),
        };
        for _ in 0..ATTEMPTS {
            self.forget_place(owner);
            let heads = self.overview(owner, &days).await?;
            let mut by_day: BTreeMap<Day, Vec<(AppId, &Head)>> = BTreeMap::new();
            for ((app, day), head) in &heads.heads {
                if !matches!(which, Which::Of(Some(of)) if of != *app) {
                    by_day.entry(*day).or_default().push((*app, head));
                }
            }
            let mut is_done = true;
            for (day, segments) in by_day {
                is_done &= self.remove_day(&heads, (day, segments), which).await?;
            }
            if is_done {
                self.forget_place(owner);
                return Ok(());
            }
        }
        Err(StoreError::Unavailable("the segments changed again and again".to_owned()))
    }

    async fn remove_day(
        &self,
        heads: &Overview,
        (day, segments): (Day, Vec<(AppId, &Head)>),
        which: Which,
    ) -> Result<bool, StoreError> {
        let keys = self.keys(heads.owner);
        let (expired_at, whole) = match which {
            Which::Before(_, at) => (at.0.to_string(), 1),
            Which::Of(_) => (String::new(), 0),
        };
        let mut call = REMOVE.call().keys([keys.state(), keys.days(), keys.expired(), keys.heads(&heads.space, day)]);
        for (app, head) in &segments {
            call = call.key(keys.deltas(&heads.space, (*app, day)));
            call = call.keys(piece_names(&keys, &heads.space, (*app, day), &head.base, head.pieces));
        }
        call = call.arg(&heads.space).arg(day.to_string()).arg(expired_at).arg(whole).arg(Tag::random().to_string());
        for (app, head) in &segments {
            call = call.arg(app.to_string()).arg(head.to_string());
        }
        reply::done(&self.link.write(call).await?)
    }
}
