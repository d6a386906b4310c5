//! API tokens: what programs call with instead of logging in.

use std::collections::HashMap;

use headcount_engine::day::Millis;
use headcount_engine::id::{Id, OwnerId};
use sqlx::Row as _;
use sqlx::any::AnyRow;
use strum::VariantArray;

use crate::catalog::audit::By;
use crate::catalog::grants::{self, Granted};
use crate::catalog::kind::Kind;
use crate::catalog::principal::{ApiLogin, Principal, Who};
use crate::catalog::sessions::{LAST_USE_GRAIN, Token, millis, token_hash};
use crate::catalog::users::id;
use crate::catalog::{Catalog, fresh_id};
use crate::error::{Code, Error};

/// What every API token begins with.
pub(super) const PREFIX: &str = "fns_";
/// How much of a token is shown later: the prefix and 8 characters.
const SHOWN: usize = 12;

/// What a program may do with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, VariantArray)]
pub enum TokenScope {
    /// Register, change and delete releases.
    ReleaseWrite,
    /// Read telemetry.
    TelemetryRead,
    /// Import telemetry.
    TelemetryImport,
}

impl TokenScope {
    /// All scopes.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The word for it, in the database and in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReleaseWrite => "release:write",
            Self::TelemetryRead => "telemetry:read",
            Self::TelemetryImport => "telemetry:import",
        }
    }

    /// The scope of that word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|scope| scope.as_str() == text)
    }
}

/// An API token, as its administrator sees it.
#[derive(Debug, Clone)]
pub struct ApiToken {
    /// Its id.
    pub id: Id,
    /// What the administrator calls it.
    pub name: String,
    /// How it begins.
    pub prefix: String,
    /// What it may be used for.
    pub scopes: Vec<TokenScope>,
    /// The apps that it acts on; none where it acts on every app.
    pub apps: Option<Vec<Id>>,
    /// When it was created.
    pub created_at: Millis,
    /// From when on it is worth nothing.
    pub expires_at: Option<Millis>,
    /// When it was last used, give or take five minutes.
    pub last_used_at: Option<Millis>,
}

/// A new API token.
#[derive(Debug)]
pub struct NewApiToken {
    /// What the administrator calls it.
    pub name: String,
    /// What it may be used for.
    pub scopes: Vec<TokenScope>,
    /// The apps that it acts on; none where it acts on every app.
    pub apps: Option<Granted>,
    /// From when on it is worth nothing.
    pub expires_at: Option<Millis>,
}

impl Catalog {
    /// Creates an API token of that administrator: what can be shown later, and the token, which cannot.
    ///
    /// # Errors
    /// 400 when one of the apps is not the administrator's.
    pub async fn create_api_token(&self, by: impl Into<By>, new: NewApiToken) -> Result<(ApiToken, Token), Error> {
        let by = by.into();
        let owner = by.owner;
        let token = Token::fresh(PREFIX);
        let created = ApiToken {
            id: fresh_id(),
            name: new.name,
            prefix: token.reveal().chars().take(SHOWN).collect(),
            scopes: new.scopes,
            apps: new.apps.as_ref().map(|apps| apps.of(Kind::App).to_vec()),
            created_at: self.clock.now(),
            expires_at: new.expires_at,
            last_used_at: None,
        };
        let scopes: Vec<&str> = created.scopes.iter().map(|scope| scope.as_str()).collect();
        let mut transaction = self.begin_write().await?;
        sqlx::query(
            "INSERT INTO api_tokens (id, owner_id, name, token_hash, token_prefix, scopes, every_app, created_at, \
             expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(created.id.to_string())
        .bind(owner.to_string())
        .bind(&created.name)
        .bind(token.hash())
        .bind(&created.prefix)
        .bind(scopes.join(" "))
        .bind(i64::from(created.apps.is_none()))
        .bind(created.created_at.0)
        .bind(created.expires_at.map(|at| at.0))
        .execute(&mut *transaction)
        .await?;
        if let Some(apps) = &new.apps
            && grants::replace(&mut transaction, owner, created.id, apps).await?.is_some()
        {
            return Err(invalid_apps());
        }
        self.note(&mut transaction, by, ("token", "create"), created.id).await?;
        transaction.commit().await?;
        Ok((created, token))
    }

    /// The API tokens of that administrator, the newest first.
    pub async fn api_tokens(&self, owner: OwnerId) -> Result<Vec<ApiToken>, Error> {
        let mut transaction = self.begin_read().await?;
        let mut apps: HashMap<Id, Vec<Id>> = HashMap::new();
        let rows = sqlx::query(
            "SELECT g.holder_id, g.resource_id FROM grants g JOIN api_tokens t ON t.id = g.holder_id \
             WHERE t.owner_id = $1 ORDER BY g.seq",
        )
        .bind(owner.to_string())
        .fetch_all(&mut *transaction)
        .await?;
        for row in rows {
            apps.entry(id(&row, 0)?).or_default().push(id(&row, 1)?);
        }
        let rows = sqlx::query(
            "SELECT id, name, token_prefix, scopes, every_app, created_at, expires_at, last_used_at FROM api_tokens \
             WHERE owner_id = $1 ORDER BY seq DESC",
        )
        .bind(owner.to_string())
        .fetch_all(&mut *transaction)
        .await?;
        Ok(rows.iter().map(|row| api_token(row, &mut apps)).collect::<Result<_, sqlx::Error>>()?)
    }

    /// Revokes an API token of that administrator. Whether there was such a token.
    pub async fn delete_api_token(&self, by: impl Into<By>, token: Id) -> Result<bool, Error> {
        let by = by.into();
        let mut transaction = self.begin_write().await?;
        self.note(&mut transaction, by, ("token", "delete"), token).await?;
        let deleted = sqlx::query("DELETE FROM api_tokens WHERE id = $1 AND owner_id = $2")
            .bind(token.to_string())
            .bind(by.owner.to_string())
            .execute(&mut *transaction)
            .await?;
        if deleted.rows_affected() == 0 {
            return Ok(false);
        }
        grants::forget_holder(&mut transaction, token).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Who calls with that API token, if it is one.
    ///
    /// # Errors
    /// 401 when it has expired.
    pub(super) async fn principal_of_api_token(&self, token: &str) -> Result<Option<Principal>, Error> {
        let row = sqlx::query(
            "SELECT t.id, t.owner_id, o.name, t.scopes, t.every_app, t.expires_at, t.last_used_at FROM api_tokens t \
             JOIN users o ON o.id = t.owner_id WHERE t.token_hash = $1",
        )
        .bind(token_hash(token))
        .fetch_optional(&*self.pool()?)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let (token, now) = (id(&row, 0)?, self.clock.now().0);
        if row.try_get::<Option<i64>, _>(5)?.is_some_and(|expiry| expiry <= now) {
            return Err(Error::new(Code::Unauthenticated, "token expired"));
        }
        let noted = row.try_get::<Option<i64>, _>(6)?;
        if noted.is_none_or(|noted| noted <= now.saturating_sub(millis(LAST_USE_GRAIN))) {
            self.note_use_of_api_token(token, now).await;
        }
        let login = ApiLogin { token, scopes: scopes(row.try_get(3)?), every_app: row.try_get::<i64, _>(4)? != 0 };
        Ok(Some(Principal { owner: OwnerId(id(&row, 1)?), owner_name: row.try_get(2)?, who: Who::Token(login) }))
    }

    /// Notes when a token was used. No request fails for want of the note.
    async fn note_use_of_api_token(&self, token: Id, now: i64) {
        let noted = sqlx::query("UPDATE api_tokens SET last_used_at = $1 WHERE id = $2")
            .bind(now)
            .bind(token.to_string())
            .execute(&*self.pool.load_full())
            .await;
        if let Err(error) = noted {
            tracing::warn!(%error, "the last use of an API token could not be noted");
        }
    }
}

/// What is said of an id in a list of apps that is no id of a live app of that owner.
pub fn invalid_apps() -> Error {
    Error::invalid("allowed_apps", "one or more allowed_apps are invalid")
        .accepted("ids of your apps, each 24 lowercase hex characters")
}

fn scopes(stored: &str) -> Vec<TokenScope> {
    stored.split(' ').filter_map(TokenScope::parse).collect()
}

fn api_token(row: &AnyRow, apps: &mut HashMap<Id, Vec<Id>>) -> Result<ApiToken, sqlx::Error> {
    let token = id(row, 0)?;
    let every_app = row.try_get::<i64, _>(4)? != 0;
    Ok(ApiToken {
        id: token,
        name: row.try_get(1)?,
        prefix: row.try_get(2)?,
        scopes: scopes(row.try_get(3)?),
        apps: (!every_app).then(|| apps.remove(&token).unwrap_or_default()),
        created_at: Millis(row.try_get(5)?),
        expires_at: row.try_get::<Option<i64>, _>(6)?.map(Millis),
        last_used_at: row.try_get::<Option<i64>, _>(7)?.map(Millis),
    })
}
