//! The answer of `GET /telemetry/matrix`.

use serde::{Deserialize, Serialize};

use super::Envelope;

/// Devices by the values of two dimensions. A device that has several values is in several cells and once in each total.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Matrix {
    /// What the answer says of itself.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// The dimension of the rows.
    pub rows_by: String,
    /// The dimension of the columns.
    pub columns_by: String,
    /// The values of the columns, the most devices first; of versions, `(other)` is last.
    pub columns: Vec<String>,
    /// The distinct devices of each column.
    pub column_totals: Vec<u64>,
    /// The rows, in the same order as the columns.
    pub rows: Vec<MatrixRow>,
    /// All distinct devices in scope.
    pub total: u64,
}

/// One value of the dimension of the rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MatrixRow {
    /// The value.
    pub value: String,
    /// The distinct devices of the row.
    pub total: u64,
    /// The distinct devices that had both values on the same day in the same app, in the order of the columns.
    pub cells: Vec<u64>,
}
