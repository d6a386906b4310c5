//! The connection: made when it is needed, given up when it fails, made again after a pause.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use redis::{Cmd, ErrorKind, RedisError, ServerErrorKind, Value};
use tokio::runtime::Handle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::super::kept::Purpose;
use super::super::{CommandTimes, StoreError};
use super::check::{self, Findings};
use super::connect::{Connection, Connector};
use super::keys::Shared;
use super::script::Call;
use crate::config::RedisSettings;
use crate::installation::Installation;

/// How long a command may take: whoever says nothing for so long is taken for dead.
const COMMAND: Duration = Duration::from_secs(4);
/// How long a connection may take to be made and looked over.
const CONNECT: Duration = Duration::from_secs(5);
/// The pauses between attempts: the first one, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How often a connection is looked over again.
const LOOK: Duration = Duration::from_secs(5);

/// The bounds by which the times of commands are told apart, in seconds.
const COMMAND_SECONDS: [f64; 11] = [0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.2, 1.0, 4.0];

/// The connection to a Redis.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) settings: RedisSettings,
    pub(super) shared: Shared,
    own: Installation,
    purpose: Purpose,
    connector: Connector,
    live: Mutex<Option<Arc<Live>>>,
    attempts: tokio::sync::Mutex<Attempts>,
    turn: AtomicU64,
    // Why there is no connection.
    problem: Mutex<Option<String>>,
    times: CommandTimes,
    runtime: Runtime,
}

#[derive(Debug)]
struct Live {
    connection: Connection,
    findings: Findings,
    looked_at: Instant,
}

#[derive(Debug, Default)]
struct Attempts {
    failed: u32,
    not_before: Option<Instant>,
    why: Option<StoreError>,
}

/// A thread of its own for what reads and writes the sockets: a store is used from more than one runtime.
#[derive(Debug)]
struct Runtime {
    handle: Handle,
    _stop: DropGuard,
}

impl Runtime {
    fn start() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (handle, stop) = (runtime.handle().clone(), CancellationToken::new());
        let stopped = stop.clone();
        std::thread::Builder::new().name("redis".to_owned()).spawn(move || runtime.block_on(stopped.cancelled()))?;
        Ok(Self { handle, _stop: stop.drop_guard() })
    }
}

impl Link {
    pub(super) fn new(settings: RedisSettings, own: Installation, purpose: Purpose) -> Result<Self, StoreError> {
        let connector = Connector::new(&settings)?;
        let runtime = Runtime::start().map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self {
            shared: Shared(settings.prefix.clone()),
            settings,
            own,
            purpose,
            connector,
            live: Mutex::default(),
            attempts: tokio::sync::Mutex::default(),
            turn: AtomicU64::new(0),
            problem: Mutex::default(),
            times: Family::new_with_constructor(|| Histogram::new(COMMAND_SECONDS)),
            runtime,
        })
    }

    /// How many connections were made: behind each may be a server that has lost something.
    pub(super) fn turn(&self) -> u64 {
        self.turn.load(Ordering::Acquire)
    }

    /// Why nothing can be read, or nothing may be written.
    pub(super) fn problem(&self) -> Option<String> {
        let refusal = || self.current().and_then(|live| live.findings.refusal.clone());
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone().or_else(refusal)
    }

    /// What may go wrong with the server that there is a connection to.
    pub(super) fn warnings(&self) -> Vec<String> {
        self.current().map(|live| live.findings.warnings.clone()).unwrap_or_default()
    }

    fn set_problem(&self, problem: Option<String>) {
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }

    /// Makes the connection if there is none.
    pub(super) async fn look_over(&self) -> Result<(), StoreError> {
        self.live().await.map(drop)
    }

    /// Runs a script that reads.
    pub(super) async fn read(&self, call: Call) -> Result<Value, StoreError> {
        let live = self.live().await?;
        self.call(&live, &call).await
    }

    /// Runs a script that writes, unless the server is one that nothing may be written to.
    pub(super) async fn write(&self, call: Call) -> Result<Value, StoreError> {
        let live = self.writable().await?;
        let answer = self.call(&live, &call).await?;
        self.set_problem(None);
        Ok(answer)
    }

    /// Sends a command that reads.
    pub(super) async fn get(&self, command: Cmd) -> Result<Value, StoreError> {
        let live = self.live().await?;
        self.send(&live, &command, "command").await.map_err(|error| self.failure(&live, &error))
    }

    /// Sends a command that writes.
    pub(super) async fn put(&self, command: Cmd) -> Result<Value, StoreError> {
        let live = self.writable().await?;
        self.send(&live, &command, "command").await.map_err(|error| self.failure(&live, &error))
    }

    async fn writable(&self) -> Result<Arc<Live>, StoreError> {
        let live = self.live().await?;
        match &live.findings.refusal {
            Some(why) => Err(StoreError::Refused(why.clone())),
            None => Ok(live),
        }
    }

    async fn call(&self, live: &Arc<Live>, call: &Call) -> Result<Value, StoreError> {
        let result = match self.send(live, &call.by_hash(), call.script.name).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.send(live, &call.with_text(), call.script.name).await
            }
            other => other,
        };
        result.map_err(|error| self.failure(live, &error))
    }

    async fn send(&self, live: &Live, command: &Cmd, name: &'static str) -> Result<Value, RedisError> {
        let mut connection = live.connection.clone();
        let started = Instant::now();
        let late = |_| RedisError::from((ErrorKind::Io, "no answer", format!("to {name} within {COMMAND:?}")));
        let answer = tokio::time::timeout(COMMAND, connection.send(command)).await.map_err(late);
        self.times.get_or_create(&[("command", name)]).observe(started.elapsed().as_secs_f64());
        answer?
    }

    /// How long commands took, in seconds, by what they are.
    pub(super) fn times(&self) -> &CommandTimes {
        &self.times
    }

    /// Gives up the connection where another one may help.
    fn failure(&self, live: &Arc<Live>, error: &RedisError) -> StoreError {
        if check::needs_another_connection(error) {
            let mut current = self.live.lock().unwrap_or_else(PoisonError::into_inner);
            if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, live)) {
                *current = None;
            }
        }
        let failure = check::failure(error);
        if matches!(failure, StoreError::Refused(_)) {
            // It stays so until somebody has changed something, and a step gets through.
            self.set_problem(Some(failure.to_string()));
        }
        failure
    }

    fn current(&self) -> Option<Arc<Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn live(&self) -> Result<Arc<Live>, StoreError> {
        let is_fresh = |live: &Arc<Live>| live.looked_at.elapsed() < LOOK;
        if let Some(live) = self.current().filter(is_fresh) {
            return Ok(live);
        }
        let mut attempts = self.attempts.lock().await;
        let current = self.current();
        if let Some(live) = current.clone().filter(is_fresh) {
            return Ok(live);
        }
        if let (Some(not_before), Some(why)) = (attempts.not_before, &attempts.why)
            && Instant::now() < not_before
        {
            return Err(why.clone());
        }
        match self.look(current).await {
            Ok(live) => {
                *attempts = Attempts::default();
                self.set_problem(None);
                Ok(live)
            }
            Err(error) => {
                *self.live.lock().unwrap_or_else(PoisonError::into_inner) = None;
                self.set_problem(Some(error.to_string()));
                attempts.fail(error.clone(), &self.settings.target.to_string());
                Err(error)
            }
        }
    }

    /// Looks the connection over, or makes one and looks that over.
    async fn look(&self, current: Option<Arc<Live>>) -> Result<Arc<Live>, StoreError> {
        let is_new = current.is_none();
        let before = current.as_ref().map(|live| live.findings.clone());
        let (connector, own, shared) = (self.connector.clone(), self.own.clone(), self.shared.clone());
        let (address, purpose) = (self.settings.target.to_string(), self.purpose);
        // Made on the link's own thread, which goes on reading from it.
        let look = self.runtime.handle.spawn(async move {
            let connection = match current {
                Some(live) => live.connection.clone(),
                None => connector.connect().await.map_err(|error| check::failure(&error))?,
            };
            let findings = check::look(connection.clone(), &shared, (&own, purpose), &address).await?;
            Ok::<_, StoreError>(Live { connection, findings, looked_at: Instant::now() })
        });
        let late = |_| StoreError::Unavailable(format!("no connection within {CONNECT:?}"));
        let looked = tokio::time::timeout(CONNECT, look).await.map_err(late)?;
        let live = Arc::new(looked.map_err(|error| StoreError::Unavailable(error.to_string()))??);
        if is_new {
            tracing::info!(redis = %self.settings.target, "connected");
        }
        if before.is_none_or(|before| before != live.findings) {
            live.findings.tell();
        }
        // First: whoever reads from the new one knows that it may be another.
        if is_new {
            self.turn.fetch_add(1, Ordering::AcqRel);
        }
        *self.live.lock().unwrap_or_else(PoisonError::into_inner) = Some(live.clone());
        Ok(live)
    }
}

impl Attempts {
    fn fail(&mut self, why: StoreError, target: &str) {
        if self.failed == 0 {
            tracing::warn!(redis = target, error = %why, "Redis cannot be used; it is tried again");
        }
        let (first, longest) = PAUSE;
        let pause = first.saturating_mul(1 << self.failed.min(10)).min(longest);
        self.failed = self.failed.saturating_add(1);
        // Several instances that lost the same server do not come back in step.
        self.not_before = Some(Instant::now() + pause.mul_f64(rand::random_range(0.5..1.0)));
        self.why = Some(why);
    }
}
