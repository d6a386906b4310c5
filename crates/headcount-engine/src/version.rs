//! Versions and their order.
//!
//! A version is up to eight numeric parts, an optional prerelease that sorts as semantic versioning says
//! (<https://semver.org/#spec-item-11>), and an optional build that sorting ignores.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The most numeric parts that a version may have.
const MAX_PARTS: usize = 8;

/// A version: the name under which it is counted, and its place in the order.
///
/// `Eq` compares names, `Ord` precedence and then the bytes of the name: `1.2` and `1.2.0` are two names of equal
/// [precedence](Self::precedence).
#[derive(Clone)]
pub struct Version {
    name: Arc<str>,
    parts: [u64; MAX_PARTS],
    prerelease: Box<[Identifier]>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Identifier {
    // The order of the variants is the rule: numeric identifiers are lower than others.
    Number(u64),
    Text(Box<str>),
}

/// The text is not a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadVersion {
    /// Characters or a length that no version has.
    #[error("is not of the form {}", Version::ACCEPTED)]
    Form,
    /// The characters are right, but they do not form numeric parts, a prerelease and a build.
    #[error("is not made of {}", Version::PARTS)]
    Malformed,
}

impl Version {
    /// The accepted form, as a regular expression.
    pub const ACCEPTED: &'static str = r"^v?[0-9][0-9A-Za-z.+_-]{0,63}$";

    /// What the accepted form is made of, in words.
    pub const PARTS: &'static str = "up to 8 numeric parts below 2^64, an optional -prerelease and an optional +build";

    /// The name under which the version is counted: the text without a leading `v`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The order of releases: numeric parts, missing ones as 0; a prerelease before its release; builds are equal.
    pub fn precedence(&self, other: &Self) -> Ordering {
        self.parts.cmp(&other.parts).then_with(|| match (self.prerelease.is_empty(), other.prerelease.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => self.prerelease.cmp(&other.prerelease),
        })
    }

    /// A text that sorts by its bytes as [`precedence`](Self::precedence) does, and is equal where that is equal.
    pub fn precedence_key(&self) -> String {
        use fmt::Write as _;

        // Missing parts are 0, so zeros at the end may go. The mark behind the parts is below every digit, so that a
        // version sorts before the one with one part more; `-` is below `/`, so that a prerelease sorts before its
        // release.
        let significant = self.parts.iter().rposition(|&part| part > 0).map_or(0, |last| last + 1);
        let mut key = String::new();
        let mut push = |text: fmt::Arguments<'_>| key.write_fmt(text).unwrap_or_default();
        for part in &self.parts[..significant] {
            push(format_args!("{part:016x}"));
        }
        push(format_args!("{}", if self.prerelease.is_empty() { "/" } else { "-" }));
        for identifier in &self.prerelease {
            match identifier {
                Identifier::Number(number) => push(format_args!("N{number:016x}")),
                // `!` ends the text and is below every character of an identifier.
                Identifier::Text(text) => push(format_args!("T{text}!")),
            }
        }
        key
    }
}

impl FromStr for Version {
    type Err = BadVersion;

    fn from_str(text: &str) -> Result<Self, BadVersion> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".+_- ".contains(&byte);
        let starts_right = text.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
        if !starts_right || text.len() > 64 || !text.bytes().all(allowed) {
            return Err(BadVersion::Form);
        }
        // A `+` in a query string that was not percent-encoded arrives as a space.
        let mut name = text.replace(' ', "+");
        if name.bytes().all(|byte| byte.is_ascii_digit() || b".-".contains(&byte)) {
            name = name.replace('-', ".");
        }
        let precedence = name.split_once('+').map_or(name.as_str(), |(precedence, _build)| precedence);
        if name.len() > precedence.len() && !name[precedence.len() + 1..].split('.').all(is_identifier) {
            return Err(BadVersion::Malformed);
        }
        let (core, prerelease) = match precedence.split_once('-') {
            Some((core, prerelease)) => (core, parse_prerelease(prerelease)?),
            None => (precedence, Box::default()),
        };
        let parts = parse_parts(core)?;
        Ok(Self { name: name.into(), parts, prerelease })
    }
}

fn parse_parts(core: &str) -> Result<[u64; MAX_PARTS], BadVersion> {
    let mut parts = [0; MAX_PARTS];
    for (at, text) in core.split('.').enumerate() {
        let slot = parts.get_mut(at).ok_or(BadVersion::Malformed)?;
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BadVersion::Malformed);
        }
        *slot = text.parse().map_err(|_| BadVersion::Malformed)?;
    }
    Ok(parts)
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

fn parse_prerelease(text: &str) -> Result<Box<[Identifier]>, BadVersion> {
    text.split('.')
        .map(|part| {
            if !is_identifier(part) {
                return Err(BadVersion::Malformed);
            }
            // A number that does not fit sorts as text: it is one of a kind, and no client should lose its check over it.
            Ok(match part.parse() {
                Ok(number) if part.bytes().all(|byte| byte.is_ascii_digit()) => Identifier::Number(number),
                Ok(_) | Err(_) => Identifier::Text(part.into()),
            })
        })
        .collect()
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.precedence(other).then_with(|| self.name.cmp(&other.name))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.name, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn each_version_is_above_the_one_before() {
        let ascending = [
            "0.0.0.2",
            "0.0.0.10",
            "0.9",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.0.1",
            "1.2",
            "1.10",
            "2.0.0.4",
            "20250617123000.1",
        ];
        for pair in ascending.windows(2) {
            assert_eq!(version(pair[0]).precedence(&version(pair[1])), Ordering::Less, "{} < {}", pair[0], pair[1]);
            assert!(version(pair[0]).precedence_key() < version(pair[1]).precedence_key(), "{} < {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn some_names_are_equal_in_order() {
        for (one, other) in
            [("1.2", "1.2.0"), ("1.02", "1.2"), ("1.0.0+b7", "1.0.0+b8"), ("1.0.0-rc.1", "1.0.0-rc.1+x")]
        {
            assert_eq!(version(one).precedence(&version(other)), Ordering::Equal, "{one} = {other}");
            assert_eq!(version(one).precedence_key(), version(other).precedence_key(), "{one} = {other}");
            assert_ne!(version(one), version(other));
        }
    }

    #[test]
    fn a_name_is_kept_as_it_was_sent() {
        for (sent, kept) in [
            ("v1.0.0", "1.0.0"),
            ("2.0.0-4", "2.0.0.4"),
            ("1-2-3", "1.2.3"),
            ("1.0.0-beta.1 b7", "1.0.0-beta.1+b7"),
            ("1.0.0-beta.1+b7", "1.0.0-beta.1+b7"),
            ("1.2.3-4+x", "1.2.3-4+x"),
            ("1.0.0-rc_1", "1.0.0-rc_1"),
        ] {
            assert_eq!(version(sent).name(), kept);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "v", "x", "-1", ".1", "1:2", "1*", "{1}", "1'", "1\0", "1é", &"1".repeat(65)] {
            assert_eq!(text.parse::<Version>(), Err(BadVersion::Form), "{text:?}");
        }
        for text in
            ["1.", "1..2", "1-", "1.0.0-", "1.0.0-a..b", "1+", "1a", "1_2", "1.2.3.4.5.6.7.8.9", "18446744073709551616"]
        {
            assert_eq!(text.parse::<Version>(), Err(BadVersion::Malformed), "{text:?}");
        }
    }

    fn any_version() -> impl Strategy<Value = Version> {
        "[0-9]{1,2}(\\.[0-9]{1,3}){0,7}(-[a-c0-9_-]{1,3}(\\.[a-c0-9-]{1,3}){0,2})?(\\+[a-c]{1,3})?"
            .prop_filter_map("a version", |text| text.parse().ok())
    }

    proptest! {
        #[test]
        fn the_order_is_total(texts in proptest::collection::vec("[0-9]{1,2}(\\.[0-9]{1,2}){0,3}(-[a-b0-9]{1,2}(\\.[a-b0-9]{1,2})?)?", 3)) {
            let mut versions: Vec<Version> = texts.iter().map(|text| version(text)).collect();
            versions.sort();
            prop_assert!(versions[0] <= versions[1] && versions[1] <= versions[2] && versions[0] <= versions[2]);
            prop_assert_eq!(versions[0].cmp(&versions[2]), versions[2].cmp(&versions[0]).reverse());
            prop_assert_eq!(version(versions[0].name()), versions[0].clone());
        }

        #[test]
        fn keys_sort_as_versions_do(
            one in any_version(),
            other in any_version(),
        ) {
            prop_assert_eq!(one.precedence_key().cmp(&other.precedence_key()), one.precedence(&other));
        }
    }
}
