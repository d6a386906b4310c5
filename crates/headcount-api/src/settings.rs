//! What an administrator settles about the devices that are counted.

use serde::{Deserialize, Serialize};

/// The settings of an administrator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Settings {
    /// Days before today for which every device is kept; `null` stands for those of the installation.
    pub retention_days: Option<u32>,
    /// Those of the installation.
    pub installation_retention_days: u32,
    /// Whether a device is left out whose user says by `Sec-GPC: 1` or `DNT: 1` that it is not to be counted.
    pub opt_out_signals: bool,
    /// Whether device ids are refused that look as if they named a person.
    pub strict_ids: bool,
    /// The apps in the order of their creation.
    pub apps: Vec<AppSettings>,
}

/// The settings of one app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AppSettings {
    /// Its id.
    pub id: String,
    /// Its name.
    pub app: String,
    /// Whether its checks are counted; they are answered in any case.
    pub telemetry: bool,
}

/// What is to be settled anew; what is not given stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SettingsUpdate {
    /// Days before today for which every device is kept, 1 to 400; `null` stands for those of the installation.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub retention_days: Option<Option<u32>>,
    /// Whether `Sec-GPC: 1` and `DNT: 1` keep a device from being counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opt_out_signals: Option<bool>,
    /// Whether device ids are refused that look as if they named a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict_ids: Option<bool>,
    /// The apps of which something is to be settled anew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apps: Vec<AppSettingsUpdate>,
}

/// What is to be settled anew of one app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AppSettingsUpdate {
    /// Its id.
    pub id: String,
    /// Whether its checks are counted.
    pub telemetry: bool,
}

#[expect(clippy::option_option, reason = "`null` is something else than a field that is not there")]
fn given<'de, D: serde::Deserializer<'de>>(field: D) -> Result<Option<Option<u32>>, D::Error> {
    Option::deserialize(field).map(Some)
}
