//! `GET /telemetry/retention`.

use aide::axum::IntoApiResponse;
use aide::axum::routing::get_with;
use axum::extract::State;
use headcount_api::insight::{Cohort, Retention, Unknown};
use headcount_engine::insight::retention::{self, Known, Period, retention};
use headcount_engine::metric::Metric;
use schemars::JsonSchema;
use serde::Deserialize;

use super::format::{Cell, Format, Table, Tables};
use super::{READERS, described, envelope};
use crate::app::App;
use crate::error::Error;
use crate::http::extract::Params;
use crate::http::policy::Routes;
use crate::http::question::Asked;

const METRICS: [Metric; 2] = [Metric::CohortDevices, Metric::CohortReturned];

pub(super) fn routes() -> Routes {
    Routes::new().route(
        "/telemetry/retention",
        READERS,
        get_with(show, |operation| described::<Retention>(operation, "Who comes back, by when they came", "`cohorts`")),
    )
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Choice {
    /// `day` (also without it) or `week`, which begins on Monday.
    by: Option<String>,
}

impl Choice {
    fn period(&self) -> Result<Period, Error> {
        match self.by.as_deref() {
            None | Some("" | "day") => Ok(Period::Day),
            Some("week") => Ok(Period::Week),
            Some(_) => Err(Error::invalid("by", "by is neither day nor week").accepted("day, week")),
        }
    }
}

async fn show(
    State(app): State<App>,
    asked: Asked,
    Params(choice): Params<Choice>,
    format: Format,
) -> Result<impl IntoApiResponse, Error> {
    let (period, query) = (choice.period()?, asked.question.query.clone());
    let earliest = app.catalog.first_totals(asked.question.catalog.id).await?;
    let answer = app.reports.answer(asked.question, move |retained| {
        let from_the_beginning = earliest.is_none_or(|earliest| earliest >= retained.first_day);
        let known = Known { first: retained.first_day, today: retained.today, from_the_beginning };
        retention(&retained.question.query, period, known, &retained.sources)
    });
    let answer = answer.await?;
    let envelope = envelope(&query, &answer, &METRICS);
    let unknown = unknown(&answer.numbers);
    let cohorts = answer.numbers.into_iter().map(cohort).collect();
    format.show(&Retention { envelope, by: period.name().to_owned(), cohorts, unknown })
}

fn cohort(cohort: retention::Cohort) -> Cohort {
    Cohort { first: cohort.first.to_string(), devices: cohort.devices, returned: cohort.returned }
}

/// Why there are cohorts without numbers, as far as there are any.
fn unknown(cohorts: &[retention::Cohort]) -> Vec<Unknown> {
    let of = |field: &str, reason: String, is_lacking: &dyn Fn(&retention::Cohort) -> bool| Unknown {
        field: field.to_owned(),
        dates: cohorts.iter().filter(|cohort| is_lacking(cohort)).map(|cohort| cohort.first.to_string()).collect(),
        reason,
    };
    let least = retention::LEAST_LOOK_BACK;
    let devices = format!(
        "Fewer than {least} days before it are retained, so that it is not known which devices were seen before."
    );
    let returned = "The last day or week is not over.".to_owned();
    let unknown = [
        of("devices", devices, &|cohort| cohort.devices.is_none()),
        of("returned", returned, &|cohort| cohort.devices.is_some() && cohort.returned.contains(&None)),
    ];
    unknown.into_iter().filter(|unknown| !unknown.dates.is_empty()).collect()
}

impl Tables for Retention {
    fn tables(&self) -> Vec<Table> {
        let periods = self.cohorts.iter().map(|cohort| cohort.returned.len()).max().unwrap_or_default();
        let header = ["first", "devices"].into_iter().map(Cell::from);
        let after = (0..periods).map(|after| Cell::from(&format!("{}_{after}", self.by)));
        let row = |cohort: &Cohort| {
            let returned = (0..periods).map(|after| Cell::from(cohort.returned.get(after).copied().flatten()));
            [Cell::from(&cohort.first), cohort.devices.into()].into_iter().chain(returned).collect()
        };
        let rows = self.cohorts.iter().map(row).collect();
        vec![Table { name: "cohorts", header: header.chain(after).collect(), rows }]
    }
}
