//! Files that only the user of the server may read.

use std::io::ErrorKind;
use std::path::Path;

/// Creates an empty file that nobody but its owner may read, if there is none.
pub fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(|_file| ())
}

/// Writes a file that nobody but its owner may read, in place of an earlier one.
pub fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    remove(path)?;
    create_private(path)?;
    std::fs::write(path, text)
}

/// Removes a file, if there is one.
pub fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
