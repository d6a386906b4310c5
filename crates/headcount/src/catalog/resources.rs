//! Apps, channels, platforms and architectures: one way to write them and one way to read them.

use headcount_engine::day::Millis;
use headcount_engine::id::{Id, OwnerId};
use sqlx::any::AnyRow;
use sqlx::{Any, Row as _, Transaction};

use crate::catalog::grants::{self, Reach};
use crate::catalog::kind::{Kind, ResourceName};
use crate::catalog::updaters::Updaters;
use crate::catalog::{Catalog, fresh_id, names};
use crate::error::{Code, Error};
use crate::failpoint::{Defect, is_planted};

/// Why something that releases refer to stays.
const RELATED: &str = "you can't delete this item because it is related to other items";

/// A live resource, as lists show it.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Its id.
    pub id: Id,
    /// Its name now.
    pub name: String,
    /// The user name of its owner.
    pub owner: String,
    /// When it was last written.
    pub updated_at: Millis,
    /// How updates are delivered: of platforms only.
    pub updaters: Updaters,
    /// The address of its picture, or empty: of apps only.
    pub logo: String,
    /// Of apps only.
    pub description: String,
    /// Of apps only.
    pub flags: Flags,
}

/// What faynoSync's clients may switch on for an app. They are kept and shown; checks do not depend on them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the wire format has four independent switches")]
pub struct Flags {
    /// Downloads need permission.
    pub private: bool,
    /// Artifacts are signed by The Update Framework.
    pub tuf: bool,
    /// Crash reports are taken.
    pub reports: bool,
    /// Answers are published to a content delivery network.
    pub cdn_edge: bool,
}

/// What a new resource is made of, and what a change sets. `None` leaves a resource as it is.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Its name.
    pub name: ResourceName,
    /// How updates are delivered: of platforms only.
    pub updaters: Option<Updaters>,
    /// Of apps only.
    pub description: Option<String>,
    /// Of apps only.
    pub private: Option<bool>,
    /// Of apps only.
    pub tuf: Option<bool>,
    /// Of apps only.
    pub reports: Option<bool>,
    /// Of apps only.
    pub cdn_edge: Option<bool>,
}

impl Draft {
    /// A draft of that name that says nothing else.
    pub fn named(name: ResourceName) -> Self {
        Self { name, updaters: None, description: None, private: None, tuf: None, reports: None, cdn_edge: None }
    }
}

impl Catalog {
    /// The live resources of one kind that are in reach, in the order of their creation.
    pub async fn resources(&self, reach: impl Into<Reach>, kind: Kind) -> Result<Vec<Resource>, Error> {
        let mut reach = reach.into();
        if is_planted(Defect::ListNotFiltered) {
            reach = Reach::from(reach.owner());
        }
        let rows = sqlx::query(
            "SELECT r.id, r.name, u.name, r.updated_at, r.updaters, r.logo, r.description, r.private, r.tuf, \
             r.reports, r.cdn_edge FROM resources r JOIN users u ON u.id = r.owner_id \
             WHERE r.owner_id = $1 AND r.kind = $2 AND r.deleted_at IS NULL AND ($3 = '' OR EXISTS \
             (SELECT 1 FROM grants g WHERE g.holder_id = $3 AND g.resource_id = r.id)) ORDER BY r.seq",
        )
        .bind(reach.owner().to_string())
        .bind(kind.as_str())
        .bind(reach.holder_or_empty())
        .fetch_all(&*self.pool()?)
        .await?;
        Ok(rows.iter().map(resource).collect::<Result<_, sqlx::Error>>()?)
    }

    /// Creates a resource. Whoever has a limited reach is granted it.
    ///
    /// # Errors
    /// 409 when the owner has one of that kind and name.
    pub async fn create_resource(&self, reach: impl Into<Reach>, draft: Draft) -> Result<Id, Error> {
        let reach = reach.into();
        let owner = reach.owner();
        let mut transaction = self.begin_write().await?;
        names::take(&mut transaction, owner, &draft.name).await?;
        let id = fresh_id();
        sqlx::query(
            "INSERT INTO resources (id, owner_id, kind, name, description, private, tuf, reports, cdn_edge, updaters, \
             created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)",
        )
        .bind(id.to_string())
        .bind(owner.to_string())
        .bind(draft.name.kind().as_str())
        .bind(draft.name.as_str())
        .bind(draft.description.unwrap_or_default())
        .bind(i64::from(draft.private.unwrap_or_default()))
        .bind(i64::from(draft.tuf.unwrap_or_default()))
        .bind(i64::from(draft.reports.unwrap_or_default()))
        .bind(i64::from(draft.cdn_edge.unwrap_or_default()))
        .bind(draft.updaters.map(|updaters| updaters.stored()).unwrap_or_default())
        .bind(self.clock.now().0)
        .execute(&mut *transaction)
        .await?;
        if let Some(holder) = reach.holder() {
            grants::grant(&mut transaction, holder, id).await?;
        }
        self.note(&mut transaction, reach.by(), (draft.name.kind().as_str(), "create"), id).await?;
        self.publish(transaction).await?;
        Ok(id)
    }

    /// Changes a resource. Its old name stays an alias until another one of the kind takes it.
    ///
    /// # Errors
    /// 403 when it is out of reach, 404 when the owner has no such resource, 409 when another one has the name.
    pub async fn update_resource(&self, reach: impl Into<Reach>, id: Id, draft: Draft) -> Result<(), Error> {
        let reach = reach.into();
        let (owner, kind) = (reach.owner(), draft.name.kind());
        let mut transaction = self.begin_write().await?;
        if !reach.has(&mut transaction, kind, id).await? {
            return Err(Error::new(Code::Forbidden, out_of_reach("update", kind)));
        }
        let Some(current) = names::current(&mut transaction, owner, kind, id).await? else {
            return Err(Error::new(Code::NotFound, format!("{} not found", kind.as_str())));
        };
        if current != draft.name.as_str() {
            names::take(&mut transaction, owner, &draft.name).await?;
            names::keep(&mut transaction, owner, kind, &current, id).await?;
        }
        sqlx::query(
            "UPDATE resources SET name = $2, description = COALESCE($3, description), private = COALESCE($4, private), \
             tuf = COALESCE($5, tuf), reports = COALESCE($6, reports), cdn_edge = COALESCE($7, cdn_edge), \
             updaters = COALESCE($8, updaters), updated_at = $9 WHERE id = $1",
        )
        .bind(id.to_string())
        .bind(draft.name.as_str())
        .bind(draft.description)
        .bind(draft.private.map(i64::from))
        .bind(draft.tuf.map(i64::from))
        .bind(draft.reports.map(i64::from))
        .bind(draft.cdn_edge.map(i64::from))
        .bind(draft.updaters.map(|updaters| updaters.stored()))
        .bind(self.clock.now().0)
        .execute(&mut *transaction)
        .await?;
        self.note(&mut transaction, reach.by(), (kind.as_str(), "update"), id).await?;
        self.publish(transaction).await
    }

    /// Deletes a resource that no release refers to. Its row stays for the reports on its days, and with
    /// `erase_telemetry` these days go as well.
    ///
    /// # Errors
    /// 403 when it is out of reach, 404 when the owner has no such resource, 409 when releases refer to it.
    pub async fn delete_resource(
        &self,
        reach: impl Into<Reach>,
        kind: Kind,
        id: Id,
        erase_telemetry: bool,
    ) -> Result<(), Error> {
        let reach = reach.into();
        let owner = reach.owner();
        let failed =
            |code, details: String| Error::new(code, format!("failed to delete {}", kind.as_str())).details(details);
        let mut transaction = self.begin_write().await?;
        if !reach.has(&mut transaction, kind, id).await? {
            return Err(failed(Code::Forbidden, out_of_reach("delete", kind)));
        }
        if names::current(&mut transaction, owner, kind, id).await?.is_none() {
            return Err(failed(Code::NotFound, format!("no document found with ID {id}")));
        }
        if is_referred_to(&mut transaction, owner, kind, id).await? {
            return Err(failed(Code::Conflict, RELATED.to_owned()));
        }
        names::forget(&mut transaction, id).await?;
        grants::forget_resource(&mut transaction, id).await?;
        let now = self.clock.now().0;
        sqlx::query("UPDATE resources SET deleted_at = $2, updated_at = $2 WHERE id = $1")
            .bind(id.to_string())
            .bind(now)
            .execute(&mut *transaction)
            .await?;
        if erase_telemetry {
            sqlx::query(
                "INSERT INTO erasures (owner_id, app_id, created_at) VALUES ($1, $2, $3) \
                 ON CONFLICT (owner_id, app_id) DO UPDATE SET created_at = excluded.created_at",
            )
            .bind(owner.to_string())
            .bind(id.to_string())
            .bind(now)
            .execute(&mut *transaction)
            .await?;
        }
        self.note(&mut transaction, reach.by(), (kind.as_str(), "delete"), id).await?;
        self.publish(transaction).await
    }
}

fn out_of_reach(what: &str, kind: Kind) -> String {
    let kind = kind.as_str();
    format!("you don't have permission to {what} this {kind} as it's not in your allowed {kind}s list")
}

async fn is_referred_to(
    transaction: &mut Transaction<'_, Any>,
    owner: OwnerId,
    kind: Kind,
    id: Id,
) -> Result<bool, Error> {
    let referring = match kind {
        Kind::App => "SELECT COUNT(*) FROM releases WHERE owner_id = $1 AND app_id = $2",
        Kind::Channel => "SELECT COUNT(*) FROM releases WHERE owner_id = $1 AND channel_id = $2",
        Kind::Platform => {
            "SELECT COUNT(*) FROM releases r JOIN artifacts a ON a.release_id = r.id \
             WHERE r.owner_id = $1 AND a.platform_id = $2"
        }
        Kind::Arch => {
            "SELECT COUNT(*) FROM releases r JOIN artifacts a ON a.release_id = r.id \
             WHERE r.owner_id = $1 AND a.arch_id = $2"
        }
    };
    let row = sqlx::query(referring).bind(owner.to_string()).bind(id.to_string()).fetch_one(&mut **transaction).await?;
    Ok(row.try_get::<i64, _>(0)? > 0)
}

fn resource(row: &AnyRow) -> Result<Resource, sqlx::Error> {
    let flag = |column: usize| row.try_get::<i64, _>(column).map(|flag| flag != 0);
    Ok(Resource {
        id: super::snapshot::id(row, 0)?,
        name: row.try_get(1)?,
        owner: row.try_get(2)?,
        updated_at: Millis(row.try_get(3)?),
        updaters: Updaters::from_stored(row.try_get(4)?),
        logo: row.try_get(5)?,
        description: row.try_get(6)?,
        flags: Flags { private: flag(7)?, tuf: flag(8)?, reports: flag(9)?, cdn_edge: flag(10)? },
    })
}
