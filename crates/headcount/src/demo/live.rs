//! Checks while the demo runs, through its own HTTP.

use std::time::Duration;

use headcount_engine::day::Millis;
use tokio_util::sync::CancellationToken;

use super::Demo;
use super::dice::Dice;
use super::fleet::Install;
use crate::app::App;

/// The pause between two checks, on average.
const PAUSE: Duration = Duration::from_secs(2);
/// How often one looks for a device that has not vanished.
const TRIES: usize = 100;

/// Sends checks until `stop` is cancelled.
pub(super) async fn run(demo: &Demo, app: &App, url: &str, stop: &CancellationToken) {
    let client = reqwest::Client::new();
    let mut dice = Dice::of(&[rand::random()]);
    while stop.run_until_cancelled(tokio::time::sleep(PAUSE.mul_f64(2.0 * dice.unit()))).await.is_some() {
        let now = app.clock.now();
        let there = |_| {
            let install = &demo.fleet.installs[dice.below(demo.fleet.installs.len() as u64) as usize];
            install.is_there(now.day()).then_some(install)
        };
        let Some(install) = (0..TRIES).find_map(there) else { continue };
        if let Err(error) = check(demo, install, now, &client, url).await {
            tracing::warn!(error = %error.without_url(), "a check of the demo failed");
        }
    }
}

async fn check(
    demo: &Demo,
    install: &Install,
    now: Millis,
    client: &reqwest::Client,
    url: &str,
) -> reqwest::Result<()> {
    let line = &demo.script.lines[install.line];
    let place = install.place(&demo.script);
    let parameters = [
        ("app_name", line.product().name),
        ("version", demo.script.versions[usize::from(install.version_at(now))].name()),
        ("channel", line.line().channel),
        ("platform", place.platform),
        ("arch", place.arch),
        ("owner", demo.owner.as_str()),
    ];
    let request = client.get(format!("{url}/checkVersion")).query(&parameters);
    let device = demo.fleet.devices[install.device].as_str();
    request.header("X-Device-ID", device).send().await?.error_for_status().map(drop)
}
