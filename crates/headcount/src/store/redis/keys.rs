//! The names of all keys. They are made of random ids and of days, never of names.

use headcount_engine::day::Day;
use headcount_engine::id::{AppId, OwnerId};

/// The keys that belong to no owner.
#[derive(Debug, Clone)]
pub(super) struct Shared(pub(super) String);

impl Shared {
    /// Hash: which installation the store belongs to, and the format of everything.
    pub(super) fn installation(&self) -> String {
        format!("{}:installation", self.0)
    }

    /// Set: the ids of the owners of whom there may be something.
    pub(super) fn owners(&self) -> String {
        format!("{}:owners", self.0)
    }

    /// Whatever is tried for the rights to it; there for a moment only.
    pub(super) fn probe(&self) -> String {
        format!("{}:probe", self.0)
    }

    /// The keys of one owner.
    pub(super) fn owner(&self, owner: OwnerId) -> Keys {
        Keys(format!("{}:{{{owner}}}", self.0))
    }
}

/// The keys of one owner: all of them have one hash tag, so that one script may use them in a cluster.
#[derive(Debug, Clone)]
pub(super) struct Keys(String);

impl Keys {
    fn of(&self, what: &str) -> String {
        format!("{}:{what}", self.0)
    }

    /// Hash: the state of the dictionary, and random tokens that tell what has changed.
    pub(super) fn state(&self) -> String {
        self.of("state")
    }

    /// Hash: by spool, up to which row it is in the segments.
    pub(super) fn marks(&self) -> String {
        self.of("marks")
    }

    /// Hash: by spool and row, what an import was answered.
    pub(super) fn receipts(&self) -> String {
        self.of("receipts")
    }

    /// Hash: by app, or by nothing for the owner, when it was erased.
    pub(super) fn erased(&self) -> String {
        self.of("erased")
    }

    /// Hash: by pseudonym in hex, when a device was erased, and the block of the dictionary that says so.
    pub(super) fn tombstones(&self) -> String {
        self.of("tombstones")
    }

    /// Hash: by day and app, when it expired.
    pub(super) fn expired(&self) -> String {
        self.of("expired")
    }

    /// Set: the days and apps that lack something.
    pub(super) fn incomplete(&self) -> String {
        self.of("incomplete")
    }

    /// Set: the blobs that were set aside.
    pub(super) fn damaged(&self) -> String {
        self.of("damaged")
    }

    /// Set: the days that have segments.
    pub(super) fn days(&self) -> String {
        self.of("days")
    }

    /// List: the blocks of the dictionary.
    pub(super) fn blocks(&self, space: &str) -> String {
        format!("{}:{space}:blocks", self.0)
    }

    /// Hash: by app, the state of its segment of that day.
    pub(super) fn heads(&self, space: &str, day: Day) -> String {
        format!("{}:{space}:{day}", self.0)
    }

    /// List: the deltas of a segment.
    pub(super) fn deltas(&self, space: &str, (app, day): (AppId, Day)) -> String {
        format!("{}:{space}:{day}:{app}", self.0)
    }

    /// String: a piece of the base of that name.
    pub(super) fn piece(&self, space: &str, (app, day): (AppId, Day), base: &str, place: u32) -> String {
        format!("{}:{space}:{day}:{app}:{base}:{place}", self.0)
    }

    /// String: a damaged blob.
    pub(super) fn aside(&self, (app, day): (AppId, Day), blob: &str) -> String {
        format!("{}:aside:{day}:{app}:{blob}", self.0)
    }
}

/// An app-day as a member of `incomplete` and a field of `expired`.
pub(super) fn member(app: AppId, day: Day) -> String {
    format!("{day}:{app}")
}

/// What [`member`] wrote.
pub(super) fn app_day(member: &str) -> Option<(AppId, Day)> {
    let (day, app) = member.split_once(':')?;
    Some((AppId(app.parse().ok()?), day.parse().ok()?))
}
