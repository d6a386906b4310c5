//! Latencies below capacity, from the moment at which a request was meant to be sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::Context as _;

use crate::bench::{Bench, Running, say};
use crate::requests::Ask;
use crate::rows::{SMALL, short};
use crate::seed::Plan;
use crate::table::{Samples, Table, number};

const CONNECTIONS: usize = 256;
/// Clients that ask for months.
const ASKING: usize = 8;
/// Checks a second while they do: those of 18 million devices that check every hour.
const RATE: f64 = 5000.0;

pub(super) async fn measure(bench: &Bench) -> anyhow::Result<Vec<Table>> {
    Ok(vec![half(bench).await?, meanwhile(bench).await?])
}

const HEAD: [&str; 6] = ["load", "checks/s", "p50 ms", "p99 ms", "p99.9 ms", "not recorded"];

#[derive(Debug, Default)]
struct Figures {
    rate: Samples,
    p50: Samples,
    p99: Samples,
    p999: Samples,
    lost: u64,
}

impl Figures {
    async fn load(&mut self, bench: &Bench, running: &Running, rate: f64) -> anyhow::Result<f64> {
        let outcome = bench.load(running, Ask::Check, (CONNECTIONS, Some(rate))).await?;
        let latency = &outcome.replies.latency;
        self.rate.add(outcome.replies.rate());
        self.p50.add(latency.quantile_millis(0.5));
        self.p99.add(latency.quantile_millis(0.99));
        self.p999.add(latency.quantile_millis(0.999));
        self.lost += outcome.replies.all - outcome.replies.recorded;
        Ok(latency.quantile_millis(0.99))
    }

    fn cells(&self, name: String) -> Vec<String> {
        vec![name, self.rate.show(), self.p50.show(), self.p99.show(), self.p999.show(), self.lost.to_string()]
    }
}

async fn half(bench: &Bench) -> anyhow::Result<Table> {
    let running = bench.start(SMALL, "half").await?;
    let (mut capacity, mut half, mut quarter) = (Samples::default(), Figures::default(), Figures::default());
    for round in 1..=bench.options.rounds {
        let full = bench.load(&running, Ask::Check, (CONNECTIONS, None)).await?.replies.rate();
        capacity.add(full);
        let p99 = half.load(bench, &running, full / 2.0).await?;
        say(&format!("round {round}, half of {} a second: p99 {} ms", number(full), number(p99)));
        quarter.load(bench, &running, full / 4.0).await?;
    }
    running.server.stop()?;
    let mut table = Table::new("Recorded checks below capacity", &HEAD);
    table.note(format!(
        "Open loop over {CONNECTIONS} connections: the latency counts from the moment at which a check was meant to be \
         sent, also where the generator was late; its timer adds up to 1 ms. The capacity is measured right before, in the \
         same round."
    ));
    table.row(vec![
        "capacity, closed loop".to_owned(),
        capacity.show(),
        String::new(),
        String::new(),
        String::new(),
        String::new(),
    ]);
    table.row(half.cells("half of it".to_owned()));
    table.row(quarter.cells("a quarter of it".to_owned()));
    Ok(table)
}

async fn meanwhile(bench: &Bench) -> anyhow::Result<Table> {
    let known = if bench.options.quick { 10_000 } else { 1_000_000 };
    say(&format!("making a fleet: {} devices, 31 days", short(known)));
    let plan = Plan { known, days: 31, ..SMALL };
    let running = Arc::new(bench.start(plan, "meanwhile").await?);
    let (mut alone, mut beside, mut reports) = (Figures::default(), Figures::default(), Samples::default());
    for round in 1..=bench.options.rounds {
        let quiet = alone.load(bench, &running, RATE).await?;
        let asking = Asking::begin(&running);
        let busy = beside.load(bench, &running, RATE).await?;
        reports.add(asking.end().await? as f64 / (bench.options.seconds + 1.5));
        say(&format!("round {round}: p99 {} ms alone, {} ms beside reports", number(quiet), number(busy)));
    }
    let mut table = Table::new("Checks while reports are asked for", &HEAD);
    table.note(format!(
        "The same open loop at {} checks a second, against a fleet of {} devices a day over 31 days; then while {ASKING} \
         clients ask for months in a loop, every second one with filters.",
        number(RATE),
        short(known),
    ));
    table.row(alone.cells("alone".to_owned()));
    table.row(beside.cells(format!("beside {} month reports/s", reports.show())));
    Ok(table)
}

/// Clients that ask for months until they are told to end.
pub(super) struct Asking {
    stop: Arc<AtomicBool>,
    clients: Vec<tokio::task::JoinHandle<()>>,
    answered: Arc<AtomicU64>,
}

impl Asking {
    pub(super) fn begin(running: &Arc<Running>) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let client = |place: usize| {
            let (running, stop, answered) = (running.clone(), stop.clone(), answered.clone());
            tokio::spawn(async move {
                let query = if place.is_multiple_of(2) {
                    "range=month"
                } else {
                    "range=month&platforms=linux,darwin&channels=stable"
                };
                while !stop.load(Ordering::Relaxed) {
                    let report = running.client.report(&running.server, query).await;
                    answered.fetch_add(u64::from(report.is_ok()), Ordering::Relaxed);
                }
            })
        };
        Self { clients: (0..ASKING).map(client).collect(), stop, answered }
    }

    /// How many reports were answered.
    pub(super) async fn end(self) -> anyhow::Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.context("a client failed")?;
        }
        Ok(self.answered.load(Ordering::Relaxed))
    }
}
