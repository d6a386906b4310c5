//! The engine against plain sets, and the recorded examples of the rule which of a day's values counts.

mod adoption;
mod breakdown;
mod matrix;
mod plain;
mod quality;
mod retention;
mod trend;
mod upgrades;

use std::collections::{BTreeMap, BTreeSet};

use headcount_engine::dimension::{Dimension, Value};
use headcount_engine::format::{FormatError, decode, encode, seal, unseal};
use headcount_engine::report::{Report, Row, Totals, evaluate};
use headcount_engine::segment::Segment;
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use self::plain::{Asked, Event, VALUES, asked, event, fold, label, matching, names, requests, sources, value};

/// A report without its type.
#[derive(Debug, PartialEq)]
struct Answer {
    totals: Totals,
    active_apps: u64,
    known_versions: Vec<String>,
    daily: Vec<(i32, Totals)>,
    rows: Vec<Vec<(String, u64)>>,
}

impl From<Report> for Answer {
    fn from(report: Report) -> Self {
        let row = |row: &Row| (row.label.to_string(), row.devices);
        Self {
            totals: report.totals,
            active_apps: report.active_apps,
            known_versions: report.known_versions.iter().map(ToString::to_string).collect(),
            daily: report.daily.iter().map(|(day, totals)| (day.0, *totals)).collect(),
            rows: VALUES.iter().map(|(dimension, _)| report.rows(*dimension).iter().map(row).collect()).collect(),
        }
    }
}

struct Counted {
    requests: u64,
    devices: BTreeSet<u32>,
    // By dimension and name.
    named: Vec<BTreeMap<&'static str, BTreeSet<u32>>>,
}

impl Counted {
    fn totals(&self) -> Totals {
        let of = |names: &[&str]| {
            let named = names.iter().filter_map(|name| self.named.get(4)?.get(name)).flatten();
            named.collect::<BTreeSet<_>>().len() as u64
        };
        Totals {
            requests: self.requests,
            devices: self.devices.len() as u64,
            latest: of(&["latest"]),
            outdated: of(&["outdated"]),
            held: of(&["held"]),
            outdated_or_held: of(&["outdated", "held"]),
        }
    }
}

fn count(events: &[Event], asked: &Asked, first: i32, last: i32) -> Counted {
    let asked = Asked { first, last, ..asked.clone() };
    let mut named = vec![BTreeMap::<_, BTreeSet<u32>>::new(); VALUES.len()];
    let mut devices = BTreeSet::new();
    for one in matching(events, &asked) {
        devices.insert(one.device);
        for (at, named) in named.iter_mut().enumerate() {
            for name in names(&asked, &one, at) {
                named.entry(name).or_default().insert(one.device);
            }
        }
    }
    Counted { requests: requests(events, &asked).len() as u64, devices, named }
}

fn answer(events: &[Event], asked: &Asked) -> Answer {
    let in_range = |event: &&Event| (asked.first..=asked.last).contains(&event.day);
    let active: BTreeSet<u8> = events.iter().filter(in_range).map(|event| event.app).collect();
    let known: BTreeSet<&str> = events.iter().filter_map(|event| Some(VALUES[0].1[event.values[0]?].0)).collect();
    let whole = count(events, asked, asked.first, asked.last);
    let order = |at: usize, name: &str| {
        let place = VALUES[0].1.iter().position(|(version, _)| *version == name);
        (place.filter(|_| at == 0).map(std::cmp::Reverse), name.to_owned())
    };
    let rows = whole.named.iter().enumerate().map(|(at, named)| {
        let mut rows: Vec<(String, u64)> =
            named.iter().map(|(name, devices)| ((*name).to_owned(), devices.len() as u64)).collect();
        // `(other)` stands for many versions and comes last, however many devices it has.
        rows.sort_by_key(|(name, devices)| (name == "(other)", std::cmp::Reverse(*devices), order(at, name)));
        rows
    });
    let days = (asked.first..=asked.last).filter(|_| !active.is_empty());
    Answer {
        totals: whole.totals(),
        active_apps: active.len() as u64,
        known_versions: known.into_iter().map(str::to_owned).collect(),
        daily: days.map(|day| (day, count(events, asked, day, day).totals())).collect(),
        rows: rows.collect(),
    }
}

fn engine(events: &[Event], asked: &Asked) -> Answer {
    evaluate(&asked.query(), &sources(events), &label).into()
}

/// Merges all into one, each time two that `picks` chooses.
fn merge_all(mut segments: Vec<Segment>, picks: &[Index]) -> Segment {
    for pick in picks.iter().cycle() {
        let Some(count) = segments.len().checked_sub(1).filter(|&count| count > 0) else { break };
        let one = segments.swap_remove(pick.index(count + 1));
        segments[pick.index(count)].merge(&one);
    }
    segments.pop().unwrap_or_default()
}

/// The events of each batch.
fn batches(events: &[(Event, usize)], count: usize) -> Vec<Vec<&Event>> {
    (0..count)
        .map(|number| events.iter().filter(|(_, batch)| *batch == number).map(|(event, _)| event).collect())
        .collect()
}

fn batched_events() -> impl Strategy<Value = Vec<(Event, usize)>> {
    vec((event(1, 1), 0..5_usize), 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn reports_are_those_of_plain_sets(events in vec(event(3, 3), 0..40), asked in asked(3)) {
        prop_assert_eq!(engine(&events, &asked), answer(&events, &asked));
    }

    #[test]
    fn any_batches_in_any_order_are_one_fold(events in batched_events(), picks in vec(any::<Index>(), 1..8)) {
        let whole = fold(events.iter().map(|(event, _)| event));
        let parts: Vec<Segment> = batches(&events, 5).into_iter().map(fold).collect();
        prop_assert_eq!(&Segment::merged(parts.clone()), &whole);
        prop_assert_eq!(merge_all(parts, &picks), whole);
    }

    /// A value whose time was dropped stays; of two such values the greater one.
    #[test]
    fn a_final_value_stays(
        events in batched_events(),
        finals in vec(any::<bool>(), 5),
        one in vec(any::<Index>(), 1..8),
        other in vec(any::<Index>(), 1..8),
    ) {
        let batches = batches(&events, 5);
        let mut segments: Vec<Segment> = batches.iter().cloned().map(fold).collect();
        for (segment, _) in segments.iter_mut().zip(&finals).filter(|(_, is_final)| **is_final) {
            segment.drop_times();
            prop_assert!(!segment.has_times());
        }
        let merged = merge_all(segments.clone(), &one);
        prop_assert_eq!(&merged, &merge_all(segments, &other));

        for at in [0, 4] {
            let mut registers: BTreeMap<u32, (bool, u32, usize)> = BTreeMap::new();
            for (batch, &is_final) in batches.iter().zip(&finals) {
                let mut of_batch: BTreeMap<u32, (u32, usize)> = BTreeMap::new();
                for event in batch {
                    if let Some(place) = event.values[at] {
                        let last = of_batch.entry(event.device).or_default();
                        *last = (*last).max((event.time, place));
                    }
                }
                for (device, (time, place)) in of_batch {
                    let register = registers.entry(device).or_default();
                    *register = (*register).max((is_final, if is_final { 0 } else { time }, place));
                }
            }
            let mut expected: BTreeMap<Value, BTreeSet<u32>> = BTreeMap::new();
            for (device, (_, _, place)) in registers {
                expected.entry(value(at, place)).or_default().insert(device);
            }
            let held = merged.values(VALUES[at].0).map(|(value, devices)| (value.clone(), devices.iter().collect()));
            prop_assert_eq!(held.collect::<BTreeMap<Value, BTreeSet<u32>>>(), expected);
        }
    }

    #[test]
    fn stored_segments_are_read_back(events in batched_events(), finals in any::<bool>(), picks in vec(any::<Index>(), 1..8)) {
        let mut whole = fold(events.iter().map(|(event, _)| event));
        let mut merged = merge_all(batches(&events, 5).into_iter().map(fold).collect(), &picks);
        if finals {
            whole.drop_times();
            merged.drop_times();
        }
        let bytes = encode(&whole);
        prop_assert_eq!(&bytes, &encode(&merged));
        let read = decode(&bytes);
        prop_assert_eq!(read.as_ref(), Ok(&whole));
        let sealed = seal(bytes.clone());
        prop_assert_eq!(unseal(&sealed), Ok(&bytes[..]));
        prop_assert_eq!(whole.is_empty(), events.is_empty());
    }

    /// What was stored and read goes on like what stayed in memory.
    #[test]
    fn stored_segments_go_on(events in batched_events()) {
        let mut stored = Segment::default();
        for batch in batches(&events, 5) {
            stored.merge(&decode(&encode(&fold(batch))).unwrap_or_default());
            stored = decode(&encode(&stored)).unwrap_or_default();
        }
        prop_assert_eq!(stored, fold(events.iter().map(|(event, _)| event)));
    }

    /// Damaged bytes are refused, or are another segment that works like any other.
    #[test]
    fn damaged_bytes_do_no_harm(
        events in batched_events(),
        cut in option::weighted(0.2, any::<Index>()),
        damage in vec((any::<Index>(), any::<u8>()), 0..4),
    ) {
        let whole = fold(events.iter().map(|(event, _)| event));
        let mut bytes = encode(&whole);
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        for (at, mask) in damage {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] ^= mask;
            }
        }
        if let Ok(mut read) = decode(&bytes) {
            let again = decode(&encode(&read));
            prop_assert_eq!(again.as_ref(), Ok(&read));
            let mut other = whole.clone();
            other.merge(&read);
            read.merge(&whole);
            prop_assert_eq!(read, other);
        }
    }

    #[test]
    fn a_seal_is_broken_by_any_change(mut bytes in vec(any::<u8>(), 0..40), at in any::<Index>(), bit in 0..8) {
        bytes = seal(bytes);
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        prop_assert_eq!(unseal(&bytes), Err(FormatError::Checksum));
        prop_assert_eq!(unseal(&bytes[..at]), Err(FormatError::Checksum));
    }

    /// New ordinals change nothing else; erased devices vanish and their requests stay.
    #[test]
    fn ordinals_may_change(events in batched_events(), erased in btree_set(select(vec![0_u32, 1, 65_536]), 0..3)) {
        let whole = fold(events.iter().map(|(event, _)| event));
        let ordinal = |old: u32| (!erased.contains(&old)).then(|| old.reverse_bits());
        let moved = whole.remap(ordinal);
        let expected = fold(&events.iter().filter_map(|(event, _)| {
            Some(Event { device: ordinal(event.device)?, ..event.clone() })
        }).collect::<Vec<_>>());
        prop_assert_eq!(moved.devices(), expected.devices());
        for (dimension, _) in VALUES {
            prop_assert!(moved.values(dimension).eq(expected.values(dimension)));
        }
        prop_assert!(moved.requests().eq(whole.requests()));
        prop_assert!(moved.tallies().eq(whole.tallies()));
        let mut again = moved.clone();
        again.merge(&expected);
        prop_assert!(again.values(Dimension::Version).eq(moved.values(Dimension::Version)));
    }
}
