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

/// A stored text.
fn text(text: &str) -> Vec<u8> {
    [&[text.len() as u8], text.as_bytes()].concat()
}

/// A stored bitmap of these ordinals.
fn bits(ordinals: &[u16]) -> Vec<u8> {
    let Some(last) = ordinals.len().checked_sub(1) else { return vec![0] };
    let mut bytes = vec![16 + 2 * ordinals.len() as u8, 0x3a, 0x30, 0, 0, 1, 0, 0, 0, 0, 0, last as u8, 0, 16, 0, 0, 0];
    bytes.extend(ordinals.iter().flat_map(|ordinal| ordinal.to_le_bytes()));
    bytes
}

/// A stored segment of devices 5 and 6 with one dimension: its values, its times, and what follows it.
fn one_dimension(name: &str, values: &[(&str, &[u16])], times: &[&[u8]], rest: &[u8]) -> Vec<u8> {
    let mut bytes = [b"HCSG\x01", &bits(&[5, 6])[..], &[1], &text(name), &[values.len() as u8]].concat();
    for (value, ordinals) in values {
        bytes.extend([text(value), bits(ordinals)].concat());
    }
    [bytes, times.concat(), rest.to_vec()].concat()
}

#[test]
fn contradictions_are_refused() {
    let (five, none) = (bits(&[5]), bits(&[]));
    let noon = 43_200_000_u32.to_le_bytes();
    let midnight = 86_400_000_u32.to_le_bytes();
    let no_times = [&none[..], &none];
    let with_times = |name, times: &[&[u8]]| one_dimension(name, &[("x", &[5])], times, &[0, 0]);
    assert!(decode(&with_times("version", &[&five, &five, &noon])).is_ok());

    let mut long_bitmap = five.clone();
    long_bitmap[0] += 1;
    long_bitmap.push(0);
    let number = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
    let twice = [text("version"), vec![0, 0, 0]].concat();
    let tallies = [&[0, 2][..], &text("a"), &text("b"), &[1], &text("a"), &text("b"), &[1]].concat();
    let cases = [
        (one_dimension("arch", &[("x", &[7])], &no_times, &[0, 0]), "a device with a value that was not seen"),
        (one_dimension("status", &[("x", &[5]), ("y", &[5])], &no_times, &[0, 0]), "a device with two last values"),
        (one_dimension("arch", &[("x", &[5]), ("x", &[6])], &no_times, &[0, 0]), "something is listed twice"),
        (with_times("arch", &[&five, &five, &noon]), "times where all values are kept"),
        (with_times("version", &[&bits(&[6]), &bits(&[6]), &noon]), "the time of a value that is not there"),
        (with_times("version", &[&five, &five, &midnight]), "a time beyond the end of the day"),
        (with_times("version", &[&five, &none]), "times that are not those of its devices"),
        (with_times("version", &[&none, &five, &noon]), "times that are not those of its devices"),
        (one_dimension("arch", &[("x", &[5])], &no_times, &[1, 2, 1, 0]), "a counter of an unlisted value"),
        (one_dimension("arch", &[("x", &[5])], &no_times, &[2, 1, 9, 1, 9, 0]), "something is listed twice"),
        (one_dimension("arch", &[("x", &[5])], &no_times, &tallies), "something is listed twice"),
        ([b"HCSG\x01\0\x02", &twice[..], &twice, &[0, 0]].concat(), "a dimension is listed twice"),
        ([b"HCSG\x01", &long_bitmap[..], &[0, 0, 0]].concat(), "a bitmap of another length"),
        ([b"HCSG\x01\x03\0\0\0", &[0, 0, 0][..]].concat(), "a bitmap that is not in the portable Roaring format"),
        ([b"HCSG\x01\0\0\0", &number[..]].concat(), "a number beyond 64 bits"),
        ([b"HCSG\x01\0\0\0\x01\x01\xff\0", &[0][..]].concat(), "a text that is not UTF-8"),
    ];
    for (bytes, reason) in cases {
        assert_eq!(decode(&bytes), Err(FormatError::Malformed(reason)));
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
