//! `GET /telemetry/trend`.

use std::collections::BTreeMap;

use aide::axum::IntoApiResponse;
use aide::axum::routing::get_with;
use axum::extract::State;
use headcount_api::insight::{Envelope, Trend, TrendDay, TrendPeriod, TrendSummary, Unknown};
use headcount_engine::daily::DailyTotals;
use headcount_engine::day::Day;
use headcount_engine::insight::trend::{Known, Period, trend};
use headcount_engine::metric::Metric;
use headcount_engine::report::{Query, Totals};

use super::format::{Cell, Format, Table, Tables};
use super::{READERS, described, envelope, share};
use crate::app::App;
use crate::catalog::totals::KeptTotals;
use crate::error::Error;
use crate::http::policy::Routes;
use crate::http::question::Asked;
use crate::report::Question;

const METRICS: [Metric; 10] = [
    Metric::Requests,
    Metric::Devices,
    Metric::Latest,
    Metric::Outdated,
    Metric::Held,
    Metric::New,
    Metric::Returning,
    Metric::Wau,
    Metric::Mau,
    Metric::Stickiness,
];

const NO_TOTALS: &str = "no totals of this day are kept, or something of it came after they were counted";
const FILTERED: &str = "what is kept of days beyond the retention is for all apps or for one, without filters";
const NOT_EVERY_DAY: &str = "it is not known of every day";
const NOT_RETAINED: &str = "distinct devices of a range are counted while all of its days are retained";

pub(super) fn routes() -> Routes {
    Routes::new().route(
        "/telemetry/trend",
        READERS,
        get_with(show, |operation| {
            described::<Trend>(operation, "Devices and requests from day to day", "`days`, `previous`")
        }),
    )
}

async fn show(State(app): State<App>, asked: Asked, format: Format) -> Result<impl IntoApiResponse, Error> {
    let question = asked.question;
    let query = question.query.clone();
    let before = before(&query);
    let kept = kept(&app, &question, (before.first, query.last)).await?;
    let reason = if kept.is_some() { NO_TOTALS } else { FILTERED };
    let numbers: Option<BTreeMap<Day, DailyTotals>> =
        kept.as_ref().map(|kept| kept.iter().map(|(&day, kept)| (day, kept.numbers.clone())).collect());
    let answer = app.reports.answer(question, move |retained| {
        let known = Known { first: retained.first_day, today: retained.today, totals: numbers.as_ref() };
        let of = |query: &Query| trend(query, &retained.sources, &known);
        (of(&retained.question.query), of(&before), before)
    });
    let mut answer = answer.await?;
    if let Some(kept) = kept {
        let is_whole = |day: &Day| kept.get(day).is_some_and(|kept| !kept.incomplete);
        for day in answer.numbers.0.days.iter().filter(|day| day.from_totals && is_whole(&day.day)) {
            answer.incomplete.remove(&day.day);
        }
    }
    let envelope = envelope(&query, &answer, &METRICS);
    format.show(&rendered(envelope, answer.numbers, reason))
}

/// The numbers of the range and of the one before it; `reason` is why a number of a day may be unknown.
fn rendered(envelope: Envelope, (now, past, before): (Period, Period, Query), reason: &str) -> Trend {
    let (days, previous_days) = (days(&now), days(&past));
    let (summary, past) = (summary(&now), summary(&past));
    let mut unknown = unknown_days(days.iter().chain(&previous_days), reason);
    unknown.extend(unknown_ranges("summary", &summary, &days));
    unknown.extend(unknown_ranges("previous.summary", &past, &previous_days));
    let (from, to) = (before.first.to_string(), before.last.to_string());
    let previous = TrendPeriod { from, to, days: previous_days, summary: past };
    Trend { envelope, days, summary, previous, unknown }
}

/// As many days, up to the day before.
fn before(query: &Query) -> Query {
    let length = query.last.0 - query.first.0 + 1;
    Query { first: query.first.plus(-length), last: query.first.plus(-1), filters: query.filters.clone() }
}

/// The totals of those days that are kept of what is asked for; none where it has filters or several apps.
async fn kept(
    app: &App,
    question: &Question,
    (first, last): (Day, Day),
) -> Result<Option<BTreeMap<Day, KeptTotals>>, Error> {
    let of = match &question.apps {
        _ if !question.query.filters.want_everything() => return Ok(None),
        None => None,
        Some(apps) => match apps.iter().collect::<Vec<_>>()[..] {
            [&app] => Some(app),
            _ => return Ok(None),
        },
    };
    app.catalog.totals_between(question.catalog.id, of, first..=last).await.map(Some)
}

fn days(period: &Period) -> Vec<TrendDay> {
    let day = |day: &headcount_engine::insight::trend::TrendDay| {
        let counted = |number: fn(&Totals) -> u64| day.counted.as_ref().map(number);
        let devices = counted(|totals| totals.devices);
        TrendDay {
            date: day.day.to_string(),
            requests: counted(|totals| totals.requests),
            devices,
            latest: counted(|totals| totals.latest),
            outdated: counted(|totals| totals.outdated),
            held: counted(|totals| totals.held),
            new: day.new,
            returning: devices.zip(day.new).map(|(devices, new)| devices.saturating_sub(new)),
            wau: day.weekly,
            mau: day.monthly,
            stickiness: devices.zip(day.monthly).map(|(devices, monthly)| share(devices, monthly)),
            from_totals: day.from_totals,
        }
    };
    period.days.iter().map(day).collect()
}

fn summary(period: &Period) -> TrendSummary {
    let distinct = |number: fn(&Totals) -> u64| period.distinct.as_ref().map(number);
    TrendSummary {
        requests: period.requests,
        devices: distinct(|totals| totals.devices),
        latest: distinct(|totals| totals.latest),
        outdated: distinct(|totals| totals.outdated),
        held: distinct(|totals| totals.held),
        new: period.new,
    }
}

/// The numbers of a day that may be unknown.
fn numbers(day: &TrendDay) -> [(Metric, Option<u64>); 9] {
    [
        (Metric::Requests, day.requests),
        (Metric::Devices, day.devices),
        (Metric::Latest, day.latest),
        (Metric::Outdated, day.outdated),
        (Metric::Held, day.held),
        (Metric::New, day.new),
        (Metric::Returning, day.returning),
        (Metric::Wau, day.wau),
        (Metric::Mau, day.mau),
    ]
}

fn unknown_days<'a>(days: impl Iterator<Item = &'a TrendDay>, reason: &str) -> Vec<Unknown> {
    let mut dates: BTreeMap<Metric, Vec<String>> = BTreeMap::new();
    for day in days {
        for (metric, _) in numbers(day).into_iter().filter(|(_, number)| number.is_none()) {
            dates.entry(metric).or_default().push(day.date.clone());
        }
        if day.stickiness.is_none() {
            dates.entry(Metric::Stickiness).or_default().push(day.date.clone());
        }
    }
    let unknown = |(metric, mut dates): (Metric, Vec<String>)| {
        dates.sort_unstable();
        Unknown { field: metric.name().to_owned(), dates, reason: reason.to_owned() }
    };
    dates.into_iter().map(unknown).collect()
}

fn unknown_ranges(range: &str, summary: &TrendSummary, days: &[TrendDay]) -> Vec<Unknown> {
    let unknown = |metric: Metric, reason: &str, lacks: &dyn Fn(&TrendDay) -> bool| Unknown {
        field: format!("{range}.{}", metric.name()),
        dates: days.iter().filter(|day| lacks(day)).map(|day| day.date.clone()).collect(),
        reason: reason.to_owned(),
    };
    let mut found = Vec::new();
    if summary.requests.is_none() {
        found.push(unknown(Metric::Requests, NOT_EVERY_DAY, &|day| day.requests.is_none()));
    }
    if summary.devices.is_none() {
        for metric in [Metric::Devices, Metric::Latest, Metric::Outdated, Metric::Held] {
            found.push(unknown(metric, NOT_RETAINED, &|day| day.from_totals));
        }
    }
    if summary.new.is_none() {
        found.push(unknown(Metric::New, NOT_EVERY_DAY, &|day| day.new.is_none()));
    }
    found
}

impl Tables for Trend {
    fn tables(&self) -> Vec<Table> {
        vec![table("days", &self.days), table("previous", &self.previous.days)]
    }
}

fn table(name: &'static str, days: &[TrendDay]) -> Table {
    let names = METRICS.map(|metric| Cell::from(metric.name()));
    let row = |day: &TrendDay| {
        let numbers = numbers(day).map(|(_, number)| Cell::from(number));
        let ends = [day.stickiness.into(), day.from_totals.to_string().as_str().into()];
        std::iter::once(Cell::from(&day.date)).chain(numbers).chain(ends).collect()
    };
    Table {
        name,
        header: std::iter::once("date".into()).chain(names).chain(["from_totals".into()]).collect(),
        rows: days.iter().map(row).collect(),
    }
}
