//! The catalog as checks see it: immutable, indexed, swapped as a whole when the catalog changes.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::dimension::{Dimension, Status, Value};
use crate::event::Values;
use crate::id::{AppId, Id, OwnerId};
use crate::name::{AppName, Link, PartName, alias_group};
use crate::settings::OwnerSettings;
use crate::version::Version;

/// Everything that a check may ask of the catalog.
#[derive(Debug, Default)]
pub struct CatalogSnapshot {
    by_name: HashMap<Box<str>, Arc<OwnerCatalog>>,
    by_id: HashMap<OwnerId, Arc<OwnerCatalog>>,
    default_owner: Option<OwnerId>,
}

impl CatalogSnapshot {
    /// The snapshot of these owners. `default_owner` answers checks that name no owner.
    pub fn new(owners: Vec<OwnerCatalog>, default_owner: Option<OwnerId>) -> Self {
        let owners: Vec<Arc<OwnerCatalog>> = owners.into_iter().map(Arc::new).collect();
        Self {
            by_name: owners.iter().map(|owner| (owner.name.clone(), owner.clone())).collect(),
            by_id: owners.into_iter().map(|owner| (owner.id, owner)).collect(),
            default_owner,
        }
    }

    /// The owner of that id.
    pub fn owner(&self, id: OwnerId) -> Option<&Arc<OwnerCatalog>> {
        self.by_id.get(&id)
    }

    /// The owner of that name, in any case of its letters, or the default owner where no name is given.
    pub fn owner_named(&self, name: Option<&str>) -> Option<&Arc<OwnerCatalog>> {
        match name {
            None => self.default_owner.and_then(|id| self.owner(id)),
            Some(name) => match self.by_name.get(name) {
                Some(owner) => Some(owner),
                None => self.by_name.get(name.to_ascii_lowercase().as_str()),
            },
        }
    }

    /// All owners, in no order.
    pub fn owners(&self) -> impl Iterator<Item = &Arc<OwnerCatalog>> {
        self.by_id.values()
    }
}

/// One owner's catalog.
#[derive(Debug)]
pub struct OwnerCatalog {
    /// The owner's id: the first part of every key in the store.
    pub id: OwnerId,
    /// The administrator's user name.
    pub name: Box<str>,
    /// The applications.
    pub apps: NameIndex,
    /// The channels.
    pub channels: NameIndex,
    /// The platforms.
    pub platforms: NameIndex,
    /// The architectures.
    pub archs: NameIndex,
    /// What the owner has settled.
    pub settings: OwnerSettings,
    tracks: HashMap<TrackKey, Track>,
    newest: HashMap<(AppId, Option<Id>), Arc<Release>>,
    versions: HashMap<AppId, HashSet<Box<str>>>,
}

impl OwnerCatalog {
    /// The catalog of one owner. `resources` are its apps, channels, platforms and architectures, each the oldest first.
    pub fn new(id: OwnerId, name: &str, resources: [Vec<Named>; 4], releases: Vec<Release>) -> Self {
        let [apps, channels, platforms, archs] = resources;
        let (apps, channels) = (NameIndex::new(apps), NameIndex::new(channels));
        let (platforms, archs) = (NameIndex::with_aliases(platforms), NameIndex::with_aliases(archs));
        let mut versions: HashMap<AppId, HashSet<Box<str>>> = HashMap::new();
        for release in &releases {
            versions.entry(release.app).or_default().insert(release.version.name().into());
        }
        let mut offers: HashMap<TrackKey, Vec<Offer>> = HashMap::new();
        let mut newest: HashMap<(AppId, Option<Id>), Arc<Release>> = HashMap::new();
        for release in releases.into_iter().filter(|release| release.published).map(Arc::new) {
            for offer in Offer::all_of(&release) {
                let key =
                    TrackKey { app: release.app, channel: release.channel, platform: offer.platform, arch: offer.arch };
                offers.entry(key).or_default().push(offer);
            }
            let best = newest.entry((release.app, release.channel)).or_insert_with(|| release.clone());
            if release.version.precedence(&best.version).is_gt() {
                *best = release;
            }
        }
        let tracks = offers.into_iter().map(|(key, offers)| (key, Track::new(key, offers))).collect();
        let settings = OwnerSettings::default();
        Self { id, name: name.into(), apps, channels, platforms, archs, settings, tracks, newest, versions }
    }

    /// The same catalog under these settings.
    #[must_use]
    pub fn with(self, settings: OwnerSettings) -> Self {
        Self { settings, ..self }
    }

    /// What was published for that app, channel, platform and architecture.
    pub fn track(&self, key: TrackKey) -> Option<&Track> {
        self.tracks.get(&key)
    }

    /// The newest published release of that app on that channel, for whichever platforms.
    pub fn newest_release(&self, app: AppId, channel: Option<Id>) -> Option<&Release> {
        self.newest.get(&(app, channel)).map(Arc::as_ref)
    }

    /// What was published for the app, channel, platform and architecture that a client names, all four of them.
    pub fn track_named(&self, app: &AppName, [channel, platform, arch]: [&PartName; 3]) -> Option<&Track> {
        self.track(TrackKey {
            app: AppId(self.apps.resolve(app.as_str())?),
            channel: Some(self.channels.resolve(channel.as_str())?),
            platform: Some(self.platforms.resolve(platform.as_str())?),
            arch: Some(self.archs.resolve(arch.as_str())?),
        })
    }

    /// Whether the catalog has a release of that app under that version name, published or not.
    pub fn knows_version(&self, app: AppId, version: &Version) -> bool {
        self.versions.get(&app).is_some_and(|names| names.contains(version.name()))
    }
}

/// What releases are chosen by. `None` stands for artifacts that were stored without the dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TrackKey {
    /// The application.
    pub app: AppId,
    /// The channel.
    pub channel: Option<Id>,
    /// The platform.
    pub platform: Option<Id>,
    /// The architecture.
    pub arch: Option<Id>,
}

/// The published releases for one app, channel, platform and architecture. Never empty.
#[derive(Debug)]
pub struct Track {
    key: TrackKey,
    // What an event on this track says, but for version and status.
    values: Values,
    // Ascending by version.
    offers: Vec<Offer>,
    // The required intermediate builds among them, by position.
    required: Vec<usize>,
    // The newest one whose rollout reached everyone, by position.
    newest_full: Option<usize>,
}

impl Track {
    fn new(key: TrackKey, mut offers: Vec<Offer>) -> Self {
        offers.sort_by(|one, other| one.release.version.cmp(&other.release.version));
        let required = (0..offers.len()).filter(|&at| offers[at].release.required_intermediate).collect();
        let newest_full = (0..offers.len()).rev().find(|&at| offers[at].release.rollout_percent >= 100);
        let mut values = Values::default();
        let id_value = |id: Id| Value::new(&id.to_string());
        values[Dimension::Channel] = key.channel.map(id_value);
        values[Dimension::Platform] = key.platform.map(id_value);
        values[Dimension::Arch] = key.arch.map(id_value);
        Self { key, values, offers, required, newest_full }
    }

    /// The app, channel, platform and architecture.
    pub fn key(&self) -> TrackKey {
        self.key
    }

    /// What an event on this track says.
    pub fn values(&self, version: Option<Value>, status: Option<Status>) -> Values {
        let mut values = self.values.clone();
        values[Dimension::Version] = version;
        values[Dimension::Status] = status.map(Status::value);
        values
    }

    /// The newest release.
    pub fn latest(&self) -> Option<&Offer> {
        self.offers.last()
    }

    /// The lowest required intermediate build strictly above that version.
    pub fn next_required(&self, version: &Version) -> Option<&Offer> {
        let above = self.required.partition_point(|&at| self.offers[at].release.version.precedence(version).is_le());
        self.required.get(above).map(|&at| &self.offers[at])
    }

    /// The newest release whose staged rollout reached everyone.
    pub fn newest_full(&self) -> Option<&Offer> {
        self.newest_full.map(|at| &self.offers[at])
    }
}

/// One release of an app on a channel.
#[derive(Debug)]
pub struct Release {
    /// Its id.
    pub id: Id,
    /// The application.
    pub app: AppId,
    /// The channel, if the owner has any.
    pub channel: Option<Id>,
    /// The version.
    pub version: Version,
    /// Whether checks may be answered with it.
    pub published: bool,
    /// Whether clients should insist on it.
    pub critical: bool,
    /// Whether devices below it must pass through it on their way up.
    pub required_intermediate: bool,
    /// The share of devices that it is offered to: 0 to 100.
    pub rollout_percent: u8,
    /// 16 hex characters that decide which devices these are.
    pub rollout_seed: Box<str>,
    /// What changed, as clients show it; may be empty.
    pub changelog: Box<str>,
    /// The files.
    pub artifacts: Vec<Artifact>,
}

/// One file of a release.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// The platform that it is for.
    pub platform: Option<Id>,
    /// The architecture that it is for.
    pub arch: Option<Id>,
    /// The extension with its dot (`.dmg`), or empty.
    pub package: Box<str>,
    /// Where it can be had.
    pub link: Link,
    /// Its signature, as the client's updater expects it.
    pub signature: Option<Box<str>>,
}

/// A release as one platform and architecture see it.
#[derive(Debug)]
pub struct Offer {
    /// The release.
    pub release: Arc<Release>,
    /// The positions of its artifacts for this platform and architecture.
    artifacts: Vec<usize>,
    platform: Option<Id>,
    arch: Option<Id>,
}

impl Offer {
    fn all_of(release: &Arc<Release>) -> Vec<Self> {
        let mut offers: Vec<Self> = Vec::new();
        for (at, artifact) in release.artifacts.iter().enumerate() {
            let same = |offer: &&mut Self| offer.platform == artifact.platform && offer.arch == artifact.arch;
            match offers.iter_mut().find(same) {
                Some(offer) => offer.artifacts.push(at),
                None => offers.push(Self {
                    release: release.clone(),
                    artifacts: vec![at],
                    platform: artifact.platform,
                    arch: artifact.arch,
                }),
            }
        }
        offers
    }

    /// The files for this platform and architecture, in the order of their registration.
    pub fn artifacts(&self) -> impl Iterator<Item = &Artifact> {
        self.artifacts.iter().map(|&at| &self.release.artifacts[at])
    }
}

/// The names of one kind of resource (apps, channels, platforms or architectures) of one owner.
#[derive(Debug, Default)]
pub struct NameIndex {
    live: HashMap<Box<str>, Id>,
    // By alias group, the oldest live resource whose name is of that group, else the oldest that once had such a name.
    groups: HashMap<usize, Id>,
    former: HashMap<Box<str>, Id>,
    current: HashMap<Id, Arc<str>>,
    bearers: HashMap<Arc<str>, Vec<Id>>,
}

/// A resource as the index is told of it.
#[derive(Debug, Clone)]
pub struct Named {
    /// Its id.
    pub id: Id,
    /// Its name now.
    pub name: Box<str>,
    /// Whether it was deleted; its days may still be in the store.
    pub deleted: bool,
    /// The names that it had before and that no other resource of the kind took since.
    pub former: Vec<Box<str>>,
}

impl NameIndex {
    /// The index of these resources, the oldest first.
    pub fn new(resources: Vec<Named>) -> Self {
        let mut index = Self::default();
        for resource in resources {
            let name: Arc<str> = resource.name.as_ref().into();
            index.current.insert(resource.id, name.clone());
            index.bearers.entry(name).or_default().push(resource.id);
            if !resource.deleted {
                index.live.insert(resource.name, resource.id);
                index.former.extend(resource.former.into_iter().map(|name| (name, resource.id)));
            }
        }
        index
    }

    /// The index of these platforms or architectures, the oldest first: they are also found by the other names that
    /// clients have for the same thing.
    pub fn with_aliases(resources: Vec<Named>) -> Self {
        let live = || resources.iter().filter(|resource| !resource.deleted);
        let named = live().map(|resource| (&resource.name, resource.id));
        let once_named = live().flat_map(|resource| resource.former.iter().map(|name| (name, resource.id)));
        let mut groups = HashMap::new();
        for (name, id) in named.chain(once_named) {
            if let Some(group) = alias_group(name)
                && let Entry::Vacant(vacant) = groups.entry(group)
            {
                vacant.insert(id);
            }
        }
        Self { groups, ..Self::new(resources) }
    }

    /// Whether there is no live resource.
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// The live resources, in no order.
    pub fn live(&self) -> impl Iterator<Item = Id> {
        self.live.values().copied()
    }

    /// The live resource that a check means by that name: the one that has it, else the one that had it last, else the
    /// oldest of its alias group.
    pub fn resolve(&self, name: &str) -> Option<Id> {
        let group = || alias_group(name).and_then(|group| self.groups.get(&group));
        self.live.get(name).or_else(|| self.former.get(name)).or_else(group).copied()
    }

    /// Every resource that a filter means by that name: all that have it now, deleted ones too, and the one that a
    /// check would mean.
    pub fn matching(&self, name: &str) -> Vec<Id> {
        let mut ids = self.bearers.get(name).cloned().unwrap_or_default();
        if let Some(id) = self.resolve(name)
            && !ids.contains(&id)
        {
            ids.push(id);
        }
        ids
    }

    /// The name that a resource has now, or had when it was deleted.
    pub fn name_of(&self, id: Id) -> Option<&Arc<str>> {
        self.current.get(&id)
    }
}
