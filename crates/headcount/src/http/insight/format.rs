//! JSON, or a table of CSV: what the caller accepts.

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::Operation;
use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::error::Error;
use crate::http::extract::Params;

const CSV: &str = "text/csv";

/// An answer that can be shown as tables.
pub(super) trait Tables {
    /// Its tables; the first one is shown where none is chosen.
    fn tables(&self) -> Vec<Table>;
}

/// A table: every row has a cell for each column of the header.
#[derive(Debug)]
pub(super) struct Table {
    /// Its name, by which it is chosen.
    pub(super) name: &'static str,
    /// The names of its columns.
    pub(super) header: Vec<Cell>,
    /// Its rows.
    pub(super) rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table with these columns.
    pub(super) fn new<const N: usize>(name: &'static str, header: [&str; N], rows: Vec<Vec<Cell>>) -> Self {
        Self { name, header: header.map(Cell::from).into(), rows }
    }
}

/// The text of one cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell(String);

/// A text that a spreadsheet would take for a formula gets an apostrophe before it.
impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
        Self(if is_formula { format!("'{text}") } else { text.to_owned() })
    }
}

impl From<&String> for Cell {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<u64> for Cell {
    fn from(number: u64) -> Self {
        Self(number.to_string())
    }
}

impl From<f64> for Cell {
    fn from(number: f64) -> Self {
        Self(number.to_string())
    }
}

/// What is not known is an empty cell.
impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(cell: Option<T>) -> Self {
        cell.map_or_else(|| Self(String::new()), Into::into)
    }
}

/// How the caller wants the answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// All of it.
    Json,
    /// The table of that name, or the first one.
    Csv(Option<String>),
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Choice {
    /// With `Accept: text/csv`: the name of the table; without it, the first one.
    table: Option<String>,
}

impl FromRequestParts<App> for Format {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let Params(choice) = Params::<Choice>::from_request_parts(parts, app).await?;
        let table = choice.table.filter(|name| !name.is_empty());
        Ok(if prefers_csv(&parts.headers) { Self::Csv(table) } else { Self::Json })
    }
}

impl OperationInput for Format {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        Params::<Choice>::operation_input(ctx, operation);
    }
}

impl Format {
    /// The reply with that answer.
    ///
    /// # Errors
    /// 400 where the answer has no table of the name.
    pub(super) fn show<T: Serialize + Tables>(&self, answer: &T) -> Result<Response, Error> {
        const HEADERS: [(header::HeaderName, &str); 2] =
            [(header::CACHE_CONTROL, "no-store"), (header::VARY, "Accept")];
        let Self::Csv(name) = self else { return Ok((HEADERS, Json(answer)).into_response()) };
        let tables = answer.tables();
        let names: Vec<&str> = tables.iter().map(|table| table.name).collect();
        let chosen = tables.iter().find(|table| name.as_deref().is_none_or(|name| name == table.name));
        let table = chosen.ok_or_else(|| {
            Error::invalid("table", "the answer has no table of this name").accepted(names.join(", "))
        })?;
        let kind = (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present");
        Ok((HEADERS, [kind], csv(table)).into_response())
    }
}

/// Whether the request asks for CSV by its name, and not rather for JSON.
fn prefers_csv(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges: Vec<(&str, f32)> = accepted.flat_map(|value| value.split(',')).map(range).collect();
    let quality = |names: &[&str]| {
        let named = ranges.iter().filter(|(name, _)| names.iter().any(|known| name.eq_ignore_ascii_case(known)));
        named.map(|&(_, quality)| quality).fold(0.0, f32::max)
    };
    let csv = quality(&[CSV]);
    csv > 0.0 && csv >= quality(&["application/json"])
}

/// A media range of `Accept`, and its quality.
fn range(text: &str) -> (&str, f32) {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok());
    (name, quality.unwrap_or(1.0))
}

/// RFC 4180: lines end in CR LF, and what could be mistaken stands in quotes.
fn csv(table: &Table) -> String {
    let mut text = String::new();
    for row in std::iter::once(&table.header).chain(&table.rows) {
        for (at, Cell(cell)) in row.iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            if cell.contains([',', '"', '\r', '\n']) {
                text.push('"');
                text.push_str(&cell.replace('"', "\"\""));
                text.push('"');
            } else {
                text.push_str(cell);
            }
        }
        text.push_str("\r\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_no_formulas() {
        let cells = ["=1+1", "-2", "+3", "@x", "\tx", "\rx", "a,b", "a\"b", "a\nb", "", "plain"].map(Cell::from);
        let table = Table { name: "t", header: vec!["h".into()], rows: cells.map(|cell| vec![cell]).into() };
        let lines = [
            "h",
            "'=1+1",
            "'-2",
            "'+3",
            "'@x",
            "'\tx",
            "\"'\rx\"",
            "\"a,b\"",
            "\"a\"\"b\"",
            "\"a\nb\"",
            "",
            "plain",
            "",
        ];
        assert_eq!(csv(&table), lines.join("\r\n"));
        assert_eq!(
            [Cell::from(-0.5), Cell::from(Some(7)), Cell::from(None::<u64>)].map(|cell| cell.0),
            ["-0.5", "7", ""]
        );
    }

    #[test]
    fn csv_is_what_was_asked_for_by_name() {
        for (accept, expected) in [
            (None, false),
            (Some("*/*"), false),
            (Some("text/*"), false),
            (Some("application/json"), false),
            (Some("text/csv"), true),
            (Some("Text/CSV; charset=utf-8"), true),
            (Some("text/csv, */*;q=0.1"), true),
            (Some("application/json, text/csv;q=0.9"), false),
            (Some("text/csv;q=0"), false),
            (Some("application/json;q=0.5,text/csv;q=0.8"), true),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, accept.parse().unwrap());
            }
            assert_eq!(prefers_csv(&headers), expected, "{accept:?}");
        }
    }
}
