//! Team users: what an administrator lets others do. What holds a password is never printed for debugging.

use serde::{Deserialize, Serialize};

/// What a team user may do, and with which resources. Keys may be sent in lower case as well; what is missing is `false`
/// or empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "PascalCase")]
pub struct Permissions {
    /// On apps and their releases.
    #[serde(alias = "apps")]
    pub apps: AppPermissions,
    /// On channels.
    #[serde(alias = "channels")]
    pub channels: PartPermissions,
    /// On platforms.
    #[serde(alias = "platforms")]
    pub platforms: PartPermissions,
    /// On architectures.
    #[serde(alias = "archs")]
    pub archs: PartPermissions,
}

/// What a team user may do with apps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "PascalCase")]
#[expect(clippy::struct_excessive_bools, reason = "the wire format has five independent switches")]
pub struct AppPermissions {
    /// Create apps.
    #[serde(alias = "create")]
    pub create: bool,
    /// Delete the allowed apps, and their releases.
    #[serde(alias = "delete")]
    pub delete: bool,
    /// Change the allowed apps, and their releases.
    #[serde(alias = "edit")]
    pub edit: bool,
    /// Kept for faynoSync's clients: no route asks for it.
    #[serde(alias = "download")]
    pub download: bool,
    /// Register releases of the allowed apps.
    #[serde(alias = "upload")]
    pub upload: bool,
    /// The ids of the apps that the user sees and works with; `null` when there is none.
    #[serde(alias = "allowed")]
    pub allowed: Option<Vec<String>>,
}

/// What a team user may do with channels, platforms or architectures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "PascalCase")]
pub struct PartPermissions {
    /// Create some.
    #[serde(alias = "create")]
    pub create: bool,
    /// Delete the allowed ones.
    #[serde(alias = "delete")]
    pub delete: bool,
    /// Change the allowed ones.
    #[serde(alias = "edit")]
    pub edit: bool,
    /// The ids of those that the user sees and works with; `null` when there is none.
    #[serde(alias = "allowed")]
    pub allowed: Option<Vec<String>>,
}

/// A new team user.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewTeamUser {
    /// The name: letters, digits, `.`, `_`, `@`, `+` and `-`, 2 to 64, the first a letter or a digit. It is folded to
    /// lower case, and no other user may have it.
    pub username: String,
    /// The password, of 10 to 1024 bytes.
    pub password: String,
    /// What the user may do; nothing when it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Permissions>,
}

/// Changes to a team user.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TeamUserUpdate {
    /// The id of the user.
    pub id: String,
    /// The name from now on.
    pub username: String,
    /// A new password of 10 to 1024 bytes, which ends every session of the user. Absent or empty, it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// What the user may do from now on, as a whole. Absent, it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Permissions>,
}

/// Which team user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TeamUserId {
    /// The id of the user.
    pub id: String,
}

/// The team users of an administrator in the order of creation, or `null` when there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TeamUserList {
    /// The rows.
    pub users: Option<Vec<TeamUserRow>>,
}

/// One team user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TeamUserRow {
    /// The id of the user.
    pub id: String,
    /// The name of the user.
    pub username: String,
    /// What the user may do.
    pub permissions: Permissions,
    /// When the user was last changed, as RFC 3339 with milliseconds.
    pub updated_at: String,
}
