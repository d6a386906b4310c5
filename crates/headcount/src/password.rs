//! Passwords: their accepted form, and hashing and verifying them on a bounded number of cores.

use std::sync::Arc;

use argon2::password_hash::{PasswordHash as Phc, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Code, Error};

/// How many hashes may wait for a core before further ones are refused.
const QUEUE: usize = 16;
/// Memory of one hash, in KiB.
const MEMORY_KIB: u32 = 19_456;
/// Passes over that memory.
const PASSES: u32 = 2;
const SALT_BYTES: usize = 16;

/// A password that may be set.
#[derive(Debug, Clone)]
pub struct Password(SecretString);

/// The text is shorter or longer than passwords are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have {}", Password::ACCEPTED)]
pub struct BadPassword;

impl Password {
    /// The accepted form, in words.
    pub const ACCEPTED: &'static str = "10 to 1024 bytes";

    /// Takes a text as it was typed; nothing is trimmed.
    ///
    /// # Errors
    /// If it does not have 10 to 1,024 bytes.
    pub fn parse(text: SecretString) -> Result<Self, BadPassword> {
        if (10..=1024).contains(&text.expose_secret().len()) { Ok(Self(text)) } else { Err(BadPassword) }
    }
}

/// What is stored of a password: an argon2id hash in PHC form.
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
        Ok(Self(format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p=1${salt}${zeros}")))
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
        self.on_a_core(move || {
            let salt = SaltString::encode_b64(&rand::random::<[u8; SALT_BYTES]>())?;
            let hash = hasher()?.hash_password(password.0.expose_secret().as_bytes(), &salt)?;
            Ok(PasswordHash(hash.to_string()))
        })
        .await
    }

    /// Whether the typed password is the password of `known`. Without a hash the answer is no, at the same cost.
    ///
    /// # Errors
    /// 429 if too many are being verified.
    pub async fn verify(&self, typed: Password, known: Option<PasswordHash>) -> Result<bool, Error> {
        self.on_a_core(move || {
            let is_known = known.is_some();
            let stored = known.map_or_else(PasswordHash::of_nobody, Ok)?;
            let stored = Phc::new(stored.as_str())?;
            match hasher()?.verify_password(typed.0.expose_secret().as_bytes(), &stored) {
                Ok(()) => Ok(is_known),
                Err(argon2::password_hash::Error::Password) => Ok(false),
                Err(other) => Err(other),
            }
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

fn hasher() -> Result<Argon2<'static>, argon2::password_hash::Error> {
    let parameters = Params::new(MEMORY_KIB, PASSES, 1, None)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters))
}
