//! From the start of the process to the first answered check.

use std::time::Instant;

use crate::bench::{Bench, say};
use crate::rows::{SMALL, short};
use crate::seed::Plan;
use crate::table::{Samples, Table};

pub(super) async fn measure(bench: &Bench) -> anyhow::Result<Vec<Table>> {
    let many = if bench.options.quick { 100_000 } else { 1_000_000 };
    let mut table = Table::new(
        "Start",
        &["known devices", "events in the journal", "first recorded check ms", "journal in the store ms"],
    );
    table.note("From the start of the process to the reply to the first check, and until the journal is in the store.");
    for (known, spooled) in [(SMALL.known, 0), (many, 0), (many, many)] {
        let plan = Plan { known, spooled, ..SMALL };
        let (mut first, mut shipped) = (Samples::default(), Samples::default());
        for _ in 0..bench.options.rounds {
            let (folder, seeded) = crate::seed::copy(plan, &bench.root, "start").await?;
            let started = Instant::now();
            let server = bench.programs.headcount(&folder, None)?;
            let client = crate::client::Client::new(&seeded.token);
            while !client.check(&server, "benchmark-device").await? {}
            first.add(started.elapsed().as_secs_f64() * 1000.0);
            client.settle(&server).await?;
            shipped.add(started.elapsed().as_secs_f64() * 1000.0);
            server.stop()?;
        }
        say(&format!("start with {} known devices: {} ms", short(known), first.show()));
        table.row(vec![short(known), short(spooled), first.show(), shipped.show()]);
    }
    Ok(vec![table])
}
