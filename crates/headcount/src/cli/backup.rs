//! `headcount backup` and `headcount restore`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use tokio::runtime::Runtime;

use crate::backup::{self, Manifest, Verified};
use crate::catalog::Place;
use crate::clock::Clock;
use crate::config::{Database, LogFormat};

use super::folder::{DATA_DIR, LOCK, TakenFolder};
use super::{Failure, log, print, settings_in};

#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// The file to write; it must not exist, and is as secret as the data folder
    file: PathBuf,
    #[arg(long, value_name = "DIR", help = DATA_DIR)]
    data_dir: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// The backup
    file: PathBuf,
    #[arg(
        long,
        value_name = "DIR",
        help = "The data folder, new or empty [default: ./data] [env: HEADCOUNT_DATA_DIR]"
    )]
    data_dir: Option<String>,
}

pub(super) fn take(args: BackupArgs) -> Result<(), Failure> {
    let config = settings_in(args.data_dir)?;
    log::start(tracing::Level::WARN, LogFormat::Text);
    let manifest = runtime()?.block_on(backup::take(&config, &args.file, &Clock::wall()))?;
    let bytes = std::fs::metadata(&args.file).context("the backup cannot be found")?.len();
    print(&format!(
        "backed up {} to `{}`, {bytes} bytes\n{}",
        said_of(&manifest),
        args.file.display(),
        missing(&manifest)
    ))
}

pub(super) fn restore(args: RestoreArgs) -> Result<(), Failure> {
    let config = settings_in(args.data_dir)?;
    log::start(tracing::Level::WARN, LogFormat::Text);
    let (folder, runtime): (&Path, _) = (&config.data_dir, runtime()?);
    // All that can be refused is, before anything is made.
    runtime.block_on(backup::check_empty(&config, &[LOCK]))?;
    let verified = Verified::read(&args.file)?;
    let taken = TakenFolder::take(folder)?;
    runtime.block_on(verified.restore(&config, &[LOCK]))?;
    drop(taken);
    let catalog = match config.database {
        Database::Sqlite => String::new(),
        Database::Postgres(_) => format!(" and {}", Place::of(&config)),
    };
    let said = said_of(&verified.manifest);
    print(&format!("restored {said} to `{}`{catalog}\n{}", folder.display(), missing(&verified.manifest)))
}

fn runtime() -> anyhow::Result<Runtime> {
    Runtime::new().context("the threads cannot be started")
}

/// What the backup is not enough for.
fn missing(manifest: &Manifest) -> String {
    manifest.counted_in.as_ref().map_or_else(String::new, |place| {
        format!("what is counted is in {place} and not in the backup: back that up, too, as docs/operating.md says\n")
    })
}

fn said_of(manifest: &Manifest) -> String {
    let spool = manifest.files.iter().filter(|name| name.starts_with("spool/")).count();
    let mut text =
        format!("installation {} as of {}, with {spool} files of the spool", manifest.installation, manifest.taken_at);
    if !manifest.left_out.is_empty() {
        _ = write!(text, " (without {}, which cannot be read)", manifest.left_out.join(", "));
    }
    text
}
