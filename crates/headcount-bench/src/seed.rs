//! Fleets made in seconds: a catalog, a dictionary, segments and a journal, written by the code that the server runs.
//!
//! The catalog goes through the calls of the API. Devices join the dictionary in steps of the size that the server uses.
//! A day is folded in memory and stored as a base, as a compaction stores it: a month of a million devices sent through
//! the journal would take many minutes, and end in the same bytes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use headcount::app::{App, Listeners};
use headcount::catalog::files::File;
use headcount::catalog::kind::{Kind, ResourceName};
use headcount::catalog::releases::{Content, NewRelease};
use headcount::catalog::resources::Draft;
use headcount::catalog::sessions::NewSession;
use headcount::clock::Clock;
use headcount::config::{Config, ServeArgs, Variables};
use headcount::password::Password;
use headcount_engine::day::{DAY_MILLIS, Millis};
use headcount_engine::id::OwnerId;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::fleet::Fleet;
use crate::redis_server::RedisServer;
use crate::requests::{APP, ARCHS, CHANNELS, OWNER, PLATFORMS};

/// How large a fleet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Devices in the dictionary.
    pub(crate) known: u32,
    /// Of how many of them each day has a check: all, or one in so many.
    pub(crate) one_in: u32,
    /// Days up to today that have segments; the newest of a single day is yesterday.
    pub(crate) days: u16,
    /// Versions in the catalog.
    pub(crate) versions: u16,
    /// Events in the journal that are not in the store.
    pub(crate) spooled: u32,
    /// Whether the store is in a Redis.
    pub(crate) redis: bool,
}

/// A fleet on disk.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Seeded {
    /// The token of its administrator.
    pub(crate) token: String,
    /// Seconds that it took to make.
    pub(crate) seconds: f64,
    /// Device-days in its segments.
    pub(crate) device_days: u64,
}

const RECORD: &str = "bench.json";

/// A copy of the fleet in a folder of its own: what a server does with it is not seen by the next one.
pub(crate) async fn copy(plan: Plan, root: &Path, name: &str) -> anyhow::Result<(PathBuf, Seeded)> {
    let today = Clock::wall().now().day();
    let Plan { known, one_in, days, versions, spooled, redis } = plan;
    let store = if redis { "redis" } else { "embedded" };
    let kept = root.join("fleets").join(format!("{today}-{known}-{one_in}-{days}-{versions}-{spooled}-{store}"));
    if !kept.join(RECORD).exists() {
        remove(&kept)?;
        make(plan, &kept).await.with_context(|| format!("the fleet {} cannot be made", kept.display()))?;
    }
    let folder = root.join("runs").join(name);
    remove(&folder)?;
    copy_folder(&kept, &folder)?;
    let seeded = serde_json::from_slice(&fs::read(folder.join(RECORD))?)?;
    Ok((folder, seeded))
}

/// Where the Redis of a fleet keeps its files.
pub(crate) fn redis_folder(fleet: &Path) -> PathBuf {
    fleet.join("redis")
}

fn remove(folder: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

async fn make(plan: Plan, folder: &Path) -> anyhow::Result<()> {
    let started = std::time::Instant::now();
    let flags = ServeArgs::default()
        .with("data-dir", folder.to_string_lossy())
        .with("listen", "127.0.0.1:0")
        .with("session-hours", "48");
    let redis = if plan.redis { Some(RedisServer::start(&redis_folder(folder))?) } else { None };
    let mut variables = Variables::new();
    variables.extend(redis.iter().map(RedisServer::setting));
    let config = Config::load(&flags, &variables, &Variables::new())?;
    let app = App::open(config, Clock::wall()).await?;
    let (owner, token) = administrator(&app).await?;
    catalog(&app, owner, plan.versions).await?;
    let fleet = Fleet::new(&app, owner, plan)?;
    fleet.join_dictionary(&app).await?;
    let device_days = fleet.write_days(&app).await?;
    // Totals of closed days are the keeper's work; done now, it does not fall into a measurement.
    app.keeper.round().await?;
    let (spool, now) = (app.spool.directory().to_owned(), app.clock.now());
    // A server that is told to stop at once writes what it has and ends.
    let stopped = CancellationToken::new();
    stopped.cancel();
    let listeners = Listeners { public: tokio::net::TcpListener::bind("127.0.0.1:0").await?, metrics: None };
    app.run(listeners, stopped).await;
    fleet.write_journal(&spool, now)?;
    closed(folder).await?;
    if let Some(redis) = redis {
        redis.stop()?;
    }
    let seeded = Seeded { token, seconds: started.elapsed().as_secs_f64(), device_days };
    fs::write(folder.join(RECORD), serde_json::to_vec(&seeded)?)?;
    Ok(())
}

/// Waits until the databases are closed: their logs are gone then, and the files can be copied.
async fn closed(folder: &Path) -> anyhow::Result<()> {
    const TRIES: u32 = 600;
    for _ in 0..TRIES {
        let mut open = false;
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name();
            let Some(database) = name.to_str().and_then(|name| name.strip_suffix("-wal")) else { continue };
            open = true;
            // Two connections that close at the same moment leave the log behind, each in favour of the other.
            Connection::open(folder.join(database))?.pragma_query_value(None, "user_version", |_| Ok(()))?;
        }
        if !open {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    bail!("a database was not closed")
}

async fn administrator(app: &App) -> anyhow::Result<(OwnerId, String)> {
    let name = OWNER.parse()?;
    let password = Password::parse(hex::encode(rand::random::<[u8; 16]>()).into())?;
    let hash = app.passwords.hash(password).await?;
    let Some(id) = app.catalog.create_administrator(&name, &hash).await? else { bail!("there is a user {OWNER}") };
    let known = app.catalog.credentials(&name).await?.context("the administrator is gone")?;
    let token = app
        .catalog
        .open_session(&known, NewSession::bearer(app.config.session), None)
        .await?
        .context("the administrator is gone")?;
    Ok((OwnerId(id), token.reveal().to_owned()))
}

/// Every version on the first channel, the newest on all of them; each with a file for every platform. They were published
/// every second day, the newest two days ago.
async fn catalog(app: &App, owner: OwnerId, versions: u16) -> anyhow::Result<()> {
    let named = |kind: Kind, names: &[&'static str]| names.iter().map(|&name| (kind, name)).collect::<Vec<_>>();
    let resources = [
        named(Kind::App, &[APP]),
        named(Kind::Channel, &CHANNELS),
        named(Kind::Platform, &PLATFORMS),
        named(Kind::Arch, &ARCHS),
    ];
    for (kind, name) in resources.concat() {
        app.catalog.create_resource(owner, Draft::named(ResourceName::parse(kind, name)?)).await?;
    }
    for version in 0..versions {
        let channels = if version + 1 == versions { &CHANNELS[..] } else { &CHANNELS[..1] };
        let published_at = Millis(app.clock.now().0 - i64::from(versions - version) * 2 * DAY_MILLIS);
        for channel in channels {
            app.catalog.create_release(owner, release(version, channel, published_at)?).await?;
        }
    }
    Ok(())
}

fn release(version: u16, channel: &str, published_at: Millis) -> anyhow::Result<NewRelease> {
    let version = format!("1.{version}.0");
    let mut files = Vec::new();
    for (platform, arch) in PLATFORMS.iter().zip(ARCHS) {
        files.push(File {
            platform: Some((*platform).to_owned()),
            arch: Some(arch.to_owned()),
            package: ".zip".to_owned(),
            link: format!("https://downloads.example.com/{APP}/{channel}/{version}/{platform}-{arch}.zip").parse()?,
            signature: None,
            sha512: None,
            size: None,
        });
    }
    let published_at = Some(published_at);
    let content = Content { published: Some(true), published_at, files: Some(files), ..Content::default() };
    let (app, channel) = (APP.to_owned(), Some(channel.to_owned()));
    Ok(NewRelease { app, version: version.parse()?, channel, rollout_seed: None, content })
}
