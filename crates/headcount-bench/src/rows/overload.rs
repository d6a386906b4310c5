//! What a server does that gets more checks than its disk takes.

use std::time::{Duration, Instant};

use anyhow::bail;

use crate::bench::{Bench, Outcome, Running, say};
use crate::requests::Ask;
use crate::rows::SMALL;
use crate::slow_disk::SlowDisk;
use crate::table::{Samples, Table, number};

const CONNECTIONS: usize = 4096;
/// How long a load lasts in comparison to others: there is time for everything that could pile up.
const LONGER: f64 = 2.0;
/// How long a server may take to record again.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn measure(bench: &Bench) -> anyhow::Result<Vec<Table>> {
    let connections = if bench.options.quick { 256 } else { CONNECTIONS };
    let mut table = Table::new(
        "Overload",
        &["round", "answers/s", "recorded", "unconfirmed", "skipped", "503", "p99 ms", "peak MB", "recovered after ms"],
    );
    let mut recovery = Samples::default();
    for round in 1..=bench.options.rounds {
        let running = bench.start(SMALL, "overload").await?;
        let before = running.client.counted(&running.server).await?;
        let seconds = bench.options.seconds * LONGER;
        let slow = SlowDisk::begin(&running.folder)?;
        let requests = running.requests(Ask::Check);
        let outcome = bench.send_for(&running.server, requests, (connections, None), seconds).await;
        slow.end()?;
        let (outcome, recovered) = (outcome?, recovered(&running).await?);
        recovery.add(recovered);
        say(&format!(
            "round {round}, {connections} connections, a slow disk: recovered after {} ms",
            number(recovered)
        ));
        running.client.settle(&running.server).await?;
        let counted = running.client.counted(&running.server).await? - before;
        table.row(cells(round, &running, &outcome, (counted, recovered))?);
        running.server.stop()?;
    }
    table.note(format!(
        "Closed loop over {connections} connections for {} s, while another writer holds the journal for nine tenths of the \
         time. Every answer said what became of its check, and the report showed every recorded check and no more than \
         those and the unconfirmed ones. Peak: the most memory that the server ever \
         had. Recovered: from the end of the load until a check was recorded again, {} ms.",
        bench.options.seconds * LONGER,
        recovery.show(),
    ));
    Ok(vec![table])
}

fn cells(
    round: usize,
    running: &Running,
    outcome: &Outcome,
    (counted, recovered): (u64, f64),
) -> anyhow::Result<Vec<String>> {
    let replies = &outcome.replies;
    if replies.all != replies.recorded + replies.unconfirmed + replies.skipped + replies.refused {
        bail!("{} answers, of which some say nothing of their counting", replies.all);
    }
    // One more was recorded to see whether it recovers.
    let least = replies.recorded + 1;
    if !(least..=least + replies.unconfirmed).contains(&counted) {
        bail!("{} recorded and {} unconfirmed, {counted} counted", replies.recorded, replies.unconfirmed);
    }
    Ok(vec![
        round.to_string(),
        number(replies.rate()),
        number(replies.recorded as f64),
        number(replies.unconfirmed as f64),
        number(replies.skipped as f64),
        number(replies.refused as f64),
        number(replies.latency.quantile_millis(0.99)),
        number(running.server.used()?.peak as f64 / 1e6),
        number(recovered),
    ])
}

/// How long it takes until a check is recorded, in milliseconds.
async fn recovered(running: &Running) -> anyhow::Result<f64> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if running.client.check(&running.server, "benchmark-device").await.unwrap_or(false) {
            return Ok(began.elapsed().as_secs_f64() * 1000.0);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    bail!("the server does not recover")
}
