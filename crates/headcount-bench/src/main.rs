//! `make bench`: measures Headcount beside its references, on the machine that it runs on.

mod bare;
mod bench;
mod client;
mod fleet;
mod histogram;
mod load;
mod machine;
mod page;
mod redis_server;
mod requests;
mod rows;
mod seed;
mod server;
mod slow_disk;
mod table;
mod wrk;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Parser, Subcommand, ValueEnum as _};

use crate::bench::{Bench, Options, say};
use crate::page::Page;
use crate::requests::Ask;
use crate::rows::Row;
use crate::server::Programs;

// The bare handler gets what the server has.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Headcount beside its references.
#[derive(Debug, Parser)]
#[command(name = "headcount-bench")]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure and print the tables
    Run(Arguments),
    /// Serve the bare handler that others are compared with
    Bare,
}

#[derive(Debug, clap::Args)]
struct Arguments {
    /// What to measure, separated by commas [default: everything]
    #[arg(long, value_delimiter = ',')]
    rows: Vec<Row>,
    /// How often each figure is measured
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// For how many seconds each load of recorded requests is measured; others for 5 at most
    #[arg(long, default_value_t = 30.0)]
    seconds: f64,
    /// Small fleets, few connections, one round of 2 s: a test of the benchmark itself
    #[arg(long)]
    quick: bool,
    /// The program under test
    #[arg(long, default_value = "target/release/headcount")]
    program: PathBuf,
    /// Where fleets are made and kept; on the disk that is to be measured
    #[arg(long, default_value = "target/bench")]
    folder: PathBuf,
    /// The page to write; with --rows, only the parts of these are replaced [default: print it only]
    #[arg(long)]
    write: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    headcount::http::server::raise_open_files();
    let runtime = tokio::runtime::Runtime::new()?;
    match CommandLine::parse().command {
        Command::Bare => runtime.block_on(bare::serve()),
        Command::Run(arguments) => runtime.block_on(run(arguments)),
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { rows, rounds, seconds, quick, program, folder, write } = arguments;
    let (rounds, seconds) = if quick { (1, 2.0) } else { (rounds, seconds) };
    fs::create_dir_all(&folder)?;
    let programs = Programs {
        headcount: program.canonicalize().with_context(|| format!("there is no {}", program.display()))?,
        bench: std::env::current_exe()?,
    };
    let root = folder.canonicalize()?;
    let options = Options { rounds, seconds, quick };
    let bench = Bench { programs, root, options };
    let rows = if rows.is_empty() { Row::value_variants().to_vec() } else { rows };
    let machine = machine::describe()?;
    say(&machine);
    // Read before anything is measured: a page of another machine is refused at once.
    let mut page = match &write {
        Some(path) if !is_everything(&rows) => Page::read(path, &machine)?,
        Some(_) | None => Page::new(&machine),
    };
    for row in rows {
        let part = measure(&bench, row).await?;
        writeln!(std::io::stdout(), "{part}")?;
        page.set(row, &part);
        // After each row: what was measured is kept if the next one fails.
        if let Some(path) = &write {
            fs::write(path, page.render()).with_context(|| format!("{} cannot be written", path.display()))?;
        }
    }
    Ok(())
}

fn is_everything(rows: &[Row]) -> bool {
    Row::value_variants().iter().all(|row| rows.contains(row))
}

/// The tables of one row, and under them how they came about.
async fn measure(bench: &Bench, row: Row) -> anyhow::Result<String> {
    let Options { rounds, seconds, .. } = bench.options;
    let (before, flush) = (machine::load_average(), machine::flush_millis(&bench.root)?);
    let mut part = String::new();
    for table in row.measure(bench).await? {
        _ = writeln!(part, "{}", table.render());
    }
    _ = write!(
        part,
        "Measured on {} with `--rows {} --rounds {rounds} --seconds {seconds}` (loads of requests that are not recorded: {} \
         s). 4 KiB were written and flushed (fdatasync) in {} ms; load averages of the machine {before} before and {} after.",
        headcount::clock::Clock::wall().now().day(),
        row.name(),
        bench.options.seconds_of(Ask::Bare),
        flush.show(),
        machine::load_average(),
    );
    Ok(part)
}
