//! The accept loop: connections come in here, bounded in number and in time.

mod gate;
mod places;
mod sending;
mod stream;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

pub use self::gate::{Gate, Source};
use self::places::Place;
use self::stream::{Guarded, Progress};
use crate::config::Config;

/// The least buffer that hyper takes.
const LEAST_BUFFER: usize = 8192;
/// Files and sockets that the server needs besides those of its connections.
const OWN_FILES: usize = 100;
/// How long requests may take to finish once the server was told to stop.
const STOP_DEADLINE: Duration = Duration::from_secs(8);
/// How long to wait when the system refuses a connection, for example for want of file descriptors: at first, and when it
/// goes on refusing.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// How long a connection that gets no place may take to hear so.
const FAREWELL: Duration = Duration::from_secs(2);

/// What a connection may do.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The most connections at once.
    pub connections: usize,
    /// The most of them from one source.
    pub per_source: usize,
    /// The most requests that are answered at once.
    pub in_flight: usize,
    /// How long a client may take to send a request's head.
    pub head_timeout: Duration,
    /// How long a connection may be idle between requests.
    pub idle_timeout: Duration,
    /// How long a client may take none of its answer.
    pub write_timeout: Duration,
    /// How large a request's head may be.
    pub head_bytes: usize,
    /// How many headers a request may have.
    pub headers: usize,
    /// How long path and query of a request may be.
    pub uri_bytes: usize,
}

impl Limits {
    /// The limits of the settings.
    pub fn of(config: &Config) -> Self {
        Self {
            connections: most_connections(config),
            per_source: config.max_connections_per_source,
            in_flight: config.max_in_flight,
            head_timeout: config.head_timeout,
            idle_timeout: config.idle_timeout,
            write_timeout: config.write_timeout,
            head_bytes: config.max_head_bytes,
            headers: config.max_headers,
            uri_bytes: config.max_uri_bytes,
        }
    }
}

/// As many connections as the settings allow, and as the process may have files open besides its own.
pub fn most_connections(config: &Config) -> usize {
    let files = getrlimit(Resource::Nofile).current.and_then(|files| usize::try_from(files).ok());
    let within_files = files.map_or(usize::MAX, |files| files.saturating_sub(OWN_FILES).max(1));
    config.max_connections.min(within_files)
}

/// Lets this process open as many files as it may. Shells and service managers give programs a low limit that they may
/// raise, so that those which watch files with `select` do not break; this one does not.
pub fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

/// Serves until `stop` is cancelled, then finishes the requests that are under way.
pub async fn serve(listener: TcpListener, router: Router, gate: Arc<Gate>, stop: CancellationToken) {
    let graceful = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    // The stream has the deadlines: hyper's own would be one for a slow head and for an idle connection.
    http.header_read_timeout(None)
        .max_header_size(gate.limits.head_bytes)
        .max_buf_size(gate.limits.head_bytes.max(LEAST_BUFFER))
        .max_headers(gate.limits.headers);
    let mut pause = ACCEPT_PAUSE;
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Said once: the log may want a file, too.
                if pause == ACCEPT_PAUSE {
                    tracing::warn!(%error, "connections cannot be accepted; it is tried again");
                } else {
                    tracing::debug!(%error, "connections cannot be accepted; it is tried again");
                }
                tokio::time::sleep(pause).await;
                pause = LONGEST_PAUSE.min(pause * 2);
                continue;
            }
        };
        pause = ACCEPT_PAUSE;
        match gate.place(peer.ip()) {
            Some(place) => serve_connection(&http, &graceful, (stream, peer), (router.clone(), gate.clone()), place),
            None => turn_away(stream, &gate),
        }
    }
    drop(listener);
    if tokio::time::timeout(STOP_DEADLINE, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still under way when the time to stop was over");
    }
}

fn serve_connection(
    http: &http1::Builder,
    graceful: &GracefulShutdown,
    (stream, peer): (TcpStream, SocketAddr),
    (router, gate): (Router, Arc<Gate>),
    place: Place,
) {
    // Without it, a reply on a kept-alive connection waits for the client's delayed acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection closed before it was served");
    }
    let progress = Arc::new(Progress::default());
    let stream = TokioIo::new(Guarded::new(stream, progress.clone(), gate.clone()));
    let service = hyper::service::service_fn(move |request| {
        gate::answer(router.clone(), gate.clone(), progress.clone(), (peer.ip(), request))
    });
    let connection = graceful.watch(http.serve_connection(stream, service));
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended early");
        }
        drop(place);
    });
}

/// Says that there is no place, to as many as can be told; others hear nothing.
fn turn_away(mut stream: TcpStream, gate: &Arc<Gate>) {
    let Some(place) = gate.place_to_leave() else { return };
    tokio::spawn(async move {
        let _place = place;
        let told = async {
            // Closed before the request was read, the connection would be reset and the answer lost.
            let mut head = [0; 1024];
            let _any = stream.read(&mut head).await?;
            stream.write_all(gate::no_place().as_bytes()).await?;
            stream.shutdown().await
        };
        if !matches!(tokio::time::timeout(FAREWELL, told).await, Ok(Ok(()))) {
            tracing::debug!("a connection without a place was closed");
        }
    });
}
