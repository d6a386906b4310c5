//! A ledger of checks, written by the clients that send them, and its comparison with the reports of the real server.
//!
//! Each check has a device of its own, so that a check that is lost, counted twice or swapped can be told by its name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headcount::store::{DictionaryState, Store};
use headcount_engine::device::{DeviceId, Pseudonym};
use headcount_engine::id::OwnerId;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::{catalog_in, fresh_directory};
use crate::process::Server;

const CLIENTS: usize = 6;
const VERSIONS: [&str; 2] = ["1.0.0", "1.1.0"];
const PLATFORMS: [&str; 2] = ["darwin", "windows"];

/// What a client knows of one of its checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was sent, and no answer came.
    Cut,
    Recorded,
    Unconfirmed,
    Skipped,
}

/// Every check that was ever sent, by its device. No two have the same.
#[derive(Debug, Default, Clone)]
pub(crate) struct Ledger(Arc<Mutex<BTreeMap<String, Fate>>>);

impl Ledger {
    fn write(&self, device: &str, fate: Fate) {
        self.0.lock().unwrap().insert(device.to_owned(), fate);
    }

    pub(crate) fn devices(&self, fates: &[Fate]) -> BTreeSet<String> {
        let checks = self.0.lock().unwrap();
        checks.iter().filter(|(_, fate)| fates.contains(fate)).map(|(device, _)| device.clone()).collect()
    }

    /// What it says now, for later.
    pub(crate) fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.0.lock().unwrap().clone())))
    }

    /// What a copy of the server must hold that was taken between this and the later ledger: what was recorded before,
    /// and perhaps what was sent meanwhile.
    pub(crate) fn until(&self, later: &Self) -> Self {
        let (before, mut checks) = (self.0.lock().unwrap(), later.0.lock().unwrap().clone());
        for (device, fate) in &mut checks {
            if *fate == Fate::Recorded && before.get(device) != Some(&Fate::Recorded) {
                *fate = Fate::Cut;
            }
        }
        Self(Arc::new(Mutex::new(checks)))
    }
}

/// A device that carries which client it is and which of its checks.
fn device(client: usize, check: u64) -> String {
    format!("client-{client}.check-{check:09}")
}

/// The version and the platform that a device has, so that every number of a report can be told from the ledger.
fn cell(device: &str) -> (&'static str, &'static str) {
    let check: usize = device.rsplit('-').next().unwrap().parse().unwrap();
    (VERSIONS[check % 2], PLATFORMS[check / 2 % 2])
}

/// Shipping as often as it can, so that kills fall between its steps; and with these settings.
fn serve(folder: &Path, settings: &[(&str, &str)]) -> Server {
    let often = ("HEADCOUNT_FLUSH_INTERVAL_MS", "50");
    let settings = [&[("ENABLE_TELEMETRY", "true"), ("HEADCOUNT_LOG", "warn"), often], settings].concat();
    Server::start(folder, &settings, &[])
}

pub(crate) struct Shop {
    pub(crate) folder: PathBuf,
    token: String,
}

impl Shop {
    /// The same installation in another folder.
    pub(crate) fn moved_to(&self, folder: PathBuf) -> Self {
        Self { folder, token: self.token.clone() }
    }

    pub(crate) fn serve(&self) -> Server {
        serve(&self.folder, &[])
    }

    /// The same with these settings.
    #[cfg(feature = "failpoints")]
    pub(crate) fn serve_with(&self, settings: &[(&str, &str)]) -> Server {
        serve(&self.folder, settings)
    }

    /// The same with time for each commit, however busy the machine is.
    pub(crate) fn serve_patiently(&self) -> Server {
        let variables =
            [("ENABLE_TELEMETRY", "true"), ("HEADCOUNT_LOG", "warn"), ("HEADCOUNT_COMMIT_WAIT_MS", "10000")];
        Server::start(&self.folder, &variables, &[])
    }

    /// An installation with an app for two platforms.
    pub(crate) async fn open() -> Self {
        let folder = fresh_directory();
        let mut server = serve(&folder, &[]);
        let [_, line] = server.setup_lines();
        let setup =
            json!({"token": line.split('"').nth(3).unwrap(), "username": "acme", "password": "a long password"});
        let token = post(&server, "", "/setup", &setup).await["token"].as_str().unwrap().to_owned();
        let shop = Self { folder, token };
        let form = reqwest::multipart::Form::new().text("data", json!({"app": "myapp"}).to_string());
        let client = reqwest::Client::new();
        let created = client.post(server.url("/app/create")).bearer_auth(&shop.token).multipart(form).send().await;
        assert!(created.unwrap().status().is_success());
        for (kind, name) in
            [("channel", "stable"), ("platform", PLATFORMS[0]), ("platform", PLATFORMS[1]), ("arch", "amd64")]
        {
            post(&server, &shop.token, &format!("/{kind}/create"), &json!({ kind: name })).await;
        }
        for version in VERSIONS {
            let artifacts = PLATFORMS.map(|platform| {
                json!({"platform": platform, "arch": "amd64", "package": ".bin", "link": "https://dl.example.org/myapp"})
            });
            let release = json!({
                "app_name": "myapp", "version": version, "channel": "stable", "publish": true, "artifacts": artifacts,
            });
            post(&server, &shop.token, "/release/create", &release).await;
        }
        server.signal("TERM");
        server.wait();
        shop
    }

    /// Whether there is a report; the server may be gone before it is.
    #[cfg(feature = "failpoints")]
    pub(crate) async fn asks_for_telemetry(&self, server: &Server) -> bool {
        let request = reqwest::Client::new().get(server.url("/telemetry?range=week")).bearer_auth(&self.token);
        request.send().await.is_ok_and(|reply| reply.status() == 200)
    }

    /// The report of the week once there is one, and whether the first try gave it.
    pub(crate) async fn telemetry_at_last(&self, server: &Server) -> (Value, bool) {
        for attempt in 0..100 {
            let request = reqwest::Client::new().get(server.url("/telemetry?range=week")).bearer_auth(&self.token);
            let reply = request.send().await.unwrap();
            if reply.status() == 200 {
                return (reply.json().await.unwrap(), attempt == 0);
            }
            assert_eq!(reply.status(), 503, "{}", server.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("there is no report: {}", server.log());
    }

    pub(crate) async fn telemetry(&self, server: &Server, query: &str) -> Value {
        let url = server.url(&format!("/telemetry?range=week{query}"));
        let reply = reqwest::Client::new().get(url).bearer_auth(&self.token).send().await.unwrap();
        let (status, body) = (reply.status(), reply.text().await.unwrap());
        assert!(status.is_success(), "{status} {body} {}", server.log());
        serde_json::from_str(&body).unwrap()
    }

    /// Compares the report with the ledger, number by number.
    pub(crate) async fn compare(&self, server: &Server, ledger: &Ledger) {
        let recorded = ledger.devices(&[Fate::Recorded]);
        let possible = ledger.devices(&[Fate::Recorded, Fate::Unconfirmed, Fate::Cut]);
        let within = |counted: &Value, of: &dyn Fn(&str) -> bool, what: &str| {
            let count = |devices: &BTreeSet<String>| devices.iter().filter(|device| of(device)).count() as u64;
            let (least, most) = (count(&recorded), count(&possible));
            let counted = counted.as_u64().unwrap();
            assert!((least..=most).contains(&counted), "{what}: {least} <= {counted} <= {most}");
        };
        let report = self.telemetry(server, "").await;
        within(&report["summary"]["total_requests"], &|_| true, "checks");
        // Each device sent one check: one that was counted twice would show here.
        assert_eq!(report["summary"]["total_requests"], report["summary"]["unique_clients"], "{report}");
        assert_eq!(report.get("incomplete"), None, "{report}");
        for platform in PLATFORMS {
            let report = self.telemetry(server, &format!("&platforms={platform}")).await;
            within(&report["summary"]["total_requests"], &|device| cell(device).1 == platform, platform);
            for row in report["versions"]["usage"].as_array().unwrap() {
                let version = row["version"].as_str().unwrap();
                let name = format!("{version} on {platform}");
                within(&row["client_count"], &|device| cell(device) == (version, platform), &name);
            }
        }
    }

    /// Compares the devices themselves. The server must not run.
    pub(crate) async fn compare_devices(&self, ledger: &Ledger) {
        let data = self.folder.join("data");
        let catalog = catalog_in(&data).await;
        let store = Store::open_embedded(&data.join("store.db"), catalog.installation()).await.unwrap();
        let owners = store.owners().await.unwrap();
        let [owner] = owners[..] else { panic!("{owners:?}") };
        let blocks = store.dictionary(owner, DictionaryState::default()).await.unwrap().blocks;
        let counted: Vec<Pseudonym> = blocks.into_iter().flat_map(|block| block.pseudonyms).collect();
        let distinct: BTreeSet<Pseudonym> = counted.iter().copied().collect();
        assert_eq!(distinct.len(), counted.len());
        let pseudonyms = |fates: &[Fate]| pseudonyms(&ledger.devices(fates), &catalog.installation().secret, owner);
        assert!(pseudonyms(&[Fate::Recorded]).is_subset(&distinct), "a recorded device is missing");
        assert!(distinct.is_subset(&pseudonyms(&[Fate::Recorded, Fate::Unconfirmed, Fate::Cut])), "an unknown device");
    }
}

fn pseudonyms(devices: &BTreeSet<String>, secret: &[u8; 32], owner: OwnerId) -> BTreeSet<Pseudonym> {
    devices.iter().map(|device| device.parse::<DeviceId>().unwrap().pseudonym(secret, owner)).collect()
}

async fn post(server: &Server, token: &str, path: &str, body: &Value) -> Value {
    let request = reqwest::Client::new().post(server.url(path)).json(body);
    let request = if token.is_empty() { request } else { request.bearer_auth(token) };
    let reply = request.send().await.unwrap();
    let (status, body) = (reply.status(), reply.text().await.unwrap());
    assert!(status.is_success(), "{path}: {status} {body}");
    serde_json::from_str(&body).unwrap()
}

/// Sends checks until the server is gone: with how many it began and ended.
async fn load(base: String, client: usize, mut check: u64, ledger: Ledger, stop: CancellationToken) -> u64 {
    let http = reqwest::Client::new();
    while !stop.is_cancelled() {
        let device = device(client, check);
        check += 1;
        let (version, platform) = cell(&device);
        let url = format!(
            "{base}/checkVersion?app_name=myapp&version={version}&channel=stable&platform={platform}&arch=amd64"
        );
        ledger.write(&device, Fate::Cut);
        let Ok(reply) = http.get(url).header("X-Device-ID", &device).send().await else { break };
        // The promise comes with the head; a body that is cut does not take it back.
        let fate = reply.headers()["headcount"].to_str().unwrap();
        ledger.write(
            &device,
            match fate {
                "recorded" => Fate::Recorded,
                "unconfirmed" => Fate::Unconfirmed,
                _ => Fate::Skipped,
            },
        );
        _ = reply.bytes().await;
    }
    check
}

pub(crate) struct Clients {
    checks: [u64; CLIENTS],
    pub(crate) ledger: Ledger,
}

/// Sends the check of one device again, and says what became of it.
pub(crate) async fn check_again(server: &Server, device: &str) -> String {
    let (version, platform) = cell(device);
    let url = server
        .url(&format!("/checkVersion?app_name=myapp&version={version}&channel=stable&platform={platform}&arch=amd64"));
    let reply = reqwest::Client::new().get(url).header("X-Device-ID", device).send().await.unwrap();
    reply.headers()["headcount"].to_str().unwrap().to_owned()
}

impl Clients {
    pub(crate) fn new() -> Self {
        Self { checks: [0; CLIENTS], ledger: Ledger::default() }
    }

    /// Loads the server for a while and then does something to it.
    pub(crate) async fn load(&mut self, server: &Server, time: Duration, then: impl FnOnce()) {
        let stop = CancellationToken::new();
        let tasks = self.begin(server, &stop);
        tokio::time::sleep(time).await;
        then();
        // A client whose connection was cut has ended; another one ends with its request.
        stop.cancel();
        self.end(tasks).await;
    }

    /// Loads the server until it is gone, but not for ever.
    #[cfg(feature = "failpoints")]
    pub(crate) async fn load_until_gone(&mut self, server: &mut Server) {
        let stop = CancellationToken::new();
        let tasks = self.begin(server, &stop);
        for _ in 0..1200 {
            if !server.is_running() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        stop.cancel();
        self.end(tasks).await;
    }

    fn begin(&self, server: &Server, stop: &CancellationToken) -> Vec<JoinHandle<u64>> {
        let client = |client: usize| {
            tokio::spawn(load(server.url(""), client, self.checks[client], self.ledger.clone(), stop.clone()))
        };
        (0..CLIENTS).map(client).collect()
    }

    async fn end(&mut self, tasks: Vec<JoinHandle<u64>>) {
        for (client, task) in tasks.into_iter().enumerate() {
            self.checks[client] = task.await.unwrap();
        }
    }

    /// Sends so many checks, one after the other. Each must be recorded.
    #[cfg(feature = "failpoints")]
    pub(crate) async fn record(&mut self, server: &Server, checks: u64) {
        for _ in 0..checks {
            let device = device(0, self.checks[0]);
            self.checks[0] += 1;
            assert_eq!(check_again(server, &device).await, "recorded", "{}", server.log());
            self.ledger.write(&device, Fate::Recorded);
        }
    }
}
