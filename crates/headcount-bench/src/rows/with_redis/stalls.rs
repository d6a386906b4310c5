//! The longest that Redis was kept from serving anybody else.

use std::collections::BTreeMap;

use crate::redis_server::Blocked;
use crate::table::{Table, number};

/// By what went on meanwhile.
#[derive(Debug)]
pub(super) struct Stalls {
    title: &'static str,
    meanwhile: BTreeMap<String, Blocked>,
}

impl Stalls {
    pub(super) fn new(title: &'static str) -> Self {
        Self { title, meanwhile: BTreeMap::new() }
    }

    pub(super) fn note(&mut self, meanwhile: impl Into<String>, blocked: Blocked) {
        self.meanwhile.entry(meanwhile.into()).or_default().merge(blocked);
    }

    pub(super) fn table(&self) -> Table {
        let mut table = Table::new(self.title, &["meanwhile", "longest command ms", "commands over 1 ms", "else"]);
        table.note(
            "From its slow log (`slowlog-log-slower-than 1000`): the longest run of each command or script that took a \
             millisecond or more, waiting for a processor included. Else: what its latency monitor noted besides.",
        );
        for (meanwhile, blocked) in &self.meanwhile {
            let longest = blocked.commands.values().copied().reduce(f64::max);
            let named = blocked.commands.iter().map(|(name, millis)| format!("{name} {}", number(*millis)));
            let other = blocked.other.iter().map(|(name, millis)| format!("{name} {millis}"));
            table.row(vec![
                meanwhile.clone(),
                longest.map_or_else(|| "< 1".to_owned(), number),
                named.collect::<Vec<_>>().join(", "),
                other.collect::<Vec<_>>().join(", "),
            ]);
        }
        table
    }
}
