//! wrk, with a script that varies the requests as the generator does.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Output};

use anyhow::{Context as _, bail};

use crate::bench::{Bench, LONGEST_UNRECORDED};
use crate::requests::{Dice, Requests};

/// Different requests in the script; each thread sends them in an order of its own.
const REQUESTS: usize = 20_000;

/// What wrk found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) rate: f64,
    pub(crate) p99_millis: f64,
}

/// Runs wrk; `None` if there is none.
pub(crate) async fn run(
    bench: &Bench,
    address: SocketAddr,
    requests: Requests,
    connections: usize,
) -> anyhow::Result<Option<Found>> {
    let script = bench.root.join("requests.lua");
    fs::write(&script, lua(&requests))?;
    let mut command = Command::new("wrk");
    command
        .args(["--threads", "2", "--latency", "--connections", &connections.to_string()])
        .args(["--duration", &format!("{}s", bench.options.seconds.min(LONGEST_UNRECORDED).ceil())])
        .arg("--script")
        .arg(&script)
        .arg(format!("http://{address}/"));
    let output = tokio::task::spawn_blocking(move || command.output()).await.context("wrk was interrupted")?;
    match output {
        Ok(output) => read(&output).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The requests as a script: made before, so that wrk spends its time sending.
fn lua(requests: &Requests) -> String {
    let (mut dice, mut request) = (Dice(1), Vec::new());
    let mut text = "local requests = {\n".to_owned();
    for _ in 0..REQUESTS {
        requests.write(&mut dice, &mut request);
        _ = writeln!(text, "{:?},", String::from_utf8_lossy(&request));
    }
    text.push_str("}\nlocal at = 0\nfunction request()\n  at = at % #requests + 1\n  return requests[at]\nend\n");
    text
}

fn read(output: &Output) -> anyhow::Result<Found> {
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!("wrk failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let after = |name: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(name))?;
        Some(line.trim_start_matches(':').trim().to_owned())
    };
    let rate = after("Requests/sec").and_then(|text| text.parse().ok()).context("wrk says no rate")?;
    let p99 = after("99%").context("wrk says no latency")?;
    let millis = |unit: &str, factor: f64| p99.strip_suffix(unit)?.parse::<f64>().ok().map(|value| value * factor);
    let p99_millis = millis("us", 1e-3).or_else(|| millis("ms", 1.0)).or_else(|| millis("s", 1e3));
    Ok(Found { rate, p99_millis: p99_millis.context("wrk says its latency in another unit")? })
}
