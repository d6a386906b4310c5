//! Who has which name, and who had it before.
//!
//! After a rename the old name stays an alias of the resource, for checks and filters, until a resource of the same kind
//! takes it, by whichever way.

use headcount_engine::id::{Id, OwnerId};
use sqlx::{Any, Row as _, Transaction};

use crate::catalog::kind::{Kind, ResourceName};
use crate::error::{Code, Error};
use crate::failpoint::{Defect, is_planted};

/// Gives a free name to a new resource or to one that is renamed: nobody keeps it as an alias.
///
/// # Errors
/// 409 when a live resource of the kind has the name.
pub(super) async fn take(
    transaction: &mut Transaction<'_, Any>,
    owner: OwnerId,
    name: &ResourceName,
) -> Result<(), Error> {
    let kind = name.kind();
    let holder =
        sqlx::query("SELECT id FROM resources WHERE owner_id = $1 AND kind = $2 AND name = $3 AND deleted_at IS NULL")
            .bind(owner.to_string())
            .bind(kind.as_str())
            .bind(name.as_str())
            .fetch_optional(&mut **transaction)
            .await?;
    if holder.is_some() {
        let message = format!("{} with this name already exists", kind.as_str());
        return Err(Error::new(Code::Conflict, message).field(kind.as_str()));
    }
    sqlx::query("DELETE FROM former_names WHERE owner_id = $1 AND kind = $2 AND name = $3")
        .bind(owner.to_string())
        .bind(kind.as_str())
        .bind(name.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Keeps the name that a resource gives up as its alias.
pub(super) async fn keep(
    transaction: &mut Transaction<'_, Any>,
    owner: OwnerId,
    kind: Kind,
    name: &str,
    resource: Id,
) -> Result<(), Error> {
    sqlx::query("INSERT INTO former_names (owner_id, kind, name, resource_id) VALUES ($1, $2, $3, $4)")
        .bind(owner.to_string())
        .bind(kind.as_str())
        .bind(name)
        .bind(resource.to_string())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Forgets the aliases of a resource that is deleted.
pub(super) async fn forget(transaction: &mut Transaction<'_, Any>, resource: Id) -> Result<(), Error> {
    sqlx::query("DELETE FROM former_names WHERE resource_id = $1")
        .bind(resource.to_string())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// The name of a live resource of that owner.
pub(super) async fn current(
    transaction: &mut Transaction<'_, Any>,
    owner: OwnerId,
    kind: Kind,
    resource: Id,
) -> Result<Option<String>, Error> {
    let statement = if is_planted(Defect::OwnerMissingInKey) {
        "SELECT name FROM resources WHERE id = $1 AND $2 <> '' AND kind = $3 AND deleted_at IS NULL"
    } else {
        "SELECT name FROM resources WHERE id = $1 AND owner_id = $2 AND kind = $3 AND deleted_at IS NULL"
    };
    let row = sqlx::query(statement)
        .bind(resource.to_string())
        .bind(owner.to_string())
        .bind(kind.as_str())
        .fetch_optional(&mut **transaction)
        .await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}
