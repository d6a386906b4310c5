//! Errors that Redis answers, and answers that are none.

use std::time::{Duration, Instant};

use super::Site;
use crate::redis::fake::{Answer, Fake};
use crate::redis::node::until;
use crate::redis::one::{Log, One};
use crate::redis::proxy::is_script;

/// What a Redis that cannot or may not do something says.
const ERRORS: [&str; 15] = [
    "OOM command not allowed when used memory > 'maxmemory'.",
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
    "READONLY You can't write against a read only replica.",
    "LOADING Redis is loading the dataset in memory",
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "NOREPLICAS Not enough good replicas to write.",
    "CLUSTERDOWN The cluster is down",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "MOVED 1 127.0.0.1:1",
    "ASK 1 127.0.0.1:1",
    "NOSCRIPT No matching script. Please use EVAL.",
    "NOPERM this user has no permissions to run the 'evalsha' command",
    "NOAUTH Authentication required.",
    "WRONGTYPE Operation against a key holding the wrong kind of value",
];

/// Answers that no Redis gives.
const NO_ANSWERS: [&[u8]; 4] = [b"+OK\r\n", b"$-1\r\n", b"*2\r\n:1\r\n", b"\x00\xffHTTP/1.1 400 Bad Request\r\n\r\n"];

/// How often each answer is given.
const TIMES: usize = 3;

/// Waits until the answers are given, and what was recorded is counted nevertheless.
async fn answered(site: &mut Site, server: &crate::process::Server, fake: &Fake, answer: Answer) {
    let (before, given, started) = (site.clients.take_times(), fake.given(), Instant::now());
    let what = format!("{answer:.40?}");
    fake.answer(std::iter::repeat_n(answer, TIMES));
    let load = site.clients.begin(server);
    while fake.given() < given + TIMES {
        assert!(started.elapsed() < Duration::from_mins(1), "{what}: it does not ask again: {}", server.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    site.clients.end(load).await;
    super::print_times(&what, &before, &site.clients.take_times());
    site.assert_counted(&[server]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_error_of_a_script_passes() {
    let (redis, mut site) = (One::start(Log::Kept), Site::open().await);
    let fake = Fake::of(redis.port(), is_script).await;
    let server = site.serve(&fake.url());
    site.load(&server).await;
    site.assert_counted(&[&server]).await;
    for error in ERRORS {
        answered(&mut site, &server, &fake, Answer::Error(error.to_owned())).await;
    }
    for word in ["maxmemory", "no permissions", "Authentication required", "wrong kind of value"] {
        assert!(server.log().contains(word), "{word} is in no line of {}", server.log());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_that_is_none_passes() {
    let (redis, mut site) = (One::start(Log::Kept), Site::open().await);
    let fake = Fake::of(redis.port(), is_script).await;
    let server = site.serve(&fake.url());
    site.load(&server).await;
    site.assert_counted(&[&server]).await;
    for bytes in NO_ANSWERS {
        answered(&mut site, &server, &fake, Answer::Bytes(bytes)).await;
        answered(&mut site, &server, &fake, Answer::Half(bytes)).await;
    }
    answered(&mut site, &server, &fake, Answer::Half(b"$5000\r\nhalf a")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_refuses_everything_for_a_while() {
    let (redis, mut site) = (One::start(Log::Kept), Site::open().await);
    let fake = Fake::of(redis.port(), |_| true).await;
    let server = site.serve(&fake.url());
    for error in ["LOADING Redis is loading the dataset in memory", "NOAUTH Authentication required."] {
        let given = fake.given();
        fake.answer(std::iter::repeat_n(Answer::Error(error.to_owned()), 1000));
        let refused = || {
            std::thread::sleep(Duration::from_millis(700));
            until("it asks again", || fake.given() > given + 2);
        };
        site.under_load(&server, error, refused).await;
        fake.stop();
        site.assert_counted(&[&server]).await;
    }
}
