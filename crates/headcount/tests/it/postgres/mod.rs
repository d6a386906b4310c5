//! PostgreSQL for tests, and tests of what happens while it is away.

mod away;
mod faults;
mod server;
mod tls;

use std::path::Path;

use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};

pub(crate) use self::server::Postgres;
use crate::effort;

/// What `DATABASE_URL` is for the server whose data folder that is: `sqlite`, or in a run beside PostgreSQL a schema of
/// its own there.
pub(crate) async fn database_of(directory: &Path) -> String {
    let Some(server) = effort::database() else { return "sqlite".to_owned() };
    let schema = format!("t{}", directory.file_name().unwrap().to_str().unwrap());
    let url = format!("{server}&options=-c%20search_path%3D{schema}");
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(&server).await.unwrap();
    let create = format!("CREATE SCHEMA IF NOT EXISTS {schema}");
    sqlx::query(AssertSqlSafe(create)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    url
}
