//! Checks a second of one instance with Redis, beside the same one with the store in its folder.

use crate::bench::{Bench, Running, say};
use crate::requests::Ask;
use crate::rows::SMALL;
use crate::seed::Plan;
use crate::table::{Samples, Table, number};

const CONNECTIONS: usize = 256;

#[derive(Debug, Default)]
struct Figures {
    rate: Samples,
    share: Samples,
    p99: Samples,
    cpu: Samples,
    redis_cpu: Samples,
    flaws: Vec<String>,
}

pub(in crate::rows) async fn measure(bench: &Bench) -> anyhow::Result<Vec<Table>> {
    let servers = [
        ("in its folder", bench.start(SMALL, "redis-embedded").await?),
        ("in Redis", bench.start(Plan { redis: true, ..SMALL }, "redis-checks").await?),
    ];
    let mut figures = [Figures::default(), Figures::default()];
    for round in 1..=bench.options.rounds {
        let mut embedded = f64::NAN;
        for ((name, running), figures) in servers.iter().zip(&mut figures) {
            let rate = figures.add(bench, running, embedded).await?;
            if embedded.is_nan() {
                embedded = rate;
            }
            say(&format!("round {round}, the store {name}: {} checks a second", number(rate)));
        }
    }
    let mut table = Table::new(
        "Checks with Redis and without",
        &[
            "store",
            "recorded checks/s",
            "of the first row",
            "p99 ms",
            "CPU us a check",
            "CPU us of Redis a check",
            "does not count because",
        ],
    );
    table.note(format!(
        "One instance, closed loop over {CONNECTIONS} connections, by turns; Redis runs on the same cores. Conditions as for \
         the capacity."
    ));
    for ((name, _), figures) in servers.iter().zip(&figures) {
        table.row(vec![
            (*name).to_owned(),
            figures.rate.show(),
            figures.share.show(),
            figures.p99.show(),
            figures.cpu.show(),
            figures.redis_cpu.show(),
            figures.flaws.join("; "),
        ]);
    }
    for (_, running) in servers {
        running.server.stop()?;
    }
    Ok(vec![table])
}

impl Figures {
    async fn add(&mut self, bench: &Bench, running: &Running, embedded: f64) -> anyhow::Result<f64> {
        let cpu = || running.redis.as_ref().map_or(Ok(f64::NAN), |redis| redis.read().map(|reading| reading.cpu));
        let before = cpu()?;
        let outcome = bench.load(running, Ask::Check, (CONNECTIONS, None)).await?;
        let used = cpu()? - before;
        let rate = outcome.replies.rate();
        self.rate.add(rate);
        self.share.add(if embedded.is_nan() { 1.0 } else { rate / embedded });
        self.p99.add(outcome.replies.latency.quantile_millis(0.99));
        self.cpu.add(outcome.cpu_micros);
        self.redis_cpu.add(used * 1e6 / outcome.replies.all as f64);
        self.flaws.extend(outcome.flaw);
        Ok(rate)
    }
}
