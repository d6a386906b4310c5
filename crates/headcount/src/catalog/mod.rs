//! The catalog: owners, users, apps, channels, platforms, architectures and releases, in SQL.
//!
//! Checks never come here: they read the [`CatalogSnapshot`], which is replaced as a whole when the catalog changes.

mod database;
pub mod files;
pub mod kind;
mod names;
pub mod principal;
pub mod releases;
pub mod resources;
pub mod rights;
pub mod search;
pub mod sessions;
mod snapshot;
pub mod totals;
pub mod updaters;
pub mod users;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use headcount_engine::day::Millis;
use headcount_engine::id::Id;
use headcount_engine::name::UserName;
use headcount_engine::snapshot::CatalogSnapshot;
use sqlx::{Any, AnyPool, Row as _, Transaction};

use self::database::{Place, applied_format};
use crate::clock::Clock;
use crate::config::Config;
use crate::error::{Code, Error};
use crate::failpoint::{self, Point};
use crate::installation::Installation;

pub use self::database::newest_format;

/// How long the whole catalog may take to load.
const LONGEST_LOAD: Duration = Duration::from_secs(20);

const REVISION: &str = "SELECT revision FROM installation";

/// The catalog database and the snapshot that checks read.
#[derive(Debug)]
pub struct Catalog {
    place: Place,
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
    /// Opens the catalog of these settings, creates it if there is none, and brings it to this version; before that, a
    /// file of SQLite is copied beside it.
    pub async fn open(config: &Config, clock: Clock) -> Result<Self, OpenError> {
        let place = Place::of(config);
        let shown = place.to_string();
        let failed = |cause| OpenError::Database { path: shown.clone(), cause };
        let pool = place.pool().map_err(failed)?;
        place.prepare(&pool).await.map_err(failed)?;
        let (found, known) = (applied_format(&pool).await, newest_format());
        if found > known {
            return Err(OpenError::Newer { path: shown, found, known });
        }
        let migrated = place.migrator().run(&pool).await;
        migrated.map_err(|cause| OpenError::Migration { path: shown.clone(), cause })?;
        failpoint::reach(Point::CatalogMigrated);
        let installation = installation(&pool, &clock).await.map_err(failed)?;
        let catalog = Self {
            place,
            pool,
            clock,
            default_owner: config.default_owner.clone(),
            snapshot: ArcSwap::from_pointee(CatalogSnapshot::default()),
            revision: tokio::sync::Mutex::new(-1),
            read_at: AtomicI64::new(0),
            loaded_at: AtomicI64::new(0),
            installation,
        };
        catalog.refresh().await.map_err(failed)?;
        Ok(catalog)
    }

    /// Whether there may be a catalog where the settings say: a file can be seen to be missing.
    pub fn may_exist(config: &Config) -> bool {
        match Place::of(config) {
            Place::Sqlite(path) => path.exists(),
            Place::Postgres(_) => true,
        }
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
        tokio::time::timeout(LONGEST_LOAD, self.follow()).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    async fn follow(&self) -> Result<(), sqlx::Error> {
        let mut shown = self.revision.lock().await;
        let current: i64 = sqlx::query(REVISION).fetch_one(&self.pool).await?.try_get(0)?;
        if current != *shown {
            let mut transaction = self.begin_read().await?;
            let revision: i64 = sqlx::query(REVISION).fetch_one(&mut *transaction).await?.try_get(0)?;
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

    /// Begins to read several things as they were at one moment.
    async fn begin_read(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        self.pool.begin_with(self.place.begin_read()).await
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

/// A fresh random id.
pub(crate) fn fresh_id() -> Id {
    Id::from_bytes(rand::random())
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
