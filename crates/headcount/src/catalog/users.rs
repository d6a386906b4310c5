//! Users and their sessions.

use headcount_engine::id::{Id, OwnerId};
use sha2::{Digest as _, Sha256};
use sqlx::Row as _;

use crate::catalog::Catalog;
use crate::error::{Code, Error};

/// What a user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Owns resources and telemetry.
    Administrator,
    /// Works with those of an administrator.
    Team,
}

/// The authenticated caller. Every route but the public ones takes one.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The id of the user.
    pub user: Id,
    /// The name of the user.
    pub name: String,
    /// What the user is.
    pub role: Role,
    /// Whose resources and telemetry the user works with.
    pub owner: OwnerId,
    /// The session that authenticated the request.
    pub session: Id,
}

impl Principal {
    /// The caller, if it is an administrator.
    ///
    /// # Errors
    /// 403 `Admin access required`.
    pub fn administrator(self) -> Result<Self, Error> {
        match self.role {
            Role::Administrator => Ok(self),
            Role::Team => Err(Error::new(Code::Forbidden, "Admin access required")),
        }
    }
}

impl Catalog {
    /// Who holds that session token, if it is one and has not expired.
    pub async fn principal_of_token(&self, token: &str) -> Result<Option<Principal>, Error> {
        let row = sqlx::query(
            "SELECT s.id, u.id, u.name, u.role, u.owner_id FROM sessions s JOIN users u ON u.id = s.user_id \
             WHERE s.token_hash = $1 AND s.expires_at > $2",
        )
        .bind(token_hash(token))
        .bind(self.clock.now().0)
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let text = |column: usize| row.try_get::<String, _>(column);
        let id = |column: usize| text(column)?.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)));
        Ok(Some(Principal {
            session: id(0)?,
            user: id(1)?,
            name: text(2)?,
            role: if text(3)? == "administrator" { Role::Administrator } else { Role::Team },
            owner: OwnerId(id(4)?),
        }))
    }
}

/// What is kept of a token: only somebody who has it can be recognised by this.
pub(crate) fn token_hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}
