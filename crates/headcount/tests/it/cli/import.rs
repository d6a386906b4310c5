//! `headcount import`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use crate::app::fresh_directory;
use crate::fleet::{administrator, lines};
use crate::process::{Done, Server, run};

#[tokio::test]
async fn a_file_is_imported_once() {
    let folder = fresh_directory();
    let server = Server::start(&folder, &[("ENABLE_TELEMETRY", "true")], &[]);
    let token = administrator(&folder, &server).await;
    std::fs::write(folder.join("token"), format!("{token}\n")).unwrap();
    let mut file = lines(10_500);
    file[1] = "no line".to_owned();
    file[9_999] = "x".repeat(100_000);
    file[10_000] = String::new();
    file[10_001] = "{}".to_owned();
    std::fs::write(folder.join("fleet.ndjson"), file.join("\n")).unwrap();
    let import = |more: &[&str]| {
        let url = format!("{}/", server.url(""));
        let arguments = ["import", "checks", "fleet.ndjson", "--server", &url, "--token-file", "token"];
        run(&folder, &[], &[&arguments, more].concat(), b"")
    };
    let counted = async || {
        let request = reqwest::Client::new().get(server.url("/telemetry?range=month")).bearer_auth(&token);
        let report: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
        report["summary"]["total_requests"].as_u64().unwrap()
    };

    let expected = Done::said(
        "accepted 10496 lines, rejected 3\n\
         line 2: the line is not a JSON object\n\
         line 10000: the line is longer than 4096 bytes\n\
         line 10002: app_name is missing\n",
    );
    assert_eq!(import(&[]), expected);
    assert_eq!(import(&[]), expected);
    assert_eq!(counted().await, 10_496);
    assert_eq!(import(&["--import-id", "0f8fad5b-d9cb-469f-a165-70867728950e"]), expected);
    assert_eq!(counted().await, 2 * 10_496);

    let refused = "headcount: the lines from 1 on are not imported; run the command again to go on: \
                   the server answers 400: invalid Import-Id";
    assert_eq!(import(&["--import-id", "1"]), Done::failed(1, refused));
    std::fs::write(folder.join("token"), "another").unwrap();
    let refused = "headcount: the lines from 1 on are not imported; run the command again to go on: \
                   the server answers 401: invalid or expired token";
    assert_eq!(import(&[]), Done::failed(1, refused));
}

#[test]
fn what_cannot_be_imported_is_said_in_one_line() {
    let folder = fresh_directory();
    std::fs::write(folder.join("fleet.ndjson"), "").unwrap();
    let import = |variables: &[(&str, &str)], arguments: &[&str]| {
        run(&folder, variables, &[&["import", "checks"], arguments].concat(), b"")
    };
    let token = [("HEADCOUNT_TOKEN", "a-token")];
    let url = "http://127.0.0.1:1";

    let no_token = "headcount: HEADCOUNT_TOKEN holds no token; accepted: what POST /login answers an administrator";
    assert_eq!(import(&[], &["fleet.ndjson", "--server", url]), Done::failed(2, no_token));
    let no_token = "headcount: --token-file holds no token; accepted: what POST /login answers an administrator";
    let empty = import(&token, &["fleet.ndjson", "--server", url, "--token-file", "fleet.ndjson"]);
    assert_eq!(empty, Done::failed(2, no_token));
    let no_file = "headcount: the file `no` cannot be opened: No such file or directory (os error 2)";
    assert_eq!(import(&token, &["no", "--server", url]), Done::failed(1, no_file));
    let no_server = "headcount: --server is not an address; accepted: http:// or https://, a host and a port";
    for server in ["", "127.0.0.1:9000", "ftp://127.0.0.1"] {
        assert_eq!(import(&token, &["fleet.ndjson", "--server", server]), Done::failed(2, no_server), "{server}");
    }
    assert_eq!(import(&token, &["fleet.ndjson", "--server", url]), Done::said("accepted 0 lines, rejected 0\n"));
    // The server does not take the variable for one of its settings that it does not know.
    let config = run(&folder, &token, &["config"], b"");
    assert!(config.code == Some(0) && !config.stdout.contains("a-token"), "{config:?}");
}

/// Reads one request, and gives its head.
fn request(connection: &TcpStream) -> String {
    let (mut reader, mut head) = (BufReader::new(connection), String::new());
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    reader.read_exact(&mut vec![0; length.parse().unwrap()]).unwrap();
    head
}

/// A server that is down for a moment is asked again, for the same chunk.
#[test]
fn a_chunk_is_sent_until_it_is_answered() {
    let folder = fresh_directory();
    std::fs::write(folder.join("fleet.ndjson"), lines(3).join("\n")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let body = r#"{"accepted":3,"rejected":0,"errors":[]}"#;
        let good = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        let refusal = |status: &str| {
            format!("HTTP/1.1 {status}\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        };
        let replies = [String::new(), refusal("503 Service Unavailable"), refusal("409 Conflict"), good];
        replies.map(|reply| {
            let (mut connection, _) = listener.accept().unwrap();
            let head = request(&connection);
            connection.write_all(reply.as_bytes()).unwrap();
            let header = |name: &str| head.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
            ["authorization", "import-id", "import-chunk"].map(header)
        })
    });
    let done =
        run(&folder, &[("HEADCOUNT_TOKEN", "a-token")], &["import", "checks", "fleet.ndjson", "--server", &url], b"");
    assert_eq!(done, Done::said("accepted 3 lines, rejected 0\n"));
    let asked = server.join().unwrap();
    assert_eq!([&asked[0][0], &asked[0][2]], ["authorization: Bearer a-token", "import-chunk: 0"]);
    assert!(asked.iter().all(|headers| *headers == asked[0]), "{asked:?}");
}
