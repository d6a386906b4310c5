//! `GET /telemetry`.

use aide::axum::IntoApiResponse;
use aide::axum::routing::get_with;
use aide::transform::TransformOperation;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use headcount_api::report::TelemetryReport;
use headcount_engine::report::evaluate;

use crate::app::App;
use crate::catalog::tokens::TokenScope;
use crate::error::Error;
use crate::http::policy::{Policy, Routes};
use crate::http::question::Asked;
use crate::http::{compat, render};

pub(super) fn routes() -> Routes {
    Routes::new().route("/telemetry", Policy::USERS.or_token(TokenScope::TelemetryRead), get_with(telemetry, document))
}

fn document(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    operation
        .summary("Which devices run which version")
        .description(
            "The header `Headcount-As-Of` says which moment the numbers show: they include every event that this instance \
             recorded before the request.",
        )
        .response_with::<200, Json<TelemetryReport>, _>(|response| response.description("The report"))
}

async fn telemetry(State(app): State<App>, asked: Asked) -> Result<impl IntoApiResponse, Error> {
    let Asked { question, apps_named, .. } = asked;
    let (days, admin) = ((question.query.first, question.query.last), question.catalog.name.clone());
    let answer = app.reports.answer(question, |retained| {
        evaluate(&retained.question.query, &retained.sources, &|dimension, value| retained.label(dimension, value))
    });
    let answer = answer.await?;
    let body = compat::render(&answer.numbers, days, &admin, apps_named, &answer.incomplete);
    let as_of = (HeaderName::from_static("headcount-as-of"), render::moment(answer.as_of));
    Ok(([as_of, (header::CACHE_CONTROL, "no-store".to_owned())], Json(body)))
}
