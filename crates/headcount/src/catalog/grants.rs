//! Which of an owner's resources a caller may touch.

use std::collections::{BTreeMap, BTreeSet};

use headcount_engine::id::{AppId, Id, OwnerId};
use sqlx::{Any, Row as _, Transaction};

use crate::catalog::Catalog;
use crate::catalog::audit::By;
use crate::catalog::kind::Kind;
use crate::catalog::users::id;
use crate::error::{Code, Error};

/// Whose resources a caller works with, and whether only with those that were granted to somebody.
#[derive(Debug, Clone, Copy)]
pub struct Reach {
    by: By,
    holder: Option<Holder>,
}

/// Whom resources were granted to.
#[derive(Debug, Clone, Copy)]
enum Holder {
    User(Id),
    Token(Id),
}

impl From<By> for Reach {
    fn from(by: By) -> Self {
        Self { by, holder: None }
    }
}

/// Of the server's own commands.
impl From<OwnerId> for Reach {
    fn from(owner: OwnerId) -> Self {
        By::from(owner).into()
    }
}

impl Reach {
    /// Those of the owner's resources that were granted to a team user.
    pub fn of_user(by: By, user: Id) -> Self {
        Self { by, holder: Some(Holder::User(user)) }
    }

    /// Those of the owner's resources that an API token acts on.
    pub fn of_token(by: By, token: Id) -> Self {
        Self { by, holder: Some(Holder::Token(token)) }
    }

    /// Whose resources they are.
    pub fn owner(self) -> OwnerId {
        self.by.owner
    }

    /// Who touches them.
    pub(super) fn by(self) -> By {
        self.by
    }

    /// Whether it is limited to what was granted to somebody.
    pub fn is_limited(self) -> bool {
        self.holder.is_some()
    }

    /// What is said of an app that is out of a limited reach, be there one or not.
    pub(super) fn no_such_app(self) -> Error {
        let message = match self.holder {
            Some(Holder::Token(_)) => "api token has no access to this app",
            Some(Holder::User(_)) | None => "you don't have permission to access this app",
        };
        Error::new(Code::Forbidden, message).field("app_name")
    }

    /// Whom they were granted to; none where there is no limit.
    pub(super) fn holder(self) -> Option<Id> {
        self.holder.map(|holder| match holder {
            Holder::User(id) | Holder::Token(id) => id,
        })
    }

    /// The holder's id as statements take it, which do not limit where it is empty.
    pub(super) fn holder_or_empty(self) -> String {
        self.holder().map(|holder| holder.to_string()).unwrap_or_default()
    }

    /// Whether it has that resource of that kind. One that does not exist was granted to nobody.
    pub(super) async fn has(
        self,
        transaction: &mut Transaction<'_, Any>,
        kind: Kind,
        resource: Id,
    ) -> Result<bool, Error> {
        let Some(holder) = self.holder() else { return Ok(true) };
        let found = sqlx::query(
            "SELECT 1 FROM grants g JOIN resources r ON r.id = g.resource_id \
             WHERE g.holder_id = $1 AND g.resource_id = $2 AND r.kind = $3",
        )
        .bind(holder.to_string())
        .bind(resource.to_string())
        .bind(kind.as_str())
        .fetch_optional(&mut **transaction)
        .await?;
        Ok(found.is_some())
    }
}

/// Resources by their kind, in the order in which they were granted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Granted(BTreeMap<Kind, Vec<Id>>);

impl Granted {
    /// Adds one, unless it is there.
    pub fn add(&mut self, kind: Kind, resource: Id) {
        let of_kind = self.0.entry(kind).or_default();
        if !of_kind.contains(&resource) {
            of_kind.push(resource);
        }
    }

    /// Those of that kind.
    pub fn of(&self, kind: Kind) -> &[Id] {
        self.0.get(&kind).map(Vec::as_slice).unwrap_or_default()
    }
}

/// What is said of an id in a list of grants that is no id of a live resource of that kind and owner.
pub fn not_of_yours(kind: Kind) -> Error {
    let kind = kind.as_str();
    Error::invalid(format!("permissions.{kind}s.allowed"), "Invalid request body")
        .accepted(format!("ids of your {kind}s, each 24 lowercase hex characters"))
}

impl Catalog {
    /// What was granted to that holder.
    pub async fn granted(&self, holder: Id) -> Result<Granted, Error> {
        let rows = sqlx::query(
            "SELECT r.kind, r.id FROM grants g JOIN resources r ON r.id = g.resource_id WHERE g.holder_id = $1 \
             ORDER BY g.seq",
        )
        .bind(holder.to_string())
        .fetch_all(&*self.pool()?)
        .await?;
        let mut granted = Granted::default();
        for row in rows {
            if let Some(kind) = Kind::from_stored(row.try_get(0)?) {
                granted.add(kind, id(&row, 1)?);
            }
        }
        Ok(granted)
    }

    /// That app, if there is one, and if it is in the caller's reach.
    ///
    /// # Errors
    /// 403 where the reach is limited and has no such app, be there one or not.
    pub async fn app_in(&self, reach: Reach, app: Option<Id>) -> Result<Option<Id>, Error> {
        let Some(holder) = reach.holder() else { return Ok(app) };
        let granted = self.granted(holder).await?;
        let granted = granted.of(Kind::App);
        if granted.is_empty() && matches!(reach.holder, Some(Holder::User(_))) {
            return Err(Error::new(Code::Forbidden, "you don't have permission to access any apps").field("app_name"));
        }
        if !app.is_some_and(|app| granted.contains(&app)) {
            return Err(reach.no_such_app());
        }
        Ok(app)
    }

    /// The apps in reach, where it is limited.
    pub async fn apps_of(&self, reach: Reach) -> Result<Option<BTreeSet<AppId>>, Error> {
        let Some(holder) = reach.holder() else { return Ok(None) };
        Ok(Some(self.granted(holder).await?.of(Kind::App).iter().copied().map(AppId).collect()))
    }
}

/// Grants a resource to a holder.
pub(super) async fn grant(transaction: &mut Transaction<'_, Any>, holder: Id, resource: Id) -> Result<(), Error> {
    sqlx::query("INSERT INTO grants (holder_id, resource_id) VALUES ($1, $2)")
        .bind(holder.to_string())
        .bind(resource.to_string())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Grants these, and nothing else, to a holder; or says of which kind one is that is no live resource of that owner.
pub(super) async fn replace(
    transaction: &mut Transaction<'_, Any>,
    owner: OwnerId,
    holder: Id,
    granted: &Granted,
) -> Result<Option<Kind>, Error> {
    forget_holder(transaction, holder).await?;
    for (&kind, resources) in &granted.0 {
        for resource in resources {
            let inserted = sqlx::query(
                "INSERT INTO grants (holder_id, resource_id) SELECT $1, id FROM resources \
                 WHERE id = $2 AND owner_id = $3 AND kind = $4 AND deleted_at IS NULL",
            )
            .bind(holder.to_string())
            .bind(resource.to_string())
            .bind(owner.to_string())
            .bind(kind.as_str())
            .execute(&mut **transaction)
            .await?;
            if inserted.rows_affected() == 0 {
                return Ok(Some(kind));
            }
        }
    }
    Ok(None)
}

/// Takes everything from a holder who goes.
pub(super) async fn forget_holder(transaction: &mut Transaction<'_, Any>, holder: Id) -> Result<(), Error> {
    sqlx::query("DELETE FROM grants WHERE holder_id = $1").bind(holder.to_string()).execute(&mut **transaction).await?;
    Ok(())
}

/// Takes a resource that goes from everybody.
pub(super) async fn forget_resource(transaction: &mut Transaction<'_, Any>, resource: Id) -> Result<(), Error> {
    sqlx::query("DELETE FROM grants WHERE resource_id = $1")
        .bind(resource.to_string())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
