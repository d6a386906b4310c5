//! How long reports take, and what a device-day takes in the store.

use std::fs;

use crate::bench::{Bench, Running, say};
use crate::rows::{SMALL, short};
use crate::seed::Plan;
use crate::table::{Samples, Table, number};

/// What is asked: the range, and how it is written.
const RANGES: [(&str, &str); 3] =
    [("day", "/telemetry?"), ("week", "/telemetry?range=week"), ("month", "/telemetry?range=month")];
/// Questions asked in each round once the segments are in memory.
const WARM: usize = 5;

pub(super) async fn measure(bench: &Bench) -> anyhow::Result<Vec<Table>> {
    let active: &[u32] = if bench.options.quick { &[10_000, 100_000] } else { &[10_000, 100_000, 1_000_000] };
    let mut times =
        Table::new("Reports", &["devices a day, 31 days", "known devices", "range", "filters", "cold ms", "warm ms"]);
    times.note(
        "`GET /telemetry` from the request to the last byte of the reply. Cold: the first question after a restart (the \
         file is in the page cache). Warm: the segments are in memory and the question was never asked before; answers are \
         not kept. Filters: one channel and two platforms.",
    );
    let mut sizes =
        Table::new("Bytes in the store", &["devices a day, 31 days", "known devices", "bytes per device-day"]);
    sizes.note(
        "The store's file without the journal: segments, dictionary (16 bytes for each known device, once) and what SQLite \
         adds. Today and yesterday still hold the time of each device's last check.",
    );
    for &active in active {
        for one_in in [1, 3] {
            let plan = Plan { known: active * one_in, one_in, days: 31, ..SMALL };
            of_fleet(bench, plan, &mut times, &mut sizes).await?;
        }
    }
    Ok(vec![times, sizes])
}

async fn of_fleet(bench: &Bench, plan: Plan, times: &mut Table, sizes: &mut Table) -> anyhow::Result<()> {
    let (active, known) = (short(plan.known / plan.one_in), short(plan.known));
    say(&format!("making a fleet: {active} of {known} devices a day, 31 days"));
    let mut running = bench.start(plan, "reports").await?;
    let bytes = fs::metadata(running.folder.join("store.db"))?.len();
    sizes.row(vec![active.clone(), known.clone(), number(bytes as f64 / running.seeded.device_days as f64)]);
    say(&format!("made in {} s", number(running.seeded.seconds)));
    for (range, path) in RANGES {
        for filtered in [false, true] {
            let (cold, warm);
            (running, cold, warm) = time(bench, running, path, filtered).await?;
            let filters = if filtered { "channel + platform" } else { "none" };
            say(&format!("{range}, {filters}: cold {}, warm {} ms", cold.show(), warm.show()));
            times.row(vec![
                active.clone(),
                known.clone(),
                range.to_owned(),
                filters.to_owned(),
                cold.show(),
                warm.show(),
            ]);
        }
    }
    running.server.stop()
}

/// Asks right after a restart, and then again, in each round.
pub(super) async fn time(
    bench: &Bench,
    mut running: Running,
    path: &str,
    filtered: bool,
) -> anyhow::Result<(Running, Samples, Samples)> {
    let (mut cold, mut warm) = (Samples::default(), Samples::default());
    for round in 0..bench.options.rounds {
        running = restart(bench, running)?;
        let path = |turn: usize| if filtered { format!("{path}&{}", filters(turn)) } else { path.to_owned() };
        cold.add(running.client.time(&running.server, &path(round * (WARM + 1))).await?);
        for turn in 1..=WARM {
            warm.add(running.client.time(&running.server, &path(round * (WARM + 1) + turn)).await?);
        }
    }
    Ok((running, cold, warm))
}

fn restart(bench: &Bench, running: Running) -> anyhow::Result<Running> {
    running.server.stop()?;
    let server = bench.programs.headcount(&running.folder, running.redis.as_deref())?;
    Ok(Running { server, ..running })
}

/// Filters, other ones each turn: always the largest channel and platform, and one more of each.
fn filters(turn: usize) -> String {
    let platforms = ["darwin", "windows", "android", "ios", "freebsd"];
    let channels = ["stable", "stable,beta", "stable,nightly", "stable,internal", "stable,beta,nightly"];
    format!("platforms=linux,{}&channels={}", platforms[turn % 5], channels[turn / 5 % 5])
}
