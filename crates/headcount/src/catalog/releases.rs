//! Releases: written here, read by [`search`](super::search) and, for checks, from the snapshot.

use headcount_engine::day::Millis;
use headcount_engine::id::Id;
use headcount_engine::snapshot::{NameIndex, OwnerCatalog};
use headcount_engine::version::Version;
use sqlx::{Any, Row as _, Transaction};

use crate::catalog::files::File;
use crate::catalog::grants::Reach;
use crate::catalog::kind::Kind;
use crate::catalog::{Catalog, fresh_id, snapshot};
use crate::error::{Code, Error};

/// The most files that a release may have.
pub const MOST_ARTIFACTS: usize = 200;
/// The longest changelog, in bytes.
pub const LONGEST_CHANGELOG: usize = 32 * 1024;

const SAME_ARTIFACT: &str = "app with this name, version, platform, architecture and extension already exists";
/// The packages of which a release may have several for one platform and architecture: updates come in steps.
const IN_STEPS: [&str; 2] = [".nupkg", ".delta"];

/// A new release. Names are those of the owner's resources, or their aliases.
#[derive(Debug, Clone)]
pub struct NewRelease {
    /// The name of the app.
    pub app: String,
    /// The version.
    pub version: Version,
    /// The name of the channel.
    pub channel: Option<String>,
    /// What decides which devices a staged rollout includes; random if it is not given.
    pub rollout_seed: Option<[u8; 8]>,
    /// The rest.
    pub content: Content,
}

/// What a release says. In a change, `None` leaves it as it is.
#[derive(Debug, Clone, Default)]
pub struct Content {
    /// Whether checks may be answered with it.
    pub published: Option<bool>,
    /// Whether clients should insist on it.
    pub critical: Option<bool>,
    /// Whether devices below it must pass through it on their way up.
    pub intermediate: Option<bool>,
    /// The share of devices that it is offered to: 0 to 100.
    pub rollout_percent: Option<u8>,
    /// What changed.
    pub changelog: Option<String>,
    /// The files.
    pub files: Option<Vec<File>>,
    /// When it was first published.
    pub published_at: Option<Millis>,
}

/// A file with the ids of its platform and architecture, or empty texts.
struct Placed {
    file: File,
    platform: String,
    arch: String,
}

impl Catalog {
    /// Creates a release with all its files, or nothing.
    ///
    /// # Errors
    /// 400 for names that the owner does not have and for names that are missing although the owner has such resources;
    /// 409 when the app has a release of equal precedence on the channel, and for a file that is named twice; 403 for
    /// an app that is out of a limited reach, be there one of that name or not.
    pub async fn create_release(&self, reach: impl Into<Reach>, new: NewRelease) -> Result<Id, Error> {
        let reach = reach.into();
        let owner = reach.owner();
        let mut transaction = self.begin_write().await?;
        let names = snapshot::names_of(&mut transaction, owner).await?;
        let app = app_named(&mut transaction, reach, &names, &new.app).await?;
        let channel =
            place(&names.channels, new.channel.as_deref(), &CHANNEL).map_err(|error| error.field("channel"))?;
        let order = new.version.precedence_key();
        refuse_a_second(&mut transaction, [&app.to_string(), &channel, &order]).await?;

        let (id, now) = (fresh_id(), self.clock.now());
        let content = new.content;
        let published = content.published.unwrap_or_default();
        let published_at = content.published_at.or_else(|| published.then_some(now));
        sqlx::query(
            "INSERT INTO releases (id, owner_id, app_id, channel_id, version, version_order, published, critical, \
             intermediate, rollout_percent, rollout_seed, changelog, published_at, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14)",
        )
        .bind(id.to_string())
        .bind(owner.to_string())
        .bind(app.to_string())
        .bind(channel)
        .bind(new.version.name().to_owned())
        .bind(order)
        .bind(i64::from(published))
        .bind(i64::from(content.critical.unwrap_or_default()))
        .bind(i64::from(content.intermediate.unwrap_or_default()))
        .bind(i64::from(content.rollout_percent.unwrap_or(100)))
        .bind(hex::encode(new.rollout_seed.unwrap_or_else(rand::random)))
        .bind(content.changelog.unwrap_or_default())
        .bind(published_at.map(|at| at.0))
        .bind(now.0)
        .execute(&mut *transaction)
        .await?;
        insert_files(&mut transaction, &names, id, content.files.unwrap_or_default()).await?;
        self.note(&mut transaction, reach.by(), ("release", "create"), id).await?;
        self.publish(transaction).await?;
        Ok(id)
    }

    /// Changes a release. Given files replace all that it had.
    ///
    /// # Errors
    /// 404 when there is no such release of an app in reach; 400 and 409 as for a new one.
    pub async fn update_release(&self, reach: impl Into<Reach>, id: Id, change: Content) -> Result<(), Error> {
        let reach = reach.into();
        let owner = reach.owner();
        let mut transaction = self.begin_write().await?;
        if !has_release(&mut transaction, reach, id).await? {
            return Err(Error::new(Code::NotFound, "release not found"));
        }
        sqlx::query(
            "UPDATE releases SET published = COALESCE($2, published), critical = COALESCE($3, critical), \
             intermediate = COALESCE($4, intermediate), rollout_percent = COALESCE($5, rollout_percent), \
             changelog = COALESCE($6, changelog), updated_at = $8, published_at = \
             COALESCE($7, published_at, CASE WHEN COALESCE($2, published) = 1 THEN $8 END) WHERE id = $1",
        )
        .bind(id.to_string())
        .bind(change.published.map(i64::from))
        .bind(change.critical.map(i64::from))
        .bind(change.intermediate.map(i64::from))
        .bind(change.rollout_percent.map(i64::from))
        .bind(change.changelog)
        .bind(change.published_at.map(|at| at.0))
        .bind(self.clock.now().0)
        .execute(&mut *transaction)
        .await?;
        if let Some(files) = change.files {
            let names = snapshot::names_of(&mut transaction, owner).await?;
            sqlx::query("DELETE FROM artifacts WHERE release_id = $1")
                .bind(id.to_string())
                .execute(&mut *transaction)
                .await?;
            insert_files(&mut transaction, &names, id, files).await?;
        }
        self.note(&mut transaction, reach.by(), ("release", "update"), id).await?;
        self.publish(transaction).await
    }

    /// Deletes a release with its files.
    ///
    /// # Errors
    /// 404 when there is no such release of an app in reach.
    pub async fn delete_release(&self, reach: impl Into<Reach>, id: Id) -> Result<(), Error> {
        let reach = reach.into();
        let mut transaction = self.begin_write().await?;
        if !has_release(&mut transaction, reach, id).await? {
            let details = format!("no document found with ID {id}");
            return Err(Error::new(Code::NotFound, "failed to delete release").details(details));
        }
        self.note(&mut transaction, reach.by(), ("release", "delete"), id).await?;
        sqlx::query("DELETE FROM releases WHERE id = $1").bind(id.to_string()).execute(&mut *transaction).await?;
        self.publish(transaction).await
    }
}

/// The app that a new release is for.
async fn app_named(
    transaction: &mut Transaction<'_, Any>,
    reach: Reach,
    names: &OwnerCatalog,
    name: &str,
) -> Result<Id, Error> {
    let app = names.apps.resolve(name);
    if reach.is_limited() {
        return match app {
            Some(app) if reach.has(transaction, Kind::App, app).await? => Ok(app),
            _ => Err(reach.no_such_app()),
        };
    }
    app.ok_or_else(|| {
        Error::invalid("app_name", "app_name not found in apps_meta collection").accepted("the name of an app")
    })
}

/// Whether there is such a release, of an app that is in reach.
async fn has_release(transaction: &mut Transaction<'_, Any>, reach: Reach, release: Id) -> Result<bool, Error> {
    let found = sqlx::query(
        "SELECT 1 FROM releases r WHERE r.id = $1 AND r.owner_id = $2 AND ($3 = '' OR EXISTS \
         (SELECT 1 FROM grants g WHERE g.holder_id = $3 AND g.resource_id = r.app_id))",
    )
    .bind(release.to_string())
    .bind(reach.owner().to_string())
    .bind(reach.holder_or_empty())
    .fetch_optional(&mut **transaction)
    .await?;
    Ok(found.is_some())
}

async fn refuse_a_second(transaction: &mut Transaction<'_, Any>, key: [&str; 3]) -> Result<(), Error> {
    let [app, channel, order] = key.map(str::to_owned);
    let same = sqlx::query("SELECT version FROM releases WHERE app_id = $1 AND channel_id = $2 AND version_order = $3")
        .bind(app)
        .bind(channel)
        .bind(order)
        .fetch_optional(&mut **transaction)
        .await?;
    let Some(row) = same else { return Ok(()) };
    let details = format!("it has the release {}, which is equal in order", row.try_get::<String, _>(0)?);
    Err(Error::new(Code::Conflict, "release with this version already exists").field("version").details(details))
}

/// What is said of a name that is missing or unknown.
struct Refusals {
    missing: &'static str,
    unknown: &'static str,
}

const CHANNEL: Refusals = Refusals {
    missing: "you have a created channels, setting channel is required",
    unknown: "wrong name of channel. Channel does not exist",
};
const PLATFORM: Refusals = Refusals {
    missing: "you have a created platforms, setting platform is required",
    unknown: "wrong name of platform. Platform does not exist",
};
const ARCH: Refusals = Refusals {
    missing: "you have a created archs, setting arch is required",
    unknown: "wrong name of arch. Arch does not exist",
};

/// The id of the resource of that name, or an empty text where none is given and there is none to choose from.
fn place(index: &NameIndex, name: Option<&str>, refusals: &Refusals) -> Result<String, Error> {
    match name {
        None if index.is_empty() => Ok(String::new()),
        None => Err(Error::new(Code::Invalid, refusals.missing)),
        Some(name) => {
            let id = index.resolve(name).ok_or_else(|| Error::new(Code::Invalid, refusals.unknown))?;
            Ok(id.to_string())
        }
    }
}

async fn insert_files(
    transaction: &mut Transaction<'_, Any>,
    names: &OwnerCatalog,
    release: Id,
    files: Vec<File>,
) -> Result<(), Error> {
    for (position, placed) in place_files(names, files)?.into_iter().enumerate() {
        let Placed { file, platform, arch } = placed;
        sqlx::query(
            "INSERT INTO artifacts (release_id, position, platform_id, arch_id, package, link, signature, sha512, \
             size) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(release.to_string())
        .bind(position as i64)
        .bind(platform)
        .bind(arch)
        .bind(file.package)
        .bind(file.link.as_str().to_owned())
        .bind(file.signature)
        .bind(file.sha512)
        .bind(file.size.map(|size| size as i64))
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}

fn place_files(names: &OwnerCatalog, files: Vec<File>) -> Result<Vec<Placed>, Error> {
    let mut placed: Vec<Placed> = Vec::with_capacity(files.len());
    for (at, file) in files.into_iter().enumerate() {
        let field = |name: &str| format!("artifacts[{at}].{name}");
        let platform = place(&names.platforms, file.platform.as_deref(), &PLATFORM);
        let platform = platform.map_err(|error| error.field(field("platform")))?;
        let arch = place(&names.archs, file.arch.as_deref(), &ARCH).map_err(|error| error.field(field("arch")))?;
        let is_same = |earlier: &Placed| {
            earlier.platform == platform && earlier.arch == arch && earlier.file.package == file.package
        };
        if placed.iter().any(is_same) && !IN_STEPS.contains(&file.package.as_str()) {
            return Err(Error::new(Code::Conflict, SAME_ARTIFACT).field(format!("artifacts[{at}]")));
        }
        placed.push(Placed { file, platform, arch });
    }
    Ok(placed)
}
