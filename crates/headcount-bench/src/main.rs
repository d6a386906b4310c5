//! `make bench`: measures Headcount beside its references, on the machine that it runs on.

mod bare;
mod bench;
mod client;
mod fleet;
mod histogram;
mod load;
mod machine;
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
    /// The page to write [default: print it only]
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
    let mut page = introduction(&bench)?;
    for row in rows {
        for table in row.measure(&bench).await? {
            let text = table.render();
            writeln!(std::io::stdout(), "{text}")?;
            _ = write!(page, "\n{text}");
        }
    }
    _ = write!(page, "\nLoad averages of the machine at the end: {}.\n", machine::load_average());
    if let Some(path) = write {
        fs::write(&path, page).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}

fn introduction(bench: &Bench) -> anyhow::Result<String> {
    let Options { rounds, seconds, .. } = bench.options;
    let others = bench.options.seconds_of(Ask::Bare);
    let machine = machine::describe(&bench.root)?;
    say(&machine);
    Ok(format!(
        "# Benchmarks\n\n\
         Written by `make bench`, which builds the release, makes the fleets and measures every row beside its reference in \
         one run. Server and load generator share the machine. Figures are medians of {rounds} rounds with the least and \
         the greatest behind them; each load of recorded requests lasts {seconds} s after a warm-up, each other one \
         {others} s.\n\n\
         Machine: {machine}. Load averages before: {}.\n",
        machine::load_average(),
    ))
}
