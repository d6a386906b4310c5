//! Whether recorded checks get slower when more is known.

use crate::bench::{Bench, Outcome, Running, say};
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

const HEAD: [&str; 7] =
    ["", "recorded checks/s", "of the first row", "p99 ms", "lag ms", "first report ms", "does not count because"];

#[derive(Debug, Clone, Default)]
struct Figures {
    rate: Samples,
    of_first: Samples,
    p99: Samples,
    lag: Samples,
    first_report: Samples,
    flaws: Vec<String>,
}

impl Figures {
    fn add(&mut self, outcome: Outcome, first: f64) {
        self.rate.add(outcome.replies.rate());
        self.of_first.add(outcome.replies.rate() / first);
        self.p99.add(outcome.replies.latency.quantile_millis(0.99));
        self.lag.add(outcome.lag);
        self.first_report.add(outcome.first_report);
        self.flaws.extend(outcome.flaw);
    }

    fn cells(&self, name: String) -> Vec<String> {
        let Self { rate, of_first, p99, lag, first_report, flaws } = self;
        let shown = [rate, of_first, p99, lag, first_report].map(Samples::show);
        [name].into_iter().chain(shown).chain([flaws.join("; ")]).collect()
    }
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
    let mut figures: Vec<Figures> = vec![Figures::default(); plans.len()];
    for round in 1..=bench.options.rounds {
        let mut first = f64::NAN;
        for (running, figures) in servers.iter().zip(&mut figures) {
            let outcome = bench.load(running, Ask::Check, (CONNECTIONS, None)).await?;
            let found = outcome.replies.rate();
            if first.is_nan() {
                first = found;
            }
            let (lag, report) = (number(outcome.lag), number(outcome.first_report));
            let fleet = name(&running.plan);
            say(&format!("round {round}, {fleet}: {} a second, lag {lag} ms, first report {report} ms", number(found)));
            figures.add(outcome, first);
        }
    }
    let mut table = Table::new(title, &HEAD);
    table.note(format!(
        "Closed loop over {CONNECTIONS} connections, the devices drawn from all that are known. Lag: from the last reply \
         until the store had everything. First report: from the last reply to the last byte of a week that shows all of it."
    ));
    for (plan, figures) in plans.iter().zip(figures) {
        table.row(figures.cells(name(plan)));
    }
    for running in servers {
        running.server.stop()?;
    }
    Ok(table)
}
