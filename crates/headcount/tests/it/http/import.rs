//! `POST /telemetry/import`.
