//! The whole catalog, row by row, from one database into another one that is empty.
//!
//! A copy shows one moment, and is in its destination as a whole or not at all. What is encrypted stays as it is. Which
//! tables and columns there are is read off the migrations, so that no table is forgotten.

use std::path::{Path, PathBuf};

use futures_util::TryStreamExt as _;
use sqlx::any::{AnyPoolOptions, AnyRow};
use sqlx::{Any, AnyPool, AssertSqlSafe, Row as _, Transaction};

use super::database::{self, Place, applied_format, newest_format};
use super::open::OpenError;
use crate::private;

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The id of the installation.
    pub installation: String,
    /// Rows, of all tables.
    pub rows: u64,
}

/// A catalog was not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The source is none.
    #[error("there is no catalog in the database {0}")]
    NoCatalog(String),
    /// The destination is in use.
    #[error("the catalog database {path} is not empty: it holds installation {found}; accepted: an empty database")]
    NotEmpty {
        /// Where it lies.
        path: String,
        /// Whose it is.
        found: String,
    },
    /// The destination is a file already.
    #[error("the catalog database {0} exists already; accepted: a file that does not exist")]
    Exists(String),
    /// A file that was moved away has left something behind.
    #[error(
        "the catalog database {path} has left {left} behind, which would be taken for a part of the copy; accepted: a \
         folder without it"
    )]
    LeftBehind {
        /// Where the destination lies.
        path: String,
        /// What is there.
        left: String,
    },
    /// The two have tables of different versions.
    #[error("the catalog database {path} has format {found}, and {wanted} is needed; accepted: an empty database")]
    OtherFormat {
        /// Where the destination lies.
        path: String,
        /// The format found.
        found: i64,
        /// That of the source.
        wanted: i64,
    },
    /// One of the two failed, or is not what it should be.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The file of the destination cannot be made.
    #[error("the catalog database {path} cannot be written: {cause}")]
    Io {
        /// Where it lies.
        path: String,
        /// Why it failed.
        cause: std::io::Error,
    },
}

/// The catalog in a database as it is at one moment. What is written to it meanwhile is not seen.
#[derive(Debug)]
pub struct HeldCatalog {
    place: Place,
    /// The id of the installation.
    pub installation: String,
    /// The version of the tables.
    pub format: i64,
    pool: AnyPool,
    reading: Transaction<'static, Any>,
    // No other write of a catalog runs beside it.
    lock: Option<Transaction<'static, Any>>,
}

/// A table, as the migrations make it.
#[derive(Debug)]
struct Table {
    name: String,
    columns: Vec<(String, Kind)>,
}

/// What a column holds, if it holds something.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Number,
    Text,
    Bytes,
}

/// Copies a catalog that nobody writes to meanwhile.
pub async fn copy(from: &Place, to: &Place) -> Result<Copied, CopyError> {
    let mut held = HeldCatalog::hold(from).await?;
    held.release().await;
    held.write_to(to).await
}

/// Refuses a database in which an installation is, or a file that exists or has left its log behind.
pub async fn check_empty(place: &Place) -> Result<(), CopyError> {
    match place {
        Place::Sqlite(path) if path.exists() => Err(CopyError::Exists(place.to_string())),
        Place::Sqlite(path) => match logs(path).find(|log| log.exists()) {
            Some(log) => Err(CopyError::LeftBehind { path: place.to_string(), left: log.display().to_string() }),
            None => Ok(()),
        },
        Place::Postgres(_) => {
            let pool = place.pool_to_copy().map_err(|cause| OpenError::of(place, cause))?;
            refuse_installation(place, &pool).await
        }
    }
}

impl HeldCatalog {
    /// Holds it, and keeps writes waiting until [`release`](Self::release).
    pub async fn hold(place: &Place) -> Result<Self, CopyError> {
        if !place.may_exist() {
            return Err(CopyError::NoCatalog(place.to_string()));
        }
        let failed = |cause| CopyError::from(OpenError::of(place, cause));
        let pool = place.pool_to_copy().map_err(failed)?;
        let (format, known) = (applied_format(&pool).await.map_err(failed)?, newest_format());
        if format > known {
            return Err(OpenError::Newer { path: place.to_string(), found: format, known }.into());
        }
        if format == 0 {
            return Err(CopyError::NoCatalog(place.to_string()));
        }
        let mut lock = pool.begin().await.map_err(failed)?;
        sqlx::query("UPDATE installation SET revision = revision").execute(&mut *lock).await.map_err(failed)?;
        let mut reading = pool.begin_with(place.begin_read()).await.map_err(failed)?;
        // The first read decides what the transaction sees.
        let row = sqlx::query("SELECT id FROM installation").fetch_optional(&mut *reading).await.map_err(failed)?;
        let row = row.ok_or_else(|| CopyError::NoCatalog(place.to_string()))?;
        let installation = row.try_get(0).map_err(failed)?;
        Ok(Self { place: place.clone(), installation, format, pool, reading, lock: Some(lock) })
    }

    /// Lets others write again.
    pub async fn release(&mut self) {
        let Some(lock) = self.lock.take() else { return };
        if let Err(error) = lock.rollback().await {
            // The lock ends with its connection.
            tracing::debug!(%error, "the lock of the catalog database was not given back");
        }
    }

    /// Writes it into an empty database, or a new file.
    ///
    /// # Errors
    /// The destination is not empty, or one of the two failed: then nothing is in it.
    pub async fn write_to(mut self, to: &Place) -> Result<Copied, CopyError> {
        let copied = self.write(to).await;
        let Self { pool, reading, lock, .. } = self;
        drop((reading, lock));
        database::leave(&pool).await;
        copied
    }

    async fn write(&mut self, to: &Place) -> Result<Copied, CopyError> {
        let Place::Sqlite(path) = to else { return self.write_rows(to).await };
        check_empty(to).await?;
        let io = |cause| CopyError::Io { path: to.to_string(), cause };
        // A file under its final name is whole.
        let part = path.with_extension("part");
        private::remove(&part).map_err(io)?;
        let copied = self.write_rows(&Place::Sqlite(part.clone())).await?;
        private::put_in_place(&part, path).map_err(io)?;
        Ok(copied)
    }

    async fn write_rows(&mut self, to: &Place) -> Result<Copied, CopyError> {
        let failed = |cause| CopyError::from(OpenError::of(to, cause));
        let pool = to.pool_to_copy().map_err(failed)?;
        to.prepare(&pool).await.map_err(failed)?;
        refuse_installation(to, &pool).await?;
        let found = applied_format(&pool).await.map_err(failed)?;
        if found > self.format {
            return Err(CopyError::OtherFormat { path: to.to_string(), found, wanted: self.format });
        }
        let made = to.migrator().run_to(self.format, &pool).await;
        made.map_err(|cause| OpenError::of_migration(to, cause))?;
        let tables = tables(self.format).await.map_err(failed)?;
        let mut writing = pool.begin().await.map_err(failed)?;
        let mut rows = 0;
        for table in &tables {
            rows += self.write_table(table, (to, &mut writing)).await?;
        }
        writing.commit().await.map_err(failed)?;
        database::leave(&pool).await;
        Ok(Copied { installation: self.installation.clone(), rows })
    }

    async fn write_table(
        &mut self,
        table: &Table,
        (to, writing): (&Place, &mut Transaction<'static, Any>),
    ) -> Result<u64, CopyError> {
        let (source, failed) = (self.place.clone(), |cause| CopyError::from(OpenError::of(to, cause)));
        let unread = |cause| CopyError::from(OpenError::of(&source, cause));
        let mut count = 0;
        let mut rows = sqlx::query(AssertSqlSafe(table.select())).fetch(&mut *self.reading);
        while let Some(row) = rows.try_next().await.map_err(unread)? {
            let mut insert = sqlx::query(AssertSqlSafe(table.insert()));
            for (at, (_, kind)) in table.columns.iter().enumerate() {
                insert = match kind {
                    Kind::Number => insert.bind(value::<i64>(&row, at).map_err(unread)?),
                    Kind::Text => insert.bind(value::<String>(&row, at).map_err(unread)?),
                    Kind::Bytes => insert.bind(value::<Vec<u8>>(&row, at).map_err(unread)?),
                };
            }
            insert.execute(&mut **writing).await.map_err(failed)?;
            count += 1;
        }
        if table.columns.iter().any(|(name, _)| name == "seq")
            && let Some(statement) = to.continue_numbers(&table.name)
        {
            sqlx::query(AssertSqlSafe(statement)).execute(&mut **writing).await.map_err(failed)?;
        }
        Ok(count)
    }
}

/// Where SQLite writes what is not in the file yet, and looks for it.
fn logs(path: &Path) -> impl Iterator<Item = PathBuf> {
    ["-wal", "-journal"].into_iter().map(|suffix| {
        let mut log = path.as_os_str().to_owned();
        log.push(suffix);
        PathBuf::from(log)
    })
}

fn value<'r, T>(row: &'r AnyRow, at: usize) -> Result<Option<T>, sqlx::Error>
where
    T: sqlx::Decode<'r, Any> + sqlx::Type<Any>,
{
    row.try_get(at)
}

async fn refuse_installation(place: &Place, pool: &AnyPool) -> Result<(), CopyError> {
    let failed = |cause| CopyError::from(OpenError::of(place, cause));
    if applied_format(pool).await.map_err(failed)? == 0 {
        return Ok(());
    }
    let row = sqlx::query("SELECT id FROM installation").fetch_optional(pool).await.map_err(failed)?;
    let Some(row) = row else { return Ok(()) };
    Err(CopyError::NotEmpty { path: place.to_string(), found: row.try_get(0).map_err(failed)? })
}

impl Table {
    fn select(&self) -> String {
        format!("SELECT {} FROM {}", self.names(), self.name)
    }

    fn insert(&self) -> String {
        let places: Vec<String> = (1..=self.columns.len()).map(|at| format!("${at}")).collect();
        format!("INSERT INTO {} ({}) VALUES ({})", self.name, self.names(), places.join(", "))
    }

    fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
    }
}

/// The tables of that version, each behind those that its rows refer to: those of SQLite, which are the same.
async fn tables(format: i64) -> Result<Vec<Table>, sqlx::Error> {
    let scratch = AnyPoolOptions::new().max_connections(1).connect("sqlite::memory:").await?;
    let migrator = Place::Sqlite(Path::new(":memory:").to_owned()).migrator();
    migrator.run_to(format, &scratch).await.map_err(|cause| sqlx::Error::Migrate(Box::new(cause)))?;
    let all =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE '%sqlx%'";
    let names = texts(&scratch, all, "").await?;
    let mut waiting = Vec::with_capacity(names.len());
    for name in names {
        let refers_to = texts(&scratch, "SELECT DISTINCT \"table\" FROM pragma_foreign_key_list($1)", &name).await?;
        waiting.push((name, refers_to));
    }
    let mut tables: Vec<Table> = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let is_there = |of: &String| tables.iter().any(|table| table.name == *of);
        let next = waiting.iter().position(|(name, refers_to)| refers_to.iter().all(|of| of == name || is_there(of)));
        let circle = || sqlx::Error::Configuration("the tables refer to each other in a circle".into());
        let (name, _) = waiting.swap_remove(next.ok_or_else(circle)?);
        tables.push(Table { columns: columns(&scratch, &name).await?, name });
    }
    Ok(tables)
}

async fn columns(scratch: &AnyPool, table: &str) -> Result<Vec<(String, Kind)>, sqlx::Error> {
    let names = texts(scratch, "SELECT name FROM pragma_table_info($1) ORDER BY cid", table).await?;
    let types = texts(scratch, "SELECT type FROM pragma_table_info($1) ORDER BY cid", table).await?;
    let kind = |of: &str| match of {
        "BIGINT" | "INTEGER" => Ok(Kind::Number),
        "TEXT" => Ok(Kind::Text),
        "BLOB" => Ok(Kind::Bytes),
        other => Err(sqlx::Error::Configuration(format!("{table} has a column of type {other}").into())),
    };
    names.into_iter().zip(types).map(|(name, of)| Ok((name, kind(&of)?))).collect()
}

async fn texts(pool: &AnyPool, query: &'static str, of: &str) -> Result<Vec<String>, sqlx::Error> {
    let query = sqlx::query(query);
    let query = if of.is_empty() { query } else { query.bind(of.to_owned()) };
    query.fetch_all(pool).await?.iter().map(|row| row.try_get(0)).collect()
}
