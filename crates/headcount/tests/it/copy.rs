//! `headcount store copy`: an installation moves from one store to the other, and back.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use headcount::clock::Clock;
use serde_json::{Value, json};

use crate::app::{Caller, TestApp, fresh_directory};
use crate::fleet::lines;
use crate::http::shop;
use crate::process::{Done, run, spawn};
use crate::redis::{Log, One};

const ID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

async fn owner<'a>(app: &'a TestApp, name: &str) -> Caller<'a> {
    let caller = Caller::new(app, name).await;
    for name in ["desk", "tool"] {
        caller.app(name).await;
    }
    let parts = [("channel", ["stable", "beta"]), ("platform", ["darwin", "linux"]), ("arch", ["amd64", "arm64"])];
    for (kind, name) in parts.into_iter().flat_map(|(kind, names)| names.map(|name| (kind, name))) {
        caller.part(kind, name).await;
    }
    caller
}

async fn import(caller: &Caller<'_>, number: u32, lines: &[String]) -> Value {
    let request = caller.request("POST", "/telemetry/import").body(lines.join("\n"));
    let reply = request.header("Import-Id", ID).header("Import-Chunk", &number.to_string()).send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

async fn check(app: &TestApp, owner: &str, device: u32) {
    let path =
        format!("/checkVersion?app_name=desk&version=1.0.0&channel=stable&platform=darwin&arch=amd64&owner={owner}");
    let reply = app.request("GET", &path).header("X-Device-ID", &format!("device-{device:06}")).send().await;
    assert_eq!(reply.header("headcount"), Some("recorded"), "{reply:?}");
}

/// Whole replies to many questions of each owner.
async fn replies(app: &TestApp, tokens: &[String]) -> Vec<Value> {
    let today = Clock::wall().now().day();
    let mut all = Vec::new();
    for token in tokens {
        let caller = Caller::known(app, token);
        for question in ["range=month", "range=week&apps=desk", "range=month&apps=tool&platforms=linux"] {
            let reply = caller.get(&format!("/telemetry?{question}")).await;
            assert_eq!(reply.status, 200, "{reply:?}");
            all.push(reply.json());
        }
        for ago in 0..7 {
            let reply = caller.get(&format!("/telemetry?date={}&channels=beta,stable", today.plus(-ago))).await;
            assert_eq!(reply.status, 200, "{reply:?}");
            all.push(reply.json());
        }
    }
    all
}

/// An installation with two owners, whose store has bases, deltas, receipts and an erased app.
async fn fill(app: &TestApp) -> Vec<String> {
    let mut tokens = Vec::new();
    for (at, name) in ["acme", "beta"].into_iter().enumerate() {
        let caller = owner(app, name).await;
        let lines = lines(2000 + 700 * at as u32);
        import(&caller, 0, &lines[..900]).await;
        import(&caller, 1, &lines[900..]).await;
        caller.app("gone").await;
        shop::release(&caller, &release()).await;
        tokens.push(caller.token().to_owned());
    }
    app.app.keeper.round().await.unwrap();
    for device in 0..20 {
        check(app, "acme", device).await;
        check(app, "beta", device * 3).await;
    }
    replies(app, &tokens).await;
    app.app.keeper.round().await.unwrap();
    for device in 10..30 {
        check(app, "acme", device).await;
    }
    tokens
}

fn release() -> Value {
    json!({
        "app_name": "desk", "version": "1.0.0", "channel": "stable", "publish": true,
        "artifacts": [{"platform": "darwin", "arch": "amd64", "package": ".dmg", "link": "https://dl.example.org/d"}],
    })
}

async fn serve(folder: &Path, redis: Option<&str>) -> TestApp {
    let redis: Vec<(&str, &str)> = redis.map(|url| ("REDIS_URL", url)).into_iter().collect();
    let settings = [&[("HEADCOUNT_COMMIT_WAIT_MS", "10000")], &redis[..]].concat();
    TestApp::in_directory(folder.to_owned(), Clock::wall(), &settings).await
}

fn copy(folder: &Path, from: &str, to: &str) -> Done {
    run(folder, &[], &["store", "copy", "--data-dir", ".", "--from", from, "--to", to], b"")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_moves_to_redis_and_back() {
    let redis = One::start(Log::None);
    let url = format!("redis://127.0.0.1:{}", redis.port());
    let folder = fresh_directory();
    let app = serve(&folder, None).await;
    let tokens = fill(&app).await;
    let chunk = lines(2000)[..900].to_vec();
    let before = replies(&app, &tokens).await;
    assert_eq!(before[0]["summary"]["total_requests"], 2040);
    let in_use = copy_while_served(&folder, &app, &url).await;
    assert!(in_use, "a folder that a server uses was copied");
    app.stop().await;

    // Killed again and again, it goes on.
    for kill in 0..5 {
        let arguments = ["store", "copy", "--data-dir", ".", "--from", "embedded", "--to", &url];
        let mut running = spawn(&folder, &[], &arguments);
        tokio::time::sleep(Duration::from_millis(20 + 30 * kill)).await;
        running.kill();
    }
    let copied = copy(&folder, "embedded", &url);
    if copied.code != Some(0) {
        // The last one that was killed had finished.
        assert!(copied.stderr.contains("the destination is not empty"), "{copied:?}");
    }
    let app = serve(&folder, Some(&url)).await;
    assert_eq!(replies(&app, &tokens).await, before);
    // The receipt came along, too: a chunk that is sent again is answered alike and counts nothing.
    let caller = Caller::known(&app, &tokens[0]);
    assert_eq!(import(&caller, 0, &chunk).await, json!({"accepted": 900, "rejected": 0, "errors": []}));
    assert_eq!(replies(&app, &tokens).await, before);
    check(&app, "acme", 77).await;
    let with_redis = replies(&app, &tokens).await;
    assert_eq!(with_redis[0]["summary"]["total_requests"], 2041);
    app.stop().await;

    let refused = copy(&folder, &url, "embedded");
    let line = "headcount: the destination is not empty: it holds what is no part of this copy";
    assert_eq!(refused, Done::failed(1, line));
    std::fs::rename(folder.join("store.db"), folder.join("store.old")).unwrap();
    let back = run(
        &folder,
        &[("REDIS_URL", &url)],
        &["store", "copy", "--data-dir", ".", "--from", "redis", "--to", "embedded"],
        b"",
    );
    let devices: u64 = (0..2).map(|owner| with_redis[owner * 10]["summary"]["unique_clients"].as_u64().unwrap()).sum();
    let said = format!("copied 2 owners, {devices} devices and ");
    assert!(back.code == Some(0) && back.stdout.starts_with(&said), "{back:?}, not {said}");
    let app = serve(&folder, None).await;
    assert_eq!(replies(&app, &tokens).await, with_redis);
    check(&app, "acme", 78).await;
    assert_eq!(replies(&app, &tokens).await[0]["summary"]["total_requests"], 2042);
    app.stop().await;
}

/// Whether it is refused while a server has the folder.
async fn copy_while_served(folder: &Path, app: &TestApp, url: &str) -> bool {
    // The program takes the folder as `headcount serve` does.
    let lock = std::fs::File::options().write(true).create(true).truncate(false).open(folder.join("lock")).unwrap();
    lock.try_lock().unwrap();
    assert_eq!(app.get("/health").await.status, 200);
    let refused = copy(folder, "embedded", url);
    refused.code == Some(2) && refused.stderr.contains("is in use by another process")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_copied_is_said_in_one_line() {
    let redis = One::start(Log::None);
    let url = format!("redis://127.0.0.1:{}", redis.port());
    let (folder, other) = (fresh_directory(), fresh_directory());
    let no_catalog = "headcount: there is no catalog in the data folder `.`; --data-dir DIR names another";
    assert_eq!(copy(&folder, "embedded", &url), Done::failed(1, no_catalog));
    for folder in [&folder, &other] {
        serve(folder, None).await.stop().await;
    }
    let place = "accepted: embedded (the store in the data folder), embedded:DIR (in another one), redis (the one of the \
         settings), or a URL as REDIS_URL takes it";
    let cases: BTreeMap<&str, (i32, String)> = [
        ("elsewhere", (2, format!("--from: it does not begin with redis:// or another scheme; {place}"))),
        ("redis", (2, format!("--from: no Redis is set by REDIS_URL or REDIS_HOST; {place}"))),
        ("embedded:nowhere", (1, "there is no store at `nowhere/store.db`".to_owned())),
    ]
    .into();
    for (from, (code, line)) in cases {
        assert_eq!(copy(&folder, from, &url), Done::failed(code, &format!("headcount: {line}")), "{from}");
    }
    assert_eq!(copy(&folder, "embedded", &url).code, Some(0));
    // That Redis is one of the installation now; that of the other folder is another one.
    let foreign = copy(&other, "embedded", &url);
    assert!(foreign.code == Some(1) && foreign.stderr.contains("belongs to another installation"), "{foreign:?}");
    let foreign = copy(&folder, &format!("embedded:{}", other.display()), "redis://127.0.0.1:1");
    assert!(foreign.code == Some(1) && foreign.stderr.contains("belongs to another installation"), "{foreign:?}");
    let away = copy(&folder, "redis://127.0.0.1:1", &url);
    assert!(away.code == Some(1) && away.stderr.starts_with("headcount: the source: the store failed"), "{away:?}");
}
