//! The answers to the questions of who looks after an application.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

mod adoption;
mod attention;
mod breakdown;
mod matrix;
mod quality;
mod retention;
mod trend;
mod upgrades;

pub use self::adoption::{AdoptedRelease, Adoption, AdoptionDay, AdoptionPlatform, Milestone};
pub use self::attention::{Attention, Finding, FindingFilters};
pub use self::breakdown::{Breakdown, BreakdownDay, BreakdownRow, BreakdownTotal};
pub use self::matrix::{Matrix, MatrixRow};
pub use self::quality::{PersonalIds, Quality, QualityChecks, RefusedChecks, SharedIds, UnknownVersion, Unserved};
pub use self::retention::{Cohort, Retention};
pub use self::trend::{Trend, TrendDay, TrendPeriod, TrendSummary, Unknown};
pub use self::upgrades::{Flow, FlowEnd, FlowTotals, Upgrades};

/// What every answer says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Envelope {
    /// The moment that the numbers show, RFC 3339 in UTC: they include every event that this instance recorded before.
    pub as_of: String,
    /// The first UTC day of the range.
    pub from: String,
    /// The last UTC day of the range.
    pub to: String,
    /// What each number of the answer means, by the name of its field.
    pub definitions: BTreeMap<String, String>,
    /// The days of the range that are known to lack something, or are older than the retention.
    pub incomplete: Vec<String>,
}
