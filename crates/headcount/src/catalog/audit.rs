//! The audit log: who changed what of an owner's, when, and by what the caller was known.
//!
//! Whatever changes the catalog notes it in its own transaction: there is no change without its entry, and no entry of a
//! change that was not made. An entry names things; it holds no password, no token and nothing of a device.

use headcount_engine::day::Millis;
use headcount_engine::id::{Id, OwnerId};
use sqlx::any::AnyRow;
use sqlx::{Any, Row as _, Transaction};

use crate::catalog::Catalog;
use crate::catalog::sessions::SessionKind;
use crate::error::Error;

/// Who makes a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    /// What the actor is.
    pub kind: ActorKind,
    /// The id of the user or of the API token; for the server's own commands, that of the owner.
    pub id: Id,
    /// By what the actor was known.
    pub via: Via,
}

/// What an actor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActorKind {
    /// The administrator.
    Administrator,
    /// A team user.
    Team,
    /// A program with an API token.
    Token,
    /// Somebody with access to the server itself.
    Server,
}

impl ActorKind {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Team => "team",
            Self::Token => "token",
            Self::Server => "server",
        }
    }
}

/// By what an actor was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// A session.
    Session(SessionKind),
    /// An API token.
    Token,
    /// The setup token or the signup key.
    Key,
    /// What an OpenID Connect provider says.
    Provider,
    /// The command line of the server.
    CommandLine,
}

impl Via {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Session(kind) => kind.as_str(),
            Self::Token => "token",
            Self::Key => "key",
            Self::Provider => "provider",
            Self::CommandLine => "command line",
        }
    }
}

/// Whose things a change is about, and who makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct By {
    /// The owner.
    pub owner: OwnerId,
    /// Who makes the change.
    pub actor: Actor,
}

/// A change by the server's own commands.
impl From<OwnerId> for By {
    fn from(owner: OwnerId) -> Self {
        Self { owner, actor: Actor { kind: ActorKind::Server, id: owner.0, via: Via::CommandLine } }
    }
}

impl By {
    /// A change that an administrator makes who comes about by it, with the setup token or the signup key.
    pub fn new_administrator(user: Id) -> Self {
        Self { owner: OwnerId(user), actor: Actor { kind: ActorKind::Administrator, id: user, via: Via::Key } }
    }
}

/// An entry of the log.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its number: later entries have greater ones.
    pub number: i64,
    /// When the change was made.
    pub at: Millis,
    /// What the actor was.
    pub actor_kind: String,
    /// The id of the actor.
    pub actor_id: String,
    /// The name that the actor had.
    pub actor_name: String,
    /// By what the actor was known.
    pub via: String,
    /// What kind of thing was changed.
    pub kind: String,
    /// What was done.
    pub action: String,
    /// The id of the thing.
    pub subject_id: String,
    /// The name that the thing had.
    pub subject_name: String,
}

/// Which entries to read.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only those of actors of that name.
    pub actor: Option<String>,
    /// Only those about things of that kind.
    pub kind: Option<String>,
    /// Only those before that number.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: i64,
}

impl Catalog {
    /// Notes a change in its transaction: before what it is about is deleted, and after what it is about was created.
    pub(super) async fn note(
        &self,
        transaction: &mut Transaction<'_, Any>,
        by: By,
        (kind, action): (&str, &str),
        subject: Id,
    ) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO audit (owner_id, at, actor_kind, actor_id, actor_name, via, kind, action, subject_id, \
             subject_name) VALUES ($1, $2, $3, $4, \
             COALESCE((SELECT name FROM users WHERE id = $4), (SELECT name FROM api_tokens WHERE id = $4), ''), \
             $5, $6, $7, $8, COALESCE((SELECT name FROM resources WHERE id = $8), \
             (SELECT a.name || ' ' || r.version FROM releases r JOIN resources a ON a.id = r.app_id WHERE r.id = $8), \
             (SELECT name FROM users WHERE id = $8), (SELECT name FROM api_tokens WHERE id = $8), \
             (SELECT u.name FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = $8), ''))",
        )
        .bind(by.owner.to_string())
        .bind(self.clock.now().0)
        .bind(by.actor.kind.as_str())
        .bind(by.actor.id.to_string())
        .bind(by.actor.via.as_str())
        .bind(kind.to_owned())
        .bind(action.to_owned())
        .bind(subject.to_string())
        .execute(&mut **transaction)
        .await?;
        Ok(())
    }

    /// Notes a change that is not one of the catalog.
    pub async fn note_elsewhere(&self, by: By, what: (&str, &str), subject: Id) -> Result<(), Error> {
        let mut transaction = self.begin_write().await?;
        self.note(&mut transaction, by, what, subject).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Entries of that owner, the newest first.
    pub async fn audit(&self, owner: OwnerId, filter: &Filter) -> Result<Vec<Entry>, Error> {
        let rows = sqlx::query(
            "SELECT seq, at, actor_kind, actor_id, actor_name, via, kind, action, subject_id, subject_name FROM audit \
             WHERE owner_id = $1 AND seq < $2 AND ($3 = '' OR actor_name = $3) AND ($4 = '' OR kind = $4) \
             ORDER BY seq DESC LIMIT $5",
        )
        .bind(owner.to_string())
        .bind(filter.before.unwrap_or(i64::MAX))
        .bind(filter.actor.clone().unwrap_or_default())
        .bind(filter.kind.clone().unwrap_or_default())
        .bind(filter.limit)
        .fetch_all(&*self.pool()?)
        .await?;
        Ok(rows.iter().map(entry).collect::<Result<_, sqlx::Error>>()?)
    }

    /// Forgets the entries of all owners that are older than that.
    pub async fn forget_audit(&self, before: Millis) -> Result<(), Error> {
        sqlx::query("DELETE FROM audit WHERE at < $1").bind(before.0).execute(&*self.pool()?).await?;
        Ok(())
    }
}

fn entry(row: &AnyRow) -> Result<Entry, sqlx::Error> {
    Ok(Entry {
        number: row.try_get(0)?,
        at: Millis(row.try_get(1)?),
        actor_kind: row.try_get(2)?,
        actor_id: row.try_get(3)?,
        actor_name: row.try_get(4)?,
        via: row.try_get(5)?,
        kind: row.try_get(6)?,
        action: row.try_get(7)?,
        subject_id: row.try_get(8)?,
        subject_name: row.try_get(9)?,
    })
}
