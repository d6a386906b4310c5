//! A cable that is pulled: in network namespaces of their own, where this machine allows them.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Site, say};
use crate::disk::skipped;
use crate::effort;
use crate::process::Server;
use crate::redis::one::{Log, One};

/// The network in which the server is: one cable leads to its clients, and one to Redis.
struct Network(Child);

impl Network {
    /// Only in a namespace that nobody else uses.
    fn open() -> Self {
        let mut command = Command::new("unshare");
        command.args(["-n", "sh", "-c", "ip link set lo up; echo ready; exec cat"]);
        let mut holder = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let network = Self(holder);
        sh("ip link set lo up");
        for (cable, number) in [("clients", 0), ("store", 4)] {
            let pid = network.0.id();
            sh(&format!(
                "ip link add {cable} type veth peer name far netns {pid} && ip link set {cable} up \
                 && ip address add 198.18.0.{}/30 dev {cable} \
                 && nsenter -t {pid} -n ip link set far name {cable} \
                 && nsenter -t {pid} -n ip address add 198.18.0.{}/30 dev {cable} \
                 && nsenter -t {pid} -n ip link set {cable} up",
                number + 1,
                number + 2
            ));
        }
        network
    }

    fn serve(&self, site: &Site, redis: &str) -> Server {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.0.id().to_string(), "-n", env!("CARGO_BIN_EXE_headcount"), "serve"]);
        command.current_dir(&site.shop.folder).env_clear().envs(Site::settings(redis));
        Server::of_at(command, "198.18.0.2:0")
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

fn sh(script: &str) {
    let done = Command::new("sh").args(["-c", script]).output().unwrap();
    assert!(done.status.success(), "{script}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Runs this test again in a network namespace.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cable_that_is_pulled() {
    if effort::is_in_network() {
        return pull().await;
    }
    let allows = |flags: &str| {
        let script = "ip link set lo up && ip link add one type veth peer name two && unshare -n true";
        let tried = Command::new("unshare").args([flags, "sh", "-c", script]).output();
        tried.is_ok_and(|tried| tried.status.success())
    };
    let Some(flags) = ["-n", "-Urn"].into_iter().find(|flags| allows(flags)) else {
        return skipped("neither unshare -n nor unshare -Urn allows to lay cables here");
    };
    let mut command = Command::new("unshare");
    command.arg(flags).arg(std::env::current_exe().unwrap());
    command.args(["--exact", "redis::faults::cut::a_cable_that_is_pulled", "--nocapture"]);
    let done = command.env(effort::IN_NETWORK, "yes").output().unwrap();
    let [said, complained] = [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(done.status.success() && said.contains("1 passed"), "{said}\n{complained}");
    print!("{said}");
}

async fn pull() {
    let (network, mut site) = (Network::open(), Site::open().await);
    let redis = One::with(Log::Kept, &[("bind", "*"), ("protected-mode", "no")]);
    let server = network.serve(&site, &format!("redis://198.18.0.5:{}", redis.port()));
    site.load(&server).await;
    site.assert_counted(&[&server]).await;
    for _ in 0..effort::rounds(1, 5) {
        site.under_load(&server, "cable pulled", || {
            sh("ip link set store down");
            std::thread::sleep(Duration::from_secs(effort::rounds(3, 60) as u64));
        })
        .await;
        assert_eq!(site.counted(&server).await, None, "a report needs the store");
        sh("ip link set store up");
        let healed = Instant::now();
        site.assert_counted(&[&server]).await;
        say(&format!("all is counted {:.1?} after the cable is back", healed.elapsed()));
    }
}
