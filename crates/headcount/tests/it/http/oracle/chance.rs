//! What is asked next: by chance, but so that every part of an answer comes about.

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use super::counting::{DAY, date};
use super::people::{SIGNUP_KEY, verbs};
use super::wire::{Asked, Body};
use super::world::{Kind, Name, Who, World, moment};

/// The routes that the model leaves out, and why.
pub(super) const LEFT_OUT: &[(&str, &str)] = &[
    ("GET /openapi.json", "one text for everybody, which http::openapi compares"),
    ("GET /ready", "says nothing of anybody, and depends on the moment"),
    ("POST /logout", "ends the session that asks, as http::browser tests"),
    ("POST /session/create", "is for the cookies of browsers, which http::browser tests"),
    ("DELETE /session/delete", "takes ids that only a list of sessions tells; http::sessions ends them"),
    ("GET /telemetry/live", "never ends; http::live reads it"),
    ("GET /session/oidc", "says the same to everybody, which http::oidc tests"),
    ("GET /session/oidc/begin", "is for browsers, which http::oidc tests"),
    ("GET /session/oidc/callback", "is for browsers, which http::oidc tests"),
    ("GET /settings", "http::settings and http::policies ask it of every kind of caller"),
    ("POST /settings", "http::settings and http::policies ask it of every kind of caller"),
];

const VERSIONS: [&str; 8] = ["1.0", "1.0.0", "1.1.0", "1.2.0", "1.10.0", "2.0.0", "2.1.0", "3.0.0"];
/// How many team users and tokens an owner may have before no more are made.
const MOST: usize = 8;

/// Names that resources have; some mean each other.
pub(super) fn names(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::App => &["demo", "desk app", "tool"],
        Kind::Channel => &["stable", "beta", "nightly"],
        Kind::Platform => &["linux", "windows", "darwin", "macos"],
        Kind::Arch => &["amd64", "arm64", "x86_64"],
    }
}

/// Names that nobody gives to anything and that clients ask for.
fn strange_names(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::App => &["ghost", "Demo"],
        Kind::Channel => &["ghost", "Stable"],
        Kind::Platform => &["ghost", "OSX", "win32"],
        Kind::Arch => &["ghost", "X64", "aarch64"],
    }
}

pub(super) struct Dice(pub(super) StdRng);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// True in so many of a hundred times.
    pub(super) fn often(&mut self, percent: u32) -> bool {
        self.0.random_ratio(percent, 100)
    }

    pub(super) fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        of.choose(&mut self.0).unwrap()
    }

    pub(super) fn shuffle<T>(&mut self, list: &mut [T]) {
        list.shuffle(&mut self.0);
    }

    pub(super) fn number(&mut self, below: usize) -> usize {
        self.0.random_range(0..below)
    }

    fn name(&mut self, kind: Kind) -> String {
        let names = if self.often(85) { names(kind) } else { strange_names(kind) };
        (*self.one(names)).to_owned()
    }

    /// A name to create or to rename with.
    fn new_name(&mut self, kind: Kind) -> String {
        match self.number(20) {
            0 => "a/b".to_owned(),
            1 => "x".repeat(65),
            2 => String::new(),
            _ => (*self.one(names(kind))).to_owned(),
        }
    }

    fn device(&mut self) -> Option<String> {
        match self.number(20) {
            0 => None,
            1 => Some("short".to_owned()),
            _ => Some(device(self.number(23))),
        }
    }

    /// One of these ids, one of somebody else's, one of nobody, or none at all.
    fn id(&mut self, own: &[Name], others: &[Name]) -> String {
        match self.number(10) {
            0 => self.one(&["", "xyz", "0123456789ABCDEF01234567"]).to_string(),
            1 => hex::encode(self.0.random::<[u8; 12]>()),
            2 | 3 if !others.is_empty() => self.one(others).clone(),
            _ if own.is_empty() => hex::encode(self.0.random::<[u8; 12]>()),
            _ => self.one(own).clone(),
        }
    }

    fn resource(&mut self, world: &World, owner: usize, kind: Kind) -> String {
        let own: Vec<Name> = world.live(owner, kind).map(|one| one.id.clone()).collect();
        let is_other = |one: &&super::world::Resource| one.owner != owner || one.kind != kind || one.is_deleted;
        let others: Vec<Name> = world.resources.iter().filter(is_other).map(|one| one.id.clone()).collect();
        self.id(&own, &others)
    }

    /// Several live resources, now and then with one that is not the owner's.
    fn resources(&mut self, world: &World, owner: usize, kind: Kind) -> Vec<String> {
        let mut ids: Vec<Name> = world.live(owner, kind).map(|one| one.id.clone()).collect();
        ids.retain(|_| self.often(60));
        if self.often(8) {
            ids.push(self.resource(world, owner, kind));
        }
        ids
    }

    fn permissions(&mut self, world: &World, owner: usize) -> Value {
        let mut permissions = json!({});
        for kind in Kind::ALL {
            let part = &mut permissions[format!("{}s", kind.noun())];
            *part = json!({"allowed": self.resources(world, owner, kind)});
            for verb in verbs(kind) {
                part[*verb] = self.often(60).into();
            }
        }
        permissions
    }

    /// A request for that route by that caller; none for a route that nobody has told the oracle of.
    pub(super) fn ask(&mut self, world: &World, who: Option<Who>, route: &str) -> Option<Asked> {
        let owner = who.map_or_else(|| self.number(3), |who| world.owner_of(who));
        let asked = Asked::to(route);
        let takes_object = route.starts_with("POST") && route != "POST /telemetry/import";
        if takes_object && self.often(4) {
            return Some(Asked { body: Body::Wrong, ..asked });
        }
        Some(match route {
            "GET /health" | "GET /whoami" | "GET /users/list" | "GET /token/list" | "GET /session/list"
            | "GET /audit/list" => asked,
            "GET /checkVersion" | "GET /telemetry/beacon" => self.sighting(world, asked),
            "GET /apps/latest" => self.newest(world, asked),
            "POST /login" | "POST /signup" | "POST /setup" => self.entry(world, asked),
            "POST /user/create" => self.new_user(world, owner, asked),
            "POST /user/update" | "DELETE /user/delete" => self.user_change(world, owner, asked),
            "DELETE /session/delete-all" => {
                let id = self.user(world, owner);
                asked.json(json!({ "user": id }))
            }
            "POST /privacy/device/find" => asked.json(json!({"device": device(self.number(23))})),
            // Nobody's device: what becomes of those that were counted is told by http::privacy.
            "POST /privacy/device/erase" => asked.json(json!({"device": device(100 + self.number(900))})),
            "POST /admin/update" => {
                let ids: Vec<Name> = world.owners[..3].iter().map(|owner| owner.id.clone()).collect();
                let id = self.id(&ids[owner..=owner], &ids);
                let name = if self.often(90) { &world.owners[owner].name } else { &world.owners[0].name };
                asked.json(json!({"id": id, "username": name}))
            }
            "POST /token/create" => self.new_token(world, owner, asked),
            "DELETE /token/delete" => {
                let is_own = |token: &&super::world::Token| token.owner == owner && !token.name.starts_with("kept");
                let (own, others): (Vec<_>, Vec<_>) = world.tokens.iter().partition(is_own);
                let ids =
                    |tokens: Vec<&super::world::Token>| tokens.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
                let others = others.into_iter().filter(|token| token.owner != owner).collect();
                asked.json(json!({"id": self.id(&ids(own), &ids(others))}))
            }
            "POST /release/create" => self.new_release(world, owner, asked),
            "POST /release/update" | "DELETE /release/delete" => self.release_change(world, owner, asked),
            "GET /release/list" | "GET /search" => self.searched(asked),
            "GET /telemetry" => self.question(world, asked),
            "GET /telemetry/breakdown" => {
                let by = *self.one(&["", "version", "channel", "platform", "arch"]);
                self.question(world, asked).with("by", by)
            }
            "GET /telemetry/matrix" => {
                let [rows, columns] =
                    ["rows", "columns"].map(|_| *self.one(&["version", "channel", "platform", "arch"]));
                self.question(world, asked).with("rows", rows).with("columns", columns)
            }
            "GET /telemetry/retention" => {
                let by = *self.one(&["", "day", "week"]);
                self.question(world, asked).with("by", by)
            }
            "POST /telemetry/import" => self.lines(world, asked),
            _ if route.starts_with("GET /telemetry/") => self.question(world, asked),
            _ => return self.resource_change(world, owner, route),
        })
    }

    fn resource_change(&mut self, world: &World, owner: usize, route: &str) -> Option<Asked> {
        let (noun, verb) = route.split_once(" /")?.1.split_once('/')?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.noun() == noun)?;
        let asked = Asked::to(route);
        let id = self.resource(world, owner, kind);
        let mut fields = json!({ noun: self.new_name(kind) });
        match verb {
            "list" => return Some(asked),
            "delete" => {
                let free = world.live(owner, kind).find(|one| !world.is_referred_to(&one.id));
                let asked = asked.with("id", free.filter(|_| self.often(40)).map_or(id, |one| one.id.clone()));
                let erases = kind == Kind::App && self.often(30);
                return Some(if erases { asked.with("telemetry", *self.one(&["true", "false", "x"])) } else { asked });
            }
            "create" => {}
            "update" => {
                let own = world.live(owner, kind).find(|one| one.id == id);
                if let Some(one) = own.filter(|_| self.often(40)) {
                    fields[noun] = one.name.clone().into();
                }
                fields["id"] = id.into();
            }
            _ => return None,
        }
        if kind == Kind::Platform {
            let updaters = [
                json!([{"type": "manual", "default": true}]),
                json!([{"type": "velopack", "default": true}]),
                json!([{"type": "tauri", "default": false}, {"type": "sparkle", "default": true}]),
                json!([{"type": "manual", "default": true}, {"type": "velopack", "default": false}]),
                json!([{"type": "tauri", "default": false}]),
                json!([{"type": "pigeon", "default": true}]),
                json!([]),
            ];
            fields["updaters"] = self.one(&updaters).clone();
        }
        if kind != Kind::App {
            return Some(asked.json(fields));
        }
        if self.often(50) {
            fields["description"] = format!("number {}", self.number(9)).into();
        }
        for flag in ["private", "tuf", "reports", "cdn"] {
            if self.often(20) {
                fields[flag] = (*self.one(&["true", "false", "true", "perhaps"])).into();
            }
        }
        Some(asked.form(fields))
    }

    fn owner_name(&mut self, world: &World, asked: Asked) -> Asked {
        match self.number(12) {
            0 => asked,
            1 => asked.with("owner", "ghost"),
            2 => asked.with("owner", world.owners[self.number(3)].name.to_uppercase()),
            _ => asked.with("owner", world.owners[self.number(3)].name.clone()),
        }
    }

    fn sighting(&mut self, world: &World, asked: Asked) -> Asked {
        let is_beacon = asked.route.ends_with("beacon");
        let mut asked = self.owner_name(world, asked);
        asked.device = self.device();
        let app = if self.often(3) { "a/b".to_owned() } else { self.name(Kind::App) };
        asked = asked.with("app_name", app);
        let version = *self.one(&VERSIONS);
        match (is_beacon, self.number(20)) {
            (true, 0) => {}
            (false, 0) => asked = asked.with("version", "x1"),
            _ => asked = asked.with("version", version),
        }
        for kind in [Kind::Channel, Kind::Platform, Kind::Arch] {
            if self.often(95) {
                asked = asked.with(kind.noun(), self.name(kind));
            }
        }
        if is_beacon && self.often(80) {
            asked = asked.with("is_latest", *self.one(&["true", "false", "perhaps"]));
        }
        asked
    }

    fn newest(&mut self, world: &World, asked: Asked) -> Asked {
        let mut asked = self.owner_name(world, asked);
        for (kind, percent) in [(Kind::App, 97), (Kind::Channel, 97), (Kind::Platform, 40), (Kind::Arch, 40)] {
            let parameter = if kind == Kind::App { "app_name" } else { kind.noun() };
            if self.often(percent) {
                asked = asked.with(parameter, self.name(kind));
            }
        }
        if self.often(30) { asked.with("package", *self.one(&["dmg", "zip", "no-extension"])) } else { asked }
    }

    /// Passwords are hashed for those who may come in only, and seldom.
    fn entry(&mut self, world: &World, asked: Asked) -> Asked {
        let is_rare = self.often(10);
        if asked.route.ends_with("login") && is_rare {
            let living = world.users.iter().filter(|user| !user.is_deleted);
            let known: Vec<_> = living.map(|user| (&user.name, &user.password)).collect();
            if let Some((name, password)) = known.choose(&mut self.0) {
                return asked.json(json!({"username": name, "password": password}));
            }
        }
        let name = format!("guest{}", self.number(1000));
        let key = if is_rare && asked.route.ends_with("signup") { SIGNUP_KEY } else { "a guess" };
        let password = if asked.route.ends_with("login") { "short" } else { "a password of somebody" };
        asked.json(json!({"username": name, "password": password, "api_key": key, "token": "hcx_0"}))
    }

    fn new_user(&mut self, world: &World, owner: usize, asked: Asked) -> Asked {
        let own = world.users.iter().filter(|user| user.owner == owner && !user.is_deleted).count();
        let taken: Vec<&String> = world.owners.iter().map(|owner| &owner.name).collect();
        let fresh = format!("user{}.{}", owner, self.number(100_000));
        let (name, password) = match self.number(20) {
            0 => ("Not A Name".to_owned(), "a password of somebody"),
            1 => ((*self.one(&taken)).clone(), "a password of somebody"),
            2 => (String::new(), "a password of somebody"),
            _ if own >= MOST || self.often(60) => (fresh, "short"),
            _ => (fresh, "a password of somebody"),
        };
        asked.json(json!({"username": name, "password": password, "permissions": self.permissions(world, owner)}))
    }

    /// A team user, but none of those who are there for the whole run.
    fn user(&mut self, world: &World, owner: usize) -> String {
        let is_kept = |user: &&super::world::User| user.name.starts_with("kept");
        let living = || world.users.iter().filter(|user| !user.is_deleted);
        let own: Vec<Name> =
            living().filter(|user| user.owner == owner && !is_kept(user)).map(|user| user.id.clone()).collect();
        let mut others: Vec<Name> = living().filter(|user| user.owner != owner).map(|user| user.id.clone()).collect();
        let administrators = world.owners[..3].iter().enumerate().filter(|(at, _)| *at != owner);
        others.extend(administrators.map(|(_, owner)| owner.id.clone()));
        self.id(&own, &others)
    }

    fn user_change(&mut self, world: &World, owner: usize, asked: Asked) -> Asked {
        let id = self.user(world, owner);
        let mut fields = json!({"id": id});
        if asked.route.starts_with("POST") {
            let old = world.users.iter().find(|user| user.id == id).map(|user| user.name.clone());
            let name =
                old.filter(|_| self.often(80)).unwrap_or_else(|| format!("user{}.{}", owner, self.number(100_000)));
            fields["username"] = name.into();
            if self.often(70) {
                fields["permissions"] = self.permissions(world, owner);
            }
            if self.often(3) {
                fields["password"] = "another password of somebody".into();
            }
        }
        asked.json(fields)
    }

    fn new_token(&mut self, world: &World, owner: usize, asked: Asked) -> Asked {
        let own = world.tokens.iter().filter(|token| token.owner == owner && !token.is_revoked).count();
        let full = own >= MOST + 6;
        let name = if full || self.often(5) { String::new() } else { format!("token {}", self.number(1000)) };
        let mut fields = json!({"name": name});
        if self.often(85) {
            let mut scopes = ["release:write", "telemetry:read", "telemetry:import"].to_vec();
            scopes.retain(|_| self.often(45));
            self.shuffle(&mut scopes);
            if self.often(5) {
                scopes.push("everything");
            }
            fields["scopes"] = scopes.into();
        }
        if self.often(70) {
            fields["allowed_apps"] = self.resources(world, owner, Kind::App).into();
        }
        if self.often(30) {
            let seconds = self.0.random_range(-5..60);
            fields["expires_at"] = moment(world.now + seconds * 1000).into();
        }
        asked.json(fields)
    }

    fn artifacts(&mut self) -> Value {
        let count = self.number(4);
        let one = |dice: &mut Self| {
            let (platform, arch) = (dice.name(Kind::Platform), dice.name(Kind::Arch));
            let package = *dice.one(&[".dmg", ".zip", ""]);
            let link = format!("https://dl.example.org/{}{package}", dice.number(1000));
            json!({"platform": platform, "arch": arch, "package": package, "link": link})
        };
        (0..count).map(|_| one(self)).collect()
    }

    fn content(&mut self, world: &World, fields: &mut Value) {
        for flag in ["publish", "critical", "intermediate"] {
            if self.often(70) {
                fields[flag] = self.often(if flag == "publish" { 80 } else { 20 }).into();
            }
        }
        if self.often(30) {
            fields["rollout"] = (*self.one(&[0, 0, 100, 101])).into();
        }
        if self.often(50) {
            fields["changelog"] = format!("change {}", self.number(100)).into();
        }
        if self.often(10) {
            fields["published_at"] = moment(world.now - 1000 * self.0.random_range(-3600..9000)).into();
        }
    }

    fn new_release(&mut self, world: &World, _owner: usize, asked: Asked) -> Asked {
        let version = if self.often(3) { "x1" } else { *self.one(&VERSIONS) };
        let mut fields = json!({"app_name": self.name(Kind::App), "version": version, "artifacts": self.artifacts()});
        if self.often(95) {
            fields["channel"] = self.name(Kind::Channel).into();
        }
        self.content(world, &mut fields);
        asked.json(fields)
    }

    fn release_change(&mut self, world: &World, owner: usize, asked: Asked) -> Asked {
        let (own, others): (Vec<_>, Vec<_>) = world.releases.iter().partition(|one| one.owner == owner);
        let ids = |releases: Vec<&super::world::Release>| releases.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
        let id = self.id(&ids(own), &ids(others));
        if asked.route.starts_with("DELETE") {
            return asked.with("id", id);
        }
        let mut fields = json!({"id": id});
        self.content(world, &mut fields);
        if self.often(40) {
            fields["artifacts"] = self.artifacts();
        }
        asked.json(fields)
    }

    fn searched(&mut self, asked: Asked) -> Asked {
        let is_search = asked.route.ends_with("search");
        let mut asked = asked;
        if self.often(if is_search { 95 } else { 60 }) {
            asked = asked.with("app_name", self.name(Kind::App));
        }
        for kind in [Kind::Channel, Kind::Platform, Kind::Arch] {
            if (is_search || kind == Kind::Channel) && self.often(25) {
                asked = asked.with(kind.noun(), self.name(kind));
            }
        }
        for name in ["published", "critical"] {
            if is_search && self.often(25) {
                asked = asked.with(name, *self.one(&["true", "false", "perhaps"]));
            }
        }
        for (name, values) in [("page", ["1", "2", "0"]), ("limit", ["3", "1", "x"])] {
            if self.often(25) {
                asked = asked.with(name, *self.one(&values));
            }
        }
        asked
    }

    fn question(&mut self, world: &World, asked: Asked) -> Asked {
        let today = world.now / DAY;
        let mut asked = match self.number(8) {
            0 => asked,
            1 => asked.with("range", "week"),
            2 => asked.with("range", "month"),
            3 => asked.with("range", "year"),
            4 => asked.with("from", date(today - 2)),
            5 => asked.with("from", date(today - 1)).with("to", date(today)),
            6 => asked.with("from", date(today)).with("to", date(today - 1)),
            _ => asked.with("date", date(today - self.number(3) as i64)),
        };
        let parameters = [
            (Kind::App, "apps"),
            (Kind::Channel, "channels"),
            (Kind::Platform, "platforms"),
            (Kind::Arch, "architectures"),
        ];
        for (kind, parameter) in parameters {
            if self.often(25) {
                let count = 1 + self.number(2);
                let wanted: Vec<String> = (0..count).map(|_| self.name(kind)).collect();
                asked = asked.with(parameter, wanted.join(","));
            }
        }
        asked
    }

    fn lines(&mut self, world: &World, asked: Asked) -> Asked {
        let count = self.number(4);
        let lines = (0..count).map(|at| {
            // No two moments of one world are the same.
            let past = self.0.random_range(0..2) * DAY;
            let mut line = json!({
                "at": moment(world.now - past - at as i64), "app_name": self.name(Kind::App),
                "device_id": device(self.number(23)),
            });
            for (field, value) in [
                ("version", (*self.one(&VERSIONS)).to_owned()),
                ("channel", self.name(Kind::Channel)),
                ("platform", self.name(Kind::Platform)),
                ("arch", self.name(Kind::Arch)),
            ] {
                if self.often(80) {
                    line[field] = value.into();
                }
            }
            if self.often(60) {
                line["is_latest"] = self.often(50).into();
            }
            if self.often(3) {
                line["device_id"] = "".into();
            }
            line
        });
        Asked { body: Body::Lines(lines.collect()), ..asked }
    }
}

/// A device; every owner's apps have the same ones.
pub(super) fn device(number: usize) -> String {
    format!("device-{number:04}")
}
