//! Devices: the id that an installation sends, and the pseudonym that is kept of it.

use std::fmt;
use std::str::FromStr;

use crate::id::OwnerId;

/// A device id as a client sent it. It lives only as long as its request: storage knows the pseudonym.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceId(Box<str>);

/// The text cannot serve as a device id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadDeviceId {
    /// Shorter than 8 or longer than 128 bytes, or other characters than `[A-Za-z0-9._:{}-]`.
    #[error("is not of the form {}", DeviceId::ACCEPTED)]
    Form,
    /// A value that many installations share: a nil or all-f UUID, one repeated character, a known constant.
    #[error("is shared by many installations and names none of them")]
    Shared,
}

impl DeviceId {
    /// The accepted form, as a regular expression.
    pub const ACCEPTED: &'static str = r"^[A-Za-z0-9._:{}-]{8,128}$";

    /// The id as it was sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What storage keeps instead of the id: a keyed hash that differs for every installation and owner.
    pub fn pseudonym(&self, secret: &[u8; 32], owner: OwnerId) -> Pseudonym {
        let mut hasher = blake3::Hasher::new_keyed(secret);
        hasher.update(owner.0.as_bytes());
        hasher.update(self.0.as_bytes());
        let mut first = [0; 16];
        first.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Pseudonym(first)
    }
}

impl FromStr for DeviceId {
    type Err = BadDeviceId;

    fn from_str(text: &str) -> Result<Self, BadDeviceId> {
        let bytes = text.as_bytes();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:{}-".contains(&byte);
        if !(8..=128).contains(&bytes.len()) || !bytes.iter().all(|&byte| allowed(byte)) {
            return Err(BadDeviceId::Form);
        }
        if is_shared(bytes) {
            return Err(BadDeviceId::Shared);
        }
        Ok(Self(text.into()))
    }
}

fn is_shared(bytes: &[u8]) -> bool {
    let repeated = bytes.windows(2).all(|pair| pair[0] == pair[1]);
    let hex_digits = || bytes.iter().filter(|byte| !b"{}-".contains(byte));
    let all_are = |wanted: u8| hex_digits().all(|digit| digit.eq_ignore_ascii_case(&wanted));
    let nil_or_full = hex_digits().count() == 32 && (all_are(b'0') || all_are(b'f'));
    repeated || nil_or_full || bytes == b"undefined" || bytes == b"unknown-device"
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceId(..)")
    }
}

/// A device as storage knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pseudonym(pub [u8; 16]);

impl Pseudonym {
    /// What stands in a dictionary where an erased device was. No device has it: it is no hash that anybody will meet.
    pub const HOLE: Self = Self([0xff; 16]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id;

    #[test]
    fn device_ids_have_one_form() {
        for good in [
            "0f8fad5b-d9cb-469f-a165-70867728950e",
            "{0f8fad5b-d9cb-469f-a165-70867728950e}",
            "dev-0001",
            &"ab".repeat(64),
        ] {
            assert!(good.parse::<DeviceId>().is_ok(), "{good}");
        }
        for bad in ["", "1234567", "a b c d e", "me@example.org", "ééééééé", "abc\tdefg", &"ab1".repeat(43)] {
            assert_eq!(bad.parse::<DeviceId>(), Err(BadDeviceId::Form), "{bad:?}");
        }
        for shared in [
            "00000000-0000-0000-0000-000000000000",
            "{FFFFFFFF-ffff-FFFF-FFFF-FFFFFFFFFFFF}".to_uppercase().as_str(),
            "ffffffffffffffffffffffffffffffff",
            "FFFFFFFF-ffff-ffff-FFFF-ffffffffffff",
            "aaaaaaaaaa",
            "undefined",
            "unknown-device",
        ] {
            assert_eq!(shared.parse::<DeviceId>(), Err(BadDeviceId::Shared), "{shared:?}");
        }
    }

    #[test]
    fn a_pseudonym_depends_on_secret_owner_and_id() -> Result<(), BadDeviceId> {
        let (one, two) = ("device-0001".parse::<DeviceId>()?, "device-0002".parse::<DeviceId>()?);
        let (acme, other) = (OwnerId(Id::from_bytes([1; 12])), OwnerId(Id::from_bytes([2; 12])));
        let pseudonym = one.pseudonym(&[7; 32], acme);
        assert_eq!(pseudonym, one.pseudonym(&[7; 32], acme));
        assert_ne!(pseudonym, two.pseudonym(&[7; 32], acme));
        assert_ne!(pseudonym, one.pseudonym(&[7; 32], other));
        assert_ne!(pseudonym, one.pseudonym(&[8; 32], acme));
        Ok(())
    }
}
