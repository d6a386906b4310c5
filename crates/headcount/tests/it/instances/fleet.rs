//! Instances come and go under load.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::{Instance, Site, agreed, counted, two};

/// What the instances have promised to count.
#[derive(Default)]
struct Promised {
    checks: u64,
    devices: BTreeSet<String>,
}

impl Promised {
    /// Checks of devices of which some are known and some are new, each to another instance than the one before.
    async fn check(&mut self, instances: &[&Instance], checks: u64) {
        for _ in 0..checks {
            self.checks += 1;
            let instance = instances[self.checks as usize % instances.len()];
            let device = format!("device-{:06}", self.checks * 7 % (self.checks / 2 + 5));
            instance.check(&device, if self.checks.is_multiple_of(3) { "1.1.0" } else { "1.0.0" }).await;
            self.devices.insert(device);
        }
    }

    fn counts(&self) -> (u64, u64) {
        (self.checks, self.devices.len() as u64)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_are_added_stopped_and_killed_and_no_number_changes() {
    let site = Site::start().await;
    let (one, two, token) = two(&site).await;
    let mut promised = Promised::default();
    promised.check(&[&one, &two], 60).await;
    let before = agreed(&[&one, &two], &token, promised.counts()).await;

    // One is added: it reports what the others have counted.
    let three = site.instance();
    three.knows("1.1.0").await;
    assert_eq!(agreed(&[&three, &one, &two], &token, promised.counts()).await, before);
    promised.check(&[&one, &two, &three], 60).await;

    // One is stopped right behind its last check: it ships what it has before it ends.
    let disk = three.stop();
    let before = agreed(&[&one, &two], &token, promised.counts()).await;
    std::fs::remove_dir_all(disk).unwrap();
    // One with a fresh disk changes nothing.
    let three = site.instance();
    three.knows("1.1.0").await;
    assert_eq!(agreed(&[&three, &one, &two], &token, promised.counts()).await, before);

    // One is killed whose checks are all shipped, and its disk is lost.
    promised.check(&[&three], 20).await;
    let before = agreed(&[&one, &two], &token, promised.counts()).await;
    std::fs::remove_dir_all(three.kill()).unwrap();
    promised.check(&[&one, &two], 10).await;
    agreed(&[&one, &two], &token, promised.counts()).await;
    assert_eq!(counted(&before).0 + 10, promised.checks);

    // One is killed right behind its last check, again and again: with its disk nothing is missing.
    let mut disk: PathBuf = two.stop();
    for _ in 0..5 {
        let two = site.instance_on(disk);
        promised.check(&[&one, &two], 15).await;
        disk = two.kill();
    }
    let two = site.instance_on(disk);
    let before = agreed(&[&one, &two], &token, promised.counts()).await;
    // Both at once, as when the power fails.
    let disks = [one.kill(), two.kill()];
    let [one, two] = disks.map(|disk| site.instance_on(disk));
    assert_eq!(agreed(&[&one, &two], &token, promised.counts()).await, before);
}
