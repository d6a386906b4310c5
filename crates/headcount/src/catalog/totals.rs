//! Daily totals, and what is still to be erased from the store.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;

use headcount_engine::daily::DailyTotals;
use headcount_engine::day::Day;
use headcount_engine::id::{AppId, OwnerId};
use sqlx::any::AnyRow;
use sqlx::{Any, Row as _, Transaction};

use crate::catalog::Catalog;
use crate::error::Error;

/// Whose day: of one app, or of all apps of the owner.
pub type TotalsKey = (Option<AppId>, Day);

/// From which state of the segments totals were computed; a greater one is newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct TotalsVersion {
    /// The generation of the base.
    pub generation: u64,
    /// The sequence number of the next delta.
    pub sequence: u64,
}

/// The totals of one day, as they are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeptTotals {
    /// The state of the segments that they show.
    pub version: TotalsVersion,
    /// Whether the day lacked something.
    pub incomplete: bool,
    /// The numbers.
    pub numbers: DailyTotals,
}

/// What is to be erased from the store: one app, or everything of an owner.
pub type Erasure = (OwnerId, Option<AppId>);

impl Catalog {
    /// The versions of all totals that are kept of an owner.
    pub async fn totals_versions(&self, owner: OwnerId) -> Result<HashMap<TotalsKey, TotalsVersion>, Error> {
        let rows = sqlx::query("SELECT app_id, day, generation, sequence FROM daily_totals WHERE owner_id = $1")
            .bind(owner.to_string())
            .fetch_all(&*self.pool()?)
            .await?;
        let mut versions = HashMap::with_capacity(rows.len());
        for row in rows {
            versions.insert((app(&row, 0)?, day(&row, 1)?), version(&row, 2)?);
        }
        Ok(versions)
    }

    /// The earliest day of which totals are kept: that of the first check that was ever counted, or a later one.
    pub async fn first_totals(&self, owner: OwnerId) -> Result<Option<Day>, Error> {
        let row = sqlx::query("SELECT day FROM daily_totals WHERE owner_id = $1 ORDER BY day LIMIT 1")
            .bind(owner.to_string())
            .fetch_optional(&*self.pool()?)
            .await?;
        Ok(row.as_ref().map(|row| day(row, 0)).transpose()?)
    }

    /// Keeps totals, unless newer ones are kept. Of a day that lacks something the greater numbers stay; of one of whose
    /// look-back less is there now, those of the longer one.
    pub async fn keep_totals(&self, owner: OwnerId, key: TotalsKey, totals: KeptTotals) -> Result<(), Error> {
        let mut transaction = self.begin_write().await?;
        let kept = fetch(&mut transaction, owner, key).await?;
        let totals = match kept {
            Some(kept) if kept.version > totals.version => return Ok(()),
            // They show the same.
            Some(kept) if kept.version == totals.version && kept.incomplete == totals.incomplete => return Ok(()),
            Some(kept) if totals.incomplete => greater(kept, totals),
            Some(kept) => with_look_back(&kept, totals),
            None => totals,
        };
        store(&mut transaction, owner, key, &totals).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The totals that are kept of one day.
    pub async fn totals(&self, owner: OwnerId, key: TotalsKey) -> Result<Option<KeptTotals>, Error> {
        let mut transaction = self.begin_read().await?;
        Ok(fetch(&mut transaction, owner, key).await?)
    }

    /// The totals that are kept of those days, of one app or of all.
    pub async fn totals_between(
        &self,
        owner: OwnerId,
        app: Option<AppId>,
        days: RangeInclusive<Day>,
    ) -> Result<BTreeMap<Day, KeptTotals>, Error> {
        let mut transaction = self.begin_read().await?;
        Ok(fetch_between(&mut transaction, owner, app, days).await?)
    }

    /// Says of totals that are kept that they are those of another state of the segments, and leaves their numbers.
    pub async fn move_totals(&self, owner: OwnerId, to: BTreeMap<TotalsKey, TotalsVersion>) -> Result<(), Error> {
        let mut transaction = self.begin_write().await?;
        for ((app, day), version) in to {
            sqlx::query(
                "UPDATE daily_totals SET generation = $4, sequence = $5 \
                 WHERE owner_id = $1 AND app_id = $2 AND day = $3",
            )
            .bind(owner.to_string())
            .bind(app_text(app))
            .bind(i64::from(day.0))
            .bind(version.generation as i64)
            .bind(version.sequence as i64)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// What is to be erased.
    pub async fn erasures(&self) -> Result<Vec<Erasure>, Error> {
        let rows = sqlx::query("SELECT owner_id, app_id FROM erasures").fetch_all(&*self.pool()?).await?;
        let erasure = |row: &AnyRow| -> Result<Erasure, sqlx::Error> {
            let owner: String = row.try_get(0)?;
            Ok((OwnerId(owner.parse().map_err(decode)?), app(row, 1)?))
        };
        Ok(rows.iter().map(erasure).collect::<Result<_, _>>()?)
    }

    /// The store has erased it: its totals go too, and it need not be erased again. Those of the owner show what was
    /// there before, and give way to whatever is computed next.
    pub async fn erased(&self, (owner, app): Erasure) -> Result<(), Error> {
        let mut transaction = self.begin_write().await?;
        let totals = match app {
            Some(app) => sqlx::query("DELETE FROM daily_totals WHERE owner_id = $1 AND app_id = $2")
                .bind(owner.to_string())
                .bind(app.to_string()),
            None => sqlx::query("DELETE FROM daily_totals WHERE owner_id = $1").bind(owner.to_string()),
        };
        totals.execute(&mut *transaction).await?;
        sqlx::query("UPDATE daily_totals SET generation = 0, sequence = 0 WHERE owner_id = $1 AND app_id = ''")
            .bind(owner.to_string())
            .execute(&mut *transaction)
            .await?;
        sqlx::query("DELETE FROM erasures WHERE owner_id = $1 AND app_id = $2")
            .bind(owner.to_string())
            .bind(app_text(app))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }
}

async fn fetch(
    transaction: &mut Transaction<'_, Any>,
    owner: OwnerId,
    (app, day): TotalsKey,
) -> Result<Option<KeptTotals>, sqlx::Error> {
    Ok(fetch_between(transaction, owner, app, day..=day).await?.remove(&day))
}

async fn fetch_between(
    transaction: &mut Transaction<'_, Any>,
    owner: OwnerId,
    app: Option<AppId>,
    days: RangeInclusive<Day>,
) -> Result<BTreeMap<Day, KeptTotals>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT generation, sequence, incomplete, requests, devices, latest, outdated, held, outdated_or_held, fresh, \
         active_7, active_28, breakdown, day FROM daily_totals WHERE owner_id = $1 AND app_id = $2 \
         AND day BETWEEN $3 AND $4",
    )
    .bind(owner.to_string())
    .bind(app_text(app))
    .bind(i64::from(days.start().0))
    .bind(i64::from(days.end().0))
    .fetch_all(&mut **transaction)
    .await?;
    rows.iter().map(|row| Ok((day(row, 13)?, kept(row)?))).collect()
}

fn kept(row: &AnyRow) -> Result<KeptTotals, sqlx::Error> {
    let number = |column: usize| row.try_get::<i64, _>(column).map(|number| number as u64);
    let breakdown: String = row.try_get(12)?;
    let mut numbers = DailyTotals {
        new: number(9)?,
        active_7: number(10)?,
        active_28: number(11)?,
        breakdown: breakdown::parse(&breakdown).map_err(decode)?,
        ..DailyTotals::default()
    };
    numbers.totals.requests = number(3)?;
    numbers.totals.devices = number(4)?;
    numbers.totals.latest = number(5)?;
    numbers.totals.outdated = number(6)?;
    numbers.totals.held = number(7)?;
    numbers.totals.outdated_or_held = number(8)?;
    Ok(KeptTotals { version: version(row, 0)?, incomplete: number(2)? != 0, numbers })
}

async fn store(
    transaction: &mut Transaction<'_, Any>,
    owner: OwnerId,
    (app, day): TotalsKey,
    kept: &KeptTotals,
) -> Result<(), sqlx::Error> {
    let DailyTotals { totals, new, active_7, active_28, breakdown } = &kept.numbers;
    let mut query = sqlx::query(
        "INSERT INTO daily_totals (owner_id, app_id, day, generation, sequence, incomplete, requests, devices, latest, \
         outdated, held, outdated_or_held, fresh, active_7, active_28, breakdown) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) \
         ON CONFLICT (owner_id, app_id, day) DO UPDATE SET generation = excluded.generation, \
         sequence = excluded.sequence, incomplete = excluded.incomplete, requests = excluded.requests, \
         devices = excluded.devices, latest = excluded.latest, outdated = excluded.outdated, held = excluded.held, \
         outdated_or_held = excluded.outdated_or_held, fresh = excluded.fresh, active_7 = excluded.active_7, \
         active_28 = excluded.active_28, breakdown = excluded.breakdown",
    )
    .bind(owner.to_string())
    .bind(app_text(app))
    .bind(i64::from(day.0));
    let numbers = [
        kept.version.generation,
        kept.version.sequence,
        u64::from(kept.incomplete),
        totals.requests,
        totals.devices,
        totals.latest,
        totals.outdated,
        totals.held,
        totals.outdated_or_held,
        *new,
        *active_7,
        *active_28,
    ];
    for number in numbers {
        query = query.bind(number as i64);
    }
    query.bind(breakdown::render(breakdown)).execute(&mut **transaction).await.map(drop)
}

/// The newer totals, with what only the days before say from those that were computed when more of these days were there:
/// a longer look-back finds more actives and, of the same devices, fewer new ones.
fn with_look_back(kept: &KeptTotals, mut totals: KeptTotals) -> KeptTotals {
    let (numbers, before) = (&mut totals.numbers, &kept.numbers);
    numbers.active_7 = numbers.active_7.max(before.active_7);
    numbers.active_28 = numbers.active_28.max(before.active_28);
    if numbers.totals.devices == before.totals.devices {
        numbers.new = numbers.new.min(before.new);
    }
    totals
}

/// The greater of both in every number.
fn greater(one: KeptTotals, other: KeptTotals) -> KeptTotals {
    let (mut numbers, second) = (one.numbers, other.numbers);
    let totals = &mut numbers.totals;
    totals.requests = totals.requests.max(second.totals.requests);
    totals.devices = totals.devices.max(second.totals.devices);
    totals.latest = totals.latest.max(second.totals.latest);
    totals.outdated = totals.outdated.max(second.totals.outdated);
    totals.held = totals.held.max(second.totals.held);
    totals.outdated_or_held = totals.outdated_or_held.max(second.totals.outdated_or_held);
    numbers.new = numbers.new.max(second.new);
    numbers.active_7 = numbers.active_7.max(second.active_7);
    numbers.active_28 = numbers.active_28.max(second.active_28);
    for (dimension, values) in second.breakdown {
        let kept = numbers.breakdown.entry(dimension).or_default();
        for (value, devices) in values {
            let kept = kept.entry(value).or_default();
            *kept = devices.max(*kept);
        }
    }
    KeptTotals { version: other.version, incomplete: true, numbers }
}

mod breakdown {
    //! The breakdown of a day as JSON: dimensions and values by name.

    use std::collections::BTreeMap;

    use headcount_engine::dimension::Dimension;

    type Breakdown = BTreeMap<Dimension, BTreeMap<Box<str>, u64>>;

    pub(super) fn render(breakdown: &Breakdown) -> String {
        let by_name: BTreeMap<&str, &BTreeMap<Box<str>, u64>> =
            breakdown.iter().map(|(dimension, values)| (dimension.name(), values)).collect();
        serde_json::json!(by_name).to_string()
    }

    pub(super) fn parse(text: &str) -> Result<Breakdown, serde_json::Error> {
        let by_name: BTreeMap<String, BTreeMap<Box<str>, u64>> = serde_json::from_str(text)?;
        let known = |(name, values): (String, _)| Dimension::named(&name).map(|dimension| (dimension, values));
        Ok(by_name.into_iter().filter_map(known).collect())
    }
}

fn app_text(app: Option<AppId>) -> String {
    app.map(|app| app.to_string()).unwrap_or_default()
}

fn app(row: &AnyRow, column: usize) -> Result<Option<AppId>, sqlx::Error> {
    let text: String = row.try_get(column)?;
    if text.is_empty() { Ok(None) } else { text.parse().map(AppId).map(Some).map_err(decode) }
}

fn day(row: &AnyRow, column: usize) -> Result<Day, sqlx::Error> {
    row.try_get::<i64, _>(column).map(|day| Day(day as i32))
}

fn version(row: &AnyRow, column: usize) -> Result<TotalsVersion, sqlx::Error> {
    let number = |column: usize| row.try_get::<i64, _>(column).map(|number| number as u64);
    Ok(TotalsVersion { generation: number(column)?, sequence: number(column + 1)? })
}

fn decode(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}
