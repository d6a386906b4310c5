//! Segments written by this and by former versions of the format must load; what cannot be read is refused.

use headcount_engine::day::Millis;
use headcount_engine::dimension::{Dimension, Value};
use headcount_engine::event::Values;
use headcount_engine::format::{FormatError, VERSION, decode, encode};
use headcount_engine::segment::{Fold, Segment};

const VERSION_1: &[u8] = include_bytes!("../fixtures/segment-1.bin");

fn record(fold: &mut Fold, ordinal: u32, time: i64, said: [&str; 5]) {
    let mut values = Values::default();
    for (dimension, text) in Dimension::ALL.iter().zip(said) {
        values[*dimension] = (!text.is_empty()).then(|| Value::new(text));
    }
    fold.record(ordinal, Millis(time), &values);
}

/// All that a segment can hold: every dimension, devices without some values, a value that no device ended the day
/// with, arrays, runs and a bitmap, times that are the same and that differ, final values, tallies.
fn everything() -> Segment {
    let mut before = Fold::default();
    record(&mut before, 70_000, 5, ["0.9", "c1", "p1", "a1", "outdated"]);
    let mut segment = before.finish();
    segment.drop_times();

    let mut fold = Fold::default();
    record(&mut fold, 0, 1, ["1.0.0", "c1", "p1", "a1", "outdated"]);
    record(&mut fold, 0, 2, ["1.1.0-rc.1", "c2", "p1", "a1", "latest"]);
    record(&mut fold, 1, 3, ["1.1.0-rc.1", "c2", "", "", ""]);
    record(&mut fold, 1, 2, ["", "c2", "", "", "held"]);
    record(&mut fold, 2, 86_399_999, ["(other)", "c1", "p2", "a1", "latest"]);
    record(&mut fold, 3, 0, [""; 5]);
    record(&mut fold, u32::MAX, 7, ["", "c1", "p2", "a1", ""]);
    for ordinal in 100_000..112_000 {
        let platform = if ordinal % 2 == 0 { "p1" } else { "p2" };
        record(&mut fold, ordinal, 0, ["", "c1", platform, "", ""]);
    }
    fold.tally("skip rate", "", 300);
    fold.tally("unserved", "linux/riscv64", u64::MAX);
    segment.merge(&fold.finish());
    segment
}

#[test]
fn version_1_is_read() {
    assert_eq!(decode(VERSION_1), Ok(everything()));
}

#[test]
fn version_1_is_what_is_written() {
    assert_eq!(VERSION, 1);
    assert!(encode(&everything()) == VERSION_1, "the format changed: give it a new version and keep the old fixture");
}

#[test]
fn the_empty_segment_takes_nine_bytes() {
    let bytes = encode(&Segment::default());
    assert_eq!(bytes, b"HCSG\x01\0\0\0\0");
    assert_eq!(decode(&bytes), Ok(Segment::default()));
}

#[test]
fn what_cannot_be_read_says_why() {
    let changed = |at: usize, byte: u8| {
        let mut bytes = VERSION_1.to_vec();
        bytes[at] = byte;
        decode(&bytes)
    };
    assert_eq!(changed(4, 2), Err(FormatError::Newer { found: 2 }));
    assert_eq!(
        FormatError::Newer { found: 2 }.to_string(),
        "the segment was stored in format version 2 by a newer build; this one reads up to 1"
    );
    assert_eq!(changed(4, 0), Err(FormatError::Malformed("its format version is 0")));
    assert_eq!(changed(0, b'h'), Err(FormatError::NotASegment));
    let name = VERSION_1.windows(8).position(|bytes| bytes == b"platform").unwrap();
    assert_eq!(changed(name, b'f'), Err(FormatError::UnknownDimension("flatform".into())));
    assert_eq!(decode(b"HCSG"), Err(FormatError::Truncated));
    assert_eq!(decode(&[VERSION_1, &[0]].concat()), Err(FormatError::Malformed("bytes after its end")));
    for length in 5..VERSION_1.len() {
        assert!(decode(&VERSION_1[..length]).is_err(), "cut to {length} bytes");
    }
}

/// A few bytes that claim a lot take no more memory than they are worth.
#[test]
fn claims_do_not_take_memory() {
    let claims: [&[u8]; 4] = [
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\0\x01\x07version\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\0\x01\x07version\0\x1b\x3b\x30\x00\x00\x01\x00\x00\xff\xff\x01\x00\x00\x00\xff\xff\x00",
    ];
    for claim in claims {
        assert!(decode(&[b"HCSG\x01", claim].concat()).is_err(), "{claim:?}");
    }
}
