//! Who may call which route.
//!
//! A route is added by [`Routes::route`], which asks for its policy: there is no other way. [`layers`](super::layers)
//! looks the policy up before a handler runs, and serves nothing that has none.

use std::collections::HashMap;
use std::fmt;

use aide::axum::ApiRouter;
use aide::axum::routing::ApiMethodRouter;
use aide::openapi::{OpenApi, Operation, PathItem, ReferenceOr};
use axum::http::Method;

use crate::app::App;
use crate::catalog::kind::Kind;
use crate::catalog::principal::{Principal, Who};
use crate::catalog::rights::{self, Right};
use crate::catalog::tokens::TokenScope;
use crate::error::{Code, Error};
use crate::failpoint::{Defect, is_planted};

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Anybody, without credentials.
    Anyone,
    /// Administrators, and these of the others who are known.
    Known(Team, Tokens),
}

/// Which team users may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Team {
    /// None.
    Nobody,
    /// All of them.
    Everybody,
    /// Those who have that right.
    With(Kind, Right),
}

/// Which API tokens may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tokens {
    /// None.
    Nobody,
    /// All of them.
    Everybody,
    /// Those of that scope.
    With(TokenScope),
}

impl Policy {
    /// Administrators only.
    pub const ADMINISTRATOR: Self = Self::Known(Team::Nobody, Tokens::Nobody);
    /// Administrators and team users.
    pub const USERS: Self = Self::Known(Team::Everybody, Tokens::Nobody);
    /// Everybody who is known.
    pub const KNOWN: Self = Self::Known(Team::Everybody, Tokens::Everybody);

    /// Administrators, and team users who have that right.
    pub const fn right(kind: Kind, right: Right) -> Self {
        Self::Known(Team::With(kind, right), Tokens::Nobody)
    }

    /// These, and API tokens of that scope.
    #[must_use]
    pub const fn or_token(self, scope: TokenScope) -> Self {
        match self {
            Self::Anyone => Self::Anyone,
            Self::Known(team, _) => Self::Known(team, Tokens::With(scope)),
        }
    }

    /// Whether that caller, who is known, may call the route.
    ///
    /// # Errors
    /// 403 with the contract's string.
    pub fn admit(self, caller: &Principal) -> Result<(), Error> {
        let refused = |message: &'static str| Err(Error::new(Code::Forbidden, message));
        let Self::Known(team, tokens) = self else { return Ok(()) };
        match (&caller.who, team, tokens) {
            (Who::Administrator(_), _, _)
            | (Who::Team(..), Team::Everybody, _)
            | (Who::Token(_), _, Tokens::Everybody) => Ok(()),
            (Who::Team(..), Team::Nobody, _) => refused("Admin access required"),
            (Who::Team(_, rights), Team::With(kind, right), _) if rights.allow(kind, right) => Ok(()),
            (Who::Team(..), Team::With(..), _) => refused("Permission denied"),
            (Who::Token(login), _, Tokens::With(scope))
                if login.scopes.contains(&scope) || is_planted(Defect::TokenScopeIgnored) =>
            {
                Ok(())
            }
            (Who::Token(_), _, Tokens::With(_)) => refused("API token scope is missing"),
            (Who::Token(_), Team::With(..), Tokens::Nobody) => refused("API tokens are restricted to app upload"),
            (Who::Token(_), _, Tokens::Nobody) => refused("Admin JWT is required"),
        }
    }
}

/// As a sentence of the API's description.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Known(team, tokens) = self else {
            return f.write_str("May be called by anybody, without credentials.");
        };
        let mut callers = vec!["administrators".to_owned()];
        match team {
            Team::Nobody => {}
            Team::Everybody => callers.push("team users".to_owned()),
            Team::With(kind, right) => callers.push(format!("team users with `{}`", rights::word(*kind, *right))),
        }
        match tokens {
            Tokens::Nobody => {}
            Tokens::Everybody => callers.push("API tokens".to_owned()),
            Tokens::With(scope) => callers.push(format!("API tokens with `{}`", scope.as_str())),
        }
        write!(f, "May be called by {}.", callers.join(", "))
    }
}

/// One method of one path, and who may call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The method.
    pub method: Method,
    /// The path, with its parameters in braces.
    pub path: String,
    /// Who may call it.
    pub policy: Policy,
}

/// Routes with their policies.
#[derive(Debug)]
pub(super) struct Routes {
    router: ApiRouter<App>,
    declared: Vec<Declared>,
}

impl Routes {
    /// No routes.
    pub(super) fn new() -> Self {
        Self { router: ApiRouter::new(), declared: Vec::new() }
    }

    /// Adds a path, and says who may call it by these methods.
    pub(super) fn route(mut self, path: &str, policy: Policy, methods: ApiMethodRouter<App>) -> Self {
        let declared = &mut self.declared;
        self.router = self.router.api_route_with(path, methods, |mut path_item| {
            for (method, operation) in operations(path_item.inner_mut()) {
                describe(policy, operation);
                declared.push(Declared { method, path: path.to_owned(), policy });
            }
            path_item
        });
        self
    }

    /// Adds other routes.
    pub(super) fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.declared.extend(other.declared);
        self
    }

    /// The routes, and the policies of all of them.
    pub(super) fn into_parts(self) -> (ApiRouter<App>, Vec<Declared>) {
        (self.router, self.declared)
    }
}

/// The operations of a path, by their method.
fn operations(path: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let by_method = [
        (Method::GET, &mut path.get),
        (Method::POST, &mut path.post),
        (Method::PUT, &mut path.put),
        (Method::PATCH, &mut path.patch),
        (Method::DELETE, &mut path.delete),
    ];
    by_method.into_iter().filter_map(|(method, operation)| operation.as_mut().map(|operation| (method, operation)))
}

fn describe(policy: Policy, operation: &mut Operation) {
    let said = operation.description.take().map(|said| format!("{said}\n\n")).unwrap_or_default();
    operation.description = Some(format!("{said}{policy}"));
    if policy != Policy::Anyone {
        for scheme in ["bearer", "cookie"] {
            operation.security.push([(scheme.to_owned(), Vec::new())].into_iter().collect());
        }
    }
}

/// The policies, as requests look them up.
#[derive(Debug)]
pub(super) struct Policies(HashMap<Box<str>, Vec<(Method, Policy)>>);

impl Policies {
    pub(super) fn of(declared: Vec<Declared>) -> Self {
        let mut by_path: HashMap<Box<str>, Vec<(Method, Policy)>> = HashMap::new();
        for Declared { method, path, policy } in declared {
            by_path.entry(path.into()).or_default().push((method, policy));
        }
        Self(by_path)
    }

    /// The methods of that path that have a policy.
    pub(super) fn methods(&self, path: &str) -> impl Iterator<Item = &Method> {
        self.0.get(path).into_iter().flatten().map(|(method, _)| method)
    }

    /// The policy of that method of that path.
    ///
    /// # Errors
    /// 404 or 405 where none was declared: what no policy names is not served.
    pub(super) fn find(&self, method: &Method, path: &str) -> Result<Policy, Error> {
        let methods = self.0.get(path).ok_or_else(|| Error::new(Code::NotFound, "not found"))?;
        let asked = if method == Method::HEAD { &Method::GET } else { method };
        let found = methods.iter().find(|(declared, _)| declared == asked);
        found.map(|&(_, policy)| policy).ok_or_else(|| Error::new(Code::MethodNotAllowed, "method not allowed"))
    }
}

/// The operations of a description that no policy names, as `get /path`.
pub fn undeclared(description: &OpenApi, declared: &[Declared]) -> Vec<String> {
    let names = |method: &str, path: &str| {
        declared.iter().any(|one| one.path == path && one.method.as_str().eq_ignore_ascii_case(method))
    };
    let mut missing = Vec::new();
    for (path, operations) in description.paths.iter().flat_map(|paths| paths.iter()) {
        let ReferenceOr::Item(operations) = operations else { continue };
        let of_path = operations.iter().filter(|(method, _)| !names(method, path));
        missing.extend(of_path.map(|(method, _)| format!("{method} {path}")));
    }
    missing
}

#[cfg(test)]
mod tests {
    use aide::axum::routing::get_with;

    use super::*;

    #[test]
    fn every_route_declares_who_may_call_it() {
        let (router, declared) = crate::http::routes().into_parts();
        assert!(!declared.is_empty());
        assert_eq!(undeclared(&described(router), &declared), Vec::<String>::new());
    }

    #[test]
    fn a_route_that_was_added_without_a_policy_is_found_and_is_not_served() {
        let (router, declared) = crate::http::routes().into_parts();
        let router = router.api_route("/added", get_with(async || "hello", |operation| operation));
        assert_eq!(undeclared(&described(router), &declared), ["get /added"]);
        let policies = Policies::of(declared);
        let code = |method, path| policies.find(&method, path).map_err(|error| error.code());
        assert_eq!(code(Method::GET, "/added"), Err(Code::NotFound));
        assert_eq!(code(Method::PUT, "/whoami"), Err(Code::MethodNotAllowed));
        assert_eq!(code(Method::GET, "/whoami"), Ok(Policy::KNOWN));
        assert_eq!(code(Method::HEAD, "/health"), Ok(Policy::Anyone));
    }

    fn described(router: ApiRouter<App>) -> OpenApi {
        let mut description = OpenApi::default();
        _ = router.finish_api(&mut description);
        description
    }
}
