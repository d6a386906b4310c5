//! A sign-in that was begun: what the browser keeps of it, sealed, until the provider sends it back.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use headcount_engine::day::Millis;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// How long it may take to sign in at the provider.
pub const LIFETIME: Duration = Duration::from_mins(10);

/// The most characters of an address to go to afterwards.
const LONGEST_NEXT: usize = 1024;

/// A sign-in that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Comes back with the code: the browser that brings it has begun here.
    pub state: String,
    /// Comes back within the ID token: it was made for this sign-in.
    pub nonce: String,
    /// Only who knows it can use the code (RFC 7636).
    pub verifier: String,
    /// Where to go afterwards: an address of this server.
    pub next: String,
    expires_at: i64,
}

impl Pending {
    /// One that begins now.
    pub fn begin(next: Option<&str>, now: Millis) -> Self {
        let secret = || URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let lifetime = i64::try_from(LIFETIME.as_millis()).unwrap_or(i64::MAX);
        Self {
            state: secret(),
            nonce: secret(),
            verifier: secret(),
            next: next.filter(|next| is_own_address(next)).unwrap_or("/").to_owned(),
            expires_at: now.0.saturating_add(lifetime),
        }
    }

    /// The challenge that the provider compares the verifier with.
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.as_bytes()))
    }

    /// As the cookie has it: nobody without the key can make one.
    pub fn seal(&self, key: &[u8; 32]) -> String {
        let text = URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default());
        let tag = tag(key, &text);
        format!("{text}.{}", tag.to_hex())
    }

    /// The one of a cookie, if it was sealed with that key and has not expired.
    pub fn open(sealed: &str, key: &[u8; 32], now: Millis) -> Option<Self> {
        let (text, given) = sealed.rsplit_once('.')?;
        // Hashes are compared in a time that says nothing.
        if blake3::Hash::from_hex(given).ok()? != tag(key, text) {
            return None;
        }
        let pending: Self = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        (now.0 < pending.expires_at).then_some(pending)
    }
}

fn tag(key: &[u8; 32], text: &str) -> blake3::Hash {
    let key = blake3::derive_key("headcount 2026 sign-in through OpenID Connect, pending", key);
    blake3::keyed_hash(&key, text.as_bytes())
}

/// Whether that is a path of this server: `//host` and `/\host` lead elsewhere.
fn is_own_address(next: &str) -> bool {
    let rest = next.strip_prefix('/');
    rest.is_some_and(|rest| !rest.starts_with(['/', '\\']))
        && next.len() <= LONGEST_NEXT
        && !next.contains(|character: char| character.is_control())
}
