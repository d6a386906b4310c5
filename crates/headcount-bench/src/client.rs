//! Single requests beside the load: reports, and how far the counting is.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::server::Server;

/// How long counting may take to catch up before a measurement is given up.
const PATIENCE: Duration = Duration::from_mins(2);

/// How often a server is asked how far its store is.
const LOOK: Duration = Duration::from_millis(5);

/// Asks a server as the administrator of a fleet.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    token: String,
}

#[derive(Debug, Deserialize)]
struct Report {
    summary: Summary,
}

#[derive(Debug, Deserialize)]
struct Ready {
    lag_millis: u64,
}

#[derive(Debug, Deserialize)]
struct Summary {
    total_requests: u64,
}

impl Client {
    pub(crate) fn new(token: &str) -> Self {
        Self { http: reqwest::Client::new(), token: token.to_owned() }
    }

    /// How long an answer took, from the request to the last byte of the reply, in milliseconds.
    pub(crate) async fn time(&self, server: &Server, path: &str) -> anyhow::Result<f64> {
        let asked = Instant::now();
        self.get(server, path).await?;
        Ok(asked.elapsed().as_secs_f64() * 1000.0)
    }

    /// The body of a report.
    pub(crate) async fn report(&self, server: &Server, query: &str) -> anyhow::Result<Vec<u8>> {
        self.get(server, &format!("/telemetry?{query}")).await
    }

    async fn get(&self, server: &Server, path: &str) -> anyhow::Result<Vec<u8>> {
        let reply = self.http.get(server.url(path)).bearer_auth(&self.token).send().await?;
        if !reply.status().is_success() {
            bail!("{path} answered {}", reply.status());
        }
        Ok(reply.bytes().await?.to_vec())
    }

    /// The checks counted in the last eight days. A load may run past midnight.
    pub(crate) async fn counted(&self, server: &Server) -> anyhow::Result<u64> {
        let body = self.report(server, "range=week").await?;
        let report: Report = serde_json::from_slice(&body).context("a report without total_requests")?;
        Ok(report.summary.total_requests)
    }

    /// Waits until everything that was recorded is in the store.
    pub(crate) async fn settle(&self, server: &Server) -> anyhow::Result<()> {
        let asked = Instant::now();
        loop {
            // A report shows everything that was recorded before it, or there is none.
            match self.counted(server).await {
                Ok(_) => return Ok(()),
                Err(error) if asked.elapsed() > PATIENCE => return Err(error.context("the store does not catch up")),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// How long after `ended` the store had everything that was recorded until then.
    pub(crate) async fn stored(&self, server: &Server, ended: Instant) -> anyhow::Result<Duration> {
        loop {
            let asked = Instant::now();
            let reply = self.http.get(server.url("/ready")).send().await?.error_for_status()?;
            let ready: Ready = serde_json::from_slice(&reply.bytes().await?).context("a reply without lag_millis")?;
            // What waits came after the moment that is so long ago.
            if asked.checked_sub(Duration::from_millis(ready.lag_millis)).is_some_and(|complete| complete >= ended) {
                return Ok(ended.elapsed());
            }
            if ended.elapsed() > PATIENCE {
                bail!("the store does not catch up");
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Sends one check until it is answered, and says whether it was recorded.
    pub(crate) async fn check(&self, server: &Server, device: &str) -> anyhow::Result<bool> {
        let url = server.url("/checkVersion");
        let query = [
            ("app_name", crate::requests::APP),
            ("version", "1.0.0"),
            ("channel", crate::requests::CHANNELS[0]),
            ("platform", crate::requests::PLATFORMS[0]),
            ("arch", crate::requests::ARCHS[0]),
            ("owner", crate::requests::OWNER),
        ];
        let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let asked = self.http.get(format!("{url}?{}", query.join("&"))).header("X-Device-ID", device);
        let reply = asked.send().await?.error_for_status()?;
        Ok(reply.headers().get("headcount").is_some_and(|value| value == "recorded"))
    }
}
