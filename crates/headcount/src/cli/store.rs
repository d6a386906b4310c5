//! `headcount store`: moves the counted segments from one place to another.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::config::{Config, LogFormat, RedisSettings, RedisTarget};
use crate::installation::Installation;
use crate::retention::Retention;
use crate::store::Store;
use crate::store::copy::{Copied, Copy};

use super::folder::{DATA_DIR, TakenFolder};
use super::{Failure, log, print, settings_in};

/// What `--from` and `--to` take.
const ACCEPTED: &str = "embedded (the store in the data folder), embedded:DIR (in another one), redis (the one of the \
    settings), or a URL as REDIS_URL takes it";

#[derive(Debug, Args)]
pub(super) struct StoreArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Copy all that is counted to an empty store, while no server uses either; broken off and run again, it goes on
    ///
    /// A PLACE is `embedded` (the store in the data folder), `embedded:DIR` (in another one), `redis` (the one that the
    /// settings name), or a URL as `REDIS_URL` takes it; a password may stand in `REDIS_PASSWORD`. The source stays
    /// as it is. Until the copy is whole no server uses it.
    Copy(CopyArgs),
}

#[derive(Debug, Args)]
struct CopyArgs {
    #[arg(long, value_name = "PLACE", help = "Where to copy from")]
    from: String,
    #[arg(long, value_name = "PLACE", help = "Where to copy to: an empty store, or the unfinished copy")]
    to: String,
    #[arg(long, value_name = "DIR", help = DATA_DIR)]
    data_dir: Option<String>,
}

/// Where a store lives.
#[derive(Debug, Clone)]
enum Place {
    Embedded(PathBuf),
    Redis(Box<RedisSettings>),
}

pub(super) fn run(args: StoreArgs) -> Result<(), Failure> {
    let Action::Copy(args) = args.action;
    let config = settings_in(args.data_dir)?;
    let (from, to) = (Place::parse("--from", &args.from, &config)?, Place::parse("--to", &args.to, &config)?);
    log::start(tracing::Level::ERROR, LogFormat::Text);
    if !Catalog::may_exist(&config) {
        let folder = config.data_dir.display();
        let none = anyhow::anyhow!("there is no catalog in the data folder `{folder}`; --data-dir DIR names another");
        return Err(none.into());
    }
    // What ships to the store of these folders is stopped.
    let folders = [Some(&*config.data_dir), from.folder(), to.folder()];
    let mut folders: Vec<&Path> = folders.into_iter().flatten().collect();
    folders.sort_unstable();
    folders.dedup();
    let _taken: Vec<TakenFolder> = folders.into_iter().map(TakenFolder::take).collect::<Result<_, _>>()?;
    let runtime = tokio::runtime::Runtime::new().context("the threads cannot be started")?;
    let copied = runtime.block_on(copy(&config, (&from, &to)))?;
    print(&said_of(copied, (&from, &to)))
}

async fn copy(config: &Config, (from, to): (&Place, &Place)) -> anyhow::Result<Copied> {
    let catalog = Catalog::open(config, Clock::wall()).await?;
    catalog.close().await;
    let installation = catalog.installation();
    let retention = catalog.retention();
    let from = from.with(&retention).open(installation).await?;
    let to = to.with(&retention).open_to_copy(installation).await?;
    let now = Clock::wall().now();
    let bar = progress();
    let copy = Copy { from: &from, to: &to, retention, now };
    let copied = copy.run(|done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    let copied = copied.await;
    bar.finish_and_clear();
    Ok(copied?)
}

/// On standard error, and only where that is a terminal.
fn progress() -> ProgressBar {
    let bar = ProgressBar::new(0);
    match ProgressStyle::with_template("{wide_bar} {pos}/{len} days of owners, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn said_of(copied: Copied, (from, to): (&Place, &Place)) -> String {
    let Copied { owners, devices, segments, damaged } = copied;
    let mut text = format!(
        "copied {owners} owners, {devices} devices and {segments} days of applications from {} to {}\n",
        from.shown(),
        to.shown()
    );
    if damaged > 0 {
        _ = writeln!(text, "{damaged} blobs are damaged and were left out: their days are incomplete");
    }
    text
}

impl Place {
    fn parse(flag: &str, text: &str, config: &Config) -> Result<Self, Failure> {
        let refused = |problem: &str| Failure::Arguments(format!("{flag}: {problem}; accepted: {ACCEPTED}"));
        let in_folder = |folder: &Path| Self::Embedded(folder.join("store.db"));
        if let Some(folder) = text.strip_prefix("embedded:").filter(|folder| !folder.is_empty()) {
            return Ok(in_folder(Path::new(folder)));
        }
        match text {
            "embedded" => Ok(in_folder(&config.data_dir)),
            "redis" => {
                let redis = config.redis().ok_or_else(|| refused("no Redis is set by REDIS_URL or REDIS_HOST"))?;
                Ok(Self::Redis(Box::new(redis)))
            }
            url => {
                let target: RedisTarget = url.parse().map_err(|problem: String| refused(&problem))?;
                Ok(Self::Redis(Box::new(config.redis_at(target))))
            }
        }
    }

    /// The same, with what owners have settled.
    fn with(&self, retention: &Retention) -> Self {
        let mut place = self.clone();
        if let Self::Redis(redis) = &mut place {
            redis.retention = retention.clone();
        }
        place
    }

    fn folder(&self) -> Option<&Path> {
        match self {
            Self::Embedded(path) => path.parent(),
            Self::Redis(_) => None,
        }
    }

    /// Without a password.
    fn shown(&self) -> String {
        match self {
            Self::Embedded(path) => format!("`{}`", path.display()),
            Self::Redis(redis) => redis.target.to_string(),
        }
    }

    async fn open(&self, installation: &Installation) -> anyhow::Result<Store> {
        Ok(match self {
            // A mistyped folder must not become an empty store.
            Self::Embedded(path) if !path.exists() => bail!("there is no store at `{}`", path.display()),
            Self::Embedded(path) => Store::open_embedded(path, installation).await?,
            Self::Redis(redis) => Store::open_redis((**redis).clone(), installation).await?,
        })
    }

    async fn open_to_copy(&self, installation: &Installation) -> anyhow::Result<Store> {
        Ok(match self {
            Self::Embedded(path) => Store::open_embedded_to_copy(path, installation).await?,
            Self::Redis(redis) => Store::open_redis_to_copy((**redis).clone(), installation).await?,
        })
    }
}
