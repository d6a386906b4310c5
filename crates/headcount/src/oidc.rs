//! Sign-in through an OpenID Connect provider: authorization code with PKCE, of OpenID Connect Core 1.0, section 3.1.
//!
//! The provider is known by its issuer; everything else is read from the configuration that it publishes there. What a
//! browser has to bring back is in its cookie ([`pending`]); the server keeps nothing of a sign-in that has not ended.

mod id_token;
mod pending;
mod provider;

use secrecy::SecretString;

pub use self::id_token::SignedIn;
pub use self::pending::{LIFETIME, Pending};
pub use self::provider::Provider;

/// The path that the provider sends browsers back to.
pub const CALLBACK: &str = "/session/oidc/callback";

/// What is settled about the provider.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its issuer, to be compared byte by byte.
    pub issuer: String,
    /// The id under which it knows this server.
    pub client_id: String,
    /// The secret of this server; without one it is a public client.
    pub client_secret: Option<SecretString>,
    /// Where it sends browsers back to.
    pub callback: String,
    /// What the sign-in page calls it.
    pub name: String,
    /// What is asked of it, separated by spaces.
    pub scopes: String,
    /// The claim that says what a user is.
    pub role_claim: String,
    /// Its value for an administrator.
    pub administrator_role: String,
    /// Its value for a team user.
    pub team_role: String,
}

/// Why a sign-in through the provider came to nothing. The cause is for the log.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The provider cannot be reached, or answers with something else than it should.
    #[error("the provider cannot be asked: {0}")]
    Unavailable(String),
    /// The provider, or the user there, refused.
    #[error("the provider refused: {0}")]
    Refused(String),
    /// It was not begun here by that browser, or too long ago, or it has ended already.
    #[error("no such sign-in was begun by this browser")]
    Unknown,
    /// What the provider says of the user does not hold.
    #[error("the ID token does not hold: {0}")]
    Untrue(String),
    /// Too many have failed from there.
    #[error("too many attempts from that network")]
    TooMany,
    /// The user has no role here.
    #[error("the claim {0} names no role of this server")]
    NoRole(String),
}

impl Failed {
    /// The word for it in the address of the sign-in page.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::Refused(_) => "refused",
            Self::Unknown => "unknown",
            Self::Untrue(_) => "untrue",
            Self::TooMany => "too-many",
            Self::NoRole(_) => "no-role",
        }
    }
}
