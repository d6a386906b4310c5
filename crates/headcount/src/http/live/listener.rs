//! One who looks on: asks each second, and whether that is still allowed every few seconds.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::Event;
use futures_util::{Stream, stream};
use headcount_api::live::LiveEvent;
use headcount_engine::id::OwnerId;
use headcount_engine::snapshot::OwnerCatalog;
use tokio::time::Instant;

use super::{POLICY, render, streams};
use crate::app::App;
use crate::error::{Code, Error};
use crate::http::extract::{Credential, Principal, admitted};
use crate::http::question::Parameters;
use crate::http::scope::Scope;
use crate::report::live::{Watch, Watched};

/// How often the numbers are told.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long a stream may go on after its session was revoked.
const ADMITTED_FOR: Duration = Duration::from_secs(5);

/// The last check that was told: of which process, and its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Position {
    series: u64,
    number: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.series, self.number)
    }
}

impl FromStr for Position {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (series, number) = text.split_once('-').unwrap_or_default();
        Ok(Self { series: u64::from_str_radix(series, 16)?, number: number.parse()? })
    }
}

/// One who looks on, and what may be seen.
#[derive(Debug)]
pub(super) struct Listener {
    app: App,
    // As long as this is admitted, the stream goes on.
    credential: Credential,
    parameters: Parameters,
    sight: Sight,
}

/// What a caller may see of what was asked for.
#[derive(Debug)]
struct Sight {
    since: Instant,
    watched: Watched,
    watch: Arc<Watch>,
}

impl Listener {
    /// A listener who asks this.
    ///
    /// # Errors
    /// 400 and 403 for names that are not acceptable, as of every report.
    pub(super) async fn new(
        app: &App,
        (credential, parameters): (Credential, Parameters),
        caller: &Principal,
    ) -> Result<Self, Error> {
        let sight = Sight::of(app, &parameters, caller).await?;
        Ok(Self { app: app.clone(), credential, parameters, sight })
    }

    /// What this listener is told, for as long as it is allowed and the server runs.
    pub(super) fn events(
        self,
        place: streams::Place,
        after: Position,
    ) -> impl Stream<Item = Result<Event, Infallible>> + Send + 'static {
        let waiting = VecDeque::from([render::about()]);
        let told = Telling { listener: self, _place: place, waiting, told: after, next: None, has_ended: false };
        stream::unfold(told, async |mut telling| Some((Ok(telling.next().await?), telling)))
    }

    fn catalog(&self) -> Result<Arc<OwnerCatalog>, Error> {
        owner_catalog(&self.app, self.sight.watched.owner)
    }

    /// Asks again whether the caller may see this, and what the names mean now.
    async fn look_again(&mut self) -> Result<(), Error> {
        if self.sight.since.elapsed() < ADMITTED_FOR {
            return Ok(());
        }
        let caller = admitted(&self.app, &self.credential, POLICY).await?;
        self.sight = Sight::of(&self.app, &self.parameters, &caller).await?;
        Ok(())
    }

    async fn now(&self) -> Result<LiveEvent, Error> {
        Ok(render::now(&*self.app.reports.now(&self.sight.watch, self.catalog()?).await?))
    }

    /// The checks after `told` that are asked for, and the last one of all.
    fn checks(&self, told: Position) -> Result<(Option<LiveEvent>, Position), Error> {
        let recent = self.app.spool.recent();
        let Watched { owner, apps, filters } = &self.sight.watched;
        let after = if told.series == recent.series() { told.number } else { 0 };
        let checks = recent.after(*owner, after);
        let last = checks.last().map_or(after, |check| check.number);
        let mut asked = checks;
        asked.retain(|check| {
            apps.as_ref().is_none_or(|apps| apps.contains(&check.app)) && filters.match_request(&check.values)
        });
        let event = if asked.is_empty() { None } else { Some(render::checks(&asked, &*self.catalog()?)) };
        Ok((event, Position { series: recent.series(), number: last }))
    }
}

impl Sight {
    async fn of(app: &App, parameters: &Parameters, caller: &Principal) -> Result<Self, Error> {
        let scope = Scope::of(caller, app).await?;
        let owner = scope.owner();
        let catalog = owner_catalog(app, owner)?;
        let question = parameters.understand(scope, &catalog, app.clock.now().day())?.question;
        let watched = Watched { owner, apps: question.apps, filters: question.query.filters };
        let watch = app.reports.watch(watched.clone());
        Ok(Self { since: Instant::now(), watched, watch })
    }
}

fn owner_catalog(app: &App, owner: OwnerId) -> Result<Arc<OwnerCatalog>, Error> {
    let catalog = app.catalog.snapshot().owner(owner).cloned();
    catalog.ok_or_else(|| Error::internal("an owner without a catalog"))
}

/// A listener in the middle of a stream. What comes next is found out when it is asked for: whoever reads slowly is asked
/// for less, and nothing waits in memory.
struct Telling {
    listener: Listener,
    _place: streams::Place,
    waiting: VecDeque<Event>,
    told: Position,
    next: Option<Instant>,
    has_ended: bool,
}

impl Telling {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            if self.has_ended {
                return None;
            }
            let closing = self.listener.app.live.closing.clone();
            if let Some(next) = self.next {
                closing.run_until_cancelled(tokio::time::sleep_until(next)).await?;
            }
            self.next = Some(Instant::now() + INTERVAL);
            closing.run_until_cancelled(self.find_out()).await?;
        }
    }

    async fn find_out(&mut self) {
        if let Err(refused) = self.listener.look_again().await {
            // Where nobody can tell whether the caller may see it, nothing is told, and it is asked again.
            self.has_ended = !matches!(refused.code(), Code::Unavailable | Code::Internal);
            let event = if self.has_ended { LiveEvent::End } else { LiveEvent::Unavailable };
            self.waiting.push_back(render::event(&event(refused.into())));
            return;
        }
        let now = self.listener.now().await.unwrap_or_else(|error| LiveEvent::Unavailable(error.into()));
        self.waiting.push_back(render::event(&now));
        match self.listener.checks(self.told) {
            Ok((checks, told)) => {
                self.told = told;
                self.waiting.extend(checks.map(|checks| render::event(&checks).id(told.to_string())));
            }
            Err(error) => self.waiting.push_back(render::event(&LiveEvent::Unavailable(error.into()))),
        }
    }
}
