//! From the tables to the snapshot that checks read.

use std::collections::HashMap;

use headcount_engine::id::{AppId, Id, OwnerId};
use headcount_engine::name::UserName;
use headcount_engine::snapshot::{Artifact, CatalogSnapshot, Named, OwnerCatalog, Release};
use sqlx::any::AnyRow;
use sqlx::{Any, Row as _, Transaction};

use crate::catalog::kind::Kind;

#[derive(Default)]
struct OwnerRows {
    resources: [Vec<Named>; 4],
    releases: Vec<Release>,
}

/// Reads the whole catalog. The default owner is the administrator of that name, or else the one that is stored.
pub(super) async fn load(
    transaction: &mut Transaction<'_, Any>,
    default_owner: Option<&UserName>,
) -> Result<CatalogSnapshot, sqlx::Error> {
    let mut owners: HashMap<Id, OwnerRows> = HashMap::new();
    load_resources(transaction, &mut owners, None).await?;
    load_releases(transaction, &mut owners).await?;
    let administrators = sqlx::query("SELECT id, name FROM users WHERE role = 'administrator' ORDER BY seq")
        .fetch_all(&mut **transaction)
        .await?;
    let mut catalogs = Vec::with_capacity(administrators.len());
    for row in administrators {
        let id = id(&row, 0)?;
        let name: String = row.try_get(1)?;
        let rows = owners.remove(&id).unwrap_or_default();
        catalogs.push(OwnerCatalog::new(OwnerId(id), &name, rows.resources, rows.releases));
    }
    let default_owner = match default_owner {
        Some(name) => catalogs.iter().find(|catalog| *catalog.name == *name.as_str()).map(|catalog| catalog.id),
        None => stored_default_owner(transaction).await?,
    };
    Ok(CatalogSnapshot::new(catalogs, default_owner))
}

async fn stored_default_owner(transaction: &mut Transaction<'_, Any>) -> Result<Option<OwnerId>, sqlx::Error> {
    let stored: Option<String> =
        sqlx::query("SELECT default_owner FROM installation").fetch_one(&mut **transaction).await?.try_get(0)?;
    stored.map(|text| text.parse().map(OwnerId).map_err(malformed)).transpose()
}

/// The names of one owner's resources, as the transaction sees them.
pub(super) async fn names_of(
    transaction: &mut Transaction<'_, Any>,
    owner: OwnerId,
) -> Result<OwnerCatalog, sqlx::Error> {
    let mut owners: HashMap<Id, OwnerRows> = HashMap::new();
    load_resources(transaction, &mut owners, Some(owner)).await?;
    let rows = owners.remove(&owner.0).unwrap_or_default();
    Ok(OwnerCatalog::new(owner, "", rows.resources, Vec::new()))
}

/// Reads the resources of one owner, or of all.
async fn load_resources(
    transaction: &mut Transaction<'_, Any>,
    owners: &mut HashMap<Id, OwnerRows>,
    only: Option<OwnerId>,
) -> Result<(), sqlx::Error> {
    let only = only.map(|owner| owner.to_string()).unwrap_or_default();
    let mut former: HashMap<Id, Vec<Box<str>>> = HashMap::new();
    let rows = sqlx::query("SELECT resource_id, name FROM former_names WHERE $1 = '' OR owner_id = $1")
        .bind(&only)
        .fetch_all(&mut **transaction)
        .await?;
    for row in rows {
        former.entry(id(&row, 0)?).or_default().push(row.try_get::<String, _>(1)?.into());
    }
    let rows = sqlx::query(
        "SELECT id, owner_id, kind, name, CASE WHEN deleted_at IS NULL THEN 0 ELSE 1 END FROM resources \
         WHERE $1 = '' OR owner_id = $1 ORDER BY seq",
    )
    .bind(&only)
    .fetch_all(&mut **transaction)
    .await?;
    for row in rows {
        let kind: String = row.try_get(2)?;
        let resource = id(&row, 0)?;
        let named = Named {
            id: resource,
            name: row.try_get::<String, _>(3)?.into(),
            deleted: row.try_get::<i64, _>(4)? != 0,
            former: former.remove(&resource).unwrap_or_default(),
        };
        let of_owner = owners.entry(id(&row, 1)?).or_default();
        if let Some(at) = Kind::ALL.iter().position(|known| known.as_str() == kind) {
            of_owner.resources[at].push(named);
        }
    }
    Ok(())
}

async fn load_releases(
    transaction: &mut Transaction<'_, Any>,
    owners: &mut HashMap<Id, OwnerRows>,
) -> Result<(), sqlx::Error> {
    let mut artifacts: HashMap<Id, Vec<Artifact>> = HashMap::new();
    let rows = sqlx::query(
        "SELECT release_id, platform_id, arch_id, package, link, signature FROM artifacts ORDER BY release_id, position",
    )
    .fetch_all(&mut **transaction)
    .await?;
    for row in rows {
        let release = id(&row, 0)?;
        // Links end in headers and in clients: a row that was written past the API is not offered.
        let Ok(link) = row.try_get::<String, _>(4)?.parse() else {
            tracing::warn!(%release, "a link is not usable: checks do not offer its file");
            continue;
        };
        artifacts.entry(release).or_default().push(Artifact {
            platform: optional_id(&row, 1)?,
            arch: optional_id(&row, 2)?,
            package: row.try_get::<String, _>(3)?.into(),
            link,
            signature: row.try_get::<Option<String>, _>(5)?.map(Into::into),
        });
    }
    let rows = sqlx::query(
        "SELECT id, owner_id, app_id, channel_id, version, published, critical, intermediate, rollout_percent, \
         rollout_seed, changelog FROM releases ORDER BY seq",
    )
    .fetch_all(&mut **transaction)
    .await?;
    for row in rows {
        let flag = |column: usize| row.try_get::<i64, _>(column).map(|flag| flag != 0);
        let release = id(&row, 0)?;
        owners.entry(id(&row, 1)?).or_default().releases.push(Release {
            id: release,
            app: AppId(id(&row, 2)?),
            channel: optional_id(&row, 3)?,
            version: row.try_get::<String, _>(4)?.parse().map_err(malformed)?,
            published: flag(5)?,
            critical: flag(6)?,
            required_intermediate: flag(7)?,
            rollout_percent: row.try_get::<i64, _>(8)?.clamp(0, 100) as u8,
            rollout_seed: row.try_get::<String, _>(9)?.into(),
            changelog: row.try_get::<String, _>(10)?.into(),
            artifacts: artifacts.remove(&release).unwrap_or_default(),
        });
    }
    Ok(())
}

fn malformed(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

pub(super) fn id(row: &AnyRow, column: usize) -> Result<Id, sqlx::Error> {
    row.try_get::<String, _>(column)?.parse().map_err(malformed)
}

fn optional_id(row: &AnyRow, column: usize) -> Result<Option<Id>, sqlx::Error> {
    let text: String = row.try_get(column)?;
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(malformed) }
}
