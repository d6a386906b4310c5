//! Log lines: on standard error, one a line, from this program and not from the libraries that it uses.

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

use crate::config::LogFormat;

/// Starts to write log lines of at least that importance.
pub(super) fn start(level: Level, format: LogFormat) {
    // What libraries say below a warning may hold parts of requests, such as header lines.
    let wanted = Targets::new().with_default(level.min(Level::WARN)).with_target("headcount", level);
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
        LogFormat::Text => lines.with_ansi(false).boxed(),
    };
    // Only another subscriber could be in the way, and that one writes then.
    _ = tracing_subscriber::registry().with(lines.with_filter(wanted)).try_init();
}
