//! What an administrator lets a team user do.

use std::collections::BTreeSet;

use strum::VariantArray;

use crate::catalog::kind::Kind;

/// Something that a team user may do with resources of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, VariantArray)]
pub enum Right {
    /// Create one, which is granted to the user from then on.
    Create,
    /// Change one; of apps, also their releases.
    Edit,
    /// Delete one; of apps, also their releases.
    Delete,
    /// Register releases: of apps only.
    Upload,
    /// Kept for faynoSync's clients, which ask for it: of apps only.
    Download,
}

impl Right {
    /// The word for it, in the database and in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Edit => "edit",
            Self::Delete => "delete",
            Self::Upload => "upload",
            Self::Download => "download",
        }
    }
}

/// What a team user may do, by the kind of resources.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rights(BTreeSet<(Kind, Right)>);

impl Rights {
    /// Whether the user may do that.
    pub fn allow(&self, kind: Kind, right: Right) -> bool {
        self.0.contains(&(kind, right))
    }

    /// The form in which they are stored: `apps.create`, `channels.edit` and the like, separated by spaces.
    pub(super) fn stored(&self) -> String {
        self.0.iter().map(|&(kind, right)| word(kind, right)).collect::<Vec<_>>().join(" ")
    }

    /// Reads the stored form.
    pub(super) fn from_stored(text: &str) -> Self {
        let every = Kind::ALL.iter().flat_map(|&kind| Right::VARIANTS.iter().map(move |&right| (kind, right)));
        every.filter(|&(kind, right)| text.split(' ').any(|stored| stored == word(kind, right))).collect()
    }
}

impl FromIterator<(Kind, Right)> for Rights {
    fn from_iter<I: IntoIterator<Item = (Kind, Right)>>(rights: I) -> Self {
        Self(rights.into_iter().collect())
    }
}

/// How one is written, such as `apps.create`.
pub fn word(kind: Kind, right: Right) -> String {
    format!("{}s.{}", kind.as_str(), right.as_str())
}
