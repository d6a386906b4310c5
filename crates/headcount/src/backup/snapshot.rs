//! Where a backup begins: all databases of the data folder, held at moments that fit together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::{BackupError, CATALOG, Result, SPOOL, STORE, Task, database};
use crate::catalog::Place;
use crate::catalog::copy::HeldCatalog;
use crate::config::{Config, Database};
use crate::spool;

/// How long a database that is being written is waited for.
const BUSY: Duration = Duration::from_secs(5);

/// One database as it was at one moment. What is written to it meanwhile is not seen.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// Its path in the data folder.
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) connection: Connection,
}

/// The databases of a data folder.
#[derive(Debug)]
pub(super) struct Snapshots {
    /// The catalog, where it lies in another database than a file.
    pub(super) catalog: Option<HeldCatalog>,
    pub(super) formats: BTreeMap<String, i64>,
    pub(super) all: Vec<Snapshot>,
    pub(super) left_out: Vec<String>,
}

impl Snapshot {
    /// `None` if the file is gone.
    fn hold(folder: &Path, name: String) -> Result<Option<Self>> {
        let path = folder.join(&name);
        if !path.exists() {
            return Ok(None);
        }
        let connection = connect(&path).map_err(database(&path))?;
        // The first read decides what the transaction sees.
        let begin = "BEGIN; SELECT count(*) FROM sqlite_schema";
        connection.execute_batch(begin).map_err(database(&path))?;
        Ok(Some(Self { name, path, connection }))
    }

    fn format(&self, query: &str) -> Result<i64> {
        self.connection.query_row(query, [], |row| row.get(0)).map_err(database(&self.path))
    }

    /// Whether it is a file of the spool with rows that are promised: not an import under way.
    fn is_sealed(&self) -> Result<bool> {
        let tables = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'spool')";
        let whole: bool = self.connection.query_row(tables, [], |row| row.get(0)).map_err(database(&self.path))?;
        Ok(whole && self.format("SELECT sealed FROM spool")? != 0)
    }
}

impl Snapshots {
    /// Holds everything. The order makes a restore exact:
    ///
    /// - The spool is held after the store, so each row that the store has not counted is still in the spool, and the
    ///   marks in the store admit each of them once. What the shipper moved in between, it ships again; what it dropped
    ///   in between beyond the replay window makes its days incomplete.
    /// - The catalog is locked meanwhile: no erasure is noted as done that the store of the backup has not seen.
    ///
    /// What lies elsewhere is not held here: the catalog in another database, and what is counted in a Redis.
    pub(super) async fn hold(config: &Config) -> Result<Self> {
        let mut held = Self { catalog: None, formats: BTreeMap::new(), all: Vec::new(), left_out: Vec::new() };
        match &config.database {
            Database::Sqlite => held.hold_beside_catalog(config)?,
            Database::Postgres(_) => {
                let mut catalog = HeldCatalog::hold(&Place::of(config)).await.map_err(super::catalog(Task::Take))?;
                held.formats.insert("catalog".to_owned(), catalog.format);
                held.hold_counted(config)?;
                catalog.release().await;
                held.catalog = Some(catalog);
            }
        }
        Ok(held)
    }

    /// The id of the installation.
    pub(super) fn installation(&self) -> Result<String> {
        if let Some(catalog) = &self.catalog {
            return Ok(catalog.installation.clone());
        }
        let catalog = self.all.iter().find(|snapshot| snapshot.name == CATALOG);
        let catalog = catalog.ok_or_else(|| BackupError::NoCatalog(PathBuf::from(CATALOG)))?;
        let id = catalog.connection.query_row("SELECT id FROM installation", [], |row| row.get(0));
        id.map_err(database(&catalog.path))
    }

    fn hold_beside_catalog(&mut self, config: &Config) -> Result<()> {
        let path = config.data_dir.join(CATALOG);
        if !path.exists() {
            return Err(BackupError::NoCatalog(config.data_dir.clone()));
        }
        let lock = connect(&path).map_err(database(&path))?;
        lock.execute_batch("BEGIN IMMEDIATE").map_err(database(&path))?;
        if let Some(catalog) = Snapshot::hold(&config.data_dir, CATALOG.to_owned())? {
            self.add("catalog", catalog, "SELECT max(version) FROM _sqlx_migrations")?;
        }
        self.hold_counted(config)?;
        lock.execute_batch("ROLLBACK").map_err(database(&path))
    }

    fn hold_counted(&mut self, config: &Config) -> Result<()> {
        let folder = &config.data_dir;
        // Beside a Redis, a file is what was counted before.
        if config.redis().is_none()
            && let Some(store) = Snapshot::hold(folder, STORE.to_owned())?
        {
            self.add("store", store, "SELECT format FROM installation")?;
        }
        self.hold_spool(folder)
    }

    fn hold_spool(&mut self, folder: &Path) -> Result<()> {
        let directory = folder.join(SPOOL);
        if !directory.exists() {
            return Ok(());
        }
        for path in spool::files(&directory)? {
            let Some(file) = path.file_name().and_then(|file| file.to_str()) else { continue };
            let name = format!("{SPOOL}/{file}");
            if !super::is_known(&name) {
                continue;
            }
            // One that has gone meanwhile held nothing that is kept.
            if self.hold_spool_file(folder, name.clone()).is_err() && path.exists() {
                // The server goes on without such a file, too.
                self.left_out.push(name);
            }
        }
        Ok(())
    }

    fn hold_spool_file(&mut self, folder: &Path, name: String) -> Result<()> {
        let Some(file) = Snapshot::hold(folder, name)? else { return Ok(()) };
        if file.is_sealed()? { self.add("spool", file, "SELECT format FROM spool") } else { Ok(()) }
    }

    fn add(&mut self, kind: &str, snapshot: Snapshot, format: &str) -> Result<()> {
        let format = snapshot.format(format)?;
        let newest = self.formats.entry(kind.to_owned()).or_insert(format);
        *newest = format.max(*newest);
        self.all.push(snapshot);
        Ok(())
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    // Without the right to create: what is missing stays missing.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}
