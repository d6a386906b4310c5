//! The command line.

mod backup;
mod catalog;
mod demo;
mod folder;
mod import;
mod log;
mod serve;
mod store;
mod user;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::backup::BackupError;
use crate::config::{Config, ConfigError, ServeArgs, process_environment, read_dotenv, render_effective};
use crate::http;

use self::demo::ForeignFolder;
use self::folder::FolderError;

/// Which of your devices run which version: an update-check server that counts exactly.
#[derive(Debug, Parser)]
#[command(name = "headcount", version, arg_required_else_help = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer and count update checks
    Serve(ServeArgs),
    /// Print the settings in effect and where they come from, secrets hidden
    Config(ServeArgs),
    /// Print the description of the HTTP interface, as in openapi.json
    Openapi,
    /// Manage the accounts of administrators, also while the server runs
    User(user::UserArgs),
    /// Import what was counted elsewhere into a running server
    Import(import::ImportArgs),
    /// Write the catalog and all that the data folder holds to one file, also while the server runs
    Backup(backup::BackupArgs),
    /// Put what a backup holds into a new data folder, and the catalog into an empty database
    Restore(backup::RestoreArgs),
    /// Move the catalog from one database to another
    Catalog(catalog::CatalogArgs),
    /// Move what is counted from one store to another
    Store(store::StoreArgs),
    /// Serve a made-up fleet, to look around
    Demo(demo::DemoArgs),
}

/// Why a command failed: one line for standard error, and the exit code.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Settings(#[from] ConfigError),
    #[error("{0}")]
    Arguments(String),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Foreign(#[from] ForeignFolder),
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

impl Failure {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Settings(_) | Self::Arguments(_) | Self::Folder(_) | Self::Foreign(_) => ExitCode::from(2),
            Self::Backup(_) | Self::Other(_) => ExitCode::FAILURE,
        }
    }
}

/// Runs the command that the process was started with. Exit code 2: the arguments or settings are wrong; 1: it failed.
pub fn main() -> ExitCode {
    let command = match CommandLine::try_parse() {
        Ok(line) => line.command,
        Err(error) => {
            // Help and version come this way too. With standard error closed, there is nobody left to tell.
            _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    let done = match command {
        Command::Serve(args) => serve::run(&args),
        Command::Config(args) => show_config(&args),
        Command::Openapi => print_openapi(),
        Command::User(args) => user::run(args),
        Command::Import(args) => import::run(args),
        Command::Backup(args) => backup::take(args),
        Command::Restore(args) => backup::restore(args),
        Command::Catalog(args) => catalog::run(args),
        Command::Store(args) => store::run(args),
        Command::Demo(args) => demo::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let line = failure.to_string().replace(['\n', '\r'], " ");
            _ = writeln!(std::io::stderr(), "headcount: {line}");
            failure.exit_code()
        }
    }
}

/// The settings in effect: flags, the process environment, and `.env` in the working directory.
fn settings(args: &ServeArgs) -> Result<Config, ConfigError> {
    Config::load(args, &process_environment()?, &read_dotenv(Path::new("."))?)
}

/// The same for a command that takes the data folder only.
fn settings_in(data_dir: Option<String>) -> Result<Config, ConfigError> {
    match data_dir {
        Some(folder) => settings(&ServeArgs::default().with("data-dir", folder)),
        None => settings(&ServeArgs::default()),
    }
}

fn show_config(args: &ServeArgs) -> Result<(), Failure> {
    print(&render_effective(&settings(args)?))
}

/// Writes text to standard output.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::Other(anyhow::Error::new(error).context("standard output cannot be written")))
}

fn print_openapi() -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(&http::description()).map_err(anyhow::Error::from)?;
    writeln!(std::io::stdout(), "{text}").map_err(|error| anyhow::Error::from(error).into())
}
