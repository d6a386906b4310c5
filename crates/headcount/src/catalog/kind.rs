//! The kinds of resources, and their names.

use headcount_engine::name::{AppName, BadName, PartName};
use strum::VariantArray;

use crate::error::Error;

/// The kinds of resources that an owner has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, VariantArray)]
pub enum Kind {
    /// An application.
    App,
    /// A channel, such as `stable`.
    Channel,
    /// A platform, such as `windows`.
    Platform,
    /// An architecture, such as `arm64`.
    Arch,
}

impl Kind {
    /// All kinds, in the order in which an owner's catalog lists them.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The word for it, in the database and in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Channel => "channel",
            Self::Platform => "platform",
            Self::Arch => "arch",
        }
    }

    /// The kind that is stored under that word.
    pub(super) fn from_stored(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
    }

    const fn bad_name(self) -> &'static str {
        match self {
            Self::App => "invalid app name",
            Self::Channel => "invalid channel name",
            Self::Platform => "invalid platform name",
            Self::Arch => "invalid architecture name",
        }
    }
}

/// A name that a resource of that kind may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceName {
    kind: Kind,
    text: Box<str>,
}

impl ResourceName {
    /// The name of a resource of that kind.
    ///
    /// # Errors
    /// 400 `invalid .. name` for a name that no check could ask for.
    pub fn parse(kind: Kind, text: &str) -> Result<Self, Error> {
        let parsed = match kind {
            Kind::App => text.parse().map(|_: AppName| ()),
            Kind::Channel | Kind::Platform | Kind::Arch => text.parse().map(|_: PartName| ()),
        };
        match parsed {
            Ok(()) => Ok(Self { kind, text: text.into() }),
            Err(BadName { accepted }) => Err(Error::invalid(kind.as_str(), kind.bad_name()).accepted(accepted)),
        }
    }

    /// What it names.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}
