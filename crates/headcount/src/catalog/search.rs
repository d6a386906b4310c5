//! Releases as administrators read them: page by page, from SQL.

use std::collections::HashMap;

use headcount_engine::day::Millis;
use headcount_engine::id::Id;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, Row as _};

use crate::catalog::Catalog;
use crate::catalog::grants::Reach;
use crate::catalog::snapshot::id;
use crate::error::Error;

/// Which releases to read. `None` does not restrict.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of that app.
    pub app: Option<Id>,
    /// On that channel.
    pub channel: Option<Id>,
    /// With a file for that platform (and for `arch`, if both are given).
    pub platform: Option<Id>,
    /// With a file for that architecture.
    pub arch: Option<Id>,
    /// Published or not.
    pub published: Option<bool>,
    /// Critical or not.
    pub critical: Option<bool>,
}

/// Which part of the answer to read.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// Its number, from 1.
    pub number: u64,
    /// How many releases it has at most.
    pub limit: u64,
}

/// One release with the names that things have now.
#[derive(Debug, Clone)]
pub struct StoredRelease {
    /// Its id.
    pub id: Id,
    /// The name of the app.
    pub app: String,
    /// The name of the channel, or empty.
    pub channel: String,
    /// The version.
    pub version: String,
    /// Whether checks may be answered with it.
    pub published: bool,
    /// Whether clients should insist on it.
    pub critical: bool,
    /// Whether devices below it must pass through it on their way up.
    pub intermediate: bool,
    /// The share of devices that it is offered to: 0 to 100.
    pub rollout_percent: u8,
    /// 16 hex characters that decide which devices these are.
    pub rollout_seed: String,
    /// What changed.
    pub changelog: String,
    /// When it was first published.
    pub published_at: Option<Millis>,
    /// When it was registered.
    pub created_at: Millis,
    /// When it was last written.
    pub updated_at: Millis,
    /// The files, in the order in which they were given.
    pub files: Vec<StoredFile>,
}

/// One file of a release.
#[derive(Debug, Clone)]
pub struct StoredFile {
    /// The name of the platform, or empty.
    pub platform: String,
    /// The name of the architecture, or empty.
    pub arch: String,
    /// The extension with its dot, or empty.
    pub package: String,
    /// Where it lies.
    pub link: String,
    /// Its signature.
    pub signature: Option<String>,
    /// Its SHA-512.
    pub sha512: Option<String>,
    /// Its size in bytes.
    pub size: Option<u64>,
}

/// The releases that match, as a part of the three statements below: `$1` to `$8` as [`bind`] gives them.
macro_rules! matching {
    () => {
        "FROM releases r JOIN resources a ON a.id = r.app_id WHERE r.owner_id = $1 \
         AND ($2 = '' OR r.app_id = $2) AND ($3 = '' OR r.channel_id = $3) \
         AND ($4 < 0 OR r.published = $4) AND ($5 < 0 OR r.critical = $5) \
         AND (($6 = '' AND $7 = '') OR EXISTS (SELECT 1 FROM artifacts f WHERE f.release_id = r.id \
         AND ($6 = '' OR f.platform_id = $6) AND ($7 = '' OR f.arch_id = $7))) \
         AND ($8 = '' OR EXISTS (SELECT 1 FROM grants g WHERE g.holder_id = $8 AND g.resource_id = r.app_id))"
    };
}

/// One page of them: the newest version first, by app.
macro_rules! page {
    () => {
        concat!(
            "SELECT r.id, a.seq AS app_seq, r.version_order, r.seq ",
            matching!(),
            " ORDER BY a.seq, r.version_order DESC, r.seq DESC LIMIT $9 OFFSET $10"
        )
    };
}

const COUNT: &str = concat!("SELECT COUNT(*) ", matching!());
const RELEASES: &str = concat!(
    "SELECT r.id, a.name, COALESCE(c.name, ''), r.version, r.published, r.critical, r.intermediate, \
     r.rollout_percent, r.rollout_seed, r.changelog, r.published_at, r.created_at, r.updated_at \
     FROM releases r JOIN resources a ON a.id = r.app_id LEFT JOIN resources c ON c.id = r.channel_id JOIN (",
    page!(),
    ") p ON p.id = r.id ORDER BY p.app_seq, p.version_order DESC, p.seq DESC"
);
const FILES: &str = concat!(
    "SELECT f.release_id, COALESCE(o.name, ''), COALESCE(c.name, ''), f.package, f.link, f.signature, f.sha512, f.size \
     FROM artifacts f LEFT JOIN resources o ON o.id = f.platform_id LEFT JOIN resources c ON c.id = f.arch_id JOIN (",
    page!(),
    ") p ON p.id = f.release_id ORDER BY f.release_id, f.position"
);

impl Catalog {
    /// One page of the releases of apps in reach that match, by app in the order of creation, the newest version first; and how many
    /// match in all.
    pub async fn releases(
        &self,
        reach: impl Into<Reach>,
        filter: &Filter,
        page: Page,
    ) -> Result<(Vec<StoredRelease>, u64), Error> {
        let reach = reach.into();
        let mut transaction = self.begin_read().await?;
        let total = bind(sqlx::query(COUNT), reach, filter).fetch_one(&mut *transaction).await?;
        let total: i64 = total.try_get(0)?;
        let limit = i64::try_from(page.limit).unwrap_or(i64::MAX);
        let offset = i64::try_from(page.number.saturating_sub(1).saturating_mul(page.limit)).unwrap_or(i64::MAX);
        let paged = |statement| bind(sqlx::query(statement), reach, filter).bind(limit).bind(offset);

        let mut files: HashMap<Id, Vec<StoredFile>> = HashMap::new();
        for row in paged(FILES).fetch_all(&mut *transaction).await? {
            files.entry(id(&row, 0)?).or_default().push(file(&row)?);
        }
        let rows = paged(RELEASES).fetch_all(&mut *transaction).await?;
        let releases = rows.iter().map(|row| release(row, &mut files)).collect::<Result<_, sqlx::Error>>()?;
        Ok((releases, total.unsigned_abs()))
    }
}

type Bound<'q> = Query<'q, Any, AnyArguments>;

fn bind<'q>(query: Bound<'q>, reach: Reach, filter: &Filter) -> Bound<'q> {
    let text = |id: Option<Id>| id.map(|id| id.to_string()).unwrap_or_default();
    let switch = |switch: Option<bool>| switch.map_or(-1, i64::from);
    query
        .bind(reach.owner().to_string())
        .bind(text(filter.app))
        .bind(text(filter.channel))
        .bind(switch(filter.published))
        .bind(switch(filter.critical))
        .bind(text(filter.platform))
        .bind(text(filter.arch))
        .bind(reach.holder_or_empty())
}

fn release(row: &AnyRow, files: &mut HashMap<Id, Vec<StoredFile>>) -> Result<StoredRelease, sqlx::Error> {
    let flag = |column: usize| row.try_get::<i64, _>(column).map(|flag| flag != 0);
    let release = id(row, 0)?;
    Ok(StoredRelease {
        id: release,
        app: row.try_get(1)?,
        channel: row.try_get(2)?,
        version: row.try_get(3)?,
        published: flag(4)?,
        critical: flag(5)?,
        intermediate: flag(6)?,
        rollout_percent: row.try_get::<i64, _>(7)?.clamp(0, 100) as u8,
        rollout_seed: row.try_get(8)?,
        changelog: row.try_get(9)?,
        published_at: row.try_get::<Option<i64>, _>(10)?.map(Millis),
        created_at: Millis(row.try_get(11)?),
        updated_at: Millis(row.try_get(12)?),
        files: files.remove(&release).unwrap_or_default(),
    })
}

fn file(row: &AnyRow) -> Result<StoredFile, sqlx::Error> {
    Ok(StoredFile {
        platform: row.try_get(1)?,
        arch: row.try_get(2)?,
        package: row.try_get(3)?,
        link: row.try_get(4)?,
        signature: row.try_get(5)?,
        sha512: row.try_get(6)?,
        size: row.try_get::<Option<i64>, _>(7)?.map(i64::unsigned_abs),
    })
}
