//! What all measurements share.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::client::Client;
use crate::load::{self, Load, Replies};
use crate::redis_server::RedisServer;
use crate::requests::{Ask, Requests};
use crate::seed::{self, Plan, Seeded};
use crate::server::{Programs, Server};

/// How far the store may be behind the journal at the end of a load.
const MOST_LAG: Duration = Duration::from_secs(1);

/// The longest that a load is measured of which nothing is kept, in seconds.
pub(crate) const LONGEST_UNRECORDED: f64 = 5.0;

/// How much is measured.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) rounds: usize,
    /// How long each load is measured that is recorded.
    pub(crate) seconds: f64,
    /// Small fleets and few connections: a test of the benchmark, not of the server.
    pub(crate) quick: bool,
}

impl Options {
    /// How long a load is measured. What is not recorded leaves nothing behind that could pile up with time.
    pub(crate) fn seconds_of(&self, ask: Ask) -> f64 {
        if ask.is_counted() { self.seconds } else { self.seconds.min(LONGEST_UNRECORDED) }
    }
}

/// A benchmark run.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) programs: Programs,
    pub(crate) root: PathBuf,
    pub(crate) options: Options,
}

/// A server over a fleet of its own.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) server: Server,
    pub(crate) client: Client,
    pub(crate) plan: Plan,
    pub(crate) folder: PathBuf,
    pub(crate) seeded: Seeded,
    /// Where its store is, unless that is in its folder.
    pub(crate) redis: Option<Arc<RedisServer>>,
}

/// What one load did to a server.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) replies: Replies,
    /// Microseconds of the server's processor time for each reply.
    pub(crate) cpu_micros: f64,
    /// From the last reply until the store had everything that was recorded, in milliseconds.
    pub(crate) lag: f64,
    /// From the last reply until the first report showed all of it, in milliseconds.
    pub(crate) first_report: f64,
    /// Why the row does not count, if it does not.
    pub(crate) flaw: Option<String>,
}

/// Says on standard error what is going on.
pub(crate) fn say(text: &str) {
    // Nobody may be listening.
    _ = writeln!(std::io::stderr(), "bench: {text}");
}

impl Running {
    /// Requests of the devices of the fleet.
    pub(crate) fn requests(&self, ask: Ask) -> Requests {
        Requests { ask, devices: u64::from(self.plan.known), versions: u64::from(self.plan.versions) }
    }
}

impl Bench {
    /// Starts a server over a copy of that fleet.
    pub(crate) async fn start(&self, plan: Plan, name: &str) -> anyhow::Result<Running> {
        let (folder, seeded) = seed::copy(plan, &self.root, name).await?;
        let redis = if plan.redis { Some(RedisServer::start(&seed::redis_folder(&folder))?) } else { None };
        self.serve(plan, (folder, seeded), redis.map(Arc::new))
    }

    /// Starts one more server on the same Redis, over a copy of the same catalog.
    pub(crate) async fn join(&self, first: &Running, name: &str) -> anyhow::Result<Running> {
        let copied = seed::copy(first.plan, &self.root, name).await?;
        self.serve(first.plan, copied, first.redis.clone())
    }

    fn serve(
        &self,
        plan: Plan,
        (folder, seeded): (PathBuf, Seeded),
        redis: Option<Arc<RedisServer>>,
    ) -> anyhow::Result<Running> {
        let server = self.programs.headcount(&folder, redis.as_deref())?;
        Ok(Running { server, client: Client::new(&seeded.token), plan, folder, seeded, redis })
    }

    /// Sends a load to a server and compares what it said with what it counted.
    pub(crate) async fn load(
        &self,
        running: &Running,
        ask: Ask,
        (connections, rate): (usize, Option<f64>),
    ) -> anyhow::Result<Outcome> {
        let requests = running.requests(ask);
        running.client.settle(&running.server).await?;
        let before = running.client.counted(&running.server).await?;
        let mut outcome = self.send(&running.server, requests, (connections, rate)).await?;
        if !ask.is_counted() {
            return Ok(outcome);
        }
        let ended = Instant::now();
        let report = async {
            running.client.settle(&running.server).await?;
            anyhow::Ok(ended.elapsed())
        };
        let (lag, report) = tokio::try_join!(running.client.stored(&running.server, ended), report)?;
        outcome.lag = lag.as_secs_f64() * 1000.0;
        outcome.first_report = report.as_secs_f64() * 1000.0;
        let counted = running.client.counted(&running.server).await? - before;
        let Replies { all, recorded, .. } = outcome.replies;
        if recorded != all {
            outcome.flaw = Some(format!("{} of {all} replies did not say `recorded`", all - recorded));
        } else if counted != recorded {
            outcome.flaw = Some(format!("{recorded} recorded, {counted} counted"));
        } else if lag >= MOST_LAG {
            outcome.flaw = Some(format!("a lag of {} ms at the end", lag.as_millis()));
        }
        Ok(outcome)
    }

    /// Sends a load to any server.
    pub(crate) async fn send(
        &self,
        server: &Server,
        requests: Requests,
        (connections, rate): (usize, Option<f64>),
    ) -> anyhow::Result<Outcome> {
        self.send_for(server, requests, (connections, rate), self.options.seconds_of(requests.ask)).await
    }

    /// The same for so many seconds.
    pub(crate) async fn send_for(
        &self,
        server: &Server,
        requests: Requests,
        (connections, rate): (usize, Option<f64>),
        seconds: f64,
    ) -> anyhow::Result<Outcome> {
        let load = Load { address: server.address, requests, connections, seconds, rate };
        let before = server.used()?;
        let replies = tokio::task::spawn_blocking(move || load::run(&load)).await.context("the load failed")??;
        let used = server.used()?.cpu - before.cpu;
        let flaw = (replies.failed > 0).then(|| format!("{} of {} requests failed", replies.failed, replies.all));
        let cpu_micros = used * 1e6 / replies.all as f64;
        Ok(Outcome { cpu_micros, replies, lag: f64::NAN, first_report: f64::NAN, flaw })
    }

    /// The folder of the bare handler.
    pub(crate) fn bare_folder(&self) -> PathBuf {
        Path::new(&self.root).join("runs/bare")
    }
}
