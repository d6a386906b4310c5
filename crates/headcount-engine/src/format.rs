//! Segments as bytes, for stores and for readers in other languages.
//!
//! A stored segment is, in this order:
//!
//! - the bytes `HCSG` and one byte, the version of the format;
//! - the bitmap of all devices;
//! - the number of dimensions, and for each: its name; the number of its values, and for each its text and its bitmap;
//!   the times (below);
//! - the number of counters, and for each: for every dimension above, 0 or 1 + the place of the value in the list
//!   above; the count;
//! - the number of tallies, and for each: kind, value, count.
//!
//! Numbers are unsigned LEB128. A text is its length in bytes and UTF-8. A bitmap is its length in bytes and the
//! portable Roaring format; the empty one has length 0. Times are two bitmaps: the devices that have a time, and those
//! of them whose time differs from the one in the dimension before that has times; then, for each of the latter, the
//! milliseconds since the day began in 4 bytes, little-endian. [`seal`] puts a checksum behind.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use roaring::{MultiOps as _, RoaringBitmap};

use crate::codec::{CodecError, Reader, Writer};
use crate::day::DAY_MILLIS;
use crate::dimension::{Dimension, Kept, Value};
use crate::event::Values;
use crate::segment::{Column, Segment};
use crate::times::Times;

const MAGIC: &[u8] = b"HCSG";

/// The version of the format that [`encode`] writes.
pub const VERSION: u8 = 1;

/// How many bytes of checksum [`seal`] appends.
pub(crate) const CHECKSUM_BYTES: usize = 8;

/// Bytes that are not a segment, or not one that this build can read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The checksum is missing or that of other bytes.
    #[error("the checksum of a stored segment does not fit its bytes")]
    Checksum,
    /// The first bytes are not those of a segment.
    #[error("these bytes are not a stored segment")]
    NotASegment,
    /// A newer build wrote it.
    #[error("the segment was stored in format version {found} by a newer build; this one reads up to {VERSION}")]
    Newer {
        /// The version found.
        found: u8,
    },
    /// A dimension that this version of the format does not have.
    #[error("the stored segment has the unknown dimension {0:?}")]
    UnknownDimension(Box<str>),
    /// The bytes end too early.
    #[error("the stored segment ends in the middle")]
    Truncated,
    /// The bytes contradict themselves.
    #[error("the stored segment is malformed: {0}")]
    Malformed(&'static str),
}

impl From<CodecError> for FormatError {
    fn from(error: CodecError) -> Self {
        match error {
            CodecError::Truncated => Self::Truncated,
            CodecError::Malformed(what) => Self::Malformed(what),
        }
    }
}

/// The bytes with a checksum behind them: the first 8 bytes of their BLAKE3 hash.
pub fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let checksum = blake3::hash(&bytes);
    bytes.extend_from_slice(&checksum.as_bytes()[..CHECKSUM_BYTES]);
    bytes
}

/// The bytes without the checksum that [`seal`] put behind them.
pub fn unseal(bytes: &[u8]) -> Result<&[u8], FormatError> {
    let (content, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(FormatError::Checksum)?;
    let fits = blake3::hash(content).as_bytes()[..CHECKSUM_BYTES] == checksum[..];
    if fits { Ok(content) } else { Err(FormatError::Checksum) }
}

/// The segment as bytes. Equal segments give equal bytes.
pub fn encode(segment: &Segment) -> Vec<u8> {
    let mut writer = Writer(Vec::with_capacity(segment.weight()));
    writer.0.extend_from_slice(MAGIC);
    writer.0.push(VERSION);
    writer.bitmap(&segment.devices);
    writer.columns(segment);
    writer.number(segment.tallies.len() as u64);
    for ((kind, value), &count) in &segment.tallies {
        writer.text(kind);
        writer.text(value);
        writer.number(count);
    }
    writer.0
}

impl Writer {
    fn bitmap(&mut self, bitmap: &RoaringBitmap) {
        if bitmap.is_empty() {
            self.number(0);
            return;
        }
        let mut smallest = bitmap.clone();
        smallest.remove_run_compression();
        smallest.optimize();
        self.number(smallest.serialized_size() as u64);
        smallest.serialize_into(&mut self.0).expect("writing to memory does not fail");
    }

    /// The dimensions that have values, and the counters that refer to them.
    fn columns(&mut self, segment: &Segment) {
        let mut listed: Vec<(Dimension, Vec<&Value>)> = Vec::new();
        for &dimension in Dimension::ALL {
            let of_devices = segment.values(dimension).map(|(value, _)| value);
            let of_requests = segment.requests.keys().filter_map(|values| values[dimension].as_ref());
            let values: BTreeSet<&Value> = of_devices.chain(of_requests).collect();
            if !values.is_empty() {
                listed.push((dimension, values.into_iter().collect()));
            }
        }
        self.number(listed.len() as u64);
        let (none, mut before) = (RoaringBitmap::new(), Times::default());
        for (dimension, values) in &listed {
            self.text(dimension.name());
            self.number(values.len() as u64);
            for value in values {
                self.text(value.as_str());
                self.bitmap(segment.with_value(*dimension, value).unwrap_or(&none));
            }
            let times = &segment.column(*dimension).times;
            self.times(times, &before);
            if !times.is_empty() {
                before.clone_from(times);
            }
        }
        self.number(segment.requests.len() as u64);
        for (tuple, &count) in &segment.requests {
            for (dimension, values) in &listed {
                let place = tuple[*dimension].as_ref().and_then(|value| values.binary_search(&value).ok());
                self.number(place.map_or(0, |place| place as u64 + 1));
            }
            self.number(count);
        }
    }

    fn times(&mut self, times: &Times, before: &Times) {
        let own = times.other_than(before);
        self.bitmap(&times.devices());
        self.bitmap(&own.devices());
        for (_, time) in own.as_slice() {
            self.0.extend_from_slice(&time.to_le_bytes());
        }
    }
}

/// The segment that the bytes hold.
pub fn decode(bytes: &[u8]) -> Result<Segment, FormatError> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(FormatError::NotASegment)?;
    let (&version, rest) = rest.split_first().ok_or(FormatError::Truncated)?;
    match version {
        0 => return Err(FormatError::Malformed("its format version is 0")),
        VERSION => {}
        found => return Err(FormatError::Newer { found }),
    }
    let mut reader = Parts { reader: Reader(rest), expandable: EXPANDABLE };
    let mut segment = Segment { devices: reader.bitmap()?, ..Segment::default() };
    let listed = reader.columns(&mut segment)?;
    for _ in 0..reader.number()? {
        let mut values = Values::default();
        for (dimension, list) in &listed {
            let place = reader.number()?;
            if let Some(place) = place.checked_sub(1) {
                let value = usize::try_from(place).ok().and_then(|place| list.get(place));
                values[*dimension] =
                    Some(value.ok_or(FormatError::Malformed("a counter of an unlisted value"))?.clone());
            }
        }
        insert_new(&mut segment.requests, values, reader.number()?)?;
    }
    for _ in 0..reader.number()? {
        let tally = (reader.text()?.into(), reader.text()?.into());
        insert_new(&mut segment.tallies, tally, reader.number()?)?;
    }
    if reader.reader.0.is_empty() { Ok(segment) } else { Err(FormatError::Malformed("bytes after its end")) }
}

fn insert_new<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: V) -> Result<(), FormatError> {
    match map.entry(key) {
        Entry::Vacant(vacant) => {
            vacant.insert(value);
            Ok(())
        }
        Entry::Occupied(_) => Err(FormatError::Malformed("something is listed twice")),
    }
}

/// How much memory one segment's runs may be expanded to. Stored runs are small and slow to compute with; what is
/// beyond the limit stays as it is, so that no input takes much more memory than it has bytes.
const EXPANDABLE: usize = 64 << 20;

/// The most memory that one run container expands to.
const CONTAINER_BYTES: usize = 8 << 10;

/// Reads the parts of a segment.
struct Parts<'a> {
    reader: Reader<'a>,
    expandable: usize,
}

impl<'a> Parts<'a> {
    fn number(&mut self) -> Result<u64, FormatError> {
        Ok(self.reader.number()?)
    }

    fn text(&mut self) -> Result<&'a str, FormatError> {
        Ok(self.reader.text()?)
    }

    fn bitmap(&mut self) -> Result<RoaringBitmap, FormatError> {
        let length = self.number()?;
        let mut bytes = self.reader.bytes(length)?;
        if bytes.is_empty() {
            return Ok(RoaringBitmap::new());
        }
        let mut bitmap = RoaringBitmap::deserialize_from(&mut bytes)
            .map_err(|_| FormatError::Malformed("a bitmap that is not in the portable Roaring format"))?;
        if !bytes.is_empty() || bitmap.is_empty() {
            return Err(FormatError::Malformed("a bitmap of another length"));
        }
        let expanded = bitmap.statistics().n_run_containers as usize * CONTAINER_BYTES;
        if let Some(left) = self.expandable.checked_sub(expanded) {
            self.expandable = left;
            bitmap.remove_run_compression();
        }
        Ok(bitmap)
    }

    /// Reads the dimensions into the segment; gives back which they are, with all values listed.
    fn columns(&mut self, segment: &mut Segment) -> Result<Vec<(Dimension, Vec<Value>)>, FormatError> {
        let mut listed: Vec<(Dimension, Vec<Value>)> = Vec::new();
        let mut before = (RoaringBitmap::new(), Times::default());
        for _ in 0..self.number()? {
            let name = self.text()?;
            let dimension = Dimension::named(name).ok_or_else(|| FormatError::UnknownDimension(name.into()))?;
            if listed.iter().any(|(other, _)| *other == dimension) {
                return Err(FormatError::Malformed("a dimension is listed twice"));
            }
            let mut column = Column::default();
            let mut values = Vec::new();
            for _ in 0..self.number()? {
                let value = Value::new(self.text()?);
                let devices = self.bitmap()?;
                values.push(value.clone());
                insert_new(&mut column.values, value, devices)?;
            }
            column.values.retain(|_, devices| !devices.is_empty());
            let timed = self.bitmap()?;
            column.times = self.times(&timed, &before)?;
            check(dimension, &column, &timed, &segment.devices)?;
            if !timed.is_empty() {
                before = (timed, column.times.clone());
            }
            segment.columns[dimension as usize] = column;
            listed.push((dimension, values));
        }
        Ok(listed)
    }

    /// The times of the devices that have one; `before` are devices and times of the dimension before.
    fn times(&mut self, timed: &RoaringBitmap, before: &(RoaringBitmap, Times)) -> Result<Times, FormatError> {
        let own = self.bitmap()?;
        if own.is_empty() && *timed == before.0 {
            return Ok(before.1.clone());
        }
        let times = self.reader.bytes(own.len().saturating_mul(4))?.chunks_exact(4);
        let times = times.map(|bytes| bytes.iter().rev().fold(0_u32, |time, &byte| time << 8 | u32::from(byte)));
        let own = Times::from_sorted(own.iter().zip(times).collect());
        if own.as_slice().iter().any(|&(_, time)| i64::from(time) >= DAY_MILLIS) {
            return Err(FormatError::Malformed("a time beyond the end of the day"));
        }
        // The search stops at the first device without a time, so the two lists bound what is built here.
        Times::assemble(timed, &own, &before.1).ok_or(FormatError::Malformed("times that are not those of its devices"))
    }
}

/// Checks what the engine takes for granted of a column, `timed` being the devices that have a time in it.
fn check(
    dimension: Dimension,
    column: &Column,
    timed: &RoaringBitmap,
    devices: &RoaringBitmap,
) -> Result<(), FormatError> {
    let holders = column.values.values().union();
    if !holders.is_subset(devices) {
        return Err(FormatError::Malformed("a device with a value that was not seen"));
    }
    match dimension.kept() {
        Kept::Every if !timed.is_empty() => Err(FormatError::Malformed("times where all values are kept")),
        Kept::Last if column.values.values().map(RoaringBitmap::len).sum::<u64>() != holders.len() => {
            Err(FormatError::Malformed("a device with two last values"))
        }
        Kept::Last if !timed.is_subset(&holders) => {
            Err(FormatError::Malformed("the time of a value that is not there"))
        }
        Kept::Every | Kept::Last => Ok(()),
    }
}
