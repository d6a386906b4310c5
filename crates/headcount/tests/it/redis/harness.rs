//! That the faults are faults: what the tests of them rely on.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use super::cluster::Cluster;
use super::fake::{Answer, Fake};
use super::node::is_running;
use super::one::{Log, One};
use super::proxy::{Network, Proxy};
use super::resp::{Value, ask};
use super::sentinel::Sentinel;

/// The text of a key.
fn get(redis: &One, key: &str) -> String {
    redis.ask(&["GET", key]).text()
}

#[test]
fn a_kill_takes_what_is_not_written_down() {
    for (log, kept) in [(Log::Kept, "value"), (Log::None, "")] {
        let mut redis = One::start(log);
        redis.ask(&["SET", "key", "value"]);
        redis.kill();
        assert!(redis.try_ask(&["PING"]).is_err());
        redis.start_again();
        assert_eq!(get(&redis, "key"), kept, "{log:?}");
    }
}

#[test]
fn a_redis_becomes_what_it_was() {
    let mut redis = One::start(Log::None);
    redis.ask(&["SET", "key", "before"]);
    let copy = redis.copy();
    redis.ask(&["SET", "key", "after"]);
    redis.become_again(&copy);
    assert_eq!(get(&redis, "key"), "before");
    redis.empty();
    assert_eq!(get(&redis, "key"), "");
}

#[test]
fn a_redis_stands_still_and_goes_on_and_ends_with_the_test() {
    let redis = One::start(Log::None);
    redis.pause();
    let waiting = std::thread::spawn({
        let port = redis.port();
        move || ask(port, &["PING"]).unwrap()
    });
    std::thread::sleep(Duration::from_millis(200));
    assert!(!waiting.is_finished());
    redis.resume();
    assert_eq!(waiting.join().unwrap(), Value::Text("PONG".to_owned()));
    redis.set("maxmemory", "1mb");
    assert_eq!(redis.reported("maxmemory"), "1048576");
    let pid = redis.pid();
    assert!(is_running(pid));
    let failed = std::thread::spawn(move || {
        let _redis = redis;
        panic!("as a test does");
    });
    assert!(failed.join().is_err());
    assert!(!is_running(pid));
}

#[test]
fn sentinels_choose_another_master_which_lacks_what_was_not_replicated() {
    let mut redis = Sentinel::start();
    redis.ask_master(&["SET", "key", "known"]);
    redis.ask_master(&["WAIT", "2", "5000"]);
    redis.stop_replication();
    redis.ask_master(&["SET", "key", "known to nobody else"]);
    let away = redis.fail_over();
    assert_eq!(redis.ask_master(&["GET", "key"]).text(), "known");
    redis.come_back(away);
    redis.settle();
    assert_eq!(redis.ask_master(&["GET", "key"]).text(), "known");
    assert_ne!(redis.master(), Some(away));
}

#[test]
fn a_cluster_moves_slots_and_fails_over() {
    let mut redis = Cluster::start();
    // The slot of `key`.
    let slot = redis.ask(0, &["CLUSTER", "KEYSLOT", "key"]).text().parse().unwrap();
    let get = |redis: &Cluster| redis.ask(redis.master_of(slot).unwrap(), &["GET", "key"]).text();
    let first = redis.master_of(slot).unwrap();
    redis.ask(first, &["SET", "key", "value"]);
    assert_eq!(redis.fullest_slot(), slot);
    redis.move_slot(slot);
    let second = redis.master_of(slot).unwrap();
    assert_ne!(first, second);
    assert_eq!(get(&redis), "value");
    redis.settle();
    redis.take_over(slot, "FORCE");
    redis.settle();
    assert_eq!(get(&redis), "value");
    redis.take_over(slot, "TAKEOVER");
    assert_eq!(get(&redis), "value");
    let away = redis.kill_master_of(slot);
    assert_eq!(get(&redis), "value");
    redis.come_back(away);
    redis.settle();
}

/// Asks on a thread of its own, so that the proxy goes on.
async fn ask_by(port: u16, words: &'static [&str]) -> std::io::Result<Value> {
    tokio::task::spawn_blocking(move || ask(port, words)).await.unwrap()
}

fn is_increment(words: &[Vec<u8>]) -> bool {
    words[0] == b"INCR"
}

#[tokio::test]
async fn a_lost_reply_is_that_of_a_command_that_was_done() {
    let redis = One::start(Log::None);
    let proxy = Proxy::losing_replies(redis.port(), 3, is_increment).await;
    let mut failed = 0;
    for _ in 0..6 {
        failed += u64::from(ask_by(proxy.port(), &["INCR", "key"]).await.is_err());
        ask_by(proxy.port(), &["GET", "key"]).await.unwrap();
    }
    assert_eq!((failed, proxy.lost(), &*get(&redis, "key")), (2, 2, "6"));
}

#[tokio::test]
async fn a_network_holds_swallows_resets_and_is_slow() {
    let redis = One::start(Log::None);
    let proxy = Proxy::of(redis.port()).await;
    let port = proxy.port();
    assert_eq!(ask_by(port, &["INCR", "key"]).await.unwrap(), Value::Integer(1));
    proxy.set(Network::Slow(Duration::from_millis(300)));
    let started = Instant::now();
    assert_eq!(ask_by(port, &["INCR", "key"]).await.unwrap(), Value::Integer(2));
    assert!(started.elapsed() >= Duration::from_millis(300));

    proxy.set(Network::Holds);
    let waiting = tokio::spawn(ask_by(port, &["INCR", "key"]));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished());
    proxy.set(Network::Works);
    assert_eq!(waiting.await.unwrap().unwrap(), Value::Integer(3));

    proxy.set(Network::Swallows);
    let lost = tokio::spawn(ask_by(port, &["INCR", "key"]));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!lost.is_finished());
    proxy.set(Network::Works);
    lost.await.unwrap().unwrap_err();
    for network in [Network::HalfClosed, Network::Resets] {
        proxy.set(network);
        let lost = ask_by(port, &["INCR", "key"]).await.unwrap_err();
        // The client hears of it, other than by its own patience.
        assert!(![ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&lost.kind()), "{network:?}: {lost}");
        proxy.set(Network::Works);
    }
    assert_eq!(get(&redis, "key"), "3");
    assert_eq!(ask_by(port, &["INCR", "key"]).await.unwrap(), Value::Integer(4));
}

#[tokio::test]
async fn a_fake_answers_as_it_is_told() {
    let redis = One::start(Log::None);
    let fake = Fake::of(redis.port(), is_increment).await;
    let port = fake.port();
    let error = Answer::Error("OOM command not allowed".to_owned());
    fake.answer([error, Answer::Bytes(b"$3\r\nabc\r\n"), Answer::Half(b"$30\r\nabc")]);
    assert_eq!(ask_by(port, &["GET", "key"]).await.unwrap(), Value::Nothing);
    let oom = ask_by(port, &["INCR", "key"]).await.unwrap();
    assert_eq!(oom, Value::Error("OOM command not allowed".to_owned()));
    assert_eq!(ask_by(port, &["INCR", "key"]).await.unwrap(), Value::Bytes(b"abc".to_vec()));
    ask_by(port, &["INCR", "key"]).await.unwrap_err();
    assert_eq!(ask_by(port, &["INCR", "key"]).await.unwrap(), Value::Integer(1));
    fake.answer([Answer::Bytes(b"+never\r\n")]);
    fake.stop();
    assert_eq!(ask_by(port, &["INCR", "key"]).await.unwrap(), Value::Integer(2));
    assert_eq!(fake.given(), 3);
}
