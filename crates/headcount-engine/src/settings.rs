//! What an owner has settled about the devices that are counted.

use std::collections::HashSet;

use crate::id::AppId;

/// The settings of one owner, as checks and reports read them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerSettings {
    /// Days before today for which every device is kept; `None` stands for those of the installation.
    pub retention_days: Option<u32>,
    /// Whether a device is left out whose user says by `Sec-GPC: 1` or `DNT: 1` that it is not to be counted.
    pub opt_out_signals: bool,
    /// Whether ids are refused that look as if they named a person.
    pub strict_ids: bool,
    /// The applications of which nothing is counted.
    pub uncounted_apps: HashSet<AppId>,
}

impl Default for OwnerSettings {
    fn default() -> Self {
        Self { retention_days: None, opt_out_signals: true, strict_ids: false, uncounted_apps: HashSet::new() }
    }
}

impl OwnerSettings {
    /// Whether checks of that application are counted.
    pub fn counts(&self, app: AppId) -> bool {
        self.uncounted_apps.is_empty() || !self.uncounted_apps.contains(&app)
    }
}
