//! Reports of a month out of Redis, and what Redis goes through meanwhile.

use std::sync::Arc;

use super::redis_of;
use super::stalls::Stalls;
use crate::bench::{Bench, Running, say};
use crate::requests::Ask;
use crate::rows::latency::Asking;
use crate::rows::reports::time;
use crate::rows::{SMALL, short};
use crate::seed::Plan;
use crate::table::{Samples, Table, number};

const CONNECTIONS: usize = 256;
/// Loads that may pass before a day is compacted: with 30 s each it happens in the first.
const MOST_LOADS: usize = 6;

pub(in crate::rows) async fn measure(bench: &Bench) -> anyhow::Result<Vec<Table>> {
    let mut stalls = Stalls::new("How long reports and a compaction block Redis");
    let known = if bench.options.quick { 100_000 } else { 1_000_000 };
    say(&format!("making a fleet in Redis: {} devices, 31 days", short(known)));
    let mut running = bench.start(Plan { known, days: 31, redis: true, ..SMALL }, "redis-reports").await?;
    say(&format!("made in {} s", number(running.seeded.seconds)));
    let redis = redis_of(&running)?.clone();
    let mut table = Table::new("Reports with Redis", &["devices a day, 31 days", "filters", "cold ms", "warm ms"]);
    table.note(
        "`range=month`. Cold: the first question after a restart of the instance, which has nothing in memory. Warm: asked \
         again, with other filters.",
    );
    redis.blocked()?;
    for (filtered, name) in [(false, "none"), (true, "channel + platform")] {
        let (cold, warm);
        (running, cold, warm) = time(bench, running, "/telemetry?range=month", filtered).await?;
        say(&format!("month, {name}: cold {}, warm {} ms", cold.show(), warm.show()));
        table.row(vec![short(known), name.to_owned(), cold.show(), warm.show()]);
    }
    stalls.note("month reports, cold and warm", redis.blocked()?);
    let meanwhile = compaction(bench, running).await?;
    stalls.note(meanwhile, redis.blocked()?);
    Ok(vec![table, stalls.table()])
}

/// Sends checks beside reports until a day was compacted, and says what went on.
async fn compaction(bench: &Bench, running: Running) -> anyhow::Result<String> {
    let running = Arc::new(running);
    let redis = redis_of(&running)?;
    let before = redis.read()?;
    let (mut rate, mut reports, mut compactions) = (Samples::default(), 0, 0);
    for _ in 0..MOST_LOADS {
        let asking = Asking::begin(&running);
        rate.add(bench.load(&running, Ask::Check, (CONNECTIONS, None)).await?.replies.rate());
        reports += asking.end().await?;
        compactions = redis.read()?.calls_since(&before, "ltrim");
        if compactions > 0 || bench.options.quick {
            break;
        }
    }
    let said = format!("{} checks/s beside {reports} month reports, {compactions} compactions", rate.show());
    say(&said);
    Ok(said)
}
