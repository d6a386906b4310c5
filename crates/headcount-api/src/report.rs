//! The answer of `GET /telemetry`.

use serde::{Deserialize, Serialize};

/// Which devices ran which version, over a range of UTC days. Lists without an entry are `null`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TelemetryReport {
    /// The first, and so the oldest, day of the range.
    pub date: String,
    /// Every day of the range, the oldest first.
    pub date_range: Vec<String>,
    /// The administrator whose numbers these are.
    pub admin: String,
    /// The numbers of the whole range.
    pub summary: Summary,
    /// The versions in use.
    pub versions: Versions,
    /// Devices by platform, the most first.
    pub platforms: Option<Vec<PlatformCount>>,
    /// Devices by architecture, the most first.
    pub architectures: Option<Vec<ArchCount>>,
    /// Devices by channel, the most first.
    pub channels: Option<Vec<ChannelCount>>,
    /// The numbers of each day; empty where no app has a counted check in the range.
    pub daily_stats: Vec<DayCount>,
    /// The days of the range that are known to lack something, or are older than the retention; absent where there is
    /// none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incomplete: Vec<String>,
}

/// The numbers of a whole range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Summary {
    /// Counted checks that match all filters by their own values.
    pub total_requests: u64,
    /// Distinct devices that match all filters.
    pub unique_clients: u64,
    /// Distinct devices that ended a day on the latest release.
    pub clients_using_latest_version: u64,
    /// Distinct devices that ended a day below it. Over several days a device may be counted here and there.
    pub clients_outdated: u64,
    /// Apps with a counted check in the range, whatever the other filters.
    pub total_active_apps: u64,
}

/// The versions in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Versions {
    /// The number of versions that a matching device ended a day with.
    pub used_versions_count: u64,
    /// All versions that were seen within the retention, sorted as text.
    pub known_versions: Option<Vec<String>>,
    /// Devices by version, the most first. Over several days a device counts under each version that it ended a day with.
    pub usage: Option<Vec<VersionCount>>,
}

/// Devices of one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VersionCount {
    /// The version.
    pub version: String,
    /// Distinct devices.
    pub client_count: u64,
}

/// Devices of one platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PlatformCount {
    /// The platform.
    pub platform: String,
    /// Distinct devices.
    pub client_count: u64,
}

/// Devices of one architecture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ArchCount {
    /// The architecture.
    pub arch: String,
    /// Distinct devices.
    pub client_count: u64,
}

/// Devices of one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChannelCount {
    /// The channel.
    pub channel: String,
    /// Distinct devices.
    pub client_count: u64,
}

/// The numbers of one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DayCount {
    /// The UTC date.
    pub date: String,
    /// Counted checks.
    pub total_requests: u64,
    /// Distinct devices.
    pub unique_clients: u64,
    /// Distinct devices that ended the day on the latest release.
    pub clients_using_latest_version: u64,
    /// Distinct devices that ended the day below it.
    pub clients_outdated: u64,
}
