//! Who this installation is.

use headcount_engine::id::Id;

/// Who this installation is.
#[derive(Clone)]
pub struct Installation {
    /// Its id.
    pub id: Id,
    /// The key of all pseudonyms. Without it no device is recognised again.
    pub secret: [u8; 32],
}

impl Installation {
    /// The first bytes of a hash of the secret: whoever has the secret recognises it, and nobody learns it.
    pub fn fingerprint(&self) -> [u8; 8] {
        let mut first = [0; 8];
        first.copy_from_slice(&blake3::hash(&self.secret).as_bytes()[..8]);
        first
    }
}

impl std::fmt::Debug for Installation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Installation({})", self.id)
    }
}
