//! The counters beside the checks, summed over days.

use std::collections::BTreeMap;

use crate::id::AppId;
use crate::report::Source;

/// How often each value of that kind was tallied, by application, over all of these sources.
pub fn tallied(sources: &[Source], kind: &str) -> BTreeMap<(AppId, Box<str>), u64> {
    let mut sums: BTreeMap<(AppId, Box<str>), u64> = BTreeMap::new();
    for source in sources {
        for (_, value, count) in source.segment.tallies().filter(|(of, ..)| *of == kind) {
            let sum = sums.entry((source.app, value.into())).or_default();
            *sum = sum.saturating_add(count);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::day::Day;
    use crate::id::Id;
    use crate::segment::Fold;

    fn source(app: u8, day: i32, tallies: &[(&str, &str, u64)]) -> Source {
        let mut fold = Fold::default();
        for &(kind, value, count) in tallies {
            fold.tally(kind, value, count);
        }
        Source { day: Day(day), app: AppId(Id::from_bytes([app; 12])), segment: Arc::new(fold.finish()) }
    }

    #[test]
    fn tallies_are_summed_by_app_and_value() {
        let sources = [
            source(1, 1, &[("personal-id", "mac", 3), ("personal-id", "email", 1), ("skipped", "rate", 9)]),
            source(1, 2, &[("personal-id", "mac", u64::MAX)]),
            source(2, 2, &[("personal-id", "mac", 5)]),
            source(3, 2, &[("skipped", "rate", 1)]),
        ];
        let [one, two] = [1, 2].map(|app| AppId(Id::from_bytes([app; 12])));
        let expected = [((one, "email".into()), 1), ((one, "mac".into()), u64::MAX), ((two, "mac".into()), 5)].into();
        assert_eq!(tallied(&sources, "personal-id"), expected);
        assert_eq!(tallied(&sources, "unserved-arch"), BTreeMap::new());
    }
}
