//! What is fuzzed: functions over any bytes that must neither panic nor contradict themselves. The tests drive them over
//! a corpus and mutations of it, `make fuzz` with cargo-fuzz.

use std::cmp::Ordering;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue};
use headcount_engine::day::Day;
use headcount_engine::device::{BadDeviceId, DeviceId};
use headcount_engine::dimension::Dimension;
use headcount_engine::format::{self, seal, unseal};
use headcount_engine::id::{AppId, Id, OwnerId};
use headcount_engine::personal::Personal;
use headcount_engine::report::{Filters, Query, Source, evaluate};
use headcount_engine::row;
use headcount_engine::segment::Segment;
use headcount_engine::snapshot::{Named, OwnerCatalog};
use headcount_engine::version::Version;

use crate::error::{Code, Error};
use crate::http::check;
use crate::http::count::Device;
use crate::http::question;
use crate::report::Question;

const OWNER: OwnerId = OwnerId(Id::from_bytes([1; 12]));
const TODAY: Day = Day(20_600);

/// One target.
pub type Target = fn(&[u8]);

/// All targets, each with the name of its corpus.
pub const TARGETS: [(&str, Target); 7] = [
    ("check_query", check_query),
    ("version_order", version_order),
    ("device_id", device_id),
    ("personal", personal),
    ("row", spool_row),
    ("segment", segment),
    ("telemetry_query", telemetry_query),
];

/// The query string of an update check.
pub fn check_query(bytes: &[u8]) {
    let Ok(query) = std::str::from_utf8(bytes) else { return };
    match check::parse_raw(query) {
        Ok(check) => {
            let name = check.version.name();
            assert_eq!(name.parse::<Version>().map(|again| again.name().to_owned()).as_deref(), Ok(name));
        }
        Err(error) => assert_caller(&error),
    }
}

/// The query string of a report.
pub fn telemetry_query(bytes: &[u8]) {
    let Ok(query) = std::str::from_utf8(bytes) else { return };
    match question::parse_raw(query, &catalog(), TODAY) {
        Ok(Question { query, .. }) => {
            assert!(query.first <= query.last && query.last <= TODAY.plus(1), "{query:?}");
            assert!(query.last.0 - query.first.0 < 400, "{query:?}");
        }
        Err(error) => assert_caller(&error),
    }
}

/// What is wrong with a query is the caller's fault.
fn assert_caller(error: &Error) {
    assert_eq!(error.code(), Code::Invalid, "{error}");
}

fn catalog() -> Arc<OwnerCatalog> {
    let resources = [("myapp", 2), ("stable", 3), ("darwin", 4), ("amd64", 5)].map(|(name, id)| {
        vec![Named { id: Id::from_bytes([id; 12]), name: name.into(), deleted: false, former: vec!["old".into()] }]
    });
    Arc::new(OwnerCatalog::new(OWNER, "acme", resources, Vec::new()))
}

/// Lines of versions: their order is total, and its key says the same.
pub fn version_order(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let versions: Vec<Version> = text.lines().take(6).filter_map(|line| line.parse().ok()).collect();
    for version in &versions {
        assert_eq!(version.name().parse::<Version>().as_ref(), Ok(version));
        for other in &versions {
            let order = version.cmp(other);
            assert_eq!(order, other.cmp(version).reverse());
            assert_eq!(order == Ordering::Equal, version == other);
            assert_eq!(version.precedence(other), version.precedence_key().cmp(&other.precedence_key()));
            for third in &versions {
                if order != Ordering::Greater && other <= third {
                    assert!(version <= third, "{version:?} {other:?} {third:?}");
                }
            }
        }
    }
}

/// Lines that are values of `X-Device-ID`.
pub fn device_id(bytes: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n').take(3) {
        let Ok(value) = HeaderValue::from_bytes(line) else { continue };
        headers.append("x-device-id", value);
    }
    let device = Device::of(&headers);
    let values: Vec<&[u8]> = headers.values().map(HeaderValue::as_bytes).collect();
    let accepted = |value: &[u8]| {
        (8..=128).contains(&value.len())
            && value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._:{}-".contains(byte))
    };
    match (&device, &values[..]) {
        (Device::Unnamed, [] | [[]]) | (Device::Bad(None), [_, _, ..]) => {}
        (Device::Named(id), [value]) => {
            assert!(accepted(value) && id.as_str().as_bytes() == *value);
            assert_ne!(id.pseudonym(&[0; 32], OWNER), id.pseudonym(&[1; 32], OWNER));
        }
        (Device::Bad(personal), [value]) => {
            assert_eq!(*personal, Personal::of(value));
            let refused = std::str::from_utf8(value).map(str::parse::<DeviceId>);
            assert!(!accepted(value) || refused == Ok(Err(BadDeviceId::Shared)));
        }
        (Device::Unnamed | Device::Named(_) | Device::Bad(_), _) => panic!("{device:?} of {values:?}"),
    }
}

/// Lines that may look as if they named a person.
pub fn personal(bytes: &[u8]) {
    for line in bytes.split(|byte| *byte == b'\n').take(8) {
        let Some(found) = Personal::of(line) else { continue };
        assert!((2..=128).contains(&line.len()), "{found:?} of {} bytes", line.len());
        let digits = line.iter().filter(|byte| byte.is_ascii_digit()).count();
        let has = |wanted: u8| line.contains(&wanted);
        assert!(match found {
            Personal::Email => has(b'@') && has(b'.'),
            Personal::Ipv4 => has(b'.') && digits >= 4,
            Personal::Ipv6 => has(b':'),
            Personal::Mac => has(b':') || has(b'-') || has(b'.'),
            Personal::Phone => (8..=15).contains(&digits.saturating_sub(2)) || (8..=15).contains(&digits),
            Personal::Imei => digits == 15 && line.len() == 15,
            Personal::Jwt => line.starts_with(b"eyJ"),
        });
        assert_eq!(Personal::of(&[line, b"/"].concat()), None);
    }
}

/// A row of the spool, sealed or not.
pub fn spool_row(bytes: &[u8]) {
    for sealed in [bytes.to_vec(), seal(bytes.to_vec())] {
        let days = row::days(&sealed);
        if let Ok(row) = row::decode(&sealed) {
            let again = row::encode(&row);
            assert_eq!(row::days(&again), days);
            assert_eq!(row::decode(&again).as_ref(), Ok(&row));
        }
    }
}

/// A stored segment, with or without its checksum.
pub fn segment(bytes: &[u8]) {
    for content in [Ok(bytes), unseal(bytes)].into_iter().flatten() {
        let Ok(segment) = format::decode(content) else { continue };
        assert_eq!(format::decode(&format::encode(&segment)).as_ref(), Ok(&segment));
        let mut twice = segment.clone();
        twice.merge(&segment);
        assert_eq!(twice.devices(), segment.devices());
        twice.drop_times();
        assert_evaluates(segment);
    }
}

/// A damaged segment may hold what no events make, but a report of it ends.
fn assert_evaluates(segment: Segment) {
    let devices = segment.devices().len();
    let source = Source { day: TODAY, app: AppId(Id::from_bytes([2; 12])), segment: Arc::new(segment) };
    let query = Query { first: TODAY, last: TODAY, filters: Filters::default() };
    let report = evaluate(&query, &[source], &|_, value| value.as_str().into());
    assert_eq!(report.totals.devices, devices);
    for &dimension in Dimension::ALL {
        assert!(report.rows(dimension).iter().all(|row| row.devices <= devices));
    }
}
