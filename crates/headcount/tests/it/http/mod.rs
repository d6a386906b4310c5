//! Tests that enter by HTTP.

mod layers;
mod resources;
mod session;
mod setup;
mod users;
