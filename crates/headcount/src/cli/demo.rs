//! `headcount demo`: a server with a made-up fleet, in a folder of its own.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use clap::Args;
use headcount_engine::name::UserName;
use indicatif::{ProgressBar, ProgressStyle};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, LogFormat, ServeArgs};
use crate::demo::{Administrator, Demo, Plan};

use super::folder::{LOCK, TakenFolder};
use super::serve::{listen, reachable, stop_signal};
use super::{Failure, log, print, settings};

/// The file that says that a folder is a demo's.
const MARKER: &str = "this-is-a-demo";
const MARKER_TEXT: &str = "The data of `headcount demo`. The next demo in this folder deletes it.\n";
/// Days that every demo's reports reach back, so that a month is complete.
const MONTH: u16 = 30;
const USER: &str = "demo";

const LISTEN: &str = "Address and port to listen on [default: 127.0.0.1:9000] [env: HEADCOUNT_LISTEN, PORT]";

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Devices that there are or were within the history
    #[arg(long, value_name = "NUMBER", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    devices: u32,
    /// Days of history before today
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=365))]
    days: u16,
    /// What chance follows from: the same number gives the same fleet
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    #[arg(long, value_name = "ADDR:PORT", help = LISTEN)]
    listen: Option<String>,
    /// Folder of the demo: a new or empty one, or that of an earlier demo, whose data is deleted
    #[arg(long, value_name = "DIR", default_value = "./demo-data")]
    data_dir: PathBuf,
}

/// The folder is not one that a demo may write into.
#[derive(Debug, thiserror::Error)]
#[error(
    "--data-dir: the folder `{}` holds something else than a demo; accepted: a new or empty folder, or that of an \
     earlier demo",
    .0.display()
)]
pub(super) struct ForeignFolder(PathBuf);

pub(super) fn run(args: &DemoArgs) -> Result<(), Failure> {
    let mut config = settings(&args.settings())?;
    // Nor into the Redis of somebody else.
    (config.redis_url, config.redis_host) = (None, None);
    log::start(tracing::Level::WARN, LogFormat::Text);
    let runtime = tokio::runtime::Runtime::new().context("the threads cannot be started")?;
    let plan = Plan { devices: args.devices, days: args.days, seed: args.seed };
    runtime.block_on(demo(config, plan))
}

impl DemoArgs {
    fn settings(&self) -> ServeArgs {
        let flags = ServeArgs::default()
            .with("telemetry", "true")
            .with("default-owner", USER)
            // A demo must never write into the catalog of somebody else.
            .with("database-url", "sqlite")
            .with("retention-days", self.days.max(MONTH).to_string())
            .with("data-dir", self.data_dir.to_string_lossy());
        match &self.listen {
            Some(address) => flags.with("listen", address),
            None => flags,
        }
    }
}

async fn demo(config: Config, plan: Plan) -> Result<(), Failure> {
    let _folder = take_folder(&config.data_dir)?;
    let (listeners, address) = listen(&config)?;
    let url = format!("http://{}", reachable(address));
    let stop = stop_signal().context("signals cannot be received")?;
    let app = App::open(config, Clock::wall()).await?;
    let prepared = prepare(&app, &plan, &url, &stop).await;
    let live = match prepared {
        Ok(demo) => {
            let live = demo.live_on(app.clone(), url, stop.clone());
            tokio::spawn(live);
            Ok(())
        }
        Err(_) if stop.is_cancelled() => Ok(()),
        Err(error) => {
            stop.cancel();
            Err(error)
        }
    };
    app.run(listeners, stop).await;
    live
}

/// Writes the history and says where to look at it.
async fn prepare(app: &App, plan: &Plan, url: &str, stop: &CancellationToken) -> Result<Demo, Failure> {
    let started = Instant::now();
    // Hidden where standard error is no terminal.
    let bar = ProgressBar::new(u64::from(plan.days) + 1);
    let style = ProgressStyle::with_template("Writing the history: day {pos} of {len} {wide_bar}");
    bar.set_style(style.context("the progress bar is malformed")?);
    let name: UserName = USER.parse().context("the user of the demo has no name")?;
    let password = hex::encode(rand::random::<[u8; 8]>());
    let administrator = Administrator { name, password: password.clone().into() };
    let shown = bar.clone();
    let demo = Demo::prepare(app, plan, administrator, stop, move |days| shown.set_position(days)).await?;
    bar.finish_and_clear();
    let token = demo.log_in(app).await?;
    print(&format!(
        "Headcount serves {url}\n\
         A demo: {} checks of {} devices in {} days and today, written in {:.1} s. While it runs, some device checks \
         every few seconds.\n\
         user: {USER}\n\
         password: {password}\n\
         curl -sS '{url}/telemetry?range=month' -H 'Authorization: Bearer {}'\n",
        demo.checks(),
        plan.devices,
        plan.days,
        started.elapsed().as_secs_f64(),
        token.reveal(),
    ))?;
    Ok(demo)
}

/// Takes the folder and deletes what an earlier demo left in it.
fn take_folder(folder: &Path) -> Result<TakenFolder, Failure> {
    let left = entries(folder).with_context(|| format!("the folder `{}` cannot be read", folder.display()))?;
    if !left.is_empty() && !left.iter().any(|path| path.ends_with(MARKER)) {
        return Err(ForeignFolder(folder.to_owned()).into());
    }
    let taken = TakenFolder::take(folder)?;
    // Written first: whatever happens now, the folder is known to be a demo's.
    std::fs::write(folder.join(MARKER), MARKER_TEXT)
        .and_then(|()| left.iter().filter(|path| !path.ends_with(MARKER)).try_for_each(|path| delete(path)))
        .with_context(|| format!("the earlier demo in the folder `{}` cannot be deleted", folder.display()))?;
    Ok(taken)
}

/// What is in the folder besides the lock, which a server keeps that had nothing to write yet.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match std::fs::read_dir(folder) {
        Ok(found) => {
            let paths = found.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
            Ok(paths.into_iter().filter(|path| !path.ends_with(LOCK)).collect())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn delete(path: &Path) -> io::Result<()> {
    if std::fs::symlink_metadata(path)?.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }
}
