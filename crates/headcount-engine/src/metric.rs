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
    /// Distinct devices on the latest release.
    Latest,
    /// Distinct devices below it.
    Outdated,
    /// Distinct devices that a staged rollout holds back.
    Held,
    /// Distinct devices that come, or come back after long.
    New,
    /// The other devices.
    Returning,
    /// Distinct devices of a week.
    Wau,
    /// Distinct devices of four weeks.
    Mau,
    /// The part of the month's devices that comes on a day, from 0 to 1.
    Stickiness,
    /// Days since a publication.
    Age,
    /// Distinct devices on a release or a newer one.
    Adopted,
    /// The part of the devices that is on a release or a newer one, from 0 to 1.
    AdoptedShare,
    /// Distinct devices that a staged rollout keeps from a release.
    HeldBack,
    /// When half of the devices had a release.
    T50,
    /// When 90 % of the devices had a release.
    T90,
    /// When 95 % of the devices had a release.
    T95,
    /// Distinct devices that went from one version to another.
    FlowDevices,
    /// Distinct devices that kept their version.
    Stayed,
    /// Distinct devices that changed their version.
    Moved,
    /// Distinct devices that had no version before and were never counted.
    FlowNew,
    /// Distinct devices that had no version before and had been counted.
    FlowReturned,
    /// Distinct devices that have no version any more.
    Gone,
    /// How much of an app a finding concerns, from 0 to 1.
    Weight,
    /// What the rule of a finding compared.
    Numbers,
    /// Distinct devices that came in the same day or week.
    CohortDevices,
    /// Those of them that came again.
    CohortReturned,
    /// Counted checks, beside those that are not.
    Counted,
    /// Checks without a device id.
    WithoutDevice,
    /// Checks that were not counted for another reason.
    Refused,
    /// Checks with ids that look personal.
    Ids,
    /// Distinct ids that several devices seem to have.
    Shared,
    /// Checks for what no release offers.
    Unserved,
    /// Distinct devices on versions that the catalog does not have.
    UnknownVersions,
    /// Counted checks a second, of the last moments.
    ChecksPerSecond,
    /// Distinct devices of the last minutes.
    LiveDevices,
    /// These by platform.
    LivePlatforms,
    /// These by version.
    LiveVersions,
    /// The last checks themselves.
    LiveChecks,
}

impl Metric {
    /// The name of the number in answers. No two metrics of one answer have the same.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Devices | Self::FlowDevices | Self::CohortDevices | Self::LiveDevices => "devices",
            Self::Share | Self::AdoptedShare => "share",
            Self::Cells => "cells",
            Self::Total => "total",
            Self::ColumnTotals => "column_totals",
            Self::Latest => "latest",
            Self::Outdated => "outdated",
            Self::Held | Self::HeldBack => "held",
            Self::New | Self::FlowNew => "new",
            Self::Returning => "returning",
            Self::Wau => "wau",
            Self::Mau => "mau",
            Self::Stickiness => "stickiness",
            Self::Age => "age",
            Self::Adopted => "adopted",
            Self::T50 => "t50",
            Self::T90 => "t90",
            Self::T95 => "t95",
            Self::Stayed => "stayed",
            Self::Moved => "moved",
            Self::FlowReturned | Self::CohortReturned => "returned",
            Self::Gone => "gone",
            Self::Weight => "weight",
            Self::Numbers => "numbers",
            Self::Counted => "counted",
            Self::WithoutDevice => "without_device",
            Self::Refused => "refused",
            Self::Ids => "ids",
            Self::Shared => "shared",
            Self::Unserved => "unserved",
            Self::UnknownVersions => "unknown_versions",
            Self::ChecksPerSecond => "checks_per_second",
            Self::LivePlatforms => "platforms",
            Self::LiveVersions => "versions",
            Self::LiveChecks => "checks",
        }
    }

    /// What the number means, as a sentence for people who read it.
    #[expect(clippy::too_many_lines, reason = "one sentence for each entry of the list")]
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
            Self::Latest => {
                "Distinct devices whose last check of a day, in an app, was answered that they run the latest release, \
                 or one above it."
            }
            Self::Outdated => {
                "Distinct devices whose last check of a day, in an app, was answered with a newer release. Over several \
                 days and apps a device may be under several statuses."
            }
            Self::Held => {
                "Distinct devices whose last check of a day, in an app, found them on the newest release for everybody \
                 while the staged rollout of a newer one does not include them."
            }
            Self::New => {
                "Distinct devices of the day that match all filters and were not counted in these apps, with whatever \
                 values, on any day of the retention before it. Of a day that is over it is the number that was counted \
                 when it closed; of a range it is the sum of its days."
            }
            Self::Returning => "Distinct devices of the day that are not new.",
            Self::Wau => "Distinct devices that match all filters on the day or one of the 6 days before it.",
            Self::Mau => "Distinct devices that match all filters on the day or one of the 27 days before it.",
            Self::Stickiness => "Devices of the day, divided by those of the day and the 27 days before it (mau).",
            Self::Age => "UTC days since the day of the publication, which has the age 0.",
            Self::Adopted => {
                "Distinct devices whose last check of the day was from this release or a newer one, by the order of \
                 versions."
            }
            Self::AdoptedShare => "Adopted, divided by all devices of the day.",
            Self::HeldBack => {
                "Distinct devices of the day that are not on this release, because their last check found that the \
                 staged rollout of a newer release does not include them. They are among the devices, and not adopted."
            }
            Self::T50 => {
                "The first UTC day that is over on which at least 50 % of the devices of the app and channel ended it on \
                 this release or a newer one, and its age."
            }
            Self::T90 => "The same as t50, with 90 %.",
            Self::T95 => "The same as t50, with 95 %.",
            Self::FlowDevices => {
                "Distinct devices that went this way between the first and the last day. The version of a device at a \
                 day is that of its last day with one among the 7 days up to it; of several apps on that day, the \
                 greatest. Filters decide on which days a device is seen, but that of versions keeps the flows that \
                 begin or end with one of them."
            }
            Self::Stayed => "Devices with the same version at both days.",
            Self::Moved => "Devices with another version at the last day than at the first, a greater or a lesser one.",
            Self::FlowNew => {
                "Devices with a version at the last day that no retained day up to the first one counted in these \
                 apps."
            }
            Self::FlowReturned => {
                "Devices with a version at the last day and none at the first, that an earlier retained day counted."
            }
            Self::Gone => "Devices with a version at the first day and none at the last.",
            Self::Weight => {
                "How much of the app and channel it concerns, 0 to 1: the part of its devices, or by how much its \
                 checks fell. Of a platform and of a release, the part of the devices that lack the latest release \
                 and would have it if they were as the others."
            }
            Self::Numbers => "The numbers that the rule of the kind compared; shares are from 0 to 1.",
            Self::CohortDevices => {
                "Distinct devices that were first seen in that day or week, in the apps in scope and within the \
                 retention, and matched all filters on their first day."
            }
            Self::CohortReturned => {
                "Those of them that were seen again n days or weeks later, with any check in these apps; the 0-th are \
                 all of them."
            }
            Self::Counted => "Counted checks that match all filters by their own values.",
            Self::WithoutDevice => {
                "Checks and beacons without a device id: they were answered and not counted. No filter but that of \
                 apps holds for it."
            }
            Self::Refused => {
                "Checks and beacons that were not counted for another reason, by the reason that their replies gave. \
                 No filter but that of apps holds for them; those for apps that do not exist are in the metrics of \
                 the server only."
            }
            Self::Ids => {
                "Checks whose id has the form of something that says who or where a device is, such as an e-mail \
                 address. No filter but that of apps holds for them."
            }
            Self::Shared => {
                "Distinct ids that were seen with 3 or more platforms, or with 3 or more architectures, on one day \
                 and in one app: no device has as many, so that several have one id, and are counted as one."
            }
            Self::Unserved => {
                "Checks that were answered with 400 because the catalog has no platform, architecture or channel of \
                 that name, or has published nothing for the three. At most 200 names of a kind, app and day are told \
                 apart; further ones are (other)."
            }
            Self::UnknownVersions => {
                "Distinct devices that match all filters and ended a day on a version of which the catalog has no \
                 release, published or not."
            }
            Self::ChecksPerSecond => {
                "Counted checks and beacons a second, the mean of the last 10 seconds, by what each said itself; \
                 imports are among them."
            }
            Self::LiveDevices => {
                "Distinct devices whose last check of the day was accepted within that time. A beacon that names \
                 neither a version nor a status does not count here."
            }
            Self::LivePlatforms => {
                "These devices by platform: each counts under every platform that it was seen with on that day, so \
                 that the numbers may add up to more."
            }
            Self::LiveVersions => "These devices by the last version of each on that day.",
            Self::LiveChecks => {
                "The last checks, without anything that tells one device from another. What was not counted is told \
                 once a second, by application and reason, with the number of checks."
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
    fn every_metric_has_a_definition_of_its_own() {
        let definitions: BTreeSet<&str> = Metric::VARIANTS.iter().map(|metric| metric.definition()).collect();
        assert_eq!(definitions.len(), Metric::VARIANTS.len());
        assert!(definitions.iter().all(|definition| definition.ends_with('.')));
    }
}
