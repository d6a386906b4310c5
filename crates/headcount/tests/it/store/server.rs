//! A server whose segments live in a Redis.

use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use headcount::app::App;
use headcount::clock::Clock;
use headcount::config::{Config, ServeArgs, Variables};
use headcount::retention::Retention;
use headcount::store::{BlobAt, Block, DictionaryState, MOST_NEW_PSEUDONYMS, Step};
use headcount_engine::device::Pseudonym;
use rand::Rng as _;
use serde_json::Value;

use crate::app::{Caller, TestApp, fresh_directory};
use crate::http::shop;
use crate::readme::{between, document};
use crate::redis::{Log, One};

use super::{ACME, Kind, ONE, Place, Reader, SPOOL, TODAY, TWO, applied, block, brings, later, mark, state, step};

/// How long a server may take to find Redis again.
const DEADLINE: Duration = Duration::from_secs(30);

fn url(port: u16) -> String {
    format!("redis://127.0.0.1:{port}")
}

async fn with_redis(url: &str) -> TestApp {
    TestApp::with(&[("REDIS_URL", url)]).await
}

async fn check(app: &TestApp, owner: &str, device: u32) {
    let path =
        format!("/checkVersion?app_name=myapp&version=1.0.0&channel=stable&platform=darwin&arch=amd64&owner={owner}");
    let reply = app.request("GET", &path).header("X-Device-ID", &format!("device-{device:04}")).send().await;
    assert_eq!((reply.status, reply.header("headcount")), (200, Some("recorded")), "{reply:?}");
}

/// Requests and devices of today, as soon as the report is answered.
async fn counted(caller: &Caller<'_>) -> (u64, u64) {
    let started = Instant::now();
    loop {
        let reply = caller.get("/telemetry?range=week").await;
        if reply.status == 200 {
            let report: Value = reply.json();
            let number = |name: &str| report["summary"][name].as_u64().unwrap();
            return (number("total_requests"), number("unique_clients"));
        }
        assert_eq!(reply.status, 503, "{reply:?}");
        assert!(started.elapsed() < DEADLINE, "{reply:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_are_counted_in_a_redis() {
    let redis = One::start(Log::None);
    let app = with_redis(&url(redis.port())).await;
    let caller = shop::open(&app, "acme").await;
    for device in [1, 2, 1, 3] {
        check(&app, "acme", device).await;
    }
    assert_eq!(counted(&caller).await, (4, 3));
    app.app.keeper.round().await.unwrap();
    check(&app, "acme", 4).await;
    assert_eq!(counted(&caller).await, (5, 4));
    assert!(!app.directory().join("store.db").exists());
    drop(caller);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_starts_without_its_redis_and_finds_it() {
    let mut redis = One::start(Log::None);
    redis.kill();
    let app = with_redis(&url(redis.port())).await;
    let caller = shop::open(&app, "acme").await;
    check(&app, "acme", 1).await;
    let reply = caller.get("/telemetry?range=week").await;
    assert_eq!(reply.status, 503, "{reply:?}");
    redis.start_again();
    assert_eq!(counted(&caller).await, (1, 1));
    // What it had is gone with it; what the journal keeps is not.
    redis.kill();
    check(&app, "acme", 2).await;
    redis.start_again();
    assert_eq!(counted(&caller).await, (2, 2));
    drop(caller);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_shipped_to_a_redis_that_may_evict() {
    let redis = One::with(Log::None, &[("maxmemory", "100mb"), ("maxmemory-policy", "allkeys-lru")]);
    let app = with_redis(&url(redis.port())).await;
    let caller = shop::open(&app, "acme").await;
    check(&app, "acme", 1).await;
    assert_eq!(caller.get("/telemetry?range=week").await.status, 503);
    let ready = app.get("/ready").await;
    let said = ready.json()["store"].as_str().unwrap_or_default().to_owned();
    assert!(ready.status == 200 && said.contains("set `maxmemory-policy noeviction`"), "{ready:?}");
    assert_eq!(redis.ask(&["DBSIZE"]).text(), "0");
    drop(caller);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_without_a_log_is_named_as_long_as_it_has_none() {
    let redis = One::start(Log::None);
    let app = with_redis(&url(redis.port())).await;
    let warnings = async || app.get("/ready").await.json()["warnings"].clone();
    let metric = async || {
        let text = reqwest::get(app.metrics_url()).await.unwrap().text().await.unwrap();
        text.lines().find_map(|line| line.strip_prefix("headcount_store_warnings ")).map(str::to_owned)
    };
    let said = warnings().await;
    let said = said.as_array().map(|all| all.iter().filter_map(Value::as_str).collect::<Vec<_>>()).unwrap_or_default();
    assert!(said.len() == 1 && said[0].ends_with("set `appendonly yes`"), "{said:?}");
    assert_eq!(metric().await.as_deref(), Some("1"));
    redis.set("appendonly", "yes");
    let started = Instant::now();
    while warnings().await != Value::Null {
        assert!(started.elapsed() < DEADLINE, "it does not notice that it is well");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(metric().await.as_deref(), Some("0"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_of_another_installation_stops_the_start() {
    let redis = One::start(Log::None);
    with_redis(&url(redis.port())).await.stop().await;
    let settings = [("HEADCOUNT_DATA_DIR", fresh_directory().display().to_string()), ("REDIS_URL", url(redis.port()))];
    let settings = settings.map(|(name, value)| (name.to_owned(), value)).into();
    let config = Config::load(&ServeArgs::default(), &settings, &Variables::default()).unwrap();
    let refused = App::open(config, Clock::wall()).await.unwrap_err();
    let expected = format!("the store at {} belongs to another installation", url(redis.port()));
    assert!(refused.to_string().starts_with(&expected), "{refused}");
}

/// What is wrong with the store of a server that does not ship to it.
async fn problem(app: &TestApp) -> String {
    let ready = app.get("/ready").await;
    assert_eq!(ready.status, 200, "{ready:?}");
    ready.json()["store"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_the_documented_rights_is_enough_and_less_is_not() {
    let redis = One::start(Log::None);
    let text = document("docs/redis.md");
    let user = between(&text, "<!-- user:", "<!-- user end -->");
    let line = user.lines().find(|line| line.starts_with("ACL SETUSER ")).unwrap();
    redis.ask(&line.replace("PASSWORD", "secret").split(' ').collect::<Vec<_>>());
    let url = format!("redis://headcount:secret@127.0.0.1:{}", redis.port());
    let app = with_redis(&url).await;
    let caller = shop::open(&app, "acme").await;
    check(&app, "acme", 1).await;
    assert_eq!(counted(&caller).await, (1, 1));
    app.app.keeper.round().await.unwrap();
    let metrics = reqwest::get(app.metrics_url()).await.unwrap().text().await.unwrap();
    for line in ["headcount_store_problem 0", "headcount_store_connects_total 1"] {
        assert!(metrics.lines().any(|other| other == line), "{line}: {metrics}");
    }
    assert!(metrics.contains("headcount_store_command_seconds_count{command=\"apply\"} "), "{metrics}");
    drop(caller);
    app.stop().await;

    redis.ask(&["ACL", "SETUSER", "headcount", "-lset"]);
    let app = with_redis(&url).await;
    let said = problem(&app).await;
    assert!(said.contains("may not use LSET"), "{said}");
    app.stop().await;
    let app = with_redis(&url.replace("secret", "wrong")).await;
    let said = problem(&app).await;
    assert!(said.contains("neither user nor password") && !said.contains("wrong@"), "{said}");
    app.stop().await;
}

/// A certificate authority and a certificate of it for a server: its file, and the server's settings.
fn certificates() -> (String, Vec<(&'static str, String)>) {
    let folder = fresh_directory();
    let openssl = |arguments: &str| {
        let done = Command::new("openssl").args(arguments.split(' ')).current_dir(&folder).output().unwrap();
        assert!(done.status.success(), "{arguments}: {}", String::from_utf8_lossy(&done.stderr));
    };
    let new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2";
    openssl(&format!("{new} -subj /CN=authority -keyout ca.key -out ca.pem"));
    let of = "-CA ca.pem -CAkey ca.key -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE";
    openssl(&format!("{new} {of} -subj /CN=server -keyout server.key -out server.pem"));
    let path = |name: &str| folder.join(name).display().to_string();
    let settings = vec![
        ("tls-cert-file", path("server.pem")),
        ("tls-key-file", path("server.key")),
        ("tls-ca-cert-file", path("ca.pem")),
        ("tls-auth-clients", "no".to_owned()),
    ];
    (path("ca.pem"), settings)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_over_tls_is_trusted_by_the_authority_that_is_named() {
    let (authority, mut settings) = certificates();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    settings.push(("tls-port", port.to_string()));
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let _redis = One::with(Log::None, &settings);
    let url = format!("rediss://127.0.0.1:{port}");
    let app = TestApp::with(&[("REDIS_URL", &url), ("HEADCOUNT_REDIS_CA_FILE", &authority)]).await;
    let caller = shop::open(&app, "acme").await;
    check(&app, "acme", 1).await;
    assert_eq!(counted(&caller).await, (1, 1));
    drop(caller);
    app.stop().await;
    let app = with_redis(&url).await;
    let said = problem(&app).await;
    assert!(said.to_lowercase().contains("certificate"), "{said}");
    app.stop().await;
}

/// The key with a word for each part of it that is not the same in every store.
fn pattern(key: &str) -> String {
    let is_date = |part: &str| part.parse::<headcount_engine::day::Day>().is_ok();
    let parts: Vec<&str> = key.split(':').collect();
    let word = |at: usize| match at {
        1 if parts[1].starts_with('{') => "{OWNER}",
        2 if parts.len() > 3 && parts[2] != "aside" => "SPACE",
        3.. if is_date(parts[at]) => "DATE",
        4 if parts[1].starts_with('{') => "APP",
        5 if parts[2] == "aside" => "BLOB",
        5 => "BASE",
        6 => "PLACE",
        _ => parts[at],
    };
    (0..parts.len()).map(word).collect::<Vec<_>>().join(":")
}

/// Leaves every kind of key.
async fn use_all_of(place: &Place) {
    let store = place.open().await;
    let day = TODAY.plus(-1);
    let receipts = vec![(mark(1), b"accepted".to_vec())];
    let first = Step { block: Some(block(1, &[1, 2])), receipts, ..brings(None, 1, ONE, TODAY, 1) };
    applied(&store, ACME, first).await;
    let expected_dictionary = state(&store, ACME).await;
    for (row, app, day) in [(2, ONE, TODAY), (3, TWO, day), (4, ONE, TODAY.plus(-9)), (5, TWO, TODAY)] {
        let step = Step { expected_dictionary, ..brings(Some(row - 1), row, app, day, row) };
        applied(&store, ACME, Step { incomplete: vec![(app, day)], ..step }).await;
    }
    store.expire(ACME, TODAY.plus(-5), later(0), later(0)).await.unwrap();
    store.set_aside(ACME, ONE, TODAY, BlobAt::Delta(1)).await.unwrap();
    let reader = Reader::fresh(&store, ACME).await;
    assert!(store.compact(reader.compaction(ONE, TODAY)).await.unwrap());
    let reader = Reader::fresh(&store, ACME).await;
    assert!(store.rebuild(reader.rebuild(expected_dictionary, vec![block(2, &[2])])).await.unwrap());
    let expected_dictionary = state(&store, ACME).await;
    applied(&store, ACME, Step { expected_dictionary, ..brings(Some(5), 6, ONE, TODAY, 6) }).await;
    store.erase(ACME, Some(TWO), later(0)).await.unwrap();
    applied(&store, ACME, super::erases(state(&store, ACME).await, 9, Vec::new(), later(0))).await;
    assert_eq!(store.marks(SPOOL).await.unwrap()[&ACME], mark(6));
}

#[tokio::test]
async fn every_key_is_documented_and_goes_by_itself() {
    let place = Place::fresh(Kind::Redis);
    use_all_of(&place).await;
    let text = document("docs/redis.md");
    let mut documented: Vec<(String, String)> = between(&text, "<!-- keys:", "<!-- keys end -->")
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let columns: Vec<&str> = line.split('|').map(str::trim).collect();
            (columns[1].trim_matches('`').to_owned(), columns[2].to_owned())
        })
        .collect();
    let redis = place.one();
    let mut found = Vec::new();
    for key in redis.ask(&["KEYS", "*"]).list() {
        let (key, kind) = (key.text(), redis.ask(&["TYPE", &key.text()]).text());
        let lives: i64 = redis.ask(&["PTTL", &key]).text().parse().unwrap();
        assert_eq!(lives < 0, ["hc:installation", "hc:owners"].contains(&key.as_str()), "{key} lives {lives}");
        found.push((pattern(&key), kind));
    }
    found.sort();
    found.dedup();
    documented.sort();
    assert_eq!(found, documented);
}

#[tokio::test]
async fn a_longer_retention_lengthens_what_is_there() {
    let (of_all, of_owner) = (Retention::of_installation(60), Retention::of_installation(30));
    of_owner.settle([(ACME, 60)].into());
    for longer in [of_all, of_owner] {
        lengthens(longer).await;
    }
}

async fn lengthens(retention: Retention) {
    let place = Place::fresh(Kind::Redis);
    use_all_of(&place).await;
    let lives = |key: &str| -> i64 { place.one().ask(&["PTTL", key]).text().parse().unwrap() };
    let keys = || -> Vec<String> {
        let found = place.one().ask(&["KEYS", "hc:{*"]).text();
        let keys = found.lines().map(str::to_owned);
        // What goes within a minute or so is not in use any more.
        keys.filter(|key| lives(key) > 1_000_000 && !key.contains(":aside:")).collect()
    };
    let before: Vec<(String, i64)> = keys().into_iter().map(|key| (key.clone(), lives(&key))).collect();
    assert!(before.len() > 10, "{before:?}");
    let store = place.open_with(retention).await;
    store.expire(ACME, TODAY.plus(-5), later(0), later(0)).await.unwrap();
    for (key, left) in before {
        let more = lives(&key) - left;
        let wanted = 30 * headcount_engine::day::DAY_MILLIS;
        assert!((wanted - 60_000..=wanted).contains(&more), "{key} lives {more} ms longer");
    }
}

/// A script holds Redis up as long as it runs: it reads little, also where small blocks lie before large ones.
#[tokio::test]
async fn a_dictionary_is_read_in_parts() {
    let place = Place::fresh(Kind::Redis);
    let store = place.open().await;
    let mut random = rand::rng();
    let (mut blocks, mut expected_dictionary) = (Vec::new(), DictionaryState::default());
    for devices in [vec![MOST_NEW_PSEUDONYMS; 100], vec![1; 1_500]].concat() {
        let pseudonyms = (0..devices).map(|_| Pseudonym(random.random())).collect();
        let block = Block { id: random.random(), pseudonyms };
        applied(&store, ACME, Step { expected_dictionary, block: Some(block.clone()), ..step() }).await;
        expected_dictionary.last_block = block.id;
        blocks.push(block);
    }
    let scripts = || {
        let all = place.one().ask(&["INFO", "commandstats"]).text();
        let of_scripts = all.lines().filter_map(|line| line.strip_prefix("cmdstat_evalsha"));
        let calls = of_scripts.map(|line| line.split(['=', ',']).nth(1).unwrap().parse::<usize>().unwrap());
        calls.sum::<usize>()
    };
    let before = scripts();
    let read = store.dictionary(ACME, DictionaryState::default()).await.unwrap();
    assert!(read.blocks == blocks);
    // 2.4 MB, at most 320 KB at once.
    assert!((8..16).contains(&(scripts() - before)), "{}", scripts() - before);
}
