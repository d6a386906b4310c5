//! `GET /telemetry`.

use std::collections::BTreeSet;
use std::sync::Arc;

use aide::axum::IntoApiResponse;
use aide::axum::routing::get_with;
use aide::transform::TransformOperation;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use headcount_api::report::TelemetryReport;
use headcount_engine::day::{Day, Millis};
use headcount_engine::dimension::{Dimension, Value};
use headcount_engine::id::AppId;
use headcount_engine::report::{Filters, Query};
use headcount_engine::snapshot::OwnerCatalog;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::app::App;
use crate::catalog::kind::Kind;
use crate::catalog::tokens::TokenScope;
use crate::error::Error;
use crate::http::compat;
use crate::http::extract::Params;
use crate::http::policy::{Policy, Routes};
use crate::http::scope::Scope;

/// The most days of one range.
const MOST_DAYS: i32 = 400;
/// The most values of one filter.
const MOST_VALUES: usize = 50;
/// How many days before today `range=week` and `range=month` begin.
const WEEK: i32 = 7;
const MONTH: i32 = 30;

pub(super) fn routes() -> Routes {
    Routes::new().route("/telemetry", Policy::USERS.or_token(TokenScope::TelemetryRead), get_with(telemetry, document))
}

fn document(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    operation
        .summary("Which devices run which version")
        .description(
            "The header `Headcount-As-Of` says which moment the numbers show: they include every event that this instance \
             recorded before the request.",
        )
        .response_with::<200, Json<TelemetryReport>, _>(|response| response.description("The report"))
}

/// The question. Days are UTC; lists are separated by commas.
#[derive(Debug, Default, Deserialize, JsonSchema)]
struct Question {
    /// One day, `YYYY-MM-DD`. Without any day or range: today.
    date: Option<String>,
    /// `week` (8 days up to today) or `month` (31 days up to today). Wins over `date`.
    range: Option<String>,
    /// The first day of a range of up to 400 days; only together with `to`.
    from: Option<String>,
    /// The last day of the range.
    to: Option<String>,
    /// Names of apps; without it, all apps.
    apps: Option<String>,
    /// Names of channels.
    channels: Option<String>,
    /// Names of platforms.
    platforms: Option<String>,
    /// Names of architectures.
    architectures: Option<String>,
}

async fn telemetry(
    State(app): State<App>,
    scope: Scope,
    Params(question): Params<Question>,
) -> Result<impl IntoApiResponse, Error> {
    let snapshot = app.catalog.snapshot();
    let catalog =
        snapshot.owner(scope.owner()).cloned().ok_or_else(|| Error::internal("an owner without a catalog"))?;
    let (query, named) = question.understand(&scope, &catalog, app.clock.now().day())?;
    let (first, last, apps_named) = (query.first, query.last, named.is_some());
    let answer = app.reports.answer(Arc::clone(&catalog), query, scope.apps(named)).await?;
    let body = compat::render(&answer.report, (first, last), &catalog.name, apps_named, &answer.incomplete);
    let as_of = (HeaderName::from_static("headcount-as-of"), timestamp(answer.as_of));
    Ok(([as_of, (header::CACHE_CONTROL, "no-store".to_owned())], Json(body)))
}

/// What a query string, without its `?`, asks of the owner's segments: the query, and the named apps.
pub(crate) fn parse_raw(query: &str, catalog: &OwnerCatalog, today: Day) -> Result<Understood, Error> {
    Params::<Question>::parse(query)?.0.understand(&Scope::whole(catalog.id), catalog, today)
}

type Understood = (Query, Option<BTreeSet<AppId>>);

impl Question {
    fn understand(&self, scope: &Scope, catalog: &OwnerCatalog, today: Day) -> Result<Understood, Error> {
        let (first, last) = self.days(today)?;
        Ok((Query { first, last, filters: self.filters(scope, catalog)? }, self.apps(scope, catalog)?))
    }

    /// The first and the last day.
    fn days(&self, today: Day) -> Result<(Day, Day), Error> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let (from, to) = (given(&self.from), given(&self.to));
        let (date, range) = (given(&self.date), given(&self.range));
        if (from.is_some() || to.is_some()) && (date.is_some() || range.is_some()) {
            let message = "from and to cannot be given together with date or range";
            return Err(Error::invalid("from", message).accepted("either from and to, or date, or range"));
        }
        match (from, to, range.as_deref()) {
            (Some(from), Some(to), _) => span(day("from", &from, today)?, day("to", &to, today)?),
            (Some(_), None, _) => Err(Error::invalid("to", "from is given without to").accepted("both from and to")),
            (None, Some(_), _) => Err(Error::invalid("from", "to is given without from").accepted("both from and to")),
            (None, None, Some("week")) => Ok((today.plus(-WEEK), today)),
            (None, None, Some("month")) => Ok((today.plus(-MONTH), today)),
            (None, None, Some(_)) => {
                Err(Error::invalid("range", "Invalid range parameter. Use 'week' or 'month'").accepted("week or month"))
            }
            (None, None, None) => {
                let day = date.map_or(Ok(today), |text| day("date", &text, today))?;
                Ok((day, day))
            }
        }
    }

    fn apps(&self, scope: &Scope, catalog: &OwnerCatalog) -> Result<Option<BTreeSet<AppId>>, Error> {
        let Some(names) = names("apps", self.apps.as_deref())? else { return Ok(None) };
        Ok(Some(scope.named(catalog, (Kind::App, "apps"), &names)?.into_iter().map(AppId).collect()))
    }

    fn filters(&self, scope: &Scope, catalog: &OwnerCatalog) -> Result<Filters, Error> {
        let mut filters = Filters::default();
        let kinds = [
            (Dimension::Channel, Kind::Channel, "channels", &self.channels),
            (Dimension::Platform, Kind::Platform, "platforms", &self.platforms),
            (Dimension::Arch, Kind::Arch, "architectures", &self.architectures),
        ];
        for (dimension, kind, parameter, text) in kinds {
            if let Some(names) = names(parameter, text.as_deref())? {
                let ids = scope.named(catalog, (kind, parameter), &names)?;
                filters.set(dimension, ids.into_iter().map(|id| Value::new(&id.to_string())).collect());
            }
        }
        Ok(filters)
    }
}

/// The items of a list, or `None` where it has none.
fn names<'a>(field: &'static str, text: Option<&'a str>) -> Result<Option<Vec<&'a str>>, Error> {
    let items: Vec<&str> = text.unwrap_or_default().split(',').filter(|item| !item.is_empty()).collect();
    if items.len() > MOST_VALUES {
        return Err(Error::invalid(field, "too many values").accepted("at most 50 values, separated by commas"));
    }
    Ok((!items.is_empty()).then_some(items))
}

fn day(field: &'static str, text: &str, today: Day) -> Result<Day, Error> {
    let day: Day = text.parse().map_err(|error| {
        Error::invalid(field, format!("{field} {error}")).accepted("a UTC date of the form YYYY-MM-DD")
    })?;
    if day > today.plus(1) {
        return Err(Error::invalid(field, format!("{field} is in the future")).accepted("a UTC date up to tomorrow"));
    }
    Ok(day)
}

fn span(first: Day, last: Day) -> Result<(Day, Day), Error> {
    if first > last {
        return Err(Error::invalid("from", "from is after to").accepted("a day that is not after to"));
    }
    if last.0 - first.0 >= MOST_DAYS {
        return Err(Error::invalid("from", "the range is longer than 400 days").accepted("at most 400 days"));
    }
    Ok((first, last))
}

/// RFC 3339 with milliseconds.
fn timestamp(at: Millis) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |at| format!("{at:.3}"))
}
