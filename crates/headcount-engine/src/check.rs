//! The update decision.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::device::DeviceId;
use crate::dimension::Status;
use crate::id::{AppId, OwnerId};
use crate::name::{AppName, PartName};
use crate::snapshot::{CatalogSnapshot, NameIndex, Offer, OwnerCatalog, Track, TrackKey};
use crate::version::Version;

/// One parsed update-check request.
#[derive(Debug, Clone)]
pub struct Check {
    /// The owner's name as it was sent; `None` stands for the default owner.
    pub owner: Option<Box<str>>,
    /// The application.
    pub app: AppName,
    /// The version that the device runs.
    pub version: Version,
    /// The channel, if one was given.
    pub channel: Option<PartName>,
    /// The platform, if one was given.
    pub platform: Option<PartName>,
    /// The architecture, if one was given.
    pub arch: Option<PartName>,
}

/// The catalog has no answer to a check.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The owner, or an app of that name, does not exist.
    #[error("app_name not found in apps_meta collection")]
    UnknownApp,
    /// The owner has channels and the check names none.
    #[error("you have a created channels, setting channel is required")]
    ChannelRequired,
    /// The owner has no such channel.
    #[error("wrong name of channel. Channel does not exist")]
    UnknownChannel {
        /// What was asked for, if there is such an app.
        unserved: Option<Unserved>,
    },
    /// Nothing is published for that app, channel, platform and architecture.
    #[error("no matching documents found for app_name: {app}")]
    NothingPublished {
        /// The application that was asked for.
        app: AppName,
        /// What it was asked for.
        unserved: Unserved,
    },
}

impl Refusal {
    /// The demand that the catalog does not serve, where it is one for an app that exists.
    pub fn unserved(&self) -> Option<&Unserved> {
        match self {
            Self::UnknownApp | Self::ChannelRequired => None,
            Self::UnknownChannel { unserved } => unserved.as_ref(),
            Self::NothingPublished { unserved, .. } => Some(unserved),
        }
    }
}

/// What an application was asked for and does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unserved {
    /// Whose application.
    pub owner: OwnerId,
    /// The application.
    pub app: AppId,
    /// What is lacking.
    pub lack: Lack,
}

/// What the catalog lacks to answer a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// A channel of that name.
    Channel(PartName),
    /// A platform of that name or one of its aliases.
    Platform(PartName),
    /// An architecture of that name or one of its aliases.
    Arch(PartName),
    /// A published release for this channel, platform and architecture, all of which exist or were not given.
    Release {
        /// The channel.
        channel: Option<PartName>,
        /// The platform.
        platform: Option<PartName>,
        /// The architecture.
        arch: Option<PartName>,
    },
}

impl Lack {
    /// The kind of demand under which it is tallied.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Channel(_) => "unserved-channel",
            Self::Platform(_) => "unserved-platform",
            Self::Arch(_) => "unserved-arch",
            Self::Release { .. } => "unserved-release",
        }
    }
}

/// The names that were asked for; of a release, `channel/platform/arch` with `-` for one that was not given.
impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Channel(name) | Self::Platform(name) | Self::Arch(name) => name.fmt(f),
            Self::Release { channel, platform, arch } => {
                let [channel, platform, arch] =
                    [channel, platform, arch].map(|name| name.as_ref().map_or("-", PartName::as_str));
                write!(f, "{channel}/{platform}/{arch}")
            }
        }
    }
}

/// How the device's version stands to the one that it is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The offer is newer; `required` says that it is an intermediate build that may not be skipped.
    Behind {
        /// Whether the offer is a required intermediate build.
        required: bool,
    },
    /// The device runs the latest release.
    Latest,
    /// The device runs a version above the latest release.
    Ahead,
}

/// The catalog's answer to a check.
#[derive(Debug)]
pub struct Decision<'a> {
    /// Whose catalog answered.
    pub owner: &'a Arc<OwnerCatalog>,
    /// What was published for the app, channel, platform and architecture that were asked for.
    pub track: &'a Track,
    /// The release that the device is told about.
    pub offer: &'a Offer,
    /// How the device stands to it.
    pub standing: Standing,
    /// The status under which the device counts; the staged rollout decides only for a device that is known.
    pub status: Status,
}

/// Decides what to answer to a check. Its cost grows with the logarithm of the number of required builds and with
/// nothing else.
///
/// # Errors
/// The reason why the catalog has no answer.
pub fn decide<'a>(
    catalog: &'a CatalogSnapshot,
    check: &Check,
    device: Option<&DeviceId>,
) -> Result<Decision<'a>, Refusal> {
    let owner = catalog.owner_named(check.owner.as_deref()).ok_or(Refusal::UnknownApp)?;
    let (track, latest) = find_track(owner, check)?;
    let (offer, standing) = match check.version.precedence(&latest.release.version) {
        Ordering::Less => match track.next_required(&check.version) {
            Some(required) => (required, Standing::Behind { required: true }),
            None => (latest, Standing::Behind { required: false }),
        },
        Ordering::Equal => (latest, Standing::Latest),
        Ordering::Greater => (latest, Standing::Ahead),
    };
    let status = match standing {
        Standing::Latest | Standing::Ahead => Status::Latest,
        Standing::Behind { .. } => {
            let excluded = device.is_some_and(|device| is_held_back(device, offer));
            let below_newest_full =
                track.newest_full().is_some_and(|full| check.version.precedence(&full.release.version).is_lt());
            if excluded && !below_newest_full { Status::Held } else { Status::Outdated }
        }
    };
    Ok(Decision { owner, track, offer, standing, status })
}

fn find_track<'a>(owner: &'a OwnerCatalog, check: &Check) -> Result<(&'a Track, &'a Offer), Refusal> {
    let app = owner.apps.resolve(check.app.as_str()).map(AppId);
    let channel = match &check.channel {
        None if owner.channels.is_empty() => None,
        None => return Err(Refusal::ChannelRequired),
        Some(name) => Some(owner.channels.resolve(name.as_str()).ok_or_else(|| {
            let lacking = |app| Unserved { owner: owner.id, app, lack: Lack::Channel(name.clone()) };
            Refusal::UnknownChannel { unserved: app.map(lacking) }
        })?),
    };
    let app = app.ok_or(Refusal::UnknownApp)?;
    let lacking =
        |lack| Refusal::NothingPublished { app: check.app.clone(), unserved: Unserved { owner: owner.id, app, lack } };
    let known = |name: &Option<PartName>, index: &NameIndex, lack: fn(PartName) -> Lack| match name {
        None => Ok(None),
        Some(name) => index.resolve(name.as_str()).map(Some).ok_or_else(|| lacking(lack(name.clone()))),
    };
    let platform = known(&check.platform, &owner.platforms, Lack::Platform)?;
    let arch = known(&check.arch, &owner.archs, Lack::Arch)?;
    let track = owner.track(TrackKey { app, channel, platform, arch });
    track.and_then(|track| Some((track, track.latest()?))).ok_or_else(|| {
        let Check { channel, platform, arch, .. } = check.clone();
        lacking(Lack::Release { channel, platform, arch })
    })
}

fn is_held_back(device: &DeviceId, offer: &Offer) -> bool {
    let release = &offer.release;
    release.rollout_percent < 100 && rollout_bucket(device.as_str(), &release.rollout_seed) >= release.rollout_percent
}

/// The bucket, 0 to 99, of a device in a staged rollout: the first 8 bytes, big-endian, of SHA-256 of `device:seed`,
/// modulo 100, as update clients compute it. A device is included when its bucket is below the percentage.
pub fn rollout_bucket(device: &str, seed: &str) -> u8 {
    let digest = Sha256::new().chain_update(device).chain_update(":").chain_update(seed).finalize();
    let first = digest.iter().take(8).fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
    (first % 100) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_those_of_the_clients() {
        let buckets = ["device-1", "device-2", "device-abc"].map(|device| rollout_bucket(device, "badadc23b08e3943"));
        assert_eq!(buckets, [18, 22, 5]);
    }
}
