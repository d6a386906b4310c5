//! Whether recorded checks get slower when more is known.

use crate::bench::{Bench, Running, say};
use crate::requests::Ask;
use crate::rows::{SMALL, short};
use crate::seed::Plan;
use crate::table::{Samples, Table, number};

const CONNECTIONS: usize = 256;

pub(super) async fn devices(bench: &Bench) -> anyhow::Result<Vec<Table>> {
    let mut plans = vec![SMALL];
    let counts: &[u32] = if bench.options.quick { &[100_000] } else { &[1_000_000, 10_000_000] };
    plans.extend(counts.iter().map(|&known| Plan { known, ..SMALL }));
    let name = |plan: &Plan| format!("{} known devices", short(plan.known));
    Ok(vec![compare(bench, "Recorded checks and known devices", &plans, &name).await?])
}

pub(super) async fn versions(bench: &Bench) -> anyhow::Result<Vec<Table>> {
    let counts: &[u16] = if bench.options.quick { &[12, 100] } else { &[12, 100, 1000] };
    let plans: Vec<Plan> = counts.iter().map(|&versions| Plan { versions, ..SMALL }).collect();
    let name = |plan: &Plan| format!("{} known versions", plan.versions);
    Ok(vec![compare(bench, "Recorded checks and known versions", &plans, &name).await?])
}

/// Loads all servers in turn, so that what the machine does meanwhile befalls all of them.
async fn compare(
    bench: &Bench,
    title: &'static str,
    plans: &[Plan],
    name: &dyn Fn(&Plan) -> String,
) -> anyhow::Result<Table> {
    let mut servers: Vec<Running> = Vec::new();
    for (place, plan) in plans.iter().enumerate() {
        say(&format!("making a fleet: {}", name(plan)));
        let running = bench.start(*plan, &format!("known-{place}")).await?;
        // The dictionary is read before the first load.
        running.client.check(&running.server, "benchmark-device").await?;
        running.client.settle(&running.server).await?;
        servers.push(running);
    }
    let mut figures: Vec<(Samples, Samples, Samples, Vec<String>)> = vec![<_>::default(); plans.len()];
    for round in 1..=bench.options.rounds {
        let mut first = f64::NAN;
        for (running, (rate, of_first, p99, flaws)) in servers.iter().zip(&mut figures) {
            let outcome = bench.load(running, Ask::Check, (CONNECTIONS, None)).await?;
            let found = outcome.replies.rate();
            if first.is_nan() {
                first = found;
            }
            say(&format!("round {round}, {}: {} a second", name(&running.plan), number(found)));
            rate.add(found);
            of_first.add(found / first);
            p99.add(outcome.replies.latency.quantile_millis(0.99));
            flaws.extend(outcome.flaw);
        }
    }
    let mut table =
        Table::new(title, &["", "recorded checks/s", "of the first row", "p99 ms", "does not count because"]);
    table.note(format!("Closed loop over {CONNECTIONS} connections, the devices drawn from all that are known."));
    for (plan, (rate, of_first, p99, flaws)) in plans.iter().zip(figures) {
        table.row(vec![name(plan), rate.show(), of_first.show(), p99.show(), flaws.join("; ")]);
    }
    for running in servers {
        running.server.stop()?;
    }
    Ok(table)
}
