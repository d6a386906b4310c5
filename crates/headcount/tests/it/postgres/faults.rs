//! Faults of the catalog database under load: no check fails or loses its record, and everything else comes back.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;
use sqlx::{AnyConnection, Connection as _};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::away::{counted, login, on, recorded, unavailable, until};
use super::server::Postgres;
use crate::app::{Caller, TestApp};
use crate::effort;
use crate::http::shop;

/// Sends checks, each by another device, until it is told to stop: how many were recorded. None may be answered otherwise.
fn check_on(app: &Arc<TestApp>) -> (CancellationToken, JoinHandle<u64>) {
    let (app, stop) = (app.clone(), CancellationToken::new());
    let told = stop.clone();
    let checks = tokio::spawn(async move {
        let mut sent = 0;
        while !told.is_cancelled() {
            sent += 1;
            let path = "/checkVersion?app_name=myapp&version=1.0.0&channel=stable&platform=darwin&arch=x64";
            let reply = app.request("GET", path).header("X-Device-ID", &format!("device-{sent:09}")).send().await;
            assert_eq!((reply.status, reply.header("headcount")), (200, Some("recorded")), "{reply:?}");
        }
        sent
    });
    (stop, checks)
}

const TERMINATE: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                         WHERE datname = 'headcount' AND pid <> pg_backend_pid()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_of_the_database_cost_no_check() {
    let mut random = StdRng::seed_from_u64(effort::seed());
    let mut server = Postgres::start().await;
    let app = Arc::new(on(&server).await);
    let token = shop::open(&app, "acme").await.token().to_owned();
    let (stop, checks) = check_on(&app);
    for round in 0..effort::rounds(4, 100) {
        server.stop().await;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..1500))).await;
        server.start_again().await;
        until("logins come back", async || login(&app).await.status == 200).await;
        for _ in 0..3 {
            server.run(TERMINATE).await;
            tokio::time::sleep(Duration::from_millis(random.random_range(0..200))).await;
        }
        let acme = Caller::known(&app, &token);
        let release = shop::on_stable(&format!("2.0.{round}"), &json!({}));
        until("writes come back", async || matches!(acme.post("/release/create", &release).await.status, 200 | 409))
            .await;
        until("checks see them", async || recorded(&app).await.contains(&format!("2.0.{round}"))).await;
    }
    stop.cancel();
    let sent = checks.await.unwrap();
    assert!(sent > 50, "the load was too small to mean anything");
    let acme = Caller::known(&app, &token);
    let (requests, devices) = counted(&acme).await;
    // And one device more, which asked for the new releases.
    assert_eq!(devices, sent + 1);
    assert!(requests > sent, "{requests} {sent}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_stands_still_hangs_no_request() {
    let server = Postgres::start().await;
    let app = Arc::new(on(&server).await);
    let token = shop::open(&app, "acme").await.token().to_owned();
    let (stop, checks) = check_on(&app);
    server.signal("STOP");
    // Those that are under way end by the time limit of a request; as soon as it is known, there is no waiting.
    until("it is known", async || login(&app).await.both() == unavailable()).await;
    let whoami = async || app.request("GET", "/whoami").bearer(&token).send().await;
    assert_eq!(whoami().await.both(), unavailable());
    server.signal("CONT");
    until("logins come back", async || login(&app).await.status == 200).await;
    assert_eq!(whoami().await.status, 200);
    stop.cancel();
    let sent = checks.await.unwrap();
    assert_eq!(counted(&Caller::known(&app, &token)).await, (sent, sent));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_somebody_locks_hangs_no_request() {
    let server = Postgres::start().await;
    let app = Arc::new(on(&server).await);
    let token = shop::open(&app, "acme").await.token().to_owned();
    let (stop, checks) = check_on(&app);
    let mut holder = AnyConnection::connect(&server.url()).await.unwrap();
    let mut held = holder.begin().await.unwrap();
    sqlx::query("LOCK TABLE installation IN ACCESS EXCLUSIVE MODE").execute(&mut *held).await.unwrap();
    assert_eq!(login(&app).await.both(), unavailable());
    // What needs no write goes on.
    assert_eq!(app.request("GET", "/whoami").bearer(&token).send().await.status, 200);
    held.rollback().await.unwrap();
    until("logins come back", async || login(&app).await.status == 200).await;
    stop.cancel();
    let sent = checks.await.unwrap();
    assert_eq!(counted(&Caller::known(&app, &token)).await, (sent, sent));
}
