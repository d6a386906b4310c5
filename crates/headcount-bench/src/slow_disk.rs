//! A disk that is slow: the journal is kept from its writer for nine tenths of the time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};

const HELD: Duration = Duration::from_millis(90);
const FREE: Duration = Duration::from_millis(10);
/// How long a commit of the server may keep the journal.
const PATIENCE: Duration = Duration::from_secs(30);

/// Another writer of the journal: while it holds the file, no commit ends.
pub(crate) struct SlowDisk {
    stop: Arc<AtomicBool>,
    holder: std::thread::JoinHandle<rusqlite::Result<()>>,
}

impl SlowDisk {
    pub(crate) fn begin(folder: &Path) -> anyhow::Result<Self> {
        let changed = |journal: &PathBuf| std::fs::metadata(journal).and_then(|file| file.modified()).ok();
        let journals = headcount::spool::files(&folder.join("spool"))?;
        let journal = journals.into_iter().max_by_key(changed).context("there is no journal")?;
        let stop = Arc::new(AtomicBool::new(false));
        let holder = std::thread::spawn({
            let stop = stop.clone();
            move || {
                let connection = rusqlite::Connection::open(journal)?;
                connection.busy_timeout(PATIENCE)?;
                while !stop.load(Ordering::Relaxed) {
                    connection.execute_batch("BEGIN IMMEDIATE")?;
                    std::thread::sleep(HELD);
                    connection.execute_batch("ROLLBACK")?;
                    std::thread::sleep(FREE);
                }
                Ok(())
            }
        });
        Ok(Self { stop, holder })
    }

    pub(crate) fn end(self) -> anyhow::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        match self.holder.join() {
            Ok(held) => Ok(held?),
            Err(_) => bail!("the journal was not held"),
        }
    }
}
