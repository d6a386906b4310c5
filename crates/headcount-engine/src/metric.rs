//! The list of metrics: what one counts, and what each number means.

/// What one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, strum::VariantArray)]
pub enum Metric {
    /// Counted checks.
    Requests,
    /// Distinct devices.
    Devices,
    /// A part of the devices in scope, from 0 to 1.
    Share,
    /// Distinct devices with two values at once.
    Cells,
    /// Distinct devices in the end of a row, or in all.
    Total,
    /// Distinct devices under a column.
    ColumnTotals,
}

impl Metric {
    /// The name of the number in answers. No two metrics have the same.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Devices => "devices",
            Self::Share => "share",
            Self::Cells => "cells",
            Self::Total => "total",
            Self::ColumnTotals => "column_totals",
        }
    }

    /// What the number means, as a sentence for people who read it.
    pub const fn definition(self) -> &'static str {
        match self {
            Self::Requests => {
                "Counted checks that match all filters by their own values. Under a value: those that said it, also of \
                 devices that ended the day with another one."
            }
            Self::Devices => {
                "Distinct devices that match all filters. A device matches on a day if it was seen on that day, in that \
                 app, with a wanted value for each filter, not necessarily in one check. Over several days and apps it \
                 is one device. On a day it has the version and the status of its last check there, and every channel, \
                 platform and architecture that it was seen with."
            }
            Self::Share => {
                "Devices with the value, divided by all devices in scope. A device may have several values, so that \
                 shares may add up to more than 1."
            }
            Self::Cells => {
                "Distinct devices that match all filters and had the value of the row and the value of the column on the \
                 same day, in the same app."
            }
            Self::Total => {
                "Distinct devices of the row, or of all: a device that is in several cells is one device, so that a \
                 total is not the sum of its cells."
            }
            Self::ColumnTotals => {
                "Distinct devices of the column: a device that is in several cells is one device, so that a total is \
                 not the sum of its cells."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use strum::VariantArray as _;

    use super::*;

    #[test]
    fn every_metric_has_a_name_of_its_own_and_a_definition() {
        let names: BTreeSet<&str> = Metric::VARIANTS.iter().map(|metric| metric.name()).collect();
        assert_eq!(names.len(), Metric::VARIANTS.len());
        assert!(Metric::VARIANTS.iter().all(|metric| metric.definition().ends_with('.')));
    }
}
