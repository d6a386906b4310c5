//! Opening the catalog database: its tables, and whose it is.

use headcount_engine::id::Id;
use sqlx::migrate::MigrateError;
use sqlx::{AnyPool, Row as _};

use super::database::{Place, applied_format, newest_format};
use super::fresh_id;
use super::seal::Keys;
use crate::clock::Clock;
use crate::failpoint::{self, Point};
use crate::installation::Installation;

/// The catalog cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database server does not answer, or not now.
    #[error("the catalog database {path} cannot be reached: {cause}")]
    Away {
        /// Where it lies.
        path: String,
        /// What happened.
        cause: sqlx::Error,
    },
    /// The database refused.
    #[error("the catalog database {path} cannot be opened: {cause}")]
    Database {
        /// Where it lies.
        path: String,
        /// What it said.
        cause: sqlx::Error,
    },
    /// There is none, and there was one.
    #[error(
        "the catalog database {path} is missing or empty, but this data folder belongs to an installation: put the \
         database back, or restore a backup; to begin a new installation, take a new data folder"
    )]
    Missing {
        /// Where it lay.
        path: String,
    },
    /// It is that of another installation.
    #[error("the catalog database {path} is that of installation {found}, and this data folder belongs to {wanted}")]
    Foreign {
        /// Where it lies.
        path: String,
        /// Whose it is.
        found: Id,
        /// Whose it was.
        wanted: Id,
    },
    /// Something is encrypted, and no key of the settings opens it.
    #[error(
        "{what} is encrypted, and no key of the settings opens it; accepted: the key that it was encrypted with, as \
         SECRET_KEY or, to replace it, as SECRET_KEY_OLD"
    )]
    Sealed {
        /// What it is.
        what: String,
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
        cause: MigrateError,
    },
}

impl OpenError {
    pub(super) fn of(place: &Place, cause: sqlx::Error) -> Self {
        let path = place.to_string();
        if place.is_lost(&cause) { Self::Away { path, cause } } else { Self::Database { path, cause } }
    }

    pub(super) fn of_migration(place: &Place, cause: MigrateError) -> Self {
        if let MigrateError::Execute(cause) = cause {
            return Self::of(place, cause);
        }
        Self::Migration { path: place.to_string(), cause }
    }

    /// Whether it may pass by itself: nothing is wrong but that the database server is away.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Away { .. })
    }

    /// Whether checks may be answered meanwhile from what is kept on disk.
    pub(super) fn can_be_bridged(&self) -> bool {
        match self {
            Self::Away { .. } | Self::Missing { .. } | Self::Migration { .. } => true,
            // What is wrong with the settings is said at the start, and not in the log of a server that seems to run.
            Self::Database { cause, .. } => !matches!(cause, sqlx::Error::Configuration(_)),
            Self::Foreign { .. } | Self::Newer { .. } | Self::Sealed { .. } => false,
        }
    }
}

/// To whom the data folder belongs, as far as it says so itself.
#[derive(Debug, Clone, Copy)]
pub(super) enum Belongs {
    /// It says nothing.
    Nobody,
    /// To an installation, whose id cannot be read.
    Somebody,
    /// To this one.
    To(Id),
}

/// Opens the database, creates the tables or brings them to this version, and tells whose it is. A new installation is
/// created only if the data folder belongs to nobody.
pub(super) async fn open(
    (place, pool): (&Place, &AnyPool),
    clock: &Clock,
    keys: &Keys,
    belongs: Belongs,
) -> Result<Installation, OpenError> {
    let failed = |cause| OpenError::of(place, cause);
    let missing = || OpenError::Missing { path: place.to_string() };
    let may_create = matches!(belongs, Belongs::Nobody);
    if !may_create && !place.may_exist() {
        return Err(missing());
    }
    place.prepare(pool).await.map_err(failed)?;
    let (found, known) = (applied_format(pool).await.map_err(failed)?, newest_format());
    if found > known {
        return Err(OpenError::Newer { path: place.to_string(), found, known });
    }
    if found == 0 && !may_create {
        return Err(missing());
    }
    place.migrator().run(pool).await.map_err(|cause| OpenError::of_migration(place, cause))?;
    failpoint::reach(Point::CatalogMigrated);
    if may_create {
        create_installation(pool, clock, keys).await.map_err(failed)?;
    }
    let installation = installation(place, pool, keys).await?.ok_or_else(missing)?;
    match belongs {
        Belongs::To(wanted) if wanted != installation.id => {
            Err(OpenError::Foreign { path: place.to_string(), found: installation.id, wanted })
        }
        Belongs::To(_) | Belongs::Somebody | Belongs::Nobody => Ok(installation),
    }
}

async fn create_installation(pool: &AnyPool, clock: &Clock, keys: &Keys) -> Result<(), sqlx::Error> {
    let id = fresh_id();
    let secret = seal(keys, id, &rand::random())?;
    // Two processes may start at once: the first one wins, both read what it wrote.
    sqlx::query(
        "INSERT INTO installation (id, secret, revision, created_at) \
         SELECT $1, $2, 0, $3 WHERE NOT EXISTS (SELECT 1 FROM installation) ON CONFLICT DO NOTHING",
    )
    .bind(id.to_string())
    .bind(secret)
    .bind(clock.now().0)
    .execute(pool)
    .await
    .map(drop)
}

async fn installation(place: &Place, pool: &AnyPool, keys: &Keys) -> Result<Option<Installation>, OpenError> {
    let failed = |cause| OpenError::of(place, cause);
    let malformed = |what: &str| failed(sqlx::Error::Decode(format!("installation.{what} is malformed").into()));
    let row = sqlx::query("SELECT id, secret FROM installation").fetch_optional(pool).await.map_err(failed)?;
    let Some(row) = row else { return Ok(None) };
    let id: Id = row.try_get::<String, _>(0).map_err(failed)?.parse().map_err(|_| malformed("id"))?;
    let stored: Vec<u8> = row.try_get(1).map_err(failed)?;
    let (secret, is_old) = if let Ok(plain) = <[u8; 32]>::try_from(&*stored) {
        // No key was set when it was written.
        (plain, keys.seals())
    } else {
        let sealed = || OpenError::Sealed { what: format!("the secret of the installation in {place}") };
        let opened = keys.open(&purpose(id), &stored).ok_or_else(sealed)?;
        (opened.plain.try_into().map_err(|_| malformed("secret"))?, opened.is_old)
    };
    if is_old {
        let sealed = seal(keys, id, &secret).map_err(failed)?;
        sqlx::query("UPDATE installation SET secret = $1 WHERE secret = $2")
            .bind(sealed)
            .bind(stored)
            .execute(pool)
            .await
            .map_err(failed)?;
        place.forget_replaced(pool).await;
    }
    Ok(Some(Installation { id, secret }))
}

fn purpose(id: Id) -> String {
    format!("the secret of installation {id}")
}

fn seal(keys: &Keys, id: Id, secret: &[u8; 32]) -> Result<Vec<u8>, sqlx::Error> {
    let sealed = keys.seal(&purpose(id), secret);
    sealed.map_err(|_| sqlx::Error::Encode("the secret of the installation cannot be encrypted".into()))
}
