//! Who calls.

use headcount_engine::id::{Id, OwnerId};

use crate::catalog::audit::{Actor, ActorKind, By, Via};
use crate::catalog::grants::Reach;
use crate::catalog::kind::Kind;
use crate::catalog::rights::Rights;
use crate::catalog::sessions::SessionKind;
use crate::catalog::tokens::TokenScope;
use crate::error::{Code, Error};

/// The authenticated caller.
#[derive(Debug, Clone)]
pub struct Principal {
    /// Whose resources and telemetry the caller works with.
    pub owner: OwnerId,
    /// The user name of that administrator.
    pub owner_name: String,
    /// Who the caller is.
    pub who: Who,
}

/// Who a caller is.
#[derive(Debug, Clone)]
pub enum Who {
    /// The administrator whose resources and telemetry these are.
    Administrator(Login),
    /// A team user, who works with those of an administrator.
    Team(Login, Rights),
    /// A program that an administrator gave a token.
    Token(ApiLogin),
}

/// A program with an API token.
#[derive(Debug, Clone)]
pub struct ApiLogin {
    /// The id of the token.
    pub token: Id,
    /// What the token may be used for.
    pub scopes: Vec<TokenScope>,
    /// Whether it acts on every app of the administrator.
    pub every_app: bool,
}

/// A user who has logged in.
#[derive(Debug, Clone)]
pub struct Login {
    /// The id of the user.
    pub user: Id,
    /// The name of the user.
    pub name: String,
    /// The session that authenticated the request.
    pub session: Id,
    /// By what that session is held.
    pub kind: SessionKind,
}

impl Principal {
    /// The id of the user, or of the API token.
    pub fn id(&self) -> Id {
        match &self.who {
            Who::Administrator(login) | Who::Team(login, _) => login.user,
            Who::Token(login) => login.token,
        }
    }

    /// Which of the owner's resources of that kind the caller may touch.
    pub fn reach(&self, kind: Kind) -> Reach {
        match &self.who {
            Who::Team(login, _) => Reach::of_user(self.by(), login.user),
            Who::Token(login) if kind == Kind::App && !login.every_app => Reach::of_token(self.by(), login.token),
            // Whoever publishes the releases of an app names channels, platforms and architectures of all kinds.
            Who::Administrator(_) | Who::Token(_) => Reach::from(self.by()),
        }
    }

    /// Whose things the caller changes, and who it is: for the audit log.
    pub fn by(&self) -> By {
        let (kind, id, via) = match &self.who {
            Who::Administrator(login) => (ActorKind::Administrator, login.user, Via::Session(login.kind)),
            Who::Team(login, _) => (ActorKind::Team, login.user, Via::Session(login.kind)),
            Who::Token(login) => (ActorKind::Token, login.token, Via::Token),
        };
        By { owner: self.owner, actor: Actor { kind, id, via } }
    }

    /// The login of the user, if the caller is one.
    ///
    /// # Errors
    /// 403 for an API token.
    pub fn login(&self) -> Result<&Login, Error> {
        match &self.who {
            Who::Administrator(login) | Who::Team(login, _) => Ok(login),
            Who::Token(_) => Err(Error::new(Code::Forbidden, "Admin JWT is required")),
        }
    }

    /// The login of the administrator, if the caller is one.
    ///
    /// # Errors
    /// 403 `Admin access required`.
    pub fn administrator(self) -> Result<Login, Error> {
        match self.who {
            Who::Administrator(login) => Ok(login),
            Who::Team(..) | Who::Token(_) => Err(Error::new(Code::Forbidden, "Admin access required")),
        }
    }
}
