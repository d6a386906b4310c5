//! Which devices are counted at all: so many a day of an application, and so many new ones from one source.
//!
//! Nobody can tell a made-up device from a real one. These limits bound what a flood of them does, and err towards
//! counting: what is not known yet is admitted, and a device that was counted today always is.

mod newcomers;
mod tokens;

use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use headcount_engine::day::{Day, Millis};
use headcount_engine::device::Pseudonym;
use headcount_engine::id::AppId;
use tokio::sync::Notify;

use self::newcomers::Newcomers;
use self::tokens::Tokens;
use crate::config::Config;

/// From which limit on devices are remembered only when there were about as many checks today: below it, always.
const REMEMBERED_ALWAYS: u64 = 100_000;

/// Decides which devices are counted.
#[derive(Debug)]
pub struct Admission {
    most_devices: u64,
    newcomers: Newcomers,
    tokens: Option<Mutex<Tokens>>,
    // Whether the devices of today are remembered; and whether those are known that were counted before that.
    remembers: AtomicBool,
    complete: AtomicBool,
    // Checks of today while devices are not remembered: there are no more devices than these.
    checks: AtomicU64,
    day: AtomicU64,
    many: Notify,
}

impl Admission {
    /// The limits of the settings.
    pub fn new(config: &Config) -> Self {
        let (rate, burst) = (config.new_devices_per_minute, config.new_devices_burst);
        let tokens = (rate > 0).then(|| Mutex::new(Tokens::new(rate, burst)));
        let remembers = tokens.is_some() || config.devices_per_day < REMEMBERED_ALWAYS;
        Self {
            most_devices: config.devices_per_day,
            newcomers: Newcomers::default(),
            tokens,
            remembers: remembers.into(),
            complete: AtomicBool::new(false),
            checks: AtomicU64::new(0),
            day: AtomicU64::new(0),
            many: Notify::new(),
        }
    }

    /// Whether an event of that device is counted. `source` is where it comes from, if the limits hold for it.
    pub fn admits(&self, app: AppId, at: Millis, device: Pseudonym, source: Option<IpAddr>) -> bool {
        let day = at.day();
        if !self.remembers.load(Ordering::Relaxed) {
            self.count_check(day);
            return true;
        }
        let is_complete = self.complete.load(Ordering::Relaxed);
        self.newcomers.admits((app, day), device, |others| {
            !is_complete || (others < self.most_devices && self.takes_token(source, at))
        })
    }

    fn count_check(&self, day: Day) {
        let day = u64::from(day.0.unsigned_abs());
        if self.day.load(Ordering::Relaxed) != day {
            self.day.store(day, Ordering::Relaxed);
            self.checks.store(0, Ordering::Relaxed);
        }
        self.add_checks(1);
    }

    fn add_checks(&self, count: u64) {
        // Before the limit is reached, so that there is time to find out which devices were counted.
        let many = self.most_devices - self.most_devices / 10;
        if self.checks.fetch_add(count, Ordering::Relaxed) + count >= many {
            self.many.notify_one();
        }
    }

    fn takes_token(&self, source: Option<IpAddr>, at: Millis) -> bool {
        let (Some(tokens), Some(source)) = (&self.tokens, source) else { return true };
        tokens.lock().unwrap_or_else(PoisonError::into_inner).take(source, at)
    }

    /// Returns when the devices that were counted today are to be told, in this process or before it: at once, or when
    /// there may be almost as many as the limit. `counted` is how many devices the largest application of today had at
    /// the start.
    pub async fn wants_devices(&self, counted: u64) {
        if self.remembers.load(Ordering::Relaxed) {
            return;
        }
        self.add_checks(counted);
        self.many.notified().await;
        self.remembers.store(true, Ordering::Relaxed);
    }

    /// Takes note of a device that was counted.
    pub fn remember(&self, app: AppId, day: Day, device: Pseudonym) {
        self.newcomers.admits((app, day), device, |_| true);
    }

    /// All devices that were counted today have been told: the limits hold from now on.
    pub fn complete(&self) {
        self.complete.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use headcount_engine::id::Id;

    use super::*;
    use crate::config::ServeArgs;

    fn admission(devices_per_day: &str) -> Admission {
        let settings = BTreeMap::from([("HEADCOUNT_DEVICES_PER_DAY".to_owned(), devices_per_day.to_owned())]);
        Admission::new(&Config::load(&ServeArgs::default(), &settings, &BTreeMap::new()).unwrap())
    }

    fn device(number: u32) -> Pseudonym {
        let mut bytes = [0; 16];
        bytes[1..5].copy_from_slice(&number.to_le_bytes());
        Pseudonym(bytes)
    }

    async fn is_wanted(admission: &Admission, counted: u64) -> bool {
        tokio::time::timeout(Duration::from_millis(50), admission.wants_devices(counted)).await.is_ok()
    }

    #[tokio::test]
    async fn devices_are_remembered_only_when_there_may_be_almost_too_many() {
        let (app, now) = (AppId(Id::from_bytes([1; 12])), Millis(1_772_539_200_000));
        let limit = admission("100000");
        let admits = |number: u32, at: Millis| limit.admits(app, at, device(number), None);
        assert!((0..89_999).all(|number| admits(number, now)));
        assert!(!is_wanted(&limit, 0).await);
        // Another day begins anew.
        let tomorrow = Millis(now.0 + headcount_engine::day::DAY_MILLIS);
        assert!((0..89_999).all(|number| admits(number, tomorrow)));
        assert!(!is_wanted(&limit, 0).await);
        assert!(admits(90_000, tomorrow));
        assert!(is_wanted(&limit, 0).await);

        // What comes while the others are told is admitted.
        assert!(admits(90_001, tomorrow));
        for number in 0..99_999 {
            limit.remember(app, tomorrow.day(), device(number));
        }
        limit.complete();
        assert!(admits(5, tomorrow) && admits(90_001, tomorrow));
        assert!(admits(99_999, tomorrow));
        assert!(!admits(100_000, tomorrow));
        assert!(admits(100_000, Millis(tomorrow.0 + headcount_engine::day::DAY_MILLIS)));
    }

    #[tokio::test]
    async fn what_was_counted_before_the_start_is_wanted_at_the_start() {
        assert!(!is_wanted(&admission("100000"), 89_999).await);
        assert!(is_wanted(&admission("100000"), 90_000).await);
        assert!(is_wanted(&admission("99999"), 0).await);
    }
}
