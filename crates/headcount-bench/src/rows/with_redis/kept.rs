//! What a device-day takes in the memory of Redis.

use crate::bench::{Bench, say};
use crate::redis_server::RedisServer;
use crate::rows::{SMALL, short};
use crate::seed::{self, Plan};
use crate::table::{Table, number};

pub(in crate::rows) async fn measure(bench: &Bench) -> anyhow::Result<Vec<Table>> {
    let active: &[u32] = if bench.options.quick { &[10_000, 100_000] } else { &[10_000, 100_000, 1_000_000] };
    let mut table = Table::new(
        "Memory of Redis",
        &["devices a day, 31 days", "known devices", "device-days", "MB", "bytes per device-day"],
    );
    table.note(
        "`used_memory` of a Redis that holds the fleet and has no client, less that of an empty one: segments, dictionary \
         (16 bytes for each known device, once), keys, and what the allocator rounds up. Today and yesterday still hold the \
         time of each device's last check.",
    );
    let empty = {
        let redis = RedisServer::start(&bench.root.join("runs/redis-empty"))?;
        let memory = redis.read()?.memory;
        redis.stop()?;
        memory
    };
    for &known in active {
        let plan = Plan { known, days: 31, redis: true, ..SMALL };
        let (folder, seeded) = seed::copy(plan, &bench.root, "redis-kept").await?;
        let redis = RedisServer::start(&seed::redis_folder(&folder))?;
        let bytes = redis.read()?.memory.saturating_sub(empty);
        redis.stop()?;
        let each = bytes as f64 / seeded.device_days as f64;
        say(&format!("{} devices a day: {} bytes per device-day", short(known), number(each)));
        let (all, megabytes) = (number(seeded.device_days as f64), number(bytes as f64 / 1e6));
        table.row(vec![short(known), short(known), all, megabytes, number(each)]);
    }
    Ok(vec![table])
}
