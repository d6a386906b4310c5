//! The two databases that a catalog may lie in, and the few things in which they differ. The statements are the same.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::error::DatabaseError;
use sqlx::migrate::Migrator;
use sqlx::{AnyPool, Executor as _, Row as _};

use super::migrations::{POSTGRES, SQLITE};
use crate::config::{Config, Database};
use crate::failpoint::{self, Point};
use crate::private::create_private;

/// Connections that the pool may open.
const CONNECTIONS: u32 = 8;
/// How long a connection is waited for, and the end of all.
const PATIENCE: Duration = Duration::from_secs(4);
/// What a connection of PostgreSQL is told first, in milliseconds: how long a statement may take, how long it may wait
/// for others, and how long an instance that stands still may keep others waiting.
const LIMITS: &str = "SET statement_timeout = 30000; SET lock_timeout = 4000; \
                      SET idle_in_transaction_session_timeout = 30000";

/// What stands in the path of a URL as it is.
const PATH_IN_URL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_');

/// The file of the catalog in the data folder.
pub(super) const FILE: &str = "catalog.db";

/// How long a copy waits for the lock of somebody else, in milliseconds; its statements may take as long as they do.
const LIMITS_OF_COPY: &str = "SET lock_timeout = 4000";

/// Where a catalog lies.
#[derive(Debug, Clone)]
pub enum Place {
    /// A file of SQLite.
    Sqlite(PathBuf),
    /// A server of PostgreSQL; its URL may hold a password.
    Postgres(SecretString),
}

/// For messages: without the user, the password and the parameters.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres(url) => match Url::parse(url.expose_secret()) {
                Ok(url) => {
                    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
                    write!(f, "postgres://{}{port}{}", url.host_str().unwrap_or_default(), url.path())
                }
                Err(_) => f.write_str("postgres://"),
            },
        }
    }
}

impl Place {
    /// Where the settings say that it lies.
    pub fn of(config: &Config) -> Self {
        match &config.database {
            Database::Sqlite => Self::in_folder(&config.data_dir),
            Database::Postgres(url) => Self::Postgres(url.clone()),
        }
    }

    /// The file in that data folder.
    pub fn in_folder(folder: &Path) -> Self {
        Self::Sqlite(folder.join(FILE))
    }

    /// Connections, none of which is open yet.
    pub(super) fn pool(&self) -> Result<AnyPool, sqlx::Error> {
        self.pool_with(LIMITS)
    }

    /// The same for a copy of the whole catalog, which takes its time.
    pub(super) fn pool_to_copy(&self) -> Result<AnyPool, sqlx::Error> {
        self.pool_with(LIMITS_OF_COPY)
    }

    fn pool_with(&self, limits: &'static str) -> Result<AnyPool, sqlx::Error> {
        sqlx::any::install_default_drivers();
        let pool = AnyPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(PATIENCE);
        Ok(match self {
            Self::Sqlite(path) => pool.connect_lazy_with(sqlite_options(path)?),
            Self::Postgres(url) => pool
                .after_connect(move |connection, _| Box::pin(async move { connection.execute(limits).await.map(drop) }))
                .connect_lazy_with(url.expose_secret().parse()?),
        })
    }

    /// Has nothing left in the files of what was replaced, as far as that can be.
    pub(super) async fn forget_replaced(&self, pool: &AnyPool) {
        let statements: &[&'static str] = match self {
            Self::Sqlite(_) => &["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"],
            Self::Postgres(_) => &["VACUUM FULL installation"],
        };
        for &statement in statements {
            if let Err(error) = sqlx::query(statement).execute(pool).await {
                tracing::warn!(%error, "what was encrypted may still stand in the database as it was before");
            }
        }
    }

    /// Whether there may be a database: a file can be seen to be missing.
    pub(super) fn may_exist(&self) -> bool {
        match self {
            Self::Sqlite(path) => path.exists(),
            Self::Postgres(_) => true,
        }
    }

    /// Whether that means that the database server is away, or shuts down, or has no room for another connection.
    pub(super) fn is_lost(&self, cause: &sqlx::Error) -> bool {
        let is_of_server = |code: &str| {
            ["08", "53"].iter().any(|class| code.starts_with(class)) || ["57P01", "57P02", "57P03"].contains(&code)
        };
        match (self, cause) {
            (Self::Sqlite(_), _) => false,
            (Self::Postgres(_), sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::Protocol(_)) => true,
            (Self::Postgres(_), cause) => {
                cause.as_database_error().and_then(DatabaseError::code).is_some_and(|code| is_of_server(&code))
            }
        }
    }

    /// What makes the tables, and brings older ones to this version.
    pub(super) fn migrator(&self) -> &'static Migrator {
        match self {
            Self::Sqlite(_) => &SQLITE,
            Self::Postgres(_) => &POSTGRES,
        }
    }

    /// Begins a transaction whose reads all see the same moment.
    pub(super) fn begin_read(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "BEGIN",
            Self::Postgres(_) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }

    /// What has the numbers of a table's next rows follow those that were copied into it; the other database sees to it
    /// by itself.
    pub(super) fn continue_numbers(&self, table: &str) -> Option<String> {
        let follow =
            || format!("SELECT setval(pg_get_serial_sequence('{table}', 'seq'), (SELECT MAX(seq) FROM {table}))");
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(_) => Some(follow()),
        }
    }

    /// Makes the database ready for the tables, and keeps a copy of older ones.
    pub(super) async fn prepare(&self, pool: &AnyPool) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(path) => {
                let existed = path.exists();
                // It holds the installation's secret: nobody but its owner may read it. SQLite gives its other files
                // that mode.
                create_private(path)?;
                sqlx::query("PRAGMA journal_mode = WAL").execute(pool).await?;
                if existed && applied_format(pool).await? < newest_format() {
                    copy_before_migration(pool, path).await?;
                }
                Ok(())
            }
            Self::Postgres(_) => {
                let row = sqlx::query("SHOW server_encoding").fetch_one(pool).await?;
                let encoding: String = row.try_get(0)?;
                let refused = || format!("its encoding is {encoding}; accepted: UTF8");
                if encoding == "UTF8" { Ok(()) } else { Err(sqlx::Error::Configuration(refused().into())) }
            }
        }
    }
}

/// Closes all connections, as far as that can be. Where nobody else has some to a file, all of it is in the file then,
/// and no log beside it: the file can be moved.
pub(super) async fn leave(pool: &AnyPool) {
    if tokio::time::timeout(PATIENCE, pool.close()).await.is_err() {
        tracing::warn!("the catalog database is still in use");
    }
}

/// The newest version of the tables that this build knows: the same for both databases.
pub fn newest_format() -> i64 {
    SQLITE.iter().map(|migration| migration.version).max().unwrap_or_default()
}

/// The version of the tables that are there; 0 if there are none.
pub(super) async fn applied_format(pool: &AnyPool) -> Result<i64, sqlx::Error> {
    let newest = sqlx::query("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations").fetch_one(pool).await;
    match newest {
        Ok(row) => row.try_get(0),
        Err(sqlx::Error::Database(refused)) if is_of_no_table(&*refused) => Ok(0),
        Err(cause) => Err(cause),
    }
}

fn is_of_no_table(refused: &dyn DatabaseError) -> bool {
    refused.code().as_deref() == Some("42P01") || refused.message().contains("no such table")
}

fn sqlite_options(path: &Path) -> Result<AnyConnectOptions, sqlx::Error> {
    let absolute = std::path::absolute(path)?;
    let encoded = utf8_percent_encode(&absolute.to_string_lossy(), PATH_IN_URL).to_string();
    format!("sqlite://{encoded}").parse()
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
    failpoint::reach(Point::CatalogCopied);
    std::fs::rename(&part, &copy)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_shows_the_password() {
        let place = Place::Postgres("postgres://user:secret@db.example:5433/hc?sslmode=require".into());
        assert_eq!(place.to_string(), "postgres://db.example:5433/hc");
        assert!(!format!("{place:?}").contains("secret"));
    }
}
