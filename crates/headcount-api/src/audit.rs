//! The audit log: who changed what, when.

use serde::{Deserialize, Serialize};

/// A page of the audit log, the newest entry first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditPage {
    /// The entries.
    pub entries: Vec<AuditEntry>,
    /// What to give as `before` for the next page. Absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditEntry {
    /// Its id.
    pub id: String,
    /// When it was made, as RFC 3339 with milliseconds.
    pub at: String,
    /// Who made it.
    pub actor: AuditActor,
    /// By what the actor was known: `bearer` or `browser` for a session, `token`, `key` or `command line`.
    pub via: String,
    /// What kind of thing it is about, such as `app`, `release`, `user`, `token` or `session`.
    pub kind: String,
    /// What was done to it, such as `create`, `update` or `delete`.
    pub action: String,
    /// What it is about.
    pub subject: AuditSubject,
}

/// Who made a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditActor {
    /// `administrator`, `team`, `token` or `server`.
    pub kind: String,
    /// The id of the user or of the API token.
    pub id: String,
    /// The name at that time.
    pub name: String,
}

/// What a change is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditSubject {
    /// The id.
    pub id: String,
    /// The name at that time; of a release its app and version, of a session its user. Empty where there is none.
    pub name: String,
}
