//! What the spool below a data directory holds.

use std::collections::BTreeMap;
use std::path::Path;

use headcount::spool::{SpoolFile, files};
use headcount_engine::event::Event;
use headcount_engine::row::{Row, decode};

fn rows(data_dir: &Path) -> Vec<Row> {
    let mut rows = Vec::new();
    for path in files(&data_dir.join("spool")).unwrap() {
        let file = SpoolFile::open(&path).unwrap().unwrap();
        let stored = file.rows_after(None, usize::MAX).unwrap();
        rows.extend(stored.iter().map(|row| decode(&row.body).unwrap()));
    }
    rows
}

/// The events, in the order of their acceptance.
pub(crate) fn events(data_dir: &Path) -> Vec<Event> {
    rows(data_dir).into_iter().flat_map(|row| row.events).collect()
}

/// How often each kind and value was tallied, whatever the application. Complete once the server has stopped.
pub(crate) fn tallies(data_dir: &Path) -> BTreeMap<(String, String), u64> {
    let mut counts = BTreeMap::new();
    for tally in rows(data_dir).into_iter().flat_map(|row| row.tallies) {
        *counts.entry((tally.kind.into(), tally.value.into())).or_default() += tally.count;
    }
    counts
}
