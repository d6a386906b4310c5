//! `headcount serve`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::app::{App, Listeners};
use crate::catalog::OpenError;
use crate::catalog::sessions::Token;
use crate::clock::Clock;
use crate::config::{Config, ServeArgs};
use crate::http;
use crate::http::server::{Gate, most_connections, raise_open_files};

use super::folder::TakenFolder;
use super::{Failure, log, print, settings};

/// How many connections may wait to be accepted. Linux allows no more unless it is told to.
const LONGEST_QUEUE: u32 = 4096;

/// What the system sends when a file would grow past its limit. By default it ends the process.
const SIGXFSZ: i32 = 25;

/// How soon a database server that is away is tried again.
const RETRY: Duration = Duration::from_secs(1);

pub(super) fn run(args: &ServeArgs) -> Result<(), Failure> {
    let config = settings(args)?;
    log::start(config.log_level, config.log_format);
    raise_open_files();
    let runtime = tokio::runtime::Runtime::new().context("the threads cannot be started")?;
    runtime.block_on(serve(config))
}

/// Serves until the process is told to stop.
async fn serve(config: Config) -> Result<(), Failure> {
    let folder = TakenFolder::take(&config.data_dir)?;
    let (listeners, address) = listen(&config)?;
    let stop = stop_signal().context("signals cannot be received")?;
    let Some(app) = open(&config, (&listeners, address), &stop).await? else { return Ok(()) };
    if let Some(token) = offer_setup(&app).await? {
        print(&how_to_begin(address, &token))?;
    }
    tracing::info!(%address, "serving");
    app.run(listeners, stop).await;
    tracing::info!("stopped");
    drop(folder);
    Ok(())
}

/// Opens everything; nothing if it is told to stop meanwhile. As long as the database server is away and nothing is kept
/// on disk to answer with, everybody is told so.
async fn open(
    config: &Config,
    (listeners, address): (&Listeners, SocketAddr),
    stop: &CancellationToken,
) -> Result<Option<App>, Failure> {
    let greet = || print(&format!("Headcount serves http://{}\n", reachable(address)));
    let is_passing = |error: &anyhow::Error| error.downcast_ref().is_some_and(OpenError::is_passing);
    match App::open(config.clone(), Clock::wall()).await {
        Err(error) if is_passing(&error) => tracing::error!(%error, "waiting for the catalog database"),
        opened => {
            let app = opened?;
            log_settings(&app);
            greet()?;
            return Ok(Some(app));
        }
    }
    greet()?;
    let listener = listeners.public.as_fd().try_clone_to_owned().map(std::net::TcpListener::from);
    let listener = listener.and_then(TcpListener::from_std).context("the address cannot be listened on twice")?;
    let done = CancellationToken::new();
    let waiting = http::server::serve(listener, http::health::waiting(), Arc::new(Gate::new(config)), done.clone());
    let waiting = tokio::spawn(waiting);
    let retried = stop.run_until_cancelled(async {
        loop {
            tokio::time::sleep(RETRY).await;
            match App::open(config.clone(), Clock::wall()).await {
                Err(error) if is_passing(&error) => tracing::debug!(%error, "waiting for the catalog database"),
                opened => return opened,
            }
        }
    });
    let opened = retried.await;
    done.cancel();
    waiting.await.context("what tells that the server waits failed")?;
    let opened = opened.transpose()?;
    opened.iter().for_each(log_settings);
    Ok(opened)
}

/// Offers a token for the first administrator, if there is none and the database is there to keep it.
async fn offer_setup(app: &App) -> Result<Option<Token>, Failure> {
    if app.catalog.is_away() {
        return Ok(None);
    }
    let setup = app.catalog.offer_setup().await.context("the setup token cannot be stored")?;
    app.keep_setup_token(setup.as_ref()).context("the setup token cannot be kept")?;
    Ok(setup)
}

/// Listens on the addresses of the settings; gives the public one as it came out.
pub(super) fn listen(config: &Config) -> Result<(Listeners, SocketAddr), Failure> {
    let bind = |at: SocketAddr, flag: &str| {
        let cannot = || format!("cannot listen on {at}; --{flag} ADDR:PORT names another address");
        queue(at).with_context(cannot)
    };
    let unknown = "the address that is listened on is unknown";
    let public = bind(config.listen, "listen")?;
    let address = public.local_addr().context(unknown)?;
    let metrics = match config.metrics_listen {
        Some(at) => Some(bind(at, "metrics-listen")?),
        None => None,
    };
    if let Some(listener) = &metrics {
        let address = listener.local_addr().context(unknown)?;
        tracing::info!(%address, "serving metrics");
    }
    Ok((Listeners { public, metrics }, address))
}

/// A listener with a queue that outlasts a moment in which all clients come at once: a connection that finds it full is
/// tried again by the client's system after a second.
fn queue(at: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if at.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(at)?;
    socket.listen(LONGEST_QUEUE)
}

/// Is cancelled when the process is told to stop, by SIGTERM or SIGINT.
pub(super) fn stop_signal() -> std::io::Result<CancellationToken> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    // Received, it only makes the write fail, which is handled like a full disk.
    drop(signal(SignalKind::from_raw(SIGXFSZ))?);
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("stopping on SIGTERM"),
            _ = interrupt.recv() => tracing::info!("stopping on SIGINT"),
        }
        told.cancel();
    });
    Ok(stop)
}

fn log_settings(app: &App) {
    let config = &app.config;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), data_dir = %config.data_dir.display(), "starting");
    if !config.ignored.is_empty() {
        tracing::warn!(
            variables = config.ignored.join(", "),
            "ignored: these variables of faynoSync mean nothing here"
        );
    }
    let connections = most_connections(config);
    if connections < config.max_connections {
        tracing::warn!(connections, "the limit of open files (ulimit -n) allows no more connections than these");
    }
    if !config.telemetry {
        tracing::warn!("telemetry is off: checks are answered and not counted; ENABLE_TELEMETRY=true turns it on");
    }
    if let Some(name) = &config.default_owner
        && app.catalog.snapshot().owner_named(Some(name.as_str())).is_none()
    {
        tracing::warn!(setting = "HEADCOUNT_DEFAULT_OWNER", "there is no administrator of that name yet");
    }
}

/// How the first administrator comes about, for standard output.
fn how_to_begin(address: SocketAddr, token: &Token) -> String {
    let (url, token) = (format!("http://{}", reachable(address)), token.reveal());
    format!(
        "There is no administrator yet. This creates the first one, once; put a password of 10 to 1024 bytes for \
         CHANGE-ME:\n\
         curl -sS {url}/setup -H 'Content-Type: application/json' \
         -d '{{\"token\":\"{token}\",\"username\":\"admin\",\"password\":\"CHANGE-ME\"}}'\n"
    )
}

/// An address that this machine reaches itself by.
pub(super) fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
