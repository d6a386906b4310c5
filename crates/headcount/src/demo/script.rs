//! What the demo shows: the applications, their releases, and the habits of those who use them.

use headcount_engine::day::{Day, Millis};
use headcount_engine::version::{BadVersion, Version};

use super::Plan;
use super::dice::Dice;

const HOUR: i64 = 3_600_000;

/// The platform whose devices update late, and how many times as long they take.
pub(super) const LATE_PLATFORM: &str = "linux";
pub(super) const LATE_TIMES: f64 = 5.0;
/// The share of devices that stay for ever on the version that their line left behind.
pub(super) const STUCK_SHARE: f64 = 0.04;
/// The share of devices that run a version which the catalog does not know.
pub(super) const OWN_BUILD_SHARE: f64 = 0.004;
/// These versions: builds that somebody made for themselves.
pub(super) const OWN_BUILDS: [&str; 3] = ["5.0.0-dev", "4.2.1+local", "0.0.0-snapshot"];

/// One application.
pub(super) struct Product {
    pub(super) name: &'static str,
    /// How many of a hundred devices use it first.
    pub(super) share: u32,
    pub(super) places: &'static [Place],
    pub(super) lines: &'static [Line],
    /// How likely it is on a day of the weekend, compared with a working day.
    pub(super) weekend: f64,
    /// How often it checks on a day on which it is used: from, to.
    pub(super) checks: (u64, u64),
    /// Days from a release to its installation, on average.
    pub(super) days_to_update: f64,
    /// Whether it checks around the clock, and not in working hours only.
    pub(super) around_the_clock: bool,
}

/// What an application runs on.
pub(super) struct Place {
    pub(super) platform: &'static str,
    pub(super) arch: &'static str,
    pub(super) package: &'static str,
    pub(super) weight: u32,
}

/// The releases of one application on one channel.
pub(super) struct Line {
    pub(super) channel: &'static str,
    pub(super) weight: u32,
    /// Days between two releases.
    pub(super) every: i32,
    /// How many days old the newest one is.
    pub(super) newest: i32,
    /// The share of devices that the newest one is offered to.
    pub(super) rollout: u8,
    /// A release long before the others, on which some devices are stuck.
    pub(super) left_behind: Option<&'static str>,
    /// The version of the release that is that many releases older than the newest.
    pub(super) version: fn(i32) -> String,
}

const fn place(platform: &'static str, arch: &'static str, package: &'static str, weight: u32) -> Place {
    Place { platform, arch, package, weight }
}

const fn line(channel: &'static str, weight: u32, every: i32, newest: i32, version: fn(i32) -> String) -> Line {
    Line { channel, weight, every, newest, rollout: 100, left_behind: None, version }
}

/// The channels, platforms and architectures, in the order of their creation.
pub(super) const CHANNELS: [&str; 3] = ["stable", "beta", "nightly"];
pub(super) const PLATFORMS: [&str; 4] = ["windows", "darwin", "linux", "android"];
pub(super) const ARCHS: [&str; 2] = ["amd64", "arm64"];

/// The applications: one for the desktop, a command-line tool, and an agent on phones.
pub(super) const PRODUCTS: [Product; 3] = [
    Product {
        name: "atlas",
        share: 55,
        places: &[
            place("windows", "amd64", ".msi", 50),
            place("windows", "arm64", ".msi", 4),
            place("darwin", "arm64", ".dmg", 22),
            place("darwin", "amd64", ".dmg", 9),
            place("linux", "amd64", ".deb", 15),
        ],
        lines: &[
            Line {
                rollout: 25,
                left_behind: Some("3.9.2"),
                ..line("stable", 92, 14, 2, |back| format!("4.{}.0", 38 - back))
            },
            // Two of them come before each stable release.
            line("beta", 8, 7, 5, |back| format!("4.{}.0-beta.{}", 38 - back / 2, 2 - back % 2)),
        ],
        weekend: 0.35,
        checks: (1, 3),
        days_to_update: 2.0,
        around_the_clock: false,
    },
    Product {
        name: "relay",
        share: 27,
        places: &[
            place("darwin", "arm64", ".tar.gz", 40),
            place("linux", "amd64", ".tar.gz", 32),
            place("linux", "arm64", ".tar.gz", 8),
            place("windows", "amd64", ".zip", 20),
        ],
        lines: &[
            line("stable", 88, 10, 6, |back| format!("2.{}.0", 44 - back)),
            line("nightly", 12, 2, 1, |back| format!("2.45.0-nightly.{}", 900 - back)),
        ],
        weekend: 0.2,
        checks: (1, 4),
        days_to_update: 3.5,
        around_the_clock: false,
    },
    Product {
        name: "pulse",
        share: 18,
        places: &[place("android", "arm64", ".apk", 1)],
        lines: &[
            line("stable", 94, 21, 9, |back| format!("7.{}", 31 - back)),
            line("beta", 6, 21, 2, |back| format!("7.{}-beta", 32 - back)),
        ],
        weekend: 1.1,
        checks: (2, 4),
        days_to_update: 0.8,
        around_the_clock: true,
    },
];

/// The releases of one demo, and when they were published.
#[derive(Debug)]
pub(super) struct Script {
    /// Every version that a device may run.
    pub(super) versions: Vec<Version>,
    /// Every line of every product, in the order of [`PRODUCTS`].
    pub(super) lines: Vec<Scripted>,
    /// The positions of [`OWN_BUILDS`] among the versions.
    pub(super) own_builds: Vec<u16>,
}

/// A line with its releases.
#[derive(Debug)]
pub(super) struct Scripted {
    pub(super) product: usize,
    pub(super) line: usize,
    /// The oldest first. The first one is what the line left behind, where it did.
    pub(super) releases: Vec<Release>,
}

/// One release.
#[derive(Debug)]
pub(super) struct Release {
    /// The position of its version.
    pub(super) version: u16,
    pub(super) published: Millis,
    pub(super) rollout: u8,
    pub(super) rollout_seed: [u8; 8],
}

impl Scripted {
    pub(super) fn product(&self) -> &'static Product {
        &PRODUCTS[self.product]
    }

    pub(super) fn line(&self) -> &'static Line {
        &self.product().lines[self.line]
    }

    /// The first release that devices which keep up may run.
    pub(super) fn first_followed(&self) -> usize {
        usize::from(self.line().left_behind.is_some())
    }
}

impl Script {
    /// Writes the script of a demo that is made at `now`.
    pub(super) fn write(plan: &Plan, now: Millis) -> Result<Self, BadVersion> {
        let mut script = Self { versions: Vec::new(), lines: Vec::new(), own_builds: Vec::new() };
        for (product, of_product) in PRODUCTS.iter().enumerate() {
            for (at, line) in of_product.lines.iter().enumerate() {
                let mut dice = Dice::of(&[plan.seed, 1, product as u64, at as u64]);
                let mut releases = Vec::new();
                if let Some(version) = line.left_behind {
                    let published = moment(now.day().plus(-plan.days() - 150), &mut dice);
                    releases.push(script.release(version, published, 100, &mut dice)?);
                }
                // Two releases are older than the history, so that it begins with devices that are and are not on the
                // newest one. A long history has no more nightly releases than a short one.
                let every = line.every.max(plan.days() / 30);
                let older = (plan.days() - line.newest).max(0) / every + 3;
                for back in (0..=older).rev() {
                    let published = moment(now.day().plus(-line.newest - back * every), &mut dice);
                    let rollout = if back == 0 { line.rollout } else { 100 };
                    releases.push(script.release(&(line.version)(back), published, rollout, &mut dice)?);
                }
                script.lines.push(Scripted { product, line: at, releases });
            }
        }
        for build in OWN_BUILDS {
            let position = script.add(build)?;
            script.own_builds.push(position);
        }
        Ok(script)
    }

    fn release(
        &mut self,
        version: &str,
        published: Millis,
        rollout: u8,
        dice: &mut Dice,
    ) -> Result<Release, BadVersion> {
        let rollout_seed = dice.next().to_be_bytes();
        Ok(Release { version: self.add(version)?, published, rollout, rollout_seed })
    }

    fn add(&mut self, version: &str) -> Result<u16, BadVersion> {
        self.versions.push(version.parse()?);
        Ok((self.versions.len() - 1) as u16)
    }
}

/// Some time of that day at which people publish.
fn moment(day: Day, dice: &mut Dice) -> Millis {
    Millis(day.start().0 + 8 * HOUR + dice.below(8 * HOUR as u64) as i64)
}
