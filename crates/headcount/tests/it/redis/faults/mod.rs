//! Faults of Redis under load. Whatever happens to it, each check is answered as ever, and what was recorded is counted
//! once. How long answers take meanwhile is printed.

mod answers;
mod any;
mod cluster;
mod cut;
mod damaged;
mod instances;
mod limits;
mod long;
mod lost;
mod network;
mod one;
mod sentinel;

use std::process::Command;
use std::time::{Duration, Instant};

use crate::app::fresh_directory;
use crate::ledger::{Clients, Fate, Ledger, Shop};
use crate::process::Server;

/// How many clients an instance has, and what lies between two checks of one.
const CLIENTS: usize = 6;
const PAUSE: Duration = Duration::from_millis(10);

/// How long it may take until what was recorded is counted, when nothing is broken any more.
const PATIENCE: Duration = Duration::from_mins(2);

/// An installation whose segments live in a Redis, and its clients.
struct Site {
    shop: Shop,
    clients: Clients,
}

impl Site {
    async fn open() -> Self {
        let clients = Clients::writing(Ledger::default(), 0..CLIENTS, PAUSE);
        Self { shop: Shop::open().await, clients }
    }

    /// An instance on another machine: a copy of the data folder as it is now, with clients of its own that write to
    /// the same ledger.
    fn copied(&self, number: usize) -> Self {
        let folder = fresh_directory();
        let copied = Command::new("cp").arg("-a").arg(self.shop.folder.join("data")).arg(&folder).status();
        assert!(copied.unwrap().success());
        let numbers = number * CLIENTS..(number + 1) * CLIENTS;
        let clients = Clients::writing(self.clients.ledger.clone(), numbers, PAUSE);
        Self { shop: self.shop.moved_to(folder), clients }
    }

    fn serve(&self, redis: &str) -> Server {
        self.serve_with(redis, &[])
    }

    /// The same with more settings.
    fn serve_with(&self, redis: &str, settings: &[(&str, &str)]) -> Server {
        Server::start(&self.shop.folder, &[&Self::settings(redis), settings].concat(), &[])
    }

    fn settings(redis: &str) -> [(&str, &str); 6] {
        [
            ("ENABLE_TELEMETRY", "true"),
            ("HEADCOUNT_LOG", "info"),
            ("HEADCOUNT_METRICS_LISTEN", "127.0.0.1:0"),
            // Many steps, so that faults fall between and into them.
            ("HEADCOUNT_FLUSH_INTERVAL_MS", "100"),
            // However busy the machine is, it is known what became of every check.
            ("HEADCOUNT_COMMIT_WAIT_MS", "10000"),
            ("REDIS_URL", redis),
        ]
    }

    /// Sends checks for a moment.
    async fn load(&mut self, server: &Server) {
        self.clients.load(server, Duration::from_millis(300), || {}).await;
    }

    /// Sends checks, and breaks something in the middle of it; says how long answers took before and meanwhile.
    async fn under_load(&mut self, server: &Server, what: &str, fault: impl FnOnce()) {
        self.load(server).await;
        let before = self.clients.take_times();
        self.clients.load(server, Duration::from_millis(50), fault).await;
        print_times(what, &before, &self.clients.take_times());
    }

    /// How many checks were recorded.
    fn recorded(&self) -> u64 {
        self.clients.ledger.devices(&[Fate::Recorded]).len() as u64
    }

    /// How many requests the server has counted, if it can say.
    async fn counted(&self, server: &Server) -> Option<u64> {
        let report = self.shop.try_telemetry(server).await?;
        report["summary"]["total_requests"].as_u64()
    }

    /// Waits until the server has counted so many.
    async fn await_counted(&self, server: &Server, count: u64) {
        let started = Instant::now();
        let mut seen = None;
        while started.elapsed() < PATIENCE {
            seen = self.counted(server).await;
            if seen.is_some_and(|seen| seen >= count) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{seen:?} of {count} are counted after {PATIENCE:?}: {}", server.log());
    }

    /// Waits until the server has counted all that was recorded, by whichever instance: what is uncertain may be counted
    /// first, so that their number alone does not tell.
    async fn await_recorded(&self, server: &Server, ledger: &Ledger) {
        self.await_counted(server, ledger.devices(&[Fate::Recorded]).len() as u64).await;
        let started = Instant::now();
        loop {
            let lacking = self.shop.lacking(server, ledger).await;
            if lacking.is_empty() {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "{lacking:?} after {PATIENCE:?}: {}", server.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The same devices are in the store as were sent.
    async fn assert_devices(&self, redis: &str) {
        self.shop.compare_devices_in(redis, &self.clients.ledger).await;
    }

    /// Every check was recorded, and every server has counted exactly what was.
    async fn assert_counted(&self, servers: &[&Server]) {
        let others = self.clients.ledger.devices(&[Fate::Cut, Fate::Unconfirmed, Fate::Skipped]);
        assert!(others.is_empty(), "{others:?}");
        for server in servers {
            self.await_counted(server, self.recorded()).await;
            self.shop.compare(server, &self.clients.ledger).await;
        }
    }
}

/// How many of a hundred answers took no longer than that.
fn quantile(times: &[Duration], of_hundred: usize) -> Duration {
    times.get((times.len() * of_hundred / 100).min(times.len().saturating_sub(1))).copied().unwrap_or_default()
}

fn print_times(what: &str, before: &[Duration], meanwhile: &[Duration]) {
    let [[half, most], [half_now, most_now]] =
        [before, meanwhile].map(|times| [50, 99].map(|of_hundred| quantile(times, of_hundred)));
    let (longest, checks) = (meanwhile.last().copied().unwrap_or_default(), meanwhile.len());
    say(&format!(
        "{what}: p50 {half:.1?} -> {half_now:.1?}, p99 {most:.1?} -> {most_now:.1?}, at most {longest:.1?}, of {checks} checks"
    ));
}

#[expect(clippy::print_stdout, reason = "it is what the test has measured")]
fn say(line: &str) {
    println!("{line}");
}
