//! What is known of one device, and erasing it.

use serde::{Deserialize, Serialize};

/// Which device.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DeviceNamed {
    /// Its id, as it sends it in `X-Device-ID`.
    pub device: String,
}

/// What is known of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeviceFound {
    /// The apps that it was seen in, in the order of their names. Empty: nothing is known of it.
    pub apps: Vec<DeviceApp>,
    /// When it was last erased, as RFC 3339 with milliseconds, as long as that is remembered; else `null`.
    pub erased_at: Option<String>,
}

/// What is known of a device in one app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeviceApp {
    /// The name of the app.
    pub app: String,
    /// The first UTC day that is kept on which it was seen.
    pub first_day: String,
    /// The last one.
    pub last_day: String,
    /// The days on which it was seen, the first one first.
    pub days: Vec<DeviceDay>,
}

/// What is known of a device in one app on one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeviceDay {
    /// The UTC day.
    pub date: String,
    /// Its last version of the day; `null` if it sent none.
    pub version: Option<String>,
    /// `latest`, `outdated` or `held`, its last status of the day; `null` if it had none.
    pub status: Option<String>,
    /// The channels that it asked for.
    pub channels: Vec<String>,
    /// The platforms.
    pub platforms: Vec<String>,
    /// The architectures.
    pub archs: Vec<String>,
    /// When its last version and status were accepted, as RFC 3339 with milliseconds; `null` once that is forgotten.
    pub last_seen_at: Option<String>,
}

/// A device was erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeviceErased {
    /// What was accepted of it until this moment is gone, as RFC 3339 with milliseconds.
    pub erased_at: String,
}
