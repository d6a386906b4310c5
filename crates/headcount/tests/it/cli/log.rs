//! What `headcount serve` writes to its log, and what never gets there.

use serde_json::{Value, json};

use crate::app::fresh_directory;
use crate::process::{Server, run};

/// The lines of the log with that message.
fn lines_with(log: &str, message: &str) -> Vec<Value> {
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("{line:?}")));
    lines.filter(|line| line["message"] == message).collect()
}

const OFF: &str = "telemetry is off: checks are answered and not counted; ENABLE_TELEMETRY=true turns it on";
const IGNORED: &str = "ignored: these variables of faynoSync mean nothing here";

#[test]
fn the_start_says_what_is_off_and_what_is_ignored() {
    let folder = fresh_directory();
    let mut server = Server::start(&folder, &[("S3_REGION", "x"), ("JWT_SECRET", "CANARY")], &[]);
    server.signal("TERM");
    server.wait();
    let log = server.log();
    assert_eq!(lines_with(&log, OFF).len(), 1, "{log}");
    let ignored = lines_with(&log, IGNORED);
    assert_eq!(ignored.iter().map(|line| &line["variables"]).collect::<Vec<_>>(), ["JWT_SECRET, S3_REGION"], "{log}");
    assert_eq!(lines_with(&log, "stopping on SIGTERM").len(), 1, "{log}");
    assert!(!log.contains("CANARY"));

    let mut server = Server::start(&folder, &[("ENABLE_TELEMETRY", "true")], &[]);
    server.signal("TERM");
    server.wait();
    let log = server.log();
    assert!(lines_with(&log, OFF).is_empty() && lines_with(&log, IGNORED).is_empty(), "{log}");
}

#[tokio::test]
async fn no_secret_and_no_text_of_a_caller_gets_into_the_log() {
    let folder = fresh_directory();
    let password = "CANARY-password";
    let made = run(&folder, &[], &["user", "create-admin", "alice"], password.as_bytes());
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let key = "CANARY-signup-key";
    for format in ["json", "text"] {
        let variables = [
            ("HEADCOUNT_LOG", "trace"),
            ("HEADCOUNT_LOG_FORMAT", format),
            ("API_KEY", key),
            ("ENABLE_TELEMETRY", "true"),
        ];
        let mut server = Server::start(&folder, &variables, &[]);
        let client = reqwest::Client::new();
        let forged = "CANARY\r\n{\"level\":\"ERROR\",\"message\":\"forged\"}\u{1b}[2J";
        let post = |path: &str, body: Value| client.post(server.url(path)).json(&body).send();

        let login = post("/login?note=CANARY-query", json!({"username": "alice", "password": password})).await.unwrap();
        assert_eq!(login.status(), 200);
        let token = login.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned();
        // The password where the name belongs, and texts that would be lines of their own.
        for (username, typed) in [(password, password), ("alice", "CANARY-wrong-password"), (forged, forged)] {
            let reply = post("/login", json!({"username": username, "password": typed})).await.unwrap();
            assert_eq!(reply.status(), 401);
            let body = json!({"username": username, "password": typed, "api_key": typed});
            assert_eq!(post("/signup", body.clone()).await.unwrap().status(), 401);
            let body = json!({"token": typed, "username": username, "password": typed});
            assert_eq!(post("/setup", body).await.unwrap().status(), 401);
        }
        let whoami = client.get(server.url("/whoami?token=CANARY-query")).bearer_auth(&token).send().await.unwrap();
        assert_eq!(whoami.status(), 200);
        for header in ["Bearer CANARY-token", "CANARY", "Basic CANARY"] {
            let request = client.get(server.url("/whoami")).header("Authorization", header);
            assert_eq!(request.send().await.unwrap().status(), 401);
        }
        for path in ["/CANARY-path?CANARY=CANARY", "/checkVersion?app_name=CANARY&version=1&owner=CANARY", "/%00CANARY"]
        {
            let request = client.get(server.url(path)).header("X-Device-ID", "CANARY-device-id");
            assert!(request.send().await.unwrap().status().is_client_error(), "{path}");
        }
        server.signal("TERM");
        assert_eq!(server.wait().0.code(), Some(0));

        let log = server.log();
        assert!(log.contains("a user logged in"), "{log}");
        for secret in ["CANARY", "forged", "\u{1b}", &token, &token[4..], key] {
            assert!(!log.contains(secret), "{secret}: {log}");
        }
        if format == "json" {
            assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok_and(|line| line.is_object())));
        }
    }
}
