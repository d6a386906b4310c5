//! What is kept of an owner beside segments and dictionary, and whether the store is an unfinished copy.

use headcount_engine::day::{Day, Millis};
use headcount_engine::id::{AppId, OwnerId};
use redis::Value;

use super::super::kept::{Kept, Receipt};
use super::super::{Mark, StoreError, Tombstone};
use super::dictionary::tombstones;
use super::keys::{app_day, member};
use super::step::read_mark;
use super::{Redis, longest, reply};

/// The field of the installation that says what an unfinished copy is one of.
pub(super) const COPY_OF: &str = "copy_of";

impl Redis {
    pub(in super::super) async fn kept(&self, owner: OwnerId) -> Result<Kept, StoreError> {
        let keys = self.keys(owner);
        let mut kept = Kept::default();
        for (field, value) in self.fields(keys.marks()).await? {
            let (mark, at) = value.split_first_chunk().ok_or_else(reply::unexpected)?;
            kept.marks.push((field.parse().map_err(|_| reply::unexpected())?, read_mark(mark), moment(at)?));
        }
        for (field, value) in self.fields(keys.receipts()).await? {
            kept.receipts.push(receipt(&field, &value)?);
        }
        for (field, value) in self.fields(keys.expired()).await? {
            let (app, day) = app_day(&field).ok_or_else(reply::unexpected)?;
            kept.expired.push((app, day, moment(&value)?));
        }
        for (field, value) in self.fields(keys.erased()).await? {
            let app = (!field.is_empty()).then(|| field.parse().map(AppId)).transpose();
            kept.erased.push((app.map_err(|_| reply::unexpected())?, moment(&value)?));
        }
        let mut all = redis::cmd("HGETALL");
        kept.tombstones = tombstones(self.link.get(all.arg(keys.tombstones()).clone()).await?)?;
        let mut members = redis::cmd("SMEMBERS");
        let members = reply::texts(self.link.get(members.arg(keys.incomplete()).clone()).await?)?;
        kept.incomplete = members.iter().filter_map(|member| app_day(member)).collect();
        Ok(kept)
    }

    async fn fields(&self, key: String) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let mut command = redis::cmd("HGETALL");
        let found: Value = self.link.get(command.arg(key).clone()).await?;
        let read = |(field, value)| Ok((reply::text(field)?, reply::bytes(value)?));
        reply::pairs(found)?.into_iter().map(read).collect()
    }

    pub(in super::super) async fn keep_expired(
        &self,
        owner: OwnerId,
        expired: Vec<(AppId, Day, Millis)>,
        now: Millis,
    ) -> Result<(), StoreError> {
        let key = self.keys(owner).expired();
        for some in expired.chunks(1000) {
            let mut set = redis::cmd("HSET");
            set.arg(&key);
            for &(app, day, at) in some {
                set.arg(member(app, day)).arg(at.0);
            }
            self.link.put(set).await?;
        }
        // The next step of the owner gives it the life of the others.
        let mut expire = redis::cmd("PEXPIREAT");
        expire.arg(&key).arg(longest(self, (owner, now), std::iter::empty()));
        self.link.put(expire).await.map(drop)
    }

    pub(in super::super) async fn keep_tombstones(
        &self,
        owner: OwnerId,
        tombstones: Vec<Tombstone>,
        now: Millis,
    ) -> Result<(), StoreError> {
        let key = self.keys(owner).tombstones();
        for Tombstone { device, at, block } in tombstones {
            let mut set = redis::cmd("HSET");
            let value = [format!("{}:", at.0).as_bytes(), &block[..]].concat();
            self.link.put(set.arg(&key).arg(hex::encode(device.0)).arg(value).clone()).await?;
        }
        // The next step of the owner gives it the life of the others.
        let mut expire = redis::cmd("PEXPIREAT");
        expire.arg(&key).arg(longest(self, (owner, now), std::iter::empty()));
        self.link.put(expire).await.map(drop)
    }

    pub(in super::super) async fn copy_of(&self) -> Result<Option<String>, StoreError> {
        let mut command = redis::cmd("HGET");
        let found = self.link.get(command.arg(self.link.shared.installation()).arg(COPY_OF).clone()).await?;
        reply::optional_bytes(found)?.map(|bytes| reply::text(Value::BulkString(bytes))).transpose()
    }

    pub(in super::super) async fn set_copy_of(&self, source: Option<String>) -> Result<(), StoreError> {
        let key = self.link.shared.installation();
        let command = match source {
            Some(source) => redis::cmd("HSET").arg(key).arg(COPY_OF).arg(source).clone(),
            None => redis::cmd("HDEL").arg(key).arg(COPY_OF).clone(),
        };
        self.link.put(command).await.map(drop)
    }
}

fn moment(bytes: &[u8]) -> Result<Millis, StoreError> {
    let text = std::str::from_utf8(bytes).map_err(|_| reply::unexpected())?;
    text.parse().map(Millis).map_err(|_| reply::unexpected())
}

fn receipt(field: &str, value: &[u8]) -> Result<Receipt, StoreError> {
    let (spool, row) = field.split_once(':').ok_or_else(reply::unexpected)?;
    let (spool, row) = (spool.parse(), row.parse());
    let (tag, rest) = value.split_first_chunk().ok_or_else(reply::unexpected)?;
    let end = rest.iter().position(|&byte| byte == b':').ok_or_else(reply::unexpected)?;
    let (spool, row) = (spool.map_err(|_| reply::unexpected())?, row.map_err(|_| reply::unexpected())?);
    Ok(Receipt { spool, mark: Mark { row, tag: *tag }, bytes: rest[end + 1..].to_vec(), at: moment(&rest[..end])? })
}
