//! The real program where the system gives it little: few open files, small files.

use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use crate::app::{TestApp, fresh_directory};
use crate::http::shop;
use crate::process::Server;

/// Changes a limit of a running process; whether the system has the program for it.
fn limit(server: &Server, limit: &str) -> bool {
    let done = Command::new("prlimit").args(["--pid", &server.pid().to_string(), limit]).status();
    done.is_ok_and(|status| status.success())
}

fn open_files(server: &Server) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count()
}

async fn health(server: &Server) -> bool {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(1)).build().unwrap();
    client.get(server.url("/health")).send().await.is_ok_and(|reply| reply.status().is_success())
}

#[tokio::test]
async fn without_file_descriptors_it_waits_and_goes_on() {
    let server = Server::start(&fresh_directory(), &[("HEADCOUNT_LOG", "debug")], &[]);
    assert!(health(&server).await);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let most = open_files(&server) + 10;
    if !limit(&server, &format!("--nofile={most}:{most}")) {
        println!("skipped: there is no prlimit on this machine");
        return;
    }
    let clients: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    // Each time it waits for longer; without that it would try thousands of times.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let tries = server.log().matches("connections cannot be accepted").count();
    assert!((3..=100).contains(&tries), "{tries}");
    let said = server.log().lines().filter(|line| line.contains("WARN") && line.contains("cannot be accepted")).count();
    assert!((1..=3).contains(&said), "{}", server.log());
    drop(clients);
    let mut answered = false;
    for _ in 0..10 {
        answered = answered || health(&server).await;
    }
    assert!(answered, "{}", server.log());
}

#[test]
fn few_files_mean_few_connections() {
    let folder = fresh_directory();
    let server = Server::start_limited(&folder, "-n 256");
    let said = server.log();
    assert!(said.contains(r#""connections":156"#), "{said}");
}

#[tokio::test]
async fn a_low_limit_of_open_files_is_raised_where_it_may_be() {
    let server = Server::start_limited(&fresh_directory(), "-S -n 128");
    let clients: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
    assert!(health(&server).await, "{}", server.log());
    assert!(!server.log().contains("open files"), "{}", server.log());
    assert!(open_files(&server) > clients.len());
}

#[tokio::test]
async fn files_that_may_not_grow_end_no_process() {
    let app = TestApp::start().await;
    shop::open(&app, "acme").await;
    let data_dir = app.directory().to_owned();
    app.stop().await;
    let arguments = ["--data-dir", data_dir.to_str().unwrap()];
    let mut server = Server::start(&fresh_directory(), &[("ENABLE_TELEMETRY", "true")], &arguments);
    let client = reqwest::Client::new();
    let ask = async |server: &Server, device: &str| {
        let path = "/checkVersion?app_name=myapp&version=1.0.0&channel=stable&platform=darwin&arch=amd64";
        let reply = client.get(server.url(path)).header("X-Device-ID", device).send().await.unwrap();
        let said = reply.headers()["headcount"].to_str().unwrap().to_owned();
        (reply.status().as_u16(), said, reply.text().await.unwrap())
    };
    let first = ask(&server, "device-0001").await;
    assert_eq!((first.0, first.1.as_str()), (200, "recorded"));
    if !limit(&server, "--fsize=4096:unlimited") {
        println!("skipped: there is no prlimit on this machine");
        return;
    }
    let mut outcomes = Vec::new();
    for device in 0..40 {
        let (status, said, body) = ask(&server, &format!("device-1{device:03}")).await;
        assert_eq!((status, &body), (200, &first.2));
        outcomes.push(said);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(outcomes.iter().any(|said| said == "skipped; reason=disk"), "{outcomes:?}");
    assert!(limit(&server, "--fsize=unlimited:unlimited"));
    let mut recorded = false;
    for device in 0..100 {
        recorded = recorded || ask(&server, &format!("device-2{device:03}")).await.1 == "recorded";
        tokio::time::sleep(Duration::from_millis(if recorded { 0 } else { 50 })).await;
    }
    assert!(recorded, "{}", server.log());
    server.signal("TERM");
    assert_eq!(server.wait().0.code(), Some(0), "{}", server.log());
}
