//! Real Redis servers, and what breaks them. Each runs on a free loopback port, in a folder of its own, and ends with
//! the test.

mod cluster;
mod fake;
mod faults;
mod harness;
mod node;
mod one;
mod proxy;
mod resp;
mod sentinel;

pub(crate) use self::cluster::Cluster;
pub(crate) use self::node::free_port;
pub(crate) use self::one::{Log, One};
pub(crate) use self::sentinel::Sentinel;
