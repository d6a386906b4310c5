//! The devices of a fleet: what each of them did on which day.

use std::path::Path;

use anyhow::{Context as _, bail};
use headcount::app::App;
use headcount::spool::{SpoolFile, StoredRow};
use headcount::store::{Applied, Block, Compaction, DictionaryState, MOST_NEW_PSEUDONYMS, PIECE_BYTES, Step};
use headcount_engine::day::{DAY_MILLIS, Day, Millis};
use headcount_engine::device::{DeviceId, Pseudonym};
use headcount_engine::dimension::{Dimension, Status, Value};
use headcount_engine::event::{Event, Values};
use headcount_engine::format::{encode, seal};
use headcount_engine::id::{AppId, OwnerId};
use headcount_engine::mark::{Mark, SpoolId};
use headcount_engine::row::{self, Row};
use headcount_engine::segment::{Fold, Segment};
use headcount_engine::snapshot::NameIndex;

use crate::requests::{APP, ARCHS, CHANNELS, PLATFORMS, device_id, mix};
use crate::seed::Plan;

/// Events in one row of the journal: those of a full group commit.
const ROW_EVENTS: usize = 4096;
/// The longest that a device puts off an update, in days. Most update within a quarter of that.
const PATIENCE: u64 = 42;
/// For how many days the times of what a device ran last are kept: today, and one replay window more.
const TIMED_DAYS: i32 = 1;

/// A fleet, to be written.
pub(crate) struct Fleet {
    plan: Plan,
    owner: OwnerId,
    app: AppId,
    today: Day,
    secret: [u8; 32],
    // What a device can say: by version, channel, platform, architecture and whether the version is the latest.
    said: Vec<Values>,
}

impl Fleet {
    pub(crate) fn new(app: &App, owner: OwnerId, plan: Plan) -> anyhow::Result<Self> {
        let snapshot = app.catalog.snapshot();
        let catalog = snapshot.owner(owner).context("the owner has no catalog")?;
        let ids = |index: &NameIndex, names: &[&str]| {
            let value = |name: &&str| index.resolve(name).map(|id| Value::new(&id.to_string()));
            names.iter().map(value).collect::<Option<Vec<_>>>().context("a name without an id")
        };
        let channels = ids(&catalog.channels, &CHANNELS)?;
        let (platforms, archs) = (ids(&catalog.platforms, &PLATFORMS)?, ids(&catalog.archs, &ARCHS)?);
        let mut said = Vec::new();
        for version in 0..plan.versions {
            for (channel, platform, arch, status) in places(&channels, &platforms, &archs) {
                let mut values = Values::default();
                values[Dimension::Version] = Some(Value::new(&format!("1.{version}.0")));
                values[Dimension::Channel] = Some(channel.clone());
                values[Dimension::Platform] = Some(platform.clone());
                values[Dimension::Arch] = Some(arch.clone());
                values[Dimension::Status] = Some(status.value());
                said.push(values);
            }
        }
        let of_app = AppId(catalog.apps.resolve(APP).context("the app is gone")?);
        let (secret, today) = (app.catalog.installation().secret, app.clock.now().day());
        Ok(Self { plan, owner, app: of_app, today, secret, said })
    }

    fn pseudonym(&self, device: u32) -> anyhow::Result<Pseudonym> {
        let id: DeviceId = std::str::from_utf8(&device_id(u64::from(device)))?.parse()?;
        Ok(id.pseudonym(&self.secret, self.owner))
    }

    fn step(&self, expected_dictionary: DictionaryState) -> Step {
        Step {
            spool: SpoolId([0; 16]),
            expected_mark: None,
            mark: None,
            expected_dictionary,
            block: None,
            erased: None,
            deltas: Vec::new(),
            incomplete: Vec::new(),
            receipts: Vec::new(),
            at: self.today.start(),
        }
    }

    /// Gives every device its ordinal: that of its number.
    pub(crate) async fn join_dictionary(&self, app: &App) -> anyhow::Result<()> {
        let mut state = DictionaryState::default();
        let mut first = 0;
        while first < self.plan.known {
            let last = self.plan.known.min(first + MOST_NEW_PSEUDONYMS as u32);
            let pseudonyms = (first..last).map(|device| self.pseudonym(device)).collect::<anyhow::Result<_>>()?;
            let block = Block { id: rand::random(), pseudonyms };
            let last_block = block.id;
            applied(app.store.apply(self.owner, Step { block: Some(block), ..self.step(state) }).await?)?;
            state.last_block = last_block;
            first = last;
        }
        Ok(())
    }

    /// Writes the segments: the number of device-days in them.
    pub(crate) async fn write_days(&self, app: &App) -> anyhow::Result<u64> {
        let state = app.store.dictionary(self.owner, DictionaryState::default()).await?.state;
        let newest = if self.plan.days == 1 { self.today.plus(-1) } else { self.today };
        let mut device_days = 0;
        for day in newest.plus(1 - i32::from(self.plan.days)).through(newest) {
            let mut segment = self.segment(day);
            device_days += segment.devices().len();
            let timed = day >= self.today.plus(-TIMED_DAYS);
            if !timed {
                segment.drop_times();
            }
            let empty = vec![(self.app, day, seal(encode(&Segment::default())))];
            applied(app.store.apply(self.owner, Step { deltas: empty, ..self.step(state) }).await?)?;
            let view = app.store.load(self.owner, day..=day, std::collections::HashMap::new()).await?;
            let from = view.segments.first().context("a day that was stored is gone")?.version;
            let pieces = encode(&segment).chunks(PIECE_BYTES - 8).map(|piece| seal(piece.to_vec())).collect();
            let compaction = Compaction { owner: self.owner, app: self.app, day, from, pieces, timed };
            if !app.store.compact(compaction).await? {
                bail!("a day changed while it was written");
            }
        }
        Ok(device_days)
    }

    fn segment(&self, day: Day) -> Segment {
        let mut fold = Fold::default();
        for device in 0..self.plan.known {
            let chance = mix(u64::from(device) << 32 | u64::from(day.0.unsigned_abs()));
            if chance.is_multiple_of(u64::from(self.plan.one_in)) {
                let at = Millis(day.start().0 + (chance >> 16) as i64 % DAY_MILLIS);
                fold.record(device, at, &self.said[self.says(device, day)]);
            }
        }
        fold.finish()
    }

    /// The place in `said` of what the device says on that day: it runs the newest version of some days ago.
    fn says(&self, device: u32, day: Day) -> usize {
        let chance = mix(u64::from(device) ^ 0xcafe);
        let versions = i64::from(self.plan.versions);
        // Released evenly over six weeks, the newest three days ago.
        let newest_on = |day: i64| ((day - i64::from(self.today.0) + 45) * versions / 42).clamp(0, versions - 1);
        let puts_off = (chance % 100) * ((chance >> 40) % 100) * PATIENCE / 10_000;
        let day = i64::from(day.0);
        let (latest, runs) = (newest_on(day), newest_on(day - puts_off as i64));
        let (channel, platform) = (drawn(chance >> 8, CHANNEL_SHARES), drawn(chance >> 20, PLATFORM_SHARES));
        let place = (channel * PLATFORMS.len() + platform) * ARCHS.len() + drawn(chance >> 32, ARCH_SHARES);
        runs as usize * PLACES + place * 2 + usize::from(runs == latest)
    }

    /// Writes events that are in the journal and not in the store.
    pub(crate) fn write_journal(&self, spool: &Path, now: Millis) -> anyhow::Result<()> {
        if self.plan.spooled == 0 {
            return Ok(());
        }
        let file = SpoolFile::create(spool, SpoolId(rand::random()), now, true)?;
        let numbers: Vec<u32> = (0..self.plan.spooled).collect();
        for (row, numbers) in numbers.chunks(ROW_EVENTS).enumerate() {
            let event = |&number: &u32| {
                let device = (mix(u64::from(number)) % u64::from(self.plan.known)) as u32;
                let values = self.said[self.says(device, self.today)].clone();
                let device = self.pseudonym(device)?;
                Ok(Event { owner: self.owner, app: self.app, at: now, device, values })
            };
            let events = numbers.iter().map(event).collect::<anyhow::Result<_>>()?;
            let body = row::encode(&Row { events, tallies: Vec::new() });
            let mark = Mark { row: row as u64, tag: rand::random() };
            file.append(&StoredRow { mark, body, receipt: None })?;
        }
        Ok(())
    }
}

/// How many different things a device of one version can say.
const PLACES: usize = CHANNELS.len() * PLATFORMS.len() * ARCHS.len() * 2;

/// The devices of each channel, platform and architecture, in percent.
const CHANNEL_SHARES: [u64; CHANNELS.len()] = [85, 10, 4, 1];
const PLATFORM_SHARES: [u64; PLATFORMS.len()] = [60, 25, 10, 3, 1, 1];
const ARCH_SHARES: [u64; ARCHS.len()] = [70, 20, 5, 3, 1, 1];

/// The place that chance draws when each has that share of a hundred.
fn drawn<const N: usize>(chance: u64, shares: [u64; N]) -> usize {
    let mut left = chance % 100;
    for (place, share) in shares.into_iter().enumerate() {
        if left < share {
            return place;
        }
        left -= share;
    }
    N - 1
}

fn places<'a>(
    channels: &'a [Value],
    platforms: &'a [Value],
    archs: &'a [Value],
) -> impl Iterator<Item = (&'a Value, &'a Value, &'a Value, Status)> {
    channels.iter().flat_map(move |channel| {
        platforms.iter().flat_map(move |platform| {
            archs.iter().flat_map(move |arch| {
                [Status::Outdated, Status::Latest].map(|status| (channel, platform, arch, status))
            })
        })
    })
}

fn applied(applied: Applied) -> anyhow::Result<()> {
    if applied == Applied::Yes { Ok(()) } else { bail!("the store refused a step: {applied:?}") }
}
