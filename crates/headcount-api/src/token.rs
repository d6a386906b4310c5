//! API tokens: what programs call with instead of logging in.

use serde::{Deserialize, Serialize};

/// A new API token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewApiToken {
    /// What it is called: 1 to 100 characters.
    pub name: String,
    /// What it may be used for: `release:write`, `telemetry:read`, `telemetry:import`. Absent, `release:write`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// The ids of the apps that it acts on. Absent, it acts on every app, later ones too: only without `release:write`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_apps: Option<Vec<String>>,
    /// From when on it is worth nothing, as RFC 3339. Absent, it does not expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// An API token was created.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ApiTokenCreated {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// To be sent as `Authorization: Bearer <token>`. It is shown here and never again.
    pub token: String,
    /// How it begins.
    pub token_prefix: String,
    /// What it may be used for.
    pub scopes: Vec<String>,
    /// The ids of the apps that it acts on; `null` when it acts on every app.
    pub allowed_apps: Option<Vec<String>>,
    /// From when on it is worth nothing, as RFC 3339 with milliseconds; `null` when it does not expire.
    pub expires_at: Option<String>,
    /// When it was created, as RFC 3339 with milliseconds.
    pub created_at: String,
}

/// The API tokens of an administrator, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ApiTokenList {
    /// The rows.
    pub tokens: Vec<ApiTokenRow>,
}

/// One API token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ApiTokenRow {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// How it begins.
    pub token_prefix: String,
    /// What it may be used for.
    pub scopes: Vec<String>,
    /// The ids of the apps that it acts on; `null` when it acts on every app.
    pub allowed_apps: Option<Vec<String>>,
    /// From when on it is worth nothing, as RFC 3339 with milliseconds. Absent, it does not expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// When it was created, as RFC 3339 with milliseconds.
    pub created_at: String,
    /// When it was last used, give or take five minutes. Absent, it never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<String>,
}

/// Which API token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ApiTokenId {
    /// Its id.
    pub id: String,
}

/// An API token was revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ApiTokenRevoked {
    /// A sentence that says so.
    pub message: String,
}
