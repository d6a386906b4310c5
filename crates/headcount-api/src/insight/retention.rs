//! The answer of `GET /telemetry/retention`.

use serde::{Deserialize, Serialize};

use super::{Envelope, Unknown};

/// Who comes back: devices by when they were first seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Retention {
    /// What the answer says of itself.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// `day` or `week`: how long a cohort's time is, and the time until it is looked for again.
    pub by: String,
    /// The cohorts, the earliest first.
    pub cohorts: Vec<Cohort>,
    /// Why there is `null` in them: the field of a cohort, and the first days of the cohorts.
    pub unknown: Vec<Unknown>,
}

/// The devices that were first seen at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Cohort {
    /// The day, or the Monday of the week.
    pub first: String,
    /// How many there are; `null` where that is not known.
    pub devices: Option<u64>,
    /// How many of them were seen n days or weeks later, from 0 on; `null` where that is not known, or not yet.
    pub returned: Vec<Option<u64>>,
}
