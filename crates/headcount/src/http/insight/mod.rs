//! The questions of who looks after an application: one file for each route. All of them take [`Asked`], answer as
//! JSON or as a table of CSV, and say what their numbers mean.

mod adoption;
mod attention;
mod breakdown;
mod format;
mod matrix;
mod quality;
mod retention;
mod trend;
mod upgrades;

use std::collections::BTreeMap;

use aide::transform::TransformOperation;
use axum::Json;
use headcount_api::insight::Envelope;
use headcount_engine::day::Day;
use headcount_engine::dimension::Dimension;
use headcount_engine::id::AppId;
use headcount_engine::metric::Metric;
use headcount_engine::report::Query;
use headcount_engine::snapshot::OwnerCatalog;
use serde::Serialize;

use crate::catalog::tokens::TokenScope;
use crate::error::Error;
use crate::http::policy::{Policy, Routes};
use crate::http::render;
use crate::report::Answer;

/// Who may ask: everybody who may read `/telemetry`.
const READERS: Policy = Policy::USERS.or_token(TokenScope::TelemetryRead);

pub(super) fn routes() -> Routes {
    adoption::routes()
        .merge(attention::routes())
        .merge(breakdown::routes())
        .merge(matrix::routes())
        .merge(quality::routes())
        .merge(retention::routes())
        .merge(trend::routes())
        .merge(upgrades::routes())
}

/// What an answer with these numbers says of itself.
fn envelope<T>(query: &Query, answer: &Answer<T>, metrics: &[Metric]) -> Envelope {
    Envelope {
        as_of: render::moment(answer.as_of),
        from: query.first.to_string(),
        to: query.last.to_string(),
        definitions: definitions(metrics),
        incomplete: answer.incomplete.iter().map(Day::to_string).collect(),
    }
}

/// What each number means, by its name in the answer.
pub(super) fn definitions(metrics: &[Metric]) -> BTreeMap<String, String> {
    metrics.iter().map(|metric| (metric.name().to_owned(), metric.definition().to_owned())).collect()
}

/// The description of a route that answers with `T`, as JSON or CSV.
fn described<'a, T: Serialize + schemars::JsonSchema>(
    operation: TransformOperation<'a>,
    summary: &str,
    tables: &str,
) -> TransformOperation<'a> {
    let description = format!("As JSON, or with `Accept: text/csv` one table of it, chosen by `table`: {tables}.");
    operation
        .summary(summary)
        .description(&description)
        .response_with::<200, Json<T>, _>(|response| response.description("The numbers, with what they mean"))
}

/// The dimension that a parameter names, or the usual one where it names none.
fn dimension(parameter: &'static str, word: Option<&str>, usual: Dimension) -> Result<Dimension, Error> {
    let Some(word) = word.filter(|word| !word.is_empty()) else { return Ok(usual) };
    Dimension::named(word).ok_or_else(|| {
        let names: Vec<&str> = Dimension::ALL.iter().map(|dimension| dimension.name()).collect();
        Error::invalid(parameter, format!("{parameter} is not a dimension")).accepted(names.join(", "))
    })
}

/// The part of the whole, from 0 to 1; 0 of nothing.
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The name of an application, or its id where it has none any more.
fn app_name(catalog: &OwnerCatalog, app: AppId) -> String {
    catalog.apps.name_of(app.0).map_or_else(|| app.to_string(), ToString::to_string)
}
