//! What a Redis does for a fleet, what it holds of it, and how long it is kept from serving others.

pub(super) mod checks;
pub(super) mod cost;
pub(super) mod kept;
pub(super) mod reports;
mod stalls;

use std::sync::Arc;

use anyhow::Context as _;

use crate::bench::Running;
use crate::redis_server::RedisServer;

fn redis_of(running: &Running) -> anyhow::Result<&Arc<RedisServer>> {
    running.redis.as_ref().context("a fleet without a Redis")
}
