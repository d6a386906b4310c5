//! What is found by comparing, and may be chance.

use roaring::{MultiOps as _, RoaringBitmap};

use super::{Finding, Kind, LEAST_COMPARED, Release, Scene, Stratum, Suspected};
use crate::day::Day;
use crate::dimension::{Dimension, Status};
use crate::id::AppId;
use crate::insight::chance::{Part, fewer, less};
use crate::report::Source;
use crate::slice::{self, Slice, sets_by_value};

/// Over how many days the last status of a device is looked for.
const STATUS_DAYS: i32 = 2;
/// How much lower the share of a platform has to be.
const PLATFORM_MARGIN: f64 = 0.05;
/// How much lower the share of a release has to be.
const RELEASE_MARGIN: f64 = 0.10;
/// The ages, in days, at which releases are compared.
const AGES: std::ops::RangeInclusive<i32> = 2..=14;
/// With how many releases before it a release is compared.
const EARLIER_RELEASES: std::ops::RangeInclusive<usize> = 2..=3;
/// By how much the checks have to be fewer.
const CHECKS_MARGIN: f64 = 0.20;
/// With how many weeks before it a day is compared.
const EARLIER_WEEKS: std::ops::RangeInclusive<usize> = 2..=4;

/// The platforms on which fewer devices have the latest release than on all others together.
pub(super) fn platforms_behind(stratum: &Stratum<'_>) -> Vec<Suspected> {
    let mut statuses = stratum.last_values(Dimension::Status, STATUS_DAYS);
    let latest = statuses.remove(&Status::Latest.value()).unwrap_or_default();
    let known = &latest | statuses.remove(&Status::Outdated.value()).unwrap_or_default();
    let part = |devices: &RoaringBitmap| Part::of(devices.intersection_len(&latest), devices.len());
    let mut suspected = Vec::new();
    for (platform, devices) in stratum.platforms(STATUS_DAYS) {
        let (own, others) = (&known & &devices, &known - &devices);
        if own.len() < LEAST_COMPARED || others.len() < LEAST_COMPARED {
            continue;
        }
        let (Some(one), Some(other)) = (part(&own), part(&others)) else { continue };
        let lag = other.share() - one.share();
        let weight = (lag * own.len() as f64 / known.len() as f64).max(0.0);
        let numbers = vec![
            ("devices", own.len() as f64),
            ("latest_share", one.share()),
            ("others_devices", others.len() as f64),
            ("others_latest_share", other.share()),
        ];
        let finding = stratum.finding(Kind::PlatformBehind, (Dimension::Platform, platform), weight, numbers);
        suspected.push((finding, if lag < PLATFORM_MARGIN { 1.0 } else { less(one, other) }));
    }
    suspected
}

/// The newest release, where it has arrived at fewer devices than each of those before it at the same age.
pub(super) fn slow_release(stratum: &Stratum<'_>) -> Option<Suspected> {
    let releases = stratum.releases();
    let (newest, before) = releases.split_first()?;
    let age = stratum.scene.whole.0 - newest.published?.0;
    if !AGES.contains(&age) {
        return None;
    }
    let own = adopted(stratum, newest, age)?;
    let earlier = before.iter().filter(|release| release.published < newest.published);
    let earlier: Vec<Part> =
        earlier.filter_map(|release| adopted(stratum, release, age)).take(*EARLIER_RELEASES.end()).collect();
    if !EARLIER_RELEASES.contains(&earlier.len()) {
        return None;
    }
    let together = Part { part: earlier.iter().map(|one| one.part).sum(), of: earlier.iter().map(|one| one.of).sum() };
    let least = earlier.iter().map(|one| one.share()).fold(1.0, f64::min);
    let is_far = own.share() <= least - RELEASE_MARGIN;
    let weight = (together.share() - own.share()).max(0.0);
    let numbers = vec![
        ("age_days", f64::from(age)),
        ("adopted_share", own.share()),
        ("earlier_adopted_share", together.share()),
        ("earlier_releases", earlier.len() as f64),
        ("devices", own.of),
    ];
    let finding = stratum.finding(Kind::SlowRelease, (Dimension::Version, newest.version.clone()), weight, numbers);
    Some((finding, if is_far { less(own, together) } else { 1.0 }))
}

/// The devices that ended the day of that age on the release or above, of all but held ones; none where the day is not
/// retained or too few were there.
fn adopted(stratum: &Stratum<'_>, release: &Release, age: i32) -> Option<Part> {
    let day = release.published?.plus(age);
    if !(stratum.scene.first..=stratum.scene.whole).contains(&day) {
        return None;
    }
    let slices = stratum.day(day);
    let held = sets_by_value(Dimension::Status, &slices).remove(&Status::Held.value()).unwrap_or_default().into_owned();
    let devices = stratum.devices(day) - &held;
    let versions = sets_by_value(Dimension::Version, &slices);
    let reached = versions
        .iter()
        .filter(|(version, _)| Dimension::Version.compare(version, &release.version).is_ge())
        .map(|(_, devices)| devices.as_ref())
        .union()
        - held;
    (devices.len() >= LEAST_COMPARED).then(|| Part::of(reached.len(), devices.len())).flatten()
}

/// The checks of the last whole day, where they are fewer than on the same weekday of each week before.
pub(super) fn fewer_checks(scene: &Scene<'_>, app: AppId, sources: &[Source]) -> Option<Suspected> {
    let counted = |day: Day| counted(scene, sources, day);
    let (checks, _) = counted(scene.whole);
    let weeks = (1..=*EARLIER_WEEKS.end() as i32).map(|week| scene.whole.plus(-7 * week));
    let earlier: Vec<(u64, u64)> = weeks.filter(|day| *day >= scene.first).map(counted).collect();
    // Weeks before the first check are no weeks of silence.
    let earlier: Vec<(u64, u64)> = earlier.into_iter().take_while(|(checks, _)| *checks > 0).collect();
    let devices: u64 = earlier.iter().map(|(_, devices)| devices).sum();
    if !EARLIER_WEEKS.contains(&earlier.len()) || devices < LEAST_COMPARED * earlier.len() as u64 {
        return None;
    }
    let all: u64 = earlier.iter().map(|(checks, _)| checks).sum();
    let (mean, least) = (all as f64 / earlier.len() as f64, earlier.iter().map(|(checks, _)| *checks).min()?);
    let is_far = checks as f64 <= least as f64 * (1.0 - CHECKS_MARGIN);
    let per_device = all as f64 / devices as f64;
    let independent: Vec<f64> = earlier.iter().map(|(checks, _)| *checks as f64 / per_device).collect();
    let weight = (1.0 - checks as f64 / mean).max(0.0);
    let numbers = vec![("checks", checks as f64), ("earlier_checks", mean), ("weeks", earlier.len() as f64)];
    let finding = Finding { kind: Kind::FewerChecks, app, channel: None, subject: None, weight, numbers };
    Some((finding, if is_far { fewer(checks as f64 / per_device, &independent) } else { 1.0 }))
}

/// The checks and the devices of a day.
fn counted(scene: &Scene<'_>, sources: &[Source], day: Day) -> (u64, u64) {
    let of_day = sources.iter().filter(|source| source.day == day);
    let slices: Vec<Slice<'_>> = of_day.map(|source| Slice::new(&source.segment, scene.filters)).collect();
    (slice::count_requests(&slices), slice::devices(&slices).len())
}
