//! The answer of `GET /telemetry/quality`.

use serde::{Deserialize, Serialize};

use super::Envelope;

/// How good the numbers are: what was not counted, which ids are no ids of one device, what was asked for in vain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Quality {
    /// What the answer says of itself.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// Checks by what became of them.
    pub checks: QualityChecks,
    /// Ids that look like something that says who or where a device is, by their form.
    pub ids: Vec<PersonalIds>,
    /// Ids that are those of more than one device.
    pub shared: Vec<SharedIds>,
    /// What was asked for and no release offers, the most checks first.
    pub unserved: Vec<Unserved>,
    /// Versions that devices run and the catalog does not know, the most devices first.
    pub unknown_versions: Vec<UnknownVersion>,
}

/// Checks by what became of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct QualityChecks {
    /// Counted ones, that match all filters.
    pub counted: u64,
    /// Those without a device id.
    pub without_device: u64,
    /// Those that were not counted for another reason, the most first.
    pub refused: Vec<RefusedChecks>,
}

/// Checks that were not counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RefusedChecks {
    /// Why, as the header `Headcount` of their replies said.
    pub reason: String,
    /// How many.
    pub checks: u64,
}

/// Ids of a form that says who or where a device is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PersonalIds {
    /// The application whose clients send them.
    pub app: String,
    /// The form.
    pub kind: String,
    /// How many checks had such an id.
    pub checks: u64,
}

/// Ids of more than one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SharedIds {
    /// The application.
    pub app: String,
    /// What shows it: `platform` or `arch`.
    pub by: String,
    /// How many ids.
    pub devices: u64,
    /// With how many values one of them was seen at most, on one day.
    pub most: u64,
}

/// Something that was asked for in vain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Unserved {
    /// The application.
    pub app: String,
    /// `platform`, `arch` or `channel`: the catalog has none of that name; `release`: nothing is published for all three.
    pub kind: String,
    /// The name that was asked for; of a release, `channel/platform/arch`. `(other)`: further ones on days with many.
    pub value: String,
    /// How many checks.
    pub checks: u64,
}

/// A version that the catalog does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UnknownVersion {
    /// The application.
    pub app: String,
    /// The version; `(other)`: further ones on days with many.
    pub version: String,
    /// Distinct devices that ended a day with it.
    pub devices: u64,
}
