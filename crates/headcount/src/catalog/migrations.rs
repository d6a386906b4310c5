//! The steps that make the tables of the catalog and bring older ones to this version.

use std::sync::LazyLock;

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// For SQLite.
pub(super) static SQLITE: LazyLock<Migrator> = LazyLock::new(|| migrator(&files!("sqlite")));
/// The same steps for PostgreSQL.
pub(super) static POSTGRES: LazyLock<Migrator> = LazyLock::new(|| migrator(&files!("postgres")));

/// The names and texts of the files `migrations/DATABASE/VERSION_NAME.sql`.
macro_rules! files {
    ($database:literal) => {
        files!(
            $database,
            "0001_catalog",
            "0002_team_users_and_api_tokens",
            "0003_settings",
            "0004_device_erasures",
            "0005_sessions_and_login_attempts",
            "0006_audit",
            "0007_identities",
        )
    };
    ($database:literal, $($name:literal,)+) => {
        [$(($name, include_str!(concat!("migrations/", $database, "/", $name, ".sql"))),)+]
    };
}
use files;

fn migrator(files: &[(&str, &'static str)]) -> Migrator {
    let step = |&(name, statements): &(&str, &'static str)| {
        let (version, description) = name.split_once('_')?;
        let description = description.replace('_', " ").into();
        Some(Migration::new(
            version.parse().ok()?,
            description,
            MigrationType::Simple,
            statements.into_sql_str(),
            false,
        ))
    };
    Migrator::with_migrations(files.iter().filter_map(step).collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// The files of that folder, as the migrator names its steps.
    fn in_folder(database: &str) -> Vec<(i64, String)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/catalog/migrations").join(database);
        let name = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
        let names = std::fs::read_dir(folder).unwrap().map(|entry| name(&entry.unwrap().path()));
        let mut steps: Vec<_> = names
            .map(|name| {
                let (version, description) = name.split_once('_').unwrap();
                (version.parse().unwrap(), description.replace('_', " "))
            })
            .collect();
        steps.sort();
        steps
    }

    #[test]
    fn both_databases_have_every_step_of_both_folders() {
        for migrator in [&SQLITE, &POSTGRES] {
            let steps: Vec<_> =
                migrator.iter().map(|step| (step.version, step.description.clone().into_owned())).collect();
            for database in ["sqlite", "postgres"] {
                assert_eq!(steps, in_folder(database));
            }
        }
    }
}
