//! Random worlds in which everybody asks for everything, and every answer is compared with a plain model: administrators
//! with apps, channels and devices of the same names, team users, tokens, and those who were known once.

mod catalog;
mod chance;
mod counting;
mod people;
mod releases;
mod wire;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use headcount::clock::Clock;
#[cfg(feature = "failpoints")]
use headcount::failpoint::Defect;
use headcount::http::policies;
use headcount_engine::day::Millis;
use serde_json::{Value, json};
#[cfg(feature = "failpoints")]
use strum::VariantArray as _;

use self::chance::{Dice, LEFT_OUT, device, names};
use self::people::{SIGNUP_KEY, verbs};
use self::wire::{Answer, Asked, Known};
use self::world::{Kind, Name, Owner, Who, World, moment};
use crate::app::TestApp;
use crate::effort;

/// 2026-02-01, 00:10.
const BEGIN: i64 = 20_485 * counting::DAY + 600_000;
/// The administrators; names that break other tools.
const OWNERS: [&str; 3] = ["alice", "my-admin", "a+b"];
/// How many devices each owner's app has, and how many requests: whatever leaks or is summed shows.
const DEVICES: [usize; 3] = [7, 11, 13];
const REQUESTS: [usize; 3] = [17, 19, 23];

/// How often everybody calls every route at least.
const PASSES: (usize, usize) = (4, 200);

/// Those whose every call of every route is tried.
const CALLERS: [&str; 15] = [
    "nobody",
    "an unknown token",
    "administrator 0",
    "administrator 1",
    "administrator 2",
    "a team user without grants",
    "a team user with grants",
    "a token of release:write",
    "a token of telemetry:read",
    "a token of telemetry:import",
    "a token of several scopes",
    "an expired token",
    "a revoked token",
    "a deleted user",
    "an ended session",
];

struct Caller {
    bearer: Option<Name>,
    /// Who it was when the bearer was given.
    who: Option<Who>,
}

struct Run<'a> {
    app: &'a TestApp,
    world: World,
    known: Known,
    dice: Dice,
    callers: Vec<Caller>,
    /// How often each route was called by each kind of caller, and how often it was served.
    asked: BTreeMap<(String, &'static str), (u64, u64)>,
}

impl<'a> Run<'a> {
    /// Sends a request and compares the answer with the model's.
    async fn ask(&mut self, caller: usize, asked: Asked) -> Answer {
        let answer = self.ask_once(caller, &asked).await;
        if answer.status == 200 && asked.route == "POST /user/create" {
            // Only the list says which id a new user has.
            self.ask_once(caller, &Asked::to("GET /users/list")).await;
        }
        answer
    }

    async fn ask_once(&mut self, caller: usize, asked: &Asked) -> Answer {
        self.app.clock.advance(Duration::from_millis(10 + self.dice.number(20) as u64));
        self.world.now = self.app.clock.now().0;
        let (bearer, kind) = (self.callers[caller].bearer.clone(), self.kind_of(&self.callers[caller]));
        let expected = self.world.answer(bearer.as_deref(), asked);
        let send = async || Answer::from(&asked.send(self.app, bearer.as_deref(), &self.known).await);
        let mut said = send().await;
        let expected = if expected.is_as_the_owner() {
            let mut of_the_owner = self.of_the_owner(caller, asked, &said).await;
            // Tallies come once a second, maybe between the two; they do so again only a second later.
            if said != of_the_owner {
                said = send().await;
                of_the_owner = self.of_the_owner(caller, asked, &said).await;
            }
            of_the_owner
        } else if expected.is_of_nobody_else() {
            self.assert_of_nobody_else(caller, asked, &said);
            said.clone()
        } else {
            expected
        };
        self.known.learn_from(&expected.body, &said.body);
        let filled = expected.filled(&self.known);
        assert!(said == filled, "{} by {kind}: {asked:?}\nanswered {said:#?}\nexpected {filled:#?}", asked.route);
        let count = self.asked.entry((asked.route.clone(), kind)).or_default();
        count.0 += 1;
        count.1 += u64::from(said.status < 400);
        if said.status < 300 && ["POST /login", "POST /token/create"].contains(&asked.route.as_str()) {
            let bearer = expected.body["token"].as_str().map(str::to_owned);
            let who = self.who_is(bearer.as_deref());
            self.callers.push(Caller { bearer, who });
        }
        expected
    }

    /// What the administrator of the caller is answered to the same; a token of some apps is told of less.
    async fn of_the_owner(&self, caller: usize, asked: &Asked, said: &Answer) -> Answer {
        let who = self.callers[caller].who.unwrap();
        if matches!(who, Who::Token(token) if self.world.tokens[token].apps.is_some()) {
            assert!(said.status < 500, "{asked:?}: {said:?}");
            return said.clone();
        }
        let owner = self.callers[2 + self.world.owner_of(who)].bearer.as_deref();
        Answer::from(&asked.send(self.app, owner, &self.known).await)
    }

    /// The answer is there, and names nothing that belongs to another administrator.
    fn assert_of_nobody_else(&self, caller: usize, asked: &Asked, said: &Answer) {
        let (owner, told) = (self.world.owner_of(self.callers[caller].who.unwrap()), said.body.to_string());
        let strange = self.world.ids_of_others(owner).find(|id| told.contains(&self.known.fill(id)));
        assert!(said.status == 200 && strange.is_none(), "{}: {asked:?}\nanswered {said:#?}: {strange:?}", asked.route);
    }

    fn who_is(&self, bearer: Option<&str>) -> Option<Who> {
        let bearer = bearer?;
        let token = || self.world.tokens.iter().position(|token| token.bearer == bearer).map(Who::Token);
        self.world.sessions.get(bearer).copied().or_else(token)
    }

    fn kind_of(&self, caller: &Caller) -> &'static str {
        let world = &self.world;
        let (bearer, who) = match (&caller.bearer, caller.who) {
            (None, _) => return CALLERS[0],
            (Some(_), None) => return CALLERS[1],
            (Some(bearer), Some(who)) => (bearer, who),
        };
        match who {
            Who::Team(user) if world.users[user].is_deleted => CALLERS[13],
            Who::Administrator(_) | Who::Team(_) if !world.sessions.contains_key(bearer) => CALLERS[14],
            Who::Administrator(owner) => CALLERS[2 + owner.min(2)],
            Who::Team(user) if world.users[user].rights.is_empty() && world.users[user].granted.is_empty() => {
                CALLERS[5]
            }
            Who::Team(_) => CALLERS[6],
            Who::Token(token) => match &world.tokens[token] {
                token if token.is_revoked => CALLERS[12],
                token if token.expires_at.is_some_and(|expiry| expiry <= world.now) => CALLERS[11],
                token => match token.scopes.as_slice() {
                    ["release:write"] => CALLERS[7],
                    ["telemetry:read"] => CALLERS[8],
                    ["telemetry:import"] => CALLERS[9],
                    _ => CALLERS[10],
                },
            },
        }
    }

    /// A request of `caller` that is granted: the answer.
    async fn done(&mut self, caller: usize, asked: Asked) -> Value {
        let answer = self.ask(caller, asked).await;
        assert!(answer.status < 300, "{answer:?}");
        answer.body
    }

    async fn begin(app: &'a TestApp, dice: Dice) -> Self {
        let callers = vec![
            Caller { bearer: None, who: None },
            Caller { bearer: Some(format!("hcs_{}", "0".repeat(64))), who: None },
        ];
        let (world, known) = (World::default(), Known::default());
        let mut run = Self { app, world, known, dice, callers, asked: BTreeMap::new() };
        for (owner, name) in OWNERS.into_iter().enumerate() {
            let token = app.administrator(name).await;
            let (id, session) = (run.world.made_up("id"), run.world.made_up("session"));
            run.known.learn(&session, &token);
            run.world.owners.push(Owner { id, name: name.to_owned() });
            run.world.sessions.insert(session.clone(), Who::Administrator(owner));
            run.callers.push(Caller { bearer: Some(session), who: Some(Who::Administrator(owner)) });
            run.done(2 + owner, Asked::to("GET /whoami")).await;
            run.stock(owner).await;
        }
        for day in 0..3 {
            app.clock.set(Millis(BEGIN + day * counting::DAY));
            for owner in 0..3 {
                run.count(owner, day as usize).await;
            }
        }
        for owner in 0..3 {
            run.staff(owner).await;
        }
        run
    }

    /// Gives an owner apps with releases.
    async fn stock(&mut self, owner: usize) {
        for kind in Kind::ALL {
            for name in &names(kind)[..2] {
                let asked = Asked::to(&format!("POST /{}/create", kind.noun()));
                let fields = json!({ kind.noun(): name });
                let asked = if kind == Kind::App { asked.form(fields) } else { asked.json(fields) };
                self.done(2 + owner, asked).await;
            }
        }
        for app in &names(Kind::App)[..2] {
            for version in ["1.0.0", "1.1.0"] {
                let files = ["linux", "windows"].map(|platform| {
                    json!({
                        "platform": platform, "arch": "amd64", "package": ".zip",
                        "link": format!("https://dl.example.org/{owner}/{version}/{platform}.zip"),
                    })
                });
                let fields = json!({
                    "app_name": app, "version": version, "channel": "stable", "publish": true, "artifacts": files,
                });
                self.done(2 + owner, Asked::to("POST /release/create").json(fields)).await;
            }
        }
        let newest =
            [("app_name", names(Kind::App)[0]), ("channel", "stable"), ("platform", "linux"), ("arch", "amd64")];
        let newest =
            newest.into_iter().fold(Asked::to("GET /apps/latest"), |asked, (name, value)| asked.with(name, value));
        assert!(self.ask(0, newest.with("owner", OWNERS[owner])).await.status < 400);
    }

    /// Lets an owner's devices ask.
    async fn count(&mut self, owner: usize, day: usize) {
        for number in 0..REQUESTS[owner] {
            for app in &names(Kind::App)[..2] {
                let version = if (number + day).is_multiple_of(3) { "1.0.0" } else { "1.1.0" };
                let mut asked = Asked::to("GET /checkVersion")
                    .with("owner", OWNERS[owner])
                    .with("app_name", *app)
                    .with("version", version)
                    .with("channel", "stable")
                    .with("platform", if number.is_multiple_of(2) { "linux" } else { "win" })
                    .with("arch", "x64");
                asked.device = Some(device(number % DEVICES[owner]));
                assert_eq!(self.ask(0, asked).await.outcome.as_deref(), Some("recorded"));
            }
        }
        let report = self.done(2 + owner, Asked::to("GET /telemetry").with("apps", "demo")).await;
        let summary = &report["summary"];
        assert_eq!(
            (&summary["total_requests"], &summary["unique_clients"]),
            (&json!(REQUESTS[owner]), &json!(DEVICES[owner]))
        );
    }

    /// Gives an owner team users and tokens, and those who are not known any more.
    async fn staff(&mut self, owner: usize) {
        let admin = 2 + owner;
        let mut everything = json!({});
        for kind in Kind::ALL {
            let ids: Vec<&Name> = self.world.live(owner, kind).map(|one| &one.id).collect();
            let part = &mut everything[format!("{}s", kind.noun())];
            *part = json!({ "allowed": ids });
            for verb in verbs(kind) {
                part[*verb] = true.into();
            }
        }
        for (name, permissions) in [("kept.bare", json!({})), ("kept.full", everything.clone()), ("gone", everything)] {
            let name = format!("{name}{owner}");
            let fields = json!({"username": name, "password": "a password of somebody", "permissions": permissions});
            self.done(admin, Asked::to("POST /user/create").json(fields)).await;
            for _ in 0..2 {
                let fields = json!({"username": name, "password": "a password of somebody"});
                self.done(0, Asked::to("POST /login").json(fields)).await;
            }
        }
        let gone = self.world.users.last().unwrap().id.clone();
        self.done(admin, Asked::to("DELETE /user/delete").json(json!({ "id": gone }))).await;
        let apps: Vec<Name> = self.world.live(owner, Kind::App).map(|one| one.id.clone()).take(1).collect();
        let every: [&[&str]; 5] = [
            &["release:write"],
            &["telemetry:read"],
            &["telemetry:import"],
            &["telemetry:read", "telemetry:import"],
            &["release:write", "telemetry:read"],
        ];
        for scopes in every {
            let fields = json!({"name": "kept", "scopes": scopes, "allowed_apps": apps});
            self.done(admin, Asked::to("POST /token/create").json(fields)).await;
        }
        for scopes in &every[1..4] {
            let fields = json!({"name": "kept for every app", "scopes": scopes});
            self.done(admin, Asked::to("POST /token/create").json(fields)).await;
        }
        let soon = moment(self.world.now + 100);
        let fields = json!({"name": "kept too long", "allowed_apps": apps, "expires_at": soon});
        self.done(admin, Asked::to("POST /token/create").json(fields)).await;
        let fields = json!({"name": "lost", "allowed_apps": apps});
        let lost = self.done(admin, Asked::to("POST /token/create").json(fields)).await["id"].clone();
        self.done(admin, Asked::to("DELETE /token/delete").json(json!({ "id": lost }))).await;
        let session = format!("kept.bare{owner}");
        let id = self.world.users.iter().find(|user| user.name == session).unwrap().id.clone();
        let fields = json!({"id": id, "username": session, "password": "a password of somebody"});
        self.done(admin, Asked::to("POST /user/update").json(fields)).await;
        let fields = json!({"username": session, "password": "a password of somebody"});
        self.done(0, Asked::to("POST /login").json(fields)).await;
        self.app.clock.advance(Duration::from_millis(200));
    }

    /// Lets every kind of caller call every route, in an order by chance; those whom a route admits, three times.
    async fn pass(&mut self, routes: &[String]) {
        let of_route = |route| (0..3).flat_map(move |time| CALLERS.map(|kind| (route, kind, time)));
        let mut calls: Vec<(&String, &str, usize)> = routes.iter().flat_map(of_route).collect();
        self.dice.shuffle(&mut calls);
        for (route, kind, time) in calls {
            let of_kind = |caller: &usize| self.kind_of(&self.callers[*caller]) == kind;
            let callers: Vec<usize> = (0..self.callers.len()).filter(of_kind).collect();
            assert!(!callers.is_empty(), "there is no {kind}");
            let caller = *self.dice.one(&callers);
            let who = self.callers[caller].who;
            let is_living = CALLERS[2..11].contains(&kind);
            if time == 0 || is_living && who.is_some_and(|who| self.world.is_admitted(who, route)) {
                let asked = self.dice.ask(&self.world, who, route).unwrap();
                self.ask(caller, asked).await;
            }
        }
    }

    /// How much was asked, by whom.
    #[expect(clippy::print_stdout, reason = "it is what the run tells")]
    fn tell(&self, routes: &[String]) {
        let total: u64 = self.asked.values().map(|(asked, _)| asked).sum();
        let fewest =
            self.asked.iter().filter(|((_, kind), _)| CALLERS.contains(kind)).map(|(_, (asked, _))| asked).min();
        let fewest = *fewest.unwrap();
        println!("{total} requests, every route by every kind of caller at least {fewest} times");
        assert!(fewest >= effort::rounds(PASSES.0, PASSES.1) as u64);
        for route in routes {
            let of_route = || self.asked.iter().filter(|((of, _), _)| of == route).map(|(_, counts)| counts);
            let sum = |count: fn(&(u64, u64)) -> u64| of_route().map(count).sum::<u64>();
            println!("{route}: {} asked, {} served", sum(|count| count.0), sum(|count| count.1));
            // The first administrator is there: the token of the start is used up.
            let is_served = sum(|count| count.1) > 0 || route == "POST /setup";
            assert!(is_served, "{route} was never served");
        }
    }
}

/// The routes of the server, but for those that are left out with a reason.
fn routes() -> Vec<String> {
    let left_out: BTreeSet<&str> = LEFT_OUT.iter().map(|(route, _)| *route).collect();
    let routes = policies().into_iter().map(|declared| format!("{} {}", declared.method, declared.path));
    routes.filter(|route| !left_out.contains(route.as_str())).collect()
}

/// What each defect makes somebody answered, by the route and the caller of the first answer that is wrong.
#[cfg(feature = "failpoints")]
fn seen_by(defect: Defect) -> (&'static [&'static str], &'static [&'static str]) {
    match defect {
        Defect::FilterNotChecked => (&["GET /telemetry"], &["a team user", "a token"]),
        Defect::OwnerMissingInKey => (&["/update", "/delete"], &["administrator"]),
        Defect::ListNotFiltered => (&["/list"], &["a team user", "a token"]),
        Defect::TokenScopeIgnored => (&["/release/", "/search", "/telemetry"], &["a token"]),
        Defect::DeletedUserStillValid => (&[" /"], &["a deleted user"]),
    }
}

/// Runs the first world again in a process with a defect: an answer is not as the model says.
#[cfg(feature = "failpoints")]
#[test]
fn every_planted_defect_is_found() {
    for &defect in Defect::VARIANTS {
        let name: &str = defect.into();
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "http::oracle::everything_in_the_first_world_is_as_the_model_says", "--nocapture"]);
        let done = command.env("DEFECT", name).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr) + String::from_utf8_lossy(&done.stdout);
        let first = said.lines().find(|line| line.contains(": Asked {")).unwrap_or_else(|| panic!("{name}: {said}"));
        let (routes, callers) = seen_by(defect);
        let is_seen = |words: &[&str]| words.iter().any(|word| first.contains(word));
        assert!(!done.status.success() && is_seen(routes) && is_seen(callers), "{name}: {said}");
        println!("{name}: {first}");
    }
}

async fn a_world(number: u64) {
    let dice = Dice::new(effort::seed().wrapping_add(number));
    let settings =
        [("API_KEY", SIGNUP_KEY), ("HEADCOUNT_SESSION_HOURS", "8760"), ("HEADCOUNT_COMMIT_WAIT_MS", "10000")];
    let app = TestApp::at(Clock::stopped_at(Millis(BEGIN)), &settings).await;
    let (mut run, routes) = (Run::begin(&app, dice).await, routes());
    let (passes, requests) = (effort::rounds(PASSES.0, PASSES.1), effort::rounds(5_000, 300_000) as u64);
    let mut passed = 0;
    while passed < passes || run.asked.values().map(|(asked, _)| asked).sum::<u64>() < requests {
        run.pass(&routes).await;
        passed += 1;
    }
    run.tell(&routes);
}

#[tokio::test]
async fn everything_in_the_first_world_is_as_the_model_says() {
    a_world(0).await;
}

#[tokio::test]
async fn everything_in_the_second_world_is_as_the_model_says() {
    a_world(1).await;
}

#[tokio::test]
async fn everything_in_the_third_world_is_as_the_model_says() {
    a_world(2).await;
}

#[tokio::test]
async fn everything_in_the_fourth_world_is_as_the_model_says() {
    a_world(3).await;
}

/// Fails for a route that is new: teach it to the oracle (`chance`, `world`), or leave it out with a reason.
#[test]
fn every_route_is_known_to_the_oracle() {
    let (mut dice, mut world) = (Dice::new(1), World::default());
    world.owners = OWNERS.map(|name| Owner { id: "<id:0>".to_owned(), name: name.to_owned() }).into();
    let unknown: Vec<String> = routes().into_iter().filter(|route| dice.ask(&world, None, route).is_none()).collect();
    assert_eq!(unknown, Vec::<String>::new());
    let every: Vec<String> =
        policies().into_iter().map(|declared| format!("{} {}", declared.method, declared.path)).collect();
    for (route, _) in LEFT_OUT {
        assert!(every.iter().any(|one| one == route), "{route} is left out, and is no route");
    }
}
