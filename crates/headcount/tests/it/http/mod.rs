//! Tests that enter by HTTP.

mod apps;
mod layers;
mod resources;
mod session;
mod setup;
mod users;
