//! `headcount serve` and `headcount config`.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use headcount::config::SETTINGS;
use serde_json::{Value, json};

use crate::app::fresh_directory;
use crate::process::{Done, Server, run};

async fn post(url: &str, body: Value) -> (u16, Value) {
    let response = reqwest::Client::new().post(url).json(&body).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// The token of the printed curl line, after the whole line was compared.
fn printed_token(server: &mut Server) -> String {
    let [sentence, line] = server.setup_lines();
    assert_eq!(
        sentence,
        "There is no administrator yet. This creates the first one, once; put a password of 10 to 1024 bytes for \
         CHANGE-ME:\n"
    );
    let token = line.split('"').nth(3).unwrap().to_owned();
    let url = server.url("/setup");
    let body = format!("{{\"token\":\"{token}\",\"username\":\"admin\",\"password\":\"CHANGE-ME\"}}");
    assert_eq!(line, format!("curl -sS {url} -H 'Content-Type: application/json' -d '{body}'\n"));
    token
}

#[tokio::test]
async fn the_first_start_prints_how_to_create_an_administrator() {
    let folder = fresh_directory();
    let mut server = Server::start(&folder, &[], &[]);
    let unused = printed_token(&mut server);
    server.signal("TERM");
    let (status, rest) = server.wait();
    assert_eq!(status.code(), Some(0), "{}", server.log());
    assert_eq!(rest, "");

    let mut server = Server::start(&folder, &[], &[]);
    let token = printed_token(&mut server);
    assert_ne!(token, unused);
    let kept = folder.join("data/setup-token");
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), format!("{token}\n"));
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&kept).unwrap());
    assert_eq!(mode & 0o777, 0o600);
    let setup = server.url("/setup");
    let body = |token: &str, password: &str| json!({"token": token, "username": "admin", "password": password});
    let (status, _) = post(&setup, body(&unused, "a long password")).await;
    assert_eq!(status, 401);
    // As it is printed, before the password is replaced.
    assert_eq!(
        post(&setup, body(&token, "CHANGE-ME")).await,
        (
            400,
            json!({
                "error": "invalid password",
                "code": "invalid",
                "field": "password",
                "accepted": "10 to 1024 bytes",
            })
        )
    );
    let (status, reply) = post(&setup, body(&token, "a long password")).await;
    assert_eq!((status, reply["token"].as_str().unwrap().len()), (200, 68));
    assert!(!kept.exists(), "a used token is kept");
    let expected = json!({"error": "invalid or expired setup token", "code": "unauthenticated"});
    assert_eq!(post(&setup, body(&token, "a long password")).await, (401, expected));
    server.signal("INT");
    let (status, rest) = server.wait();
    assert_eq!(status.code(), Some(0), "{}", server.log());
    assert_eq!(rest, "");

    let mut server = Server::start(&folder, &[], &[]);
    let (status, _) = post(&server.url("/login"), json!({"username": "admin", "password": "a long password"})).await;
    assert_eq!(status, 200);
    server.signal("TERM");
    assert_eq!(server.wait().1, "");
}

#[test]
fn a_folder_belongs_to_one_process_at_a_time() {
    let folder = fresh_directory();
    let server = Server::start(&folder, &[], &["--data-dir", "shared"]);
    let refused = Done::failed(
        2,
        "headcount: HEADCOUNT_DATA_DIR: the folder `./shared` is in use by another process; \
         accepted: a folder that no other process uses",
    );
    let second = run(
        &folder,
        &[("HEADCOUNT_LOG", "error")],
        &["serve", "--data-dir", "./shared", "--listen", "127.0.0.1:0"],
        b"",
    );
    assert_eq!(second, refused);
    // A process that died does not keep the folder.
    server.signal("KILL");
    drop(server);
    drop(Server::start(&folder, &[], &["--data-dir", "shared"]));
}

#[test]
fn a_folder_that_cannot_be_written_is_refused() {
    let folder = fresh_directory();
    std::fs::write(folder.join("file"), b"").unwrap();
    for data_dir in ["file", "file/below", "/proc/headcount"] {
        let done = run(&folder, &[("HEADCOUNT_DATA_DIR", data_dir)], &["serve", "--listen", "127.0.0.1:0"], b"");
        assert_eq!((done.code, done.stdout), (Some(2), String::new()), "{}", done.stderr);
        let before = format!("headcount: HEADCOUNT_DATA_DIR: the folder `{data_dir}` cannot be written to (");
        let after = "); accepted: a path of a folder that can be written to\n";
        assert!(done.stderr.starts_with(&before) && done.stderr.ends_with(after), "{}", done.stderr);
        assert_eq!(done.stderr.lines().count(), 1);
    }
}

#[test]
fn an_address_in_use_is_named() {
    let folder = fresh_directory();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let expected = format!(
        "headcount: cannot listen on {address}; --listen ADDR:PORT names another address: \
         Address already in use (os error 98)"
    );
    assert_eq!(run(&folder, &[], &["serve", "--listen", &address], b""), Done::failed(1, &expected));
}

#[test]
fn what_is_no_setting_is_refused() {
    let folder = fresh_directory();
    let names = SETTINGS.iter().map(|setting| setting.variable).collect::<Vec<_>>().join(", ");
    let unknown = |source: &str| {
        Done::failed(2, &format!("headcount: HEADCOUNT_TYPO ({source}) is not a setting; accepted: {names}"))
    };
    for command in [["serve"].as_slice(), &["config"], &["user", "list"]] {
        assert_eq!(run(&folder, &[("HEADCOUNT_TYPO", "1")], command, b""), unknown("environment"), "{command:?}");
    }
    let expected = "headcount: --listen (command line): `localhost` is not an IP address and a port; \
                    accepted: ADDR:PORT with an IP address, such as 127.0.0.1:9000 or [::1]:9000";
    assert_eq!(run(&folder, &[], &["serve", "--listen", "localhost"], b""), Done::failed(2, expected));
    let expected = "headcount: API_KEY (environment): it has 5 bytes; \
                    accepted: at least 16 bytes that stand in no public example";
    assert_eq!(run(&folder, &[("API_KEY", "short")], &["serve"], b""), Done::failed(2, expected));

    std::fs::write(folder.join(".env"), "HEADCOUNT_TYPO=1\n").unwrap();
    for command in [["serve"].as_slice(), &["config"], &["user", "list"]] {
        assert_eq!(run(&folder, &[], command, b""), unknown(".env"), "{command:?}");
    }
    assert!(!folder.join("data").exists());
}

#[test]
fn the_dotenv_of_the_working_directory_applies() {
    let folder = fresh_directory();
    let key = "a secret that is not shown";
    std::fs::write(folder.join(".env"), format!("API_KEY='{key}'\nENABLE_TELEMETRY=true\nS3_REGION=x\n")).unwrap();

    let shown = run(&folder, &[("HEADCOUNT_SESSION_HOURS", "3")], &["config", "--retention-days", "60"], b"");
    assert_eq!((shown.code, &*shown.stderr), (Some(0), ""));
    for line in [
        "HEADCOUNT_API_KEY=(hidden)                       # .env: API_KEY",
        "HEADCOUNT_TELEMETRY=true                         # .env: ENABLE_TELEMETRY",
        "HEADCOUNT_SESSION_HOURS=3                        # environment: HEADCOUNT_SESSION_HOURS",
        "HEADCOUNT_RETENTION_DAYS=60                      # command line: --retention-days",
        "# ignored, they mean nothing here: S3_REGION",
    ] {
        assert!(shown.stdout.lines().any(|shown| shown == line), "{line}\n{}", shown.stdout);
    }
    assert!(!shown.stdout.contains(key));
    assert_eq!(shown.stdout.lines().count(), SETTINGS.len() + 1);
}

const LOGIN: &str = "POST /login HTTP/1.1\r\nHost: headcount\r\nContent-Length: 49\r\n\r\n\
                     {\"username\":\"alice\",\"password\":\"a long password\"}";

#[tokio::test]
async fn a_stop_finishes_what_is_under_way_and_waits_for_nobody_for_ever() {
    let folder = fresh_directory();
    assert_eq!(run(&folder, &[], &["user", "create-admin", "alice"], b"a long password").code, Some(0));

    // A client that is idle, and one in the middle of its request.
    let mut server = Server::start(&folder, &[], &[]);
    let idle = reqwest::Client::new();
    assert_eq!(idle.get(server.url("/health")).send().await.unwrap().text().await.unwrap(), r#"{"status":"healthy"}"#);
    let mut slow = std::net::TcpStream::connect(server.address()).unwrap();
    let (first, rest) = LOGIN.split_at(90);
    slow.write_all(first.as_bytes()).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.signal("TERM");
    tokio::time::sleep(Duration::from_millis(300)).await;
    slow.write_all(rest.as_bytes()).unwrap();
    let mut reply = String::new();
    slow.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n") && reply.contains(r#"{"token":"hcs_"#), "{reply}");
    let given_up = "requests were still under way when the time to stop was over";
    let (status, _) = server.wait();
    assert_eq!((status.code(), server.log().contains(given_up)), (Some(0), false), "{}", server.log());

    // A client that never sends the rest of its request.
    let mut server = Server::start(&folder, &[], &[]);
    let mut stuck = std::net::TcpStream::connect(server.address()).unwrap();
    stuck.write_all(b"POST /login HTTP/1.1\r\nHost: headcount\r\nContent-Length: 100\r\n\r\n{").unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.signal("TERM");
    let (status, log) = tokio::task::spawn_blocking(move || (server.wait().0, server.log())).await.unwrap();
    assert_eq!((status.code(), log.contains(given_up)), (Some(0), true), "{log}");
}
