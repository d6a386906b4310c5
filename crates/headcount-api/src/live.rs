//! The events of `GET /telemetry/live`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::ErrorBody;

/// One event of the stream: its name is that of the variant, its data the value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LiveEvent {
    /// The first one: what the numbers mean.
    About(LiveAbout),
    /// Each second: which devices are there.
    Now(LiveNow),
    /// The last checks, the oldest first, at most 50; then those that are new, as often as there are any. What comes
    /// faster than it is read is left out.
    Checks(Vec<LiveCheck>),
    /// The numbers of this second cannot be told; the stream goes on.
    Unavailable(ErrorBody),
    /// The last one, where the caller may no longer see this.
    End(ErrorBody),
}

/// What the numbers mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveAbout {
    /// What each number counts, by its name.
    pub definitions: BTreeMap<String, String>,
    /// Which instances each kind of event shows: `all`, or `this` one that was asked.
    pub instances: BTreeMap<String, String>,
}

/// Which devices are there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveNow {
    /// The moment that the numbers show, RFC 3339 with milliseconds.
    pub as_of: String,
    /// `all`: the numbers show the checks of all instances.
    pub instance: String,
    /// Counted checks per second, the mean of the last 10 seconds.
    pub checks_per_second: f64,
    /// The devices of the last 5 minutes.
    pub last_5_minutes: LiveWindow,
    /// The devices of the last 30 minutes.
    pub last_30_minutes: LiveWindow,
}

/// The devices of the last minutes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveWindow {
    /// Distinct devices.
    pub devices: u64,
    /// These by platform, the most first. A device counts under every platform that it was seen with today.
    pub platforms: Vec<LiveRow>,
    /// These by the last version of each, the most first.
    pub versions: Vec<LiveRow>,
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveRow {
    /// Its name.
    pub value: String,
    /// Distinct devices.
    pub devices: u64,
}

/// A check, or several that were not counted for the same reason. It says nothing of the device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveCheck {
    /// When, RFC 3339 with milliseconds.
    pub at: String,
    /// The application.
    pub app: String,
    /// The version, if the check said one and was counted.
    pub version: Option<String>,
    /// The platform, likewise.
    pub platform: Option<String>,
    /// The architecture, likewise.
    pub arch: Option<String>,
    /// The channel, likewise.
    pub channel: Option<String>,
    /// The status, likewise: `latest`, `outdated` or `held`.
    pub status: Option<String>,
    /// `recorded` or `skipped`.
    pub outcome: String,
    /// Why they were skipped.
    pub reason: Option<String>,
    /// How many checks it stands for: 1 where one was recorded; those that were skipped are told once a second.
    pub checks: u64,
}
