//! What checks depend on, kept on disk: with it a server starts, answers and records them while the database is away.
//!
//! A line that says what it is, the BLAKE3 of the rest as a line in hex, and the rows as JSON; with `SECRET_KEY` another
//! line, and all of that encrypted.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::open::Belongs;
use super::rows::Rows;
use super::seal::Keys;
use crate::config::Config;
use crate::installation::Installation;
use crate::private::replace_private;

/// Its name in the data folder.
const FILE: &str = "catalog.snapshot";
/// Its first line, with the version of the layout.
const TITLE: &str = "headcount-catalog 1";
/// The same where it is encrypted.
const SEALED: &str = "headcount-catalog-sealed 1\n";
/// What is told to encrypt and to decrypt it.
const PURPOSE: &str = "the kept catalog";

/// What a server needs besides its settings to answer and to record checks.
pub(super) struct KeptSnapshot {
    /// Who this installation is.
    pub(super) installation: Installation,
    /// When the database was read, in milliseconds since 1970.
    pub(super) read_at: i64,
    /// What the snapshot is made of.
    pub(super) rows: Rows,
}

/// The installation's secret is in it.
impl fmt::Debug for KeptSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptSnapshot").field("installation", &self.installation).finish_non_exhaustive()
    }
}

/// What is on disk.
#[derive(Debug)]
pub(super) enum Kept {
    /// Nothing: a new data folder, or one of a server that never came to keep anything.
    Nothing,
    /// Something that cannot be read.
    Damaged,
    /// Something that is encrypted with a key that is not in the settings.
    Sealed,
    /// All of it.
    Whole(Box<KeptSnapshot>),
}

#[derive(Serialize, Deserialize)]
struct Stored {
    installation: String,
    secret: String,
    read_at: i64,
    rows: Rows,
}

/// Where it lies.
pub(super) fn file(config: &Config) -> PathBuf {
    config.data_dir.join(FILE)
}

impl Kept {
    /// Reads it. What is damaged is logged, and as good as nothing where the database is there.
    pub(super) fn read(config: &Config) -> Self {
        let path = file(config);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::Nothing,
            Err(error) => return Self::unreadable(&path, &error.to_string()),
        };
        let opened = match bytes.strip_prefix(SEALED.as_bytes()) {
            Some(sealed) => Keys::of(config).open(PURPOSE, sealed).map(|opened| opened.plain),
            None => Some(bytes),
        };
        let Some(bytes) = opened else { return Self::Sealed };
        match KeptSnapshot::parse(&bytes) {
            Ok(kept) => Self::Whole(Box::new(kept)),
            Err(reason) => Self::unreadable(&path, &reason),
        }
    }

    fn unreadable(path: &Path, reason: &str) -> Self {
        tracing::warn!(path = %path.display(), reason, "the kept catalog cannot be read");
        Self::Damaged
    }

    /// To whom the data folder belongs.
    pub(super) fn belongs(&self) -> Belongs {
        match self {
            Self::Nothing => Belongs::Nobody,
            Self::Damaged | Self::Sealed => Belongs::Somebody,
            Self::Whole(kept) => Belongs::To(kept.installation.id),
        }
    }
}

impl KeptSnapshot {
    /// Puts it in the place of the one before.
    pub(super) fn write(self, file: &Path, keys: &Keys) -> io::Result<()> {
        let stored = Stored {
            installation: self.installation.id.to_string(),
            secret: hex::encode(self.installation.secret),
            read_at: self.read_at,
            rows: self.rows,
        };
        let json = serde_json::to_string(&stored)?;
        let checksum = blake3::hash(json.as_bytes()).to_hex();
        let plain = format!("{TITLE}\n{checksum}\n{json}");
        if !keys.seals() {
            return replace_private(file, plain.as_bytes());
        }
        let sealed = keys.seal(PURPOSE, plain.as_bytes()).map_err(|_| io::Error::other("it cannot be encrypted"))?;
        replace_private(file, &[SEALED.as_bytes(), &sealed].concat())
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is no text")?;
        let rest = text.strip_prefix(TITLE).and_then(|rest| rest.strip_prefix('\n'));
        let (checksum, json) = rest.and_then(|rest| rest.split_once('\n')).ok_or("it is something else, or newer")?;
        if checksum != blake3::hash(json.as_bytes()).to_hex().as_str() {
            return Err("its checksum does not fit".to_owned());
        }
        let stored: Stored = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let mut secret = [0; 32];
        hex::decode_to_slice(&stored.secret, &mut secret).map_err(|error| error.to_string())?;
        let id = stored.installation.parse().map_err(|_| "the id of the installation is malformed")?;
        Ok(Self { installation: Installation { id, secret }, read_at: stored.read_at, rows: stored.rows })
    }
}
