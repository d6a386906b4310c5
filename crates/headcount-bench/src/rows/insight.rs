//! How long the questions about a month take that are not the report.

use crate::bench::{Bench, say};
use crate::rows::reports::time;
use crate::rows::{SMALL, short};
use crate::seed::Plan;
use crate::table::{Table, number};

/// What is asked, below `/telemetry/`.
const QUESTIONS: [&str; 10] = [
    "trend?",
    "breakdown?by=version",
    "breakdown?by=version&over=time",
    "matrix?rows=version&columns=platform",
    "adoption?version=1.0.0&compare=1.6.0",
    "upgrades?",
    "attention?",
    "retention?by=day",
    "retention?by=week",
    "quality?",
];

pub(super) async fn measure(bench: &Bench) -> anyhow::Result<Vec<Table>> {
    let known = if bench.options.quick { 10_000 } else { 1_000_000 };
    say(&format!("making a fleet: {} devices a day, 31 days", short(known)));
    let mut running = bench.start(Plan { known, days: 31, ..SMALL }, "insight").await?;
    say(&format!("made in {} s", number(running.seeded.seconds)));
    let mut table = Table::new("Insight", &["question", "filters", "cold ms", "warm ms"]);
    table.note(format!(
        "`GET /telemetry/...` of a month, {} devices a day on 31 days, from the request to the last byte of the reply. Cold, \
         warm and filters are those of the reports. A release was published every second day.",
        short(known),
    ));
    for question in QUESTIONS {
        for (filtered, filters) in [(false, "none"), (true, "channel + platform")] {
            let (cold, warm);
            let path = format!("/telemetry/{question}&range=month");
            (running, cold, warm) = time(bench, running, &path, filtered).await?;
            say(&format!("{question}, {filters}: cold {}, warm {} ms", cold.show(), warm.show()));
            let question = question.trim_end_matches('?').to_owned();
            table.row(vec![format!("`{question}`"), filters.to_owned(), cold.show(), warm.show()]);
        }
    }
    running.server.stop()?;
    Ok(vec![table])
}
