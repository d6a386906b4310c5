//! `GET /telemetry/quality`.

use std::collections::BTreeMap;

use aide::axum::IntoApiResponse;
use aide::axum::routing::get_with;
use axum::extract::State;
use headcount_api::insight::{
    Envelope, PersonalIds, Quality, QualityChecks, RefusedChecks, SharedIds, UnknownVersion, Unserved,
};
use headcount_engine::dimension::{Dimension, Value};
use headcount_engine::id::AppId;
use headcount_engine::insight::quality::{self, Shared, quality};
use headcount_engine::metric::Metric;
use headcount_engine::personal;
use headcount_engine::recorded::{SKIPPED, SkipReason};
use headcount_engine::snapshot::OwnerCatalog;

use super::format::{Cell, Format, Table, Tables};
use super::{READERS, app_name, described, envelope};
use crate::app::App;
use crate::error::Error;
use crate::http::policy::Routes;
use crate::http::question::Asked;

/// What the kinds of unserved demand begin with.
const UNSERVED: &str = "unserved-";

const METRICS: [Metric; 7] = [
    Metric::Counted,
    Metric::WithoutDevice,
    Metric::Refused,
    Metric::Ids,
    Metric::Shared,
    Metric::Unserved,
    Metric::UnknownVersions,
];

pub(super) fn routes() -> Routes {
    Routes::new().route(
        "/telemetry/quality",
        READERS,
        get_with(show, |operation| {
            let tables = "`checks`, `ids`, `shared`, `unserved`, `unknown_versions`";
            described::<Quality>(operation, "What is not counted, and what is counted wrongly", tables)
        }),
    )
}

async fn show(State(app): State<App>, asked: Asked, format: Format) -> Result<impl IntoApiResponse, Error> {
    let (query, catalog) = (asked.question.query.clone(), asked.question.catalog.clone());
    let answer = app.reports.answer(asked.question, move |retained| {
        let catalog = &retained.question.catalog;
        quality(&retained.question.query, &retained.sources, &|app, version| knows(catalog, app, version))
    });
    let answer = answer.await?;
    let envelope = envelope(&query, &answer, &METRICS);
    format.show(&rendered(envelope, &catalog, &answer.numbers))
}

fn knows(catalog: &OwnerCatalog, app: AppId, version: &Value) -> bool {
    version.as_str().parse().is_ok_and(|version| catalog.knows_version(app, &version))
}

fn rendered(envelope: Envelope, catalog: &OwnerCatalog, found: &quality::Quality) -> Quality {
    let named = |app: AppId| app_name(catalog, app);
    let tallies = || found.tallies.iter().map(|((app, kind, value), &checks)| (*app, &**kind, &**value, checks));
    let mut unserved: Vec<Unserved> = tallies()
        .filter_map(|(app, kind, value, checks)| {
            let kind = kind.strip_prefix(UNSERVED)?.to_owned();
            Some(Unserved { app: named(app), kind, value: value.to_owned(), checks })
        })
        .collect();
    unserved.sort_by_key(|row| std::cmp::Reverse(row.checks));
    let ids = tallies().filter(|(_, kind, ..)| *kind == personal::TALLY);
    let mut unknown_versions: Vec<UnknownVersion> = found
        .unknown_versions
        .iter()
        .map(|((app, version), &devices)| UnknownVersion {
            app: named(*app),
            version: version.as_str().into(),
            devices,
        })
        .collect();
    unknown_versions.sort_by_key(|row| std::cmp::Reverse(row.devices));
    let shared = |(&(app, by), &Shared { devices, most }): (&(AppId, Dimension), &Shared)| SharedIds {
        app: named(app),
        by: by.name().to_owned(),
        devices,
        most,
    };
    Quality {
        envelope,
        checks: checks(found),
        ids: ids.map(|(app, _, kind, checks)| PersonalIds { app: named(app), kind: kind.into(), checks }).collect(),
        shared: found.shared.iter().map(shared).collect(),
        unserved,
        unknown_versions,
    }
}

fn checks(found: &quality::Quality) -> QualityChecks {
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for ((_, _, reason), count) in found.tallies.iter().filter(|((_, kind, _), _)| **kind == *SKIPPED) {
        *reasons.entry(reason).or_default() += count;
    }
    let without_device = reasons.remove(SkipReason::NoDevice.name()).unwrap_or_default();
    let mut refused: Vec<RefusedChecks> =
        reasons.into_iter().map(|(reason, checks)| RefusedChecks { reason: reason.to_owned(), checks }).collect();
    refused.sort_by_key(|row| std::cmp::Reverse(row.checks));
    QualityChecks { counted: found.counted, without_device, refused }
}

impl Tables for Quality {
    fn tables(&self) -> Vec<Table> {
        let outcome = |outcome: &str, checks: u64| vec![Cell::from(outcome), checks.into()];
        let QualityChecks { counted, without_device, refused } = &self.checks;
        let mut checks = vec![outcome("counted", *counted), outcome(SkipReason::NoDevice.name(), *without_device)];
        checks.extend(refused.iter().map(|row| outcome(&row.reason, row.checks)));
        let ids = self.ids.iter().map(|row| vec![(&row.app).into(), (&row.kind).into(), row.checks.into()]);
        let shared = self
            .shared
            .iter()
            .map(|row| vec![(&row.app).into(), (&row.by).into(), row.devices.into(), row.most.into()]);
        let unserved = self
            .unserved
            .iter()
            .map(|row| vec![(&row.app).into(), (&row.kind).into(), (&row.value).into(), row.checks.into()]);
        let versions = self.unknown_versions.iter();
        let versions = versions.map(|row| vec![(&row.app).into(), (&row.version).into(), row.devices.into()]);
        vec![
            Table::new("checks", ["outcome", "checks"], checks),
            Table::new("ids", ["app", "kind", "checks"], ids.collect()),
            Table::new("shared", ["app", "by", "devices", "most"], shared.collect()),
            Table::new("unserved", ["app", "kind", "value", "checks"], unserved.collect()),
            Table::new("unknown_versions", ["app", "version", "devices"], versions.collect()),
        ]
    }
}
