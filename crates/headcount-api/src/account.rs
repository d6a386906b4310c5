//! Accounts and sessions. What holds a password is never printed for debugging.

use serde::{Deserialize, Serialize};

use crate::team::Permissions;

/// The first administrator, to be created by the token that the server printed at its start.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FirstAdministrator {
    /// The one-time token.
    pub token: String,
    /// The name: letters, digits, `.`, `_`, `@`, `+` and `-`, 2 to 64, the first a letter or a digit. It is folded to
    /// lower case.
    pub username: String,
    /// The password, of 10 to 1024 bytes.
    pub password: String,
}

/// A further administrator, to be created by the signup key.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewAdministrator {
    /// The name: letters, digits, `.`, `_`, `@`, `+` and `-`, 2 to 64, the first a letter or a digit. It is folded to
    /// lower case.
    pub username: String,
    /// The password, of 10 to 1024 bytes.
    pub password: String,
    /// The signup key of the installation.
    pub api_key: String,
}

/// An administrator was created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SignedUp {
    /// A sentence that says so.
    pub result: String,
}

/// Name and password of a user.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Login {
    /// The name, in any case.
    pub username: String,
    /// The password.
    pub password: String,
}

/// The OpenID Connect provider that browsers may log in with, too.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Provider {
    /// What it is called; `null` where there is none.
    pub provider: Option<String>,
}

/// A fresh session.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LoggedIn {
    /// To be sent as `Authorization: Bearer <token>`. Nothing can be read from it.
    pub token: String,
}

/// Who the caller is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Caller {
    /// The id of the user: 24 hex characters.
    pub id: String,
    /// The name of the user.
    pub username: String,
    /// Whether the user owns resources and telemetry.
    pub is_admin: bool,
    /// Whose resources and telemetry a team user works with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What a team user may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Permissions>,
}

/// What an administrator changes of the own account.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AdministratorUpdate {
    /// The own id.
    pub id: String,
    /// The own name, which cannot be changed.
    pub username: String,
    /// A new password of 10 to 1024 bytes, which ends every other session of the account. Absent or empty, it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

/// An account was created, changed or deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccountChanged {
    /// A sentence that says so.
    pub message: String,
}

/// The sessions of a user that have not ended, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionList {
    /// The rows, at most 200.
    pub sessions: Vec<SessionRow>,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionRow {
    /// Its id.
    pub id: String,
    /// By what it is held: `browser`, by a cookie, or `bearer`.
    pub kind: String,
    /// The `User-Agent` that logged in, at most 200 characters; empty where there was none.
    pub agent: String,
    /// When it began, as RFC 3339 with milliseconds.
    pub created_at: String,
    /// When it was last used, give or take five minutes.
    pub last_used_at: String,
    /// When it ends by itself.
    pub expires_at: String,
    /// Whether it is the one that the request was sent with.
    pub current: bool,
}

/// Which session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionId {
    /// Its id.
    pub id: String,
}

/// Whose sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionsOf {
    /// The id of a team user of the administrator who asks. Absent, the own ones, with that of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// Sessions were ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionsEnded {
    /// How many.
    pub ended: u64,
}
