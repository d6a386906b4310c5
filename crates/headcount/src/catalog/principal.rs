//! Who calls.

use headcount_engine::id::{Id, OwnerId};

use crate::catalog::grants::Reach;
use crate::catalog::kind::Kind;
use crate::catalog::rights::Rights;
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
}

impl Principal {
    /// Which of the owner's resources of that kind the caller may touch.
    pub fn reach(&self, _kind: Kind) -> Reach {
        match &self.who {
            Who::Administrator(_) => Reach::from(self.owner),
            Who::Team(login, _) => Reach::of_holder(self.owner, login.user),
        }
    }

    /// The login of the administrator, if the caller is one.
    ///
    /// # Errors
    /// 403 `Admin access required`.
    pub fn administrator(self) -> Result<Login, Error> {
        match self.who {
            Who::Administrator(login) => Ok(login),
            Who::Team(..) => Err(Error::new(Code::Forbidden, "Admin access required")),
        }
    }
}
