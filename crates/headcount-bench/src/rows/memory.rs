//! What a known device takes in memory.

use std::time::Duration;

use anyhow::bail;

use crate::bench::{Bench, say};
use crate::rows::{SMALL, short};
use crate::seed::Plan;
use crate::table::{Samples, Table, number};

/// When the check has been stored, and the first look of the keeper at the store, after 10 s, is still to come.
const FLUSHED: Duration = Duration::from_secs(6);

pub(super) async fn measure(bench: &Bench) -> anyhow::Result<Vec<Table>> {
    let mut counts = vec![SMALL.known];
    counts.extend(if bench.options.quick { vec![100_000] } else { vec![1_000_000, 3_000_000, 10_000_000] });
    let mut table =
        Table::new("Memory", &["known devices", "resident MB", "peak MB", "bytes a device beyond the first row"]);
    table.note(
        "Right after the first recorded check was stored, which needs the whole dictionary. No report was asked for, so the \
         segment cache (a setting, 256 MB at most) holds nothing.",
    );
    let mut base = f64::NAN;
    for known in counts {
        say(&format!("memory with {} known devices", short(known)));
        let (mut resident, mut peak) = (Samples::default(), Samples::default());
        for _ in 0..bench.options.rounds {
            let plan = Plan { known, ..SMALL };
            let running = bench.start(plan, "memory").await?;
            if !running.client.check(&running.server, "benchmark-device").await? {
                bail!("a check was not recorded");
            }
            // The flush of the check is over, and the keeper has not looked yet.
            tokio::time::sleep(FLUSHED).await;
            let used = running.server.used()?;
            resident.add(used.resident as f64);
            peak.add(used.peak as f64);
            running.server.stop()?;
        }
        if base.is_nan() {
            base = resident.median();
        }
        let each = (resident.median() - base) / f64::from(known - SMALL.known);
        let megabytes = |samples: &Samples| number(samples.median() / 1e6);
        table.row(vec![short(known), megabytes(&resident), megabytes(&peak), number(each)]);
    }
    Ok(vec![table])
}
