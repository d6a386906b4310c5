//! What an owner settles about the devices that are counted.

use headcount_engine::id::{AppId, Id, OwnerId};
use sqlx::{Any, Row as _, Transaction};

use crate::catalog::Catalog;
use crate::catalog::audit::By;
use crate::error::{Code, Error};

/// The settings of an owner, as they are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Days before today for which every device is kept; `None` stands for those of the installation.
    pub retention_days: Option<u32>,
    /// Whether `Sec-GPC: 1` and `DNT: 1` keep a device from being counted.
    pub opt_out_signals: bool,
    /// Whether ids are refused that look as if they named a person.
    pub strict_ids: bool,
    /// The live applications in the order of their creation: id, name, whether it is counted.
    pub apps: Vec<(Id, String, bool)>,
}

/// What is to be settled anew. `None` leaves a setting as it is.
#[derive(Debug, Clone, Default)]
pub struct SettingsChange {
    /// Days before today for which every device is kept; `Some(None)` stands for those of the installation.
    pub retention_days: Option<Option<u32>>,
    /// Whether `Sec-GPC: 1` and `DNT: 1` keep a device from being counted.
    pub opt_out_signals: Option<bool>,
    /// Whether ids are refused that look as if they named a person.
    pub strict_ids: Option<bool>,
    /// Whether these applications are counted.
    pub apps: Vec<(AppId, bool)>,
}

impl Catalog {
    /// The settings of an owner.
    pub async fn settings(&self, owner: OwnerId) -> Result<Settings, Error> {
        let mut transaction = self.begin_read().await?;
        Ok(read(&mut transaction, owner).await?)
    }

    /// Settles something anew, all of it or nothing. Checks of this process see it when this returns, those of others
    /// within a second.
    ///
    /// # Errors
    /// 404 for an application that the owner does not have.
    pub async fn settle(&self, by: impl Into<By>, change: SettingsChange) -> Result<Settings, Error> {
        let by = by.into();
        let owner = by.owner;
        let mut transaction = self.begin_write().await?;
        sqlx::query(
            "UPDATE users SET retention_days = COALESCE($2, retention_days), \
             opt_out_signals = COALESCE($3, opt_out_signals), strict_ids = COALESCE($4, strict_ids) WHERE id = $1",
        )
        .bind(owner.to_string())
        .bind(change.retention_days.map(|days| i64::from(days.unwrap_or_default())))
        .bind(change.opt_out_signals.map(i64::from))
        .bind(change.strict_ids.map(i64::from))
        .execute(&mut *transaction)
        .await?;
        for (app, telemetry) in change.apps {
            let changed = sqlx::query(
                "UPDATE resources SET telemetry = $3 \
                 WHERE id = $1 AND owner_id = $2 AND kind = 'app' AND deleted_at IS NULL",
            )
            .bind(app.to_string())
            .bind(owner.to_string())
            .bind(i64::from(telemetry))
            .execute(&mut *transaction)
            .await?;
            if changed.rows_affected() == 0 {
                return Err(Error::new(Code::NotFound, "app not found").field("apps"));
            }
        }
        let settings = read(&mut transaction, owner).await?;
        self.note(&mut transaction, by, ("settings", "update"), owner.0).await?;
        self.publish(transaction).await?;
        Ok(settings)
    }
}

async fn read(transaction: &mut Transaction<'_, Any>, owner: OwnerId) -> Result<Settings, sqlx::Error> {
    let row = sqlx::query("SELECT retention_days, opt_out_signals, strict_ids FROM users WHERE id = $1")
        .bind(owner.to_string())
        .fetch_one(&mut **transaction)
        .await?;
    let apps = sqlx::query(
        "SELECT id, name, telemetry FROM resources \
         WHERE owner_id = $1 AND kind = 'app' AND deleted_at IS NULL ORDER BY seq",
    )
    .bind(owner.to_string())
    .fetch_all(&mut **transaction)
    .await?;
    let app =
        |row: &sqlx::any::AnyRow| Ok((super::snapshot::id(row, 0)?, row.try_get(1)?, row.try_get::<i64, _>(2)? != 0));
    Ok(Settings {
        retention_days: u32::try_from(row.try_get::<i64, _>(0)?).ok().filter(|&days| days > 0),
        opt_out_signals: row.try_get::<i64, _>(1)? != 0,
        strict_ids: row.try_get::<i64, _>(2)? != 0,
        apps: apps.iter().map(app).collect::<Result<_, sqlx::Error>>()?,
    })
}
