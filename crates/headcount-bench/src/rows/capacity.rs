//! How many requests a second a server answers when clients never wait.

use std::collections::BTreeMap;

use crate::bench::{Bench, Outcome, Running, say};
use crate::requests::{Ask, Requests};
use crate::rows::SMALL;
use crate::server::Server;
use crate::table::{Samples, Table, number};
use crate::wrk;

const ASKED: [(Ask, &str); 5] = [
    (Ask::Bare, "bare axum handler, short JSON"),
    (Ask::Health, "`/health`"),
    (Ask::Unnamed, "`/checkVersion`, no device id"),
    (Ask::Check, "`/checkVersion`, recorded"),
    (Ask::Beacon, "`/telemetry/beacon`, recorded"),
];

#[derive(Debug, Default)]
struct Figures {
    rate: Samples,
    of_bare: Samples,
    p50: Samples,
    p99: Samples,
    cpu: Samples,
    flaws: Vec<String>,
}

pub(super) async fn measure(bench: &Bench) -> anyhow::Result<Vec<Table>> {
    let bare = bench.programs.bare(&bench.bare_folder())?;
    let running = bench.start(SMALL, "capacity").await?;
    let connections: &[usize] = if bench.options.quick { &[64, 256] } else { &[64, 256, 1024] };
    let mut figures: BTreeMap<(usize, usize), Figures> = BTreeMap::new();
    for round in 1..=bench.options.rounds {
        for &connections in connections {
            let mut ceiling = f64::NAN;
            for (place, &(ask, name)) in ASKED.iter().enumerate() {
                let outcome = one(bench, (&bare, &running), ask, connections).await?;
                let rate = outcome.replies.rate();
                if ask == Ask::Bare {
                    ceiling = rate;
                }
                say(&format!("round {round}, {connections} connections, {name}: {} a second", number(rate)));
                figures.entry((connections, place)).or_default().add(outcome, ceiling);
            }
        }
    }
    let mut table = Table::new(
        "Capacity",
        &["request", "connections", "requests/s", "of bare", "p50 ms", "p99 ms", "CPU us a request"],
    );
    table.note(
        "Closed loop: each connection sends its next request when the reply is there. A recorded row counts only if every \
         reply said `recorded` (fsynced before the reply), `total_requests` grew by exactly their number, and \
         the store had all of them within 1 s after the load.",
    );
    for ((connections, place), figures) in figures {
        table.row(figures.cells(ASKED[place].1, connections));
    }
    let mut tables = vec![table];
    tables.extend(compare_generators(bench, (&bare, &running)).await?);
    running.server.stop()?;
    Ok(tables)
}

async fn one(
    bench: &Bench,
    (bare, running): (&Server, &Running),
    ask: Ask,
    connections: usize,
) -> anyhow::Result<Outcome> {
    if ask == Ask::Bare {
        return bench.send(bare, Requests { ask, devices: 1, versions: 1 }, (connections, None)).await;
    }
    bench.load(running, ask, (connections, None)).await
}

impl Figures {
    fn add(&mut self, outcome: Outcome, ceiling: f64) {
        self.rate.add(outcome.replies.rate());
        self.of_bare.add(outcome.replies.rate() / ceiling);
        self.p50.add(outcome.replies.latency.quantile_millis(0.5));
        self.p99.add(outcome.replies.latency.quantile_millis(0.99));
        self.cpu.add(outcome.cpu_micros);
        self.flaws.extend(outcome.flaw);
    }

    fn cells(&self, name: &str, connections: usize) -> Vec<String> {
        let name = if self.flaws.is_empty() {
            name.to_owned()
        } else {
            format!("{name}: does not count ({})", self.flaws.join("; "))
        };
        vec![
            name,
            connections.to_string(),
            self.rate.show(),
            self.of_bare.show(),
            self.p50.show(),
            self.p99.show(),
            self.cpu.show(),
        ]
    }
}

/// The same load from wrk, so that nobody has to trust the generator.
async fn compare_generators(bench: &Bench, (bare, running): (&Server, &Running)) -> anyhow::Result<Option<Table>> {
    const CONNECTIONS: usize = 256;
    let mut table = Table::new("The generator beside wrk", &["request", "own generator/s", "wrk/s", "wrk p99 ms"]);
    table.note(format!(
        "Every row above is sent by the benchmark's own generator, because wrk cannot look at each reply's header without \
         slowing down to a part of its speed. Here both send the same requests over {CONNECTIONS} connections, two \
         threads each, wrk with a script that varies device, version and platform and looks at no reply."
    ));
    for (server, ask, name) in [(bare, Ask::Bare, ASKED[0].1), (&running.server, Ask::Check, ASKED[3].1)] {
        let (mut own, mut theirs, mut p99) = (Samples::default(), Samples::default(), Samples::default());
        for _ in 0..bench.options.rounds {
            let requests = Requests { ask, devices: 10_000, versions: u64::from(running.plan.versions) };
            own.add(bench.send(server, requests, (CONNECTIONS, None)).await?.replies.rate());
            let Some(found) = wrk::run(bench, server.address, requests, CONNECTIONS).await? else { return Ok(None) };
            theirs.add(found.rate);
            p99.add(found.p99_millis);
        }
        table.row(vec![name.to_owned(), own.show(), theirs.show(), p99.show()]);
    }
    Ok(Some(table))
}
