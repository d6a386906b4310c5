//! The catalog of the demo, created through the functions that the API calls, and what checks saw of it when.

use std::sync::Arc;

use anyhow::Context as _;
use headcount_engine::day::Millis;
use headcount_engine::id::OwnerId;
use headcount_engine::name::UserName;
use headcount_engine::snapshot::CatalogSnapshot;
use headcount_engine::version::Version;

use super::Administrator;
use super::script::{ARCHS, CHANNELS, PLATFORMS, PRODUCTS, Release, Script, Scripted};
use crate::app::App;
use crate::catalog::files::File;
use crate::catalog::kind::{Kind, ResourceName};
use crate::catalog::releases::{Content, NewRelease};
use crate::catalog::resources::Draft;
use crate::password::Password;

/// The catalog and its past.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) owner: OwnerId,
    pub(super) owner_name: UserName,
    // By line: from when checks saw which catalog.
    states: Vec<Vec<(Millis, Arc<CatalogSnapshot>)>>,
}

impl Stage {
    /// Creates the administrator and the catalog, the releases in the order in which they were published.
    pub(super) async fn set(app: &App, administrator: Administrator, script: &Script) -> anyhow::Result<Self> {
        let Administrator { name, password } = administrator;
        let password = Password::parse(password)?;
        let hash = app.passwords.hash(password).await?;
        let created = app.catalog.create_administrator(&name, &hash).await?;
        let owner = OwnerId(created.with_context(|| format!("there is a user named {name}"))?);
        let apps = PRODUCTS.iter().map(|product| (Kind::App, product.name));
        let channels = CHANNELS.iter().map(|&name| (Kind::Channel, name));
        let platforms = PLATFORMS.iter().map(|&name| (Kind::Platform, name));
        let archs = ARCHS.iter().map(|&name| (Kind::Arch, name));
        for (kind, name) in apps.chain(channels).chain(platforms).chain(archs) {
            app.catalog.create_resource(owner, Draft::named(ResourceName::parse(kind, name)?)).await?;
        }
        let mut releases: Vec<(Millis, usize, &Release)> = Vec::new();
        for (line, scripted) in script.lines.iter().enumerate() {
            releases.extend(scripted.releases.iter().map(|release| (release.published, line, release)));
        }
        releases.sort_by_key(|&(published, line, _)| (published, line));
        let mut states = vec![Vec::new(); script.lines.len()];
        for (published, line, release) in releases {
            let version = script.versions[usize::from(release.version)].clone();
            app.catalog.create_release(owner, new_release(&script.lines[line], release, version)?).await?;
            states[line].push((published, app.catalog.snapshot()));
        }
        Ok(Self { owner, owner_name: name, states })
    }

    /// The position of the catalog that checks of that line saw then.
    pub(super) fn state_at(&self, line: usize, at: Millis) -> usize {
        self.states[line].partition_point(|&(from, _)| from <= at).saturating_sub(1)
    }

    /// The catalog at that position.
    pub(super) fn catalog(&self, line: usize, state: usize) -> &CatalogSnapshot {
        &self.states[line][state].1
    }
}

fn new_release(of_line: &Scripted, release: &Release, version: Version) -> anyhow::Result<NewRelease> {
    let (product, line) = (of_line.product(), of_line.line());
    let mut files = Vec::new();
    for place in product.places {
        let link = format!(
            "https://downloads.example.com/{}/{version}/{}-{}{}",
            product.name, place.platform, place.arch, place.package
        );
        files.push(File {
            platform: Some(place.platform.to_owned()),
            arch: Some(place.arch.to_owned()),
            package: place.package.to_owned(),
            link: link.parse()?,
            signature: None,
            sha512: None,
            size: None,
        });
    }
    let content = Content {
        published: Some(true),
        rollout_percent: Some(release.rollout),
        changelog: Some(format!("What is new in {version}.")),
        files: Some(files),
        published_at: Some(release.published),
        ..Content::default()
    };
    let (app, channel) = (product.name.to_owned(), Some(line.channel.to_owned()));
    Ok(NewRelease { app, version, channel, rollout_seed: Some(release.rollout_seed), content })
}
