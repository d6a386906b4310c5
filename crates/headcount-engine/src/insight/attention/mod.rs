//! What needs a look: versions far behind, platforms that fall behind, devices that are stuck, releases that are slow,
//! checks that stay away. Each is found for one application and channel, by a rule that stands beside it.

mod compared;
mod standing;

use std::collections::{BTreeMap, BTreeSet};

use roaring::{MultiOps as _, RoaringBitmap};

use super::chance::significant;
use super::upgrades::{LOOK_BACK, last_values};
use crate::day::Day;
use crate::dimension::{Dimension, Value};
use crate::id::AppId;
use crate::report::{Filters, Source};
use crate::slice::{self, Slice, sets_by_value};

/// What all tests of one answer together may find by chance: in one of a hundred answers anything at all.
pub const LEVEL: f64 = 0.01;
/// The fewest devices of anything that is found.
pub const LEAST_DEVICES: u64 = 10;
/// The fewest devices on either side of a comparison.
pub const LEAST_COMPARED: u64 = 50;

/// What is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, strum::VariantArray)]
pub enum Kind {
    /// Many devices run a version that many releases have left behind.
    FarBehind,
    /// Fewer devices of a platform have the latest release than of the others.
    PlatformBehind,
    /// Devices were told about an update again and again and have not moved.
    Stuck,
    /// Fewer devices have a release than had earlier ones at the same age.
    SlowRelease,
    /// Fewer checks came than on the same weekday before.
    FewerChecks,
}

impl Kind {
    /// The word for it in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FarBehind => "far-behind",
            Self::PlatformBehind => "platform-behind",
            Self::Stuck => "stuck",
            Self::SlowRelease => "slow-release",
            Self::FewerChecks => "fewer-checks",
        }
    }

    /// The rule by which it is found.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::FarBehind => {
                "At least 10 devices, and 5 % of those of the app and channel in the last 7 days, had as their last version \
                 one that 3 or more published releases of the channel are newer than. No test of significance: these are \
                 counts."
            }
            Self::PlatformBehind => {
                "Of the devices of the app and channel that were seen on the last two days, by the last status of each, held \
                 ones left out: the share of the latest release on the platform is at least 5 points below that on all other \
                 platforms, with 50 devices on either side, and a one-sided two-proportion z test finds the difference \
                 significant at 1 % for all tests of the answer together (Holm)."
            }
            Self::Stuck => {
                "At least 10 devices, and 1 % of those of the app and channel in the last 7 days, ended 3 or more of these \
                 days outdated on this version and none on another. No test of significance: these are counts."
            }
            Self::SlowRelease => {
                "On the last whole day, 2 to 14 days after its publication, the share of the devices of the app and channel \
                 that ended the day on the newest release or above is at least 10 points below that of each of the 2 or 3 \
                 releases before it at the same age, held devices left out, and a one-sided two-proportion z test against \
                 these together is significant at 1 % for all tests of the answer together (Holm)."
            }
            Self::FewerChecks => {
                "On the last whole day the app had at least 20 % fewer counted checks than on the same weekday of each of the \
                 2 to 4 weeks before, and a one-sided z test of Poisson rates is significant at 1 % for all tests of the \
                 answer together (Holm). The checks of one device are not independent of each other, so that each counts as \
                 one divided by the checks per device."
            }
        }
    }
}

/// A published release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Of which application.
    pub app: AppId,
    /// On which channel; none where the owner has no channels.
    pub channel: Option<Value>,
    /// Its version.
    pub version: Value,
    /// The day on which it was published, if that is known.
    pub published: Option<Day>,
}

/// What is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The last day.
    pub last: Day,
    /// The last day that is over, or `last`.
    pub whole: Day,
    /// The oldest day that is retained.
    pub first: Day,
    /// Which devices and checks.
    pub filters: &'a Filters,
    /// All retained days of the apps in scope.
    pub sources: &'a [Source],
    /// The published releases of these apps.
    pub releases: &'a [Release],
}

/// Something that needs a look.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What it is.
    pub kind: Kind,
    /// In which application.
    pub app: AppId,
    /// On which channel, if it is found by channel.
    pub channel: Option<Value>,
    /// Which platform or version it is about, if it is about one.
    pub subject: Option<(Dimension, Value)>,
    /// How much of the app and channel it concerns, 0 to 1: a part of its devices, or of its checks.
    pub weight: f64,
    /// The numbers behind it, by their names.
    pub numbers: Vec<(&'static str, f64)>,
}

/// A finding that may be chance: how likely it is that it is.
type Suspected = (Finding, f64);

/// All findings, the weightiest first.
pub fn attention(scene: &Scene<'_>) -> Vec<Finding> {
    let mut apps: BTreeMap<AppId, Vec<Source>> = BTreeMap::new();
    for source in scene.sources {
        apps.entry(source.app).or_default().push(source.clone());
    }
    let (mut findings, mut suspected) = (Vec::new(), Vec::new());
    for (&app, sources) in &apps {
        suspected.extend(compared::fewer_checks(scene, app, sources));
        for stratum in strata(scene, app, sources) {
            findings.extend(standing::far_behind(&stratum));
            findings.extend(standing::stuck(&stratum));
            suspected.extend(compared::platforms_behind(&stratum));
            suspected.extend(compared::slow_release(&stratum));
        }
    }
    // Every test counts, also those whose margin is too small: only then is the level that of all of them.
    let probabilities: Vec<f64> = suspected.iter().map(|(_, chance)| *chance).collect();
    let kept = suspected.into_iter().zip(significant(&probabilities, LEVEL));
    findings.extend(kept.filter(|(_, is_significant)| *is_significant).map(|((finding, _), _)| finding));
    findings.sort_by(|one, other| {
        let key = |finding: &Finding| (finding.kind, finding.app, finding.channel.clone(), finding.subject.clone());
        other.weight.total_cmp(&one.weight).then_with(|| key(one).cmp(&key(other)))
    });
    findings
}

/// One application and channel.
struct Stratum<'a> {
    scene: &'a Scene<'a>,
    app: AppId,
    channel: Option<Value>,
    filters: Filters,
    sources: &'a [Source],
    // The devices of the last days.
    active: RoaringBitmap,
}

fn strata<'a>(scene: &'a Scene<'a>, app: AppId, sources: &'a [Source]) -> Vec<Stratum<'a>> {
    let days = scene.last.plus(1 - LOOK_BACK)..=scene.last;
    let recent = sources.iter().filter(|source| days.contains(&source.day));
    let wanted = scene.filters.get(Dimension::Channel);
    let channels: BTreeSet<&Value> = recent
        .flat_map(|source| source.segment.values(Dimension::Channel).map(|(channel, _)| channel))
        .filter(|channel| wanted.is_none_or(|wanted| wanted.contains(*channel)))
        .collect();
    let of_channel = |channel: Option<&Value>| {
        let mut filters = scene.filters.clone();
        if let Some(channel) = channel {
            filters.set(Dimension::Channel, [channel.clone()].into());
        }
        let none = RoaringBitmap::new();
        let mut stratum = Stratum { scene, app, channel: channel.cloned(), filters, sources, active: none };
        stratum.active = stratum.active();
        stratum
    };
    if channels.is_empty() && wanted.is_none() {
        return vec![of_channel(None)];
    }
    channels.into_iter().map(|channel| of_channel(Some(channel))).collect()
}

impl Stratum<'_> {
    /// What the filters leave of that day; of one application there is one source at most.
    fn day(&self, day: Day) -> Vec<Slice<'_>> {
        let of_day = self.sources.iter().filter(|source| source.day == day);
        of_day.map(|source| Slice::new(&source.segment, &self.filters)).collect()
    }

    /// The last days.
    fn days(&self, count: i32) -> Vec<(Day, Vec<Slice<'_>>)> {
        let last = self.scene.last;
        last.plus(1 - count).through(last).map(|day| (day, self.day(day))).collect()
    }

    fn active(&self) -> RoaringBitmap {
        self.days(LOOK_BACK).iter().flat_map(|(_, slices)| slices).map(Slice::devices).union()
    }

    /// The devices by their last value of the last days.
    fn last_values(&self, dimension: Dimension, days: i32) -> BTreeMap<Value, RoaringBitmap> {
        last_values(dimension, (self.scene.last, days), &self.filters, self.sources)
    }

    /// The devices by the platforms of the last days.
    fn platforms(&self, days: i32) -> BTreeMap<Value, RoaringBitmap> {
        let mut platforms: BTreeMap<Value, RoaringBitmap> = BTreeMap::new();
        for (_, slices) in self.days(days) {
            for (platform, devices) in sets_by_value(Dimension::Platform, &slices) {
                *platforms.entry(platform.clone()).or_default() |= devices.as_ref();
            }
        }
        platforms
    }

    /// The devices of a day.
    fn devices(&self, day: Day) -> RoaringBitmap {
        slice::devices(&self.day(day)).into_owned()
    }

    /// The releases of this application and channel, the greatest version first.
    fn releases(&self) -> Vec<&Release> {
        let mut releases: Vec<&Release> = self
            .scene
            .releases
            .iter()
            .filter(|release| release.app == self.app && (self.channel.is_none() || release.channel == self.channel))
            .collect();
        releases.sort_by(|one, other| Dimension::Version.compare(&other.version, &one.version));
        releases.dedup_by(|one, other| one.version == other.version);
        releases
    }

    fn finding(
        &self,
        kind: Kind,
        subject: (Dimension, Value),
        weight: f64,
        numbers: Vec<(&'static str, f64)>,
    ) -> Finding {
        Finding { kind, app: self.app, channel: self.channel.clone(), subject: Some(subject), weight, numbers }
    }
}
