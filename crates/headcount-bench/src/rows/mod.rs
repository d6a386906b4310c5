//! The measurements, one file each.

mod capacity;
mod insight;
mod known;
mod latency;
mod memory;
mod overload;
mod reports;
mod start;
mod with_redis;

use clap::ValueEnum as _;

use crate::bench::Bench;
use crate::seed::Plan;
use crate::table::Table;

/// The list of measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Row {
    /// Requests a second in a closed loop, beside a bare handler.
    Capacity,
    /// Latencies at half of the capacity, and while reports are asked for.
    Latency,
    /// Many clients and a slow disk.
    Overload,
    /// Recorded checks with more known devices.
    Devices,
    /// Recorded checks with more known versions.
    Versions,
    /// Reports of a day, a week and a month; bytes in the store.
    Reports,
    /// The other questions about a month.
    Insight,
    /// Memory for each known device.
    Memory,
    /// From the start of the process to the first answered check.
    Start,
    /// What a Redis does for checks, by instances and known versions.
    RedisCost,
    /// Checks with a Redis and without.
    RedisChecks,
    /// What a device-day takes in a Redis.
    RedisMemory,
    /// Reports out of a Redis, and how long they and a compaction keep it from others.
    RedisReports,
}

impl Row {
    /// What the row is called on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    pub(crate) async fn measure(self, bench: &Bench) -> anyhow::Result<Vec<Table>> {
        match self {
            Self::Capacity => capacity::measure(bench).await,
            Self::Latency => latency::measure(bench).await,
            Self::Overload => overload::measure(bench).await,
            Self::Devices => known::devices(bench).await,
            Self::Versions => known::versions(bench).await,
            Self::Reports => reports::measure(bench).await,
            Self::Insight => insight::measure(bench).await,
            Self::Memory => memory::measure(bench).await,
            Self::Start => start::measure(bench).await,
            Self::RedisCost => with_redis::cost::measure(bench).await,
            Self::RedisChecks => with_redis::checks::measure(bench).await,
            Self::RedisMemory => with_redis::kept::measure(bench).await,
            Self::RedisReports => with_redis::reports::measure(bench).await,
        }
    }
}

/// The fleet that checks come from unless a row says otherwise.
const SMALL: Plan = Plan { known: 10_000, one_in: 1, days: 1, versions: 12, spooled: 0, redis: false };

/// `10 k`, `3 M`.
fn short(count: u32) -> String {
    match count {
        millions if millions >= 1_000_000 => format!("{} M", f64::from(millions) / 1e6),
        thousands if thousands >= 1000 => format!("{} k", f64::from(thousands) / 1e3),
        few => few.to_string(),
    }
}
