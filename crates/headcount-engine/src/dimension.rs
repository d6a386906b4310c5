//! The list of dimensions: what one filters and breaks down by.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use strum::VariantArray as _;

use crate::version::Version;

/// What one filters and breaks down by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, strum::VariantArray, strum::EnumCount)]
pub enum Dimension {
    /// The version that the device runs.
    Version,
    /// The channel that it asked for.
    Channel,
    /// The platform that it runs on.
    Platform,
    /// Its processor architecture.
    Arch,
    /// Whether it runs the latest release.
    Status,
}

/// Which of a device's values on one day is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// All of them.
    Every,
    /// The one of the latest accept time; on equal times the greater value.
    Last,
}

impl Dimension {
    /// All dimensions, in the order in which they are declared.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// Which of a device's values on one day is kept.
    pub const fn kept(self) -> Kept {
        match self {
            Self::Channel | Self::Platform | Self::Arch => Kept::Every,
            Self::Version | Self::Status => Kept::Last,
        }
    }

    /// The name under which stored segments know the dimension. It never changes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::Channel => "channel",
            Self::Platform => "platform",
            Self::Arch => "arch",
            Self::Status => "status",
        }
    }

    /// The dimension of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|dimension| dimension.name() == name)
    }

    /// The order of two values of this dimension: versions by precedence and then bytes with `(other)` below all,
    /// `latest` above `held` above `outdated`, other values by bytes.
    pub fn compare(self, one: &Value, other: &Value) -> Ordering {
        match self {
            Self::Version => version_of(one).cmp(&version_of(other)).then_with(|| one.cmp(other)),
            Self::Status => Status::of(one).cmp(&Status::of(other)).then_with(|| one.cmp(other)),
            Self::Channel | Self::Platform | Self::Arch => one.cmp(other),
        }
    }
}

fn version_of(value: &Value) -> Option<Version> {
    value.as_str().parse().ok()
}

/// One value of a dimension, as segments hold it: a version by its name, a channel, platform or architecture by its
/// catalog id, a status by its word.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value(Arc<str>);

impl Value {
    /// The version under which all versions beyond the limit of unknown ones count.
    pub const OTHER: &'static str = "(other)";

    /// The value of that text.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text of the value.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, to be shared.
    pub fn text(&self) -> &Arc<str> {
        &self.0
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Whether a device runs the latest release. The order is that of the values: a greater one wins on equal times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, strum::VariantArray)]
pub enum Status {
    /// A newer release is offered to it.
    Outdated,
    /// It runs the newest fully rolled-out release, and the staged rollout of the next one excludes it.
    Held,
    /// It runs the latest release, or one above it.
    Latest,
}

impl Status {
    /// The word that segments hold.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Outdated => "outdated",
            Self::Held => "held",
            Self::Latest => "latest",
        }
    }

    /// The status that the value stands for.
    pub fn of(value: &Value) -> Option<Self> {
        Self::VARIANTS.iter().copied().find(|status| status.name() == value.as_str())
    }

    /// The value that stands for the status.
    pub fn value(self) -> Value {
        Value::new(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of `Kept` is read by engine and model alike, so no model test would notice a change in it.
    #[test]
    fn the_kept_values_are_these() {
        let table: Vec<(Dimension, Kept)> =
            Dimension::ALL.iter().map(|&dimension| (dimension, dimension.kept())).collect();
        assert_eq!(
            table,
            [
                (Dimension::Version, Kept::Last),
                (Dimension::Channel, Kept::Every),
                (Dimension::Platform, Kept::Every),
                (Dimension::Arch, Kept::Every),
                (Dimension::Status, Kept::Last),
            ]
        );
    }

    #[test]
    fn values_have_the_order_of_their_dimension() {
        let order =
            |dimension: Dimension, one: &str, other: &str| dimension.compare(&Value::new(one), &Value::new(other));
        assert_eq!(order(Dimension::Version, "0.0.0.10", "0.0.0.2"), Ordering::Greater);
        assert_eq!(order(Dimension::Version, "1.2.0", "1.2"), Ordering::Greater);
        assert_eq!(order(Dimension::Version, Value::OTHER, "0"), Ordering::Less);
        assert_eq!(order(Dimension::Status, "latest", "held"), Ordering::Greater);
        assert_eq!(order(Dimension::Status, "held", "outdated"), Ordering::Greater);
        assert_eq!(order(Dimension::Platform, "a", "b"), Ordering::Less);
    }
}
