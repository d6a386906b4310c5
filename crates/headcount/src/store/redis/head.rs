//! The state of a segment as one field of a hash holds it. `head.lua` reads and writes the same text.

use std::fmt;
use std::str::FromStr;

use headcount_engine::day::Millis;

use super::super::Version;

/// The state of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) generation: u64,
    pub(super) first: u64,
    pub(super) sequence: u64,
    pub(super) tag: Tag,
    pub(super) first_tag: Tag,
    pub(super) bytes: u64,
    pub(super) first_bytes: u64,
    pub(super) base: String,
    pub(super) pieces: u32,
    pub(super) base_bytes: u64,
    pub(super) timed: bool,
    pub(super) changed_at: Millis,
}

/// The base of a segment that was never compacted.
pub(super) const NO_BASE: &str = "-";

/// A random name, written as 16 hex characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag(pub(super) [u8; 8]);

impl Tag {
    pub(super) fn random() -> Self {
        Self(rand::random())
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for Tag {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 8];
        hex::decode_to_slice(text, &mut bytes).map(|()| Self(bytes))
    }
}

impl Head {
    pub(super) fn version(&self, epoch: u64) -> Version {
        Version { epoch, generation: self.generation, sequence: self.sequence, tag: self.tag.0 }
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { generation, first, sequence, tag, first_tag, bytes, first_bytes, base, pieces, base_bytes, .. } =
            self;
        let (timed, changed_at) = (u8::from(self.timed), self.changed_at.0);
        write!(
            f,
            "{generation} {first} {sequence} {tag} {first_tag} {bytes} {first_bytes} {base} {pieces} {base_bytes} {timed} {changed_at}"
        )
    }
}

/// The text is no state of a segment.
#[derive(Debug)]
pub(super) struct NotAHead;

impl FromStr for Head {
    type Err = NotAHead;

    fn from_str(text: &str) -> Result<Self, NotAHead> {
        fn next<T: FromStr>(words: &mut std::str::Split<'_, char>) -> Result<T, NotAHead> {
            words.next().and_then(|word| word.parse().ok()).ok_or(NotAHead)
        }
        let mut words = text.split(' ');
        let words = &mut words;
        Ok(Self {
            generation: next(words)?,
            first: next(words)?,
            sequence: next(words)?,
            tag: next(words)?,
            first_tag: next(words)?,
            bytes: next(words)?,
            first_bytes: next(words)?,
            base: next(words)?,
            pieces: next(words)?,
            base_bytes: next(words)?,
            timed: next::<u8>(words)? == 1,
            changed_at: Millis(next(words)?),
        })
    }
}
