//! What the devices did: one event a check, each decided against the catalog of its moment.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use headcount_engine::check::{Check, decide};
use headcount_engine::day::{Day, Millis};
use headcount_engine::device::Pseudonym;
use headcount_engine::dimension::Value;
use headcount_engine::event::{Event, Values};
use headcount_engine::id::AppId;
use headcount_engine::row::{Row, encode};
use headcount_engine::unknown::UnknownVersions;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::Plan;
use super::fleet::Fleet;
use super::script::Script;
use super::stage::Stage;
use crate::app::App;
use crate::spool::{Spool, WholeImport};

/// Events in one row of the spool.
const ROW_EVENTS: usize = 10_000;
/// Rows in one import: the earlier ones are shipped while the later ones are written.
const IMPORT_ROWS: usize = 50;

/// Writes what the fleet did.
pub(super) struct History<'a> {
    script: &'a Script,
    fleet: &'a Fleet,
    stage: &'a Stage,
    pseudonyms: Vec<Pseudonym>,
    // What each installation said last: it says the same until its version or its catalog changes.
    said: Vec<Option<Said>>,
    unknown: UnknownVersions,
    spool: Arc<Spool>,
}

struct Said {
    state: usize,
    version: u16,
    app: AppId,
    values: Values,
}

impl<'a> History<'a> {
    pub(super) fn new(app: &App, script: &'a Script, fleet: &'a Fleet, stage: &'a Stage) -> Self {
        let secret = &app.catalog.installation().secret;
        Self {
            script,
            fleet,
            stage,
            pseudonyms: fleet.devices.iter().map(|device| device.pseudonym(secret, stage.owner)).collect(),
            said: fleet.installs.iter().map(|_| None).collect(),
            unknown: UnknownVersions::new(app.config.unknown_versions_per_day),
            spool: app.spool.clone(),
        }
    }

    /// Writes the days of the plan up to `now`: the number of events. It blocks.
    pub(super) fn write(
        mut self,
        now: Millis,
        plan: &Plan,
        stop: &CancellationToken,
        progress: &impl Fn(u64),
    ) -> anyhow::Result<u64> {
        let runtime = Handle::current();
        let begin = |spool: &Arc<Spool>| WholeImport::begin(spool.clone(), now);
        let (mut import, mut rows, mut written) = (begin(&self.spool), 0, 0);
        let today = now.day();
        for (done, day) in today.plus(-plan.days()).through(today).enumerate() {
            for times in self.times(day, now).chunks(ROW_EVENTS) {
                if stop.is_cancelled() {
                    bail!("stopped before the history was written");
                }
                if rows == IMPORT_ROWS {
                    rows = 0;
                    runtime.block_on(std::mem::replace(&mut import, begin(&self.spool)).seal())?;
                }
                let body = self.row(times)?;
                runtime.block_on(import.append(body))?;
                rows += 1;
                written += times.len() as u64;
            }
            progress(done as u64 + 1);
        }
        runtime.block_on(import.seal())?;
        Ok(written)
    }

    /// Every check of the day up to `now`: when, and by which installation.
    fn times(&self, day: Day, now: Millis) -> Vec<(Millis, usize)> {
        let start = day.start().0;
        let mut times: Vec<(Millis, usize)> = (0..self.fleet.installs.len())
            .flat_map(|install| {
                let checks = self.fleet.checks(self.script, install, day);
                checks.into_iter().map(move |within| (Millis(start + within), install))
            })
            .filter(|&(at, _)| at <= now)
            .collect();
        times.sort_unstable();
        times
    }

    /// The checks as one row of the spool.
    fn row(&mut self, times: &[(Millis, usize)]) -> anyhow::Result<Vec<u8>> {
        let events = times.iter().map(|&(at, install)| self.event(at, install)).collect::<anyhow::Result<_>>()?;
        Ok(encode(&Row { events, tallies: Vec::new() }))
    }

    fn event(&mut self, at: Millis, install: usize) -> anyhow::Result<Event> {
        let installed = &self.fleet.installs[install];
        let (state, version) = (self.stage.state_at(installed.line, at), installed.version_at(at));
        let is_same = |said: &Said| said.state == state && said.version == version;
        if !self.said[install].as_ref().is_some_and(is_same) {
            self.said[install] = Some(self.say(at, install, (state, version))?);
        }
        let said = self.said[install].as_ref().context("an installation that says nothing")?;
        let device = self.pseudonyms[installed.device];
        Ok(Event { owner: self.stage.owner, app: said.app, at, device, values: said.values.clone() })
    }

    /// What an installation says with that version, when the catalog of its line is in that state.
    fn say(&mut self, at: Millis, install: usize, (state, version): (usize, u16)) -> anyhow::Result<Said> {
        let installed = &self.fleet.installs[install];
        let (place, of_line) = (installed.place(self.script), &self.script.lines[installed.line]);
        let running = &self.script.versions[usize::from(version)];
        let check = Check {
            owner: Some(self.stage.owner_name.as_str().into()),
            app: of_line.product().name.parse()?,
            version: running.clone(),
            channel: Some(of_line.line().channel.parse()?),
            platform: Some(place.platform.parse()?),
            arch: Some(place.arch.parse()?),
        };
        let catalog = self.stage.catalog(installed.line, state);
        let decision = decide(catalog, &check, Some(&self.fleet.devices[installed.device]))?;
        let app = decision.track.key().app;
        let counted = if decision.owner.knows_version(app, running) {
            Value::new(running.name())
        } else {
            self.unknown.value(app, at.day(), running)
        };
        Ok(Said { state, version, app, values: decision.track.values(Some(counted), Some(decision.status)) })
    }
}
