//! What Redis does for a thousand checks.

use std::time::Duration;

use futures_util::future::try_join_all;

use super::redis_of;
use super::stalls::Stalls;
use crate::bench::{Bench, Running, say};
use crate::redis_server::Reading;
use crate::requests::Ask;
use crate::rows::{SMALL, short};
use crate::seed::Plan;
use crate::table::{Samples, Table, number};

/// Checks a second over all instances.
const RATE: f64 = 5000.0;
/// Connections over all instances.
const CONNECTIONS: usize = 256;
const INSTANCES: [usize; 3] = [1, 2, 4];
/// When everything has been shipped: an instance does it each second.
const SHIPPED: Duration = Duration::from_millis(2500);

#[derive(Debug, Default)]
struct Figures {
    rate: Samples,
    scripts: Samples,
    commands: Samples,
    cpu: Samples,
    received: Samples,
    sent: Samples,
    flaws: Vec<String>,
}

pub(in crate::rows) async fn measure(bench: &Bench) -> anyhow::Result<Vec<Table>> {
    let mut stalls = Stalls::new("How long checks block Redis");
    let mut table = Table::new(
        "What Redis does for checks",
        &[
            "known versions",
            "instances",
            "checks/s",
            "scripts per 1,000 checks",
            "commands per 1,000 checks",
            "CPU ms of Redis per 1,000 checks",
            "bytes in a check",
            "bytes out a check",
            "does not count because",
        ],
    );
    table.note(format!(
        "Open loop at {} recorded checks a second over all instances, from {} devices; one `redis-server` (`appendonly yes`, \
         everysec, noeviction). Each instance has a copy of the same catalog. Commands are those of `INFO commandstats`: \
         scripts, every command inside a script, and what instances send besides (compaction each 10 s, connection \
         checks). What grows is instances and seconds: twice the checks a second cost half as many commands a check.",
        number(RATE),
        short(SMALL.known),
    ));
    let versions: [u16; 2] = if bench.options.quick { [12, 100] } else { [12, 1000] };
    for versions in versions {
        let plan = Plan { versions, redis: true, ..SMALL };
        let mut servers = vec![bench.start(plan, "redis-0").await?];
        for instances in INSTANCES {
            while servers.len() < instances {
                servers.push(bench.join(&servers[0], &format!("redis-{}", servers.len())).await?);
            }
            let mut figures = Figures::default();
            for _ in 0..bench.options.rounds {
                figures.add(bench, &servers).await?;
            }
            say(&format!(
                "{versions} versions, {instances} instances: {} commands per 1,000 checks",
                figures.commands.show()
            ));
            table.row(figures.cells(versions, instances));
            let meanwhile = format!("{} checks/s, {versions} known versions, {instances} instances", number(RATE));
            stalls.note(meanwhile, redis_of(&servers[0])?.blocked()?);
        }
        for running in servers {
            running.server.stop()?;
        }
    }
    Ok(vec![table, stalls.table()])
}

impl Figures {
    async fn add(&mut self, bench: &Bench, servers: &[Running]) -> anyhow::Result<()> {
        let (first, redis) = (&servers[0], redis_of(&servers[0])?);
        settle(servers).await?;
        let counted = first.client.counted(&first.server).await?;
        tokio::time::sleep(SHIPPED).await;
        let before = redis.read()?;
        let requests = first.requests(Ask::Check);
        let share = (CONNECTIONS / servers.len(), Some(RATE / servers.len() as f64));
        let outcomes = try_join_all(servers.iter().map(|each| bench.send(&each.server, requests, share))).await?;
        tokio::time::sleep(SHIPPED).await;
        let after = redis.read()?;
        settle(servers).await?;
        let counted = first.client.counted(&first.server).await? - counted;
        let all: u64 = outcomes.iter().map(|outcome| outcome.replies.all).sum();
        let recorded: u64 = outcomes.iter().map(|outcome| outcome.replies.recorded).sum();
        if recorded != all {
            self.flaws.push(format!("{} of {all} replies did not say `recorded`", all - recorded));
        } else if counted != all {
            self.flaws.push(format!("{all} recorded, {counted} counted"));
        }
        self.rate.add(outcomes.iter().map(|outcome| outcome.replies.rate()).sum());
        self.compare(&before, &after, all as f64);
        Ok(())
    }

    fn compare(&mut self, before: &Reading, after: &Reading, checks: f64) {
        let scripts = after.calls_since(before, "evalsha") + after.calls_since(before, "eval");
        self.scripts.add(scripts as f64 / checks * 1000.0);
        self.commands.add(after.all_calls_since(before) as f64 / checks * 1000.0);
        self.cpu.add((after.cpu - before.cpu) / checks * 1e6);
        self.received.add((after.received - before.received) as f64 / checks);
        self.sent.add((after.sent - before.sent) as f64 / checks);
    }

    fn cells(&self, versions: u16, instances: usize) -> Vec<String> {
        vec![
            versions.to_string(),
            instances.to_string(),
            self.rate.show(),
            self.scripts.show(),
            self.commands.show(),
            self.cpu.show(),
            self.received.show(),
            self.sent.show(),
            self.flaws.join("; "),
        ]
    }
}

async fn settle(servers: &[Running]) -> anyhow::Result<()> {
    for each in servers {
        each.client.settle(&each.server).await?;
    }
    Ok(())
}
