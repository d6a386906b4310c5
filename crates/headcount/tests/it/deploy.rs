//! The files of `deploy/`: that they fit the program, and that what they describe works.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use headcount::config::SETTINGS;
use serde_json::{Value, json};
use yaml_rust2::{Yaml, YamlLoader};

use crate::app::fresh_directory;
use crate::postgres::Postgres;
use crate::process::Server;
use crate::readme::document;
use crate::redis::{Log, One, free_port};

/// How long anything may take that a test waits for.
const DEADLINE: Duration = Duration::from_secs(30);
const NETWORK: &str = "172.30.90.0/24";

/// A file that this project wrote, with what `<<` brings.
fn compose() -> Yaml {
    merged(&YamlLoader::load_from_str(&document("deploy/compose.yaml")).unwrap()[0])
}

fn merged(yaml: &Yaml) -> Yaml {
    if let Some(hash) = yaml.as_hash() {
        let mut hash = hash.clone();
        let base = hash.remove(&Yaml::String("<<".to_owned()));
        for (key, value) in base.iter().filter_map(Yaml::as_hash).flatten() {
            hash.entry(key.clone()).or_insert(value.clone());
        }
        Yaml::Hash(hash.into_iter().map(|(key, value)| (key, merged(&value))).collect())
    } else if let Some(values) = yaml.as_vec() {
        Yaml::Array(values.iter().map(merged).collect())
    } else {
        yaml.clone()
    }
}

fn fields(yaml: &Yaml) -> BTreeMap<String, &Yaml> {
    yaml.as_hash().into_iter().flatten().map(|(key, value)| (key.as_str().unwrap().to_owned(), value)).collect()
}

fn texts(yaml: &Yaml) -> Vec<String> {
    yaml.as_vec().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn text(yaml: &Yaml) -> &str {
    yaml.as_str().unwrap_or_else(|| panic!("no text: {yaml:?}"))
}

/// The names that a text takes from `.env`.
fn variables(text: &str) -> BTreeSet<String> {
    let after = text.split("${").skip(1);
    after.map(|rest| rest.split([':', '}']).next().unwrap().to_owned()).collect()
}

/// The text as Compose fills it in.
fn filled(text: &str, values: &BTreeMap<&str, String>) -> String {
    let mut parts = text.split("${");
    let mut filled = parts.next().unwrap().to_owned();
    for part in parts {
        let (variable, rest) = part.split_once('}').unwrap();
        let (name, or_else) = variable.split_once(':').unwrap();
        match values.get(name) {
            Some(value) => filled.push_str(value),
            None => assert_eq!(or_else, "-", "{name} is needed"),
        }
        filled.push_str(rest);
    }
    filled
}

fn is_setting(name: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.variable == name || setting.aliases.contains(&name))
}

/// The services that run this program.
fn instances(compose: &Yaml) -> Vec<String> {
    let services = fields(&compose["services"]);
    services
        .into_iter()
        .filter(|(_, service)| service["image"].as_str() == Some("headcount"))
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn instances_are_given_settings_that_there_are() {
    let compose = compose();
    let names = instances(&compose);
    assert_eq!(names, ["headcount-1", "headcount-2"]);
    for name in names {
        let environment = fields(&compose["services"][&*name]["environment"]);
        assert!(environment.contains_key("REDIS_URL") && environment.contains_key("DATABASE_URL"));
        for setting in environment.keys() {
            assert!(is_setting(setting), "{setting} is no setting");
        }
    }
    let image = document("deploy/Dockerfile");
    let in_image: Vec<&str> = image.lines().filter_map(|line| line.strip_prefix("ENV ")).collect();
    for pair in in_image.iter().flat_map(|line| line.split(' ')) {
        assert!(is_setting(pair.split('=').next().unwrap()), "{pair} is no setting");
    }
    assert!(image.contains("HEADCOUNT_LISTEN=0.0.0.0:9000"));
    let version = image.split("rust:").nth(1).unwrap().split('-').next().unwrap();
    assert!(document("Cargo.toml").contains(&format!("rust-version = \"{version}\"")), "{version}");
    let unit = document("deploy/headcount.service");
    for variable in unit.lines().filter_map(|line| line.strip_prefix("Environment=")) {
        assert!(is_setting(variable.split('=').next().unwrap()), "{variable} is no setting");
    }
}

#[test]
fn names_in_compose_are_those_of_something() {
    let text_of = document("deploy/compose.yaml");
    let compose = compose();
    let services = fields(&compose["services"]);
    let volumes: BTreeSet<String> = fields(&compose["volumes"]).into_keys().collect();
    let mut used = BTreeMap::<String, Vec<String>>::new();
    for (name, service) in &services {
        for volume in texts(&service["volumes"]) {
            let (source, _) = volume.split_once(':').unwrap();
            if source.starts_with('.') {
                assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(source).exists(), "{source}");
            } else {
                used.entry(source.to_owned()).or_default().push(name.clone());
            }
        }
        for other in texts(&service["depends_on"]) {
            assert!(services.contains_key(&other), "{other}");
        }
        let built = service["build"]["dockerfile"].as_str();
        assert!(built.is_none_or(|file| file == "deploy/Dockerfile"), "{built:?}");
        let image = service["image"].as_str().unwrap();
        // Each image of others has a version.
        assert!(built.is_some() || image.contains(':'), "{image}");
    }
    // No two instances share a journal.
    assert!(used.values().all(|users| users.len() == 1), "{used:?}");
    assert_eq!(used.into_keys().collect::<BTreeSet<_>>(), volumes);

    let example = document("deploy/compose.env.example");
    let offered: BTreeSet<String> =
        example.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name.to_owned()).collect();
    let comments_aside: String = text_of.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    assert_eq!(variables(&comments_aside), offered);

    let balancer = document("deploy/haproxy.cfg");
    let servers: Vec<&str> = balancer.lines().filter_map(|line| line.trim().strip_prefix("server ")).collect();
    assert_eq!(servers, ["headcount-1 headcount-1:9000", "headcount-2 headcount-2:9000"]);
    let subnet = text(&compose["networks"]["default"]["ipam"]["config"][0]["subnet"]);
    let trusted = text(&compose["x-instance"]["environment"]["HEADCOUNT_TRUSTED_PROXIES"]);
    assert_eq!((subnet, trusted), (NETWORK, NETWORK));
}

/// What the program says, or nothing where it is not installed.
#[expect(clippy::print_stdout, reason = "it says what the test leaves out")]
fn output(command: &mut Command) -> Option<Output> {
    match command.output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("not checked: {command:?} is not installed");
            None
        }
        Err(error) => panic!("{command:?}: {error}"),
    }
}

fn assert_good(output: &Output) {
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

#[test]
fn systemd_takes_the_unit() {
    let file = fresh_directory().join("headcount.service");
    let unit = document("deploy/headcount.service");
    std::fs::write(&file, unit.replace("/usr/local/bin/headcount", env!("CARGO_BIN_EXE_headcount"))).unwrap();
    if let Some(output) = output(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&file)) {
        assert_good(&output);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // It warns of what it does not know and succeeds.
        assert!(!said.contains("headcount.service:"), "{said}");
    }
}

#[test]
fn haproxy_takes_its_configuration() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/haproxy.cfg");
    if let Some(output) = output(Command::new("haproxy").args(["-c", "-f"]).arg(file)) {
        assert_good(&output);
    }
}

/// A balancer that is killed when the test ends.
struct Balancer {
    child: Child,
    port: u16,
}

impl Balancer {
    fn start(instances: [u16; 2]) -> Self {
        let port = free_port();
        let mut config = document("deploy/haproxy.cfg").replace("bind :9000", &format!("bind 127.0.0.1:{port}"));
        for (number, instance) in (1..).zip(instances) {
            config = config.replace(&format!(" headcount-{number}:9000"), &format!(" 127.0.0.1:{instance}"));
        }
        // Fewer connections than a machine of tests may have files open.
        config = config.replace("maxconn 16384", "maxconn 1000");
        let folder = fresh_directory();
        let file = folder.join("haproxy.cfg");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "haproxy", "-db", "-f"]).arg(&file).stdin(Stdio::null());
        let log = std::fs::File::create(folder.join("log")).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap();
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let said = std::fs::read_to_string(folder.join("log")).unwrap();
            assert!(started.elapsed() < DEADLINE, "haproxy does not serve: {said}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, port }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// The services of `compose.yaml` as processes of this machine.
struct Site {
    environment: Vec<(String, String)>,
    _redis: One,
    _postgres: Postgres,
}

impl Site {
    async fn start() -> Self {
        let secrets = ["POSTGRES_PASSWORD", "REDIS_PASSWORD", "SECRET_KEY", "API_KEY"];
        let secrets: BTreeMap<&str, String> =
            secrets.map(|name| (name, hex::encode(rand::random::<[u8; 24]>()))).into();
        let compose = compose();
        let command = texts(&compose["services"]["redis"]["command"]);
        let flags: Vec<String> = command[1..].iter().map(|flag| filled(flag, &secrets)).collect();
        let flags: Vec<(&str, &str)> =
            flags.chunks(2).map(|pair| (pair[0].strip_prefix("--").unwrap(), &*pair[1])).collect();
        let (redis, postgres) = (One::with(Log::Kept, &flags), Postgres::start().await);
        let address = postgres.url().rsplit_once('@').unwrap().1.split('/').next().unwrap().to_owned();
        let mut environment = Vec::new();
        for (name, value) in fields(&compose["x-instance"]["environment"]) {
            let value = filled(text(value), &secrets)
                .replace("postgres:5432", &address)
                .replace("redis:6379", &format!("127.0.0.1:{}", redis.port()))
                .replace(NETWORK, "127.0.0.1/32");
            environment.push((name, value));
        }
        // Busy as this machine may be, each check is recorded.
        environment.push(("HEADCOUNT_COMMIT_WAIT_MS".to_owned(), "10000".to_owned()));
        Self { environment, _redis: redis, _postgres: postgres }
    }

    fn serve(&self, folder: &Path, port: u16, metrics: &str) -> Server {
        let environment = self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let variables: Vec<(&str, &str)> = environment.chain([("HEADCOUNT_METRICS_LISTEN", metrics)]).collect();
        Server::start_at(folder, &variables, &format!("127.0.0.1:{port}"))
    }
}

async fn post(balancer: &Balancer, token: &str, path: &str, body: &Value) -> Value {
    let request = reqwest::Client::new().post(balancer.url(path)).bearer_auth(token).json(body);
    let reply = request.send().await.unwrap();
    let (status, body) = (reply.status(), reply.text().await.unwrap());
    assert!(status.is_success(), "{path}: {status} {body}");
    serde_json::from_str(&body).unwrap()
}

/// An administrator with a shop, all of it by the balancer: the token.
async fn open_shop(balancer: &Balancer, server: &mut Server) -> String {
    let [_, line] = server.setup_lines();
    let setup = json!({"token": line.split('"').nth(3).unwrap(), "username": "acme", "password": "a long password"});
    let token = post(balancer, "", "/setup", &setup).await["token"].as_str().unwrap().to_owned();
    let form = reqwest::multipart::Form::new().text("data", json!({"app": "myapp"}).to_string());
    let created = reqwest::Client::new().post(balancer.url("/app/create")).bearer_auth(&token).multipart(form);
    assert_eq!(created.send().await.unwrap().status(), 200);
    for (kind, name) in [("channel", "stable"), ("platform", "darwin"), ("arch", "amd64")] {
        post(balancer, &token, &format!("/{kind}/create"), &json!({ kind: name })).await;
    }
    let release = json!({
        "app_name": "myapp", "version": "1.1.0", "channel": "stable", "publish": true,
        "artifacts": [{"platform": "darwin", "arch": "amd64", "package": ".dmg", "link": "https://dl.example.org/m"}],
    });
    post(balancer, &token, "/release/create", &release).await;
    token
}

/// Checks on a connection of its own each time and on one that is kept, until it is told to stop: how many.
async fn load(url: String, client: usize, stop: Arc<AtomicBool>, sent: Arc<AtomicU64>) {
    let kept = reqwest::Client::new();
    for check in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let http = if check % 2 == 0 { kept.clone() } else { reqwest::Client::new() };
        let device = format!("client-{client}.device-{:04}", check % 500);
        let reply = http.get(&url).header("X-Device-ID", device).send().await;
        let reply = reply.unwrap_or_else(|error| panic!("a check failed: {error:?}"));
        let fate = reply.headers().get("headcount").map(|fate| fate.to_str().unwrap().to_owned());
        let (status, body) = (reply.status().as_u16(), reply.text().await.unwrap());
        assert_eq!((status, fate.as_deref()), (200, Some("recorded")), "{body}");
        sent.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// One instance of the site.
struct Instance<'a> {
    site: &'a Site,
    server: Server,
    folder: PathBuf,
    port: u16,
    metrics: String,
}

impl<'a> Instance<'a> {
    fn start(site: &'a Site) -> Self {
        let (folder, port) = (fresh_directory(), free_port());
        let metrics = format!("127.0.0.1:{}", free_port());
        let server = site.serve(&folder, port, &metrics);
        Self { site, server, folder, port, metrics }
    }

    /// How many checks it has recorded, ever.
    async fn recorded(&self) -> u64 {
        let metrics = reqwest::get(format!("http://{}/metrics", self.metrics)).await.unwrap().text().await.unwrap();
        let line = metrics.lines().find_map(|line| line.strip_prefix("headcount_recorded_total "));
        line.unwrap_or_else(|| panic!("{metrics}")).parse().unwrap()
    }

    /// Waits until the balancer brings it checks.
    async fn until_asked(&self) {
        let (before, started) = (self.recorded().await, Instant::now());
        while self.recorded().await < before + 10 {
            assert!(started.elapsed() < DEADLINE, "the balancer asks it nothing: {}", self.server.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Stops it as an operator does.
    fn stop(&mut self) {
        self.server.signal("TERM");
        let (status, _) = self.server.wait();
        assert_eq!(status.code(), Some(0), "{}", self.server.log());
    }

    fn start_again(&mut self) {
        self.server = self.site.serve(&self.folder, self.port, &self.metrics);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_check_fails_while_instances_stop_and_start_behind_the_balancer() {
    if output(Command::new("haproxy").arg("-v")).is_none() {
        return;
    }
    let site = Site::start().await;
    let (mut one, mut two) = (Instance::start(&site), Instance::start(&site));
    let balancer = Balancer::start([one.port, two.port]);
    let token = open_shop(&balancer, &mut two.server).await;
    let url = balancer.url("/checkVersion?app_name=myapp&version=1.0.0&channel=stable&platform=darwin&arch=amd64");
    // Until both know the shop.
    for instance in [&one, &two] {
        let direct = url.replace(&balancer.port.to_string(), &instance.port.to_string());
        let started = Instant::now();
        while reqwest::get(&direct).await.unwrap().status() != 200 {
            assert!(started.elapsed() < DEADLINE, "{}", instance.server.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients: Vec<_> =
        (0..4).map(|client| tokio::spawn(load(url.clone(), client, stop.clone(), sent.clone()))).collect();
    for _ in 0..2 {
        for instance in [&mut one, &mut two] {
            instance.until_asked().await;
            instance.stop();
            tokio::time::sleep(Duration::from_millis(500)).await;
            instance.start_again();
            instance.until_asked().await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    let sent = sent.load(Ordering::Relaxed);
    let mut counts = Vec::new();
    let started = Instant::now();
    while counts != [sent, sent] {
        assert!(started.elapsed() < DEADLINE, "{counts:?}, not {sent}");
        counts.clear();
        for instance in [&one, &two] {
            let report = format!("http://127.0.0.1:{}/telemetry?range=week", instance.port);
            let reply = reqwest::Client::new().get(report).bearer_auth(&token).send().await.unwrap();
            let report: Value = reply.json().await.unwrap();
            counts.push(report["summary"]["total_requests"].as_u64().unwrap_or_default());
        }
        assert!(counts.iter().all(|count| *count <= sent), "{counts:?}, not {sent}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
