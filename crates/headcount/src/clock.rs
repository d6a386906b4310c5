//! The only wall clock of the project.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use headcount_engine::day::Millis;

/// Tells the time. Clones of a clock that was set share their time.
#[derive(Debug, Clone)]
pub struct Clock(Hands);

#[derive(Debug, Clone)]
enum Hands {
    Wall,
    Set(Arc<AtomicI64>),
}

impl Clock {
    /// The clock of this machine.
    pub const fn wall() -> Self {
        Self(Hands::Wall)
    }

    /// A clock that stands at `now` until it is moved.
    pub fn stopped_at(now: Millis) -> Self {
        Self(Hands::Set(Arc::new(AtomicI64::new(now.0))))
    }

    /// The time, in milliseconds since 1970-01-01T00:00:00Z. A machine whose clock stands before 1970 is told 0.
    pub fn now(&self) -> Millis {
        match &self.0 {
            Hands::Wall => wall_time(),
            Hands::Set(now) => Millis(now.load(Ordering::SeqCst)),
        }
    }

    /// Moves a stopped clock, and all its clones, to `now`. The wall clock stays as it is.
    pub fn set(&self, now: Millis) {
        if let Hands::Set(hands) = &self.0 {
            hands.store(now.0, Ordering::SeqCst);
        }
    }

    /// Moves a stopped clock, and all its clones, forward. The wall clock stays as it is.
    pub fn advance(&self, by: Duration) {
        if let Hands::Set(hands) = &self.0 {
            hands.fetch_add(millis(by), Ordering::SeqCst);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that asks the machine for the time")]
fn wall_time() -> Millis {
    Millis(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis))
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_a_stopped_clock_move_together() {
        let clock = Clock::stopped_at(Millis(1_000));
        let other = clock.clone();
        clock.advance(Duration::from_secs(2));
        assert_eq!(other.now(), Millis(3_000));
        other.set(Millis(-5));
        assert_eq!(clock.now(), Millis(-5));
    }

    #[test]
    fn the_wall_clock_cannot_be_moved() {
        let clock = Clock::wall();
        let before = clock.now();
        clock.set(Millis(0));
        clock.advance(Duration::from_hours(1));
        let after = clock.now();
        assert!(before <= after, "{before:?} {after:?}");
        assert!(before > Millis(1_700_000_000_000), "{before:?}");
    }
}
