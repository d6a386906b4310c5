//! Backups: one file with consistent copies of all that the data folder holds, taken while the server runs; and of the
//! catalog, wherever that lies.
//!
//! A backup is a line that says what it is, the [`Manifest`] as a line of JSON, the checksum of both as a line in hex,
//! and then, for each file that the manifest lists: its length in 8 bytes (little-endian), its content, and its checksum
//! in 32 bytes. Checksums are BLAKE3; that of a file also covers its name. Nothing follows the last file.

mod read;
mod snapshot;
mod write;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use headcount_engine::mark::SpoolId;
use serde::{Deserialize, Serialize};

use crate::catalog::copy::CopyError;

pub use self::read::{Verified, check_empty, is_unfinished};
pub use self::write::take;

/// The version of the layout above.
const FORMAT: u32 = 1;
/// What the first line begins with; the version follows.
const TITLE: &str = "headcount-backup ";

const CATALOG: &str = "catalog.db";
const STORE: &str = "store.db";
const SPOOL: &str = "spool";

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the program that took it.
    pub program: String,
    /// The id of the installation.
    pub installation: String,
    /// The moment that it shows: RFC 3339, UTC.
    pub taken_at: String,
    /// The formats of the files in it, by kind: `catalog`, `store`, `spool`.
    pub formats: BTreeMap<String, i64>,
    /// The files, by their path in the data folder, in the order in which they follow.
    pub files: Vec<String>,
    /// Files of the data folder that could not be read and are not in it.
    pub left_out: Vec<String>,
    /// Where everything lies that is counted, if that is not in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted_in: Option<String>,
}

/// A backup cannot be taken or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file system refused.
    #[error("`{}`: {cause}", path.display())]
    Io {
        /// What was read or written.
        path: PathBuf,
        /// Why it failed.
        cause: std::io::Error,
    },
    /// A database refused.
    #[error("the database `{}` cannot be copied: {cause}", path.display())]
    Database {
        /// Which one.
        path: PathBuf,
        /// Why it failed.
        cause: rusqlite::Error,
    },
    /// The catalog cannot be copied from its database, or into it.
    #[error("{0}; nothing was {what}", what = .1.done())]
    Catalog(CopyError, Task),
    /// The files of the spool cannot be listed.
    #[error(transparent)]
    Spool(#[from] crate::spool::SpoolError),
    /// There is no installation to back up.
    #[error("there is no catalog in the data folder `{}`; --data-dir DIR names another", .0.display())]
    NoCatalog(PathBuf),
    /// A backup never replaces anything.
    #[error("`{}` exists already; accepted: the path of a new file", .0.display())]
    Exists(PathBuf),
    /// The file is something else.
    #[error("`{}` is not a backup of Headcount", .0.display())]
    NotABackup(PathBuf),
    /// The file is not what was written.
    #[error("the backup `{}` is damaged: {what}; nothing was restored", path.display())]
    Damaged {
        /// Where it lies.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// A newer build took it.
    #[error("the backup `{}` has {what} format {found}; this build reads up to {known}; nothing was restored", path.display())]
    Newer {
        /// Where it lies.
        path: PathBuf,
        /// The format of what.
        what: String,
        /// The format found.
        found: i64,
        /// The newest format known.
        known: i64,
    },
    /// Something would be lost.
    #[error("the data folder `{}` is not empty; accepted: a new or empty folder; nothing was restored", .0.display())]
    NotEmpty(PathBuf),
}

/// What was to be done.
#[derive(Debug, Clone, Copy)]
pub enum Task {
    /// Taking a backup.
    Take,
    /// Restoring one.
    Restore,
}

impl Task {
    fn done(self) -> &'static str {
        match self {
            Self::Take => "backed up",
            Self::Restore => "restored",
        }
    }
}

type Result<T> = std::result::Result<T, BackupError>;

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> BackupError {
    let path = path.to_owned();
    move |cause| BackupError::Io { path, cause }
}

fn catalog(task: Task) -> impl FnOnce(CopyError) -> BackupError {
    move |cause| BackupError::Catalog(cause, task)
}

fn database(path: &Path) -> impl FnOnce(rusqlite::Error) -> BackupError {
    let path = path.to_owned();
    move |cause| BackupError::Database { path, cause }
}

/// Whether a file of that path may stand in a backup. No other path is ever written to.
fn is_known(name: &str) -> bool {
    let spool = |rest: &str| rest.strip_suffix(".db").is_some_and(|id| id.parse::<SpoolId>().is_ok());
    name == CATALOG || name == STORE || name.strip_prefix("spool/").is_some_and(spool)
}

/// The checksum of a file with its name.
fn hasher(name: &str) -> blake3::Hasher {
    let mut hasher = blake3::Hasher::new();
    hasher.update(name.as_bytes());
    hasher.update(&[0]);
    hasher
}
