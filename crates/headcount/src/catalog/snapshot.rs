//! From the rows to the snapshot that checks read.

use std::collections::{HashMap, HashSet};

use headcount_engine::day::Millis;
use headcount_engine::id::{AppId, Id, OwnerId};
use headcount_engine::name::UserName;
use headcount_engine::settings::OwnerSettings;
use headcount_engine::snapshot::{Artifact, CatalogSnapshot, Named, OwnerCatalog, Release};
use sqlx::any::AnyRow;
use sqlx::{Any, Row as _, Transaction};

use crate::catalog::erasures;
use crate::catalog::kind::Kind;
use crate::catalog::rows::{ArtifactRow, ReleaseRow, ResourceRow, Rows, read_resources};
use crate::retention::Erased;

#[derive(Default)]
struct OwnerParts {
    resources: [Vec<Named>; 4],
    releases: Vec<Release>,
    uncounted_apps: HashSet<AppId>,
}

/// The snapshot of these rows. The default owner is the administrator of that name, or else the one that is stored.
pub(super) fn build(rows: Rows, default_owner: Option<&UserName>) -> Result<CatalogSnapshot, sqlx::Error> {
    let mut owners: HashMap<Id, OwnerParts> = HashMap::new();
    for row in rows.resources {
        add_resource(&mut owners, row)?;
    }
    let mut artifacts: HashMap<String, Vec<Artifact>> = HashMap::new();
    for row in rows.artifacts {
        add_artifact(&mut artifacts, row)?;
    }
    for row in rows.releases {
        let files = artifacts.remove(&row.id).unwrap_or_default();
        owners.entry(parse(&row.owner)?).or_default().releases.push(release(row, files)?);
    }
    let mut catalogs = Vec::with_capacity(rows.owners.len());
    for owner in rows.owners {
        let id = parse(&owner.id)?;
        let parts = owners.remove(&id).unwrap_or_default();
        let settings = OwnerSettings {
            retention_days: u32::try_from(owner.retention_days).ok().filter(|&days| days > 0),
            opt_out_signals: owner.opt_out_signals,
            strict_ids: owner.strict_ids,
            uncounted_apps: parts.uncounted_apps,
        };
        let catalog = OwnerCatalog::new(OwnerId(id), &owner.name, parts.resources, parts.releases);
        catalogs.push(catalog.with(settings));
    }
    let default_owner = match default_owner {
        Some(name) => catalogs.iter().find(|catalog| *catalog.name == *name.as_str()).map(|catalog| catalog.id),
        None => rows.default_owner.map(|id| parse(&id).map(OwnerId)).transpose()?,
    };
    Ok(CatalogSnapshot::new(catalogs, default_owner))
}

/// The devices of these rows that were erased.
pub(super) fn erased(rows: &Rows) -> Result<Erased, sqlx::Error> {
    let mut erased = Erased::new();
    for (owner, device, at) in &rows.erased_devices {
        erased.entry(OwnerId(parse(owner)?)).or_default().insert(erasures::device(device)?, Millis(*at));
    }
    Ok(erased)
}

/// The names of one owner's resources, as the transaction sees them.
pub(super) async fn names_of(
    transaction: &mut Transaction<'_, Any>,
    owner: OwnerId,
) -> Result<OwnerCatalog, sqlx::Error> {
    let mut owners: HashMap<Id, OwnerParts> = HashMap::new();
    for row in read_resources(transaction, Some(owner)).await? {
        add_resource(&mut owners, row)?;
    }
    let parts = owners.remove(&owner.0).unwrap_or_default();
    Ok(OwnerCatalog::new(owner, "", parts.resources, Vec::new()))
}

fn add_resource(owners: &mut HashMap<Id, OwnerParts>, row: ResourceRow) -> Result<(), sqlx::Error> {
    let named = Named {
        id: parse(&row.id)?,
        name: row.name.into(),
        deleted: row.deleted,
        former: row.former.into_iter().map(Into::into).collect(),
    };
    let of_owner = owners.entry(parse(&row.owner)?).or_default();
    if !row.telemetry {
        of_owner.uncounted_apps.insert(AppId(named.id));
    }
    if let Some(at) = Kind::ALL.iter().position(|known| known.as_str() == row.kind) {
        of_owner.resources[at].push(named);
    }
    Ok(())
}

fn add_artifact(artifacts: &mut HashMap<String, Vec<Artifact>>, row: ArtifactRow) -> Result<(), sqlx::Error> {
    // Links end in headers and in clients: a row that was written past the API is not offered.
    let Ok(link) = row.link.parse() else {
        tracing::warn!(release = %row.release, "a link is not usable: checks do not offer its file");
        return Ok(());
    };
    artifacts.entry(row.release).or_default().push(Artifact {
        platform: optional(&row.platform)?,
        arch: optional(&row.arch)?,
        package: row.package.into(),
        link,
        signature: row.signature.map(Into::into),
    });
    Ok(())
}

fn release(row: ReleaseRow, artifacts: Vec<Artifact>) -> Result<Release, sqlx::Error> {
    Ok(Release {
        id: parse(&row.id)?,
        app: AppId(parse(&row.app)?),
        channel: optional(&row.channel)?,
        version: row.version.parse().map_err(malformed)?,
        published: row.published,
        critical: row.critical,
        required_intermediate: row.intermediate,
        rollout_percent: row.rollout_percent.clamp(0, 100) as u8,
        rollout_seed: row.rollout_seed.into(),
        changelog: row.changelog.into(),
        artifacts,
    })
}

fn malformed(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

fn parse(text: &str) -> Result<Id, sqlx::Error> {
    text.parse().map_err(malformed)
}

pub(super) fn optional(text: &str) -> Result<Option<Id>, sqlx::Error> {
    if text.is_empty() { Ok(None) } else { parse(text).map(Some) }
}

pub(super) fn id(row: &AnyRow, column: usize) -> Result<Id, sqlx::Error> {
    parse(&row.try_get::<String, _>(column)?)
}
