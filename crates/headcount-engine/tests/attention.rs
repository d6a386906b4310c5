//! What needs a look: rarely anything in fleets that are well, and nearly always what is planted.

use std::collections::BTreeMap;
use std::sync::Arc;

use headcount_engine::day::{Day, Millis};
use headcount_engine::dimension::{Dimension, Status, Value};
use headcount_engine::event::Values;
use headcount_engine::id::{AppId, Id};
use headcount_engine::insight::attention::{Finding, Kind, Release, Scene, attention};
use headcount_engine::report::{Filters, Source};
use headcount_engine::segment::Fold;

const LAST: Day = Day(20_600);
const PLATFORMS: [&str; 3] = ["darwin", "linux", "windows"];
/// The releases, and how many days ago each was published.
const RELEASES: [(&str, i32); 4] = [("1.0.0", 60), ("1.1.0", 25), ("1.2.0", 14), ("1.3.0", 5)];
/// The part of the devices that take an update on each day.
const DAILY_UPDATES: f64 = 0.3;

fn app() -> AppId {
    AppId(Id::from_bytes([7; 12]))
}

/// Numbers from 0 to 1 that follow from a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A fleet that updates as fleets do, but for what is planted.
#[derive(Clone)]
struct Fleet {
    seed: u64,
    per_platform: u32,
    /// Which days are there, by how long ago they are.
    ago: Vec<i32>,
    /// The part of the devices on linux that get no newer release than the one before the newest.
    stranded: f64,
    /// The part of the devices that take the newest release on each day.
    newest_updates: f64,
    /// How many checks come on the last day but one, of those that usually come.
    presence: f64,
}

impl Fleet {
    fn well(seed: u64) -> Self {
        let weeks = (1..=4).map(|week| 1 + 7 * week);
        // The days of the last week, its weekdays before, and those of the same age of earlier releases.
        let mut ago: Vec<i32> = (0..7).chain(weeks).chain([10, 21]).collect();
        ago.sort_unstable();
        ago.dedup();
        Self { seed, per_platform: 150, ago, stranded: 0.0, newest_updates: DAILY_UPDATES, presence: 1.0 }
    }

    fn sources(&self) -> Vec<Source> {
        let mut dice = Dice(self.seed);
        let mut folds: BTreeMap<i32, Fold> = BTreeMap::new();
        for device in 0..self.per_platform * PLATFORMS.len() as u32 {
            let platform = PLATFORMS[device as usize % PLATFORMS.len()];
            let is_stranded = dice.roll() < self.stranded && platform == "linux";
            let taken: Vec<i32> = RELEASES.iter().map(|&(version, ago)| self.taken(&mut dice, version, ago)).collect();
            for &ago in &self.ago {
                // Half as many on the days of a weekend.
                let weekend = if (LAST.0 - ago) % 7 < 2 { 0.5 } else { 1.0 };
                let fewer = if ago == 1 { self.presence } else { 1.0 };
                if dice.roll() >= 0.8 * weekend * fewer {
                    continue;
                }
                let on = |at: &usize| taken[*at] >= ago && !(is_stranded && *at == RELEASES.len() - 1);
                let version = (0..RELEASES.len()).rev().find(on).unwrap_or(0);
                let newest = RELEASES.iter().rposition(|&(_, published)| published >= ago).unwrap_or(0);
                let status = if version >= newest { Status::Latest } else { Status::Outdated };
                let values = values(RELEASES[version].0, platform, status);
                for check in 0..=(dice.roll() * 3.0) as i64 {
                    let at = Millis(LAST.plus(-ago).start().0 + check * 1000);
                    folds.entry(ago).or_default().record(device, at, &values);
                }
            }
        }
        let source =
            |(ago, fold): (i32, Fold)| Source { day: LAST.plus(-ago), app: app(), segment: Arc::new(fold.finish()) };
        folds.into_iter().map(source).collect()
    }

    /// How long ago a device took the release.
    fn taken(&self, dice: &mut Dice, version: &str, published: i32) -> i32 {
        let daily = if version == "1.3.0" { self.newest_updates } else { DAILY_UPDATES };
        let waited = (dice.roll().max(1e-9).ln() / (1.0 - daily).ln()) as i32;
        published - waited
    }

    fn findings(&self) -> Vec<Finding> {
        look(&self.sources(), &Filters::default())
    }
}

fn values(version: &str, platform: &str, status: Status) -> Values {
    let mut values = Values::default();
    values[Dimension::Version] = Some(Value::new(version));
    values[Dimension::Platform] = Some(Value::new(platform));
    values[Dimension::Channel] = Some(Value::new("stable"));
    values[Dimension::Status] = Some(status.value());
    values
}

fn releases() -> Vec<Release> {
    let release = |&(version, ago): &(&str, i32)| Release {
        app: app(),
        channel: Some(Value::new("stable")),
        version: Value::new(version),
        published: Some(LAST.plus(-ago)),
    };
    RELEASES.iter().map(release).collect()
}

fn look(sources: &[Source], filters: &Filters) -> Vec<Finding> {
    let releases = releases();
    let (whole, first) = (LAST.plus(-1), LAST.plus(-30));
    attention(&Scene { last: LAST, whole, first, filters, sources, releases: &releases })
}

fn of_kind(findings: &[Finding], kind: Kind) -> Vec<&Finding> {
    findings.iter().filter(|finding| finding.kind == kind).collect()
}

#[test]
fn of_200_fleets_that_are_well_at_most_5_percent_alarm() {
    const TESTED: [Kind; 3] = [Kind::PlatformBehind, Kind::SlowRelease, Kind::FewerChecks];
    let alarms = |seed: &u64| Fleet::well(*seed).findings().iter().any(|finding| TESTED.contains(&finding.kind));
    let alarmed: Vec<u64> = (0..200).filter(alarms).collect();
    assert!(alarmed.len() <= 10, "{} fleets: {alarmed:?}", alarmed.len());
}

#[test]
fn a_platform_that_lags_by_10_points_is_found_in_95_percent() {
    // Those who have taken the newest release by today, of whom so many are stranded that 10 points are lacking.
    let reached = 1.0 - (1.0 - DAILY_UPDATES).powi(RELEASES[3].1 + 1);
    let lagging =
        |seed: u64| Fleet { per_platform: 1000, ago: vec![0, 1], stranded: 0.10 / reached, ..Fleet::well(seed) };
    let found = (0..200).filter(|&seed| {
        let findings = lagging(seed).findings();
        let linux = Some((Dimension::Platform, Value::new("linux")));
        of_kind(&findings, Kind::PlatformBehind).iter().any(|finding| finding.subject == linux)
    });
    let found = found.count();
    assert!(found >= 190, "{found} of 200");
}

#[test]
fn a_release_that_arrives_slowly_is_found() {
    let slow = Fleet { newest_updates: 0.1, per_platform: 300, ..Fleet::well(1) };
    let findings = slow.findings();
    let found = of_kind(&findings, Kind::SlowRelease);
    let subjects: Vec<_> = found.iter().map(|finding| finding.subject.clone()).collect();
    assert_eq!(subjects, [Some((Dimension::Version, Value::new("1.3.0")))]);
    let number = |name: &str| found[0].numbers.iter().find(|(known, _)| *known == name).unwrap().1;
    assert_eq!((number("age_days"), number("earlier_releases")), (4.0, 2.0));
    let (own, earlier) = (number("adopted_share"), number("earlier_adopted_share"));
    assert!(own < 0.5 && earlier > 0.7, "{own} {earlier}");
    assert!((found[0].weight - (earlier - own)).abs() < 1e-9);
}

#[test]
fn checks_that_stay_away_are_found() {
    let silent = Fleet { presence: 0.5, ..Fleet::well(2) };
    let findings = silent.findings();
    let found = of_kind(&findings, Kind::FewerChecks);
    assert_eq!(found.len(), 1, "{findings:?}");
    assert_eq!((found[0].app, &found[0].channel, &found[0].subject), (app(), &None, &None));
    assert!((0.35..0.65).contains(&found[0].weight), "{}", found[0].weight);
}

/// Devices of one version on the last days, each day with these statuses.
fn days(folds: &mut BTreeMap<i32, Fold>, devices: std::ops::Range<u32>, versions: &[(&str, Status)]) {
    for (ago, &(version, status)) in versions.iter().enumerate() {
        for device in devices.clone() {
            let at = LAST.plus(-(ago as i32)).start();
            folds.entry(ago as i32).or_default().record(device, at, &values(version, "linux", status));
        }
    }
}

fn segments(folds: BTreeMap<i32, Fold>) -> Vec<Source> {
    let source =
        |(ago, fold): (i32, Fold)| Source { day: LAST.plus(-ago), app: app(), segment: Arc::new(fold.finish()) };
    folds.into_iter().map(source).collect()
}

#[test]
fn versions_far_behind_and_stuck_devices_are_counted() {
    let (latest, outdated) = (Status::Latest, Status::Outdated);
    let mut folds = BTreeMap::new();
    // A hundred that are well; twelve that are stuck three releases behind, nine that are stuck elsewhere.
    days(&mut folds, 0..100, &[("1.3.0", latest)]);
    days(&mut folds, 100..112, &[("1.0.0", outdated); 3]);
    days(&mut folds, 112..121, &[("1.1.0", outdated); 4]);
    // Told on three days, and then moved; told on two days only.
    days(&mut folds, 121..151, &[("1.2.0", latest), ("1.1.0", outdated), ("1.1.0", outdated), ("1.1.0", outdated)]);
    days(&mut folds, 151..171, &[("1.2.0", outdated); 2]);
    let sources = segments(folds);
    let found = |version: &str, kind, devices: f64, other: (&'static str, f64)| Finding {
        kind,
        app: app(),
        channel: Some(Value::new("stable")),
        subject: Some((Dimension::Version, Value::new(version))),
        weight: devices / 171.0,
        numbers: vec![("devices", devices), other],
    };
    let expected = [
        found("1.0.0", Kind::FarBehind, 12.0, ("releases_newer", 3.0)),
        found("1.0.0", Kind::Stuck, 12.0, ("days", 3.0)),
    ];
    assert_eq!(look(&sources, &Filters::default()), expected);
    // Filters limit what is looked at.
    let mut filters = Filters::default();
    filters.set(Dimension::Platform, [Value::new("windows")].into());
    assert_eq!(look(&sources, &filters), []);
}
