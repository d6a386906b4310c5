//! Encryption at rest, with `SECRET_KEY`.
//!
//! What is sealed is a byte for the version, a random salt of 32 bytes, and the ciphertext with its tag
//! (ChaCha20-Poly1305). Each salt has its own key, made of `SECRET_KEY` with BLAKE3, so that no nonce repeats.

use std::fmt;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use secrecy::{ExposeSecret as _, SecretString};

use crate::config::Config;

const VERSION: u8 = 1;
const SALT: usize = 32;
/// For what the key of the settings is used here and nowhere else.
const PURPOSE: &str = "headcount 2026-11 secret_key: the installation's secret and the kept catalog";

/// The keys of the settings.
#[derive(Debug)]
pub(super) struct Keys {
    current: Option<Key>,
    old: Option<Key>,
}

struct Key([u8; 32]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// What was sealed, opened.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opened {
    pub(super) plain: Vec<u8>,
    /// Whether it was sealed by another key than that of the settings.
    pub(super) is_old: bool,
}

impl Keys {
    pub(super) fn of(config: &Config) -> Self {
        let key = |text: &Option<SecretString>| text.as_ref().map(|text| Key::of(text.expose_secret()));
        Self { current: key(&config.secret_key), old: key(&config.secret_key_old) }
    }

    /// Whether anything is sealed at all.
    pub(super) fn seals(&self) -> bool {
        self.current.is_some()
    }

    /// Seals with the key of the settings; without one it stays as it is. `what` must be told again to open it.
    pub(super) fn seal(&self, what: &str, plain: &[u8]) -> Result<Vec<u8>, ring::error::Unspecified> {
        self.current.as_ref().map_or_else(|| Ok(plain.to_vec()), |key| key.seal(what, plain))
    }

    /// Opens what was sealed, with any key of the settings.
    pub(super) fn open(&self, what: &str, sealed: &[u8]) -> Option<Opened> {
        let with = |key: &Option<Key>, is_old| {
            key.as_ref().and_then(|key| key.open(what, sealed)).map(|plain| Opened { plain, is_old })
        };
        with(&self.current, false).or_else(|| with(&self.old, true))
    }
}

impl Key {
    fn of(text: &str) -> Self {
        Self(blake3::derive_key(PURPOSE, text.as_bytes()))
    }

    fn cipher(&self, salt: &[u8]) -> Result<LessSafeKey, ring::error::Unspecified> {
        let of_salt = blake3::Hasher::new_keyed(&self.0).update(salt).finalize();
        UnboundKey::new(&CHACHA20_POLY1305, of_salt.as_bytes()).map(LessSafeKey::new)
    }

    fn seal(&self, what: &str, plain: &[u8]) -> Result<Vec<u8>, ring::error::Unspecified> {
        let salt: [u8; SALT] = rand::random();
        let mut text = plain.to_vec();
        let nonce = Nonce::assume_unique_for_key([0; 12]);
        self.cipher(&salt)?.seal_in_place_append_tag(nonce, Aad::from(what.as_bytes()), &mut text)?;
        Ok([&[VERSION], &salt[..], &text].concat())
    }

    fn open(&self, what: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (salt, text) = sealed.strip_prefix(&[VERSION])?.split_at_checked(SALT)?;
        let mut text = text.to_vec();
        let nonce = Nonce::assume_unique_for_key([0; 12]);
        let plain = self.cipher(salt).ok()?.open_in_place(nonce, Aad::from(what.as_bytes()), &mut text).ok()?;
        Some(plain.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(current: Option<&str>, old: Option<&str>) -> Keys {
        Keys { current: current.map(Key::of), old: old.map(Key::of) }
    }

    #[test]
    fn only_the_keys_that_sealed_it_open_it() {
        let (a, b) = (keys(Some("a"), None), keys(Some("b"), None));
        let sealed = a.seal("this", b"plain").unwrap();
        assert_eq!(a.open("this", &sealed), Some(Opened { plain: b"plain".to_vec(), is_old: false }));
        assert_eq!(b.open("this", &sealed), None);
        assert_eq!(a.open("that", &sealed), None);
        assert_eq!(keys(None, None).open("this", &sealed), None);
        let rotated = keys(Some("b"), Some("a")).open("this", &sealed);
        assert_eq!(rotated, Some(Opened { plain: b"plain".to_vec(), is_old: true }));
        // Sealed twice it looks different, and no changed bit is believed.
        assert_ne!(a.seal("this", b"plain").unwrap(), sealed);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(a.open("this", &changed), None, "{at}");
            assert_eq!(a.open("this", &sealed[..at]), None, "{at}");
        }
    }
}
