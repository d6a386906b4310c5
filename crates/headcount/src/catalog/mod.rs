//! The catalog: owners, users, apps, channels, platforms, architectures and releases, in SQL.
//!
//! Checks never come here: they read the [`CatalogSnapshot`], which is replaced as a whole when the catalog changes.

pub mod files;
pub mod kind;
mod names;
pub mod releases;
pub mod resources;
pub mod search;
pub mod sessions;
mod snapshot;
pub mod totals;
pub mod updaters;
pub mod users;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;
use headcount_engine::day::Millis;
use headcount_engine::id::Id;
use headcount_engine::name::UserName;
use headcount_engine::snapshot::CatalogSnapshot;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::Migrator;
use sqlx::{Any, AnyPool, Row as _, Transaction};

use crate::clock::Clock;
use crate::error::{Code, Error};
use crate::installation::Installation;
use crate::private::create_private;

static SQLITE: Migrator = sqlx::migrate!("src/catalog/migrations/sqlite");

/// Connections that the pool may open.
const CONNECTIONS: u32 = 8;

/// What stands in the path of a URL as it is.
const PATH_IN_URL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_');

/// The catalog database and the snapshot that checks read.
#[derive(Debug)]
pub struct Catalog {
    pool: AnyPool,
    clock: Clock,
    snapshot: ArcSwap<CatalogSnapshot>,
    // The administrator that a setting makes the default owner.
    default_owner: Option<UserName>,
    // When the database was read last, and when the snapshot was loaded from it.
    read_at: AtomicI64,
    loaded_at: AtomicI64,
    // The revision that the snapshot shows. The lock is held while a newer one is loaded, so that none goes back.
    revision: tokio::sync::Mutex<i64>,
    installation: Installation,
}

/// The catalog cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database refused.
    #[error("the catalog database {path} cannot be opened: {cause}")]
    Database {
        /// Where it lies.
        path: String,
        /// What it said.
        cause: sqlx::Error,
    },
    /// A newer build wrote it.
    #[error("the catalog database {path} has format {found}; this build reads up to {known}")]
    Newer {
        /// Where it lies.
        path: String,
        /// The format found.
        found: i64,
        /// The newest format known.
        known: i64,
    },
    /// Its tables were changed by hand, or changing them failed.
    #[error("the catalog database {path} cannot be brought to this version: {cause}")]
    Migration {
        /// Where it lies.
        path: String,
        /// What failed.
        cause: sqlx::migrate::MigrateError,
    },
}

impl From<sqlx::Error> for Error {
    fn from(cause: sqlx::Error) -> Self {
        tracing::error!(%cause, "the catalog database failed");
        Self::new(Code::Unavailable, "the catalog database cannot be reached").retry_after(5)
    }
}

impl Catalog {
    /// Opens the SQLite catalog at that path, creates it if there is none, and brings it to this version; before that,
    /// a copy is written beside it. Checks without an owner are meant for `default_owner`, or the first administrator.
    pub async fn open(path: &Path, clock: Clock, default_owner: Option<UserName>) -> Result<Self, OpenError> {
        sqlx::any::install_default_drivers();
        let shown = path.display().to_string();
        let failed = |cause| OpenError::Database { path: shown.clone(), cause };
        let existed = path.exists();
        let options = connect_options(path).map_err(failed)?;
        let pool = AnyPoolOptions::new().max_connections(CONNECTIONS).connect_with(options).await.map_err(failed)?;
        sqlx::query("PRAGMA journal_mode = WAL").execute(&pool).await.map_err(failed)?;
        let (found, known) = (applied_format(&pool).await, newest_format());
        if found > known {
            return Err(OpenError::Newer { path: shown, found, known });
        }
        if existed && found < known {
            copy_before_migration(&pool, path).await.map_err(failed)?;
        }
        SQLITE.run(&pool).await.map_err(|cause| OpenError::Migration { path: shown.clone(), cause })?;
        let installation = installation(&pool, &clock).await.map_err(failed)?;
        let catalog = Self {
            pool,
            clock,
            default_owner,
            snapshot: ArcSwap::from_pointee(CatalogSnapshot::default()),
            revision: tokio::sync::Mutex::new(-1),
            read_at: AtomicI64::new(0),
            loaded_at: AtomicI64::new(0),
            installation,
        };
        catalog.refresh().await.map_err(failed)?;
        Ok(catalog)
    }

    /// What checks see now.
    pub fn snapshot(&self) -> Arc<CatalogSnapshot> {
        self.snapshot.load_full()
    }

    /// Who this installation is.
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// Loads the snapshot anew if the catalog has changed since. Called each second, and by every write.
    pub async fn refresh(&self) -> Result<(), sqlx::Error> {
        let mut shown = self.revision.lock().await;
        let mut transaction = self.pool.begin().await?;
        let revision: i64 =
            sqlx::query("SELECT revision FROM installation").fetch_one(&mut *transaction).await?.try_get(0)?;
        if revision != *shown {
            let snapshot = snapshot::load(&mut transaction, self.default_owner.as_ref()).await?;
            self.snapshot.store(Arc::new(snapshot));
            *shown = revision;
            self.loaded_at.store(self.clock.now().0, Ordering::Relaxed);
        }
        self.read_at.store(self.clock.now().0, Ordering::Relaxed);
        Ok(())
    }

    /// When the database was last asked whether the snapshot is the newest, and when what it shows was loaded.
    pub fn ages(&self) -> (Millis, Millis) {
        (Millis(self.read_at.load(Ordering::Relaxed)), Millis(self.loaded_at.load(Ordering::Relaxed)))
    }

    /// Begins a write. No other write runs beside it, in this process or another one, so that what it reads stays true
    /// until it commits.
    pub(crate) async fn begin_write(&self) -> Result<Transaction<'static, Any>, Error> {
        let mut transaction = self.pool.begin().await?;
        // Both databases lock here, before anything is read.
        sqlx::query("UPDATE installation SET revision = revision").execute(&mut *transaction).await?;
        Ok(transaction)
    }

    /// Commits a write that checks can see, and shows it to them before it returns.
    pub(crate) async fn publish(&self, mut transaction: Transaction<'_, Any>) -> Result<(), Error> {
        sqlx::query("UPDATE installation SET revision = revision + 1").execute(&mut *transaction).await?;
        transaction.commit().await?;
        self.refresh().await?;
        Ok(())
    }
}

/// The newest version of the tables that this build knows.
pub fn newest_format() -> i64 {
    SQLITE.iter().map(|migration| migration.version).max().unwrap_or_default()
}

/// A fresh random id.
pub(crate) fn fresh_id() -> Id {
    Id::from_bytes(rand::random())
}

/// The file holds the installation's secret: nobody but its owner may read it. SQLite gives its other files that mode.
fn connect_options(path: &Path) -> Result<AnyConnectOptions, sqlx::Error> {
    create_private(path)?;
    let absolute = std::path::absolute(path)?;
    let encoded = utf8_percent_encode(&absolute.to_string_lossy(), PATH_IN_URL).to_string();
    format!("sqlite://{encoded}").parse()
}

/// The version of the tables that are there; 0 if there are none.
async fn applied_format(pool: &AnyPool) -> i64 {
    let newest = sqlx::query("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations").fetch_one(pool).await;
    newest.and_then(|row| row.try_get(0)).unwrap_or_default()
}

async fn copy_before_migration(pool: &AnyPool, path: &Path) -> Result<(), sqlx::Error> {
    let newest = newest_format();
    let copy = path.with_extension(format!("before-{newest}.db"));
    if copy.exists() {
        return Ok(());
    }
    // A copy under its final name is whole: one that was cut off is written anew.
    let part = path.with_extension(format!("before-{newest}.part"));
    if part.exists() {
        std::fs::remove_file(&part)?;
    }
    create_private(&part)?;
    sqlx::query("VACUUM INTO $1").bind(part.to_string_lossy().into_owned()).execute(pool).await?;
    std::fs::rename(&part, &copy)?;
    Ok(())
}

async fn installation(pool: &AnyPool, clock: &Clock) -> Result<Installation, sqlx::Error> {
    // Two processes may start at once: the first one wins, both read what it wrote.
    sqlx::query(
        "INSERT INTO installation (id, secret, revision, created_at) \
         SELECT $1, $2, 0, $3 WHERE NOT EXISTS (SELECT 1 FROM installation)",
    )
    .bind(fresh_id().to_string())
    .bind(rand::random::<[u8; 32]>().to_vec())
    .bind(clock.now().0)
    .execute(pool)
    .await?;
    let row = sqlx::query("SELECT id, secret FROM installation").fetch_one(pool).await?;
    let id: String = row.try_get(0)?;
    let secret: Vec<u8> = row.try_get(1)?;
    let malformed = |what: &str| sqlx::Error::Decode(format!("installation.{what} is malformed").into());
    Ok(Installation {
        id: id.parse().map_err(|_| malformed("id"))?,
        secret: secret.try_into().map_err(|_| malformed("secret"))?,
    })
}
