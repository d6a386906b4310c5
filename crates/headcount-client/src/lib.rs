//! What an application needs to ask a Headcount server for updates.

pub use headcount_api as api;
