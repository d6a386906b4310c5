//! The devices: what each runs, from when to when, and when it checks.

use std::fmt::Write as _;

use headcount_engine::check::rollout_bucket;
use headcount_engine::day::{DAY_MILLIS, Day, Millis};
use headcount_engine::device::DeviceId;

use super::Plan;
use super::dice::Dice;
use super::script::{LATE_PLATFORM, LATE_TIMES, OWN_BUILD_SHARE, PRODUCTS, Place, STUCK_SHARE, Script, Scripted};

/// The share of devices that were there before the history began.
const THERE_BEFORE: f64 = 0.72;
/// The share that vanishes within the history.
const VANISHING: f64 = 0.12;
/// The share that uses a second application.
const WITH_TWO: f64 = 0.15;
/// The days before the history in which the older devices came.
const OLDER_DAYS: u64 = 60;

/// All devices of a demo.
#[derive(Debug)]
pub(super) struct Fleet {
    seed: u64,
    today: Day,
    pub(super) devices: Vec<DeviceId>,
    pub(super) installs: Vec<Install>,
}

/// One application on one device.
#[derive(Debug)]
pub(super) struct Install {
    /// The position of the device.
    pub(super) device: usize,
    /// The position of its line in the script.
    pub(super) line: usize,
    /// The position of its platform and architecture.
    place: usize,
    first: Day,
    last: Option<Day>,
    /// How likely it is used on a working day.
    habit: f64,
    /// From when it runs which version, the oldest first; the first one from ever.
    versions: Vec<(Millis, u16)>,
}

impl Install {
    pub(super) fn place(&self, script: &Script) -> &'static Place {
        &script.lines[self.line].product().places[self.place]
    }

    /// The position of the version that it runs then.
    pub(super) fn version_at(&self, at: Millis) -> u16 {
        let later = self.versions.partition_point(|&(from, _)| from <= at);
        self.versions[later.saturating_sub(1)].1
    }

    /// Whether it is installed on that day.
    pub(super) fn is_there(&self, day: Day) -> bool {
        self.first <= day && self.last.is_none_or(|last| day <= last)
    }
}

impl Fleet {
    /// Makes the fleet of a demo that is made on `today`.
    pub(super) fn make(plan: &Plan, script: &Script, today: Day) -> Self {
        let mut fleet = Self { seed: plan.seed, today, devices: Vec::new(), installs: Vec::new() };
        while fleet.devices.len() < plan.devices as usize {
            let mut dice = Dice::of(&[plan.seed, 2, fleet.devices.len() as u64]);
            // A random UUID always has the form of a device id.
            let Ok(id) = uuid(&mut dice).parse() else { continue };
            let (first, last) = stay(plan, today, &mut dice);
            let product = dice.pick(PRODUCTS.iter().map(|product| product.share));
            let second = (product + 1 + dice.below(PRODUCTS.len() as u64 - 1) as usize) % PRODUCTS.len();
            let with_two = dice.chance(WITH_TWO);
            fleet.devices.push(id);
            for product in [Some(product), with_two.then_some(second)].into_iter().flatten() {
                let install = fleet.install(script, product, (first, last), &mut dice);
                fleet.installs.push(install);
            }
        }
        fleet
    }

    fn install(&self, script: &Script, product: usize, (first, last): (Day, Option<Day>), dice: &mut Dice) -> Install {
        let of_product = &PRODUCTS[product];
        let place = dice.pick(of_product.places.iter().map(|place| place.weight));
        let line = dice.pick(of_product.lines.iter().map(|line| line.weight));
        let found = script.lines.iter().position(|scripted| scripted.product == product && scripted.line == line);
        let line = found.unwrap_or_default();
        let scripted = &script.lines[line];
        let platform = of_product.places[place].platform;
        let ever = Millis(i64::MIN);
        let versions = if scripted.first_followed() > 0 && dice.chance(STUCK_SHARE) {
            vec![(ever, scripted.releases[0].version)]
        } else if dice.chance(OWN_BUILD_SHARE) {
            vec![(ever, script.own_builds[dice.below(script.own_builds.len() as u64) as usize])]
        } else {
            let device = self.devices.last().map(DeviceId::as_str).unwrap_or_default();
            updates(scripted, device, platform, first.start(), dice)
        };
        Install { device: self.devices.len() - 1, line, place, first, last, habit: 0.55 + 0.4 * dice.unit(), versions }
    }

    /// When an installation checks on that day, in milliseconds since it began.
    pub(super) fn checks(&self, script: &Script, install: usize, day: Day) -> Vec<i64> {
        let installed = &self.installs[install];
        if !installed.is_there(day) {
            return Vec::new();
        }
        let product = script.lines[installed.line].product();
        let back = (self.today.0 - day.0) as u64;
        let mut dice = Dice::of(&[self.seed, 3, install as u64, back]);
        let habit = if is_weekend(day) { installed.habit * product.weekend } else { installed.habit };
        if !dice.chance(habit) {
            return Vec::new();
        }
        let count = product.checks.0 + dice.below(product.checks.1 - product.checks.0 + 1);
        let mut times: Vec<i64> = (0..count).map(|_| time_of_day(product.around_the_clock, &mut dice)).collect();
        times.sort_unstable();
        times
    }
}

fn is_weekend(day: Day) -> bool {
    // 1970-01-01 was a Thursday.
    (day.0 + 3).rem_euclid(7) >= 5
}

fn time_of_day(around_the_clock: bool, dice: &mut Dice) -> i64 {
    let share = if around_the_clock { dice.unit() } else { 0.27 + 0.27 * (dice.unit() + dice.unit()) };
    (share * DAY_MILLIS as f64) as i64
}

/// The first day of a device, and its last one if it vanishes.
fn stay(plan: &Plan, today: Day, dice: &mut Dice) -> (Day, Option<Day>) {
    let days = u64::from(plan.days);
    let start = today.plus(-plan.days());
    let first = if dice.chance(THERE_BEFORE) {
        start.plus(-(dice.below(OLDER_DAYS) as i32))
    } else {
        start.plus(dice.below(days + 1) as i32)
    };
    let vanishes = dice.chance(VANISHING);
    let last = start.plus(dice.below(days + 1) as i32);
    (first, (vanishes && last >= first).then_some(last))
}

/// From when a device that keeps up runs which version.
fn updates(line: &Scripted, device: &str, platform: &str, first: Millis, dice: &mut Dice) -> Vec<(Millis, u16)> {
    // Some people update at once, some do in the end.
    let patience = 0.4 + dice.wait(0.6);
    let late = if platform == LATE_PLATFORM { LATE_TIMES } else { 1.0 };
    let mean = line.product().days_to_update * patience * late;
    let followed = &line.releases[line.first_followed()..];
    let mut versions = vec![(Millis(i64::MIN), followed[0].version)];
    let mut due: Vec<(Millis, usize)> = Vec::new();
    for (at, release) in followed.iter().enumerate() {
        let wait = (dice.wait(mean) * DAY_MILLIS as f64) as i64;
        // The client decides whether the staged rollout includes it, as every update client does.
        if rollout_bucket(device, &hex::encode(release.rollout_seed)) >= release.rollout {
            continue;
        }
        // What is new when a device comes is what it starts with.
        let is_first = release.published <= first && followed.get(at + 1).is_none_or(|next| next.published > first);
        due.push((if is_first { first } else { Millis(release.published.0 + wait) }, at));
    }
    due.sort_unstable();
    let mut newest = 0;
    for (from, at) in due {
        if at > newest {
            newest = at;
            versions.push((from, followed[at].version));
        }
    }
    versions
}

/// A random UUID, version 4.
fn uuid(dice: &mut Dice) -> String {
    let (high, low) = (dice.next(), dice.next());
    let high = high & !0xf000 | 0x4000;
    let low = low & !(0b11 << 62) | 0b10 << 62;
    let hex = format!("{high:016x}{low:016x}");
    let mut text = String::with_capacity(36);
    for (at, digit) in hex.char_indices() {
        if [8, 12, 16, 20].contains(&at) {
            text.push('-');
        }
        _ = text.write_char(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_random_uuids() {
        let ids = [1, 2].map(|place| uuid(&mut Dice::of(&[place])));
        for id in &ids {
            assert_eq!(id.len(), 36);
            assert_eq!(
                id.char_indices().filter(|&(_, char)| char == '-').map(|(at, _)| at).collect::<Vec<_>>(),
                [8, 13, 18, 23]
            );
            assert_eq!(&id[14..15], "4");
            assert!("89ab".contains(&id[19..20]), "{id}");
        }
        assert_ne!(ids[0], ids[1]);
    }

    #[test]
    fn the_weekend_is_saturday_and_sunday() {
        let day = |text: &str| text.parse::<Day>().unwrap();
        // The 23rd of November 2026 was a Monday.
        let days = ["2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23"].map(|text| is_weekend(day(text)));
        assert_eq!(days, [false, true, true, false]);
    }
}
