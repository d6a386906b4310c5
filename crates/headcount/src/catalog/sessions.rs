//! Sessions: opaque tokens, of which only a hash is stored.

use std::time::Duration;

use headcount_engine::id::{Id, OwnerId};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use sqlx::Row as _;

use crate::catalog::principal::{Login, Principal, Who};
use crate::catalog::rights::Rights;
use crate::catalog::users::{Credentials, Role, id};
use crate::catalog::{Catalog, fresh_id, tokens};
use crate::error::Error;

/// How old the noted time of a session's last use may get before it is noted anew.
pub(super) const LAST_USE_GRAIN: Duration = Duration::from_mins(5);

/// What the token of every session begins with.
pub const SESSION_PREFIX: &str = "hcs_";

/// A secret that lets its bearer in. It is shown once and never stored.
#[derive(Debug, Clone)]
pub struct Token(SecretString);

impl Token {
    /// A random token of 32 bytes behind a prefix that says what it is.
    pub(super) fn fresh(prefix: &str) -> Self {
        Self(format!("{prefix}{}", hex::encode(rand::random::<[u8; 32]>())).into())
    }

    /// The text to show.
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }

    pub(super) fn hash(&self) -> String {
        token_hash(self.reveal())
    }
}

impl Catalog {
    /// Opens a session that ends by itself after `lifetime`; none if the user is gone or has another password by now.
    pub async fn open_session(&self, known: &Credentials, lifetime: Duration) -> Result<Option<Token>, Error> {
        let token = Token::fresh(SESSION_PREFIX);
        let now = self.clock.now().0;
        // A change of the password ends all sessions: none may begin with the old one meanwhile.
        let mut transaction = self.begin_write().await?;
        sqlx::query("DELETE FROM sessions WHERE expires_at <= $1").bind(now).execute(&mut *transaction).await?;
        let opened = sqlx::query(
            "INSERT INTO sessions (token_hash, id, user_id, created_at, expires_at, last_used_at) \
             SELECT $1, $2, id, $3, $4, $3 FROM users WHERE id = $5 AND password = $6",
        )
        .bind(token.hash())
        .bind(fresh_id().to_string())
        .bind(now)
        .bind(now.saturating_add(millis(lifetime)))
        .bind(known.user.to_string())
        .bind(known.password.as_str())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok((opened.rows_affected() > 0).then_some(token))
    }

    /// Who holds that token, if it is one of a session that has not ended, or one of the API.
    ///
    /// # Errors
    /// 401 when it is a token of the API that has expired.
    pub async fn principal_of_token(&self, token: &str) -> Result<Option<Principal>, Error> {
        if token.starts_with(tokens::PREFIX) {
            return self.principal_of_api_token(token).await;
        }
        let now = self.clock.now().0;
        let row = sqlx::query(
            "SELECT s.id, u.id, u.name, u.role, u.owner_id, s.last_used_at, o.name, u.rights FROM sessions s \
             JOIN users u ON u.id = s.user_id JOIN users o ON o.id = u.owner_id \
             WHERE s.token_hash = $1 AND s.expires_at > $2",
        )
        .bind(token_hash(token))
        .bind(now)
        .fetch_optional(&*self.pool()?)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let session = id(&row, 0)?;
        if row.try_get::<i64, _>(5)? <= now.saturating_sub(millis(LAST_USE_GRAIN)) {
            self.note_use(session, now).await;
        }
        let login = Login { session, user: id(&row, 1)?, name: row.try_get(2)? };
        let who = match Role::from_stored(row.try_get(3)?) {
            Role::Administrator => Who::Administrator(login),
            Role::Team => Who::Team(login, Rights::from_stored(row.try_get(7)?)),
        };
        Ok(Some(Principal { owner: OwnerId(id(&row, 4)?), owner_name: row.try_get(6)?, who }))
    }

    /// Ends a session.
    pub async fn end_session(&self, session: Id) -> Result<(), Error> {
        let end = sqlx::query("DELETE FROM sessions WHERE id = $1").bind(session.to_string());
        end.execute(&*self.pool()?).await?;
        Ok(())
    }

    /// Notes when a session was used. No request fails for want of the note.
    async fn note_use(&self, session: Id, now: i64) {
        let noted = sqlx::query("UPDATE sessions SET last_used_at = $1 WHERE id = $2 AND last_used_at < $1")
            .bind(now)
            .bind(session.to_string())
            .execute(&*self.pool.load_full())
            .await;
        if let Err(error) = noted {
            tracing::warn!(%error, "the last use of a session could not be noted");
        }
    }
}

/// What is kept of a token: only somebody who has it can be recognised by this.
pub(super) fn token_hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
