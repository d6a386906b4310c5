//! Team users: who works with an administrator's resources, and with which of them.

use std::collections::HashMap;

use headcount_engine::day::Millis;
use headcount_engine::id::{Id, OwnerId};
use headcount_engine::name::UserName;
use sqlx::{Any, Row as _, Transaction};

use crate::catalog::audit::By;
use crate::catalog::grants::{self, Granted, not_of_yours};
use crate::catalog::kind::Kind;
use crate::catalog::rights::Rights;
use crate::catalog::users::id;
use crate::catalog::{Catalog, fresh_id};
use crate::error::{Code, Error};
use crate::failpoint::{Defect, is_planted};
use crate::password::PasswordHash;

/// What a team user may do, and with which resources.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permissions {
    /// What the user may do.
    pub rights: Rights,
    /// With which resources.
    pub granted: Granted,
}

/// A team user, as the administrator sees it.
#[derive(Debug, Clone)]
pub struct TeamUser {
    /// The id of the user.
    pub id: Id,
    /// The name of the user.
    pub name: String,
    /// What the user may do.
    pub permissions: Permissions,
    /// When the user was last changed.
    pub updated_at: Millis,
}

/// What a change sets. `None` leaves a team user as it is.
#[derive(Debug)]
pub struct TeamChange {
    /// The name.
    pub name: UserName,
    /// The password. A new one ends all sessions of the user.
    pub password: Option<PasswordHash>,
    /// All permissions at once.
    pub permissions: Option<Permissions>,
}

impl Catalog {
    /// Creates a team user of that administrator.
    ///
    /// # Errors
    /// 409 when any user has that name; 400 when something is granted that the owner does not have.
    pub async fn create_team_user(
        &self,
        by: impl Into<By>,
        name: &UserName,
        password: &PasswordHash,
        permissions: &Permissions,
    ) -> Result<Id, Error> {
        let by = by.into();
        let owner = by.owner;
        let mut transaction = self.begin_write().await?;
        let inserted = self.insert_team_user(&mut transaction, owner, (name, password), &permissions.rights).await?;
        let id = inserted.ok_or_else(name_taken)?;
        if let Some(kind) = grants::replace(&mut transaction, owner, id, &permissions.granted).await? {
            return Err(not_of_yours(kind));
        }
        self.note(&mut transaction, by, ("user", "create"), id).await?;
        transaction.commit().await?;
        Ok(id)
    }

    /// Creates a team user without grants; nothing if a user has that name.
    pub(super) async fn insert_team_user(
        &self,
        transaction: &mut Transaction<'_, Any>,
        owner: OwnerId,
        (name, password): (&UserName, &PasswordHash),
        rights: &Rights,
    ) -> Result<Option<Id>, Error> {
        let id = fresh_id();
        let inserted = sqlx::query(
            "INSERT INTO users (id, name, password, role, owner_id, rights, created_at, updated_at) \
             SELECT $1, $2, $3, 'team', id, $5, $6, $6 FROM users WHERE id = $4 ON CONFLICT (name) DO NOTHING",
        )
        .bind(id.to_string())
        .bind(name.as_str())
        .bind(password.as_str())
        .bind(owner.to_string())
        .bind(rights.stored())
        .bind(self.clock.now().0)
        .execute(&mut **transaction)
        .await?;
        Ok((inserted.rows_affected() > 0).then_some(id))
    }

    /// Changes a team user of that administrator.
    ///
    /// # Errors
    /// 404 when the administrator has no such team user; 409 and 400 as for a new one.
    pub async fn update_team_user(&self, by: impl Into<By>, user: Id, change: TeamChange) -> Result<(), Error> {
        let by = by.into();
        let owner = by.owner;
        let mut transaction = self.begin_write().await?;
        if !is_team_user(&mut transaction, owner, user).await? {
            return Err(Error::new(Code::NotFound, "Team user not found"));
        }
        let taken = sqlx::query("SELECT 1 FROM users WHERE name = $1 AND id <> $2")
            .bind(change.name.as_str())
            .bind(user.to_string())
            .fetch_optional(&mut *transaction)
            .await?;
        if taken.is_some() {
            return Err(name_taken());
        }
        sqlx::query(
            "UPDATE users SET name = $2, password = COALESCE($3, password), rights = COALESCE($4, rights), \
             updated_at = $5 WHERE id = $1",
        )
        .bind(user.to_string())
        .bind(change.name.as_str())
        .bind(change.password.as_ref().map(|hash| hash.as_str().to_owned()))
        .bind(change.permissions.as_ref().map(|permissions| permissions.rights.stored()))
        .bind(self.clock.now().0)
        .execute(&mut *transaction)
        .await?;
        if let Some(permissions) = &change.permissions
            && let Some(kind) = grants::replace(&mut transaction, owner, user, &permissions.granted).await?
        {
            return Err(not_of_yours(kind));
        }
        if change.password.is_some() {
            end_sessions(&mut transaction, user).await?;
        }
        self.note(&mut transaction, by, ("user", "update"), user).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The team users of that administrator, in the order in which they were created.
    pub async fn team_users(&self, owner: OwnerId) -> Result<Vec<TeamUser>, Error> {
        let mut transaction = self.begin_read().await?;
        let mut granted: HashMap<Id, Granted> = HashMap::new();
        let rows = sqlx::query(
            "SELECT g.holder_id, r.kind, r.id FROM grants g JOIN resources r ON r.id = g.resource_id \
             WHERE r.owner_id = $1 ORDER BY g.seq",
        )
        .bind(owner.to_string())
        .fetch_all(&mut *transaction)
        .await?;
        for row in rows {
            if let Some(kind) = Kind::from_stored(row.try_get(1)?) {
                granted.entry(id(&row, 0)?).or_default().add(kind, id(&row, 2)?);
            }
        }
        let rows = sqlx::query(
            "SELECT id, name, rights, updated_at FROM users WHERE owner_id = $1 AND role = 'team' ORDER BY seq",
        )
        .bind(owner.to_string())
        .fetch_all(&mut *transaction)
        .await?;
        let mut users = Vec::with_capacity(rows.len());
        for row in rows {
            let id = id(&row, 0)?;
            let rights = Rights::from_stored(row.try_get(2)?);
            let permissions = Permissions { rights, granted: granted.remove(&id).unwrap_or_default() };
            users.push(TeamUser { id, name: row.try_get(1)?, permissions, updated_at: Millis(row.try_get(3)?) });
        }
        Ok(users)
    }

    /// Deletes a team user of that administrator. Whether there was such a user.
    pub async fn delete_team_user(&self, by: impl Into<By>, user: Id) -> Result<bool, Error> {
        let by = by.into();
        let mut transaction = self.begin_write().await?;
        if !is_team_user(&mut transaction, by.owner, user).await? {
            return Ok(false);
        }
        self.note(&mut transaction, by, ("user", "delete"), user).await?;
        grants::forget_holder(&mut transaction, user).await?;
        let statement = if is_planted(Defect::DeletedUserStillValid) {
            "UPDATE users SET owner_id = id WHERE id = $1"
        } else {
            // The sessions go with their user.
            "DELETE FROM users WHERE id = $1"
        };
        sqlx::query(statement).bind(user.to_string()).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

fn name_taken() -> Error {
    Error::new(Code::Conflict, "Username already exists").field("username")
}

async fn is_team_user(transaction: &mut Transaction<'_, Any>, owner: OwnerId, user: Id) -> Result<bool, Error> {
    let found = sqlx::query("SELECT 1 FROM users WHERE id = $1 AND owner_id = $2 AND role = 'team'")
        .bind(user.to_string())
        .bind(owner.to_string())
        .fetch_optional(&mut **transaction)
        .await?;
    Ok(found.is_some())
}

async fn end_sessions(transaction: &mut Transaction<'_, Any>, user: Id) -> Result<(), Error> {
    sqlx::query("DELETE FROM sessions WHERE user_id = $1").bind(user.to_string()).execute(&mut **transaction).await?;
    Ok(())
}
