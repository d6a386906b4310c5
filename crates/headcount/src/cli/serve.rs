//! `headcount serve`.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::app::{App, Listeners};
use crate::catalog::sessions::Token;
use crate::clock::Clock;
use crate::config::{Config, ServeArgs};
use crate::http::server::{most_connections, raise_open_files};

use super::folder::TakenFolder;
use super::{Failure, log, print, settings};

/// How many connections may wait to be accepted. Linux allows no more unless it is told to.
const LONGEST_QUEUE: u32 = 4096;

/// What the system sends when a file would grow past its limit. By default it ends the process.
const SIGXFSZ: i32 = 25;

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
    let app = App::open(config, Clock::wall()).await?;
    log_settings(&app);
    let setup = app.catalog.offer_setup().await.context("the setup token cannot be stored")?;
    app.keep_setup_token(setup.as_ref()).context("the setup token cannot be kept")?;
    print(&greeting(address, setup.as_ref()))?;
    tracing::info!(%address, "serving");
    app.run(listeners, stop).await;
    tracing::info!("stopped");
    drop(folder);
    Ok(())
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

/// Where to go, for standard output.
fn greeting(address: SocketAddr, setup: Option<&Token>) -> String {
    let url = format!("http://{}", reachable(address));
    let mut text = format!("Headcount serves {url}\n");
    if let Some(token) = setup {
        let token = token.reveal();
        _ = write!(
            text,
            "There is no administrator yet. This creates the first one, once; put a password of 10 to 1024 bytes for \
             CHANGE-ME:\n\
             curl -sS {url}/setup -H 'Content-Type: application/json' \
             -d '{{\"token\":\"{token}\",\"username\":\"admin\",\"password\":\"CHANGE-ME\"}}'\n"
        );
    }
    text
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
