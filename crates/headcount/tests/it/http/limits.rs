//! What the accept loop allows, over raw sockets.

use std::io::Read as _;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::app::TestApp;
use crate::effort;
use crate::metrics::Scrape;

/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_mins(1);

/// Sends bytes and reads until the server closes the connection: status and body.
async fn exchange(app: &TestApp, bytes: impl AsRef<[u8]>) -> (u16, String) {
    let mut stream = tokio::net::TcpStream::connect(app.address()).await.unwrap();
    // A server that has seen enough may close before it has read everything.
    _ = stream.write_all(bytes.as_ref()).await;
    let mut reply = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut reply));
    _ = read.await.expect("the connection stayed open");
    let reply = String::from_utf8(reply).unwrap();
    let status = reply.get(9..12).map_or(0, |status| status.parse().unwrap());
    let body = reply.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned();
    (status, body)
}

async fn status(app: &TestApp, bytes: impl AsRef<[u8]>) -> u16 {
    exchange(app, bytes).await.0
}

/// A request with these lines besides `Host` and `Connection: close`.
fn request(line: &str, headers: &[&str], body: &str) -> String {
    let headers = headers.iter().flat_map(|header| [*header, "\r\n"]).collect::<String>();
    format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n{body}")
}

#[tokio::test]
async fn heads_are_bounded() {
    let app = TestApp::start().await;
    let health = |headers: &[&str]| request("GET /health", headers, "");
    let many = |count: usize| health(&vec!["X-A: b"; count - 2]);
    assert_eq!(status(&app, many(64)).await, 200);
    assert_eq!(status(&app, many(65)).await, 431);
    let long = |bytes: usize| health(&[&format!("X-A: {}", "a".repeat(bytes))]);
    assert_eq!(status(&app, long(15_000)).await, 200);
    for bytes in [16_384, 64 << 10, 500_000] {
        assert_eq!(status(&app, long(bytes)).await, 431, "{bytes}");
    }
    let uri = |bytes: usize| request(&format!("GET /health?{}", "a".repeat(bytes - 8)), &[], "");
    assert_eq!(status(&app, uri(8192)).await, 200);
    let (code, body) = exchange(&app, uri(8193)).await;
    let expected = json!({
        "error": "the path and the query are too long", "code": "uri_too_long", "accepted": "at most 8192 bytes",
    });
    assert_eq!((code, serde_json::from_str::<Value>(&body).unwrap()), (414, expected));
    assert_eq!(status(&app, uri(60_000)).await, 431);
}

#[tokio::test]
async fn a_body_has_one_length() {
    let app = TestApp::start().await;
    let login = |headers: &[&str], body: &str| request("POST /login", headers, body);
    let body = r#"{"username":"alice","password":"a long password"}"#;
    let length = format!("Content-Length: {}", body.len());
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    // What is unambiguous arrives: there is nobody of that name.
    assert_eq!(status(&app, login(&[&length], body)).await, 401);
    assert_eq!(status(&app, login(&["Transfer-Encoding: chunked"], &chunked)).await, 401);

    let lower = length.to_lowercase();
    for headers in [
        ["Transfer-Encoding: chunked", length.as_str()].as_slice(),
        &[&length, "Transfer-Encoding: chunked"],
        &[&lower, "transfer-encoding: chunked"],
        &[&length, &length],
        &[&length, "Content-Length: 3"],
        &["Content-Length: 3", &length],
        &["Content-Length: +49"],
        &["Content-Length: 49, 49"],
        &["Transfer-Encoding: identity"],
        &["Transfer-Encoding: chunked, identity"],
        &["Content-Length: -1"],
    ] {
        let body = if headers.concat().contains("chunked") { &chunked } else { body };
        assert_eq!(status(&app, login(headers, body)).await, 400, "{headers:?}");
    }
    // What follows a body of two lengths is no request.
    let smuggled = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    for headers in
        ["Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 5"]
    {
        for method in ["POST /login", "GET /ready", "DELETE /app/delete"] {
            let bytes = format!("{method} HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n0\r\n\r\n{smuggled}");
            let (code, reply) = exchange(&app, bytes).await;
            assert_eq!((code, reply.matches("HTTP/1.1").count()), (400, 0), "{method} {headers} {reply}");
        }
    }
}

#[tokio::test]
async fn what_is_no_request_is_refused_and_closed() {
    let app = TestApp::start().await;
    assert_eq!(status(&app, "GET /health HTTP/1.0\r\n\r\n").await, 200);
    for bytes in [
        "GET /health\r\n\r\n",
        "GET /health\r\n",
        "GET /health HTTP/2.0\r\n\r\n",
        "GET /health HTTP/1.1\r\nX-A\0: b\r\n\r\n",
        "GET /health HTTP/1.1\r\nX-A: \0\r\n\r\n",
        "GET /health HTTP/1.1\r\nX A: b\r\n\r\n",
        "GET /he alth HTTP/1.1\r\n\r\n",
        "GET /health HTTP/1.1\r\n X-A: b\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0",
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
    ] {
        let (code, body) = exchange(&app, bytes).await;
        assert!(code == 400 && body.is_empty(), "{bytes:?}: {code} {body}");
    }
    let (code, body) = exchange(&app, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(code != 200 && body.is_empty(), "{code} {body}");
    assert_eq!(app.get("/health").await.status, 200);
    // It was refused for what it was; nobody waited for more of it.
    assert_eq!(slow(&app).await, [0; 3]);
}

/// Waits until the server closes the connection without a word.
async fn closed(stream: &mut tokio::net::TcpStream) {
    let mut buffer = [0; 4096];
    let read = tokio::time::timeout(PATIENCE, stream.read(&mut buffer));
    assert_eq!(read.await.expect("the connection stayed open").unwrap_or(0), 0);
}

#[tokio::test]
async fn a_connection_may_be_idle_for_longer_than_a_head_may_take() {
    let settings = [("HEADCOUNT_HEAD_TIMEOUT_MS", "400"), ("HEADCOUNT_IDLE_TIMEOUT_MS", "4000")];
    let app = TestApp::with(&settings).await;
    let mut stream = tokio::net::TcpStream::connect(app.address()).await.unwrap();
    let mut buffer = [0; 4096];
    for _ in 0..3 {
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(buffer[..read].starts_with(b"HTTP/1.1 200 OK\r\n"));
        tokio::time::sleep(Duration::from_millis(800)).await;
    }
    assert_eq!(slow(&app).await, [0; 3]);
    closed(&mut stream).await;
    assert_eq!(slow(&app).await, [0, 1, 0]);

    // Half a head, before an answer and after one. What ends it is the time of a head, not that of an idle connection.
    for (count, first) in [(1, ""), (2, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n")] {
        let mut stream = tokio::net::TcpStream::connect(app.address()).await.unwrap();
        if !first.is_empty() {
            stream.write_all(first.as_bytes()).await.unwrap();
            assert!(stream.read(&mut buffer).await.unwrap() > 0);
        }
        stream.write_all(b"GET /health HTTP/1.1\r\n").await.unwrap();
        closed(&mut stream).await;
        assert_eq!(slow(&app).await, [count, 1, 0]);
    }
}

/// How many connections were closed because the client was slow: with a head, with nothing, with taking its answer.
async fn slow(app: &TestApp) -> [u32; 3] {
    let scrape = Scrape::of_app(app).await;
    ["head", "idle", "answer"].map(|at| scrape.value(&format!("slow_total{{at=\"{at}\"}}")) as u32)
}

/// Sends a head, byte by byte, for longer than any server should listen to it: whether this one ended it.
async fn drip(address: SocketAddr) -> bool {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!("GET /health HTTP/1.1\r\nHost: x\r\nX-Drip: {}", "a".repeat(1_000));
    for byte in head.as_bytes().chunks(1) {
        let pause = Duration::from_millis(100);
        if stream.write_all(byte).await.is_err() || tokio::time::timeout(pause, stream.read(&mut [0])).await.is_ok() {
            return true;
        }
    }
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_slow_clients_are_gone_soon_and_harm_nobody() {
    let clients = effort::rounds(1000, 4000);
    let app = TestApp::with(&[("HEADCOUNT_HEAD_TIMEOUT_MS", "5000")]).await;
    let drips: Vec<_> = (0..clients).map(|_| tokio::spawn(drip(app.address()))).collect();
    let connections = async || Scrape::of_app(&app).await.value("connections");
    // Most of them at once, however long it takes to connect.
    let mut most = 0.0_f64;
    let mut answered = 0;
    while drips.iter().any(|drip| !drip.is_finished()) {
        most = most.max(connections().await);
        assert_eq!(app.get("/health").await.status, 200);
        answered += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(most * 2.0 > clients as f64 && answered > 20, "{most} {answered}");
    for drip in drips {
        assert!(drip.await.unwrap(), "a client was listened to until it had nothing more to say");
    }
    assert_eq!(slow(&app).await, [u32::try_from(clients).unwrap(), 0, 0]);
}

#[tokio::test]
async fn a_request_has_a_deadline() {
    let app = TestApp::with(&[("HEADCOUNT_REQUEST_TIMEOUT_MS", "500")]).await;
    let (code, body) = exchange(&app, request("POST /login", &["Content-Length: 100"], "{")).await;
    let expected = json!({"error": "the request took more than 500 ms", "code": "timed_out"});
    assert_eq!((code, serde_json::from_str::<Value>(&body).unwrap()), (408, expected));
}

#[tokio::test]
async fn who_takes_no_answer_is_cut_off() {
    let app = TestApp::with(&[("HEADCOUNT_WRITE_TIMEOUT_MS", "500")]).await;
    let mut stream = tokio::net::TcpStream::connect(app.address()).await.unwrap();
    let requests = "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(400);
    stream.write_all(requests.as_bytes()).await.unwrap();
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if slow(&app).await[2] == 1 {
            return;
        }
    }
    panic!("the connection stayed open");
}

/// A connection that is open and has been answered once.
fn settled(app: &TestApp) -> TcpStream {
    let mut stream = TcpStream::connect(app.address()).unwrap();
    std::io::Write::write_all(&mut stream, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut buffer = [0; 1024];
    let read = stream.read(&mut buffer).unwrap();
    assert!(buffer[..read].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&buffer[..read]));
    stream
}

/// Asks until there is a place again.
async fn place_again(app: &TestApp) {
    for _ in 0..100 {
        if status(app, request("GET /health", &[], "")).await == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the place was not given back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_counted_in_all_and_by_source() {
    let all = [("HEADCOUNT_MAX_CONNECTIONS", "3")].as_slice();
    let of_source =
        [("HEADCOUNT_MAX_CONNECTIONS_PER_SOURCE", "3"), ("HEADCOUNT_LIMIT_LOCAL_SOURCES", "true")].as_slice();
    for (limit, settings) in [("connections", all), ("source", of_source)] {
        let app = TestApp::with(settings).await;
        let mut open: Vec<TcpStream> = (0..3).map(|_| settled(&app)).collect();
        let (code, body) = exchange(&app, request("GET /health", &[], "")).await;
        let expected = json!({"error": "the server has too much to do", "code": "unavailable"});
        assert_eq!((code, serde_json::from_str::<Value>(&body).unwrap()), (503, expected));
        let mut stream = tokio::net::TcpStream::connect(app.address()).await.unwrap();
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        let retry = reply.split_once("Retry-After: ").unwrap().1.split_once("\r\n").unwrap().0.parse::<u32>().unwrap();
        assert!((30..=300).contains(&retry), "{reply}");
        let text = reqwest::get(app.metrics_url()).await.unwrap().text().await.unwrap();
        for sample in [format!("headcount_refused_total{{limit=\"{limit}\"}} 2"), "headcount_connections 3".to_owned()]
        {
            assert!(text.lines().any(|line| line == sample), "{sample}\n{text}");
        }
        let closed = open.pop().unwrap();
        closed.shutdown(Shutdown::Both).unwrap();
        place_again(&app).await;
        drop(open);
    }
    // Loopback may be a proxy, or everybody behind one.
    for settings in [
        [("HEADCOUNT_MAX_CONNECTIONS_PER_SOURCE", "3")].as_slice(),
        &[of_source[0], of_source[1], ("HEADCOUNT_TRUSTED_PROXIES", "127.0.0.0/8")],
    ] {
        let app = TestApp::with(settings).await;
        let open: Vec<TcpStream> = (0..8).map(|_| settled(&app)).collect();
        assert_eq!(open.len(), 8);
    }
}
