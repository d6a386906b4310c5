//! Tests that enter by HTTP.

mod layers;
mod session;
mod setup;
mod users;
