//! Rows of the spool as bytes: what one group commit holds.
//!
//! A row is, in this order: the bytes `HCRW` and one byte, the version of the format; the number of dimensions and the
//! name of each; the number of sources, and for each: owner, app, and for every dimension 0 or 1 and the text of its
//! value; the number of events, and for each: the place of its source, the milliseconds since the event before (signed),
//! the pseudonym; the number of tallies, and for each: owner, app, moment, kind, value, count. The primitives are those
//! of `codec`; a checksum stands behind ([`crate::format::seal`]).

use std::collections::{BTreeSet, HashMap};

use crate::codec::{CodecError, Reader, Writer};
use crate::day::{Day, Millis};
use crate::device::Pseudonym;
use crate::dimension::{Dimension, Value};
use crate::event::{Event, Values};
use crate::format::{CHECKSUM_BYTES, FormatError, seal, unseal};
use crate::id::{AppId, Id, OwnerId};

const MAGIC: &[u8] = b"HCRW";

/// The version of the format that [`encode`] writes.
pub const VERSION: u8 = 1;

/// A counter beside the checks: how often something was seen that is no event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Whose app.
    pub owner: OwnerId,
    /// The application.
    pub app: AppId,
    /// When; its UTC day is the day under which it counts.
    pub at: Millis,
    /// What was seen.
    pub kind: Box<str>,
    /// With which value.
    pub value: Box<str>,
    /// How often.
    pub count: u64,
}

/// What one row of the spool holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// The events, in the order of their acceptance.
    pub events: Vec<Event>,
    /// The tallies.
    pub tallies: Vec<Tally>,
}

impl Row {
    /// The latest moment of anything in it.
    pub fn latest(&self) -> Option<Millis> {
        let events = self.events.iter().map(|event| event.at);
        events.chain(self.tallies.iter().map(|tally| tally.at)).max()
    }
}

/// Bytes that are not a row, or not one that this build can read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// The checksum does not fit.
    #[error(transparent)]
    Sealed(#[from] FormatError),
    /// The first bytes are not those of a row.
    #[error("these bytes are not a row of a spool")]
    NotARow,
    /// A newer build wrote it.
    #[error("the row was written in format version {found} by a newer build; this one reads up to {VERSION}")]
    Newer {
        /// The version found.
        found: u8,
    },
    /// A dimension that this version of the format does not have.
    #[error("the row has the unknown dimension {0:?}")]
    UnknownDimension(Box<str>),
    /// The bytes contradict the format.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// The row as sealed bytes.
pub fn encode(row: &Row) -> Vec<u8> {
    let mut sources: HashMap<(OwnerId, AppId, &Values), u64> = HashMap::new();
    let mut listed = Vec::new();
    let mut events = Writer(Vec::with_capacity(row.events.len() * 20));
    let mut before = 0;
    for event in &row.events {
        let source = (event.owner, event.app, &event.values);
        let place = *sources.entry(source).or_insert_with(|| {
            listed.push(source);
            listed.len() as u64 - 1
        });
        events.number(place);
        events.signed(event.at.0.wrapping_sub(before));
        events.bytes(&event.device.0);
        before = event.at.0;
    }
    let mut writer = Writer(Vec::with_capacity(events.0.len() + listed.len() * 128 + 64));
    writer.bytes(MAGIC);
    writer.bytes(&[VERSION]);
    writer.number(Dimension::ALL.len() as u64);
    for dimension in Dimension::ALL {
        writer.text(dimension.name());
    }
    writer.number(listed.len() as u64);
    for (owner, app, values) in listed {
        writer.bytes(owner.0.as_bytes());
        writer.bytes(app.0.as_bytes());
        for &dimension in Dimension::ALL {
            writer.number(u64::from(values[dimension].is_some()));
            if let Some(value) = &values[dimension] {
                writer.text(value.as_str());
            }
        }
    }
    writer.number(row.events.len() as u64);
    writer.bytes(&events.0);
    writer.number(row.tallies.len() as u64);
    for tally in &row.tallies {
        writer.bytes(tally.owner.0.as_bytes());
        writer.bytes(tally.app.0.as_bytes());
        writer.signed(tally.at.0);
        writer.text(&tally.kind);
        writer.text(&tally.value);
        writer.number(tally.count);
    }
    seal(writer.0)
}

/// The row that the sealed bytes hold.
///
/// # Errors
/// The bytes were damaged, are no row, or were written by a newer build.
pub fn decode(bytes: &[u8]) -> Result<Row, RowError> {
    let mut row = Row::default();
    read(unseal(bytes)?, &mut row)?;
    Ok(row)
}

/// Whose app-days the row holds, also of a damaged one: as far as it can be read, and with what was damaged as it is.
pub fn days(bytes: &[u8]) -> BTreeSet<(OwnerId, AppId, Day)> {
    let mut row = Row::default();
    // What was read before the first contradiction stands in the row.
    let _damaged = read(&bytes[..bytes.len().saturating_sub(CHECKSUM_BYTES)], &mut row);
    let events = row.events.iter().map(|event| (event.owner, event.app, event.at.day()));
    events.chain(row.tallies.iter().map(|tally| (tally.owner, tally.app, tally.at.day()))).collect()
}

/// Reads a row from its bytes without the checksum.
fn read(bytes: &[u8], row: &mut Row) -> Result<(), RowError> {
    let mut reader = Reader(bytes.strip_prefix(MAGIC).ok_or(RowError::NotARow)?);
    let [version] = reader.array()?;
    if version > VERSION {
        return Err(RowError::Newer { found: version });
    }
    let sources = read_sources(&mut reader)?;
    let mut at = 0_i64;
    for _ in 0..reader.number()? {
        let place = usize::try_from(reader.number()?).ok();
        let source = place.and_then(|place| sources.get(place));
        let (owner, app, values) = source.ok_or(CodecError::Malformed("an event of an unlisted source"))?;
        at = at.wrapping_add(reader.signed()?);
        let device = Pseudonym(reader.array()?);
        row.events.push(Event { owner: *owner, app: *app, at: Millis(at), device, values: values.clone() });
    }
    for _ in 0..reader.number()? {
        row.tallies.push(Tally {
            owner: OwnerId(Id::from_bytes(reader.array()?)),
            app: AppId(Id::from_bytes(reader.array()?)),
            at: Millis(reader.signed()?),
            kind: reader.text()?.into(),
            value: reader.text()?.into(),
            count: reader.number()?,
        });
    }
    if reader.0.is_empty() { Ok(()) } else { Err(CodecError::Malformed("bytes after its end").into()) }
}

fn read_sources(reader: &mut Reader<'_>) -> Result<Vec<(OwnerId, AppId, Values)>, RowError> {
    let mut dimensions = Vec::new();
    for _ in 0..reader.number()? {
        let name = reader.text()?;
        dimensions.push(Dimension::named(name).ok_or_else(|| RowError::UnknownDimension(name.into()))?);
    }
    let mut sources = Vec::new();
    for _ in 0..reader.number()? {
        let owner = OwnerId(Id::from_bytes(reader.array()?));
        let app = AppId(Id::from_bytes(reader.array()?));
        let mut values = Values::default();
        for &dimension in &dimensions {
            if reader.number()? != 0 {
                values[dimension] = Some(Value::new(reader.text()?));
            }
        }
        sources.push((owner, app, values));
    }
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event() -> impl Strategy<Value = Event> {
        let value = proptest::option::of("[a-z0-9.]{0,6}");
        (0..3_u8, 0..3_u8, -9_i64..9_000_000_000_000, any::<u8>(), proptest::array::uniform5(value)).prop_map(
            |(owner, app, at, device, texts)| {
                let mut values = Values::default();
                for (&dimension, text) in Dimension::ALL.iter().zip(texts) {
                    values[dimension] = text.as_deref().map(Value::new);
                }
                Event {
                    owner: OwnerId(Id::from_bytes([owner; 12])),
                    app: AppId(Id::from_bytes([app; 12])),
                    at: Millis(at),
                    device: Pseudonym([device; 16]),
                    values,
                }
            },
        )
    }

    proptest! {
        #[test]
        fn rows_round_trip(events in proptest::collection::vec(event(), 0..20), counts in proptest::collection::vec(any::<u64>(), 0..3)) {
            let tallies = counts.into_iter().map(|count| Tally {
                owner: OwnerId(Id::from_bytes([1; 12])),
                app: AppId(Id::from_bytes([2; 12])),
                at: Millis(count as i64),
                kind: "skipped".into(),
                value: "no-device".into(),
                count,
            }).collect();
            let row = Row { events, tallies };
            let sealed = encode(&row);
            let held = row.events.iter().map(|event| (event.owner, event.app, event.at.day()));
            let held = held.chain(row.tallies.iter().map(|tally| (tally.owner, tally.app, tally.at.day())));
            prop_assert_eq!(days(&sealed), held.collect());
            prop_assert!(days(&sealed[..sealed.len() / 2]).is_subset(&days(&sealed)));
            prop_assert_eq!(decode(&sealed), Ok(row));
        }

        #[test]
        fn other_bytes_are_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), at in any::<usize>(), flip in 1..=255_u8) {
            prop_assert!(decode(&bytes).is_err());
            let mut framed = [MAGIC, &[VERSION]].concat();
            framed.append(&mut bytes);
            let _never_panics = (days(&framed), decode(&seal(framed)));
            let mut row = encode(&Row::default());
            let at = at % row.len();
            row[at] ^= flip;
            prop_assert!(decode(&row).is_err());
        }
    }
}
