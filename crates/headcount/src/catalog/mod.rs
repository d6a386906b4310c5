//! The catalog: owners, users, apps, channels, platforms, architectures and releases, in SQL.
//!
//! Checks never come here: they read the [`CatalogSnapshot`], which is replaced as a whole when the catalog changes.

pub mod audit;
pub mod copy;
mod database;
pub mod erasures;
pub mod files;
pub mod grants;
pub mod identities;
mod kept;
pub mod kind;
mod migrations;
mod names;
mod open;
pub mod principal;
pub mod published;
pub mod releases;
pub mod resources;
pub mod rights;
mod rows;
mod seal;
pub mod search;
pub mod sessions;
pub mod settings;
mod snapshot;
pub mod team;
pub mod throttle;
pub mod tokens;
pub mod totals;
pub mod updaters;
pub mod users;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use headcount_engine::day::Millis;
use headcount_engine::id::{Id, OwnerId};
use headcount_engine::name::UserName;
use headcount_engine::snapshot::CatalogSnapshot;
use sqlx::{Any, AnyPool, Row as _, Transaction};

use self::kept::{Kept, KeptSnapshot};
use self::open::Belongs;
use self::rows::Rows;
use self::seal::Keys;
use crate::clock::Clock;
use crate::config::Config;
use crate::error::{Code, Error};
use crate::installation::Installation;
use crate::retention::Retention;

pub use self::database::{Place, newest_format};
pub use self::open::OpenError;

/// How long it may take to learn whether the catalog has changed.
const LONGEST_POLL: Duration = Duration::from_secs(5);
/// How long the whole catalog may take to load.
const LONGEST_LOAD: Duration = Duration::from_secs(20);

const REVISION: &str = "SELECT revision FROM installation";

/// The catalog database and the snapshot that checks read.
#[derive(Debug)]
pub struct Catalog {
    place: Place,
    // Another one takes its place when the server is away: what hangs in the old one is in nobody's way.
    pool: ArcSwap<AnyPool>,
    clock: Clock,
    keys: Arc<Keys>,
    snapshot: ArcSwap<CatalogSnapshot>,
    // What owners have settled, for those who store and report.
    retention: Retention,
    // The administrator that a setting makes the default owner.
    default_owner: Option<UserName>,
    // When the database was read last, and when the snapshot was loaded from it.
    read_at: AtomicI64,
    loaded_at: AtomicI64,
    // The revision that the snapshot shows. The lock is held while a newer one is loaded, so that none goes back.
    revision: tokio::sync::Mutex<i64>,
    // What the database was last written to disk as; and where.
    kept_revision: tokio::sync::Mutex<Option<i64>>,
    kept_file: PathBuf,
    // Whether the database was opened since the start, and whether it is away.
    is_open: AtomicBool,
    is_away: AtomicBool,
    installation: Installation,
}

impl From<sqlx::Error> for Error {
    fn from(cause: sqlx::Error) -> Self {
        tracing::error!(%cause, "the catalog database failed");
        away()
    }
}

impl From<OpenError> for Error {
    fn from(cause: OpenError) -> Self {
        tracing::error!(%cause, "the catalog cannot be read anew");
        away()
    }
}

fn away() -> Error {
    Error::new(Code::Unavailable, "the catalog database cannot be reached").retry_after(5)
}

impl Catalog {
    /// Opens the catalog database of these settings, creates it if there is none, and brings it to this version; before
    /// that, a file of SQLite is copied beside it.
    ///
    /// # Errors
    /// The database is away, or wrong; also where it is missing although the data folder belongs to an installation.
    pub async fn open(config: &Config, clock: Clock) -> Result<Self, OpenError> {
        let kept = Kept::read(config);
        Self::from_database(config, clock, kept.belongs()).await
    }

    /// The same for a server: while the database is away or wrong, what is kept on disk takes its place for checks.
    ///
    /// # Errors
    /// Nothing is kept either, or the settings are wrong, or the database is that of somebody else.
    pub async fn open_or_kept(config: &Config, clock: Clock) -> Result<Self, OpenError> {
        let kept = Kept::read(config);
        match (Self::from_database(config, clock.clone(), kept.belongs()).await, kept) {
            (Err(error), Kept::Whole(kept)) if error.can_be_bridged() => {
                let catalog = Self::from_kept(config, clock, *kept)?;
                tracing::error!(%error, "checks are answered from what is on disk; logins and reports wait for the database");
                Ok(catalog)
            }
            (Err(error), Kept::Sealed) if error.can_be_bridged() => {
                tracing::error!(%error, "the catalog that is kept on disk is needed");
                Err(OpenError::Sealed { what: format!("`{}`", kept::file(config).display()) })
            }
            (opened, _) => opened,
        }
    }

    async fn from_database(config: &Config, clock: Clock, belongs: Belongs) -> Result<Self, OpenError> {
        let place = Place::of(config);
        let pool = place.pool().map_err(|cause| OpenError::of(&place, cause))?;
        let keys = Arc::new(Keys::of(config));
        let installation = open::open((&place, &pool), &clock, &keys, belongs).await?;
        let catalog = Self {
            place,
            pool: ArcSwap::from_pointee(pool),
            clock,
            keys,
            retention: Retention::of_installation(config.retention_days),
            default_owner: config.default_owner.clone(),
            kept_file: kept::file(config),
            snapshot: ArcSwap::from_pointee(CatalogSnapshot::default()),
            revision: tokio::sync::Mutex::new(-1),
            kept_revision: tokio::sync::Mutex::new(None),
            is_open: AtomicBool::new(true),
            is_away: AtomicBool::new(false),
            read_at: AtomicI64::new(0),
            loaded_at: AtomicI64::new(0),
            installation,
        };
        catalog.refresh().await?;
        Ok(catalog)
    }

    fn from_kept(config: &Config, clock: Clock, kept: KeptSnapshot) -> Result<Self, OpenError> {
        let (place, keys) = (Place::of(config), Arc::new(Keys::of(config)));
        let failed = |cause| OpenError::of(&place, cause);
        let pool = place.pool().map_err(failed)?;
        let erased = snapshot::erased(&kept.rows).map_err(failed)?;
        let snapshot = snapshot::build(kept.rows, config.default_owner.as_ref()).map_err(failed)?;
        let retention = Retention::of_installation(config.retention_days);
        retention.settle(settled(&snapshot));
        retention.bury(erased);
        Ok(Self {
            place,
            pool: ArcSwap::from_pointee(pool),
            clock,
            keys,
            retention,
            default_owner: config.default_owner.clone(),
            kept_file: kept::file(config),
            snapshot: ArcSwap::from_pointee(snapshot),
            revision: tokio::sync::Mutex::new(-1),
            kept_revision: tokio::sync::Mutex::new(None),
            is_open: AtomicBool::new(false),
            is_away: AtomicBool::new(true),
            read_at: AtomicI64::new(kept.read_at),
            loaded_at: AtomicI64::new(kept.read_at),
            installation: kept.installation,
        })
    }

    /// Whether there may be a catalog where the settings say: a file can be seen to be missing.
    pub fn may_exist(config: &Config) -> bool {
        Place::of(config).may_exist()
    }

    /// What checks see now.
    pub fn snapshot(&self) -> Arc<CatalogSnapshot> {
        self.snapshot.load_full()
    }

    /// For how many days the devices of which owner are kept, as of the snapshot.
    pub fn retention(&self) -> Retention {
        self.retention.clone()
    }

    /// Who this installation is.
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// Loads the snapshot anew if the catalog has changed since. Called each second, and by every write.
    ///
    /// # Errors
    /// The database is away, or wrong: checks go on with the snapshot that there is.
    pub async fn refresh(&self) -> Result<(), OpenError> {
        let followed = tokio::time::timeout(LONGEST_LOAD, self.follow()).await;
        let followed = followed.unwrap_or_else(|_| Err(OpenError::of(&self.place, sqlx::Error::PoolTimedOut)));
        let is_lost = followed.as_ref().is_err_and(OpenError::is_passing);
        if is_lost && let Ok(fresh) = self.place.pool() {
            self.pool.store(Arc::new(fresh));
        }
        let is_away = is_lost || !self.is_open.load(Ordering::Relaxed);
        self.is_away.store(is_away, Ordering::Relaxed);
        followed
    }

    async fn follow(&self) -> Result<(), OpenError> {
        let mut shown = self.revision.lock().await;
        if !self.is_open.load(Ordering::Relaxed) {
            let belongs = Belongs::To(self.installation.id);
            open::open((&self.place, &self.pool.load()), &self.clock, &self.keys, belongs).await?;
            self.is_open.store(true, Ordering::Relaxed);
        }
        self.follow_to(&mut shown).await.map_err(|cause| OpenError::of(&self.place, cause))
    }

    async fn follow_to(&self, shown: &mut i64) -> Result<(), sqlx::Error> {
        let pool = self.pool.load_full();
        let asked = tokio::time::timeout(LONGEST_POLL, sqlx::query(REVISION).fetch_one(&*pool)).await;
        let current: i64 = asked.unwrap_or(Err(sqlx::Error::PoolTimedOut))?.try_get(0)?;
        if current != *shown {
            let (revision, rows) = self.read_rows().await?;
            self.retention.bury(snapshot::erased(&rows)?);
            let snapshot = snapshot::build(rows, self.default_owner.as_ref())?;
            self.retention.settle(settled(&snapshot));
            self.snapshot.store(Arc::new(snapshot));
            *shown = revision;
            self.loaded_at.store(self.clock.now().0, Ordering::Relaxed);
        }
        self.read_at.store(self.clock.now().0, Ordering::Relaxed);
        Ok(())
    }

    /// What checks depend on, and its revision.
    async fn read_rows(&self) -> Result<(i64, Rows), sqlx::Error> {
        let mut transaction = self.pool.load_full().begin_with(self.place.begin_read()).await?;
        let revision = sqlx::query(REVISION).fetch_one(&mut *transaction).await?.try_get(0)?;
        Ok((revision, Rows::read(&mut transaction).await?))
    }

    /// Keeps on disk what checks depend on, if it has changed since it was kept.
    ///
    /// # Errors
    /// The database is away, or the disk refused.
    pub async fn keep(&self) -> anyhow::Result<()> {
        let mut kept = self.kept_revision.lock().await;
        let shown = *self.revision.lock().await;
        if *kept == Some(shown) || self.is_away() {
            return Ok(());
        }
        let (revision, rows) = self.read_rows().await?;
        let keep = KeptSnapshot { installation: self.installation.clone(), read_at: self.clock.now().0, rows };
        let (file, keys) = (self.kept_file.clone(), self.keys.clone());
        tokio::task::spawn_blocking(move || keep.write(&file, &keys)).await??;
        *kept = Some(revision);
        Ok(())
    }

    /// Leaves the database, for good. All of it is in its file then, unless another process uses it, too.
    pub async fn close(&self) {
        database::leave(&self.pool.load_full()).await;
    }

    /// Whether the database is away: everything but checks waits for it.
    pub fn is_away(&self) -> bool {
        self.is_away.load(Ordering::Relaxed)
    }

    /// When the database was last asked whether the snapshot is the newest, and when what it shows was loaded.
    pub fn ages(&self) -> (Millis, Millis) {
        (Millis(self.read_at.load(Ordering::Relaxed)), Millis(self.loaded_at.load(Ordering::Relaxed)))
    }

    /// The connections. While the database is known to be away, nobody waits for one.
    fn pool(&self) -> Result<Arc<AnyPool>, Error> {
        if self.is_away() { Err(away()) } else { Ok(self.pool.load_full()) }
    }

    /// Begins to read several things as they were at one moment.
    async fn begin_read(&self) -> Result<Transaction<'static, Any>, Error> {
        Ok(self.pool()?.begin_with(self.place.begin_read()).await?)
    }

    /// Begins a write. No other write runs beside it, in this process or another one, so that what it reads stays true
    /// until it commits.
    pub(crate) async fn begin_write(&self) -> Result<Transaction<'static, Any>, Error> {
        let mut transaction = self.pool()?.begin().await?;
        // Both databases lock here, before anything is read.
        sqlx::query("UPDATE installation SET revision = revision").execute(&mut *transaction).await?;
        Ok(transaction)
    }

    /// Commits a write that checks can see, and shows it to them before it returns if it can be read then.
    pub(crate) async fn publish(&self, mut transaction: Transaction<'_, Any>) -> Result<(), Error> {
        sqlx::query("UPDATE installation SET revision = revision + 1").execute(&mut *transaction).await?;
        transaction.commit().await?;
        // It is written, whether it can be read now or not.
        if let Err(error) = self.refresh().await {
            tracing::warn!(%error, "a change of the catalog is seen by checks when its database can be read again");
        }
        Ok(())
    }
}

/// For how many days the devices of those owners are kept who have settled it.
fn settled(snapshot: &CatalogSnapshot) -> HashMap<OwnerId, u32> {
    snapshot.owners().filter_map(|owner| Some((owner.id, owner.settings.retention_days?))).collect()
}

/// A fresh random id.
pub(crate) fn fresh_id() -> Id {
    Id::from_bytes(rand::random())
}
