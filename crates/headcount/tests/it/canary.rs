//! Device ids that are easy to recognise go in by every door; then they are looked for in everything that is left.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use crate::app::fresh_directory;
use crate::postgres::Postgres;
use crate::process::{Server, run};
use crate::redis::{Log, One};

/// By one of them for each door; all begin alike, so that one search finds them all.
const BIRD: &str = "Canary-7f3a9c51";
/// A password and a token that were guessed wrong.
const SECRET: &str = "Nightingale-2b8e04d6";
const PLACE: &str = "app_name=myapp&version=1.0.0&channel=stable&platform=darwin&arch=amd64";

fn bird(door: &str) -> String {
    format!("{BIRD}-{door}")
}

/// Where something is searched for, with its name.
struct Place {
    name: String,
    bytes: Vec<u8>,
}

impl Place {
    fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), bytes: bytes.into() }
    }
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let sextets = bytes.chunks_exact(3).flat_map(|three| {
        let number = three.iter().fold(0_usize, |number, &byte| number << 8 | usize::from(byte));
        [18, 12, 6, 0].map(|shift| char::from(LETTERS[number >> shift & 63]))
    });
    sextets.collect()
}

/// The word in its usual encodings: in any case those of the first list, as they are those of the second.
fn encodings(word: &str) -> (Vec<String>, Vec<String>) {
    let percent = word.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
    let escaped = word.chars().map(|letter| format!("\\u{:04x}", letter as u32)).collect::<Vec<_>>().concat();
    let in_any_case =
        vec![word.to_lowercase(), hex::encode(word), percent, escaped, word.replace('-', "%2d").to_lowercase()];
    // In base64 it depends on what stands before it, by three.
    let shifted = (0..3).map(|before| {
        let padded = [&b"\0\0"[..before], word.as_bytes()].concat();
        base64(&padded)[(before * 8).div_ceil(6)..].to_owned()
    });
    let standard: Vec<String> = shifted.collect();
    let for_urls = standard.iter().map(|text| text.replace('+', "-").replace('/', "_"));
    (in_any_case, standard.iter().cloned().chain(for_urls).collect())
}

fn holds(bytes: &[u8], text: &str) -> bool {
    let (first, text) = (text.as_bytes()[0], text.as_bytes());
    bytes.windows(text.len()).any(|window| window[0] == first && window == text)
}

/// What of the word is in which place.
fn found(places: &[Place], word: &str) -> Vec<String> {
    let (in_any_case, as_it_is) = encodings(word);
    let mut found = Vec::new();
    for place in places {
        let lower = place.bytes.to_ascii_lowercase();
        let seen = in_any_case.iter().filter(|text| holds(&lower, text));
        let seen = seen.chain(as_it_is.iter().filter(|text| holds(&place.bytes, text)));
        found.extend(seen.map(|text| format!("{text} in {}", place.name)));
    }
    found
}

fn files(folder: &Path, places: &mut Vec<Place>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, places);
        } else {
            places.push(Place::new(path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
}

/// A server with everything written to the log, and somebody who is logged in.
struct Aviary {
    server: Server,
    client: Client,
    token: String,
}

impl Aviary {
    async fn open(folder: &Path, variables: &[(&str, &str)]) -> Self {
        let created = run(folder, variables, &["user", "create-admin", "acme"], b"a long password");
        assert_eq!(created.code, Some(0), "{}", created.stderr);
        let server = Server::start(folder, variables, &["--telemetry", "true", "--log-level", "trace"]);
        let mut aviary = Self { server, client: Client::new(), token: String::new() };
        let login = aviary.post("/login").json(&json!({"username": "acme", "password": "a long password"}));
        aviary.send(login).await.1["token"].as_str().unwrap().clone_into(&mut aviary.token);
        for (kind, name) in [("channel", "stable"), ("platform", "darwin"), ("arch", "amd64")] {
            aviary.send(aviary.post(&format!("/{kind}/create")).json(&json!({ kind: name }))).await;
        }
        let form = reqwest::multipart::Form::new().text("data", json!({"app": "myapp"}).to_string());
        aviary.send(aviary.post("/app/create").multipart(form)).await;
        let release = crate::http::shop::on_stable("1.0.0", &json!({}));
        assert_eq!(aviary.send(aviary.post("/release/create").json(&release)).await.0, 201);
        aviary
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(self.server.url(path)).bearer_auth(&self.token)
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(self.server.url(path)).bearer_auth(&self.token)
    }

    async fn send(&self, request: RequestBuilder) -> (u16, Value, Option<String>) {
        let reply = request.send().await.unwrap();
        let outcome = reply.headers().get("headcount").map(|value| value.to_str().unwrap().to_owned());
        let status = reply.status().as_u16();
        (status, serde_json::from_str(&reply.text().await.unwrap()).unwrap_or_default(), outcome)
    }

    /// Through the doors where ids belong.
    async fn let_in(&self) {
        for (path, door) in [("/checkVersion", "check"), ("/telemetry/beacon", "beacon")] {
            let request = self.get(&format!("{path}?{PLACE}")).header("X-Device-ID", bird(door));
            assert_eq!(self.send(request).await.2.as_deref(), Some("recorded"), "{door}");
        }
        let now = jiff::Timestamp::from_millisecond(headcount::clock::Clock::wall().now().0).unwrap();
        let line =
            |door: &str| json!({"at": now.to_string(), "app_name": "myapp", "device_id": bird(door)}).to_string();
        let whole = self.post("/telemetry/import").body(line("import"));
        assert_eq!(self.send(whole).await.1["accepted"], 1);
        let numbered = self.post("/telemetry/import").header("Import-Chunk", "0");
        let numbered = numbered.header("Import-Id", "0f8fad5b-d9cb-469f-a165-70867728950e");
        assert_eq!(self.send(numbered.body(line("chunk"))).await.1["accepted"], 1);
        for door in ["check", "nobody"] {
            for path in ["/privacy/device/find", "/privacy/device/erase"] {
                let request = self.post(path).json(&json!({"device": bird(door)}));
                assert_eq!(self.send(request).await.0, 200, "{path} of {door}");
            }
        }
        let request = self.get(&format!("/checkVersion?{PLACE}")).header("X-Device-ID", bird("left-out"));
        assert_eq!(self.send(request.header("DNT", "1")).await.2.as_deref(), Some("skipped; reason=opt-out"));
        let strict = self.post("/settings").json(&json!({"strict_ids": true}));
        assert_eq!(self.send(strict).await.0, 200);
    }

    /// Where they do not belong, and in forms that are refused.
    async fn bring_in_wrongly(&self) {
        let id = bird("wrong");
        let checks = [
            (format!("/checkVersion?{PLACE}&X-Device-ID={id}&device_id={id}"), None),
            (format!("/checkVersion?{PLACE}&device_id={id}&device_id={id}"), None),
            (format!("/checkVersion?{PLACE}&%zz={id}"), None),
            (format!("/checkVersion?{PLACE}"), Some(format!("{id}@example.org"))),
            (format!("/checkVersion?{PLACE}"), Some(format!("{id} {id}"))),
            (format!("/checkVersion?{PLACE}"), Some(id.repeat(9))),
            (format!("/checkVersion?version={id}"), Some(id.clone())),
            (format!("/checkVersion?app_name={id}&version=1.0.0"), Some(id.clone())),
            (format!("/telemetry/beacon?app_name=myapp&device={id}"), Some(id.clone())),
            (format!("/devices/{id}?{id}"), Some(id.clone())),
            (format!("/telemetry?apps={id}&date={id}"), None),
        ];
        for (path, header) in checks {
            let mut request = self.get(&path);
            if let Some(header) = header {
                request = request.header("X-Device-ID", header);
            }
            assert!(self.send(request).await.0 < 500, "{path}");
        }
        let twice = self.get(&format!("/checkVersion?{PLACE}")).header("X-Device-ID", &id).header("X-Device-ID", &id);
        assert_eq!(self.send(twice).await.2.as_deref(), Some("skipped; reason=bad-device"));
        for (path, body) in [
            ("/telemetry/import", format!("{{\"device_id\": \"{id}\"}}\n{id}\n{{\"at\": \"{id}\"}}")),
            ("/privacy/device/find", format!("{{\"device\": \"{id}@\"}}")),
            ("/privacy/device/erase", format!("{{\"device\": {id}}}")),
            ("/privacy/device/erase", format!("{{\"{id}\": 1}}")),
            ("/settings", format!("{{\"apps\": [{{\"id\": \"{id}\", \"telemetry\": false}}]}}")),
            ("/login", format!("{{\"username\": \"acme\", \"password\": \"{SECRET}\"}}")),
        ] {
            let (status, ..) = self.send(self.post(path).body(body)).await;
            assert!(status < 500, "{path}: {status}");
        }
        let guessed = self.client.get(self.server.url("/telemetry")).bearer_auth(SECRET);
        assert_eq!(self.send(guessed).await.0, 401);
    }

    /// What it tells those who ask.
    async fn told(&self, metrics: &str) -> Vec<Place> {
        let mut places = Vec::new();
        let found = self.post("/privacy/device/find").json(&json!({"device": bird("beacon")}));
        let found = self.send(found).await.1;
        assert_eq!(found["apps"][0]["app"], "myapp", "{found}");
        places.push(Place::new("what was found", found.to_string()));
        for path in ["/telemetry?range=week", "/telemetry/breakdown?by=version", "/ready", "/health", "/settings"] {
            let reply = self.get(path).send().await.unwrap();
            assert_eq!(reply.status(), 200, "{path}");
            places.push(Place::new(path, reply.bytes().await.unwrap()));
        }
        let scraped = self.client.get(format!("http://{metrics}/metrics")).send().await.unwrap();
        places.push(Place::new("/metrics", scraped.bytes().await.unwrap()));
        places
    }
}

/// Everything that a server with these variables leaves, once the birds were there; it has stopped.
async fn left_by(folder: &Path, variables: &[(&str, &str)]) -> Vec<Place> {
    let metrics = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let variables = [variables, &[("HEADCOUNT_METRICS_LISTEN", &*metrics)]].concat();
    let mut aviary = Aviary::open(folder, &variables).await;
    aviary.let_in().await;
    aviary.bring_in_wrongly().await;
    // Tallies go to the journal each second.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let mut places = aviary.told(&metrics).await;
    files(folder, &mut places);
    if !variables.iter().any(|(name, _)| *name == "DATABASE_URL") {
        let backup = fresh_directory().join("backup");
        let done = run(folder, &variables, &["backup", backup.to_str().unwrap()], b"");
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        places.push(Place::new("the backup", std::fs::read(backup).unwrap()));
    }
    aviary.server.signal("TERM");
    aviary.server.wait();
    files(folder, &mut places);
    let log = aviary.server.log();
    assert!(log.contains("\"TRACE\"") || log.contains("DEBUG"), "the log is not written down: {log}");
    places.push(Place::new("the log", log));
    places
}

fn assert_clean(places: &[Place]) {
    // The search finds what is there.
    assert!(found(places, "myapp-1.0.0").iter().any(|found| found.contains("myapp-1.0.0")), "nothing is found");
    for word in [BIRD, SECRET] {
        assert_eq!(found(places, word), [""; 0]);
    }
}

#[test]
fn every_usual_encoding_is_recognised() {
    let text = format!("..{}..", bird("here"));
    let percent = text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
    for (encoded, name) in [
        (text.clone(), "as it is"),
        (text.to_uppercase(), "in capitals"),
        (hex::encode_upper(&text), "in hex"),
        (percent, "for URLs"),
        (base64(format!("x{text}xxx").as_bytes()), "in base64"),
        (base64(format!("xx{text}xxx").as_bytes()), "in base64"),
        (base64(format!("xxx{text}xxx").as_bytes()), "in base64"),
    ] {
        assert!(!found(&[Place::new("text", encoded.clone())], BIRD).is_empty(), "{name}: {encoded}");
    }
    assert_eq!(found(&[Place::new("text", "another text")], BIRD), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_device_id_is_left_in_files_logs_or_answers() {
    let folder = fresh_directory();
    assert_clean(&left_by(&folder, &[]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_device_id_is_left_in_redis_or_postgresql() {
    let (postgres, redis) = (Postgres::start().await, One::with(Log::None, &[("rdbcompression", "no")]));
    let folder = fresh_directory();
    let variables = [("DATABASE_URL", &*postgres.url()), ("REDIS_URL", &*redis.url())];
    let mut places = left_by(&folder, &variables).await;
    places.push(Place::new("the dump of Redis", std::fs::read(redis.copy()).unwrap()));
    places.push(Place::new("the dump of PostgreSQL", postgres.dump()));
    assert_clean(&places);
}
