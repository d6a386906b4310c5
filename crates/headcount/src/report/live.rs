//! The same question each second: which devices are there, and how fast they come.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use headcount_engine::day::{Day, Millis};
use headcount_engine::id::{AppId, OwnerId};
use headcount_engine::recent::{Recent, recent, requests};
use headcount_engine::report::{Filters, Query, Source};
use headcount_engine::snapshot::OwnerCatalog;

use super::{Answer, Question, Reports, Retained};
use crate::error::Error;

/// How old an answer may be that is given to somebody else who asks the same.
const FRESH: Duration = Duration::from_millis(900);
/// Over how long the checks per second are the mean, in milliseconds.
pub const RATE_MILLIS: i64 = 10_000;
/// The two times that are shown, in minutes.
pub const MINUTES: [i64; 2] = [5, 30];

/// What is there now.
#[derive(Debug, Clone, PartialEq)]
pub struct Now {
    /// The moment that the numbers show.
    pub as_of: Millis,
    /// Counted checks per second, over the last [`RATE_MILLIS`].
    pub checks_per_second: f64,
    /// The devices of the last minutes, by [`MINUTES`].
    pub windows: [Recent; 2],
}

/// What is asked: the same for all who watch the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Watched {
    /// Whose telemetry.
    pub owner: OwnerId,
    /// Which apps; none for all.
    pub apps: Option<BTreeSet<AppId>>,
    /// Which checks and devices.
    pub filters: Filters,
}

/// Those who watch the same, and their last answer.
#[derive(Debug)]
pub struct Watch {
    watched: Watched,
    state: tokio::sync::Mutex<State>,
}

type Counts = BTreeMap<(AppId, Day), u64>;

#[derive(Debug, Default)]
struct State {
    answered: Option<(Instant, Arc<Now>)>,
    // The numbers of counted checks at some moments, the oldest first.
    counted: VecDeque<(Millis, Counts)>,
}

/// All that is watched. What nobody watches any more goes with the next one who begins.
#[derive(Debug, Default)]
pub(super) struct Watches(Mutex<HashMap<Watched, Weak<Watch>>>);

impl Watches {
    fn join(&self, watched: Watched) -> Arc<Watch> {
        let mut watches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watches.retain(|_, watch| watch.strong_count() > 0);
        if let Some(watch) = watches.get(&watched).and_then(Weak::upgrade) {
            return watch;
        }
        let watch = Arc::new(Watch { watched: watched.clone(), state: tokio::sync::Mutex::default() });
        watches.insert(watched, Arc::downgrade(&watch));
        watch
    }
}

impl Reports {
    /// Begins to watch.
    pub fn watch(&self, watched: Watched) -> Arc<Watch> {
        self.watches.join(watched)
    }

    /// What is there now, of all instances: what others recorded within their last flush interval may be missing. It is
    /// found out once for all who watch the same within a second.
    ///
    /// # Errors
    /// As of [`Reports::answer`].
    pub async fn now(&self, watch: &Watch, catalog: Arc<OwnerCatalog>) -> Result<Arc<Now>, Error> {
        let mut state = watch.state.lock().await;
        if let Some((at, now)) = &state.answered
            && at.elapsed() < FRESH
        {
            return Ok(now.clone());
        }
        let began = Instant::now();
        let today = self.clock.now().day();
        let Watched { apps, filters, .. } = watch.watched.clone();
        let question = Question { catalog, query: Query { first: today, last: today, filters }, apps };
        let answer =
            self.answer_from(today.plus(-1), question, |retained| (counts(retained), windows(retained))).await?;
        let Answer { as_of, numbers: (counts, windows), .. } = answer;
        let now = Now { as_of, checks_per_second: state.rate(as_of, counts), windows };
        let now = Arc::new(now);
        state.answered = Some((began, now.clone()));
        Ok(now)
    }
}

fn counts(retained: &Retained) -> Counts {
    let filters = &retained.question.query.filters;
    let count = |source: &Source| ((source.app, source.day), requests(&source.segment, filters));
    retained.sources.iter().map(count).collect()
}

fn windows(retained: &Retained) -> [Recent; 2] {
    MINUTES.map(|minutes| {
        let after = Millis(retained.as_of.0 - minutes * 60_000 + 1);
        let filters = &retained.question.query.filters;
        let label = &|dimension, value: &_| retained.label(dimension, value);
        recent(&retained.sources, filters, after..=retained.as_of, label)
    })
}

impl State {
    /// Takes note of the counts, and tells how many checks a second came since the oldest ones that are near enough.
    fn rate(&mut self, at: Millis, counts: Counts) -> f64 {
        while self.counted.back().is_some_and(|(last, _)| *last >= at) {
            self.counted.pop_back();
        }
        self.counted.push_back((at, counts));
        while self.counted.len() > 1 && self.counted[1].0.0 <= at.0 - RATE_MILLIS {
            self.counted.pop_front();
        }
        let (Some((from, before)), Some((_, now))) = (self.counted.front(), self.counted.back()) else { return 0.0 };
        let came = |(key, count): (&(AppId, Day), &u64)| count.saturating_sub(before.get(key).copied().unwrap_or(0));
        let millis = at.0 - from.0;
        if millis <= 0 { 0.0 } else { now.iter().map(came).sum::<u64>() as f64 * 1000.0 / millis as f64 }
    }
}
