//! `headcount catalog`: moves the catalog from one database to another.

use std::path::Path;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use crate::catalog::{Place, copy};
use crate::config::{Config, Database, LogFormat};

use super::folder::{DATA_DIR, TakenFolder};
use super::{Failure, log, print, settings_in};

/// What `--from` and `--to` take.
const ACCEPTED: &str = "sqlite (catalog.db in the data folder), sqlite:DIR (in another one), postgres (the database of the \
    settings), or a URL as DATABASE_URL takes it";

#[derive(Debug, Args)]
pub(super) struct CatalogArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Copy accounts, catalog, daily totals and the installation's secret to an empty database, while no server uses either
    ///
    /// A PLACE is `sqlite` (catalog.db in the data folder), `sqlite:DIR` (in another one), `postgres` (the database that
    /// the settings name), or a URL as `DATABASE_URL` takes it. The source stays as it is. The copy is in its place as a
    /// whole or not at all. A secret that is encrypted stays so: `SECRET_KEY` is the same afterwards.
    Copy(CopyArgs),
}

#[derive(Debug, Args)]
struct CopyArgs {
    #[arg(long, value_name = "PLACE", help = "Where to copy from")]
    from: String,
    #[arg(long, value_name = "PLACE", help = "Where to copy to: an empty database")]
    to: String,
    #[arg(long, value_name = "DIR", help = DATA_DIR)]
    data_dir: Option<String>,
}

pub(super) fn run(args: CatalogArgs) -> Result<(), Failure> {
    let Action::Copy(args) = args.action;
    let config = settings_in(args.data_dir)?;
    let (from, to) = (place("--from", &args.from, &config)?, place("--to", &args.to, &config)?);
    log::start(tracing::Level::ERROR, LogFormat::Text);
    // The server of this folder is stopped.
    let folders = [Some(&*config.data_dir), folder(&from), folder(&to)];
    let mut folders: Vec<&Path> = folders.into_iter().flatten().filter(|folder| folder.exists()).collect();
    folders.sort_unstable();
    folders.dedup();
    let _taken: Vec<TakenFolder> = folders.into_iter().map(TakenFolder::take).collect::<Result<_, _>>()?;
    let runtime = tokio::runtime::Runtime::new().context("the threads cannot be started")?;
    let copied = runtime.block_on(copy::copy(&from, &to)).map_err(anyhow::Error::from)?;
    print(&format!("copied installation {}, {} rows, from {from} to {to}\n", copied.installation, copied.rows))
}

fn place(flag: &str, text: &str, config: &Config) -> Result<Place, Failure> {
    let refused = |problem: &str| Failure::Arguments(format!("{flag}: {problem}; accepted: {ACCEPTED}"));
    if let Some(folder) = text.strip_prefix("sqlite:").filter(|folder| !folder.is_empty()) {
        return Ok(Place::in_folder(Path::new(folder)));
    }
    let database = match text {
        "postgres" => config.database.clone(),
        other => other.parse().map_err(|_| refused("it is no such place"))?,
    };
    match database {
        Database::Sqlite if text == "postgres" => Err(refused("DATABASE_URL names no PostgreSQL")),
        Database::Sqlite => Ok(Place::in_folder(&config.data_dir)),
        Database::Postgres(url) => Ok(Place::Postgres(url)),
    }
}

fn folder(place: &Place) -> Option<&Path> {
    match place {
        Place::Sqlite(path) => path.parent(),
        Place::Postgres(_) => None,
    }
}
