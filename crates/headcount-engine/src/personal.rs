//! Device ids that look as if they named a person, or a thing that a person carries around for years.
//!
//! The id of an installation should be random. These are forms that random ids (UUIDs, ULIDs, hex, base64) do not have.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4};

/// The kind under which ids that look personal are tallied, by [`Personal::name`].
pub const TALLY: &str = "personal-id";

/// The longest text that has one of the forms: that of a device id.
const LONGEST: usize = 128;

/// What an id looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, strum::VariantArray)]
pub enum Personal {
    /// An e-mail address.
    Email,
    /// An IPv4 address, with or without a port.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// The hardware address of a network card, of six or eight bytes.
    Mac,
    /// A telephone number: international, or national in groups.
    Phone,
    /// The number of a mobile device: 15 digits with the check digit of Luhn.
    Imei,
    /// A signed token, which says who somebody is.
    Jwt,
}

impl Personal {
    /// The word that tallies and reports know it by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Mac => "mac",
            Self::Phone => "phone",
            Self::Imei => "imei",
            Self::Jwt => "jwt",
        }
    }

    /// What the text looks like, if it looks like any of them. It need not be an acceptable device id.
    pub fn of(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok().filter(|text| text.len() <= LONGEST)?;
        let holds = |wanted: u8| text.bytes().any(|byte| byte == wanted);
        if is_mac(text) {
            return Some(Self::Mac);
        }
        if holds(b'@') {
            return is_email(text).then_some(Self::Email);
        }
        if holds(b':') {
            if text.parse::<SocketAddrV4>().is_ok() {
                return Some(Self::Ipv4);
            }
            return text.parse::<Ipv6Addr>().is_ok().then_some(Self::Ipv6);
        }
        match text.bytes().next()? {
            b'e' => is_jwt(text).then_some(Self::Jwt),
            b'0'..=b'9' | b'+' | b'(' if text.parse::<Ipv4Addr>().is_ok() => Some(Self::Ipv4),
            b'0'..=b'9' | b'+' | b'(' => of_number(text),
            _ => None,
        }
    }
}

/// One `@` between a name and a domain that has a dot.
fn is_email(text: &str) -> bool {
    let Some((name, domain)) = text.split_once('@') else { return false };
    let labels = || domain.split('.');
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte >= 0x80)
    };
    !name.is_empty() && !name.contains(char::is_whitespace) && labels().count() >= 2 && labels().all(is_label)
}

/// Six or eight pairs of hex digits behind `:` or `-`, or three groups of four behind `.`.
fn is_mac(text: &str) -> bool {
    let (separator, digits, groups) = match (text.len(), text.as_bytes().get(2), text.as_bytes().get(4)) {
        (17, Some(separator @ (b':' | b'-')), _) => (*separator, 2, 6),
        (23, Some(separator @ (b':' | b'-')), _) => (*separator, 2, 8),
        (14, _, Some(b'.')) => (b'.', 4, 3),
        _ => return false,
    };
    let is_group = |group: &str| group.len() == digits && group.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.split(char::from(separator)).count() == groups && text.split(char::from(separator)).all(is_group)
}

/// Three parts of base64 behind dots, the first of which begins as a JSON object does.
fn is_jwt(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    text.starts_with("eyJ") && text.split('.').count() == 3 && text.split('.').all(is_part)
}

/// What a text of digits, perhaps in groups, looks like.
fn of_number(text: &str) -> Option<Personal> {
    let (is_international, rest) = match (text.strip_prefix('+'), text.strip_prefix("00")) {
        (Some(rest), _) | (None, Some(rest)) => (true, rest),
        (None, None) => (false, text),
    };
    let is_separator = |letter: char| matches!(letter, '-' | '.' | ' ' | '(' | ')');
    if !rest.chars().all(|letter| letter.is_ascii_digit() || is_separator(letter)) {
        return None;
    }
    let groups: Vec<&str> = rest.split(is_separator).filter(|group| !group.is_empty()).collect();
    let digits = groups.iter().map(|group| group.len()).sum::<usize>();
    let is_plain = digits == rest.len() && digits > 0;
    if is_plain && !is_international && digits == 15 && passes_luhn(groups[0]) {
        return Some(Personal::Imei);
    }
    let is_phone = if is_international {
        (8..=15).contains(&digits)
    } else if is_plain {
        is_e164(groups[0])
    } else {
        let (last, others) = groups.split_last()?;
        (10..=11).contains(&digits)
            && groups.len() <= 4
            && last.len() >= 4
            && others.iter().all(|group| group.len() <= 4)
    };
    is_phone.then_some(Personal::Phone)
}

/// A number with its country code and without a sign. The two codes of one digit have numbers of eleven: what else begins
/// with a one may be a moment, in seconds or milliseconds.
fn is_e164(digits: &str) -> bool {
    match digits.as_bytes().first() {
        Some(b'1' | b'7') => digits.len() == 11,
        Some(b'2'..=b'9') => (10..=15).contains(&digits.len()),
        Some(_) | None => false,
    }
}

fn passes_luhn(digits: &str) -> bool {
    let weighed = digits.bytes().rev().enumerate().map(|(place, digit)| {
        let digit = u32::from(digit - b'0') * if place % 2 == 1 { 2 } else { 1 };
        digit / 10 + digit % 10
    });
    weighed.sum::<u32>() % 10 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_personal_is_told_by_its_form() {
        use Personal::{Email, Imei, Ipv4, Ipv6, Jwt, Mac, Phone};
        let table = [
            ("me@example.org", Email),
            ("First.Last+tag@mail.example.co.uk", Email),
            ("a@b.de", Email),
            ("o'brien@xn--bcher-kva.example", Email),
            ("127.0.0.1", Ipv4),
            ("192.168.178.21", Ipv4),
            ("203.0.113.7:51820", Ipv4),
            ("2001:db8::1", Ipv6),
            ("fe80::1ff:fe23:4567:890a", Ipv6),
            ("2001:0db8:85a3:0000:0000:8a2e:0370:7334", Ipv6),
            ("::ffff:192.0.2.128", Ipv6),
            ("00:1A:2B:3C:4D:5E", Mac),
            ("00-1a-2b-3c-4d-5e", Mac),
            ("001a.2b3c.4d5e", Mac),
            ("02:00:5e:10:00:00:00:01", Mac),
            ("00-00-00-00-00-01", Mac),
            ("+4917012345678", Phone),
            ("+1 (555) 123-4567", Phone),
            ("+44.20.7946.0958", Phone),
            ("004917012345678", Phone),
            ("00-1-212-555-0123", Phone),
            ("14155552671", Phone),
            ("79161234567", Phone),
            ("4917012345678", Phone),
            ("447911123456", Phone),
            ("555-123-4567", Phone),
            ("0170-1234567", Phone),
            ("(555) 123-4567", Phone),
            ("490154203237518", Imei),
            ("356938035643809", Imei),
            ("eyJhbGciOiJub25lIn0.eyJzdWIiOiJtZSJ9.c2ln", Jwt),
        ];
        for (text, expected) in table {
            assert_eq!(Personal::of(text.as_bytes()), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_random_or_counted_up_looks_like_nothing() {
        for text in [
            "",
            "device-0001",
            "0f8fad5b-d9cb-469f-a165-70867728950e",
            "{0F8FAD5B-D9CB-469F-A165-70867728950E}",
            "00000000-0000-4000-8000-000000000001",
            "12345678-1234-1234-1234-123456789012",
            "urn:uuid:0f8fad5b-d9cb-469f-a165-70867728950e",
            "0f8fad5bd9cb469fa16570867728950e",
            "11112222333344445555666677778888",
            "001a2b3c4d5e",
            "507f1f77bcf86cd799439011",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "01arz3ndektsv4rrffq69g5fav",
            "V1StGXR8_Z5jdHi6B-myT",
            "aGVsbG8td29ybGQtdGhpcy1pcy1h",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "1772452800",
            "1772452800123",
            "1.2.3.4.5",
            "10.0.26100.2033",
            "2026-03-02",
            "2026-03-02T10:15:00Z",
            "20260302-101500",
            "00:00:00",
            "a:b:c:d:e:f:g",
            "example.org",
            "eyJhbGciOiJub25lIn0",
            "machine-42:install-7",
            "490154203237519000",
            "@example.org",
            "me@localhost",
            "ééééééé",
        ] {
            assert_eq!(Personal::of(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Personal::of(&[0xff, b'@', b'a', b'.', b'b']), None);
        assert_eq!(Personal::of(format!("{}@example.org", "a".repeat(200)).as_bytes()), None);
    }
}
