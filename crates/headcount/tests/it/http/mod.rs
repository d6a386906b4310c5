//! Tests that enter by HTTP.

mod apps;
mod check;
mod check_events;
mod check_input;
mod clock;
mod examples;
mod golden;
mod grants;
mod health;
mod import;
mod layers;
mod limits;
mod overload;
mod policies;
mod rate;
mod releases;
mod renames;
mod resources;
mod retention;
mod search;
mod session;
mod setup;
pub(crate) mod shop;
mod team;
mod telemetry;
mod tokens;
mod users;
