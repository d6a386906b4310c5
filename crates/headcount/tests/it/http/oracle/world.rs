//! The world as the model has it: who there is, what belongs to whom, what was counted. No code of the server's.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::catalog::not_an_object;
use super::wire::{Answer, Asked};
use crate::http::policies::AGREED;

/// The name of something that the server made up.
pub(super) type Name = String;

/// What an answer is, or why there is none.
pub(super) type Told = Result<Answer, Answer>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    App,
    Channel,
    Platform,
    Arch,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::App, Self::Channel, Self::Platform, Self::Arch];

    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Channel => "channel",
            Self::Platform => "platform",
            Self::Arch => "arch",
        }
    }
}

#[derive(Debug)]
pub(super) struct Owner {
    pub(super) id: Name,
    pub(super) name: String,
}

#[derive(Debug)]
pub(super) struct Resource {
    pub(super) id: Name,
    pub(super) owner: usize,
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) former: Vec<String>,
    pub(super) is_deleted: bool,
    pub(super) updated_at: i64,
    /// Of platforms.
    pub(super) updaters: Value,
    /// Of apps.
    pub(super) description: String,
    /// `private`, `tuf`, `reports`, `cdn`: of apps.
    pub(super) flags: [bool; 4],
}

#[derive(Debug, Clone)]
pub(super) struct File {
    pub(super) platform: Option<Name>,
    pub(super) arch: Option<Name>,
    pub(super) package: String,
    pub(super) link: String,
}

#[derive(Debug)]
pub(super) struct Release {
    pub(super) id: Name,
    pub(super) owner: usize,
    pub(super) app: Name,
    pub(super) channel: Option<Name>,
    pub(super) version: String,
    pub(super) is_published: bool,
    pub(super) is_critical: bool,
    pub(super) is_intermediate: bool,
    pub(super) rollout: i64,
    pub(super) seed: Name,
    pub(super) changelog: String,
    pub(super) files: Vec<File>,
    pub(super) published_at: Option<i64>,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
}

#[derive(Debug)]
pub(super) struct User {
    pub(super) id: Name,
    pub(super) owner: usize,
    pub(super) name: String,
    pub(super) password: String,
    /// As `apps.create`.
    pub(super) rights: BTreeSet<String>,
    /// In the order in which they were granted.
    pub(super) granted: Vec<(Kind, Name)>,
    pub(super) updated_at: i64,
    pub(super) is_deleted: bool,
}

#[derive(Debug)]
pub(super) struct Token {
    pub(super) id: Name,
    pub(super) owner: usize,
    pub(super) name: String,
    pub(super) bearer: Name,
    pub(super) scopes: Vec<&'static str>,
    pub(super) apps: Option<Vec<Name>>,
    pub(super) created_at: i64,
    pub(super) expires_at: Option<i64>,
    pub(super) last_used_at: Option<i64>,
    pub(super) is_revoked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Status {
    Outdated,
    Held,
    Latest,
}

#[derive(Debug)]
pub(super) struct Event {
    pub(super) owner: usize,
    pub(super) app: Name,
    pub(super) at: i64,
    pub(super) device: String,
    pub(super) version: Option<String>,
    /// Channel, platform, architecture.
    pub(super) place: [Option<Name>; 3],
    pub(super) status: Option<Status>,
}

/// Somebody who was let in: the place in the list of their like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Administrator(usize),
    Team(usize),
    Token(usize),
}

#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) now: i64,
    made_up: u32,
    pub(super) owners: Vec<Owner>,
    pub(super) passwords: BTreeMap<usize, String>,
    pub(super) resources: Vec<Resource>,
    pub(super) releases: Vec<Release>,
    pub(super) users: Vec<User>,
    pub(super) tokens: Vec<Token>,
    /// By what is sent as Bearer.
    pub(super) sessions: BTreeMap<Name, Who>,
    pub(super) events: Vec<Event>,
}

/// For how long the use of a token is not noted anew.
const LAST_USE_GRAIN: i64 = 5 * 60_000;

impl World {
    /// A name for what the server makes up next.
    pub(super) fn made_up(&mut self, kind: &str) -> Name {
        self.made_up += 1;
        format!("<{kind}:{}>", self.made_up)
    }

    /// What the server has to answer; afterwards the world is as it has to be then.
    pub(super) fn answer(&mut self, bearer: Option<&str>, asked: &Asked) -> Answer {
        let callers = callers_of(&asked.route);
        let told = if callers == ["anybody", "without credentials"] {
            self.answer_anybody(asked)
        } else {
            self.let_in(bearer, &callers).and_then(|who| self.answer_known(who, asked))
        };
        told.unwrap_or_else(|refused| refused)
    }

    fn answer_anybody(&mut self, asked: &Asked) -> Told {
        match asked.route.as_str() {
            "GET /health" => Ok(Answer::ok(serde_json::json!({"status": "healthy"}))),
            "GET /checkVersion" => Ok(self.check(asked)),
            "GET /telemetry/beacon" => Ok(self.beacon(asked)),
            "GET /apps/latest" => self.newest(asked),
            "POST /login" => self.log_in(asked),
            "POST /signup" => self.sign_up(asked),
            "POST /setup" => Self::set_up(asked),
            route => panic!("the model does not know {route}"),
        }
    }

    fn answer_known(&mut self, who: Who, asked: &Asked) -> Told {
        match asked.route.as_str() {
            "GET /whoami" => Ok(self.whoami(who)),
            "GET /users/list" => Ok(self.list_users(who)),
            "POST /user/create" => self.create_user(who, asked),
            "POST /user/update" => self.update_user(who, asked),
            "DELETE /user/delete" => self.delete_user(who, asked),
            "POST /admin/update" => self.update_administrator(who, asked),
            "GET /token/list" => Ok(self.list_tokens(who)),
            "GET /session/list" | "GET /audit/list" => Ok(Answer::of_nobody_else()),
            "DELETE /session/delete-all" => self.end_all_sessions(who, asked),
            "POST /privacy/device/find" => {
                not_an_object(asked, "Invalid request body").map(|()| Answer::of_nobody_else())
            }
            "POST /privacy/device/erase" => {
                not_an_object(asked, "Invalid request body")?;
                Ok(Answer::ok(serde_json::json!({ "erased_at": moment(self.now) })))
            }
            "POST /token/create" => self.create_token(who, asked),
            "DELETE /token/delete" => self.delete_token(who, asked),
            "GET /release/list" => self.list_releases(who, asked),
            "GET /search" => self.search(who, asked),
            "POST /release/create" => self.create_release(who, asked),
            "POST /release/update" => self.update_release(who, asked),
            "DELETE /release/delete" => self.delete_release(who, asked),
            "GET /telemetry" => self.telemetry(who, asked),
            "GET /telemetry/breakdown" => self.breakdown(who, asked),
            "POST /telemetry/import" => Ok(self.import(who, asked)),
            // What is reported there is compared with what the administrator is told.
            route if route.starts_with("GET /telemetry/") => {
                self.understand(who, asked).map(|_| Answer::as_the_owner())
            }
            route => match route.split_once(" /").and_then(|(_, path)| path.split_once('/')) {
                Some((noun, verb)) if let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.noun() == noun) => {
                    self.answer_of_resources(who, (kind, verb), asked)
                }
                _ => panic!("the model does not know {route}"),
            },
        }
    }

    /// Who it is, if the route is for such people.
    fn let_in(&mut self, bearer: Option<&str>, callers: &[&str]) -> Result<Who, Answer> {
        let who = self.authenticate(bearer)?;
        self.admit(who, callers)
    }

    /// Whether that caller may call the route at all.
    pub(super) fn is_admitted(&self, who: Who, route: &str) -> bool {
        self.admit(who, &callers_of(route)).is_ok()
    }

    fn admit(&self, who: Who, callers: &[&str]) -> Result<Who, Answer> {
        let refused = |error: &str| Err(Answer::refused(403, error));
        let with = |what: &str| {
            let of = format!("{what} with `");
            callers.iter().find_map(|caller| caller.strip_prefix(&of)?.strip_suffix('`'))
        };
        match who {
            Who::Administrator(_) => Ok(who),
            Who::Team(_) if callers.contains(&"team users") => Ok(who),
            Who::Team(user) => match with("team users") {
                Some(right) if self.users[user].rights.contains(right) => Ok(who),
                Some(_) => refused("Permission denied"),
                None => refused("Admin access required"),
            },
            Who::Token(_) if callers.contains(&"API tokens") => Ok(who),
            Who::Token(token) => match (with("API tokens"), with("team users")) {
                (Some(scope), _) if self.tokens[token].scopes.contains(&scope) => Ok(who),
                (Some(_), _) => refused("API token scope is missing"),
                (None, Some(_)) => refused("API tokens are restricted to app upload"),
                (None, None) => refused("Admin JWT is required"),
            },
        }
    }

    fn authenticate(&mut self, bearer: Option<&str>) -> Result<Who, Answer> {
        let refused = |error: &str| Err(Answer::refused(401, error));
        let Some(bearer) = bearer else { return refused("missing authorization header") };
        if let Some(&who) = self.sessions.get(bearer) {
            return Ok(who);
        }
        let now = self.now;
        let Some(at) = self.tokens.iter().position(|token| token.bearer == bearer && !token.is_revoked) else {
            return refused("invalid or expired token");
        };
        let token = &mut self.tokens[at];
        if token.expires_at.is_some_and(|expiry| expiry <= now) {
            return refused("token expired");
        }
        if token.last_used_at.is_none_or(|noted| noted <= now - LAST_USE_GRAIN) {
            token.last_used_at = Some(now);
        }
        Ok(Who::Token(at))
    }

    /// Whose resources that caller works with.
    pub(super) fn owner_of(&self, who: Who) -> usize {
        match who {
            Who::Administrator(owner) => owner,
            Who::Team(user) => self.users[user].owner,
            Who::Token(token) => self.tokens[token].owner,
        }
    }

    /// The only resources of that kind that the caller may touch, if not all of the owner.
    pub(super) fn limit(&self, who: Who, kind: Kind) -> Option<Vec<Name>> {
        match who {
            Who::Team(user) => {
                let granted = self.users[user].granted.iter().filter(|(of, _)| *of == kind);
                Some(granted.map(|(_, id)| id.clone()).collect())
            }
            Who::Token(token) if kind == Kind::App => self.tokens[token].apps.clone(),
            Who::Administrator(_) | Who::Token(_) => None,
        }
    }

    pub(super) fn may_touch(&self, who: Who, kind: Kind, id: &str) -> bool {
        self.limit(who, kind).is_none_or(|granted| granted.iter().any(|one| one == id))
    }

    /// The owner's resources of that kind, the oldest first.
    pub(super) fn resources_of(&self, owner: usize, kind: Kind) -> impl Iterator<Item = &Resource> {
        self.resources.iter().filter(move |one| one.owner == owner && one.kind == kind)
    }

    /// The ids of what belongs to other administrators.
    pub(super) fn ids_of_others(&self, owner: usize) -> impl Iterator<Item = &Name> {
        let administrators = self.owners.iter().enumerate().filter(move |(at, _)| *at != owner);
        let resources = self.resources.iter().filter(move |one| one.owner != owner).map(|one| &one.id);
        let releases = self.releases.iter().filter(move |one| one.owner != owner).map(|one| &one.id);
        let users = self.users.iter().filter(move |one| one.owner != owner).map(|one| &one.id);
        let tokens = self.tokens.iter().filter(move |one| one.owner != owner).map(|one| &one.id);
        administrators.map(|(_, one)| &one.id).chain(resources).chain(releases).chain(users).chain(tokens)
    }

    pub(super) fn live(&self, owner: usize, kind: Kind) -> impl Iterator<Item = &Resource> {
        self.resources_of(owner, kind).filter(|one| !one.is_deleted)
    }

    /// What a check means by a name: who has it, else who had it last, else the oldest of its alias group.
    pub(super) fn resolve(&self, owner: usize, kind: Kind, name: &str) -> Option<Name> {
        let named = |one: &&Resource| one.name == name;
        let once_named = |one: &&Resource| one.former.iter().any(|former| former == name);
        let group = alias_group(name).filter(|_| matches!(kind, Kind::Platform | Kind::Arch));
        let in_group = |one: &&Resource| alias_group(&one.name) == group;
        let once_in_group = |one: &&Resource| one.former.iter().any(|former| alias_group(former) == group);
        let live = || self.live(owner, kind);
        let exact = live().find(named).or_else(|| live().find(once_named));
        let alias = || group.and_then(|_| live().find(in_group).or_else(|| live().find(once_in_group)));
        exact.or_else(alias).map(|one| one.id.clone())
    }

    /// What a filter means by a name: all that have it, deleted ones too, and what a check means.
    pub(super) fn matching(&self, owner: usize, kind: Kind, name: &str) -> BTreeSet<Name> {
        let bearers = self.resources_of(owner, kind).filter(|one| one.name == name).map(|one| one.id.clone());
        bearers.chain(self.resolve(owner, kind, name)).collect()
    }

    /// The name of a resource now; empty for none.
    pub(super) fn name_of(&self, id: Option<&Name>) -> String {
        let found = id.and_then(|id| self.resources.iter().find(|one| one.id == *id));
        found.map(|one| one.name.clone()).unwrap_or_default()
    }

    /// The administrator of that name; where none is given, the first one.
    pub(super) fn owner_named(&self, name: Option<&str>) -> Option<usize> {
        name.map_or(Some(0), |name| {
            self.owners.iter().position(|owner| owner.name == name || owner.name == name.to_ascii_lowercase())
        })
    }
}

/// Who may call that route, as it was agreed on.
fn callers_of(route: &str) -> Vec<&'static str> {
    let row = format!("| `{route}` | ");
    let found = AGREED.lines().find_map(|line| line.strip_prefix(&row)?.strip_suffix(" |"));
    found.unwrap_or_else(|| panic!("nothing was agreed on for {route}")).split(", ").collect()
}

fn alias_group(name: &str) -> Option<usize> {
    let groups: [&[&str]; 6] = [
        &["amd64", "x86_64", "x64"],
        &["arm64", "aarch64"],
        &["386", "i386", "i686", "x86", "ia32"],
        &["arm", "armv7", "armhf"],
        &["darwin", "macos", "mac", "osx"],
        &["windows", "win32", "win"],
    ];
    groups.iter().position(|group| group.contains(&name.to_ascii_lowercase().as_str()))
}

/// The numbers of a version such as `1.10`, missing ones as 0.
pub(super) fn order_of(version: &str) -> [u64; 4] {
    let mut parts = version.split('.').map(|part| part.parse().unwrap());
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

/// RFC 3339 with milliseconds.
pub(super) fn moment(at: i64) -> String {
    format!("{:.3}", jiff::Timestamp::from_millisecond(at).unwrap())
}

/// What an id has to look like: 24 lowercase hex characters, or a name for some.
pub(super) fn is_id(text: &str) -> bool {
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.starts_with("<id:") || text.len() == 24 && text.bytes().all(is_hex)
}

pub(super) const ACCEPTED_ID: &str = "24 lowercase hex characters";
