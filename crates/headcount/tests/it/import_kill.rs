//! Server and client are killed in the middle of an import: it goes on, and every line counts once.

use std::path::Path;
use std::time::{Duration, Instant};

use headcount::clock::Clock;
use serde_json::Value;

use crate::app::fresh_directory;
use crate::fleet::{administrator, lines};
use crate::process::{Done, Server, run, spawn};

const TELEMETRY: [(&str, &str); 1] = [("ENABLE_TELEMETRY", "true")];
const LINES: u32 = 80_000;
const KILLS: u32 = 5;
/// How long an import may take to get on.
const DEADLINE: Duration = Duration::from_mins(1);

async fn report(server: &Server, token: &str, filter: &str) -> Value {
    let today = Clock::wall().now().day();
    let path = format!("/telemetry?from={}&to={}{filter}", today.plus(-7), today);
    let request = reqwest::Client::new().get(server.url(&path)).bearer_auth(token);
    request.send().await.unwrap().json().await.unwrap()
}

async fn reports(server: &Server, token: &str) -> Vec<Value> {
    let mut reports = Vec::new();
    for filter in ["", "&apps=desk", "&apps=tool&platforms=linux", "&channels=beta&architectures=arm64"] {
        reports.push(report(server, token, filter).await);
    }
    reports
}

/// Counted checks: an import gets on where they grow.
async fn counted(server: &Server, token: &str) -> u64 {
    let started = Instant::now();
    loop {
        // A server that has to catch up first says so.
        if let Some(requests) = report(server, token, "").await["summary"]["total_requests"].as_u64() {
            return requests;
        }
        assert!(started.elapsed() < DEADLINE, "{}", server.log());
    }
}

fn arguments<'a>(file: &'a str, server: &'a str) -> [&'a str; 5] {
    ["import", "checks", file, "--server", server]
}

async fn undisturbed(folder: &Path) -> (Done, Vec<Value>) {
    let server = Server::start(folder, &TELEMETRY, &[]);
    let token = administrator(folder, &server).await;
    let done = run(folder, &[("HEADCOUNT_TOKEN", &token)], &arguments("../fleet.ndjson", &server.url("")), b"");
    (done, reports(&server, &token).await)
}

#[tokio::test]
async fn an_import_goes_on_where_it_was_killed() {
    let folder = fresh_directory();
    std::fs::write(folder.join("fleet.ndjson"), lines(LINES).join("\n")).unwrap();
    for name in ["whole", "killed"] {
        std::fs::create_dir(folder.join(name)).unwrap();
    }
    let expected = undisturbed(&folder.join("whole")).await;
    assert_eq!(expected.0, Done::said(&format!("accepted {LINES} lines, rejected 0\n")));
    assert_eq!(expected.1[0]["summary"]["total_requests"], LINES);

    let folder = folder.join("killed");
    let mut server = Server::start(&folder, &TELEMETRY, &[]);
    let token = administrator(&folder, &server).await;
    let with_token = [("HEADCOUNT_TOKEN", token.as_str())];
    let (mut before, mut in_the_middle) = (0, 0);
    for kill in 0..KILLS {
        let mut client = spawn(&folder, &with_token, &arguments("../fleet.ndjson", &server.url("")));
        let started = Instant::now();
        while counted(&server, &token).await <= before && client.is_running() {
            assert!(started.elapsed() < DEADLINE, "{}", server.log());
        }
        // Somewhere in the next chunk.
        tokio::time::sleep(Duration::from_millis(u64::from(kill) * 23)).await;
        if kill % 2 == 0 {
            client.kill();
        }
        server.kill();
        client.kill();
        server = Server::start(&folder, &TELEMETRY, &[]);
        before = counted(&server, &token).await;
        in_the_middle += u32::from(before > 0 && before < u64::from(LINES));
    }
    assert!(in_the_middle > 0, "all was imported before the first kill");
    let done = run(&folder, &with_token, &arguments("../fleet.ndjson", &server.url("")), b"");
    assert_eq!((done, reports(&server, &token).await), expected);
}
