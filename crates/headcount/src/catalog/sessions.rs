//! Sessions: opaque tokens, of which only a hash is stored.

use std::time::Duration;

use headcount_engine::day::Millis;
use headcount_engine::id::{Id, OwnerId};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use sqlx::any::AnyRow;
use sqlx::{Any, Row as _, Transaction};

use crate::catalog::audit::{Actor, ActorKind, By, Via};
use crate::catalog::principal::{Login, Principal, Who};
use crate::catalog::rights::Rights;
use crate::catalog::throttle::Attempt;
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

/// By what a session is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionKind {
    /// A program, or the page of another server, that sends its token.
    Bearer,
    /// A browser, by its cookie.
    Browser,
}

impl SessionKind {
    /// The word for it, in the database and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bearer => "bearer",
            Self::Browser => "browser",
        }
    }

    /// The kind that is stored under that word; the table has no others.
    fn from_stored(text: &str) -> Self {
        if text == "browser" { Self::Browser } else { Self::Bearer }
    }
}

/// A session that is about to begin.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// By what it is held.
    pub kind: SessionKind,
    /// The `User-Agent` that asks for it.
    pub agent: String,
    /// After how long it ends by itself.
    pub lifetime: Duration,
}

impl NewSession {
    /// One of a program, of which nothing else is known.
    pub fn bearer(lifetime: Duration) -> Self {
        Self { kind: SessionKind::Bearer, agent: String::new(), lifetime }
    }
}

/// A session, as its user sees it.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its id.
    pub id: Id,
    /// By what it is held.
    pub kind: SessionKind,
    /// The `User-Agent` that opened it.
    pub agent: String,
    /// When it began.
    pub created_at: Millis,
    /// When it was last used, give or take five minutes.
    pub last_used_at: Millis,
    /// When it ends by itself.
    pub expires_at: Millis,
}

impl Catalog {
    /// Opens a session; none if the user is gone or has another password by now. A password that was tried is taken back.
    pub async fn open_session(
        &self,
        known: &Credentials,
        new: NewSession,
        attempt: Option<&Attempt>,
    ) -> Result<Option<Token>, Error> {
        let (token, session) = (Token::fresh(SESSION_PREFIX), fresh_id());
        let now = self.clock.now().0;
        // A change of the password ends all sessions: none may begin with the old one meanwhile.
        let mut transaction = self.begin_write().await?;
        if let Some(attempt) = attempt {
            self.took_back(&mut transaction, attempt, known.user).await?;
        }
        sqlx::query("DELETE FROM sessions WHERE expires_at <= $1").bind(now).execute(&mut *transaction).await?;
        let opened = sqlx::query(
            "INSERT INTO sessions (token_hash, id, user_id, created_at, expires_at, last_used_at, kind, agent) \
             SELECT $1, $2, id, $3, $4, $3, $7, $8 FROM users WHERE id = $5 AND password = $6",
        )
        .bind(token.hash())
        .bind(session.to_string())
        .bind(now)
        .bind(now.saturating_add(millis(new.lifetime)))
        .bind(known.user.to_string())
        .bind(known.password.as_str())
        .bind(new.kind.as_str())
        .bind(new.agent)
        .execute(&mut *transaction)
        .await?;
        if opened.rows_affected() == 0 {
            return Ok(None);
        }
        let by = by_user(&mut transaction, known.user, Via::Session(new.kind)).await?;
        self.note(&mut transaction, by, ("session", "create"), session).await?;
        transaction.commit().await?;
        Ok(Some(token))
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
            "SELECT s.id, u.id, u.name, u.role, u.owner_id, s.last_used_at, o.name, u.rights, s.kind FROM sessions s \
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
        let kind = SessionKind::from_stored(row.try_get(8)?);
        let login = Login { session, user: id(&row, 1)?, name: row.try_get(2)?, kind };
        let who = match Role::from_stored(row.try_get(3)?) {
            Role::Administrator => Who::Administrator(login),
            Role::Team => Who::Team(login, Rights::from_stored(row.try_get(7)?)),
        };
        Ok(Some(Principal { owner: OwnerId(id(&row, 4)?), owner_name: row.try_get(6)?, who }))
    }

    /// The sessions of a user that have not ended, the newest first; nothing if `by` may not see them.
    pub async fn sessions(&self, by: Id, user: Id) -> Result<Option<Vec<Session>>, Error> {
        let mut transaction = self.begin_read().await?;
        if !reaches(&mut transaction, by, user).await? {
            return Ok(None);
        }
        let rows = sqlx::query(
            "SELECT id, kind, agent, created_at, last_used_at, expires_at FROM sessions \
             WHERE user_id = $1 AND expires_at > $2 ORDER BY created_at DESC, id LIMIT 200",
        )
        .bind(user.to_string())
        .bind(self.clock.now().0)
        .fetch_all(&mut *transaction)
        .await?;
        Ok(Some(rows.iter().map(session).collect::<Result<_, sqlx::Error>>()?))
    }

    /// Ends a session that `by` may end. Whether there was one.
    pub async fn end_session(&self, by: By, session: Id) -> Result<bool, Error> {
        let mut transaction = self.begin_write().await?;
        self.note(&mut transaction, by, ("session", "delete"), session).await?;
        let ended = sqlx::query(
            "DELETE FROM sessions WHERE id = $2 AND EXISTS (SELECT 1 FROM users u WHERE u.id = sessions.user_id \
             AND (u.id = $1 OR (u.owner_id = $1 AND u.role = 'team')))",
        )
        .bind(by.actor.id.to_string())
        .bind(session.to_string())
        .execute(&mut *transaction)
        .await?;
        if ended.rows_affected() == 0 {
            return Ok(false);
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// Ends all sessions of a user: how many. Nothing if there is no such user whose sessions `by` may end.
    pub async fn end_sessions_of(&self, by: By, user: Id) -> Result<Option<u64>, Error> {
        let mut transaction = self.begin_write().await?;
        if !reaches(&mut transaction, by.actor.id, user).await? {
            return Ok(None);
        }
        let ended = sqlx::query("DELETE FROM sessions WHERE user_id = $1")
            .bind(user.to_string())
            .execute(&mut *transaction)
            .await?;
        self.note(&mut transaction, by, ("user", "sign-out"), user).await?;
        transaction.commit().await?;
        Ok(Some(ended.rows_affected()))
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

/// A change that a user makes who is not authenticated yet.
async fn by_user(transaction: &mut Transaction<'_, Any>, user: Id, via: Via) -> Result<By, Error> {
    let row = sqlx::query("SELECT owner_id, role FROM users WHERE id = $1")
        .bind(user.to_string())
        .fetch_one(&mut **transaction)
        .await?;
    let kind = match Role::from_stored(row.try_get(1)?) {
        Role::Administrator => ActorKind::Administrator,
        Role::Team => ActorKind::Team,
    };
    Ok(By { owner: OwnerId(id(&row, 0)?), actor: Actor { kind, id: user, via } })
}

/// Whether `by` may see and end the sessions of that user: the own ones, and an administrator those of the team.
async fn reaches(transaction: &mut Transaction<'_, Any>, by: Id, user: Id) -> Result<bool, Error> {
    let found = sqlx::query("SELECT 1 FROM users WHERE id = $2 AND (id = $1 OR (owner_id = $1 AND role = 'team'))")
        .bind(by.to_string())
        .bind(user.to_string())
        .fetch_optional(&mut **transaction)
        .await?;
    Ok(found.is_some())
}

fn session(row: &AnyRow) -> Result<Session, sqlx::Error> {
    Ok(Session {
        id: id(row, 0)?,
        kind: SessionKind::from_stored(row.try_get(1)?),
        agent: row.try_get(2)?,
        created_at: Millis(row.try_get(3)?),
        last_used_at: Millis(row.try_get(4)?),
        expires_at: Millis(row.try_get(5)?),
    })
}

/// What is kept of a token: only somebody who has it can be recognised by this.
pub(super) fn token_hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
