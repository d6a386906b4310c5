//! What a Redis does for a fleet, what it holds of it, and how long it is kept from serving others.

mod checks;
mod cost;
mod kept;
mod reports;
mod stalls;

use std::sync::Arc;

use anyhow::Context as _;

use self::stalls::Stalls;
use crate::bench::{Bench, Running};
use crate::redis_server::RedisServer;
use crate::table::Table;

pub(super) async fn measure(bench: &Bench) -> anyhow::Result<Vec<Table>> {
    let mut stalls = Stalls::default();
    let mut tables = vec![cost::measure(bench, &mut stalls).await?, checks::measure(bench).await?];
    tables.push(kept::measure(bench).await?);
    tables.push(reports::measure(bench, &mut stalls).await?);
    tables.push(stalls.table());
    Ok(tables)
}

fn redis_of(running: &Running) -> anyhow::Result<&Arc<RedisServer>> {
    running.redis.as_ref().context("a fleet without a Redis")
}
