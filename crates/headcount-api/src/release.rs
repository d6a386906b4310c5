//! Releases: what is published, for whom, and where its files lie.

use serde::{Deserialize, Serialize};

/// A new release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateRelease {
    /// The name of the app.
    pub app_name: String,
    /// The version: up to 8 numeric parts, an optional `-prerelease` and an optional `+build`.
    pub version: String,
    /// The name of the channel. Required as soon as there is any channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Whether checks may be answered with it.
    #[serde(default)]
    pub publish: bool,
    /// Whether clients should insist on it.
    #[serde(default)]
    pub critical: bool,
    /// Whether devices below it must pass through it on their way up.
    #[serde(default)]
    pub intermediate: bool,
    /// The share of devices that it is offered to, 0 to 100; 100 when nothing is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 0, max = 100)))]
    pub rollout: Option<i64>,
    /// What changed, as clients show it; at most 32,768 bytes.
    #[serde(default)]
    pub changelog: String,
    /// The files, at most 200.
    #[serde(default)]
    pub artifacts: Vec<Artifact>,
    /// When it was first published, as RFC 3339; the time of this request when it is published now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_at: Option<String>,
}

/// Changes to one release: what is not given stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UpdateRelease {
    /// Its id: 24 hex characters.
    pub id: String,
    /// Whether checks may be answered with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publish: Option<bool>,
    /// Whether clients should insist on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critical: Option<bool>,
    /// Whether devices below it must pass through it on their way up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intermediate: Option<bool>,
    /// The share of devices that it is offered to, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 0, max = 100)))]
    pub rollout: Option<i64>,
    /// What changed, as clients show it; at most 32,768 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changelog: Option<String>,
    /// The files, at most 200. They replace all that the release had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifacts: Option<Vec<Artifact>>,
    /// When it was first published, as RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_at: Option<String>,
}

/// One file of a release. It may lie anywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// The name of the platform that it is for. Required as soon as there is any platform.
    #[serde(default)]
    pub platform: Option<String>,
    /// The name of the architecture that it is for. Required as soon as there is any architecture.
    #[serde(default)]
    pub arch: Option<String>,
    /// The extension with its dot (`.dmg`), or empty.
    #[serde(default)]
    pub package: String,
    /// Where it can be had: an http or https URL of at most 2,048 bytes.
    pub link: String,
    /// Its signature, as the client's updater expects it; at most 4,096 bytes.
    #[serde(default)]
    pub signature: Option<String>,
    /// Its SHA-512, in base64 or hex.
    #[serde(default)]
    pub sha512: Option<String>,
    /// Its size in bytes.
    #[serde(default)]
    pub size: Option<u64>,
}

/// The release that was created or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReleaseId {
    /// Its id.
    pub id: String,
}

/// A release was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReleaseDeleted {
    /// Always 1.
    pub deleted: u64,
}

/// One release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReleaseRow {
    /// Its id.
    pub id: String,
    /// The name of the app.
    pub app_name: String,
    /// The version.
    pub version: String,
    /// The name of the channel, or empty.
    pub channel: String,
    /// Whether checks may be answered with it.
    pub publish: bool,
    /// Whether clients should insist on it.
    pub critical: bool,
    /// Whether devices below it must pass through it on their way up.
    pub intermediate: bool,
    /// The share of devices that it is offered to, 0 to 100.
    pub rollout: u8,
    /// 16 hex characters that decide which devices these are.
    pub rollout_seed: String,
    /// What changed.
    pub changelog: String,
    /// The files.
    pub artifacts: Vec<Artifact>,
    /// When it was first published, as RFC 3339, or `null`.
    pub published_at: Option<String>,
}

/// A page of releases: by app in the order of creation, the newest version first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReleasePage {
    /// The releases of this page.
    pub items: Vec<ReleaseRow>,
    /// How many there are on all pages.
    pub total: u64,
    /// The number of this page, from 1.
    pub page: u64,
    /// How many a page has at most.
    pub limit: u64,
}

/// A page of the versions of one app, as faynoSync's clients read it: the newest version first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SearchPage {
    /// The versions of this page, or `null` when there is none.
    pub items: Option<Vec<SearchRow>>,
    /// How many there are on all pages.
    pub total: u64,
    /// The number of this page, from 1.
    pub page: u64,
    /// How many a page has at most.
    pub limit: u64,
}

/// One version of an app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "PascalCase")]
pub struct SearchRow {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// The name of the app.
    pub app_name: String,
    /// The version.
    pub version: String,
    /// The name of the channel, or empty.
    pub channel: String,
    /// Whether checks may be answered with it.
    pub published: bool,
    /// Whether clients should insist on it.
    pub critical: bool,
    /// Whether devices below it must pass through it on their way up.
    pub intermediate: bool,
    /// The files.
    pub artifacts: Vec<SearchArtifact>,
    /// What changed: one entry.
    pub changelog: Vec<SearchChange>,
    /// When it was last written, as RFC 3339 with milliseconds.
    #[serde(rename = "Updated_at")]
    pub updated_at: String,
    /// The share of devices that it is offered to, 0 to 100.
    pub rollout_percent: u8,
}

/// One file of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SearchArtifact {
    /// Where it can be had.
    pub link: String,
    /// The name of the platform that it is for, or empty.
    pub platform: String,
    /// The name of the architecture that it is for, or empty.
    pub arch: String,
    /// The extension with its dot, or empty.
    pub package: String,
    /// Always `null`: files are not signed here.
    #[serde(rename = "TufTaskID")]
    pub tuf_task_id: Option<String>,
    /// Always false: files are not signed here.
    #[serde(rename = "TufSigned")]
    pub tuf_signed: bool,
}

/// What changed in a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "PascalCase")]
pub struct SearchChange {
    /// The version.
    pub version: String,
    /// What changed.
    pub changes: String,
    /// The UTC day on which it was registered, `YYYY-MM-DD`.
    pub date: String,
}
