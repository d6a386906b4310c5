//! Names that break other tools: each is refused with a reason, or works everywhere, also after a restart.

use headcount::clock::Clock;
use headcount_engine::day::Millis;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::app::{Caller, Reply, TestApp, created};
use crate::http::shop::release;

const KEY: &str = "a key that nobody can guess at all";

/// What a name is given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    User,
    App,
    Channel,
    Platform,
    Arch,
    Version,
}

use To::{App, Arch, Channel, Platform, User, Version};

const EVERYTHING: [To; 6] = [User, App, Channel, Platform, Arch, Version];

/// Names, and what may have them; of the rest each is refused.
fn table() -> Vec<(String, Vec<To>)> {
    let parts = [Channel, Platform, Arch];
    let with = |more: &[To]| [more, &parts].concat();
    let mut table: Vec<(String, Vec<To>)> = vec![
        ("my-admin".to_owned(), with(&[User, App])),
        ("j.d".to_owned(), with(&[User, App])),
        ("a+b".to_owned(), vec![User]),
        ("someone@example.org".to_owned(), vec![User]),
        ("my app".to_owned(), vec![App]),
        ("x".repeat(64), vec![User, App]),
        ("x".repeat(32), with(&[User, App])),
        ("7.0+build".to_owned(), vec![User, Version]),
        ("7-rc.1+build-2".to_owned(), vec![User, Version]),
        (format!("8.{}", "0".repeat(14)), with(&[User, App, Version])),
        (format!("7-{}", "x".repeat(62)), vec![User, App, Version]),
    ];
    let refused = [
        "50%",
        "[x]",
        "acme:desk",
        "{x}",
        "*",
        "?",
        "a/b",
        "..",
        "",
        " x",
        "x,y",
        "x'y",
        "x\"y",
        "x\\y",
        "x&y=z",
        "x#y",
        "<b>x</b>",
        "x\u{0}y",
        "x\ny",
        "\u{430}cme",
        "\u{ff44}esk",
        "de\u{301}sk",
        "desk\u{200b}",
        "\u{202e}ksed",
        "\u{661}.0",
        "7:0",
        "{7}",
        "7%",
    ];
    table.extend(refused.map(|name| (name.to_owned(), Vec::new())));
    table.push(("x".repeat(65), Vec::new()));
    table
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// The names that may be given to that.
fn good(to: To) -> Vec<String> {
    table().into_iter().filter(|(_, may)| may.contains(&to)).map(|(name, _)| name).collect()
}

/// Tries to give a name.
async fn give(admin: &Caller<'_>, to: To, name: &str) -> Reply {
    match to {
        User => admin.post("/user/create", &json!({"username": name, "password": "a long password"})).await,
        App => admin.form("/app/create", &json!({ "app": name })).await,
        Channel => admin.post("/channel/create", &json!({ "channel": name })).await,
        Platform => admin.post("/platform/create", &json!({ "platform": name })).await,
        Arch => admin.post("/arch/create", &json!({ "arch": name })).await,
        Version => admin.post("/release/create", &json!({"app_name": "base", "version": name})).await,
    }
}

#[tokio::test]
async fn a_name_is_taken_or_refused_with_a_reason() {
    let app = TestApp::start().await;
    let admin = Caller::new(&app, "acme").await;
    admin.app("base").await;
    for (name, may) in table() {
        // The releases come first: as soon as there is a channel, they have to name it.
        for to in [Version, User, App, Channel, Platform, Arch] {
            let reply = give(&admin, to, &name).await;
            if may.contains(&to) {
                assert!(matches!(reply.status, 200 | 201), "{to:?} {name:?}: {reply:?}");
                if to == Channel {
                    let list = admin.get("/channel/list").await.json();
                    let id = list["channels"][0]["ID"].as_str().unwrap().to_owned();
                    assert_eq!(admin.delete(&format!("/channel/delete?id={id}")).await.status, 200);
                }
                continue;
            }
            let error = reply.json();
            assert_eq!((reply.status, &error["code"]), (400, &json!("invalid")), "{to:?} {name:?}: {error}");
            let field = ["username", "app", "channel", "platform", "arch", "version"][to as usize];
            assert_eq!(error["field"], field, "{to:?} {name:?}");
            // An empty text is said to be missing.
            let is_explained = error["accepted"].as_str().is_some_and(|accepted| !accepted.is_empty());
            assert!(is_explained || name.is_empty(), "{to:?} {name:?}: {error}");
        }
    }
}

/// What belongs to an owner, in a shop where all names are in use.
struct Shop {
    owner: String,
    token: String,
    /// App, version, channel, platform and architecture of each release.
    releases: Vec<[String; 5]>,
}

impl Shop {
    /// Gives every name to something of this owner, and has each release asked for by a device of its own.
    async fn open(app: &TestApp, owner: &str) -> Self {
        let password = format!("the password of {owner}");
        let body = json!({"username": owner, "password": password, "api_key": KEY});
        let reply = app.request("POST", "/signup").json(&body).send().await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let admin = Caller::login(app, owner, &password).await;
        for to in EVERYTHING {
            for name in good(to).iter().filter(|_| to != Version && to != User) {
                created(&give(&admin, to, name).await);
            }
        }
        let mut releases = Vec::new();
        let [channels, platforms, archs] = [Channel, Platform, Arch].map(good);
        for name in good(App) {
            for version in good(Version) {
                let at = releases.len();
                let pick = |names: &[String]| names[at % names.len()].clone();
                let [channel, platform, arch] = [pick(&channels), pick(&platforms), pick(&archs)];
                let file = json!({"platform": platform, "arch": arch, "link": format!("https://dl.example.org/{at}")});
                let body = json!({
                    "app_name": name, "version": version, "channel": channel, "publish": true, "artifacts": [file],
                });
                release(&admin, &body).await;
                releases.push([name.clone(), version, channel, platform, arch]);
            }
        }
        let shop = Self { owner: owner.to_owned(), token: admin.token().to_owned(), releases };
        for at in 0..shop.releases.len() {
            let path = shop.check(at);
            let reply = app.request("GET", &path).header("X-Device-ID", &format!("device-{at:04}")).send().await;
            assert_eq!((reply.status, reply.header("headcount")), (200, Some("recorded")), "{path}: {reply:?}");
        }
        shop
    }

    /// The check of a device that runs that release.
    fn check(&self, at: usize) -> String {
        let [app, version, channel, platform, arch] = self.releases[at].each_ref().map(|name| encoded(name));
        let owner = encoded(&self.owner);
        format!(
            "/checkVersion?owner={owner}&app_name={app}&version={version}&channel={channel}&platform={platform}&arch={arch}"
        )
    }

    /// Every answer in which a name is asked for or shown.
    async fn seen(&self, app: &TestApp) -> Vec<(String, Value)> {
        let admin = Caller::known(app, &self.token);
        let mut paths: Vec<String> = ["app", "channel", "platform", "arch"].map(|kind| format!("/{kind}/list")).into();
        paths.extend(["/telemetry", "/telemetry/breakdown", "/release/list?limit=200", "/whoami"].map(str::to_owned));
        paths.extend((0..self.releases.len()).map(|at| self.check(at)));
        let owner = encoded(&self.owner);
        for name in good(App) {
            let name = encoded(&name);
            paths.push(format!("/search?app_name={name}&limit=100"));
            for channel in good(Channel) {
                let channel = encoded(&channel);
                paths.push(format!("/apps/latest?owner={owner}&app_name={name}&channel={channel}"));
                paths.push(format!("/release/list?app_name={name}&channel={channel}"));
            }
        }
        let mut seen = Vec::new();
        for path in paths {
            let reply = admin.get(&path).await;
            assert!(reply.status < 400 || path.starts_with("/apps/latest"), "{path}: {reply:?}");
            let body = if reply.text.is_empty() { json!(reply.header("location")) } else { reply.json() };
            seen.push((path, body));
        }
        seen
    }

    /// Every filter by a name counts the devices of the releases that have it, and no other.
    async fn assert_filtered(&self, app: &TestApp) {
        let admin = Caller::known(app, &self.token);
        for (place, parameter) in ["apps", "versions", "channels", "platforms", "architectures"].into_iter().enumerate()
        {
            let names: std::collections::BTreeSet<&String> =
                self.releases.iter().map(|release| &release[place]).collect();
            for name in names {
                let expected = self.releases.iter().filter(|release| release[place] == *name).count();
                let path = format!("/telemetry?{parameter}={}", encoded(name));
                let report = admin.get(&path).await.json();
                assert_eq!(report["summary"]["unique_clients"], expected, "{} {path}", self.owner);
            }
        }
    }

    /// Renames and deletes everything.
    async fn clear(&self, app: &TestApp) {
        let admin = Caller::known(app, &self.token);
        let releases = admin.get("/release/list?limit=200").await.json();
        for row in releases["items"].as_array().unwrap() {
            let id = row["id"].as_str().unwrap();
            let reply = admin.post("/release/update", &json!({"id": id, "critical": true})).await;
            assert_eq!(reply.status, 200, "{reply:?}");
            assert_eq!(admin.delete(&format!("/release/delete?id={id}")).await.status, 200);
        }
        for kind in ["app", "channel", "platform", "arch"] {
            let list = admin.get(&format!("/{kind}/list")).await.json();
            for (at, row) in list[format!("{kind}s")].as_array().unwrap().iter().enumerate() {
                let id = &row["ID"];
                let mut fields = json!({"id": id, kind: format!("new-{at}")});
                if kind == "platform" {
                    fields["updaters"] = row["Updaters"].clone();
                }
                let path = format!("/{kind}/update");
                let reply =
                    if kind == "app" { admin.form(&path, &fields).await } else { admin.post(&path, &fields).await };
                assert_eq!(reply.status, 200, "{reply:?}");
                let path = format!("/{kind}/delete?id={}", id.as_str().unwrap());
                assert_eq!(admin.delete(&path).await.status, 200);
            }
            assert_eq!(admin.get(&format!("/{kind}/list")).await.json(), json!({ format!("{kind}s"): null }));
        }
    }
}

#[tokio::test]
async fn a_name_that_is_taken_works_everywhere_and_after_a_restart() {
    let settings = [("API_KEY", KEY), ("HEADCOUNT_COMMIT_WAIT_MS", "10000")];
    let mut app = TestApp::at(Clock::stopped_at(Millis(1_770_000_000_000)), &settings).await;
    let mut shops = Vec::new();
    for owner in ["my-admin", "a+b", "someone@example.org", &"x".repeat(64)] {
        assert!(good(User).iter().any(|name| name == owner));
        shops.push(Shop::open(&app, owner).await);
    }
    let mut before = Vec::new();
    for shop in &shops {
        shop.assert_filtered(&app).await;
        before.push(shop.seen(&app).await);
    }
    app = app.restart().await;
    for (shop, before) in shops.iter().zip(&before) {
        for (now, before) in shop.seen(&app).await.iter().zip(before) {
            assert_eq!(now, before, "{}", shop.owner);
        }
        shop.assert_filtered(&app).await;
        shop.clear(&app).await;
    }
}
