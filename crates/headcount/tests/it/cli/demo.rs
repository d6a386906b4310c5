//! `headcount demo` as a process.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::app::fresh_directory;
use crate::process::{Done, Server, run};

const SMALL: [&str; 4] = ["--devices", "40", "--days", "3"];

/// What a demo prints behind the line with its address.
struct Printed {
    url: String,
    user: String,
    password: String,
    telemetry: String,
    token: String,
}

impl Printed {
    fn of(demo: &mut Server) -> Self {
        let [what, user, password, curl] = demo.next_lines();
        let told = what.strip_prefix("A demo: ").unwrap();
        assert!(told.contains(" checks of 40 devices in 3 days and today, written in "), "{told}");
        let behind = |line: &str, start: &str| line.trim_end().strip_prefix(start).unwrap().to_owned();
        let mut parts = curl.trim_end().split('\'');
        assert_eq!(parts.next(), Some("curl -sS "));
        let telemetry = parts.next().unwrap().to_owned();
        assert_eq!(parts.next(), Some(" -H "));
        let token = behind(parts.next().unwrap(), "Authorization: Bearer ");
        assert_eq!((parts.next(), parts.next()), (Some(""), None));
        let (user, password) = (behind(&user, "user: "), behind(&password, "password: "));
        Self { url: demo.url(""), user, password, telemetry, token }
    }

    async fn report(&self) -> Value {
        let request = reqwest::Client::new().get(&self.telemetry).bearer_auth(&self.token);
        request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
    }
}

#[tokio::test]
async fn it_prints_where_to_look_and_checks_go_on() {
    let folder = fresh_directory();
    // Where the real one counts is nothing to a demo.
    let variables = [("REDIS_URL", "redis://127.0.0.1:1"), ("REDIS_HOST", "127.0.0.1")];
    let mut demo = Server::start_command("demo", &folder, &variables, &SMALL);
    let printed = Printed::of(&mut demo);
    assert_eq!(printed.telemetry, format!("{}/telemetry?range=month", printed.url));
    let login = serde_json::json!({ "username": printed.user, "password": printed.password });
    let reply = reqwest::Client::new().post(format!("{}/login", printed.url)).json(&login).send().await.unwrap();
    assert_eq!(reply.status(), 200);

    let first = printed.report().await;
    assert_eq!(first["admin"], "demo");
    let requests = |report: &Value| report["summary"]["total_requests"].as_u64().unwrap();
    assert!(requests(&first) > 40, "{first}");
    let started = Instant::now();
    while requests(&printed.report().await) == requests(&first) {
        assert!(started.elapsed() < Duration::from_mins(1), "no check came: {}", demo.log());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(folder.join("demo-data/this-is-a-demo").exists());
    demo.signal("TERM");
    let (status, rest) = demo.wait();
    assert_eq!((status.code(), rest.as_str(), demo.log().as_str()), (Some(0), "", ""));
}

#[tokio::test]
async fn it_starts_over_in_its_own_folder() {
    let folder = fresh_directory();
    let mut passwords = Vec::new();
    for _ in 0..2 {
        let mut demo = Server::start_command("demo", &folder, &[], &SMALL);
        let printed = Printed::of(&mut demo);
        assert_eq!(printed.report().await["admin"], "demo");
        passwords.push(printed.password);
        if passwords.len() == 2 {
            let second = run(&folder, &[], &["demo", "--listen", "127.0.0.1:0"], b"");
            assert_eq!(second.code, Some(2));
            assert!(second.stderr.contains("is in use by another process"), "{second:?}");
        }
        demo.signal("KILL");
        demo.wait();
    }
    assert_ne!(passwords[0], passwords[1]);
}

#[test]
fn it_refuses_a_folder_that_is_not_a_demo() {
    let folder = fresh_directory();
    let line = "headcount: --data-dir: the folder `own` holds something else than a demo; accepted: a new or empty \
                folder, or that of an earlier demo";
    let create = ["user", "create-admin", "someone", "--data-dir", "own"];
    assert_eq!(run(&folder, &[], &create, b"a long password\n").code, Some(0));
    let before = listed(&folder.join("own"));
    assert_eq!(run(&folder, &[], &["demo", "--data-dir", "own"], b""), Done::failed(2, line));
    assert_eq!(listed(&folder.join("own")), before);

    // Not even where the settings of the other installation point.
    let variables =
        [("HEADCOUNT_DATA_DIR", "own"), ("HEADCOUNT_DEFAULT_OWNER", "someone"), ("ENABLE_TELEMETRY", "false")];
    let mut demo = Server::start_command("demo", &folder, &variables, &SMALL);
    Printed::of(&mut demo);
    assert_eq!(listed(&folder.join("own")), before);
    assert!(folder.join("demo-data/this-is-a-demo").exists());
}

/// The names of the files in the folder, with their bytes.
fn listed(folder: &std::path::Path) -> Vec<(std::ffi::OsString, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let mut files: Vec<_> = entries.map(|entry| (entry.file_name(), std::fs::read(entry.path()).unwrap())).collect();
    files.sort();
    files
}
