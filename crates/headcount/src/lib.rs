//! Headcount tells people who ship software which of their devices run which version.
//!
//! `ARCHITECTURE.md` has the map; `app::App` is where the parts are put together.

pub mod address;
pub mod admit;
pub mod app;
pub mod background;
pub mod backup;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod error;
pub mod failpoint;
#[doc(hidden)]
pub mod fuzz;
pub mod http;
pub mod installation;
pub mod keep;
pub mod oidc;
pub mod password;
pub mod private;
pub mod record;
pub mod report;
pub mod retention;
pub mod ship;
pub mod spool;
pub mod store;
