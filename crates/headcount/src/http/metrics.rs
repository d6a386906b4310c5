//! `GET /metrics`, on a listener of its own: THE list of metrics.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use headcount_engine::day::Millis;
use headcount_engine::recorded::SkipReason;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;
use strum::VariantArray as _;

use super::health::Damaged;
use super::requests::Requests;
use super::server::Gate;
use crate::app::App;
use crate::error::{Code, Error};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Labels and their values: none of them comes from a caller.
type Labels = Vec<(&'static str, String)>;

/// What is counted outside of the application.
#[derive(Debug, Clone)]
pub(super) struct Counted {
    pub(super) requests: Arc<Requests>,
    pub(super) gate: Arc<Gate>,
}

/// What the listener for metrics serves.
pub(super) fn router(app: App, counted: Counted) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .fallback(async || Error::new(Code::NotFound, "not found"))
        .layer(Extension(counted))
        .with_state(app)
}

async fn metrics(State(app): State<App>, Extension(counted): Extension<Counted>) -> Result<Response, Error> {
    let mut text = String::new();
    encode(&mut text, &registry(&app, &counted)).map_err(Error::internal)?;
    Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}

/// All metrics as they are now.
fn registry(app: &App, counted: &Counted) -> Registry {
    let mut registry = Registry::with_prefix("headcount");
    outcomes(app, &mut registry);
    traffic(counted, &mut registry);
    let streams = ConstGauge::new(app.live.open() as u64);
    registry.register("live_streams", "Streams of live numbers that are open", streams);
    journal(app, &mut registry);
    store_and_catalog(app, &mut registry);
    damage(app, &mut registry);
    let labels = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
    registry.register("build", "1, with the version of the program", gauges([(labels, 1)]));
    let started = seconds(app.started_at.0);
    registry.register(
        "start_time_seconds",
        "When the process started, in seconds since 1970",
        ConstGauge::new(started),
    );
    registry
}

/// What became of checks and beacons. All numbers are of one moment, so that they add up.
fn outcomes(app: &App, registry: &mut Registry) {
    let counted = app.recorder.counted();
    let mut counter = |name, help, count| registry.register(name, help, ConstCounter::new(count));
    counter("sent", "Checks and beacons that were answered: recorded, unconfirmed and skipped ones", counted.sent());
    counter("recorded", "Checks and beacons whose event is in the journal and counts once", counted.recorded);
    counter(
        "unconfirmed",
        "Checks and beacons of this process that were answered before their commit was known, or hung up",
        counted.unconfirmed,
    );
    let skipped = SkipReason::VARIANTS.iter().zip(counted.skipped);
    let skipped = skipped.map(|(reason, count)| (vec![("reason", reason.name().to_owned())], count));
    registry.register("skipped", "Checks and beacons that are not counted, by reason", counters(skipped));
    let unknown = app.recorder.unknown();
    let unknown = unknown.map(|(what, count)| (vec![("what", what.to_owned())], count));
    registry.register("unknown", "Checks and beacons for an owner or an app that does not exist", counters(unknown));
}

fn traffic(Counted { requests, gate }: &Counted, registry: &mut Registry) {
    let requests = requests.counted().into_iter().map(|(route, class, count)| {
        let labels = vec![("route", route.to_owned()), ("status", class.to_owned())];
        (labels, count)
    });
    registry.register("http_requests", "Requests that were answered, by route and class of status", counters(requests));
    let by = |label: &'static str, counts: &mut dyn Iterator<Item = (&'static str, u64)>| {
        counters(counts.map(|(value, count)| (vec![(label, value.to_owned())], count)))
    };
    let refused = by("limit", &mut gate.refused());
    registry.register("refused", "Connections and requests that were turned away, by the limit that they met", refused);
    let slow = by("at", &mut gate.slow());
    registry.register("slow", "Connections that were closed because nothing came or was taken for too long", slow);
    registry.register("connections", "Connections that are open", ConstGauge::new(gate.connections() as u64));
    registry.register("in_flight", "Requests that are being answered", ConstGauge::new(gate.in_flight() as u64));
}

fn journal(app: &App, registry: &mut Registry) {
    let (spool, shipping) = (&app.spool, &app.shipping);
    let waiting = ConstGauge::new(spool.waiting() as u64);
    registry.register("queue_events", "Events that wait for their commit", waiting);
    let times = spool.commit_times().clone();
    registry.register("commit_seconds", "How long commits of the journal took, with their fsync", times);
    let bytes = ConstGauge::new(spool.used_bytes());
    registry.register("spool_bytes", "Bytes of the journal's files", bytes);
    let lag = ConstGauge::new(seconds(shipping.lag_millis()));
    registry.register("ship_lag_seconds", "For how long an event may have waited for the store", lag);
    let window = ConstGauge::new(seconds(shipping.replay_millis()));
    registry.register(
        "replay_window_seconds",
        "How far back the journal keeps what is in the store, to fill the store again",
        window,
    );
}

fn store_and_catalog(app: &App, registry: &mut Registry) {
    let problem = ConstGauge::new(u64::from(app.store.problem().is_some()));
    registry.register("store_problem", "1 if the store cannot be reached, or is not shipped to", problem);
    let warnings = ConstGauge::new(app.store.warnings().len() as u64);
    registry.register("store_warnings", "What is not as it should be with the store, which takes everything", warnings);
    if let Some(times) = app.store.command_times() {
        let connects = ConstCounter::new(app.store.turn());
        registry.register("store_connects", "Connections to Redis that were made", connects);
        let help = "How long commands to Redis took, by what they are";
        registry.register("store_command_seconds", help, times.clone());
    }
    let cached = ConstGauge::new(app.reports.cached_bytes() as u64);
    registry.register("segment_cache_bytes", "Bytes of the segments in memory, about", cached);
    let (read_at, loaded_at) = app.catalog.ages();
    let now = app.clock.now();
    let age = |at: Millis| ConstGauge::new(seconds((now.0 - at.0).max(0)));
    registry.register(
        "catalog_age_seconds",
        "How long ago the catalog database was last read: what checks see may be that old",
        age(read_at),
    );
    registry.register(
        "catalog_revision_age_seconds",
        "How long ago the revision of the catalog was loaded that checks see",
        age(loaded_at),
    );
}

/// What `/ready` names, in numbers.
fn damage(app: &App, registry: &mut Registry) {
    let Damaged { stores, blobs, spool_files, spool_rows } = Damaged::of(app);
    let counts = [
        ("store", stores.len() as u64),
        ("blob", blobs),
        ("spool-file", spool_files.len() as u64),
        ("spool-row", spool_rows),
    ];
    let counts = counts.map(|(what, count)| (vec![("what", what.to_owned())], count as i64));
    registry.register(
        "damaged",
        "Stores, their blobs, and files and rows of the journal that were set aside",
        gauges(counts),
    );
    let incomplete = ConstGauge::new(app.keeper.damage().incomplete.len() as u64);
    registry.register("incomplete_days", "Days of which the store lacks something, of any owner", incomplete);
    let ahead = ConstGauge::new(app.shipping.held().ahead_events);
    registry.register("ahead_events", "Events that wait because the clock was ahead when they were accepted", ahead);
}

fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}

fn counters(counts: impl IntoIterator<Item = (Labels, u64)>) -> Family<Labels, Counter> {
    let family = Family::default();
    for (labels, count) in counts {
        let counter: Counter = family.get_or_create_owned(&labels);
        counter.inc_by(count);
    }
    family
}

fn gauges(values: impl IntoIterator<Item = (Labels, i64)>) -> Family<Labels, Gauge> {
    let family = Family::default();
    for (labels, value) in values {
        let gauge: Gauge = family.get_or_create_owned(&labels);
        gauge.set(value);
    }
    family
}
