//! The parts of a running server, put together here and only here.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use headcount_engine::unknown::UnknownVersions;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::config::Config;
use crate::http;
use crate::password::Passwords;
use crate::record::Recorder;

/// How often the catalog is asked whether another process has changed it.
const CATALOG_POLL: Duration = Duration::from_secs(1);

/// A running server, cheap to clone.
#[derive(Clone, Debug)]
pub struct App(Arc<Parts>);

/// What a server is made of.
#[derive(Debug)]
pub struct Parts {
    /// The settings in effect.
    pub config: Config,
    /// The wall clock.
    pub clock: Clock,
    /// Owners, users, apps and releases.
    pub catalog: Catalog,
    /// Hashes and verifies passwords.
    pub passwords: Passwords,
    /// Takes what is counted.
    pub recorder: Recorder,
    /// Which versions that the catalog does not know are counted by name.
    pub unknown_versions: Mutex<UnknownVersions>,
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// Opens everything below the data directory.
    pub async fn open(config: Config, clock: Clock) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&config.data_dir)?;
        let catalog =
            Catalog::open(&config.data_dir.join("catalog.db"), clock.clone(), config.default_owner.clone()).await?;
        let (passwords, recorder) = (Passwords::new(), Recorder::default());
        let unknown_versions = Mutex::new(UnknownVersions::new(config.unknown_versions_per_day));
        Ok(Self(Arc::new(Parts { config, clock, catalog, passwords, recorder, unknown_versions })))
    }

    /// Serves until `stop` is cancelled, then finishes what is under way.
    pub async fn run(self, listener: TcpListener, stop: CancellationToken) {
        let (router, _description) = http::router(self.clone());
        let follow = tokio::spawn(self.clone().follow_catalog(stop.clone()));
        http::server::serve(listener, router, stop).await;
        follow.abort();
    }

    /// Sees what other processes write to the catalog.
    async fn follow_catalog(self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(CATALOG_POLL)).await.is_some() {
            if let Err(error) = self.catalog.refresh().await {
                tracing::warn!(%error, "the catalog database cannot be read; checks see the last snapshot");
            }
        }
    }
}
