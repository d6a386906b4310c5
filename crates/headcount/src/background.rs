//! Work that takes long and has to keep no check waiting: it has threads of its own, of a low priority.

use std::io;
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

/// The niceness of the threads: beside a busy thread of the common priority they get a tenth of a processor, so that
/// reports get slow under the heaviest load and do not stand still.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Threads for long computations, one fewer than there are processors, and at least one; cheap to clone.
///
/// A low priority alone does not keep checks from waiting: whoever wakes up on a processor that computes waits until the
/// kernel's next tick, 4 ms later, and a check has several that wake up one after the other. One processor stays free.
#[derive(Debug, Clone)]
pub struct Background(Arc<Threads>);

/// None only while they are dropped.
#[derive(Debug)]
struct Threads(Option<Runtime>);

impl Background {
    /// Threads that start when they are needed.
    pub fn new() -> io::Result<Self> {
        let processors = std::thread::available_parallelism()?.get();
        let threads = Builder::new_current_thread()
            .max_blocking_threads((processors - 1).max(1))
            .thread_name("background")
            .on_thread_start(yield_to_others)
            .build()?;
        Ok(Self(Arc::new(Threads(Some(threads)))))
    }

    /// What the work returns; `None` if it panicked.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        self.0.0.as_ref()?.spawn_blocking(work).await.ok()
    }
}

/// On Linux a niceness is that of the calling thread: it gets what the others leave. Elsewhere it would be that of the
/// process.
fn yield_to_others() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "a background thread runs at the common priority");
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(threads) = self.0.take() {
            // A runtime may not be waited for from within another one.
            threads.shutdown_background();
        }
    }
}
