//! Passwords: their accepted form, and hashing and verifying them on a bounded number of cores.

use std::sync::Arc;

use argon2::password_hash::{PasswordHash as Phc, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use unicode_normalization::UnicodeNormalization as _;

use crate::error::{Code, Error};

/// How many hashes may wait for a core before further ones are refused.
const QUEUE: usize = 16;
/// Memory of one hash, in KiB.
const MEMORY_KIB: u32 = 19_456;
/// Passes over that memory.
const PASSES: u32 = 2;
const SALT_BYTES: usize = 16;
/// The most bytes that a password has.
const LONGEST: usize = 1024;
/// The highest cost of a bcrypt hash that is verified: each more doubles the work.
const MOST_BCRYPT_COST: u32 = 14;

/// The commonest passwords that are long enough, in order: of the list of Django 5.2, which has the 20,000 commonest of
/// breaches (BSD-3-Clause, see the file).
const COMMON: &str = include_str!("password/common.txt");

/// A text that somebody typed as a password. Composed, as Unicode's NFC: keyboards write one character in several ways.
#[derive(Debug, Clone)]
pub struct Typed {
    composed: SecretString,
    // As it came: other programs have hashed it so.
    raw: SecretString,
}

impl Typed {
    /// Takes a text as it was typed; nothing is trimmed. `None` if no password is like it: empty, or over 1,024 bytes.
    pub fn new(raw: SecretString) -> Option<Self> {
        let composed: SecretString = raw.expose_secret().nfc().collect::<String>().into();
        let fits = |text: &SecretString| (1..=LONGEST).contains(&text.expose_secret().len());
        (fits(&raw) && fits(&composed)).then_some(Self { composed, raw })
    }
}

/// A password that may be set.
#[derive(Debug, Clone)]
pub struct Password(SecretString);

/// Why a text may not be set as a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPassword {
    /// It is shorter or longer than passwords are.
    #[error("must have {}", Password::ACCEPTED)]
    Length,
    /// Whoever guesses begins with it.
    #[error("is one of the commonest passwords")]
    Common,
}

impl Password {
    /// The accepted form, in words.
    pub const ACCEPTED: &'static str = "10 to 1024 bytes";

    /// Takes a text as it was typed; nothing is trimmed.
    ///
    /// # Errors
    /// If it does not have 10 to 1,024 bytes, or is one of the commonest.
    pub fn parse(text: SecretString) -> Result<Self, BadPassword> {
        let Some(Typed { composed, .. }) = Typed::new(text) else { return Err(BadPassword::Length) };
        if composed.expose_secret().len() < 10 {
            return Err(BadPassword::Length);
        }
        let folded = composed.expose_secret().to_lowercase();
        if COMMON.lines().any(|common| common == folded) {
            return Err(BadPassword::Common);
        }
        Ok(Self(composed))
    }
}

/// What is stored of a password: an argon2id hash in PHC form, or the bcrypt hash of an imported installation until its
/// user logs in.
#[derive(Clone)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// A hash as it was stored.
    pub(crate) fn from_stored(text: String) -> Self {
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// A hash of no password, as costly to verify as a real one.
    fn of_nobody() -> Result<Self, argon2::password_hash::Error> {
        let salt = SaltString::encode_b64(&[0; SALT_BYTES])?;
        let zeros = SaltString::encode_b64(&[0; 32])?;
        Ok(Self(format!("{}{salt}${zeros}", form())))
    }

    /// Whether it is made as new ones are.
    pub fn is_current(&self) -> bool {
        self.0.starts_with(&form())
    }

    /// Whether that is its password.
    fn matches(&self, typed: &Typed) -> Result<bool, argon2::password_hash::Error> {
        if self.0.starts_with("$2") {
            let is = |text: &SecretString| bcrypt::verify(text.expose_secret(), &self.0).unwrap_or(false);
            return Ok(self.is_affordable() && (is(&typed.composed) || is(&typed.raw)));
        }
        let stored = Phc::new(&self.0)?;
        match hasher()?.verify_password(typed.composed.expose_secret().as_bytes(), &stored) {
            Ok(()) => Ok(true),
            Err(argon2::password_hash::Error::Password) => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// Whether a bcrypt hash, `$2a$10$..`, does not cost more than a login may.
    fn is_affordable(&self) -> bool {
        let cost = self.0.split('$').nth(2).and_then(|cost| cost.parse().ok());
        cost.is_some_and(|cost: u32| cost <= MOST_BCRYPT_COST)
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

/// Hashes and verifies: as many at a time as there are cores, a few more wait, the rest is refused.
#[derive(Debug, Clone)]
pub struct Passwords {
    places: Arc<Semaphore>,
    cores: Arc<Semaphore>,
}

impl Passwords {
    /// For this machine.
    pub fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { places: Arc::new(Semaphore::new(cores + QUEUE)), cores: Arc::new(Semaphore::new(cores)) }
    }

    /// The hash to store of a password.
    ///
    /// # Errors
    /// 429 if too many are being hashed.
    pub async fn hash(&self, password: Password) -> Result<PasswordHash, Error> {
        self.on_a_core(move || hash(&password.0)).await
    }

    /// Whether the typed password is the password of `known`; and if so, how it is to be stored from now on where it is
    /// stored as others are not any more. Without a hash the answer is no, at the same cost.
    ///
    /// # Errors
    /// 429 if too many are being verified.
    pub async fn verify(&self, typed: Typed, known: Option<PasswordHash>) -> Result<Verified, Error> {
        self.on_a_core(move || {
            let Some(stored) = known else {
                PasswordHash::of_nobody()?.matches(&typed)?;
                return Ok(Verified::No);
            };
            Ok(match (stored.matches(&typed)?, stored.is_current()) {
                (false, _) => Verified::No,
                (true, true) => Verified::Yes,
                (true, false) => Verified::Outdated(hash(&typed.composed)?),
            })
        })
        .await
    }

    async fn on_a_core<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, argon2::password_hash::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let permits = self.permits().await?;
        // The permits go when the work is done, also when the caller has left before.
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(permits);
            done
        });
        done.await.map_err(Error::internal)?.map_err(Error::internal)
    }

    async fn permits(&self) -> Result<[OwnedSemaphorePermit; 2], Error> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            Error::new(Code::TooMany, "too many passwords are being verified, try again later").retry_after(1)
        })?;
        let core = Arc::clone(&self.cores).acquire_owned().await.map_err(Error::internal)?;
        Ok([place, core])
    }
}

impl Default for Passwords {
    fn default() -> Self {
        Self::new()
    }
}

/// What became of a verification.
#[derive(Debug)]
pub enum Verified {
    /// It is another password.
    No,
    /// It is the password.
    Yes,
    /// It is the password, and from now on this is to be stored of it.
    Outdated(PasswordHash),
}

fn hash(password: &SecretString) -> Result<PasswordHash, argon2::password_hash::Error> {
    let salt = SaltString::encode_b64(&rand::random::<[u8; SALT_BYTES]>())?;
    let hash = hasher()?.hash_password(password.expose_secret().as_bytes(), &salt)?;
    Ok(PasswordHash(hash.to_string()))
}

/// How every current hash begins.
fn form() -> String {
    format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p=1$")
}

fn hasher() -> Result<Argon2<'static>, argon2::password_hash::Error> {
    let parameters = Params::new(MEMORY_KIB, PASSES, 1, None)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_common_passwords_has_only_what_could_be_set() {
        let passwords: Vec<&str> = COMMON.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(passwords.len() > 1000);
        for password in passwords {
            assert!(password.len() >= 10 && password.to_lowercase() == *password, "{password}");
        }
    }
}
