//! `GET /telemetry/breakdown`.

use aide::axum::IntoApiResponse;
use aide::axum::routing::get_with;
use axum::extract::State;
use headcount_api::insight::{Breakdown, BreakdownDay, BreakdownRow, BreakdownTotal};
use headcount_engine::day::Day;
use headcount_engine::dimension::Dimension;
use headcount_engine::insight::breakdown::{self, Row, breakdown};
use headcount_engine::metric::Metric;
use schemars::JsonSchema;
use serde::Deserialize;

use super::format::{Cell, Format, Table, Tables};
use super::{READERS, described, dimension, envelope, share};
use crate::app::App;
use crate::error::Error;
use crate::http::extract::Params;
use crate::http::policy::Routes;
use crate::http::question::Asked;

const METRICS: [Metric; 3] = [Metric::Requests, Metric::Devices, Metric::Share];

pub(super) fn routes() -> Routes {
    Routes::new().route(
        "/telemetry/breakdown",
        READERS,
        get_with(show, |operation| {
            described::<Breakdown>(operation, "Devices and requests by one dimension", "`rows`, `series`")
        }),
    )
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Choice {
    /// `version` (also without it), `channel`, `platform`, `arch` or `status`.
    by: Option<String>,
    /// `time` adds the devices of each day.
    over: Option<String>,
}

impl Choice {
    fn understand(&self) -> Result<(Dimension, bool), Error> {
        let over_time = match self.over.as_deref() {
            None | Some("") => false,
            Some("time") => true,
            Some(_) => return Err(Error::invalid("over", "over is not time").accepted("time")),
        };
        Ok((dimension("by", self.by.as_deref(), Dimension::Version)?, over_time))
    }
}

async fn show(
    State(app): State<App>,
    asked: Asked,
    Params(choice): Params<Choice>,
    format: Format,
) -> Result<impl IntoApiResponse, Error> {
    let (by, over_time) = choice.understand()?;
    let query = asked.question.query.clone();
    let answer = app.reports.answer(asked.question, move |retained| {
        let (query, sources) = (&retained.question.query, &retained.sources);
        let label = &|dimension, value: &_| retained.label(dimension, value);
        let whole = breakdown(query, by, sources, label);
        let series = over_time.then(|| breakdown::series(query, (by, &whole.rows), sources, label));
        (whole, series)
    });
    let answer = answer.await?;
    let envelope = envelope(&query, &answer, &METRICS);
    let (whole, series) = answer.numbers;
    let total = BreakdownTotal { devices: whole.devices, requests: whole.requests };
    let rows = whole.rows.into_iter().map(|each| row(&each, whole.devices)).collect();
    let series = series.map(|days| days.into_iter().map(day).collect());
    format.show(&Breakdown { envelope, by: by.name().to_owned(), rows, total, series })
}

fn row(row: &Row, all: u64) -> BreakdownRow {
    BreakdownRow {
        value: row.label.to_string(),
        devices: row.devices,
        share: share(row.devices, all),
        requests: row.requests,
    }
}

fn day((date, values): (Day, Vec<u64>)) -> BreakdownDay {
    BreakdownDay { date: date.to_string(), values }
}

impl Tables for Breakdown {
    fn tables(&self) -> Vec<Table> {
        let row = |row: &BreakdownRow| {
            vec![Cell::from(&row.value), row.devices.into(), row.share.into(), row.requests.into()]
        };
        let rows = Table::new("rows", [&*self.by, "devices", "share", "requests"], self.rows.iter().map(row).collect());
        let Some(series) = &self.series else { return vec![rows] };
        let values = self.rows.iter().map(|row| Cell::from(&row.value));
        let day = |day: &BreakdownDay| {
            std::iter::once(Cell::from(&day.date)).chain(day.values.iter().map(|&devices| devices.into())).collect()
        };
        let header = std::iter::once("date".into()).chain(values).collect();
        vec![rows, Table { name: "series", header, rows: series.iter().map(day).collect() }]
    }
}
