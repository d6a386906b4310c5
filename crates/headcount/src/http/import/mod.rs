//! `POST /telemetry/import`: checks that were made earlier, or elsewhere.

mod line;
mod lines;
mod numbered;

use aide::OperationInput;
use aide::axum::routing::post_with;
use aide::generate::GenContext;
use aide::openapi::{MediaType, Operation, ReferenceOr, RequestBody, SchemaObject};
use aide::transform::TransformOperation;
use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequest, Request, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use headcount_api::error::ErrorBody;
use headcount_api::import::{ImportLine, ImportReply};
use headcount_engine::row;

use self::line::Against;
use self::lines::{Pieces, Reader};
use self::numbered::Numbered;
use crate::app::App;
use crate::catalog::kind::Kind;
use crate::catalog::tokens::TokenScope;
use crate::error::{Code, Error};
use crate::http::extract::Principal;
use crate::http::policy::{Policy, Routes};
use crate::spool::{SpoolError, WholeImport};

/// The most events of one row of the spool.
const ROW_EVENTS: usize = 10_000;

pub(super) fn routes() -> Routes {
    Routes::new().route(
        "/telemetry/import",
        Policy::ADMINISTRATOR.or_token(TokenScope::TelemetryImport),
        post_with(import, describe),
    )
}

async fn import(
    State(app): State<App>,
    caller: Principal,
    Numbered(number): Numbered,
    Ndjson(body): Ndjson,
) -> Result<Response, Error> {
    let owner = caller.owner;
    if !app.config.telemetry {
        return Err(Error::telemetry_off());
    }
    if app.spool.is_full() {
        return Err(Error::new(Code::Unavailable, "the spool has no room left").retry_after(60));
    }
    let _place = app
        .imports
        .try_acquire()
        .map_err(|_| Error::new(Code::TooMany, "too many imports are under way").retry_after(5))?;
    let body = (Pieces::of(body), Reader::new(against(&app, &caller).await?));
    let reply = match number {
        Some(number) => numbered::import(&app, owner, number, body).await?,
        None => serde_json::to_vec(&import_whole(&app, body).await?).map_err(Error::internal)?,
    };
    // What is counted is in no database: without the note it is counted all the same.
    if let Err(error) = app.catalog.note_elsewhere(caller.by(), ("telemetry", "import"), owner.0).await {
        tracing::warn!(%error, "an import is not in the audit log");
    }
    Ok(([(header::CONTENT_TYPE, "application/json")], reply).into_response())
}

async fn against(app: &App, caller: &Principal) -> Result<Against, Error> {
    let apps = app.catalog.apps_of(caller.reach(Kind::App)).await?;
    let snapshot = app.catalog.snapshot();
    let catalog = snapshot.owner(caller.owner).cloned();
    Ok(Against {
        catalog: catalog.ok_or_else(|| Error::internal("an owner without a catalog"))?,
        apps,
        secret: app.catalog.installation().secret,
        first_day: app.reports.first_day(caller.owner),
        now: app.clock.now(),
    })
}

/// Counts all good lines of a body, once it was read to its end; until then, none.
async fn import_whole(app: &App, (mut pieces, mut reader): (Pieces, Reader)) -> Result<ImportReply, Error> {
    let mut import = WholeImport::begin(app.spool.clone(), app.clock.now());
    while let Some(piece) = pieces.next().await? {
        reader.read(&piece);
        while reader.events.len() >= ROW_EVENTS {
            import.append(row::encode(&reader.take_row(ROW_EVENTS))).await?;
        }
    }
    reader.end();
    if !reader.events.is_empty() {
        import.append(row::encode(&reader.take_row(ROW_EVENTS))).await?;
    }
    if reader.reply.accepted > 0 {
        import.seal().await?;
        // It is on disk and will be counted: to be told otherwise, the caller would send it again.
        if let Err(lagging) = app.shipping.flush().await {
            tracing::warn!(%lagging, "an import is recorded and not in the store yet");
        }
    }
    Ok(reader.reply)
}

impl From<SpoolError> for Error {
    fn from(error: SpoolError) -> Self {
        tracing::error!(%error, "an import failed");
        Self::new(Code::Unavailable, "the spool cannot be written").retry_after(5)
    }
}

/// The body as a stream; the limit of other bodies does not hold for it.
#[derive(Debug)]
struct Ndjson(Body);

impl<S: Send + Sync> FromRequest<S> for Ndjson {
    type Rejection = Error;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Error> {
        Ok(Self(request.into_body()))
    }
}

impl OperationInput for Ndjson {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let line = ctx.schema.subschema_for::<ImportLine>();
        let media = MediaType {
            schema: Some(SchemaObject { json_schema: line, external_docs: None, example: None }),
            ..MediaType::default()
        };
        operation.request_body = Some(ReferenceOr::Item(RequestBody {
            description: Some("JSON objects, one a line of at most 4096 bytes.".to_owned()),
            content: [("application/x-ndjson".to_owned(), media)].into_iter().collect(),
            required: true,
            ..RequestBody::default()
        }));
    }
}

fn describe(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    operation
        .summary("Count checks that were made earlier, or elsewhere")
        .description(
            "Lines may come in any order: `at` decides. A line is rejected alone: for an unknown name, a bad device id or \
             version, a day outside the retention or more than an hour ahead, or because it is not a JSON object; other \
             fields are passed over. Without `Import-Id` the body is one import: broken off, nothing of it counts. With \
             `Import-Id` and `Import-Chunk` a chunk of at most 10,000 lines counts once: sent again, it gets the first \
             reply; another body under its number is refused with 409, and so is a gap. After a 503 or a broken connection, \
             send the chunk again.",
        )
        .response_with::<200, Json<ImportReply>, _>(|reply| reply.description("What became of the lines."))
        .response_with::<408, Json<ErrorBody>, _>(|reply| reply.description("The body paused for too long."))
        .response_with::<409, Json<ErrorBody>, _>(|reply| reply.description("The chunk is not the next one."))
        .response_with::<413, Json<ErrorBody>, _>(|reply| reply.description("The chunk has too many lines."))
        .response_with::<503, Json<ErrorBody>, _>(|reply| reply.description("Try again after `Retry-After`."))
}
