//! `GET /telemetry/matrix`.

use aide::axum::IntoApiResponse;
use aide::axum::routing::get_with;
use axum::extract::State;
use headcount_api::insight::{Matrix, MatrixRow};
use headcount_engine::dimension::Dimension;
use headcount_engine::insight::matrix::{Line, matrix};
use headcount_engine::metric::Metric;
use schemars::JsonSchema;
use serde::Deserialize;

use super::format::{Cell, Format, Table, Tables};
use super::{READERS, described, dimension, envelope};
use crate::app::App;
use crate::error::Error;
use crate::http::extract::Params;
use crate::http::policy::Routes;
use crate::http::question::Asked;

const METRICS: [Metric; 3] = [Metric::Cells, Metric::Total, Metric::ColumnTotals];

pub(super) fn routes() -> Routes {
    Routes::new().route(
        "/telemetry/matrix",
        READERS,
        get_with(show, |operation| described::<Matrix>(operation, "Devices by two dimensions at once", "`cells`")),
    )
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Choice {
    /// `version` (also without it), `channel`, `platform`, `arch` or `status`.
    rows: Option<String>,
    /// Another one of them; without it, `platform`.
    columns: Option<String>,
}

impl Choice {
    fn understand(&self) -> Result<(Dimension, Dimension), Error> {
        let rows = dimension("rows", self.rows.as_deref(), Dimension::Version)?;
        let columns = dimension("columns", self.columns.as_deref(), Dimension::Platform)?;
        if rows == columns {
            let refused = Error::invalid("columns", "rows and columns are the same dimension");
            return Err(refused.accepted("two dimensions"));
        }
        Ok((rows, columns))
    }
}

async fn show(
    State(app): State<App>,
    asked: Asked,
    Params(choice): Params<Choice>,
    format: Format,
) -> Result<impl IntoApiResponse, Error> {
    let (rows, columns) = choice.understand()?;
    let query = asked.question.query.clone();
    let answer = app.reports.answer(asked.question, move |retained| {
        let label = &|dimension, value: &_| retained.label(dimension, value);
        matrix(&retained.question.query, (rows, columns), &retained.sources, label)
    });
    let answer = answer.await?;
    let envelope = envelope(&query, &answer, &METRICS);
    let found = answer.numbers;
    format.show(&Matrix {
        envelope,
        rows_by: rows.name().to_owned(),
        columns_by: columns.name().to_owned(),
        columns: found.columns.iter().map(|line| line.label.to_string()).collect(),
        column_totals: found.columns.iter().map(|line| line.total).collect(),
        rows: found.rows.into_iter().map(row).collect(),
        total: found.total,
    })
}

fn row((line, cells): (Line, Vec<u64>)) -> MatrixRow {
    MatrixRow { value: line.label.to_string(), total: line.total, cells }
}

impl Tables for Matrix {
    /// A line for each row, and one without a value for the totals of the columns.
    fn tables(&self) -> Vec<Table> {
        let line = |value: Cell, cells: &[u64], total: u64| -> Vec<Cell> {
            let cells = cells.iter().copied().chain([total]).map(Cell::from);
            std::iter::once(value).chain(cells).collect()
        };
        let rows = self.rows.iter().map(|row| line(Cell::from(&row.value), &row.cells, row.total));
        let totals = line(Cell::from("(total)"), &self.column_totals, self.total);
        let columns = self.columns.iter().map(Cell::from).chain(["(total)".into()]);
        vec![Table {
            name: "cells",
            header: std::iter::once(Cell::from(&self.rows_by)).chain(columns).collect(),
            rows: rows.chain([totals]).collect(),
        }]
    }
}
