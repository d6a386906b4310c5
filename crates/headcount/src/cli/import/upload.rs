//! One chunk to the server, until it is answered.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use headcount_api::error::ErrorBody;
use headcount_api::import::ImportReply;
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Response, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};

use super::chunks::Chunk;
use crate::cli::Failure;

/// How often a chunk is sent at most.
const ATTEMPTS: u32 = 10;
/// How long to wait before the second attempt; before each further one, twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// How long to wait at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long the server may take to accept a connection, and to answer a chunk.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_mins(10);

/// Where the chunks of one import go.
#[derive(Debug)]
pub(super) struct Upload {
    client: Client,
    url: Url,
    token: SecretString,
    id: String,
}

/// Why an attempt brought no reply.
enum Missed {
    /// It is worth trying again, after that time if the server says so.
    Now(anyhow::Error, Option<Duration>),
    Forever(anyhow::Error),
}

impl Upload {
    pub(super) fn new(server: &str, token: &SecretString, id: String) -> Result<Self, Failure> {
        let url = Url::parse(&format!("{}/telemetry/import", server.trim_end_matches('/'))).ok();
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https")).ok_or_else(|| {
            let message = "--server is not an address; accepted: http:// or https://, a host and a port";
            Failure::Arguments(message.to_owned())
        })?;
        // The token must not go where a redirection points.
        let client = Client::builder().redirect(reqwest::redirect::Policy::none());
        let client = client.connect_timeout(CONNECT).timeout(ANSWER).build().context("the network cannot be used")?;
        Ok(Self { client, url, token: token.clone(), id })
    }

    /// Sends a chunk until it is answered; the server counts it once, however often it comes.
    pub(super) async fn send(&self, chunk: &Chunk) -> anyhow::Result<ImportReply> {
        let failed = |error: anyhow::Error| {
            let first = chunk.lines_before + 1;
            error.context(format!("the lines from {first} on are not imported; run the command again to go on"))
        };
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            match self.attempt(chunk).await {
                Ok(reply) => return Ok(reply),
                Err(Missed::Now(_, after)) if attempt < ATTEMPTS => {
                    tokio::time::sleep(after.unwrap_or(pause).min(LONGEST_PAUSE)).await;
                    pause *= 2;
                }
                Err(Missed::Now(error, _) | Missed::Forever(error)) => return Err(failed(error)),
            }
        }
        Err(failed(anyhow!("the server does not answer")))
    }

    async fn attempt(&self, chunk: &Chunk) -> Result<ImportReply, Missed> {
        let request = self
            .client
            .post(self.url.clone())
            .bearer_auth(self.token.expose_secret())
            .header("Import-Id", &self.id)
            .header("Import-Chunk", chunk.number)
            .header("Content-Type", "application/x-ndjson")
            .body(chunk.body.clone());
        let lost = |error| Missed::Now(anyhow!(chain(&error)), None);
        let response = request.send().await.map_err(lost)?;
        match response.status() {
            StatusCode::OK => response.json().await.map_err(lost),
            _ => Err(refused(response).await),
        }
    }
}

/// What an error says, without the address, and what caused it.
fn chain(error: &reqwest::Error) -> String {
    let mut text = "the server cannot be reached".to_owned();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

async fn refused(response: Response) -> Missed {
    let status = response.status();
    let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let said = response.json::<ErrorBody>().await.map(|body| body.error);
    let error = anyhow!("the server answers {}: {}", status.as_u16(), said.as_deref().unwrap_or("no reason is given"));
    let passing = after.is_some()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        );
    if passing { Missed::Now(error, after.map(Duration::from_secs)) } else { Missed::Forever(error) }
}
