//! `GET /telemetry/adoption`.

use std::collections::BTreeSet;

use aide::axum::IntoApiResponse;
use aide::axum::routing::get_with;
use axum::extract::State;
use headcount_api::insight::{AdoptedRelease, Adoption, AdoptionDay, AdoptionPlatform, Milestone, Unknown};
use headcount_engine::day::{Day, Millis};
use headcount_engine::dimension::{Dimension, Value};
use headcount_engine::id::AppId;
use headcount_engine::insight::adoption::{self, Published, adoption};
use headcount_engine::metric::Metric;
use headcount_engine::report::Query;
use headcount_engine::version::Version;
use schemars::JsonSchema;
use serde::Deserialize;

use super::format::{Cell, Format, Table, Tables};
use super::{READERS, described, envelope, share};
use crate::app::App;
use crate::catalog::kind::Kind;
use crate::catalog::published::Published as Release;
use crate::error::{Code, Error};
use crate::http::extract::Params;
use crate::http::policy::Routes;
use crate::http::question::Asked;
use crate::http::render;
use crate::report::Question;

const METRICS: [Metric; 8] = [
    Metric::Age,
    Metric::Devices,
    Metric::Adopted,
    Metric::AdoptedShare,
    Metric::HeldBack,
    Metric::T50,
    Metric::T90,
    Metric::T95,
];

const NOT_RETAINED: &str = "the devices of these days, which followed the publication, are no longer retained";

pub(super) fn routes() -> Routes {
    Routes::new().route(
        "/telemetry/adoption",
        READERS,
        get_with(show, |operation| {
            described::<Adoption>(operation, "How fast devices move to a release", "`days`, `platforms`, `milestones`")
        }),
    )
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Choice {
    /// The name of the app. May be missing where there is only one.
    app: Option<String>,
    /// The version; without it, the newest one that is published.
    version: Option<String>,
    /// The name of its channel; without it, that on which it was published first.
    channel: Option<String>,
    /// The version of another release, to compare with.
    compare: Option<String>,
}

/// A release whose adoption is asked for.
struct Wanted {
    version: Version,
    channel: Option<String>,
    published_at: Millis,
    query: Query,
    on: Day,
}

async fn show(
    State(app): State<App>,
    asked: Asked,
    Params(choice): Params<Choice>,
    format: Format,
) -> Result<impl IntoApiResponse, Error> {
    let of = choice.app(&asked)?;
    let wanted = choice.releases(&app, &asked, of).await?;
    let mut question = asked.question;
    question.apps = Some(BTreeSet::from([of]));
    // The days are those since the publication, whatever the range begins with.
    question.query.first = wanted.iter().map(|wanted| wanted.on).min().unwrap_or(question.query.last);
    let query = question.query.clone();
    let name = question.catalog.apps.name_of(of.0).map(ToString::to_string).unwrap_or_default();
    let answer = app.reports.answer(question, move |retained| {
        let (first, today) = (retained.first_day, retained.today);
        let label = &|dimension, value: &_| retained.label(dimension, value);
        let adopted = |wanted: Wanted| {
            let published = Published { version: &wanted.version, on: wanted.on, first, today };
            let found = adoption(&wanted.query, &published, &retained.sources, label);
            (wanted, found)
        };
        (wanted.into_iter().map(adopted).collect::<Vec<_>>(), first)
    });
    let answer = answer.await?;
    let envelope = envelope(&query, &answer, &METRICS);
    let (found, first) = answer.numbers;
    let unknown = found.iter().filter_map(|(wanted, _)| unknown(wanted, first)).flatten().collect();
    let releases = found.into_iter().map(|(wanted, found)| release(wanted, &found)).collect();
    format.show(&Adoption { envelope, app: name, releases, unknown })
}

impl Choice {
    /// The app that is named, within what the caller may name; without a name the only one there is.
    fn app(&self, asked: &Asked) -> Result<AppId, Error> {
        let catalog = &asked.question.catalog;
        let named = self.app.as_deref().filter(|name| !name.is_empty());
        let required =
            || Error::invalid("app", "app is required where there are several").accepted("the name of an app");
        let Some(name) = named else {
            let in_scope = asked.question.apps.clone().unwrap_or_else(|| catalog.apps.live().map(AppId).collect());
            return match in_scope.iter().collect::<Vec<_>>()[..] {
                [&app] => Ok(app),
                _ => Err(required()),
            };
        };
        asked.scope.named(catalog, (Kind::App, "app"), &[name])?;
        let app = catalog.apps.resolve(name).map(AppId);
        app.ok_or_else(|| Error::new(Code::NotFound, "there is no app of this name").field("app"))
    }

    /// The releases that are asked for: one, or two.
    async fn releases(&self, app: &App, asked: &Asked, of: AppId) -> Result<Vec<Wanted>, Error> {
        let catalog = &asked.question.catalog;
        let channel = match self.channel.as_deref().filter(|name| !name.is_empty()) {
            Some(name) => {
                asked.scope.named(catalog, (Kind::Channel, "channel"), &[name])?;
                let id = catalog.channels.resolve(name);
                Some(id.ok_or_else(|| Error::new(Code::NotFound, "there is no channel of this name").field("channel"))?)
            }
            None => None,
        };
        let mut published = app.catalog.published(catalog.id).await?;
        published.retain(|release| release.app == of && (channel.is_none() || release.channel == channel));
        let newest = published.iter().filter_map(|release| release.version.parse().ok()).max();
        let first = chosen(&published, "version", self.version.as_deref(), newest)?;
        let second = chosen(&published, "compare", self.compare.as_deref(), None)?;
        Ok(first.into_iter().chain(second).map(|chosen| Wanted::new(chosen, asked)).collect())
    }
}

/// A release, its version, and when it was published.
type Chosen<'a> = (&'a Release, Version, Millis);

/// The release of the version that a parameter says, or else of the usual one; of several, the one that was published
/// first.
fn chosen<'a>(
    published: &'a [Release],
    parameter: &'static str,
    text: Option<&str>,
    usual: Option<Version>,
) -> Result<Option<Chosen<'a>>, Error> {
    let version = match text.filter(|text| !text.is_empty()) {
        Some(text) => text.parse().map(Some).map_err(|_| {
            Error::invalid(parameter, format!("{parameter} is no version")).accepted("the version of a release")
        })?,
        None => usual,
    };
    let Some(version) = version else { return Ok(None) };
    let of_version = published.iter().filter(|release| release.version == version.name());
    let first = of_version.filter_map(|release| Some((release.at?, release))).min_by_key(|&(at, _)| at);
    let (at, release) =
        first.ok_or_else(|| Error::new(Code::NotFound, "no release of this version is published").field(parameter))?;
    Ok(Some((release, version, at)))
}

impl Wanted {
    /// The question about a release: the devices of its channel, with the caller's other filters.
    fn new((release, version, published_at): Chosen<'_>, asked: &Asked) -> Self {
        let on = published_at.day();
        let Question { catalog, query, .. } = &asked.question;
        let mut query = query.clone();
        query.first = on;
        if let Some(channel) = release.channel {
            query.filters.set(Dimension::Channel, BTreeSet::from([Value::new(&channel.to_string())]));
        }
        let channel = release.channel.and_then(|channel| catalog.channels.name_of(channel));
        Self { version, channel: channel.map(ToString::to_string), published_at, query, on }
    }
}

fn release(wanted: Wanted, found: &adoption::Adoption) -> AdoptedRelease {
    let Wanted { version, channel, published_at, on, .. } = wanted;
    let days = |days: &[adoption::AdoptionDay]| days.iter().map(|one| day(one, on)).collect::<Vec<_>>();
    let platform = |(name, of_platform): &(std::sync::Arc<str>, Vec<adoption::AdoptionDay>)| AdoptionPlatform {
        platform: name.to_string(),
        days: days(of_platform),
    };
    let [t50, t90, t95] =
        found.reached.map(|reached| reached.map(|day| Milestone { date: day.to_string(), age: age(day, on) }));
    AdoptedRelease {
        version: version.name().to_owned(),
        channel,
        published_at: render::moment(published_at),
        days: days(&found.days),
        platforms: found.platforms.iter().map(platform).collect(),
        t50,
        t90,
        t95,
    }
}

fn day(one: &adoption::AdoptionDay, on: Day) -> AdoptionDay {
    AdoptionDay {
        date: one.day.to_string(),
        age: age(one.day, on),
        devices: one.devices,
        adopted: one.adopted,
        share: share(one.adopted, one.devices),
        held: one.held,
    }
}

/// Days from the publication; no day before it is shown.
fn age(day: Day, on: Day) -> u64 {
    u64::try_from(day.0 - on.0).unwrap_or_default()
}

/// What of a release cannot be known, as days since its publication are gone.
fn unknown(wanted: &Wanted, first: Day) -> Option<Vec<Unknown>> {
    let gone: Vec<String> = wanted.on.through(first.plus(-1)).map(|day| day.to_string()).collect();
    let about = |field: &str| Unknown {
        field: format!("{} {field}", wanted.version.name()),
        dates: gone.clone(),
        reason: NOT_RETAINED.to_owned(),
    };
    (!gone.is_empty()).then(|| ["days", "t50", "t90", "t95"].map(about).into())
}

impl Tables for Adoption {
    fn tables(&self) -> Vec<Table> {
        let cells = |release: &AdoptedRelease, platform: Option<&str>, day: &AdoptionDay| -> Vec<Cell> {
            let mut cells = vec![Cell::from(&release.version), release.channel.as_deref().into()];
            cells.extend(platform.map(Cell::from));
            cells.extend([Cell::from(&day.date), day.age.into(), day.devices.into(), day.adopted.into()]);
            cells.extend([Cell::from(day.share), day.held.into()]);
            cells
        };
        let (mut days, mut platforms, mut milestones) = (Vec::new(), Vec::new(), Vec::new());
        for release in &self.releases {
            days.extend(release.days.iter().map(|day| cells(release, None, day)));
            for of in &release.platforms {
                platforms.extend(of.days.iter().map(|day| cells(release, Some(&of.platform), day)));
            }
            for (name, reached) in [("t50", &release.t50), ("t90", &release.t90), ("t95", &release.t95)] {
                let channel = release.channel.as_deref().into();
                let (date, age) = (reached.as_ref().map(|at| at.date.as_str()), reached.as_ref().map(|at| at.age));
                milestones.push(vec![Cell::from(&release.version), channel, name.into(), date.into(), age.into()]);
            }
        }
        let numbers = ["date", "age", "devices", "adopted", "share", "held"];
        let [date, age, devices, adopted, share, held] = numbers;
        vec![
            Table::new("days", ["version", "channel", date, age, devices, adopted, share, held], days),
            Table::new(
                "platforms",
                ["version", "channel", "platform", date, age, devices, adopted, share, held],
                platforms,
            ),
            Table::new("milestones", ["version", "channel", "milestone", date, age], milestones),
        ]
    }
}
