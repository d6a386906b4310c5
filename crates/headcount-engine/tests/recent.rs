//! Who was there in the last minutes, against plain sets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use headcount_engine::day::{Day, Millis};
use headcount_engine::dimension::{Dimension, Value};
use headcount_engine::event::Values;
use headcount_engine::id::{AppId, Id};
use headcount_engine::recent::{Recent, recent};
use headcount_engine::report::{Filters, Row, Source};
use headcount_engine::segment::Fold;
use proptest::collection::vec;
use proptest::prelude::*;

const VERSIONS: [&str; 3] = ["1.0.0", "1.1.0", "1.10.0"];
const PLATFORMS: [&str; 2] = ["darwin", "linux"];
const HOUR: i64 = 3_600_000;

#[derive(Debug, Clone)]
struct Event {
    app: u8,
    // Half hours since the first day began.
    at: i64,
    device: u32,
    version: usize,
    platform: usize,
}

impl Event {
    fn moment(&self) -> Millis {
        Millis(self.at * HOUR / 2)
    }

    fn day(&self) -> Day {
        self.moment().day()
    }
}

fn event() -> impl Strategy<Value = Event> {
    (0..2_u8, 0..96_i64, 0..5_u32, 0..VERSIONS.len(), 0..PLATFORMS.len())
        .prop_map(|(app, at, device, version, platform)| Event { app, at, device, version, platform })
}

fn sources(events: &[Event]) -> Vec<Source> {
    let mut folds: BTreeMap<(u8, Day), Fold> = BTreeMap::new();
    for event in events {
        let mut values = Values::default();
        values[Dimension::Version] = Some(Value::new(VERSIONS[event.version]));
        values[Dimension::Platform] = Some(Value::new(PLATFORMS[event.platform]));
        folds.entry((event.app, event.day())).or_default().record(event.device, event.moment(), &values);
    }
    let source = |((app, day), fold): ((u8, Day), Fold)| Source {
        day,
        app: AppId(Id::from_bytes([app; 12])),
        segment: Arc::new(fold.finish()),
    };
    folds.into_iter().map(source).collect()
}

/// By app and day: each device's last moment and version, and all its platforms; those whose last moment is in time.
fn model(events: &[Event], from: Millis, to: Millis, wanted: Option<usize>) -> Recent {
    let mut seen: BTreeMap<(u8, Day, u32), Vec<&Event>> = BTreeMap::new();
    for event in events {
        seen.entry((event.app, event.day(), event.device)).or_default().push(event);
    }
    let (mut devices, mut by_platform, mut by_version) = (BTreeSet::new(), BTreeMap::new(), BTreeMap::new());
    for ((_, _, device), events) in seen {
        let Some(last) = events.iter().max_by_key(|event| (event.at, event.version)) else { continue };
        let platforms: BTreeSet<usize> = events.iter().map(|event| event.platform).collect();
        let is_wanted = wanted.is_none_or(|wanted| platforms.contains(&wanted));
        if !(from..=to).contains(&last.moment()) || !is_wanted {
            continue;
        }
        devices.insert(device);
        by_version.entry(last.version).or_insert_with(BTreeSet::new).insert(device);
        for platform in platforms.into_iter().filter(|&platform| wanted.is_none_or(|wanted| wanted == platform)) {
            by_platform.entry(platform).or_insert_with(BTreeSet::new).insert(device);
        }
    }
    let rows = |sets: BTreeMap<usize, BTreeSet<u32>>, names: &[&str], descending: bool| {
        let mut rows: Vec<(usize, usize)> = sets.into_iter().map(|(place, devices)| (place, devices.len())).collect();
        rows.sort_by_key(|&(place, devices)| {
            (std::cmp::Reverse(devices), if descending { names.len() - place } else { place })
        });
        rows.into_iter().map(|(place, devices)| Row { label: names[place].into(), devices: devices as u64 }).collect()
    };
    Recent {
        devices: devices.len() as u64,
        platforms: rows(by_platform, &PLATFORMS, false),
        versions: rows(by_version, &VERSIONS, true),
    }
}

proptest! {
    #[test]
    fn devices_of_the_last_minutes_are_those_of_the_model(
        events in vec(event(), 0..30),
        from in 0..96_i64,
        length in 0..48_i64,
        wanted in proptest::option::of(0..PLATFORMS.len()),
    ) {
        let (from, to) = (Millis(from * HOUR / 2), Millis((from + length) * HOUR / 2));
        let mut filters = Filters::default();
        if let Some(wanted) = wanted {
            filters.set(Dimension::Platform, [Value::new(PLATFORMS[wanted])].into());
        }
        let found = recent(&sources(&events), &filters, from..=to, &|_, value| value.as_str().into());
        prop_assert_eq!(found, model(&events, from, to, wanted));
    }
}
