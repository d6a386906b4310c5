//! Tests that enter by HTTP.

mod apps;
mod layers;
mod renames;
mod resources;
mod session;
mod setup;
mod telemetry;
mod users;
