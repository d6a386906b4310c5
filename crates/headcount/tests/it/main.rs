//! All integration tests: one binary, linked once. Every test enters through a door.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod app;
mod backup;
mod canary;
mod catalog;
mod catalog_copy;
mod cli;
mod copy;
mod damage;
mod demo;
mod deploy;
mod disk;
mod effort;
#[cfg(feature = "failpoints")]
mod failpoints;
mod fleet;
mod formats;
mod fuzz;
mod http;
mod import_kill;
mod instances;

mod journal;
mod kill;
mod ledger;
mod metrics;
mod openapi;
mod postgres;
mod process;
mod readme;
mod redis;
mod sealed;
mod ship;
mod store;
mod tidy;
