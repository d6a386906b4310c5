//! The ceiling: an axum handler that returns a short JSON and does nothing else.

use std::io::Write as _;

use anyhow::Context as _;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio::net::TcpListener;

#[derive(Debug, Serialize)]
struct Short {
    status: &'static str,
    update_available: bool,
}

/// Serves on a free loopback port until the process is killed.
pub(crate) async fn serve() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("no loopback port")?;
    let address = listener.local_addr()?;
    {
        let mut out = std::io::stdout().lock();
        writeln!(out, "Headcount serves http://{address}")?;
        out.flush()?;
    }
    let bare = || async { Json(Short { status: "latest", update_available: false }) };
    axum::serve(listener, Router::new().route("/bare", get(bare))).await?;
    Ok(())
}
