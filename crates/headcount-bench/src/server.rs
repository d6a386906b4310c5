//! The servers under test: processes of their own, and what the system says about them.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::redis_server::RedisServer;

/// The clock ticks of `/proc/PID/stat`, which Linux fixes at 100 a second for programs.
const TICKS_A_SECOND: f64 = 100.0;
/// How long a server may take to stop.
const STOP: Duration = Duration::from_secs(20);

/// A running server. It is killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

/// What a process has used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Used {
    /// Seconds of processor time.
    pub(crate) cpu: f64,
    /// Bytes in memory now.
    pub(crate) resident: u64,
    /// The most bytes that there were in memory.
    pub(crate) peak: u64,
}

/// The programs: the server itself, and this one.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    pub(crate) headcount: PathBuf,
    pub(crate) bench: PathBuf,
}

impl Programs {
    /// Starts `headcount serve` over that folder, with the store in that Redis if there is one.
    pub(crate) fn headcount(&self, folder: &Path, redis: Option<&RedisServer>) -> anyhow::Result<Server> {
        let mut command = Command::new(&self.headcount);
        command.args(["serve", "--listen", "127.0.0.1:0", "--telemetry", "true", "--data-dir"]).arg(folder);
        // No environment and no `.env`: nothing but the defaults is measured.
        command.env_clear().envs(redis.map(RedisServer::setting));
        Server::start(command, &folder.join("log"))
    }

    /// Starts the bare handler.
    pub(crate) fn bare(&self, folder: &Path) -> anyhow::Result<Server> {
        let mut command = Command::new(&self.bench);
        command.arg("bare").env_clear();
        Server::start(command, &folder.join("log"))
    }
}

impl Server {
    fn start(mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let folder = log.parent().context("a log without a folder")?;
        fs::create_dir_all(folder)?;
        command.current_dir(folder).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(fs::File::create(log)?);
        let mut child = command.spawn().with_context(|| format!("{command:?} cannot be started"))?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let address = line.trim_end().strip_prefix("Headcount serves http://").and_then(|text| text.parse().ok());
        let Some(address) = address else {
            _ = child.kill();
            bail!("the server did not start; see {}", log.display());
        };
        Ok(Self { child, address })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn used(&self) -> anyhow::Result<Used> {
        let process = PathBuf::from(format!("/proc/{}", self.child.id()));
        let stat = fs::read_to_string(process.join("stat"))?;
        // The name in brackets may hold anything; user and system time are the 12th and 13th word behind it.
        let words: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        let ticks = |at: usize| words.get(at).and_then(|word| word.parse::<f64>().ok()).context("no processor time");
        let status = fs::read_to_string(process.join("status"))?;
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kilobytes = line.and_then(|rest| rest.trim_matches([' ', '\t', ':', 'k', 'B']).parse::<u64>().ok());
            kilobytes.map(|kilobytes| kilobytes * 1024).with_context(|| format!("no {name}"))
        };
        Ok(Used { cpu: (ticks(11)? + ticks(12)?) / TICKS_A_SECOND, resident: bytes("VmRSS")?, peak: bytes("VmHWM")? })
    }

    /// Stops the server as an operator would, and waits until it is gone.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        terminate(&mut self.child)
    }
}

/// Tells a process to end, and waits until it is gone.
pub(crate) fn terminate(child: &mut Child) -> anyhow::Result<()> {
    let id = child.id().to_string();
    Command::new("kill").args(["-TERM", &id]).status().context("kill cannot be run")?;
    let asked = Instant::now();
    while asked.elapsed() < STOP {
        if child.try_wait()?.is_some() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    bail!("a server did not stop within {} s", STOP.as_secs())
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
