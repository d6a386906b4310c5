//! The data folder: made, tried, and taken by one process at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::backup;

/// How commands that take the folder only describe it.
pub(super) const DATA_DIR: &str = "The server's data folder [default: ./data] [env: HEADCOUNT_DATA_DIR]";
/// The file whose lock says that a process uses the folder. It is empty and stays.
pub(super) const LOCK: &str = "lock";
/// The file that is written to find out whether files can be.
const TRIAL: &str = "trial";

/// The data folder, for as long as this value lives. The system gives it back if the process dies.
#[derive(Debug)]
pub(super) struct TakenFolder {
    _lock: File,
}

/// The data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum FolderError {
    #[error(
        "HEADCOUNT_DATA_DIR: the folder `{}` cannot be written to ({cause}); \
         accepted: a path of a folder that can be written to",
        folder.display()
    )]
    Unwritable { folder: PathBuf, cause: io::Error },
    #[error(
        "HEADCOUNT_DATA_DIR: the folder `{}` is in use by another process; accepted: a folder that no other process uses",
        folder.display()
    )]
    InUse { folder: PathBuf },
    #[error(
        "HEADCOUNT_DATA_DIR: a restore into the folder `{}` was broken off; delete what is in it and restore again",
        folder.display()
    )]
    Unfinished { folder: PathBuf },
}

impl TakenFolder {
    /// Takes the folder, and makes it if it does not exist.
    pub(super) fn take(folder: &Path) -> Result<Self, FolderError> {
        let unwritable = |cause| FolderError::Unwritable { folder: folder.to_owned(), cause };
        make(folder).map_err(unwritable)?;
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(folder.join(LOCK));
        let lock = lock.map_err(unwritable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FolderError::InUse { folder: folder.to_owned() }),
            Err(TryLockError::Error(cause)) => return Err(unwritable(cause)),
        }
        if backup::is_unfinished(folder) {
            return Err(FolderError::Unfinished { folder: folder.to_owned() });
        }
        // The lock may be older than the loss of the right to write.
        let trial = folder.join(TRIAL);
        std::fs::write(&trial, b"").and_then(|()| std::fs::remove_file(&trial)).map_err(unwritable)?;
        Ok(Self { _lock: lock })
    }
}

/// Makes the folder if it does not exist. It will hold secrets: only its owner may look into it.
pub(super) fn make(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}
