//! Restoring a backup.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::path::{Path, PathBuf};

use super::write::{Hashed, sync_folder};
use super::{BackupError, CATALOG, FORMAT, Manifest, Result, SPOOL, STORE, TITLE, Task, hasher, io, is_known};
use crate::catalog::{Place, copy};
use crate::config::{Config, Database};
use crate::private::create_private;
use crate::{catalog, spool, store};

/// The longest first lines that are read.
const LONGEST_HEAD: u64 = 16 << 20;
/// The folder for what is not in its place yet. While it is there, the data folder cannot be used.
const UNFINISHED: &str = "restoring";

/// Whether a restore into the data folder was broken off, so that it holds a part of a backup.
pub fn is_unfinished(data_dir: &Path) -> bool {
    data_dir.join(UNFINISHED).exists()
}

/// A backup that was read to its end and is what was written.
#[derive(Debug)]
pub struct Verified {
    path: PathBuf,
    /// What it says of itself.
    pub manifest: Manifest,
}

impl Verified {
    /// Reads all of a backup, and compares it with its checksums.
    pub fn read(file: &Path) -> Result<Self> {
        let mut backup = Reader::open(file)?;
        for name in backup.manifest.files.clone() {
            backup.file(&name, &mut std::io::sink())?;
        }
        Ok(Self { path: file.to_owned(), manifest: backup.end()? })
    }

    /// Writes it into a data folder in which nothing but `except` is, and the catalog into the database of the settings,
    /// in which nothing is. What fails leaves nothing behind, and what is broken off leaves a folder that no server
    /// starts in.
    pub async fn restore(&self, config: &Config, except: &[&str]) -> Result<()> {
        check_empty(config, except).await?;
        let data_dir = &*config.data_dir;
        let unfinished = data_dir.join(UNFINISHED);
        let restored = write(&self.path, config, &unfinished).await;
        if restored.is_err() {
            // In this order: what cannot be deleted leaves the folder that says so.
            for name in [SPOOL, STORE, CATALOG, UNFINISHED] {
                let path = data_dir.join(name);
                if path.exists() {
                    let deleted =
                        if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
                    deleted.map_err(io(&path))?;
                }
            }
        }
        restored
    }
}

/// Refuses a data folder in which something but `except` is, and another database in which an installation is.
pub async fn check_empty(config: &Config, except: &[&str]) -> Result<()> {
    check_folder(&config.data_dir, except)?;
    match &config.database {
        Database::Sqlite => Ok(()),
        Database::Postgres(_) => copy::check_empty(&Place::of(config)).await.map_err(super::catalog(Task::Restore)),
    }
}

fn check_folder(data_dir: &Path, except: &[&str]) -> Result<()> {
    if !data_dir.exists() {
        return Ok(());
    }
    for entry in std::fs::read_dir(data_dir).map_err(io(data_dir))? {
        let name = entry.map_err(io(data_dir))?.file_name();
        if !except.iter().any(|except| name == **except) {
            return Err(BackupError::NotEmpty(data_dir.to_owned()));
        }
    }
    Ok(())
}

async fn write(file: &Path, config: &Config, unfinished: &Path) -> Result<()> {
    let data_dir = &*config.data_dir;
    std::fs::create_dir_all(unfinished.join(SPOOL)).map_err(io(unfinished))?;
    sync_folder(data_dir)?;
    let mut backup = Reader::open(file)?;
    for name in backup.manifest.files.clone() {
        let path = unfinished.join(&name);
        create_private(&path).map_err(io(&path))?;
        let mut to = File::options().write(true).open(&path).map_err(io(&path))?;
        backup.file(&name, &mut to)?;
        to.sync_all().map_err(io(&path))?;
    }
    backup.end()?;
    sync_folder(&unfinished.join(SPOOL))?;
    let in_folder: &[&str] = match config.database {
        Database::Sqlite => &[SPOOL, STORE, CATALOG],
        Database::Postgres(_) => &[SPOOL, STORE],
    };
    for name in in_folder {
        let (from, to) = (unfinished.join(name), data_dir.join(name));
        if from.exists() {
            std::fs::rename(&from, &to).map_err(io(&to))?;
        }
    }
    sync_folder(data_dir)?;
    let catalog = unfinished.join(CATALOG);
    if catalog.exists() {
        let copied = copy::copy(&Place::Sqlite(catalog), &Place::of(config)).await;
        copied.map_err(super::catalog(Task::Restore))?;
    }
    std::fs::remove_dir_all(unfinished).map_err(io(unfinished))?;
    sync_folder(data_dir)
}

/// A backup behind its manifest.
struct Reader {
    path: PathBuf,
    from: BufReader<File>,
    manifest: Manifest,
}

impl Reader {
    fn open(path: &Path) -> Result<Self> {
        let mut from = BufReader::new(File::open(path).map_err(io(path))?);
        let not_a_backup = || BackupError::NotABackup(path.to_owned());
        let damaged = |what: &str| BackupError::Damaged { path: path.to_owned(), what: what.to_owned() };
        let title = line(&mut from, 64, path)?.ok_or_else(not_a_backup)?;
        let found: i64 = title.strip_prefix(TITLE).and_then(|version| version.parse().ok()).ok_or_else(not_a_backup)?;
        check_format(path, "backup", found, i64::from(FORMAT))?;
        let json = line(&mut from, LONGEST_HEAD, path)?.ok_or_else(|| damaged("it ends in its manifest"))?;
        let checksum = line(&mut from, 128, path)?.ok_or_else(|| damaged("it ends in its manifest"))?;
        let wanted = blake3::hash(format!("{title}\n{json}\n").as_bytes()).to_hex();
        if *checksum != *wanted {
            return Err(damaged("the checksum of its manifest does not fit"));
        }
        let manifest: Manifest = serde_json::from_str(&json).map_err(|error| damaged(&error.to_string()))?;
        if let Some(name) = manifest.files.iter().find(|name| !is_known(name)) {
            return Err(damaged(&format!("it holds a file named {name:?}")));
        }
        let known = [("catalog", catalog::newest_format()), ("store", store::FORMAT), ("spool", spool::FORMAT)];
        for (kind, known) in known {
            check_format(path, kind, manifest.formats.get(kind).copied().unwrap_or_default(), known)?;
        }
        Ok(Self { path: path.to_owned(), from, manifest })
    }

    fn damaged(&self, what: impl Into<String>) -> BackupError {
        BackupError::Damaged { path: self.path.clone(), what: what.into() }
    }

    /// Copies the next file, which has that name.
    fn file(&mut self, name: &str, to: &mut impl Write) -> Result<()> {
        let mut length = [0; 8];
        self.exactly(&mut length)?;
        let length = u64::from_le_bytes(length);
        let mut through = Hashed { hasher: hasher(name), inner: to };
        let copied = std::io::copy(&mut self.from.by_ref().take(length), &mut through).map_err(io(&self.path))?;
        if copied != length {
            return Err(self.damaged("it ends too early"));
        }
        let wanted = through.hasher.finalize();
        let mut checksum = [0; 32];
        self.exactly(&mut checksum)?;
        if wanted != checksum {
            return Err(self.damaged(format!("the checksum of {name} does not fit")));
        }
        Ok(())
    }

    fn exactly(&mut self, bytes: &mut [u8]) -> Result<()> {
        match self.from.read_exact(bytes) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(self.damaged("it ends too early")),
            Err(error) => Err(io(&self.path)(error)),
        }
    }

    fn end(mut self) -> Result<Manifest> {
        let rest = self.from.fill_buf().map_err(io(&self.path))?.len();
        if rest == 0 { Ok(self.manifest) } else { Err(self.damaged("something follows its end")) }
    }
}

/// The next line of text without its end; `None` if there is none of at most that length.
fn line(from: &mut BufReader<File>, longest: u64, path: &Path) -> Result<Option<String>> {
    let mut bytes = Vec::new();
    from.take(longest).read_until(b'\n', &mut bytes).map_err(io(path))?;
    if bytes.pop() != Some(b'\n') {
        return Ok(None);
    }
    Ok(String::from_utf8(bytes).ok())
}

fn check_format(path: &Path, what: &str, found: i64, known: i64) -> Result<()> {
    if found <= known {
        return Ok(());
    }
    Err(BackupError::Newer { path: path.to_owned(), what: what.to_owned(), found, known })
}
