//! Users: administrators, and the team users that they have.

use headcount_engine::day::Millis;
use headcount_engine::id::{Id, OwnerId};
use headcount_engine::name::UserName;
use sqlx::any::AnyRow;
use sqlx::{Any, Row as _, Transaction};

use crate::catalog::audit::By;
use crate::catalog::sessions::{Token, token_hash};
use crate::catalog::{Catalog, fresh_id};
use crate::error::Error;
use crate::password::PasswordHash;

/// What a user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Owns resources and telemetry.
    Administrator,
    /// Works with those of an administrator.
    Team,
}

impl Role {
    /// The name under which the role is stored.
    pub(super) const fn stored(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Team => "team",
        }
    }

    /// The role that is stored under that name; the table has no others.
    pub(super) fn from_stored(text: &str) -> Self {
        if text == "administrator" { Self::Administrator } else { Self::Team }
    }
}

/// A user, as the command line lists them.
#[derive(Debug, Clone)]
pub struct User {
    /// The id of the user.
    pub id: Id,
    /// The name of the user.
    pub name: String,
    /// What the user is.
    pub role: Role,
    /// When the user was created.
    pub created_at: Millis,
    /// Whether checks without an owner are meant for this administrator, if no setting names another.
    pub is_default_owner: bool,
}

/// What is needed to log a user in.
#[derive(Debug)]
pub struct Credentials {
    /// The id of the user.
    pub user: Id,
    /// The administrator whose resources the user works with: itself, or another one.
    pub owner: OwnerId,
    /// The hash of the password.
    pub password: PasswordHash,
}

/// How the first administrator came about, or did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    /// The administrator exists now.
    Created(Id),
    /// The token is wrong, was used or is no longer needed.
    WrongToken,
    /// A user has that name.
    NameTaken,
}

impl Catalog {
    /// Creates an administrator, or nothing if a user has that name. The first administrator becomes the default
    /// owner, and ends the setup.
    pub async fn create_administrator(&self, name: &UserName, password: &PasswordHash) -> Result<Option<Id>, Error> {
        self.add_administrator(name, password, |user| By::from(OwnerId(user))).await
    }

    /// The same, for somebody who has the signup key.
    pub async fn sign_up(&self, name: &UserName, password: &PasswordHash) -> Result<Option<Id>, Error> {
        self.add_administrator(name, password, By::new_administrator).await
    }

    async fn add_administrator(
        &self,
        name: &UserName,
        password: &PasswordHash,
        by: impl FnOnce(Id) -> By,
    ) -> Result<Option<Id>, Error> {
        let mut transaction = self.begin_write().await?;
        let created = self.insert_administrator(&mut transaction, name, password).await?;
        if let Some(user) = created {
            self.note(&mut transaction, by(user), ("user", "create"), user).await?;
            self.publish(transaction).await?;
        }
        Ok(created)
    }

    /// A fresh one-time token for the first administrator, which replaces the one before; none if there is an
    /// administrator.
    pub async fn offer_setup(&self) -> Result<Option<Token>, Error> {
        let token = Token::fresh("hcx_");
        let mut transaction = self.begin_write().await?;
        let offered = sqlx::query(
            "UPDATE installation SET setup_token_hash = $1 \
             WHERE NOT EXISTS (SELECT 1 FROM users WHERE role = 'administrator')",
        )
        .bind(token.hash())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok((offered.rows_affected() > 0).then_some(token))
    }

    /// Whether that is the setup token, and not used yet.
    pub async fn is_setup_token(&self, token: &str) -> Result<bool, Error> {
        let found = sqlx::query("SELECT 1 FROM installation WHERE setup_token_hash = $1")
            .bind(token_hash(token))
            .fetch_optional(&*self.pool()?)
            .await?;
        Ok(found.is_some())
    }

    /// Creates the first administrator and uses up the token; of two uses at once one succeeds.
    pub async fn set_up(&self, token: &str, name: &UserName, password: &PasswordHash) -> Result<Setup, Error> {
        let mut transaction = self.begin_write().await?;
        let used = sqlx::query("UPDATE installation SET setup_token_hash = NULL WHERE setup_token_hash = $1")
            .bind(token_hash(token))
            .execute(&mut *transaction)
            .await?;
        if used.rows_affected() == 0 {
            return Ok(Setup::WrongToken);
        }
        match self.insert_administrator(&mut transaction, name, password).await? {
            Some(id) => {
                self.note(&mut transaction, By::new_administrator(id), ("user", "create"), id).await?;
                self.publish(transaction).await?;
                Ok(Setup::Created(id))
            }
            None => Ok(Setup::NameTaken),
        }
    }

    /// Creates an administrator, which ends the setup; nothing if a user has that name.
    pub(super) async fn insert_administrator(
        &self,
        transaction: &mut Transaction<'_, Any>,
        name: &UserName,
        password: &PasswordHash,
    ) -> Result<Option<Id>, Error> {
        let id = fresh_id();
        let inserted = sqlx::query(
            "INSERT INTO users (id, name, password, role, owner_id, created_at, updated_at) \
             VALUES ($1, $2, $3, 'administrator', $1, $4, $4) ON CONFLICT (name) DO NOTHING",
        )
        .bind(id.to_string())
        .bind(name.as_str())
        .bind(password.as_str())
        .bind(self.clock.now().0)
        .execute(&mut **transaction)
        .await?;
        if inserted.rows_affected() == 0 {
            return Ok(None);
        }
        sqlx::query("UPDATE installation SET setup_token_hash = NULL").execute(&mut **transaction).await?;
        sqlx::query(
            "UPDATE installation SET default_owner = $1 \
             WHERE NOT EXISTS (SELECT 1 FROM users WHERE role = 'administrator' AND id <> $1)",
        )
        .bind(id.to_string())
        .execute(&mut **transaction)
        .await?;
        Ok(Some(id))
    }

    /// What is needed to log that user in.
    pub async fn credentials(&self, name: &UserName) -> Result<Option<Credentials>, Error> {
        let row = sqlx::query("SELECT id, password, owner_id FROM users WHERE name = $1")
            .bind(name.as_str())
            .fetch_optional(&*self.pool()?)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let (user, owner) = (id(&row, 0)?, OwnerId(id(&row, 2)?));
        Ok(Some(Credentials { user, owner, password: PasswordHash::from_stored(row.try_get(1)?) }))
    }

    /// All users, in the order in which they were created.
    pub async fn users(&self) -> Result<Vec<User>, Error> {
        let rows = sqlx::query(
            "SELECT u.id, u.name, u.role, u.created_at, \
             CASE WHEN u.id = (SELECT default_owner FROM installation) THEN 1 ELSE 0 END FROM users u ORDER BY u.seq",
        )
        .fetch_all(&*self.pool()?)
        .await?;
        let user = |row: &AnyRow| {
            Ok(User {
                id: id(row, 0)?,
                name: row.try_get(1)?,
                role: Role::from_stored(row.try_get(2)?),
                created_at: Millis(row.try_get(3)?),
                is_default_owner: row.try_get::<i64, _>(4)? != 0,
            })
        };
        rows.iter().map(user).collect::<Result<_, sqlx::Error>>().map_err(Error::from)
    }

    /// Stores another hash of the password that a user has; nothing if it is another one by now.
    pub async fn replace_hash(&self, known: &Credentials, hash: &PasswordHash) -> Result<(), Error> {
        sqlx::query("UPDATE users SET password = $1 WHERE id = $2 AND password = $3")
            .bind(hash.as_str())
            .bind(known.user.to_string())
            .bind(known.password.as_str())
            .execute(&*self.pool()?)
            .await?;
        Ok(())
    }

    /// Sets a user's password and ends the user's sessions, but for the one that is kept.
    pub async fn set_password(
        &self,
        by: impl Into<By>,
        user: Id,
        password: &PasswordHash,
        kept: Option<Id>,
    ) -> Result<(), Error> {
        let mut transaction = self.begin_write().await?;
        sqlx::query("UPDATE users SET password = $1, updated_at = $2 WHERE id = $3")
            .bind(password.as_str())
            .bind(self.clock.now().0)
            .bind(user.to_string())
            .execute(&mut *transaction)
            .await?;
        sqlx::query("DELETE FROM sessions WHERE user_id = $1 AND id <> $2")
            .bind(user.to_string())
            .bind(kept.map(|session| session.to_string()).unwrap_or_default())
            .execute(&mut *transaction)
            .await?;
        self.note(&mut transaction, by.into(), ("user", "password"), user).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Deletes a user with everything that the user owns, and has the owner's telemetry erased. Whether there was such
    /// a user.
    pub async fn delete_user(&self, name: &UserName) -> Result<bool, Error> {
        let Some(Credentials { user, owner, .. }) = self.credentials(name).await? else { return Ok(false) };
        let mut transaction = self.begin_write().await?;
        // The log of an administrator goes with the administrator.
        self.note(&mut transaction, By::from(owner), ("user", "delete"), user).await?;
        let user = user.to_string();
        sqlx::query(
            "INSERT INTO erasures (owner_id, app_id, created_at) \
             SELECT id, '', $2 FROM users WHERE id = $1 AND role = 'administrator' \
             ON CONFLICT (owner_id, app_id) DO NOTHING",
        )
        .bind(&user)
        .bind(self.clock.now().0)
        .execute(&mut *transaction)
        .await?;
        for statement in [
            "UPDATE installation SET default_owner = NULL WHERE default_owner = $1",
            "DELETE FROM daily_totals WHERE owner_id = $1",
            "DELETE FROM device_erasures WHERE owner_id = $1",
            "DELETE FROM grants WHERE holder_id = $1",
            // Sessions, resources with their grants, releases and artifacts go with their user.
            "DELETE FROM users WHERE owner_id = $1 OR id = $1",
        ] {
            sqlx::query(statement).bind(&user).execute(&mut *transaction).await?;
        }
        self.publish(transaction).await?;
        Ok(true)
    }
}

pub(super) fn id(row: &AnyRow, column: usize) -> Result<Id, sqlx::Error> {
    row.try_get::<String, _>(column)?.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
