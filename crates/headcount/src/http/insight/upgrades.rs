//! `GET /telemetry/upgrades`.

use aide::axum::IntoApiResponse;
use aide::axum::routing::get_with;
use axum::extract::State;
use headcount_api::insight::{Flow, FlowEnd, FlowTotals, Upgrades};
use headcount_engine::insight::upgrades::{self, After, Before, LOOK_BACK, upgrades};
use headcount_engine::metric::Metric;

use super::format::{Cell, Format, Table, Tables};
use super::{READERS, described, envelope};
use crate::app::App;
use crate::error::Error;
use crate::http::policy::Routes;
use crate::http::question::Asked;

const METRICS: [Metric; 6] =
    [Metric::FlowDevices, Metric::Stayed, Metric::Moved, Metric::FlowNew, Metric::FlowReturned, Metric::Gone];

pub(super) fn routes() -> Routes {
    Routes::new().route(
        "/telemetry/upgrades",
        READERS,
        get_with(show, |operation| {
            described::<Upgrades>(operation, "Flows from version to version between two days", "`flows`, `totals`")
        }),
    )
}

async fn show(State(app): State<App>, asked: Asked, format: Format) -> Result<impl IntoApiResponse, Error> {
    let mut question = asked.question;
    let query = question.query.clone();
    // What lacks in the days before, among which the versions are looked for, lacks in the answer.
    question.query.first = query.first.plus(1 - LOOK_BACK);
    let answer = app.reports.answer(question, move |retained| {
        let wanted = &retained.question.query;
        upgrades(wanted.first.plus(LOOK_BACK - 1), wanted.last, &wanted.filters, &retained.sources)
    });
    let answer = answer.await?;
    let envelope = envelope(&query, &answer, &METRICS);
    let upgrades::Upgrades { flows, totals } = answer.numbers;
    let upgrades::Totals { stayed, moved, new, returned, gone } = totals;
    let totals = FlowTotals { stayed, moved, new, returned, gone };
    format.show(&Upgrades { envelope, flows: flows.iter().map(flow).collect(), totals })
}

fn flow(flow: &upgrades::Flow) -> Flow {
    let end =
        |kind: &str, version: Option<&str>| FlowEnd { kind: kind.to_owned(), version: version.map(str::to_owned) };
    Flow {
        from: match &flow.from {
            Before::Version(version) => end("version", Some(version.as_str())),
            Before::New => end("new", None),
            Before::Returned => end("returned", None),
        },
        to: match &flow.to {
            After::Version(version) => end("version", Some(version.as_str())),
            After::Gone => end("gone", None),
        },
        devices: flow.devices,
    }
}

impl Tables for Upgrades {
    fn tables(&self) -> Vec<Table> {
        let ends = |end: &FlowEnd| [Cell::from(&end.kind), Cell::from(end.version.as_deref())];
        let row = |flow: &Flow| {
            let [from, from_version] = ends(&flow.from);
            let [to, to_version] = ends(&flow.to);
            vec![from, from_version, to, to_version, flow.devices.into()]
        };
        let header = ["from", "from_version", "to", "to_version", "devices"];
        let FlowTotals { stayed, moved, new, returned, gone } = self.totals;
        let totals = [stayed, moved, new, returned, gone].map(Cell::from).to_vec();
        vec![
            Table::new("flows", header, self.flows.iter().map(row).collect()),
            Table::new("totals", ["stayed", "moved", "new", "returned", "gone"], vec![totals]),
        ]
    }
}
