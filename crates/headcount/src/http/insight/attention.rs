//! `GET /telemetry/attention`.

use aide::axum::IntoApiResponse;
use aide::axum::routing::get_with;
use axum::extract::State;
use headcount_api::insight::{Attention, Finding, FindingFilters};
use headcount_engine::day::Millis;
use headcount_engine::dimension::{Dimension, Value};
use headcount_engine::insight::attention::{self, Kind, Release, Scene, attention};
use headcount_engine::metric::Metric;
use headcount_engine::snapshot::OwnerCatalog;
use strum::VariantArray as _;

use super::format::{Cell, Format, Table, Tables};
use super::{READERS, app_name, described, envelope};
use crate::app::App;
use crate::catalog::published::Published;
use crate::error::Error;
use crate::http::policy::Routes;
use crate::http::question::Asked;
use crate::report::{Retained, label};

/// How many days before the last one are looked at, at most.
const LOOK_BACK: i32 = 29;

const METRICS: [Metric; 2] = [Metric::Weight, Metric::Numbers];

pub(super) fn routes() -> Routes {
    Routes::new().route(
        "/telemetry/attention",
        READERS,
        get_with(show, |operation| {
            described::<Attention>(
                operation,
                "What needs a look, at the last day of the range",
                "`findings`, `numbers`",
            )
        }),
    )
}

async fn show(State(app): State<App>, asked: Asked, format: Format) -> Result<impl IntoApiResponse, Error> {
    let mut question = asked.question;
    // What lacks in the days before lacks in the answer.
    question.query.first = question.query.last.plus(-LOOK_BACK);
    let (query, catalog) = (question.query.clone(), question.catalog.clone());
    let releases: Vec<Release> = app.catalog.published(catalog.id).await?.iter().map(release).collect();
    let answer = app.reports.answer(question, move |retained| find(retained, &releases)).await?;
    let envelope = envelope(&query, &answer, &METRICS);
    let findings = answer.numbers.iter().map(|finding| rendered(&catalog, finding)).collect();
    let tests = Kind::VARIANTS.iter().map(|kind| (kind.name().to_owned(), kind.rule().to_owned())).collect();
    format.show(&Attention { envelope, findings, tests })
}

fn release(published: &Published) -> Release {
    Release {
        app: published.app,
        channel: published.channel.map(|id| Value::new(&id.to_string())),
        version: Value::new(&published.version),
        published: published.at.map(Millis::day),
    }
}

fn find(retained: &Retained, releases: &[Release]) -> Vec<attention::Finding> {
    let query = &retained.question.query;
    attention(&Scene {
        last: query.last,
        whole: query.last.min(retained.today.plus(-1)),
        first: retained.first_day,
        filters: &query.filters,
        sources: &retained.sources,
        releases,
    })
}

fn rendered(catalog: &OwnerCatalog, finding: &attention::Finding) -> Finding {
    let name = |dimension, value: &Value| label(catalog, dimension, value).to_string();
    let app = app_name(catalog, finding.app);
    let channel = finding.channel.as_ref().map(|channel| name(Dimension::Channel, channel));
    let subject = finding.subject.as_ref().map(|(dimension, value)| (*dimension, name(*dimension, value)));
    let of = |wanted: Dimension| {
        subject.iter().filter(|(dimension, _)| *dimension == wanted).map(|(_, name)| name.clone()).collect()
    };
    let filters = FindingFilters {
        apps: vec![app.clone()],
        channels: channel.iter().cloned().collect(),
        platforms: of(Dimension::Platform),
        versions: of(Dimension::Version),
    };
    let place = channel.map_or_else(|| app.clone(), |channel| format!("{app} on {channel}"));
    let subject = subject.map_or_else(|| app.clone(), |(_, name)| name);
    Finding {
        kind: finding.kind.name().to_owned(),
        sentence: sentence(finding, &place, &subject),
        app,
        subject,
        weight: finding.weight,
        numbers: finding.numbers.iter().map(|&(name, number)| (name.to_owned(), number)).collect(),
        filters,
    }
}

fn sentence(finding: &attention::Finding, place: &str, subject: &str) -> String {
    let number =
        |name: &str| finding.numbers.iter().find(|(known, _)| *known == name).map_or(0.0, |(_, number)| *number);
    let count = |name: &str| grouped(number(name));
    let percent = |name: &str| format!("{:.1} %", number(name) * 100.0);
    match finding.kind {
        Kind::FarBehind => format!(
            "{} devices of {place} run {subject}, and {} published releases are newer.",
            count("devices"),
            number("releases_newer"),
        ),
        Kind::PlatformBehind => format!(
            "Of {} devices of {place} with {subject}, {} run the latest release; of all others, {}.",
            count("devices"),
            percent("latest_share"),
            percent("others_latest_share"),
        ),
        Kind::Stuck => format!(
            "{} devices of {place} on {subject} were told about an update on {} or more of the last 7 days and have not moved.",
            count("devices"),
            number("days"),
        ),
        Kind::SlowRelease => format!(
            "{} of the devices of {place} ran {subject} {} days after its publication; at the same age of the {} releases before \
             it, {}.",
            percent("adopted_share"),
            number("age_days"),
            number("earlier_releases"),
            percent("earlier_adopted_share"),
        ),
        Kind::FewerChecks => format!(
            "{place} had {} checks on the last whole day, and {} on the same weekday of the {} weeks before, on average.",
            count("checks"),
            count("earlier_checks"),
            number("weeks"),
        ),
    }
}

/// A number to the nearest whole one, with a comma before every three digits.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let is_first = |at: usize| at > 0 && (digits.len() - at).is_multiple_of(3);
    digits.char_indices().flat_map(|(at, digit)| is_first(at).then_some(',').into_iter().chain([digit])).collect()
}

impl Tables for Attention {
    fn tables(&self) -> Vec<Table> {
        let joined = |names: &[String]| Cell::from(&names.join(" "));
        let row = |finding: &Finding| {
            let FindingFilters { channels, platforms, versions, .. } = &finding.filters;
            vec![
                (&finding.kind).into(),
                (&finding.app).into(),
                joined(channels),
                joined(platforms),
                joined(versions),
                finding.weight.into(),
                (&finding.sentence).into(),
            ]
        };
        let header = ["kind", "app", "channel", "platform", "version", "weight", "sentence"];
        let numbers = self.findings.iter().flat_map(|finding| {
            let number = |(name, number): (&String, &f64)| {
                vec![
                    (&finding.kind).into(),
                    (&finding.app).into(),
                    (&finding.subject).into(),
                    name.into(),
                    (*number).into(),
                ]
            };
            finding.numbers.iter().map(number).collect::<Vec<Vec<Cell>>>()
        });
        let numbers = Table::new("numbers", ["kind", "app", "subject", "number", "value"], numbers.collect());
        vec![Table::new("findings", header, self.findings.iter().map(row).collect()), numbers]
    }
}
