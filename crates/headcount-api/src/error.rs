//! The body of every failed request.

use serde::{Deserialize, Serialize};

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorBody {
    /// What went wrong, in words.
    pub error: String,
    /// The kind of failure, for programs.
    pub code: String,
    /// The parameter, header or body field that is at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The form that would have been accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
    /// Why something could not be deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
}
