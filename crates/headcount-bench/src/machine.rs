//! The machine that is measured.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use crate::table::{Samples, number};

/// How often a write is flushed to learn how long that takes.
const FLUSHES: usize = 200;

/// One sentence: processor, memory, kernel.
pub(crate) fn describe() -> anyhow::Result<String> {
    let cpu = fs::read_to_string("/proc/cpuinfo")?;
    let model = value_of(&cpu, "model name").unwrap_or("an unknown processor");
    let cores = std::thread::available_parallelism()?;
    let memory = fs::read_to_string("/proc/meminfo")?;
    let kilobytes: f64 =
        value_of(&memory, "MemTotal").and_then(|text| text.split(' ').next()?.parse().ok()).unwrap_or(0.0);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    Ok(format!("{model}, {cores} cores, {} GB of memory, Linux {}", number(kilobytes / 1_048_576.0), kernel.trim()))
}

/// How busy the machine is, as the kernel says: the load averages of 1, 5 and 15 minutes.
pub(crate) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(", ")
}

fn value_of<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim())
}

/// How long 4 KiB take to be written and flushed, in milliseconds.
pub(crate) fn flush_millis(folder: &Path) -> anyhow::Result<Samples> {
    fs::create_dir_all(folder)?;
    let path = folder.join("flush");
    let mut file = File::create(&path)?;
    let mut samples = Samples::default();
    for _ in 0..FLUSHES {
        file.write_all(&[7; 4096])?;
        let asked = Instant::now();
        file.sync_data()?;
        samples.add(asked.elapsed().as_secs_f64() * 1000.0);
    }
    fs::remove_file(path)?;
    Ok(samples)
}
