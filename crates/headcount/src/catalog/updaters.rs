//! How updates are delivered on a platform.

use headcount_api::catalog::Updater;

use crate::error::Error;

/// Every way that a platform may name.
const KINDS: [&str; 7] =
    ["manual", "squirrel_darwin", "squirrel_windows", "sparkle", "electron-builder", "tauri", "velopack"];

/// The ways in which updates are delivered on a platform: each once, exactly one of them the default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Updaters(Vec<Updater>);

impl Default for Updaters {
    fn default() -> Self {
        Self(vec![Updater { kind: "manual".to_owned(), default: true }])
    }
}

impl Updaters {
    /// Checks what a caller sent.
    ///
    /// # Errors
    /// 400 for an unknown or repeated type, and for another number of defaults than one.
    pub fn parse(given: Vec<Updater>) -> Result<Self, Error> {
        let refused = |message: String| Err(Error::invalid("updaters", message));
        if given.is_empty() {
            return refused("at least one updater is required".to_owned());
        }
        for (at, updater) in given.iter().enumerate() {
            let kind = updater.kind.as_str();
            if !KINDS.contains(&kind) {
                return refused(format!("invalid updater type: {kind}. Valid types are: [{}]", KINDS.join(" ")));
            }
            if given[..at].iter().any(|earlier| earlier.kind == kind) {
                return refused(format!("duplicate updater type: {kind}"));
            }
        }
        match given.iter().filter(|updater| updater.default).count() {
            0 => refused("exactly one updater must be set as default".to_owned()),
            1 => Ok(Self(given)),
            _ => refused("only one updater can be set as default".to_owned()),
        }
    }

    /// The updaters, in the order in which they were given.
    pub fn as_slice(&self) -> &[Updater] {
        &self.0
    }

    /// The form in which they are stored: the type of each, separated by spaces, the default with a `*` before it.
    pub(super) fn stored(&self) -> String {
        let stored = |updater: &Updater| format!("{}{}", if updater.default { "*" } else { "" }, updater.kind);
        self.0.iter().map(stored).collect::<Vec<_>>().join(" ")
    }

    /// Reads the stored form.
    pub(super) fn from_stored(text: &str) -> Self {
        let read = |word: &str| match word.strip_prefix('*') {
            Some(kind) => Updater { kind: kind.to_owned(), default: true },
            None => Updater { kind: word.to_owned(), default: false },
        };
        Self(text.split_whitespace().map(read).collect())
    }
}
