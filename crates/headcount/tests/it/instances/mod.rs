//! Several real servers, one Redis, one PostgreSQL.

mod fleet;
mod shared;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::app::fresh_directory;
use crate::postgres::Postgres;
use crate::process::Server;
use crate::redis::{Log, One};

/// How long anything may take that a test waits for.
const DEADLINE: Duration = Duration::from_secs(30);
const PLACE: &str = "app_name=myapp&channel=stable&platform=darwin&arch=amd64";

/// Asks until the answer is as it should be.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !is_so().await {
        assert!(started.elapsed() < DEADLINE, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What all instances share.
struct Site {
    redis_url: String,
    database_url: String,
    _redis: One,
    _postgres: Postgres,
}

impl Site {
    async fn start() -> Self {
        let (redis, postgres) = (One::start(Log::Kept), Postgres::start().await);
        let redis_url = format!("redis://127.0.0.1:{}", redis.port());
        Self { redis_url, database_url: postgres.url(), _redis: redis, _postgres: postgres }
    }

    /// Settings with time for each commit, however busy the machine is.
    fn settings(&self) -> [(&str, &str); 5] {
        [
            ("REDIS_URL", &self.redis_url),
            ("DATABASE_URL", &self.database_url),
            ("ENABLE_TELEMETRY", "true"),
            ("HEADCOUNT_LOG", "warn"),
            ("HEADCOUNT_COMMIT_WAIT_MS", "10000"),
        ]
    }

    /// An instance with a disk of its own.
    fn instance(&self) -> Instance {
        self.instance_on(fresh_directory())
    }

    fn instance_on(&self, folder: PathBuf) -> Instance {
        let server = Server::start(&folder, &self.settings(), &[]);
        Instance { server, folder }
    }
}

/// One server and its disk.
struct Instance {
    server: Server,
    folder: PathBuf,
}

impl Instance {
    /// Stops it as an operator does; it exits with 0.
    fn stop(mut self) -> PathBuf {
        self.server.signal("TERM");
        let (status, _) = self.server.wait();
        assert_eq!(status.code(), Some(0), "{}", self.server.log());
        self.folder
    }

    fn kill(mut self) -> PathBuf {
        self.server.kill();
        self.folder
    }

    async fn post(&self, token: &str, path: &str, body: &Value) -> (u16, Value) {
        let request = reqwest::Client::new().post(self.server.url(path)).json(body);
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        let reply = request.send().await.unwrap();
        (reply.status().as_u16(), reply.json().await.unwrap())
    }

    async fn get(&self, token: &str, path: &str) -> (u16, Value) {
        let reply = reqwest::Client::new().get(self.server.url(path)).bearer_auth(token).send().await.unwrap();
        (reply.status().as_u16(), reply.json().await.unwrap())
    }

    /// Creates the first administrator with the token that this instance printed.
    async fn set_up(&mut self) -> String {
        let [_, line] = self.server.setup_lines();
        let token = line.split('"').nth(3).unwrap();
        let body = json!({"token": token, "username": "acme", "password": "a long password"});
        let (status, reply) = self.post("", "/setup", &body).await;
        assert_eq!(status, 200, "{reply}");
        reply["token"].as_str().unwrap().to_owned()
    }

    /// An app with two releases.
    async fn open_shop(&self, token: &str) {
        let form = reqwest::multipart::Form::new().text("data", json!({"app": "myapp"}).to_string());
        let created = reqwest::Client::new().post(self.server.url("/app/create")).bearer_auth(token).multipart(form);
        assert_eq!(created.send().await.unwrap().status(), 200);
        for (kind, name) in [("channel", "stable"), ("platform", "darwin"), ("arch", "amd64")] {
            let (status, reply) = self.post(token, &format!("/{kind}/create"), &json!({ kind: name })).await;
            assert_eq!(status, 200, "{reply}");
        }
        for version in ["1.0.0", "1.1.0"] {
            self.release(token, version).await;
        }
    }

    async fn release(&self, token: &str, version: &str) {
        let link = format!("https://dl.example.org/myapp-{version}.dmg");
        let release = json!({
            "app_name": "myapp", "version": version, "channel": "stable", "publish": true,
            "artifacts": [{"platform": "darwin", "arch": "amd64", "package": ".dmg", "link": link}],
        });
        let (status, reply) = self.post(token, "/release/create", &release).await;
        assert!(status < 300, "{reply}");
    }

    /// What a check is answered: status, body, and what became of its event.
    async fn ask(&self, device: &str, version: &str) -> (u16, String, String) {
        let url = self.server.url(&format!("/checkVersion?{PLACE}&version={version}"));
        let reply = reqwest::Client::new().get(url).header("X-Device-ID", device).send().await.unwrap();
        let fate = reply.headers().get("headcount").map(|fate| fate.to_str().unwrap().to_owned());
        (reply.status().as_u16(), reply.text().await.unwrap(), fate.unwrap_or_default())
    }

    /// A check that must be recorded.
    async fn check(&self, device: &str, version: &str) {
        let (status, body, fate) = self.ask(device, version).await;
        assert_eq!((status, &*fate), (200, "recorded"), "{body} {}", self.server.log());
    }

    /// Waits until checks are answered as of the catalog.
    async fn knows(&self, version: &str) {
        let newest = async || {
            let (status, body, _) = self.ask("", "1.0.0").await;
            status == 200 && body.contains(version)
        };
        until("the catalog's change is seen", newest).await;
    }

    async fn report(&self, token: &str, query: &str) -> Option<Value> {
        let (status, reply) = self.get(token, &format!("/telemetry?{query}")).await;
        assert!(status == 200 || status == 503, "{reply} {}", self.server.log());
        (status == 200).then_some(reply)
    }
}

/// Requests and devices of a report.
fn counted(report: &Value) -> (u64, u64) {
    let number = |name: &str| report["summary"][name].as_u64().unwrap();
    (number("total_requests"), number("unique_clients"))
}

/// The report of the week once all instances give the same whole one, with these requests and devices.
async fn agreed(instances: &[&Instance], token: &str, expected: (u64, u64)) -> Value {
    let started = Instant::now();
    loop {
        let mut reports = Vec::new();
        for instance in instances {
            reports.push(instance.report(token, "range=week").await);
        }
        if let Some(Some(first)) = reports.first().cloned()
            && reports.iter().all(|report| report.as_ref() == Some(&first))
            && counted(&first) == expected
        {
            return first;
        }
        assert!(started.elapsed() < DEADLINE, "not {expected:?} everywhere: {reports:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Two instances with an administrator, who has a shop.
async fn two(site: &Site) -> (Instance, Instance, String) {
    let one = site.instance();
    let mut two = site.instance();
    let token = two.set_up().await;
    one.open_shop(&token).await;
    two.knows("1.1.0").await;
    (one, two, token)
}
