//! The answer of `GET /telemetry/attention`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Envelope;

/// What needs a look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Attention {
    /// What the answer says of itself.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// What was found, the weightiest first.
    pub findings: Vec<Finding>,
    /// By kind of finding: the rule, and the test of significance that it passed.
    pub tests: BTreeMap<String, String>,
}

/// Something that needs a look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Finding {
    /// `far-behind`, `platform-behind`, `stuck`, `slow-release` or `fewer-checks`.
    pub kind: String,
    /// The application.
    pub app: String,
    /// The version or the platform that it is about; of fewer checks, the application.
    pub subject: String,
    /// How much of the app and channel it concerns, 0 to 1: a part of its devices, or of its checks.
    pub weight: f64,
    /// What was found, for people who read it.
    pub sentence: String,
    /// The numbers behind it.
    pub numbers: BTreeMap<String, f64>,
    /// The filters that show what it is about.
    pub filters: FindingFilters,
}

/// Filters as every question takes them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FindingFilters {
    /// Names of apps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apps: Vec<String>,
    /// Names of channels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<String>,
    /// Names of platforms.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub platforms: Vec<String>,
    /// Versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<String>,
}
