//! A believable fleet for looking around: applications with a history of releases, and devices that check.
//!
//! Chance comes from a seed, so that the same plan at the same moment gives the same report. The catalog is written
//! through the functions that the API calls, the status of each check is decided by the engine against the catalog of
//! that moment, and the events go through a file of the spool to the store as imported ones do.

mod dice;
mod fleet;
mod history;
mod live;
mod script;
mod stage;

use anyhow::Context as _;
use headcount_engine::name::UserName;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::catalog::sessions::{NewSession, Token};

use self::fleet::Fleet;
use self::history::History;
use self::script::Script;
use self::stage::Stage;

/// How large a demo is.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The devices that there are or were within the history.
    pub devices: u32,
    /// The days of the history before today.
    pub days: u16,
    /// What chance follows from.
    pub seed: u64,
}

impl Plan {
    fn days(&self) -> i32 {
        i32::from(self.days)
    }
}

/// The administrator of the demo, to be created.
#[derive(Debug)]
pub struct Administrator {
    /// The user name.
    pub name: UserName,
    /// The password.
    pub password: SecretString,
}

/// A fleet whose history was written.
#[derive(Debug)]
pub struct Demo {
    script: Script,
    fleet: Fleet,
    owner: UserName,
    checks: u64,
}

impl Demo {
    /// Writes catalog and history into an empty installation. `progress` is told how many days are written. When this
    /// returns, everything is in the store.
    ///
    /// # Errors
    /// The catalog, the spool or the store refused, or `stop` was cancelled.
    pub async fn prepare(
        app: &App,
        plan: &Plan,
        administrator: Administrator,
        stop: &CancellationToken,
        progress: impl Fn(u64) + Send + 'static,
    ) -> anyhow::Result<Self> {
        let now = app.clock.now();
        let script = Script::write(plan, now)?;
        let owner = administrator.name.clone();
        let stage = Stage::set(app, administrator, &script).await?;
        let (app_of_history, plan, stop) = (app.clone(), plan.clone(), stop.clone());
        let written = tokio::task::spawn_blocking(move || {
            let fleet = Fleet::make(&plan, &script, now.day());
            let history = History::new(&app_of_history, &script, &fleet, &stage);
            let checks = history.write(now, &plan, &stop, &progress)?;
            anyhow::Ok(Self { script, fleet, owner, checks })
        });
        let demo = written.await??;
        app.shipping.flush().await?;
        Ok(demo)
    }

    /// How many checks the history has.
    pub fn checks(&self) -> u64 {
        self.checks
    }

    /// Logs the administrator in.
    ///
    /// # Errors
    /// The catalog refused.
    pub async fn log_in(&self, app: &App) -> anyhow::Result<Token> {
        let known = app.catalog.credentials(&self.owner).await?.context("the administrator is gone")?;
        app.catalog
            .open_session(&known, NewSession::bearer(app.config.session), None)
            .await?
            .context("the administrator is gone")
    }

    /// Sends a check of some device every few seconds to the server at `url`, until `stop` is cancelled.
    pub async fn live_on(self, app: App, url: String, stop: CancellationToken) {
        live::run(&self, &app, &url, &stop).await;
    }
}
