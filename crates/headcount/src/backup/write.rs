//! Taking a backup.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use headcount_engine::day::Millis;
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::snapshot::{Snapshot, Snapshots};
use super::{BackupError, CATALOG, FORMAT, Manifest, Result, SPOOL, TITLE, Task, database, hasher, io};
use crate::catalog::Place;
use crate::catalog::copy::HeldCatalog;
use crate::clock::Clock;
use crate::config::Config;
use crate::private::create_private;

/// Writes a backup of the data folder and of the catalog to a new file, which only its owner may read: it holds the
/// installation's secret. The server may run meanwhile. The file appears under its name when it is whole.
pub async fn take(config: &Config, file: &Path, clock: &Clock) -> Result<Manifest> {
    if file.exists() {
        return Err(BackupError::Exists(file.to_owned()));
    }
    let work = Work::begin(file)?;
    let taken_at = clock.now();
    let held = Snapshots::hold(config).await?;
    let installation = held.installation()?;
    let mut left_out = held.left_out;
    let (whole, damaged): (Vec<_>, Vec<_>) = held.all.into_iter().partition(is_whole);
    left_out.extend(damaged.into_iter().map(|snapshot| snapshot.name));
    let in_folder = whole.iter().map(|snapshot| snapshot.name.clone());
    let manifest = Manifest {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        installation,
        taken_at: timestamp(taken_at),
        formats: held.formats,
        files: held.catalog.iter().map(|_| CATALOG.to_owned()).chain(in_folder).collect(),
        left_out,
        counted_in: config.redis().map(|redis| redis.target.to_string()),
    };
    // While it is held, the database keeps what it has replaced.
    let catalog = match held.catalog {
        Some(catalog) => Some(copy_catalog(catalog, &work).await?),
        None => None,
    };
    let unfinished = work.path("backup");
    write(&manifest, (catalog, whole), &work, &unfinished)?;
    std::fs::rename(&unfinished, file).map_err(io(file))?;
    sync_folder(&folder_of(file))?;
    Ok(manifest)
}

/// The catalog of another database as a file.
async fn copy_catalog(catalog: HeldCatalog, work: &Work) -> Result<PathBuf> {
    let copy = work.path(CATALOG);
    catalog.write_to(&Place::Sqlite(copy.clone())).await.map_err(super::catalog(Task::Take))?;
    Ok(copy)
}

/// Whether a file of the spool can be read to its end: the server goes on without a damaged one, too. Of the others none
/// can be missing; where one is damaged, copying it fails.
fn is_whole(snapshot: &Snapshot) -> bool {
    let check = || snapshot.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    !snapshot.name.starts_with(SPOOL) || check().is_ok_and(|verdict| verdict == "ok")
}

fn write(
    manifest: &Manifest,
    (catalog, snapshots): (Option<PathBuf>, Vec<Snapshot>),
    work: &Work,
    to: &Path,
) -> Result<()> {
    create_private(to).map_err(io(to))?;
    let file = File::options().write(true).open(to).map_err(io(to))?;
    let mut out = BufWriter::new(file);
    let json = serde_json::to_string(manifest).map_err(|error| io(to)(error.into()))?;
    let head = format!("{TITLE}{FORMAT}\n{json}\n");
    let checksum = blake3::hash(head.as_bytes()).to_hex();
    out.write_all(format!("{head}{checksum}\n").as_bytes()).map_err(io(to))?;
    if let Some(copy) = catalog {
        append(CATALOG, &copy, &mut out).map_err(io(to))?;
        std::fs::remove_file(&copy).map_err(io(&copy))?;
    }
    for snapshot in snapshots {
        let (name, copy) = (snapshot.name.clone(), copy(snapshot, work)?);
        append(&name, &copy, &mut out).map_err(io(to))?;
        std::fs::remove_file(&copy).map_err(io(&copy))?;
    }
    let file = out.into_inner().map_err(|error| io(to)(error.into_error()))?;
    file.sync_all().map_err(io(to))
}

/// A copy of what the snapshot holds, in a file of its own, and without the remains of what was deleted.
fn copy(snapshot: Snapshot, work: &Work) -> Result<PathBuf> {
    let (pages, compact) = (work.path("pages"), work.path("compact"));
    let path = snapshot.path.clone();
    for file in [&pages, &compact] {
        create_private(file).map_err(io(file))?;
    }
    let copied = || -> rusqlite::Result<()> {
        let mut to = Connection::open(&pages)?;
        // What fails here is thrown away.
        to.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")?;
        let done = Backup::new(&snapshot.connection, &mut to)?.step(-1)?;
        if done != StepResult::Done {
            return Err(rusqlite::Error::InvalidQuery);
        }
        drop(snapshot);
        to.execute("VACUUM INTO ?1", [compact.to_string_lossy()])?;
        let restored = Connection::open(&compact)?;
        restored.execute_batch("PRAGMA synchronous = OFF")?;
        // As the server keeps its files.
        restored.pragma_update(None, "journal_mode", "WAL")
    };
    copied().map_err(database(&path))?;
    std::fs::remove_file(&pages).map_err(io(&pages))?;
    Ok(compact)
}

fn append(name: &str, copy: &Path, out: &mut impl Write) -> std::io::Result<()> {
    let mut from = File::open(copy)?;
    let length = from.metadata()?.len();
    out.write_all(&length.to_le_bytes())?;
    let mut through = Hashed { hasher: hasher(name), inner: &mut *out };
    let copied = std::io::copy(&mut from, &mut through)?;
    if copied != length {
        return Err(std::io::Error::other("a copy changed while it was read"));
    }
    let checksum = through.hasher.finalize();
    out.write_all(checksum.as_bytes())
}

/// Writes, and takes the checksum of what is written.
pub(super) struct Hashed<W> {
    pub(super) hasher: blake3::Hasher,
    pub(super) inner: W,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

/// A folder beside the backup for what is unfinished. It goes with this value.
struct Work(PathBuf);

impl Work {
    fn begin(file: &Path) -> Result<Self> {
        let path = folder_of(file).join(format!(".backup-{}", hex::encode(rand::random::<[u8; 4]>())));
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path).map_err(io(&path))?;
        Ok(Self(path))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "what was left of a backup cannot be deleted");
        }
    }
}

fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        Some(_) | None => PathBuf::from("."),
    }
}

/// Puts the names in a folder on disk.
pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io(folder))
}

fn timestamp(at: Millis) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |at| format!("{at:.3}"))
}
