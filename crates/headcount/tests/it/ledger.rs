//! A ledger of checks, written by the clients that send them, and its comparison with the reports of the real server.
//!
//! Each check has a device of its own, so that a check that is lost, counted twice or swapped can be told by its name.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use headcount::config::RedisSettings;
use headcount::installation::Installation;
use headcount::retention::Retention;
use headcount::store::{DictionaryState, Store};
use headcount_engine::device::{DeviceId, Pseudonym};
use headcount_engine::id::OwnerId;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::{catalog_in, fresh_directory};
use crate::process::Server;

const CLIENTS: usize = 6;
const LINK: &str = "https://dl.example.org/myapp";
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

    /// What must be there after something happened between this and the later ledger that took of these devices what it
    /// could: what was recorded before, and perhaps what was sent meanwhile.
    pub(crate) fn until(&self, later: &Self, of: impl Fn(&str) -> bool) -> Self {
        let (before, mut checks) = (self.0.lock().unwrap(), later.0.lock().unwrap().clone());
        for (device, fate) in &mut checks {
            if *fate == Fate::Recorded && of(device) && before.get(device) != Some(&Fate::Recorded) {
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
            let artifacts = PLATFORMS
                .map(|platform| json!({"platform": platform, "arch": "amd64", "package": ".bin", "link": LINK}));
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
            if let Some(report) = self.try_telemetry(server).await {
                return (report, attempt == 0);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("there is no report: {}", server.log());
    }

    /// The report of the week, unless the store cannot be read now.
    pub(crate) async fn try_telemetry(&self, server: &Server) -> Option<Value> {
        let request = reqwest::Client::new().get(server.url("/telemetry?range=week")).bearer_auth(&self.token);
        let reply = request.send().await.unwrap();
        if reply.status() == 200 {
            return Some(reply.json().await.unwrap());
        }
        assert_eq!(reply.status(), 503, "{}", server.log());
        None
    }

    pub(crate) async fn telemetry(&self, server: &Server, query: &str) -> Value {
        let url = server.url(&format!("/telemetry?range=week{query}"));
        let mut attempt = 0;
        loop {
            let reply = reqwest::Client::new().get(&url).bearer_auth(&self.token).send().await.unwrap();
            let (status, body) = (reply.status(), reply.text().await.unwrap());
            // A disk may stand still for longer than a report waits for it.
            if status == 503 && attempt < 100 {
                attempt += 1;
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
            assert!(status.is_success(), "{status} {body} {}", server.log());
            return serde_json::from_str(&body).unwrap();
        }
    }

    /// Compares the report with the ledger, number by number.
    pub(crate) async fn compare(&self, server: &Server, ledger: &Ledger) {
        assert_eq!(self.lacking(server, ledger).await, [""; 0]);
    }

    /// Compares the report with the ledger, number by number: nothing is counted that was not sent. Tells what is not
    /// counted and was recorded: another instance may be about to count it.
    pub(crate) async fn lacking(&self, server: &Server, ledger: &Ledger) -> Vec<String> {
        let recorded = ledger.devices(&[Fate::Recorded]);
        let possible = ledger.devices(&[Fate::Recorded, Fate::Unconfirmed, Fate::Cut]);
        let mut lacking = Vec::new();
        let mut within = |counted: &Value, of: &dyn Fn(&str) -> bool, what: &str| {
            let count = |devices: &BTreeSet<String>| devices.iter().filter(|device| of(device)).count() as u64;
            let (least, most) = (count(&recorded), count(&possible));
            let counted = counted.as_u64().unwrap();
            assert!(counted <= most, "{what}: {counted} <= {most}");
            if counted < least {
                lacking.push(format!("{what}: {least} <= {counted}"));
            }
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
        lacking
    }

    /// Compares the devices themselves. The server must not run.
    pub(crate) async fn compare_devices(&self, ledger: &Ledger) {
        let data = self.folder.join("data");
        let catalog = catalog_in(&data).await;
        let store = Store::open_embedded(&data.join("store.db"), catalog.installation()).await.unwrap();
        compare_devices(&store, catalog.installation(), ledger).await;
    }

    /// The same for a store in a Redis.
    pub(crate) async fn compare_devices_in(&self, redis: &str, ledger: &Ledger) {
        let catalog = catalog_in(&self.folder.join("data")).await;
        let settings = RedisSettings {
            target: redis.parse().unwrap(),
            sentinel_password: None,
            ca_file: None,
            prefix: "hc".to_owned(),
            retention: Retention::of_installation(30),
            replay_window: Duration::from_hours(24),
        };
        let store = Store::open_redis(settings, catalog.installation()).await.unwrap();
        compare_devices(&store, catalog.installation(), ledger).await;
    }
}

async fn compare_devices(store: &Store, installation: &Installation, ledger: &Ledger) {
    let owners = store.owners().await.unwrap();
    let [owner] = owners[..] else { panic!("{owners:?}") };
    let blocks = store.dictionary(owner, DictionaryState::default()).await.unwrap().blocks;
    let counted: Vec<Pseudonym> = blocks.into_iter().flat_map(|block| block.pseudonyms).collect();
    let distinct: BTreeSet<Pseudonym> = counted.iter().copied().collect();
    assert_eq!(distinct.len(), counted.len());
    let pseudonyms = |fates: &[Fate]| pseudonyms(&ledger.devices(fates), &installation.secret, owner);
    assert!(pseudonyms(&[Fate::Recorded]).is_subset(&distinct), "a recorded device is missing");
    assert!(distinct.is_subset(&pseudonyms(&[Fate::Recorded, Fate::Unconfirmed, Fate::Cut])), "an unknown device");
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

/// What a check of that version is answered, whatever becomes of its event.
fn answer(version: &str) -> Value {
    match version {
        "1.0.0" => json!({"critical": false, "update_available": true, "update_url_bin": LINK}),
        _ => json!({"critical": false, "possible_rollback": false, "update_available": false, "update_url_bin": LINK}),
    }
}

/// One client of a server.
struct Client {
    number: usize,
    // How many checks it has sent.
    checks: u64,
    // What lies between two of them.
    pause: Duration,
    // How long each took that was answered.
    times: Vec<Duration>,
    ledger: Ledger,
}

impl Client {
    /// Sends checks until the server is gone, or it is told to stop.
    async fn run(mut self, base: String, stop: CancellationToken) -> Self {
        let http = reqwest::Client::new();
        while !stop.is_cancelled() {
            let device = device(self.number, self.checks);
            self.checks += 1;
            let (version, platform) = cell(&device);
            let url = format!(
                "{base}/checkVersion?app_name=myapp&version={version}&channel=stable&platform={platform}&arch=amd64"
            );
            self.ledger.write(&device, Fate::Cut);
            let started = Instant::now();
            let Ok(reply) = http.get(url).header("X-Device-ID", &device).send().await else { break };
            self.times.push(started.elapsed());
            assert_eq!(reply.status(), 200, "{device}");
            // The promise comes with the head; a body that is cut does not take it back.
            let fate = reply.headers()["headcount"].to_str().unwrap();
            self.ledger.write(
                &device,
                match fate {
                    "recorded" => Fate::Recorded,
                    "unconfirmed" => Fate::Unconfirmed,
                    _ => Fate::Skipped,
                },
            );
            if let Ok(body) = reply.bytes().await {
                assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), answer(version), "{device}");
            }
            if !self.pause.is_zero() {
                _ = stop.run_until_cancelled(tokio::time::sleep(self.pause)).await;
            }
        }
        self
    }
}

/// Some clients, whose checks go on where those before ended.
pub(crate) struct Clients {
    clients: Vec<Client>,
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

/// Checks that are being sent.
pub(crate) struct Load {
    clients: Vec<JoinHandle<Client>>,
    stop: CancellationToken,
}

impl Clients {
    pub(crate) fn new() -> Self {
        Self::writing(Ledger::default(), 0..CLIENTS, Duration::ZERO)
    }

    /// Clients of those numbers that pause between two checks, and write to a ledger that others write to as well.
    pub(crate) fn writing(ledger: Ledger, numbers: Range<usize>, pause: Duration) -> Self {
        let client = |number| Client { number, checks: 0, pause, times: Vec::new(), ledger: ledger.clone() };
        Self { clients: numbers.map(client).collect(), ledger }
    }

    /// Lets them send checks until they are ended.
    pub(crate) fn begin(&mut self, server: &Server) -> Load {
        let stop = CancellationToken::new();
        let run = |client: Client| tokio::spawn(client.run(server.url(""), stop.clone()));
        Load { clients: self.clients.drain(..).map(run).collect(), stop }
    }

    /// A client whose connection was cut has ended already; another one ends with its request.
    pub(crate) async fn end(&mut self, load: Load) {
        load.stop.cancel();
        for client in load.clients {
            self.clients.push(client.await.unwrap());
        }
    }

    /// Loads the server for a while and then does something to it.
    pub(crate) async fn load(&mut self, server: &Server, time: Duration, then: impl FnOnce()) {
        let load = self.begin(server);
        tokio::time::sleep(time).await;
        then();
        self.end(load).await;
    }

    /// Loads the server until it is gone, but not for ever.
    #[cfg(feature = "failpoints")]
    pub(crate) async fn load_until_gone(&mut self, server: &mut Server) {
        let load = self.begin(server);
        for _ in 0..1200 {
            if !server.is_running() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.end(load).await;
    }

    /// How long the answers took since the last question, in order.
    pub(crate) fn take_times(&mut self) -> Vec<Duration> {
        let mut times: Vec<Duration> =
            self.clients.iter_mut().flat_map(|client| std::mem::take(&mut client.times)).collect();
        times.sort_unstable();
        times
    }

    /// Sends so many checks, one after the other. Each must be recorded.
    #[cfg(feature = "failpoints")]
    pub(crate) async fn record(&mut self, server: &Server, checks: u64) {
        for _ in 0..checks {
            let client = &mut self.clients[0];
            let device = device(client.number, client.checks);
            client.checks += 1;
            assert_eq!(check_again(server, &device).await, "recorded", "{}", server.log());
            self.ledger.write(&device, Fate::Recorded);
        }
    }
}
