//! The answer of `GET /telemetry/upgrades`.

use serde::{Deserialize, Serialize};

use super::Envelope;

/// Which versions devices left, and which they came to, between two days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Upgrades {
    /// What the answer says of itself.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// The flows that have a device: from the greatest version to the least, then new and returned devices; to the
    /// greatest version first, devices that are gone last.
    pub flows: Vec<Flow>,
    /// Their sums.
    pub totals: FlowTotals,
}

/// Devices that went one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Flow {
    /// Where they were on the first day: `version`, `new` or `returned`.
    pub from: FlowEnd,
    /// Where they were on the last day: `version` or `gone`.
    pub to: FlowEnd,
    /// How many.
    pub devices: u64,
}

/// One end of a flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FlowEnd {
    /// `version`, `new`, `returned` or `gone`.
    pub kind: String,
    /// The version, of the kind `version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// How many devices did what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FlowTotals {
    /// They have the version that they had.
    pub stayed: u64,
    /// They have another version.
    pub moved: u64,
    /// They were not counted before.
    pub new: u64,
    /// They had no version at the first day, and were counted before.
    pub returned: u64,
    /// They have no version any more.
    pub gone: u64,
}
