//! The published releases of an owner, with the time of each.

use headcount_engine::day::Millis;
use headcount_engine::id::{AppId, Id, OwnerId};
use sqlx::Row as _;

use crate::catalog::Catalog;
use crate::catalog::snapshot::{id, optional};
use crate::error::Error;

/// A release that is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Of which application.
    pub app: AppId,
    /// On which channel; none of an owner without channels.
    pub channel: Option<Id>,
    /// The name of its version.
    pub version: String,
    /// When it was first published, if that is known.
    pub at: Option<Millis>,
}

impl Catalog {
    /// The published releases of that owner, in no order.
    ///
    /// # Errors
    /// 503 where the database cannot be reached.
    pub async fn published(&self, owner: OwnerId) -> Result<Vec<Published>, Error> {
        let rows = sqlx::query(
            "SELECT app_id, channel_id, version, published_at FROM releases WHERE owner_id = $1 AND published = 1",
        )
        .bind(owner.to_string())
        .fetch_all(&*self.pool()?)
        .await?;
        let read = |row: &sqlx::any::AnyRow| -> Result<Published, sqlx::Error> {
            Ok(Published {
                app: AppId(id(row, 0)?),
                channel: optional(row.try_get(1)?)?,
                version: row.try_get(2)?,
                at: row.try_get::<Option<i64>, _>(3)?.map(Millis),
            })
        };
        Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
    }
}
