//! The parts of a running server, put together here and only here.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use headcount_engine::day::Millis;
use headcount_engine::unknown::UnknownVersions;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::admit::Admission;
use crate::background::Background;
use crate::catalog::Catalog;
use crate::catalog::sessions::Token;
use crate::clock::Clock;
use crate::config::{Config, RedisSettings};
use crate::http;
use crate::http::live::Streams;
use crate::http::server::Gate;
use crate::keep::{self, Keeper};
use crate::oidc::Provider;
use crate::password::Passwords;
use crate::private;
use crate::record::Recorder;
use crate::report::Reports;
use crate::ship::{self, Shipping};
use crate::spool::{Limits, Spool};
use crate::store::Store;
use crate::store::cache::SegmentCache;

/// How often the catalog is asked whether another process has changed it.
const CATALOG_POLL: Duration = Duration::from_secs(1);

/// How long the catalog may take to be kept on disk at the end.
const LAST_KEEP: Duration = Duration::from_secs(5);
/// How often it is said that something still goes wrong.
const COMPLAINT_INTERVAL: Duration = Duration::from_mins(1);

/// The file below the data directory that holds the setup token as long as there is no administrator.
const SETUP_TOKEN: &str = "setup-token";

/// How soon it is tried again to read which devices were counted today.
const ADMISSION_RETRY: Duration = Duration::from_secs(5);

/// How many imports may be under way at once.
const MOST_IMPORTS: usize = 16;

/// Where connections come in.
#[derive(Debug)]
pub struct Listeners {
    /// Those of everybody.
    pub public: TcpListener,
    /// Those of who reads the metrics, if anybody may.
    pub metrics: Option<TcpListener>,
}

/// A running server, cheap to clone.
#[derive(Clone, Debug)]
pub struct App(Arc<Parts>);

/// What a server is made of.
#[derive(Debug)]
pub struct Parts {
    /// The settings in effect.
    pub config: Config,
    /// When this process opened its data.
    pub started_at: Millis,
    /// The wall clock.
    pub clock: Clock,
    /// Owners, users, apps and releases.
    pub catalog: Arc<Catalog>,
    /// Hashes and verifies passwords.
    pub passwords: Passwords,
    /// The provider that users may sign in with, too.
    pub provider: Option<Provider>,
    /// Takes what is counted.
    pub recorder: Recorder,
    /// Which versions that the catalog does not know are counted by name.
    pub unknown_versions: Mutex<UnknownVersions>,
    /// Which devices are counted at all.
    pub admission: Admission,
    /// The journal on this machine.
    pub spool: Arc<Spool>,
    /// Where the segments live.
    pub store: Arc<Store>,
    /// From the journal to the store.
    pub shipping: Shipping,
    /// A place for each import that may be under way: each takes a thread.
    pub imports: Semaphore,
    /// Answers questions over the segments.
    pub reports: Reports,
    /// Who looks on as checks come in.
    pub live: Streams,
    /// Keeps the store small and the years in numbers.
    pub keeper: Keeper,
    threads: Mutex<Option<Threads>>,
}

/// What has to end in order: the committer, and then the shipper that ships what it committed last.
#[derive(Debug)]
struct Threads {
    committer: JoinHandle<()>,
    shipper: JoinHandle<()>,
    stop_shipper: CancellationToken,
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

async fn open_store(config: &Config, catalog: &Catalog) -> anyhow::Result<Store> {
    Ok(match config.redis() {
        Some(redis) => {
            let redis = RedisSettings { retention: catalog.retention(), ..redis };
            Store::open_redis(redis, catalog.installation()).await?
        }
        None => Store::open_embedded(&config.data_dir.join("store.db"), catalog.installation()).await?,
    })
}

impl App {
    /// Opens everything below the data directory.
    pub async fn open(config: Config, clock: Clock) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&config.data_dir)?;
        let catalog = Arc::new(Catalog::open_or_kept(&config, clock.clone()).await?);
        let store = Arc::new(open_store(&config, &catalog).await?);
        let limits = Limits {
            queue_events: config.queue_events,
            commit_wait: config.commit_wait,
            max_bytes: config.spool_max_bytes,
        };
        let (spool, committer) = Spool::open(&config.data_dir.join("spool"), limits, clock.clone())?;
        let spool = Arc::new(spool);
        let settings = ship::Settings {
            interval: config.flush_interval,
            retention: catalog.retention(),
            replay_window: config.replay_window,
            replay_bytes: config.replay_window_bytes,
        };
        let stop_shipper = CancellationToken::new();
        let (shipping, shipper) =
            ship::start(spool.clone(), store.clone(), clock.clone(), settings, stop_shipper.clone())?;
        let background = Background::new()?;
        let cache_bytes = usize::try_from(config.segment_cache_bytes).unwrap_or(usize::MAX);
        let cache = Arc::new(SegmentCache::new(cache_bytes, background.clone()));
        let keeping = keep::Settings {
            retention: catalog.retention(),
            audit_days: config.audit_days,
            replay_window: config.replay_window,
        };
        let keeper =
            Keeper::new(store.clone(), cache.clone(), catalog.clone(), clock.clone(), (keeping, background.clone()));
        let reports =
            Reports::new(store.clone(), cache, shipping.clone(), clock.clone(), (catalog.retention(), background));
        let recorder = Recorder::new(spool.clone(), clock.clone());
        let threads = Mutex::new(Some(Threads { committer, shipper, stop_shipper }));
        let unknown_versions = Mutex::new(UnknownVersions::new(config.unknown_versions_per_day));
        let admission = Admission::new(&config);
        let provider = config.oidc()?.map(Provider::new).transpose()?;
        let live = Streams::new(config.max_live_streams, config.max_live_streams_per_user);
        Ok(Self(Arc::new(Parts {
            config,
            started_at: clock.now(),
            clock,
            catalog,
            passwords: Passwords::new(),
            provider,
            recorder,
            unknown_versions,
            admission,
            spool,
            store,
            shipping,
            imports: Semaphore::new(MOST_IMPORTS),
            reports,
            live,
            keeper,
            threads,
        })))
    }

    /// Keeps the setup token in a file that only the user of the server may read, for those who do not see what it
    /// prints; without a token there is no file.
    pub fn keep_setup_token(&self, token: Option<&Token>) -> std::io::Result<()> {
        let path = self.config.data_dir.join(SETUP_TOKEN);
        match token {
            Some(token) => private::write_private(&path, &format!("{}\n", token.reveal())),
            None => private::remove(&path),
        }
    }

    /// Serves until `stop` is cancelled, then finishes what is under way: requests, their commits, their shipping.
    pub async fn run(self, listeners: Listeners, stop: CancellationToken) {
        let gate = || Arc::new(Gate::new(&self.config));
        let (public_gate, metrics_gate) = (gate(), gate());
        let routers = http::routers(self.clone(), public_gate.clone());
        let background = CancellationToken::new();
        let follow = tokio::spawn(self.clone().follow_catalog(background.clone()));
        let tallies = tokio::spawn({
            let (app, background) = (self.clone(), background.clone());
            async move { app.recorder.run(background).await }
        });
        let admission = tokio::spawn({
            let (app, background) = (self.clone(), background.clone());
            async move { _ = background.run_until_cancelled(app.tell_admission()).await }
        });
        let keeping = tokio::spawn({
            let (app, background) = (self.clone(), background.clone());
            async move { app.keeper.run(background).await }
        });
        // A stream would never finish.
        let streams = async {
            stop.cancelled().await;
            self.live.close();
        };
        let public = http::server::serve(listeners.public, routers.public, public_gate, stop.clone());
        match listeners.metrics {
            Some(listener) => {
                let metrics = http::server::serve(listener, routers.metrics, metrics_gate, stop.clone());
                tokio::join!(public, metrics, streams);
            }
            None => _ = tokio::join!(public, streams),
        }
        background.cancel();
        for task in [follow, tallies, keeping, admission] {
            if let Err(error) = task.await {
                tracing::error!(%error, "a background task failed");
            }
        }
        self.spool.close().await;
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(threads) = threads else { return };
        let ended = tokio::task::spawn_blocking(move || {
            let committed = threads.committer.join();
            threads.stop_shipper.cancel();
            committed.and(threads.shipper.join())
        });
        if !matches!(ended.await, Ok(Ok(()))) {
            tracing::error!("the committer or the shipper failed; what was recorded is in the spool");
        }
        // Last: a request that takes long may use it still.
        self.catalog.close().await;
    }

    /// Tells which devices were counted today, as soon as somebody wants to know.
    async fn tell_admission(self) {
        let mut counted = None;
        loop {
            let told = async {
                if counted.is_none() {
                    counted = Some(self.reports.most_devices_today().await?);
                }
                self.admission.wants_devices(counted.unwrap_or_default()).await;
                let told = self.reports.devices_today(|app, day, device| self.admission.remember(app, day, device));
                told.await
            };
            match told.await {
                Ok(()) => return self.admission.complete(),
                Err(error) => tracing::warn!(%error, "the devices of today cannot be read; it is tried again"),
            }
            tokio::time::sleep(ADMISSION_RETRY).await;
        }
    }

    /// Sees what other processes write to the catalog.
    async fn follow_catalog(self, stop: CancellationToken) {
        let (mut reading, mut keeping) = (Complaint::default(), Complaint::default());
        keeping.about(self.catalog.keep().await, "the catalog cannot be kept on disk");
        while stop.run_until_cancelled(tokio::time::sleep(CATALOG_POLL)).await.is_some() {
            let Some(read) = stop.run_until_cancelled(self.catalog.refresh()).await else { break };
            reading.about(read, "the catalog database cannot be read; checks see the last snapshot");
            keeping.about(self.catalog.keep().await, "the catalog cannot be kept on disk");
        }
        if let Ok(Err(error)) = tokio::time::timeout(LAST_KEEP, self.catalog.keep()).await {
            tracing::warn!(%error, "the catalog cannot be kept on disk");
        }
    }
}

/// What is tried each second and goes wrong is said once a minute, and when it works again.
#[derive(Debug, Default)]
struct Complaint(Option<Instant>);

impl Complaint {
    fn about<E: std::fmt::Display>(&mut self, tried: Result<(), E>, what: &'static str) {
        match tried {
            Ok(()) if self.0.take().is_some() => tracing::info!(what, "it works again"),
            Err(error) if self.0.is_none_or(|said| said.elapsed() >= COMPLAINT_INTERVAL) => {
                self.0 = Some(Instant::now());
                tracing::error!(%error, "{what}");
            }
            Ok(()) | Err(_) => {}
        }
    }
}
