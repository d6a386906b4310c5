//! `headcount backup` and `headcount restore`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use crate::backup::{self, Manifest, Verified};
use crate::clock::Clock;
use crate::config::LogFormat;

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
    let manifest = backup::take(&config.data_dir, &args.file, &Clock::wall())?;
    let bytes = std::fs::metadata(&args.file).context("the backup cannot be found")?.len();
    print(&format!("backed up {} to `{}`, {bytes} bytes\n", said_of(&manifest), args.file.display()))
}

pub(super) fn restore(args: RestoreArgs) -> Result<(), Failure> {
    let config = settings_in(args.data_dir)?;
    log::start(tracing::Level::WARN, LogFormat::Text);
    let folder: &Path = &config.data_dir;
    // All that can be refused is, before anything is made.
    backup::check_empty(folder, &[LOCK])?;
    let verified = Verified::read(&args.file)?;
    let taken = TakenFolder::take(folder)?;
    verified.restore(folder, &[LOCK])?;
    drop(taken);
    print(&format!("restored {} to `{}`\n", said_of(&verified.manifest), folder.display()))
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
