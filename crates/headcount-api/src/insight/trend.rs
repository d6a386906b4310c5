//! The answer of `GET /telemetry/trend`.

use serde::{Deserialize, Serialize};

use super::Envelope;

/// How devices and checks develop from day to day. What cannot be known is `null`, and `unknown` says why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Trend {
    /// What the answer says of itself.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// Every day of the range, the earliest first.
    pub days: Vec<TrendDay>,
    /// The range as a whole.
    pub summary: TrendSummary,
    /// As many days, up to the day before the range.
    pub previous: TrendPeriod,
    /// Why what is `null` cannot be known.
    pub unknown: Vec<Unknown>,
}

/// A range of days.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TrendPeriod {
    /// The first UTC day.
    pub from: String,
    /// The last UTC day.
    pub to: String,
    /// Every day, the earliest first.
    pub days: Vec<TrendDay>,
    /// The range as a whole.
    pub summary: TrendSummary,
}

/// The numbers of one day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TrendDay {
    /// The UTC day.
    pub date: String,
    /// Counted checks.
    pub requests: Option<u64>,
    /// Distinct devices.
    pub devices: Option<u64>,
    /// Devices that ended the day on the latest release.
    pub latest: Option<u64>,
    /// Devices that ended the day below it.
    pub outdated: Option<u64>,
    /// Devices that a staged rollout held back at the end of the day.
    pub held: Option<u64>,
    /// Devices that were not counted in the retention before the day.
    pub new: Option<u64>,
    /// The other devices of the day.
    pub returning: Option<u64>,
    /// Distinct devices of the day and the 6 before it.
    pub wau: Option<u64>,
    /// Distinct devices of the day and the 27 before it.
    pub mau: Option<u64>,
    /// `devices` divided by `mau`, 0 to 1.
    pub stickiness: Option<f64>,
    /// Whether the day is older than the retention, and shown as it was counted when it closed.
    pub from_totals: bool,
}

/// The numbers of a range as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TrendSummary {
    /// Counted checks.
    pub requests: Option<u64>,
    /// Distinct devices of all days.
    pub devices: Option<u64>,
    /// Distinct devices that ended a day on the latest release.
    pub latest: Option<u64>,
    /// Distinct devices that ended a day below it.
    pub outdated: Option<u64>,
    /// Distinct devices that a staged rollout held back at the end of a day.
    pub held: Option<u64>,
    /// The new devices of all days.
    pub new: Option<u64>,
}

/// Why a number is `null`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Unknown {
    /// The field: that of a day or a cohort, or `summary.` or `previous.summary.` with that of a range.
    pub field: String,
    /// The UTC days on which it is not known.
    pub dates: Vec<String>,
    /// Why.
    pub reason: String,
}
