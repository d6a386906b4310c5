//! The devices that were erased. The store remembers them, too; here they are for a store that has lost that, and for the
//! spools.

use headcount_engine::day::Millis;
use headcount_engine::device::Pseudonym;
use headcount_engine::id::OwnerId;
use sqlx::Row as _;

use crate::catalog::Catalog;
use crate::catalog::audit::By;
use crate::error::Error;

/// An erased device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceErasure {
    /// Whose.
    pub owner: OwnerId,
    /// The device.
    pub device: Pseudonym,
    /// What was accepted of it until this moment is not counted.
    pub at: Millis,
    /// Whether the store had it erased, once.
    pub done: bool,
}

impl Catalog {
    /// Writes down that everything that was accepted of a device until now is to be erased: the moment. Whoever ships
    /// in this process knows it when this returns, and the others within a second.
    pub async fn erase_device(&self, by: impl Into<By>, device: Pseudonym) -> Result<Millis, Error> {
        let by = by.into();
        let now = self.clock.now();
        let mut transaction = self.begin_write().await?;
        sqlx::query(
            "INSERT INTO device_erasures (owner_id, device, erased_at, done) VALUES ($1, $2, $3, 0) \
             ON CONFLICT (owner_id, device) DO UPDATE SET erased_at = excluded.erased_at, done = 0",
        )
        .bind(by.owner.to_string())
        .bind(hex::encode(device.0))
        .bind(now.0)
        .execute(&mut *transaction)
        .await?;
        self.note(&mut transaction, by, ("device", "erase"), by.owner.0).await?;
        self.publish(transaction).await?;
        Ok(now)
    }

    /// All erasures that are remembered.
    pub async fn device_erasures(&self) -> Result<Vec<DeviceErasure>, Error> {
        let rows = sqlx::query("SELECT owner_id, device, erased_at, done FROM device_erasures")
            .fetch_all(&*self.pool()?)
            .await?;
        let mut erasures = Vec::with_capacity(rows.len());
        for row in rows {
            erasures.push(DeviceErasure {
                owner: OwnerId(super::snapshot::id(&row, 0)?),
                device: device(&row.try_get::<String, _>(1)?)?,
                at: Millis(row.try_get(2)?),
                done: row.try_get::<i64, _>(3)? != 0,
            });
        }
        Ok(erasures)
    }

    /// The store has erased it.
    pub async fn device_is_erased(&self, owner: OwnerId, device: Pseudonym, at: Millis) -> Result<(), Error> {
        let mut transaction = self.begin_write().await?;
        sqlx::query("UPDATE device_erasures SET done = 1 WHERE owner_id = $1 AND device = $2 AND erased_at = $3")
            .bind(owner.to_string())
            .bind(hex::encode(device.0))
            .bind(at.0)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Forgets the owner's erasures from before that moment: nothing that was accepted before them can come any more.
    pub async fn forget_device_erasures(&self, owner: OwnerId, before: Millis) -> Result<(), Error> {
        let mut transaction = self.begin_write().await?;
        let forgotten = sqlx::query("DELETE FROM device_erasures WHERE owner_id = $1 AND erased_at < $2")
            .bind(owner.to_string())
            .bind(before.0)
            .execute(&mut *transaction)
            .await?;
        if forgotten.rows_affected() == 0 {
            return Ok(());
        }
        self.publish(transaction).await
    }
}

/// A pseudonym as it is stored here.
pub(super) fn device(text: &str) -> Result<Pseudonym, sqlx::Error> {
    let mut bytes = [0; 16];
    hex::decode_to_slice(text, &mut bytes).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(Pseudonym(bytes))
}
