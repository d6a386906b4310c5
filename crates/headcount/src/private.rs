//! Files that only the user of the server may read.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
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

/// Puts a file that nobody but its owner may read in the place of an earlier one, as a whole: if it fails, or the power
/// does, the earlier one is still there.
pub fn replace_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = Path::new(&part);
    remove(part)?;
    create_private(part)?;
    let mut file = File::options().write(true).open(part)?;
    file.write_all(bytes)?;
    put_in_place(part, path)
}

/// Gives a file that is written its name, as a whole: if the power fails, it has it or has it not.
pub fn put_in_place(part: &Path, path: &Path) -> std::io::Result<()> {
    File::open(part)?.sync_all()?;
    std::fs::rename(part, path)?;
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Removes a file, if there is one.
pub fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
