//! Query strings, parsed strictly: each name once, percent-encoding right, text UTF-8.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::error::Error;

/// The most parameters that a query string may have.
const MAX_PARAMETERS: usize = 64;

/// A parsed query string.
#[derive(Debug, Default)]
pub struct Query<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Query<'a> {
    /// Parses a raw query string, without its `?`.
    ///
    /// # Errors
    /// A broken percent-encoding, text that is not UTF-8, a name that occurs twice, more than 64 parameters.
    pub fn parse(raw: &'a str) -> Result<Self, Error> {
        let mut pairs: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::new();
        for part in raw.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let name = decode(name).ok_or_else(|| broken("query"))?;
            let value = decode(value).ok_or_else(|| broken(name.clone().into_owned()))?;
            if pairs.iter().any(|(earlier, _)| *earlier == name) {
                return Err(
                    Error::invalid(name.into_owned(), "parameter is given twice").accepted("each parameter once")
                );
            }
            if pairs.len() == MAX_PARAMETERS {
                return Err(Error::invalid("query", "too many parameters").accepted("at most 64 parameters"));
            }
            pairs.push((name, value));
        }
        Ok(Self { pairs })
    }

    /// The value of a parameter; an empty one is given as such.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_ref())
    }

    /// The value of a parameter, if it is not empty.
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// All parameters, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }
}

/// A truth value in one of the spellings that Go's `strconv.ParseBool` takes, as faynoSync's clients send them.
pub fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

fn broken(field: impl Into<Cow<'static, str>>) -> Error {
    Error::invalid(field, "parameter is not percent-encoded UTF-8")
        .accepted("percent-encoded UTF-8, RFC 3986 section 2.1")
}

/// Decodes one name or value; a `+` is a space, as in HTML forms.
fn decode(raw: &str) -> Option<Cow<'_, str>> {
    let bytes = raw.as_bytes();
    if !bytes.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Some(Cow::Borrowed(raw));
    }
    let well_formed = bytes.iter().enumerate().all(|(at, &byte)| {
        byte != b'%' || bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if !well_formed {
        return None;
    }
    let spaced = raw.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().ok()?;
    Some(Cow::Owned(decoded.into_owned()))
}
