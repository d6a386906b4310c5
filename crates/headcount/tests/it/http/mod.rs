//! Tests that enter by HTTP.

mod apps;
mod check;
mod layers;
mod renames;
mod resources;
mod session;
mod setup;
mod telemetry;
mod shop;
mod users;
