//! Power cuts and full disks, on file systems of their own where this machine allows to mount them.
//!
//! A power cut: the server's data lies on an ext4 file system in an image. The server is stopped for a moment, and the
//! image, which holds exactly what was flushed, is copied; then the copy is mounted and a server starts on it. Two
//! controls, in which the disk only says that it has flushed, show that this sees what is lost. Further ones fail to
//! flush, or take long.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::app::fresh_directory;
use crate::effort;
use crate::ledger::{Clients, Fate, Ledger, Shop, check_again};
use crate::process::Server;

/// Telemetry that is shipped as often as it can be.
const SETTINGS: [(&str, &str); 3] =
    [("ENABLE_TELEMETRY", "true"), ("HEADCOUNT_LOG", "warn"), ("HEADCOUNT_FLUSH_INTERVAL_MS", "50")];

/// A mount namespace of its own. What is mounted in it goes with it, and it ends with this value or with the test.
struct Mounts {
    holder: Child,
    folder: PathBuf,
    user: bool,
}

impl Mounts {
    /// With a tmpfs of that many megabytes at `folder`; or why there is none.
    fn open(megabytes: u32) -> Result<Self, String> {
        let can =
            |flags: &str| Command::new("unshare").args([flags, "true"]).output().is_ok_and(|it| it.status.success());
        let user = !can("-m");
        if user && !can("-Urm") {
            return Err("neither unshare -m nor unshare -Urm is allowed here".to_owned());
        }
        let mut command = Command::new("unshare");
        command.args([if user { "-Urm" } else { "-m" }, "sh", "-c", "echo ready; exec cat"]);
        let mut holder =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(|error| error.to_string())?;
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mounts = Self { holder, folder: fresh_directory(), user };
        mounts.run(&format!("mount -t tmpfs -o size={megabytes}m tmpfs ."))?;
        Ok(mounts)
    }

    /// The same with an ext4 file system, in `disk.img`, at `disk`.
    fn with_disk() -> Result<Self, String> {
        let mounts = Self::open(256)?;
        // Nothing is flushed that is not asked for.
        mounts.run(
            "mkdir disk cut && truncate -s 64M disk.img && mkfs.ext4 -q disk.img && mount -o loop,commit=60 disk.img disk",
        )?;
        Ok(mounts)
    }

    fn enter(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.holder.id().to_string(), "-m"]);
        if self.user {
            command.args(["-U", "--preserve-credentials"]);
        }
        command
    }

    /// Runs a script in the folder.
    fn run(&self, script: &str) -> Result<(), String> {
        let script = format!("cd {} && {script}", self.folder.display());
        let done = self.enter().args(["sh", "-c", &script]).output().map_err(|error| error.to_string())?;
        if done.status.success() {
            return Ok(());
        }
        Err(format!("{script}: {}", String::from_utf8_lossy(&done.stderr)))
    }

    /// Serves the data folder at that place.
    fn serve(&self, data: &str, variables: &[(&str, &str)]) -> Server {
        let mut command = self.enter();
        let data_dir = self.folder.join(data);
        command.arg("--").arg(env!("CARGO_BIN_EXE_headcount")).arg("serve").arg("--data-dir").arg(data_dir);
        command.current_dir(fresh_directory()).env_clear().envs(SETTINGS).envs(variables.iter().copied());
        Server::of(command)
    }

    /// Moves the data of an installation here.
    fn take(&self, shop: &Shop, to: &str) {
        self.run(&format!("cp -a {} {to} && sync", shop.folder.join("data").display())).unwrap();
    }
}

impl Drop for Mounts {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.holder.kill();
        _ = self.holder.wait();
    }
}

/// Says why a test cannot be done here, also where the output of tests that pass is not shown.
pub(crate) fn skipped(why: &str) {
    _ = writeln!(std::io::stderr(), "skipped: {}", why.trim());
}

/// How many of the recorded checks are missing after a cut.
async fn cut(mounts: &Mounts, shop: &Shop, ledger: &Ledger, exact: bool) -> usize {
    mounts.run("mount -o loop cut.img cut").unwrap();
    let mut server = mounts.serve("cut/data", &[]);
    let (report, _) = shop.telemetry_at_last(&server).await;
    let counted = usize::try_from(report["summary"]["total_requests"].as_u64().unwrap()).unwrap();
    if exact {
        shop.compare(&server, ledger).await;
    }
    server.kill();
    mounts.run("umount cut").unwrap();
    ledger.devices(&[Fate::Recorded]).len().saturating_sub(counted)
}

/// Cuts the power so often, and gives how many checks were lost each time.
async fn cuts(rounds: usize, variables: &[(&str, &str)]) -> Result<Vec<usize>, String> {
    let mut random = StdRng::seed_from_u64(effort::seed());
    let mounts = Mounts::with_disk()?;
    let (shop, mut clients) = (Shop::open().await, Clients::new());
    mounts.take(&shop, "disk/data");
    let mut server = mounts.serve("disk/data", variables);
    let mut lost = Vec::new();
    for _ in 0..rounds {
        let (ledger, mut before) = (clients.ledger.clone(), Ledger::default());
        let time = Duration::from_millis(random.random_range(50..400));
        let power = || {
            server.signal("STOP");
            before = ledger.copy();
            mounts.run("cp --sparse=always disk.img cut.img").unwrap();
            // The signal may arrive a moment after it was sent, and what is answered until then may be on the disk.
            before = before.until(&ledger, |_| true);
            server.signal("CONT");
        };
        clients.load(&server, time, power).await;
        lost.push(cut(&mounts, &shop, &before, variables.is_empty()).await);
    }
    assert!(clients.ledger.devices(&[Fate::Recorded]).len() > 20 * rounds, "the load was too small to mean anything");
    server.kill();
    Ok(lost)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_recorded_is_lost_by_power_cuts() {
    match cuts(effort::rounds(5, 100), &[]).await {
        Ok(lost) => {
            println!("{} power cuts", lost.len());
            assert!(lost.iter().all(|lost| *lost == 0), "{lost:?}");
        }
        Err(why) => skipped(&why),
    }
}

/// The library that is between the server and its disk; or why there is none.
fn sync_library() -> Result<String, String> {
    let library = fresh_directory().join("sync.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/disk/sync.c");
    let done = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).output();
    let done = done.map_err(|error| format!("cc: {error}"))?;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Ok(library.to_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_lies_is_seen_to_lose_something() {
    let library = match sync_library() {
        Ok(library) => library,
        Err(why) => return skipped(&why),
    };
    for what in ["none", "no-logs"] {
        match cuts(effort::rounds(2, 20), &[("LD_PRELOAD", &library), ("SYNC", what)]).await {
            Ok(lost) => {
                println!("SYNC={what}: {lost:?} lost");
                assert!(lost.iter().any(|lost| *lost > 0), "the control {what} lost nothing");
            }
            Err(why) => return skipped(&why),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_counting_and_nothing_else() {
    let mounts = match Mounts::open(48) {
        Ok(mounts) => mounts,
        Err(why) => return skipped(&why),
    };
    let (shop, mut clients) = (Shop::open().await, Clients::new());
    mounts.take(&shop, "data");
    let mut server = mounts.serve("data", &[]);
    for _ in 0..effort::rounds(1, 10) {
        clients.load(&server, Duration::from_millis(200), || {}).await;
        let recorded = clients.ledger.devices(&[Fate::Recorded]);
        // It ends when there is no room left.
        mounts.run("cat /dev/zero > filler 2>/dev/null; test -s filler").unwrap();
        clients.load(&server, Duration::from_millis(700), || {}).await;
        assert_ne!(clients.ledger.devices(&[Fate::Skipped]).len(), 0, "the disk was not full");
        assert!(clients.ledger.devices(&[Fate::Cut]).is_empty(), "a check was not answered");
        mounts.run("rm filler").unwrap();
        let again = recorded.first().unwrap();
        let mut fate = String::new();
        for _ in 0..600 {
            fate = check_again(&server, again).await;
            if fate == "recorded" {
                break;
            }
            assert!(["skipped; reason=disk", "unconfirmed"].contains(&&*fate), "{fate}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(fate, "recorded", "it does not recover");
        clients.load(&server, Duration::from_millis(200), || {}).await;
    }
    let counted = clients.ledger.devices(&[Fate::Recorded]).len();
    for _ in 0..2 {
        let (report, _) = shop.telemetry_at_last(&server).await;
        let devices = usize::try_from(report["summary"]["unique_clients"].as_u64().unwrap()).unwrap();
        let possible = clients.ledger.devices(&[Fate::Recorded, Fate::Unconfirmed]).len();
        assert!((counted..=possible).contains(&devices), "{counted} <= {devices} <= {possible}");
        server.kill();
        server = mounts.serve("data", &[]);
    }
}

/// The settings with which the server's disk has that fault.
fn with_fault<'a>(library: &'a str, fault: &'a str) -> Vec<(&'a str, &'a str)> {
    SETTINGS.into_iter().chain([("LD_PRELOAD", library), ("SYNC", fault)]).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fails_to_flush_takes_back_nothing_that_was_recorded() {
    let library = match sync_library() {
        Ok(library) => library,
        Err(why) => return skipped(&why),
    };
    let (shop, mut clients) = (Shop::open().await, Clients::new());
    let mut failed = 0;
    for _ in 0..effort::rounds(3, 60) {
        let mut server = Server::start(&shop.folder, &with_fault(&library, "fails"), &[]);
        clients.load(&server, Duration::from_millis(1500), || server.signal("KILL")).await;
        server.wait();
        failed += server.log().matches("a spool file failed and is set aside").count();
        let mut server = shop.serve();
        shop.compare(&server, &clients.ledger).await;
        server.signal("KILL");
        server.wait();
    }
    let recorded = clients.ledger.devices(&[Fate::Recorded]).len();
    println!("{recorded} recorded, {failed} files set aside");
    assert!(recorded > 20 && failed > 0, "{recorded} {failed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_disk_keeps_no_check_waiting_and_loses_none() {
    let library = match sync_library() {
        Ok(library) => library,
        Err(why) => return skipped(&why),
    };
    let (shop, mut clients) = (Shop::open().await, Clients::new());
    let mut server = Server::start(&shop.folder, &with_fault(&library, "slow"), &[]);
    clients.load(&server, Duration::from_millis(1500), || {}).await;
    let fates = [Fate::Recorded, Fate::Unconfirmed].map(|fate| clients.ledger.devices(&[fate]).len());
    assert!(fates[1] > 20, "{fates:?}: checks waited for the disk");
    assert!(clients.ledger.devices(&[Fate::Cut, Fate::Skipped]).is_empty());
    // All of them are committed in the end.
    server.signal("TERM");
    let (status, ..) = server.wait();
    assert_eq!(status.code(), Some(0), "{}", server.log());
    let server = shop.serve();
    let report = shop.telemetry(&server, "").await;
    assert_eq!(report["summary"]["total_requests"], fates[0] + fates[1], "{report}");
}
