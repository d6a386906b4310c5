//! What a caller may read of the telemetry, and what it may name in its questions.

use std::collections::{BTreeMap, BTreeSet};

use aide::OperationInput;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use headcount_engine::id::{AppId, Id, OwnerId};
use headcount_engine::snapshot::OwnerCatalog;

use crate::app::App;
use crate::catalog::kind::Kind;
use crate::catalog::principal::{Principal, Who};
use crate::error::{Code, Error};
use crate::failpoint::{Defect, is_planted};

/// What a caller may read of the telemetry, built from the principal and from nothing else. Names become ids here and
/// only here, so that no route can forget to ask whether the caller may name them.
#[derive(Debug, Clone)]
pub struct Scope {
    owner: OwnerId,
    // What may be named; a kind that is missing is not limited.
    granted: BTreeMap<Kind, BTreeSet<Id>>,
    // What may be read; none where everything may be.
    apps: Option<BTreeSet<AppId>>,
}

impl Scope {
    /// Everything of that owner.
    pub(crate) fn whole(owner: OwnerId) -> Self {
        Self { owner, granted: BTreeMap::new(), apps: None }
    }

    /// The scope of that caller. A team user reads everything of the administrator, and names what was granted. An API
    /// token reads the apps that it acts on.
    ///
    /// # Errors
    /// 403 on an installation without telemetry.
    pub(super) async fn of(principal: &Principal, app: &App) -> Result<Self, Error> {
        if !app.config.telemetry {
            return Err(Error::telemetry_off());
        }
        let mut scope = Self::whole(principal.owner);
        match &principal.who {
            Who::Administrator(_) => {}
            Who::Team(login, _) => {
                let granted = app.catalog.granted(login.user).await?;
                let of_kind = |kind| (kind, granted.of(kind).iter().copied().collect());
                scope.granted = Kind::ALL.iter().copied().map(of_kind).collect();
            }
            Who::Token(_) => {
                scope.apps = app.catalog.apps_of(principal.reach(Kind::App)).await?;
                let nameable = scope.apps.iter().map(|apps| (Kind::App, apps.iter().map(|app| app.0).collect()));
                scope.granted = nameable.collect();
            }
        }
        Ok(scope)
    }

    /// Whose telemetry it is.
    pub fn owner(&self) -> OwnerId {
        self.owner
    }

    /// The apps that are read where these are named, or none are.
    pub fn apps(&self, named: Option<BTreeSet<AppId>>) -> Option<BTreeSet<AppId>> {
        match (&self.apps, named) {
            (None, named) => named,
            (Some(readable), None) => Some(readable.clone()),
            (Some(readable), Some(named)) => Some(named.intersection(readable).copied().collect()),
        }
    }

    /// The resources that a parameter names: all that have these names now, deleted ones included.
    ///
    /// # Errors
    /// 403 for a name that was not granted. It is the same whether the owner has something of that name or not.
    pub fn named(
        &self,
        catalog: &OwnerCatalog,
        (kind, parameter): (Kind, &'static str),
        names: &[&str],
    ) -> Result<BTreeSet<Id>, Error> {
        let index = match kind {
            Kind::App => &catalog.apps,
            Kind::Channel => &catalog.channels,
            Kind::Platform => &catalog.platforms,
            Kind::Arch => &catalog.archs,
        };
        if let Some(granted) = self.granted.get(&kind) {
            let may_name = |name: &&str| index.resolve(name).is_some_and(|id| granted.contains(&id));
            if !names.iter().all(may_name) && !is_planted(Defect::FilterNotChecked) {
                return Err(Error::new(
                    Code::Forbidden,
                    format!("{parameter} names something that you were not granted"),
                )
                .field(parameter)
                .accepted("names of resources that you were granted"));
            }
        }
        Ok(names.iter().flat_map(|name| index.matching(name)).collect())
    }
}

/// Taken by every route that reads telemetry, once its policy has admitted the caller.
impl FromRequestParts<App> for Scope {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        Self::of(&Principal::from_request_parts(parts, app).await?, app).await
    }
}

impl OperationInput for Scope {}
