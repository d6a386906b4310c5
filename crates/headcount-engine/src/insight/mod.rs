//! The questions of who looks after an application, each a function over segments.
//!
//! A device has on a day what it has in one application: its values of that day there. Over days and applications every
//! number is that of a union, never a sum of devices.

pub mod adoption;
pub mod attention;
pub mod breakdown;
pub mod chance;
pub mod matrix;
pub mod quality;
pub mod retention;
pub mod trend;
pub mod upgrades;
