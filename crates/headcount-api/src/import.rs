//! The lines and the reply of `POST /telemetry/import`.

use serde::{Deserialize, Serialize};

/// The most bytes of one line, without its line break.
pub const LINE_BYTES: usize = 4096;
/// The most lines of one chunk of a numbered import.
pub const CHUNK_LINES: u64 = 10_000;
/// The most bytes of a chunk, line breaks included.
pub const CHUNK_BYTES: u64 = CHUNK_LINES * (LINE_BYTES as u64 + 2);
/// The most errors that a reply lists.
pub const MOST_ERRORS: usize = 100;

/// One line: a check that was made earlier, or elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ImportLine {
    /// When the check was made, as RFC 3339. Its UTC day is the day under which it counts.
    pub at: String,
    /// The application.
    pub app_name: String,
    /// The version that the device ran. Missing or empty: the device is counted without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The channel; may be missing or empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// The platform, or one of its other names; may be missing or empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// The architecture, or one of its other names; may be missing or empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// The device.
    pub device_id: String,
    /// Whether the device ran the latest version then; may be missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_latest: Option<bool>,
}

/// What became of the lines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ImportReply {
    /// How many lines are counted.
    pub accepted: u64,
    /// How many are not.
    pub rejected: u64,
    /// Why, for the first 100 of them.
    pub errors: Vec<LineError>,
}

/// Why one line is not counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LineError {
    /// The number of the line in the body, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub error: String,
}
