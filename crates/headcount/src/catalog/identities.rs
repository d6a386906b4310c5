//! Users who sign in with an OpenID Connect provider: who they are there, and which user that is here.

use headcount_engine::id::{Id, OwnerId};
use headcount_engine::name::UserName;
use sqlx::{Any, Row as _, Transaction};

use crate::catalog::audit::{Actor, ActorKind, By, Via};
use crate::catalog::rights::Rights;
use crate::catalog::users::{Credentials, Role, id};
use crate::catalog::{Catalog, fresh_id};
use crate::error::{Code, Error};
use crate::password::PasswordHash;

/// How many names are tried for a new user before one is made up.
const TRIES: u32 = 9;

/// Who somebody is at a provider, and what that person is here.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// The issuer of the provider.
    pub issuer: &'a str,
    /// The subject there.
    pub subject: &'a str,
    /// The role here. A person whose role changes is another user.
    pub role: Role,
}

impl Catalog {
    /// The user who signs in by that identity, if there is one. The person's users of another role are signed out.
    pub async fn user_of_identity(&self, identity: Identity<'_>) -> Result<Option<Credentials>, Error> {
        let mut transaction = self.begin_write().await?;
        end_sessions(&mut transaction, (identity.issuer, identity.subject), Some(identity.role)).await?;
        let found = find(&mut transaction, identity).await?;
        transaction.commit().await?;
        Ok(found)
    }

    /// Signs out all users of a person who has no role any more.
    pub async fn sign_out_identity(&self, issuer: &str, subject: &str) -> Result<(), Error> {
        let mut transaction = self.begin_write().await?;
        end_sessions(&mut transaction, (issuer, subject), None).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Creates the user of an identity under a name like that one, or finds the one that was created meanwhile. An
    /// administrator has apps and numbers of its own; a team user is one of the default owner, without grants.
    ///
    /// # Errors
    /// 409 for a team user where there is no administrator.
    pub async fn create_user_of_identity(
        &self,
        identity: Identity<'_>,
        name: &str,
        password: PasswordHash,
    ) -> Result<Credentials, Error> {
        let mut transaction = self.begin_write().await?;
        if let Some(found) = find(&mut transaction, identity).await? {
            return Ok(found);
        }
        let user = match identity.role {
            Role::Administrator => self.first_free(&mut transaction, name, None, &password).await?,
            Role::Team => {
                let owner = self.default_owner_in(&mut transaction).await?;
                self.first_free(&mut transaction, name, Some(owner), &password).await?
            }
        };
        sqlx::query("INSERT INTO identities (issuer, subject, role, user_id, created_at) VALUES ($1, $2, $3, $4, $5)")
            .bind(identity.issuer)
            .bind(identity.subject)
            .bind(identity.role.stored())
            .bind(user.to_string())
            .bind(self.clock.now().0)
            .execute(&mut *transaction)
            .await?;
        let found = find(&mut transaction, identity).await?;
        let known = found.ok_or_else(|| Error::internal("a user who was created is not there"))?;
        let kind = match identity.role {
            Role::Administrator => ActorKind::Administrator,
            Role::Team => ActorKind::Team,
        };
        let by = By { owner: known.owner, actor: Actor { kind, id: user, via: Via::Provider } };
        self.note(&mut transaction, by, ("user", "create"), user).await?;
        self.publish(transaction).await?;
        Ok(known)
    }

    /// Creates a user under the first name that nobody has: the one that is wished for, with a number behind it, or the
    /// id.
    async fn first_free(
        &self,
        transaction: &mut Transaction<'_, Any>,
        wished: &str,
        owner: Option<OwnerId>,
        password: &PasswordHash,
    ) -> Result<Id, Error> {
        let wished = like_a_name(wished);
        let made_up = || fresh_id().to_string();
        for number in 1..=TRIES + 1 {
            let name = match number {
                1 => wished.clone(),
                2..=TRIES => format!("{wished}-{number}"),
                _ => made_up(),
            };
            let name: UserName = name.parse().or_else(|_| made_up().parse()).map_err(Error::internal)?;
            let created = match owner {
                None => self.insert_administrator(transaction, &name, password).await?,
                Some(owner) => self.insert_team_user(transaction, owner, (&name, password), &Rights::default()).await?,
            };
            if let Some(user) = created {
                return Ok(user);
            }
        }
        Err(Error::new(Code::Conflict, "no name is free for the user"))
    }

    async fn default_owner_in(&self, transaction: &mut Transaction<'_, Any>) -> Result<OwnerId, Error> {
        let named = self.default_owner.as_ref().map(|name| name.as_str().to_owned()).unwrap_or_default();
        let row = sqlx::query(
            "SELECT id FROM users WHERE role = 'administrator' \
             AND (name = $1 OR ($1 = '' AND id = (SELECT default_owner FROM installation)))",
        )
        .bind(named)
        .fetch_optional(&mut **transaction)
        .await?;
        let nobody = || Error::new(Code::Conflict, "there is no administrator whose team the user could join");
        Ok(OwnerId(id(&row.ok_or_else(nobody)?, 0)?))
    }
}

async fn find(transaction: &mut Transaction<'_, Any>, identity: Identity<'_>) -> Result<Option<Credentials>, Error> {
    let row = sqlx::query(
        "SELECT u.id, u.password, u.owner_id FROM identities i JOIN users u ON u.id = i.user_id \
         WHERE i.issuer = $1 AND i.subject = $2 AND i.role = $3",
    )
    .bind(identity.issuer)
    .bind(identity.subject)
    .bind(identity.role.stored())
    .fetch_optional(&mut **transaction)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let password = PasswordHash::from_stored(row.try_get(1)?);
    Ok(Some(Credentials { user: id(&row, 0)?, owner: OwnerId(id(&row, 2)?), password }))
}

/// Ends the sessions of a person's users, but for those of the role that is kept.
async fn end_sessions(
    transaction: &mut Transaction<'_, Any>,
    (issuer, subject): (&str, &str),
    kept: Option<Role>,
) -> Result<(), Error> {
    sqlx::query(
        "DELETE FROM sessions WHERE user_id IN \
         (SELECT user_id FROM identities WHERE issuer = $1 AND subject = $2 AND role <> $3)",
    )
    .bind(issuer)
    .bind(subject)
    .bind(kept.map(Role::stored).unwrap_or_default())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// The name with what user names cannot have left out.
fn like_a_name(wished: &str) -> String {
    let allowed = |character: &char| character.is_ascii_alphanumeric() || "._@+-".contains(*character);
    let name: String = wished.to_lowercase().chars().filter(allowed).take(60).collect();
    name.trim_start_matches(|first: char| !first.is_ascii_alphanumeric()).to_owned()
}
