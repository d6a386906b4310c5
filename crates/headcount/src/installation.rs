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

impl std::fmt::Debug for Installation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Installation({})", self.id)
    }
}
