//! The one thread that writes the spool.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use headcount_engine::day::{AHEAD_MILLIS, Millis};
use headcount_engine::event::Event;
use headcount_engine::row::{self, Row, Tally};
use rusqlite::ErrorCode;
use tokio::sync::{mpsc, oneshot};

use super::answered::{Answered, Skips, skip_counts};
use super::{Claim, Claimed, Result, Shared, SpoolError, SpoolFile, StoredRow};
use crate::clock::Clock;
use crate::failpoint::{self, Point};
use headcount_engine::mark::{Mark, SpoolId};
use headcount_engine::recorded::{Recorded, SkipReason};

/// The most events of one commit.
const GROUP: usize = 4096;
/// How often the size of the spool is taken, and how often a new file is tried after one could not be opened.
const PAUSE: Duration = Duration::from_secs(1);

/// What waits for a commit.
#[derive(Debug)]
pub(super) enum Waiting {
    Event(Event, oneshot::Sender<Recorded>),
    Tallies(Vec<Tally>, oneshot::Sender<Recorded>),
    Skips(Skips),
    Measure,
    Close,
}

pub(super) struct Committer {
    directory: PathBuf,
    shared: Arc<Shared>,
    clock: Clock,
    // None while no file can be opened.
    file: Option<Open>,
    tried: Instant,
    measured: Option<Instant>,
    // The last commit failed for want of room.
    disk_full: bool,
    // What every file says of all processes.
    answered: Answered,
}

struct Open {
    file: SpoolFile,
    next_row: u64,
    // The latest moment of anything in the file.
    latest: Millis,
    // Nobody deletes the file while it is written.
    _claim: Option<Claim>,
}

impl Committer {
    pub(super) fn new(directory: PathBuf, shared: Arc<Shared>, clock: Clock, answered: Answered) -> Result<Self> {
        let open = open_new(&directory, &shared, &clock, &answered)?;
        let (file, tried) = (Some(open), Instant::now());
        Ok(Self { directory, shared, clock, file, tried, measured: None, disk_full: false, answered })
    }

    /// Commits until it is told to close, and then what still waits.
    pub(super) fn run(mut self, mut waiting: mpsc::Receiver<Waiting>) {
        self.measure();
        while let Some(first) = waiting.blocking_recv() {
            let mut row = Row::default();
            let mut answers = Vec::new();
            let mut skips = None;
            let mut closing = false;
            let mut take = |waiting| match waiting {
                Waiting::Event(event, answer) => {
                    row.events.push(event);
                    answers.push(answer);
                }
                Waiting::Tallies(mut tallies, answer) => {
                    row.tallies.append(&mut tallies);
                    answers.push(answer);
                }
                Waiting::Skips(counts) => skips = Some(counts),
                Waiting::Measure => {}
                Waiting::Close => closing = true,
            };
            take(first);
            for _ in 1..GROUP {
                let Ok(next) = waiting.try_recv() else { break };
                take(next);
            }
            if closing {
                waiting.close();
            }
            if !answers.is_empty() {
                let fate = self.commit(&row);
                self.shared.rounds.fetch_add(1, Ordering::Relaxed);
                for answer in answers {
                    // A request that no longer waits has been answered `unconfirmed`.
                    let _gone = answer.send(fate);
                }
                if fate == Recorded::Recorded {
                    self.shared.recent.remember(&row);
                }
            }
            if let Some(skips) = skips {
                self.note(skips);
            }
            self.measure();
        }
    }

    /// Skips are counted again in the next second: one that could not be noted is noted then.
    fn note(&mut self, skips: Skips) {
        self.answered.skipped = skips;
        if let Some(open) = &self.file
            && let Err(error) = open.file.note_answered(skip_counts(&skips))
        {
            tracing::warn!(%error, "the number of skipped checks could not be noted");
        }
    }

    fn commit(&mut self, row: &Row) -> Recorded {
        self.leave_the_future(row);
        self.reopen();
        let Some(open) = &mut self.file else { return Recorded::Skipped(SkipReason::Disk) };
        let mark = Mark { row: open.next_row, tag: rand::random() };
        let stored = StoredRow { mark, body: row::encode(row), receipt: None };
        let recorded = self.answered.recorded + row.events.len() as u64;
        let began = Instant::now();
        let committed = open.file.append_recorded(&stored, recorded);
        self.shared.commit_times.observe(began.elapsed().as_secs_f64());
        match committed {
            Ok(()) => {
                failpoint::reach(Point::RowCommitted);
                if std::mem::take(&mut self.disk_full) {
                    tracing::warn!("there is room on the disk again: events are recorded");
                }
                self.answered.recorded = recorded;
                open.next_row += 1;
                open.latest = open.latest.max(row.latest().unwrap_or(open.latest));
                self.shared.commits.fetch_add(1, Ordering::Release);
                Recorded::Recorded
            }
            Err(SpoolError::File(error)) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
                // Said once: a log on that disk must not take what room there is.
                if !std::mem::replace(&mut self.disk_full, true) {
                    tracing::error!(%error, "the disk is full: events are skipped until there is room");
                }
                Recorded::Skipped(SkipReason::Disk)
            }
            Err(error) => {
                // Whether the row is in the file is not known. The file is drained like one of an earlier start, which
                // finds out; nothing is written to it any more.
                tracing::error!(%error, spool = %open.file.id(), "a spool file failed and is set aside");
                self.shared.failed.lock().unwrap_or_else(PoisonError::into_inner).insert(open.file.id());
                self.file = None;
                self.shared.commits.fetch_add(1, Ordering::Release);
                Recorded::Unconfirmed
            }
        }
    }

    /// What lies in a file from a clock that was ahead waits for its moment, and all that follows in that file with it.
    /// So what comes after the clock was put back begins another file.
    fn leave_the_future(&mut self, row: &Row) {
        let Some(open) = &self.file else { return };
        if row.latest().is_some_and(|latest| latest.0 + AHEAD_MILLIS < open.latest.0) {
            tracing::warn!(spool = %open.file.id(), "the clock has gone back by more than an hour: another spool file is begun");
            match open_new(&self.directory, &self.shared, &self.clock, &self.answered) {
                Ok(open) => self.file = Some(open),
                Err(error) => tracing::error!(%error, "no new spool file can be opened: the old one is used"),
            }
        }
    }

    fn reopen(&mut self) {
        if self.file.is_some() || self.tried.elapsed() < PAUSE {
            return;
        }
        self.tried = Instant::now();
        match open_new(&self.directory, &self.shared, &self.clock, &self.answered) {
            Ok(open) => self.file = Some(open),
            Err(error) => tracing::error!(%error, "no new spool file can be opened: events are skipped"),
        }
    }

    fn measure(&mut self) {
        if self.measured.is_some_and(|at| at.elapsed() < PAUSE) {
            return;
        }
        self.measured = Some(Instant::now());
        let current = self.file.as_ref().map(|open| open.file.id().to_string());
        let own = self.file.as_ref().and_then(|open| open.file.used_bytes().ok()).unwrap_or_default();
        let others = bytes_of_others(&self.directory, current.as_deref().unwrap_or_default()).unwrap_or_default();
        self.shared.used_bytes.store(own + others, Ordering::Relaxed);
    }
}

/// The bytes of all files of the spool, with their logs, but of those of one id.
fn bytes_of_others(directory: &Path, id: &str) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let other = id.is_empty() || !entry.file_name().to_string_lossy().starts_with(id);
        if other {
            // It may be gone by now.
            bytes += entry.metadata().map_or(0, |metadata| metadata.len());
        }
    }
    Ok(bytes)
}

fn open_new(directory: &Path, shared: &Arc<Shared>, clock: &Clock, answered: &Answered) -> Result<Open> {
    let id = SpoolId(rand::random());
    // No other file has this id, so nobody else can have claimed it.
    let claim = Claim::take(shared, id, Claimed::Kept);
    let file = SpoolFile::create(directory, id, clock.now(), true)?;
    file.note_answered(answered.counts())?;
    Ok(Open { file, next_row: 0, latest: Millis(i64::MIN), _claim: claim })
}
