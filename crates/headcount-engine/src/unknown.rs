//! Versions that the catalog does not know: counted by name up to a limit, so that nobody can fill a report with
//! made-up ones.

use std::collections::{HashMap, HashSet};

use crate::day::Day;
use crate::dimension::Value;
use crate::id::AppId;
use crate::version::Version;

/// Which unknown versions already count under their own name, by application and day. It holds at most the limit for
/// each application of the last two days, however many devices there are.
#[derive(Debug)]
pub struct UnknownVersions {
    limit: usize,
    admitted: HashMap<(AppId, Day), HashSet<Box<str>>>,
}

impl UnknownVersions {
    /// Admits up to `limit` names per application and day.
    pub fn new(limit: usize) -> Self {
        Self { limit, admitted: HashMap::new() }
    }

    /// The value under which that version of that application counts on that day: its name, or `(other)` once the
    /// limit is reached by other names.
    pub fn value(&mut self, app: AppId, day: Day, version: &Version) -> Value {
        if !self.admitted.contains_key(&(app, day)) {
            self.admitted.retain(|&(_, kept), _| (kept.0 - day.0).abs() <= 1);
        }
        let names = self.admitted.entry((app, day)).or_default();
        if !names.contains(version.name()) {
            if names.len() >= self.limit {
                return Value::new(Value::OTHER);
            }
            names.insert(version.name().into());
        }
        Value::new(version.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id;

    #[test]
    fn names_beyond_the_limit_count_as_other() {
        let mut unknown = UnknownVersions::new(2);
        let (desk, tool) = (AppId(Id::from_bytes([1; 12])), AppId(Id::from_bytes([2; 12])));
        let mut value = |app, day, version: &str| {
            unknown.value(app, Day(day), &version.parse().unwrap_or_else(|error| panic!("{error}"))).as_str().to_owned()
        };
        assert_eq!(
            ["1", "2", "3", "1", "4"].map(|version| value(desk, 10, version)),
            ["1", "2", "(other)", "1", "(other)"]
        );
        assert_eq!(value(tool, 10, "3"), "3");
        assert_eq!(["3", "1", "4"].map(|version| value(desk, 11, version)), ["3", "1", "(other)"]);
        // The day before is still known, the one before that is not.
        assert_eq!(["2", "3"].map(|version| value(desk, 10, version)), ["2", "(other)"]);
        assert_eq!(value(desk, 12, "9"), "9");
        assert_eq!(unknown.admitted.len(), 2);
    }

    #[test]
    fn a_limit_of_zero_admits_none() {
        let version = "1.0".parse().unwrap_or_else(|error| panic!("{error}"));
        let value = UnknownVersions::new(0).value(AppId(Id::from_bytes([1; 12])), Day(0), &version);
        assert_eq!(value.as_str(), Value::OTHER);
    }
}
