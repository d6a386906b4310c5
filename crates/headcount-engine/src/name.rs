//! The names that owners give to things, in the one form in which each is accepted.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;

/// What is wrong with a name, and which form would be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not of the form {accepted}")]
pub struct BadName {
    /// The accepted form, as a regular expression.
    pub accepted: &'static str,
}

fn has_form(text: &str, lengths: RangeInclusive<usize>, inner: impl Fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    lengths.contains(&bytes.len())
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|&byte| inner(byte))
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $accepted:literal, $lengths:expr, $inner:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The accepted form, as a regular expression.
            pub const ACCEPTED: &'static str = $accepted;

            /// The name as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadName;

            fn from_str(text: &str) -> Result<Self, BadName> {
                if has_form(text, $lengths, $inner) {
                    Ok(Self(text.into()))
                } else {
                    Err(BadName { accepted: Self::ACCEPTED })
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

name_type!(
    /// The name of an application.
    AppName, r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$", 1..=64,
    |byte| byte.is_ascii_alphanumeric() || b" ._-".contains(&byte)
);
name_type!(
    /// The name of a channel, a platform or an architecture.
    PartName, r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$", 1..=32,
    |byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)
);
name_type!(
    /// The name of an administrator or a team user, folded to lower case before it is parsed.
    UserName, r"^[a-z0-9][a-z0-9._@+-]{1,63}$", 2..=64,
    |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._@+-".contains(&byte)
);

/// Where a file can be had: an absolute http or https address without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link(Box<str>);

impl Link {
    /// The accepted form, in words.
    pub const ACCEPTED: &'static str =
        "an http:// or https:// address of at most 2048 bytes without control characters";

    /// The address as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Link {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let is_web = text.split_once("://").is_some_and(|(scheme, rest)| {
            (scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http"))
                && rest.chars().next().is_some_and(|first| first != '/' && !first.is_whitespace())
        });
        if is_web && text.len() <= 2048 && !text.chars().any(char::is_control) {
            Ok(Self(text.into()))
        } else {
            Err(BadName { accepted: Self::ACCEPTED })
        }
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The spellings of one architecture or platform that clients in the field use for the same thing.
const ALIASES: [&[&str]; 6] = [
    &["amd64", "x86_64", "x64"],
    &["arm64", "aarch64"],
    &["386", "i386", "i686", "x86", "ia32"],
    &["arm", "armv7", "armhf"],
    &["darwin", "macos", "mac", "osx"],
    &["windows", "win32", "win"],
];

/// The number of the alias group that holds `name`, in any case of its letters.
pub fn alias_group(name: &str) -> Option<usize> {
    ALIASES.iter().position(|group| group.iter().any(|alias| alias.eq_ignore_ascii_case(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_form() {
        for good in ["desk", "My App 2", "a", "0", "x._-", &"a".repeat(64)] {
            assert!(good.parse::<AppName>().is_ok(), "{good}");
        }
        for bad in ["", " a", "-a", "a:b", "*", "{x}", "..", "a'", "a\0", "a\n", "é", &"a".repeat(65)] {
            assert_eq!(bad.parse::<AppName>(), Err(BadName { accepted: AppName::ACCEPTED }), "{bad:?}");
        }
        for good in ["stable", "x86_64", "release-candidate", "v2.1", &"a".repeat(32)] {
            assert!(good.parse::<PartName>().is_ok(), "{good}");
        }
        for bad in ["", "a b", "_a", &"a".repeat(33)] {
            assert!(bad.parse::<PartName>().is_err(), "{bad:?}");
        }
        for bad in ["a", "Acme", "-me", "a/b", ""] {
            assert!(bad.parse::<UserName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn links_are_web_addresses() {
        for good in ["https://dl.example.org/My App-1.0.dmg?x=1#y", "HTTP://h/é", "http://127.0.0.1:9/a"] {
            assert_eq!(good.parse::<Link>().map(|link| link.to_string()), Ok(good.to_owned()));
        }
        for bad in [
            "",
            "ftp://h/a",
            "javascript:alert(1)",
            "//h/a",
            "https://",
            "https:///a",
            "https:// h",
            "xhttps://h",
            "https://h/\r\nSet-Cookie: a=1",
            "https://h/\0",
            "https://h/\u{7f}",
            "https://h/\u{85}",
            &format!("https://h/{}", "a".repeat(2048)),
        ] {
            assert_eq!(bad.parse::<Link>(), Err(BadName { accepted: Link::ACCEPTED }), "{bad:?}");
        }
    }

    #[test]
    fn aliases_are_found_in_any_case() {
        assert_eq!(alias_group("X86_64"), alias_group("amd64"));
        assert_eq!(alias_group("OSX"), alias_group("darwin"));
        assert_ne!(alias_group("arm"), alias_group("arm64"));
        assert_eq!(alias_group("linux"), None);
    }
}
