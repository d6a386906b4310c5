//! What a snapshot is made of, as it stands in the tables: read from SQL, and kept on disk.

use std::collections::HashMap;

use headcount_engine::id::OwnerId;
use serde::{Deserialize, Serialize};
use sqlx::{Any, Row as _, Transaction};

/// The rows that checks depend on. Ids, names and versions are texts as they are stored.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Rows {
    /// The administrators.
    pub(super) owners: Vec<OwnerRow>,
    /// The id of the one that checks without an owner mean, if no setting names another.
    pub(super) default_owner: Option<String>,
    pub(super) resources: Vec<ResourceRow>,
    pub(super) releases: Vec<ReleaseRow>,
    pub(super) artifacts: Vec<ArtifactRow>,
    /// The devices that were erased: owner, pseudonym, moment.
    #[serde(default)]
    pub(super) erased_devices: Vec<(String, String, i64)>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct OwnerRow {
    pub(super) id: String,
    pub(super) name: String,
    /// 0 stands for those of the installation.
    #[serde(default)]
    pub(super) retention_days: i64,
    #[serde(default = "yes")]
    pub(super) opt_out_signals: bool,
    #[serde(default)]
    pub(super) strict_ids: bool,
}

/// What a switch says that was not kept yet.
fn yes() -> bool {
    true
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ResourceRow {
    pub(super) id: String,
    pub(super) owner: String,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) deleted: bool,
    /// The names that it had before.
    pub(super) former: Vec<String>,
    /// Whether checks of it are counted: of apps only.
    #[serde(default = "yes")]
    pub(super) telemetry: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ReleaseRow {
    pub(super) id: String,
    pub(super) owner: String,
    pub(super) app: String,
    pub(super) channel: String,
    pub(super) version: String,
    pub(super) published: bool,
    pub(super) critical: bool,
    pub(super) intermediate: bool,
    pub(super) rollout_percent: i64,
    pub(super) rollout_seed: String,
    pub(super) changelog: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ArtifactRow {
    pub(super) release: String,
    pub(super) platform: String,
    pub(super) arch: String,
    pub(super) package: String,
    pub(super) link: String,
    pub(super) signature: Option<String>,
}

impl Rows {
    /// Reads the whole catalog, each list the oldest first.
    pub(super) async fn read(transaction: &mut Transaction<'_, Any>) -> Result<Self, sqlx::Error> {
        let mut rows = Self {
            resources: read_resources(transaction, None).await?,
            releases: read_releases(transaction).await?,
            artifacts: read_artifacts(transaction).await?,
            ..Self::default()
        };
        let owners = sqlx::query(
            "SELECT id, name, retention_days, opt_out_signals, strict_ids FROM users \
             WHERE role = 'administrator' ORDER BY seq",
        );
        for row in owners.fetch_all(&mut **transaction).await? {
            rows.owners.push(OwnerRow {
                id: row.try_get(0)?,
                name: row.try_get(1)?,
                retention_days: row.try_get(2)?,
                opt_out_signals: row.try_get::<i64, _>(3)? != 0,
                strict_ids: row.try_get::<i64, _>(4)? != 0,
            });
        }
        let erased = sqlx::query("SELECT owner_id, device, erased_at FROM device_erasures");
        for row in erased.fetch_all(&mut **transaction).await? {
            rows.erased_devices.push((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
        }
        let default_owner = sqlx::query("SELECT default_owner FROM installation");
        rows.default_owner = default_owner.fetch_one(&mut **transaction).await?.try_get(0)?;
        Ok(rows)
    }
}

/// The resources of one owner, or of all.
pub(super) async fn read_resources(
    transaction: &mut Transaction<'_, Any>,
    only: Option<OwnerId>,
) -> Result<Vec<ResourceRow>, sqlx::Error> {
    let only = only.map(|owner| owner.to_string()).unwrap_or_default();
    let mut former: HashMap<String, Vec<String>> = HashMap::new();
    let rows = sqlx::query("SELECT resource_id, name FROM former_names WHERE $1 = '' OR owner_id = $1")
        .bind(&only)
        .fetch_all(&mut **transaction)
        .await?;
    for row in rows {
        former.entry(row.try_get(0)?).or_default().push(row.try_get(1)?);
    }
    let rows = sqlx::query(
        "SELECT id, owner_id, kind, name, CASE WHEN deleted_at IS NULL THEN 0 ELSE 1 END, telemetry \
         FROM resources \
         WHERE $1 = '' OR owner_id = $1 ORDER BY seq",
    )
    .bind(&only)
    .fetch_all(&mut **transaction)
    .await?;
    let mut resources = Vec::with_capacity(rows.len());
    for row in rows {
        let id: String = row.try_get(0)?;
        resources.push(ResourceRow {
            former: former.remove(&id).unwrap_or_default(),
            id,
            owner: row.try_get(1)?,
            kind: row.try_get(2)?,
            name: row.try_get(3)?,
            deleted: row.try_get::<i64, _>(4)? != 0,
            telemetry: row.try_get::<i64, _>(5)? != 0,
        });
    }
    Ok(resources)
}

async fn read_releases(transaction: &mut Transaction<'_, Any>) -> Result<Vec<ReleaseRow>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT id, owner_id, app_id, channel_id, version, published, critical, intermediate, rollout_percent, \
         rollout_seed, changelog FROM releases ORDER BY seq",
    )
    .fetch_all(&mut **transaction)
    .await?;
    let mut releases = Vec::with_capacity(rows.len());
    for row in rows {
        let flag = |column: usize| row.try_get::<i64, _>(column).map(|flag| flag != 0);
        releases.push(ReleaseRow {
            id: row.try_get(0)?,
            owner: row.try_get(1)?,
            app: row.try_get(2)?,
            channel: row.try_get(3)?,
            version: row.try_get(4)?,
            published: flag(5)?,
            critical: flag(6)?,
            intermediate: flag(7)?,
            rollout_percent: row.try_get(8)?,
            rollout_seed: row.try_get(9)?,
            changelog: row.try_get(10)?,
        });
    }
    Ok(releases)
}

async fn read_artifacts(transaction: &mut Transaction<'_, Any>) -> Result<Vec<ArtifactRow>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT release_id, platform_id, arch_id, package, link, signature FROM artifacts ORDER BY release_id, position",
    )
    .fetch_all(&mut **transaction)
    .await?;
    let mut artifacts = Vec::with_capacity(rows.len());
    for row in rows {
        artifacts.push(ArtifactRow {
            release: row.try_get(0)?,
            platform: row.try_get(1)?,
            arch: row.try_get(2)?,
            package: row.try_get(3)?,
            link: row.try_get(4)?,
            signature: row.try_get(5)?,
        });
    }
    Ok(artifacts)
}
