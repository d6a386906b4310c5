//! The answer of `GET /telemetry/breakdown`.

use serde::{Deserialize, Serialize};

use super::Envelope;

/// Devices and requests by the values of one dimension.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Breakdown {
    /// What the answer says of itself.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// The dimension: `version`, `channel`, `platform`, `arch` or `status`.
    pub by: String,
    /// One row for each value that a device has, the most devices first; of versions, `(other)` is last.
    pub rows: Vec<BreakdownRow>,
    /// All devices and requests in scope, also those without a value: no sums of the rows.
    pub total: BreakdownTotal,
    /// The devices of each row on each day, the earliest first; `null` unless they were asked for.
    pub series: Option<Vec<BreakdownDay>>,
}

/// One value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BreakdownRow {
    /// The value: a version, the name of a channel, platform or architecture, or a status.
    pub value: String,
    /// Distinct devices.
    pub devices: u64,
    /// Devices of the value divided by all devices in scope, 0 to 1.
    pub share: f64,
    /// Counted checks that said this value.
    pub requests: u64,
}

/// All that is in scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BreakdownTotal {
    /// Distinct devices.
    pub devices: u64,
    /// Counted checks.
    pub requests: u64,
}

/// The devices of one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BreakdownDay {
    /// The UTC day.
    pub date: String,
    /// Distinct devices, in the order of the rows.
    pub values: Vec<u64>,
}
