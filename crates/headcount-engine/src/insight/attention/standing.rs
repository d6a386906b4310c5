//! What is found by counting alone.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;

use super::{Finding, Kind, LEAST_DEVICES, Stratum};
use crate::dimension::{Dimension, Status, Value};
use crate::insight::upgrades::LOOK_BACK;
use crate::slice::sets_by_value;

/// How many releases have to be newer than a version that is far behind.
const RELEASES_BEHIND: usize = 3;
/// The least part of the devices that have to run it.
const FAR_BEHIND_SHARE: f64 = 0.05;
/// On how many days a device was told about an update that is stuck.
const TOLD_DAYS: usize = 3;
/// The least part of the devices that have to be stuck.
const STUCK_SHARE: f64 = 0.01;

/// The versions that many devices run and many releases have left behind.
pub(super) fn far_behind(stratum: &Stratum<'_>) -> Vec<Finding> {
    let releases = stratum.releases();
    let newer = |version: &Value| {
        releases.iter().filter(|release| Dimension::Version.compare(&release.version, version).is_gt()).count()
    };
    let versions = stratum.last_values(Dimension::Version, LOOK_BACK);
    let behind = versions.iter().map(|(version, devices)| (version, devices.len(), newer(version)));
    let many = |devices: u64| devices >= LEAST_DEVICES && share(devices, stratum) >= FAR_BEHIND_SHARE;
    behind
        .filter(|(version, devices, newer)| {
            *newer >= RELEASES_BEHIND && many(*devices) && version.as_str() != Value::OTHER
        })
        .map(|(version, devices, newer)| {
            let numbers = vec![("devices", devices as f64), ("releases_newer", newer as f64)];
            stratum.finding(Kind::FarBehind, (Dimension::Version, version.clone()), share(devices, stratum), numbers)
        })
        .collect()
}

/// The devices that were told about an update on several days and ended all of theirs on one version, by that version.
pub(super) fn stuck(stratum: &Stratum<'_>) -> Vec<Finding> {
    let outdated = Status::Outdated.value();
    let mut told: BTreeMap<Value, Repeated> = BTreeMap::new();
    let mut seen: BTreeMap<Value, RoaringBitmap> = BTreeMap::new();
    for (_, slices) in stratum.days(LOOK_BACK) {
        let mut statuses = sets_by_value(Dimension::Status, &slices);
        let of_day = statuses.remove(&outdated).unwrap_or_default();
        for (version, devices) in sets_by_value(Dimension::Version, &slices) {
            *seen.entry(version.clone()).or_default() |= devices.as_ref();
            told.entry(version.clone()).or_default().add(devices.as_ref() & of_day.as_ref());
        }
    }
    let mut findings = Vec::new();
    for (version, told) in told {
        let others = seen.iter().filter(|(other, _)| **other != version).map(|(_, devices)| devices);
        let devices = others.fold(told.at_least, |stuck, moved| stuck - moved).len();
        if devices >= LEAST_DEVICES && share(devices, stratum) >= STUCK_SHARE {
            let numbers = vec![("devices", devices as f64), ("days", TOLD_DAYS as f64)];
            findings.push(stratum.finding(
                Kind::Stuck,
                (Dimension::Version, version),
                share(devices, stratum),
                numbers,
            ));
        }
    }
    findings
}

/// The devices of several sets by how many of them they are in.
#[derive(Default)]
struct Repeated {
    // Those that are in at least one, two, .. of them.
    fewer: [RoaringBitmap; TOLD_DAYS - 1],
    at_least: RoaringBitmap,
}

impl Repeated {
    fn add(&mut self, devices: RoaringBitmap) {
        let mut rising = devices;
        for level in &mut self.fewer {
            let again = &rising & &*level;
            *level |= rising;
            rising = again;
        }
        self.at_least |= rising;
    }
}

fn share(devices: u64, stratum: &Stratum<'_>) -> f64 {
    devices as f64 / stratum.active.len().max(1) as f64
}
