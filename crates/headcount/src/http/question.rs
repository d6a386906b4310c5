//! What a caller asks of the telemetry: the one place where it is parsed, for every route that reads telemetry.

use std::collections::BTreeSet;
use std::sync::Arc;

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::Operation;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use headcount_engine::day::Day;
use headcount_engine::dimension::{Dimension, Status, Value};
use headcount_engine::id::AppId;
use headcount_engine::report::{Filters, Query};
use headcount_engine::snapshot::OwnerCatalog;
use headcount_engine::version::Version;
use schemars::JsonSchema;
use serde::Deserialize;
use strum::VariantArray as _;

use crate::app::App;
use crate::catalog::kind::Kind;
use crate::error::Error;
use crate::http::extract::Params;
use crate::http::scope::Scope;
use crate::report::Question;

/// The most days of one range.
const MOST_DAYS: i32 = 400;
/// The most values of one filter.
const MOST_VALUES: usize = 50;
/// How many days before today `range=week` and `range=month` begin.
const WEEK: i32 = 7;
const MONTH: i32 = 30;

/// The parameters that every route that reads telemetry takes. Days are UTC; lists are separated by commas.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(super) struct Parameters {
    /// One day, `YYYY-MM-DD`. Without any day or range: today.
    pub(super) date: Option<String>,
    /// `week` (8 days up to today) or `month` (31 days up to today). Wins over `date`.
    pub(super) range: Option<String>,
    /// The first day of a range of up to 400 days; only together with `to`.
    pub(super) from: Option<String>,
    /// The last day of the range.
    pub(super) to: Option<String>,
    /// Names of apps; without it, all apps.
    pub(super) apps: Option<String>,
    /// Names of channels.
    pub(super) channels: Option<String>,
    /// Names of platforms.
    pub(super) platforms: Option<String>,
    /// Names of architectures.
    pub(super) architectures: Option<String>,
    /// Versions, and `(other)`.
    pub(super) versions: Option<String>,
    /// `latest`, `outdated`, `held`.
    pub(super) statuses: Option<String>,
}

/// A question within the caller's [`Scope`]: what may not be named is refused, what may not be read is left out.
#[derive(Debug)]
pub(super) struct Asked {
    /// What is asked.
    pub(super) question: Question,
    /// Whether the caller names apps, which are in scope even if none of them has a counted check.
    pub(super) apps_named: bool,
    /// What else may be named.
    pub(super) scope: Scope,
}

impl FromRequestParts<App> for Asked {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let scope = Scope::from_request_parts(parts, app).await?;
        let Params(parameters) = Params::<Parameters>::from_request_parts(parts, app).await?;
        let snapshot = app.catalog.snapshot();
        let catalog = snapshot.owner(scope.owner()).ok_or_else(|| Error::internal("an owner without a catalog"))?;
        parameters.understand(scope, catalog, app.clock.now().day())
    }
}

impl OperationInput for Asked {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        Params::<Parameters>::operation_input(ctx, operation);
    }
}

/// What a query string, without its `?`, asks of the owner's segments.
pub(crate) fn parse_raw(query: &str, catalog: &Arc<OwnerCatalog>, today: Day) -> Result<Question, Error> {
    let Params(parameters) = Params::<Parameters>::parse(query)?;
    parameters.understand(Scope::whole(catalog.id), catalog, today).map(|asked| asked.question)
}

impl Parameters {
    /// The question, of the days up to today.
    ///
    /// # Errors
    /// 400 for what is not acceptable, 403 for names that were not granted.
    pub(super) fn understand(&self, scope: Scope, catalog: &Arc<OwnerCatalog>, today: Day) -> Result<Asked, Error> {
        let (first, last) = self.days(today)?;
        let named = self.apps(&scope, catalog)?;
        let query = Query { first, last, filters: self.filters(&scope, catalog)? };
        let apps_named = named.is_some();
        let question = Question { catalog: Arc::clone(catalog), query, apps: scope.apps(named) };
        Ok(Asked { question, apps_named, scope })
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
        if let Some(texts) = names("versions", self.versions.as_deref())? {
            filters.set(Dimension::Version, texts.into_iter().map(version).collect::<Result<_, _>>()?);
        }
        if let Some(words) = names("statuses", self.statuses.as_deref())? {
            filters.set(Dimension::Status, words.into_iter().map(status).collect::<Result<_, _>>()?);
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

/// A version under the name that it is counted under.
fn version(text: &str) -> Result<Value, Error> {
    if text == Value::OTHER {
        return Ok(Value::new(text));
    }
    let version: Version = text.parse().map_err(|_| {
        Error::invalid("versions", "versions names something that is no version").accepted("versions, or (other)")
    })?;
    Ok(Value::new(version.name()))
}

fn status(word: &str) -> Result<Value, Error> {
    let known = Status::VARIANTS.iter().find(|status| status.name() == word);
    known.map(|status| status.value()).ok_or_else(|| {
        Error::invalid("statuses", "statuses names something that is no status").accepted("latest, outdated or held")
    })
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
