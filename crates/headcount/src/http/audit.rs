//! The audit log, as the administrator reads it.

use aide::axum::routing::get_with;
use axum::Json;
use axum::extract::State;
use headcount_api::audit as wire;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::app::App;
use crate::catalog::audit::{Entry, Filter};
use crate::error::Error;
use crate::http::extract::{Params, Principal};
use crate::http::policy::{Policy, Routes};
use crate::http::render::moment;
use crate::http::users::described;

/// Entries on a page when nothing is said.
const USUAL_LIMIT: i64 = 50;
/// The most entries on a page.
const LARGEST_LIMIT: i64 = 200;

pub(super) fn routes() -> Routes {
    let summary = "List who changed what, the newest change first";
    Routes::new().route("/audit/list", Policy::ADMINISTRATOR, get_with(list, described(summary)))
}

/// Which entries to list.
#[derive(Debug, Deserialize, JsonSchema)]
struct Listed {
    /// The name that the actor had; every actor when nothing is given.
    actor: Option<String>,
    /// A kind of thing, such as `app`, `release`, `user`, `token` or `session`; every kind when nothing is given.
    kind: Option<String>,
    /// `next` of the page before.
    before: Option<String>,
    /// How many entries a page has at most: 1 to 200, else 50.
    limit: Option<String>,
}

async fn list(
    State(app): State<App>,
    caller: Principal,
    Params(listed): Params<Listed>,
) -> Result<Json<wire::AuditPage>, Error> {
    let filter = listed.filter()?;
    let entries = app.catalog.audit(caller.owner, &filter).await?;
    let is_full = usize::try_from(filter.limit).is_ok_and(|limit| entries.len() == limit);
    let next = entries.last().filter(|_| is_full).map(|entry| entry.number.to_string());
    Ok(Json(wire::AuditPage { entries: entries.into_iter().map(row).collect(), next }))
}

impl Listed {
    fn filter(self) -> Result<Filter, Error> {
        let number = |text: Option<String>, field: &'static str, accepted: &'static str, most: i64| match text {
            None => Ok(None),
            Some(text) => match text.parse() {
                Ok(number) if (1..=most).contains(&number) => Ok(Some(number)),
                _ => Err(Error::invalid(field, format!("invalid {field} parameter")).accepted(accepted)),
            },
        };
        let limit = number(self.limit, "limit", "a whole number from 1 to 200", LARGEST_LIMIT)?;
        let before = number(self.before, "before", "`next` of a page", i64::MAX)?;
        Ok(Filter { actor: self.actor, kind: self.kind, before, limit: limit.unwrap_or(USUAL_LIMIT) })
    }
}

fn row(entry: Entry) -> wire::AuditEntry {
    wire::AuditEntry {
        id: entry.number.to_string(),
        at: moment(entry.at),
        actor: wire::AuditActor { kind: entry.actor_kind, id: entry.actor_id, name: entry.actor_name },
        via: entry.via,
        kind: entry.kind,
        action: entry.action,
        subject: wire::AuditSubject { id: entry.subject_id, name: entry.subject_name },
    }
}
