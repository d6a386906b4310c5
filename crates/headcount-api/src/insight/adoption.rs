//! The answer of `GET /telemetry/adoption`.

use serde::{Deserialize, Serialize};

use super::{Envelope, Unknown};

/// How fast the devices of an app move to one release, or to two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Adoption {
    /// What the answer says of itself; its first day is that of the earliest publication.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// The name of the app.
    pub app: String,
    /// The release, and the one to compare it with, if there is one.
    pub releases: Vec<AdoptedRelease>,
    /// Why what is `null` or missing cannot be known.
    pub unknown: Vec<Unknown>,
}

/// One release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AdoptedRelease {
    /// The version.
    pub version: String,
    /// The name of its channel; `null` if it has none. Devices of this channel are counted.
    pub channel: Option<String>,
    /// When it was first published, RFC 3339 in UTC.
    pub published_at: String,
    /// The retained days since then, the earliest first.
    pub days: Vec<AdoptionDay>,
    /// The same by platform, the one with the most devices first.
    pub platforms: Vec<AdoptionPlatform>,
    /// The first day on which at least 50 % of the devices ended it on this release or newer.
    pub t50: Option<Milestone>,
    /// The same with 90 %.
    pub t90: Option<Milestone>,
    /// The same with 95 %.
    pub t95: Option<Milestone>,
}

/// One platform.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AdoptionPlatform {
    /// The name of the platform.
    pub platform: String,
    /// The same days.
    pub days: Vec<AdoptionDay>,
}

/// One day of a release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AdoptionDay {
    /// The UTC day.
    pub date: String,
    /// Days since that of the publication, which is 0.
    pub age: u64,
    /// Distinct devices of the app and channel.
    pub devices: u64,
    /// Those that ended the day on this release or a newer one.
    pub adopted: u64,
    /// `adopted` divided by `devices`, 0 to 1.
    pub share: f64,
    /// Those that did not, because a staged rollout held them back.
    pub held: u64,
}

/// When a share was reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Milestone {
    /// The UTC day.
    pub date: String,
    /// Days since that of the publication.
    pub age: u64,
}
