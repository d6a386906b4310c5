//! The catalog: who sees a write, and when; and that no owner sees what another one does.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use headcount::catalog::Catalog;
use headcount::catalog::kind::{Kind, ResourceName};
use headcount::catalog::resources::Draft;
use headcount::error::Code;
use headcount_engine::id::{Id, OwnerId};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::app::{Caller, TestApp, catalog_in, created, fresh_directory};

fn channel(name: &str) -> Draft {
    Draft::named(ResourceName::parse(Kind::Channel, name).unwrap())
}

fn owner_of(app: &TestApp, name: &str) -> OwnerId {
    app.app.catalog.snapshot().owner_named(Some(name)).unwrap().id
}

/// The channels that checks for that owner know.
fn known(catalog: &Catalog, owner: &str, names: &[&str]) -> Vec<bool> {
    let snapshot = catalog.snapshot();
    let owner = snapshot.owner_named(Some(owner)).unwrap();
    names.iter().map(|name| owner.channels.resolve(name).is_some()).collect()
}

#[tokio::test]
async fn checks_see_a_write_before_its_reply() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    let check = async |channel: &str| {
        app.get(&format!("/checkVersion?owner=alice&app_name=desk&version=1.0&channel={channel}")).await.both()
    };
    let unknown = json!({"error": "app_name not found in apps_meta collection", "code": "invalid"});
    assert_eq!(without_field(check("").await), (400, unknown));

    let desk = alice.app("desk").await;
    let stable = alice.part("channel", "stable").await;
    let body = json!({
        "app_name": "desk", "version": "1.1", "channel": "stable", "publish": true,
        "artifacts": [{"link": "https://dl.example.org/desk"}],
    });
    let release = created(&alice.post("/release/create", &body).await);
    let update = json!({"update_available": true, "critical": false, "update_url": "https://dl.example.org/desk"});
    assert_eq!(check("stable").await, (200, update.clone()));

    let change = json!({"id": release, "critical": true, "rollout": 100, "changelog": "New"});
    assert_eq!(alice.post("/release/update", &change).await.status, 200);
    let critical = json!({
        "update_available": true, "critical": true, "changelog": "New\n", "update_url": "https://dl.example.org/desk",
    });
    assert_eq!(check("stable").await, (200, critical.clone()));
    alice.post("/channel/update", &json!({"id": stable, "channel": "prod"})).await;
    assert_eq!(check("prod").await, (200, critical.clone()));
    assert_eq!(check("stable").await, (200, critical));

    alice.post("/release/update", &json!({"id": release, "publish": false})).await;
    let nothing = json!({"error": "no matching documents found for app_name: desk", "code": "invalid"});
    assert_eq!(without_field(check("prod").await), (400, nothing));
    alice.delete(&format!("/release/delete?id={release}")).await;
    alice.delete(&format!("/app/delete?id={desk}")).await;
    let unknown = json!({"error": "app_name not found in apps_meta collection", "code": "invalid"});
    assert_eq!(without_field(check("prod").await), (400, unknown));
}

/// Which parameter an error names is the business of other tests.
fn without_field((status, mut body): (u16, Value)) -> (u16, Value) {
    body.as_object_mut().unwrap().remove("field");
    (status, body)
}

#[tokio::test]
async fn what_another_process_writes_is_seen() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    alice.part("channel", "one").await;
    let other = app.second_catalog().await;
    assert_eq!(known(&other, "alice", &["one", "two"]), [true, false]);

    // The server writes, the other process asks.
    alice.part("channel", "two").await;
    assert_eq!(known(&other, "alice", &["one", "two"]), [true, false]);
    other.refresh().await.unwrap();
    assert_eq!(known(&other, "alice", &["one", "two"]), [true, true]);

    // The other process writes, the server asks each second.
    other.create_resource(owner_of(&app, "alice"), channel("three")).await.unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while known(&app.app.catalog, "alice", &["three"]) == [false] {
        assert!(tokio::time::Instant::now() < deadline, "the write was not seen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let names = alice.get("/channel/list").await.json();
    let names: Vec<&Value> = names["channels"].as_array().unwrap().iter().map(|row| &row["ChannelName"]).collect();
    assert_eq!(names, ["one", "two", "three"]);
}

#[tokio::test]
async fn of_writes_at_once_one_wins() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    let other = app.second_catalog().await;
    let owner = owner_of(&app, "alice");

    let here = (0..20).map(|_| async { alice.post("/channel/create", &json!({"channel": "same"})).await.status });
    let there = (0..20).map(|_| async {
        match other.create_resource(owner, channel("same")).await {
            Ok(_) => 200,
            Err(error) if error.code() == Code::Conflict => 409,
            Err(error) => panic!("{error}"),
        }
    });
    let (here, there) = tokio::join!(join_all(here), join_all(there));
    let mut statuses = [here, there].concat();
    statuses.sort_unstable();
    let mut expected = [409; 40];
    expected[0] = 200;
    assert_eq!(statuses, expected);

    // Different ones all win.
    let here = (0..20).map(|at| {
        let body = json!({"channel": format!("here{at}")});
        let alice = &alice;
        async move { alice.post("/channel/create", &body).await.status }
    });
    let there = (0..20).map(|at| {
        let draft = channel(&format!("there{at}"));
        let other = &other;
        async move { other.create_resource(owner, draft).await.is_ok() }
    });
    let (here, there) = tokio::join!(join_all(here), join_all(there));
    assert_eq!(here, [200; 20]);
    assert_eq!(there, [true; 20]);
    let list = alice.get("/channel/list").await.json();
    assert_eq!(list["channels"].as_array().unwrap().len(), 41);
}

#[tokio::test]
async fn the_database_is_copied_before_it_is_changed() {
    let directory = fresh_directory();
    let path = directory.join("catalog.db");
    let format = headcount::catalog::newest_format();
    let copy = directory.join(format!("catalog.before-{format}.db"));
    let cut_off = directory.join(format!("catalog.before-{format}.part"));
    {
        let older = rusqlite::Connection::open(&path).unwrap();
        older.execute_batch("CREATE TABLE older (word TEXT); INSERT INTO older VALUES ('kept');").unwrap();
    }
    // What a copy that was cut off left behind is in nobody's way.
    std::fs::write(&cut_off, "half").unwrap();
    drop(catalog_in(&directory).await);

    let words = |path: &Path| -> Vec<String> {
        let database = rusqlite::Connection::open(path).unwrap();
        let mut statement = database.prepare("SELECT word FROM older").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let tables = |path: &Path| -> i64 {
        let database = rusqlite::Connection::open(path).unwrap();
        database.query_row("SELECT COUNT(*) FROM sqlite_schema WHERE name = 'resources'", [], |row| row.get(0)).unwrap()
    };
    assert_eq!([words(&path), words(&copy)], [["kept"], ["kept"]]);
    assert_eq!([tables(&path), tables(&copy)], [1, 0]);
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!cut_off.exists());

    // Opened again, nothing changes, so nothing is copied.
    std::fs::remove_file(&copy).unwrap();
    drop(catalog_in(&directory).await);
    assert!(!copy.exists());
}

#[tokio::test]
async fn a_new_catalog_is_not_copied() {
    let directory = fresh_directory();
    drop(catalog_in(&directory).await);
    let mut files: Vec<String> =
        std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    files.retain(|name| !name.ends_with("-wal") && !name.ends_with("-shm"));
    assert_eq!(files, ["catalog.db"]);
}

/// Every reply by which an owner, or a device, could notice a change of the catalog.
async fn replies(app: &TestApp, caller: &Caller<'_>, owner: &str) -> Vec<(u16, String)> {
    let mut replies = Vec::new();
    for path in [
        "/app/list",
        "/channel/list",
        "/platform/list",
        "/arch/list",
        "/search?app_name=desk&limit=100",
        "/search?app_name=desk&channel=stable&platform=darwin&arch=arm64",
        "/release/list",
        "/release/list?app_name=desk&channel=stable",
    ] {
        let reply = caller.get(path).await;
        replies.push((reply.status, reply.text));
    }
    for query in [
        "app_name=desk&channel=stable",
        "app_name=desk&channel=stable&platform=darwin&arch=arm64&version=1.0",
        "app_name=desk&channel=stable&platform=darwin&arch=x64&version=1.0",
        "app_name=former&channel=stable&platform=darwin&arch=arm64&version=9.0",
        "app_name=moved&channel=moved&platform=moved&arch=moved&version=1.0",
    ] {
        for path in ["/apps/latest", "/checkVersion"] {
            let reply = app.get(&format!("{path}?owner={owner}&{query}")).await;
            replies.push((reply.status, format!("{:?} {}", reply.header("location"), reply.text)));
        }
    }
    replies
}

const NAMES: [(&str, &str); 4] = [("app", "desk"), ("channel", "stable"), ("platform", "darwin"), ("arch", "arm64")];

/// Creates everything under the same names, also an app that had another one.
async fn furnish(caller: &Caller<'_>, link: &str) -> Vec<String> {
    let mut ids = Vec::new();
    for (kind, name) in NAMES {
        ids.push(if kind == "app" { caller.app("former").await } else { caller.part(kind, name).await });
    }
    let reply = caller.form("/app/update", &json!({"id": ids[0], "app": "desk"})).await;
    assert_eq!(reply.status, 200);
    let body = json!({
        "app_name": "desk", "version": "1.1", "channel": "stable", "publish": true, "changelog": link,
        "artifacts": [{"platform": "darwin", "arch": "arm64", "package": ".dmg", "link": link}],
    });
    ids.push(created(&caller.post("/release/create", &body).await));
    ids
}

#[tokio::test]
async fn a_second_owner_with_equal_names_changes_no_reply_of_the_first() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    let bob = Caller::new(&app, "bob").await;
    furnish(&alice, "https://dl.example.org/alice.dmg").await;
    let before = replies(&app, &alice, "alice").await;
    let answered = before.iter().filter(|(status, _)| matches!(status, 200 | 302)).count();
    assert_eq!(answered, 13, "{before:#?}");
    let unchanged = async |step: &str| assert_eq!(replies(&app, &alice, "alice").await, before, "{step}");

    let ids = furnish(&bob, "https://dl.example.org/bob.dmg").await;
    unchanged("created").await;
    let of_bob = replies(&app, &bob, "bob").await;
    assert!(!format!("{of_bob:?}").contains("alice"), "{of_bob:#?}");

    let change = json!({"id": ids[4], "critical": true, "rollout": 0, "changelog": "mine", "artifacts": []});
    assert_eq!(bob.post("/release/update", &change).await.status, 200);
    unchanged("release changed").await;
    for ((kind, _), id) in NAMES.iter().zip(&ids) {
        let path = format!("/{kind}/update");
        let reply = if *kind == "app" {
            bob.form(&path, &json!({"id": id, "app": "moved"})).await
        } else {
            let updaters = json!([{"type": "tauri", "default": true}]);
            bob.post(&path, &json!({"id": id, *kind: "moved", "updaters": updaters})).await
        };
        assert_eq!(reply.status, 200, "{reply:?}");
        unchanged(&format!("{kind} renamed")).await;
    }
    assert_eq!(bob.delete(&format!("/release/delete?id={}", ids[4])).await.status, 200);
    unchanged("release deleted").await;
    for ((kind, _), id) in NAMES.iter().zip(&ids) {
        assert_eq!(bob.delete(&format!("/{kind}/delete?id={id}&telemetry=true")).await.status, 200);
        unchanged(&format!("{kind} deleted")).await;
    }
    furnish(&bob, "https://dl.example.org/bob2.dmg").await;
    unchanged("created again").await;
}

/// Resources of one kind, in the plainest form: what they are called, and whose the old names are.
#[derive(Default)]
struct PlainNames {
    // Id, name, whether it lives: in the order of creation.
    resources: Vec<(Id, &'static str, bool)>,
    former: BTreeMap<&'static str, Id>,
}

impl PlainNames {
    fn holder(&self, name: &str) -> Option<Id> {
        self.resources.iter().find(|(_, known, lives)| *known == name && *lives).map(|(id, ..)| *id)
    }

    fn checked(&self, name: &str) -> Option<Id> {
        self.holder(name).or_else(|| self.former.get(name).copied())
    }

    fn filtered(&self, name: &str) -> BTreeSet<Id> {
        let bearers = self.resources.iter().filter(|(_, known, _)| *known == name).map(|(id, ..)| *id);
        bearers.chain(self.checked(name)).collect()
    }

    fn create(&mut self, id: Id, name: &'static str) {
        self.former.remove(name);
        self.resources.push((id, name, true));
    }

    fn rename(&mut self, id: Id, name: &'static str) {
        let resource = self.resources.iter_mut().find(|(known, ..)| *known == id).unwrap();
        let old = std::mem::replace(&mut resource.1, name);
        if old != name {
            self.former.remove(name);
            self.former.insert(old, id);
        }
    }

    fn delete(&mut self, id: Id) {
        self.resources.iter_mut().find(|(known, ..)| *known == id).unwrap().2 = false;
        self.former.retain(|_, holder| *holder != id);
    }
}

const WORDS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// One random step, in the catalog and in the model; both accept or refuse it.
async fn step(catalog: &Catalog, owner: OwnerId, plain: &mut PlainNames, dice: &mut StdRng) -> String {
    let name = WORDS[dice.random_range(0..WORDS.len())];
    let living: Vec<Id> = plain.resources.iter().filter(|(.., lives)| *lives).map(|(id, ..)| *id).collect();
    let chosen = (!living.is_empty()).then(|| living[dice.random_range(0..living.len())]);
    match (dice.random_range(0..5), chosen) {
        (0, Some(id)) => {
            catalog.delete_resource(owner, Kind::Channel, id, false).await.unwrap();
            plain.delete(id);
            format!("delete {id}")
        }
        (1..=3, Some(id)) => {
            let renamed = catalog.update_resource(owner, id, channel(name)).await;
            let is_free = plain.holder(name).is_none_or(|holder| holder == id);
            assert_eq!(renamed.is_ok(), is_free, "rename {id} to {name}");
            if is_free {
                plain.rename(id, name);
            }
            format!("rename {id} to {name}")
        }
        _ => {
            let made = catalog.create_resource(owner, channel(name)).await;
            assert_eq!(made.is_ok(), plain.holder(name).is_none(), "create {name}");
            if let Ok(id) = made {
                plain.create(id, name);
            }
            format!("create {name}")
        }
    }
}

#[tokio::test]
async fn names_follow_the_plain_rules_through_any_history() {
    let app = TestApp::start().await;
    for seed in 0..8 {
        let name = format!("owner{seed}");
        app.administrator(&name).await;
        let owner = owner_of(&app, &name);
        let (mut plain, mut dice) = (PlainNames::default(), StdRng::seed_from_u64(seed));
        let mut history = Vec::new();
        for _ in 0..60 {
            history.push(step(&app.app.catalog, owner, &mut plain, &mut dice).await);
            let snapshot = app.app.catalog.snapshot();
            let index = &snapshot.owner(owner).unwrap().channels;
            for word in WORDS {
                let context = || format!("seed {seed}, {word}: {history:#?}");
                assert_eq!(index.resolve(word), plain.checked(word), "{}", context());
                let filtered: BTreeSet<Id> = index.matching(word).into_iter().collect();
                assert_eq!(filtered, plain.filtered(word), "{}", context());
            }
        }
    }
}
