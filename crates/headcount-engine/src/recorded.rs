//! What became of an event: the word that the caller gets, and the promise behind it.

use std::fmt;

/// What became of the event of one check or beacon. Its text is the value of the reply's `Headcount` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It is on disk and will be counted exactly once.
    Recorded,
    /// The commit was not known in time: it will be counted once, or not at all.
    Unconfirmed,
    /// It is not counted.
    Skipped(SkipReason),
}

/// Why an event is not counted, in the order of precedence: the first reason that applies is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::VariantArray)]
pub enum SkipReason {
    /// Telemetry is off on this installation.
    Disabled,
    /// The check was answered with 400, or the beacon is not allowed.
    Refused,
    /// The user of the device does not want to be counted.
    OptOut,
    /// The request carries no device id.
    NoDevice,
    /// The device id is not acceptable, or there is more than one.
    BadDevice,
    /// Too many new devices from one source.
    Rate,
    /// Too many events wait for their commit.
    Overload,
    /// The disk takes no more events.
    Disk,
}

/// The kind under which the events of an application that are not counted are tallied, by reason.
pub const SKIPPED: &str = "skipped";

impl SkipReason {
    /// The word that clients and reports see.
    pub fn name(self) -> &'static str {
        let header = Recorded::Skipped(self).header();
        header.split_once('=').map_or(header, |(_, name)| name)
    }
}

impl Recorded {
    /// The value of the reply's `Headcount` header.
    pub const fn header(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Unconfirmed => "unconfirmed",
            Self::Skipped(reason) => match reason {
                SkipReason::Disabled => "skipped; reason=disabled",
                SkipReason::Refused => "skipped; reason=refused",
                SkipReason::OptOut => "skipped; reason=opt-out",
                SkipReason::NoDevice => "skipped; reason=no-device",
                SkipReason::BadDevice => "skipped; reason=bad-device",
                SkipReason::Rate => "skipped; reason=rate",
                SkipReason::Overload => "skipped; reason=overload",
                SkipReason::Disk => "skipped; reason=disk",
            },
        }
    }
}

impl fmt::Display for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.header())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_says_what_became_of_an_event() {
        let texts = [Recorded::Recorded, Recorded::Unconfirmed, Recorded::Skipped(SkipReason::NoDevice)];
        assert_eq!(texts.map(|fate| fate.to_string()), ["recorded", "unconfirmed", "skipped; reason=no-device"]);
        assert_eq!(SkipReason::OptOut.name(), "opt-out");
    }
}
