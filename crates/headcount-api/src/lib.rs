//! The wire types that Headcount's server and clients share.

pub mod account;
pub mod audit;
pub mod catalog;
pub mod check;
pub mod error;
pub mod import;
pub mod insight;
pub mod live;
pub mod privacy;
pub mod release;
pub mod report;
pub mod settings;
pub mod team;
pub mod token;
