//! The store in Redis: the protocol as scripts over the keys of one owner. `docs/redis.md` has every key.

mod check;
mod connect;
mod dictionary;
mod erase;
mod head;
mod kept;
mod keys;
mod link;
mod maintain;
mod read;
mod rebuild;
mod reply;
mod script;
mod step;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use headcount_engine::day::{Day, Millis};
use headcount_engine::id::OwnerId;
use headcount_engine::mark::{Mark, SpoolId};

use self::keys::Keys;
use self::link::Link;
use self::script::DAYS;
use self::step::read_mark;
use super::kept::Purpose;
use super::{CommandTimes, StoreError};
use crate::config::RedisSettings;
use crate::installation::Installation;

/// How often a step is tried again at once that met a change of the owner's keys.
const ATTEMPTS: usize = 8;
/// How often an owner is entered again into the list of owners: the list may lie on a server that has lost something.
const ENTER: Duration = Duration::from_mins(1);

/// The names of the scripts by the hash under which a server's slow log has them.
pub fn scripts() -> impl Iterator<Item = (&'static str, &'static str)> {
    script::ALL.iter().map(|script| (script.hash(), script.name))
}

/// The store in Redis.
#[derive(Debug)]
pub struct Redis {
    link: Link,
    places: Mutex<HashMap<OwnerId, Arc<Place>>>,
    entered: Mutex<HashMap<OwnerId, Instant>>,
    // The owners in whose dictionary a block is damaged.
    damaged: Mutex<BTreeSet<OwnerId>>,
}

/// Where an owner's segments lie, as it was seen last.
#[derive(Debug, Default)]
struct Place {
    // The part of their keys that changes when they are rebuilt; nothing for an owner of whom there is nothing yet.
    space: String,
    // Changes with the days.
    layout: String,
    days: Vec<Day>,
}

impl Redis {
    /// Connects if it can be done at once; if not, it is tried again whenever something is asked.
    pub(super) async fn open(
        settings: RedisSettings,
        own: &Installation,
        purpose: Purpose,
    ) -> Result<Self, StoreError> {
        let link = Link::new(settings, own.clone(), purpose)?;
        if let Err(error @ (StoreError::Foreign { .. } | StoreError::Newer { .. } | StoreError::Unfinished(_))) =
            link.look_over().await
        {
            return Err(error);
        }
        Ok(Self { link, places: Mutex::default(), entered: Mutex::default(), damaged: Mutex::default() })
    }

    pub(super) fn turn(&self) -> u64 {
        self.link.turn()
    }

    pub(super) fn times(&self) -> &CommandTimes {
        self.link.times()
    }

    pub(super) fn problem(&self) -> Option<String> {
        self.link.problem().or_else(|| {
            let owner = *self.damaged_dictionaries().first()?;
            Some(format!(
                "a block of the dictionary of owner {owner} is damaged; it is made anew, and if this stays, docs/operating.md \
                 has what to do"
            ))
        })
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        self.link.warnings()
    }

    pub(super) fn damaged_dictionaries(&self) -> Vec<OwnerId> {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    fn keys(&self, owner: OwnerId) -> Keys {
        self.link.shared.owner(owner)
    }

    /// When the keys of an owner's day go by themselves.
    fn life_of(&self, owner: OwnerId, day: Day) -> i64 {
        let settings = &self.link.settings;
        let days = settings.retention.days(owner).try_into().unwrap_or(i32::MAX);
        let window = i64::try_from(settings.replay_window.as_millis()).unwrap_or(i64::MAX);
        day.plus(days).plus(1).start().0.saturating_add(window)
    }

    /// Where an owner's segments lie: what is known, or else what the store says.
    async fn place(&self, owner: OwnerId) -> Result<Arc<Place>, StoreError> {
        let known = self.places.lock().unwrap_or_else(PoisonError::into_inner).get(&owner).cloned();
        match known {
            Some(place) => Ok(place),
            None => self.find(owner).await,
        }
    }

    /// The same, asking the store.
    async fn find(&self, owner: OwnerId) -> Result<Arc<Place>, StoreError> {
        let keys = self.keys(owner);
        let found = self.link.read(DAYS.call().key(keys.state()).key(keys.days())).await?;
        let [space, layout, dates] = reply::array(found)?.try_into().map_err(|_| reply::unexpected())?;
        let days = reply::texts(dates)?.iter().map(|date| date.parse()).collect::<Result<_, _>>();
        let days = days.map_err(|_| reply::unexpected())?;
        let place = Arc::new(Place { space: reply::text(space)?, layout: reply::text(layout)?, days });
        self.places.lock().unwrap_or_else(PoisonError::into_inner).insert(owner, place.clone());
        Ok(place)
    }

    fn forget_place(&self, owner: OwnerId) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).remove(&owner);
    }

    /// Enters the owner into the list of owners, now and then. It lies elsewhere in a cluster: no step can do it.
    async fn enter(&self, owner: OwnerId, at_once: bool) -> Result<(), StoreError> {
        let entered = self.entered.lock().unwrap_or_else(PoisonError::into_inner).get(&owner).copied();
        if !at_once && entered.is_some_and(|entered| entered.elapsed() < ENTER) {
            return Ok(());
        }
        let mut command = redis::cmd("SADD");
        self.link.put(command.arg(self.link.shared.owners()).arg(owner.to_string()).clone()).await?;
        self.entered.lock().unwrap_or_else(PoisonError::into_inner).insert(owner, Instant::now());
        Ok(())
    }

    pub(super) async fn owners(&self) -> Result<Vec<OwnerId>, StoreError> {
        let mut command = redis::cmd("SMEMBERS");
        let found = self.link.get(command.arg(self.link.shared.owners()).clone()).await?;
        let parsed = |text: &String| text.parse().map(OwnerId).map_err(|_| reply::unexpected());
        reply::texts(found)?.iter().map(parsed).collect()
    }

    pub(super) async fn marks(&self, spool: SpoolId) -> Result<HashMap<OwnerId, Mark>, StoreError> {
        let mut marks = HashMap::new();
        for owner in self.owners().await? {
            let mut command = redis::cmd("HGET");
            let found = self.link.get(command.arg(self.keys(owner).marks()).arg(spool.to_string()).clone()).await?;
            if let Some(bytes) = reply::optional_bytes(found)? {
                marks.insert(owner, bytes.first_chunk().map(read_mark).ok_or_else(reply::unexpected)?);
            }
        }
        Ok(marks)
    }

    pub(super) async fn receipt(
        &self,
        owner: OwnerId,
        spool: SpoolId,
        row: u64,
    ) -> Result<Option<(Mark, Vec<u8>)>, StoreError> {
        let mut command = redis::cmd("HGET");
        let command = command.arg(self.keys(owner).receipts()).arg(format!("{spool}:{row}")).clone();
        let Some(bytes) = reply::optional_bytes(self.link.get(command).await?)? else { return Ok(None) };
        let (tag, rest) = bytes.split_first_chunk().ok_or_else(reply::unexpected)?;
        let text = rest.splitn(2, |&byte| byte == b':').nth(1).ok_or_else(reply::unexpected)?;
        Ok(Some((Mark { row, tag: *tag }, text.to_vec())))
    }
}

/// The longest life of the keys of some days of an owner, and of a moment.
fn longest(redis: &Redis, (owner, at): (OwnerId, Millis), days: impl Iterator<Item = Day>) -> i64 {
    days.chain([at.day()]).map(|day| redis.life_of(owner, day)).fold(i64::MIN, i64::max)
}

/// The distinct days, in order.
fn distinct(days: impl Iterator<Item = Day>) -> Vec<Day> {
    let mut days: Vec<Day> = days.collect::<HashSet<_>>().into_iter().collect();
    days.sort_unstable();
    days
}
