//! The Redis under test: a process of its own, and what it says about itself.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use redis::{Cmd, FromRedisValue};

use crate::server::terminate;

/// How long it may take to read its files.
const START: Duration = Duration::from_mins(2);
/// The microseconds from which on a command is in the slow log.
const SLOW: &str = "1000";
/// The milliseconds from which on anything that blocks is noted.
const STALL: &str = "1";

/// A running `redis-server`. It is killed when it is dropped.
#[derive(Debug)]
pub(crate) struct RedisServer {
    child: Child,
    address: String,
}

/// What it has done since it was started, and what it holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reading {
    /// The calls of each command, also of those inside scripts.
    pub(crate) calls: BTreeMap<String, u64>,
    /// Seconds of processor time, without the processes that rewrite its file.
    pub(crate) cpu: f64,
    /// Bytes that came in.
    pub(crate) received: u64,
    /// Bytes that went out.
    pub(crate) sent: u64,
    /// Bytes of its memory in use.
    pub(crate) memory: u64,
}

/// What kept it from serving since it was last asked, for a millisecond or longer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Blocked {
    /// The longest run of each command or script, in milliseconds.
    pub(crate) commands: BTreeMap<String, f64>,
    /// The longest of everything else: forks, writes of its file, expiry, in milliseconds.
    pub(crate) other: BTreeMap<String, u64>,
}

/// An entry of its slow log: number, moment, microseconds, words, whose it was.
type Slow = (u64, u64, u64, Vec<Vec<u8>>, String, String);

impl RedisServer {
    /// Starts one over that folder, on a free loopback port, as the documentation asks for.
    pub(crate) fn start(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new("redis-server");
        command
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--appendonly", "yes"])
            .args(["--appendfsync", "everysec", "--maxmemory-policy", "noeviction", "--save", ""])
            .args(["--slowlog-log-slower-than", SLOW, "--slowlog-max-len", "4096"])
            .args(["--latency-monitor-threshold", STALL, "--dir"])
            .arg(folder)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(fs::File::create(folder.join("log"))?);
        let child = command.spawn().context("redis-server cannot be started")?;
        let mut server = Self { child, address: format!("redis://127.0.0.1:{port}") };
        let started = Instant::now();
        while server.ask::<String>(&redis::cmd("PING")).is_err() {
            if server.child.try_wait()?.is_some() || started.elapsed() > START {
                bail!("redis-server does not serve; see {}", folder.join("log").display());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    /// The setting that leads a server to it.
    pub(crate) fn setting(&self) -> (String, String) {
        ("REDIS_URL".to_owned(), self.address.clone())
    }

    /// Sends it one command.
    pub(crate) fn ask<T: FromRedisValue>(&self, command: &Cmd) -> anyhow::Result<T> {
        let mut connection = redis::Client::open(self.address.as_str())?.get_connection()?;
        Ok(command.query(&mut connection)?)
    }

    /// What it says about itself.
    pub(crate) fn read(&self) -> anyhow::Result<Reading> {
        let text: String = self.ask(redis::cmd("INFO").arg("everything"))?;
        let mut reading = Reading::default();
        for (name, value) in text.lines().filter_map(|line| line.split_once(':')) {
            let number = value.parse::<f64>().unwrap_or_default();
            match name {
                "used_cpu_sys" | "used_cpu_user" => reading.cpu += number,
                "total_net_input_bytes" => reading.received = number as u64,
                "total_net_output_bytes" => reading.sent = number as u64,
                "used_memory" => reading.memory = number as u64,
                _ => {
                    let calls = value.strip_prefix("calls=").and_then(|rest| rest.split(',').next()?.parse().ok());
                    if let (Some(command), Some(calls)) = (name.strip_prefix("cmdstat_"), calls) {
                        reading.calls.insert(command.to_owned(), calls);
                    }
                }
            }
        }
        Ok(reading)
    }

    /// What kept it from serving since this was last asked.
    pub(crate) fn blocked(&self) -> anyhow::Result<Blocked> {
        let scripts: BTreeMap<&str, &str> = headcount::store::redis_scripts().collect();
        let mut blocked = Blocked::default();
        let slow: Vec<Slow> = self.ask(redis::cmd("SLOWLOG").arg("GET").arg(-1))?;
        for (_, _, micros, words, _, _) in slow {
            let word = |place: usize| words.get(place).map(|word| String::from_utf8_lossy(word).into_owned());
            let script = word(1).and_then(|hash| scripts.get(hash.as_str()).copied());
            let name = script.map_or_else(|| word(0).unwrap_or_default(), |script| format!("script {script}"));
            let longest = blocked.commands.entry(name).or_default();
            *longest = longest.max(micros as f64 / 1000.0);
        }
        let events: Vec<(String, u64, u64, u64)> = self.ask(redis::cmd("LATENCY").arg("LATEST"))?;
        blocked.other = events
            .into_iter()
            .filter(|(event, ..)| event != "command" && event != "fast-command")
            .map(|(event, _, _, longest)| (event, longest))
            .collect();
        self.ask::<String>(redis::cmd("SLOWLOG").arg("RESET"))?;
        self.ask::<u64>(redis::cmd("LATENCY").arg("RESET"))?;
        Ok(blocked)
    }

    /// Stops it as an operator would, and waits until it is gone: its file is whole then.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        terminate(&mut self.child)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Reading {
    /// The calls of that command since the other reading.
    pub(crate) fn calls_since(&self, before: &Self, command: &str) -> u64 {
        let calls = |reading: &Self| reading.calls.get(command).copied().unwrap_or_default();
        calls(self) - calls(before)
    }

    /// The calls of all commands since the other reading, without the question for that one.
    pub(crate) fn all_calls_since(&self, before: &Self) -> u64 {
        let all = |reading: &Self| reading.calls.values().sum::<u64>();
        all(self) - all(before) - 1
    }
}

impl Blocked {
    /// Together with what was found at another time.
    pub(crate) fn merge(&mut self, other: Self) {
        for (name, millis) in other.commands {
            let longest = self.commands.entry(name).or_default();
            *longest = longest.max(millis);
        }
        for (name, millis) in other.other {
            let longest = self.other.entry(name).or_default();
            *longest = (*longest).max(millis);
        }
    }
}
