//! The domain of Headcount: what a check is, how it is decided, what is kept of it, and what a report says.
//!
//! Everything here is a pure function of its arguments: no IO, no async, no clock.

pub mod check;
pub mod codec;
pub mod daily;
pub mod day;
pub mod device;
pub mod dimension;
pub mod event;
mod fold;
pub mod format;
pub mod id;
pub mod insight;
pub mod mark;
pub mod metric;
pub mod name;
pub mod personal;
pub mod recent;
pub mod recorded;
pub mod report;
pub mod row;
pub mod segment;
pub mod settings;
mod slice;
pub mod snapshot;
pub mod tally;
mod times;
pub mod trace;
pub mod unknown;
pub mod version;
