//! An import in numbered chunks: each counts once, over all instances and restarts.

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::Operation;
use aide::operation::{ParamLocation, add_parameters, parameters_from_schema};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use headcount_api::import::{CHUNK_BYTES, CHUNK_LINES};
use headcount_engine::id::OwnerId;
use headcount_engine::mark::{Mark, SpoolId};
use headcount_engine::row;
use schemars::JsonSchema;

use super::lines::{Pieces, Reader};
use crate::app::App;
use crate::error::{Code, Error};
use crate::spool::{Placed, Receipt, StoredRow};

const ID: HeaderName = HeaderName::from_static("import-id");
const CHUNK: HeaderName = HeaderName::from_static("import-chunk");
const ID_FORM: &str = "a UUID such as 0f8fad5b-d9cb-469f-a165-70867728950e";
const CHUNK_FORM: &str = "a whole number from 0 to 4294967295";

/// Which chunk of which import a body is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number {
    id: [u8; 16],
    chunk: u32,
}

/// What the headers say: one of several chunks, or a whole import.
#[derive(Debug)]
pub(super) struct Numbered(pub(super) Option<Number>);

impl<S: Send + Sync> FromRequestParts<S> for Numbered {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Error> {
        let id = only(&parts.headers, &ID, "Import-Id", ID_FORM)?;
        let chunk = only(&parts.headers, &CHUNK, "Import-Chunk", CHUNK_FORM)?;
        match (id, chunk) {
            (None, None) => Ok(Self(None)),
            (Some(id), Some(chunk)) => {
                let id = uuid(id).ok_or_else(|| Error::invalid("Import-Id", "invalid Import-Id").accepted(ID_FORM))?;
                let digits = Some(chunk).filter(|chunk| chunk.bytes().all(|byte| byte.is_ascii_digit()));
                let chunk = digits.and_then(|chunk| chunk.parse().ok());
                let refused = || Error::invalid("Import-Chunk", "invalid Import-Chunk").accepted(CHUNK_FORM);
                Ok(Self(Some(Number { id, chunk: chunk.ok_or_else(refused)? })))
            }
            (Some(_), None) => Err(alone("Import-Chunk", "Import-Id is given without Import-Chunk")),
            (None, Some(_)) => Err(alone("Import-Id", "Import-Chunk is given without Import-Id")),
        }
    }
}

fn alone(missing: &'static str, message: &'static str) -> Error {
    Error::invalid(missing, message).accepted("both Import-Id and Import-Chunk, or neither")
}

/// The value of a header that may be given once.
fn only<'a>(
    headers: &'a HeaderMap,
    header: &HeaderName,
    name: &'static str,
    form: &'static str,
) -> Result<Option<&'a str>, Error> {
    let mut given = headers.get_all(header).iter();
    let refused = |message: String| Error::invalid(name, message).accepted(form);
    match (given.next(), given.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| refused(format!("invalid {name}"))),
        (Some(_), Some(_)) => Err(refused(format!("{name} is given twice"))),
    }
}

/// The bytes of a UUID of the form 8-4-4-4-12.
fn uuid(text: &str) -> Option<[u8; 16]> {
    const HYPHENS: [usize; 4] = [8, 13, 18, 23];
    let is_right =
        text.len() == 36 && text.bytes().enumerate().all(|(at, byte)| (byte == b'-') == HYPHENS.contains(&at));
    let mut id = [0; 16];
    let digits = text.replace('-', "");
    (is_right && hex::decode_to_slice(digits, &mut id).is_ok()).then_some(id)
}

impl Number {
    /// Every instance that gets a chunk of this import writes it under this id.
    fn spool(self, owner: OwnerId) -> SpoolId {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"import").update(owner.0.as_bytes()).update(&self.id);
        let mut id = [0; 16];
        id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        SpoolId(id)
    }

    fn other_body(self) -> Error {
        Error::new(Code::Conflict, format!("chunk {} of this import had another body", self.chunk))
            .field("Import-Chunk")
    }
}

/// Counts a chunk, unless it was counted before: the body of the reply, which is the same each time.
pub(super) async fn import(
    app: &App,
    owner: OwnerId,
    number: Number,
    body: (Pieces, Reader),
) -> Result<Vec<u8>, Error> {
    let (mut reader, tag) = read(body).await?;
    let (spool, mark) = (number.spool(owner), Mark { row: u64::from(number.chunk), tag });
    if let Some(reply) = stored_reply(app, owner, (spool, mark), number).await? {
        return Ok(reply);
    }
    let bytes = serde_json::to_vec(&reader.reply).map_err(Error::internal)?;
    let row = reader.take_row(usize::MAX);
    let row = StoredRow { mark, body: row::encode(&row), receipt: Some(Receipt { owner, bytes }) };
    let shipped = app.store.marks(spool).await?.get(&owner).copied();
    let (journal, now) = (app.spool.clone(), app.clock.now());
    let placed = tokio::task::spawn_blocking(move || journal.place(spool, now, &row, shipped));
    match placed.await.map_err(Error::internal)?? {
        Placed::There(_) => {}
        Placed::Taken => return Err(number.other_body()),
        Placed::OutOfOrder(next) => {
            let message = format!("chunk {next} of this import is expected, not chunk {}", number.chunk);
            return Err(Error::new(Code::Conflict, message).field("Import-Chunk").accepted(next.to_string()));
        }
        Placed::Busy => {
            let message = "another chunk of this import is being written";
            return Err(Error::new(Code::Conflict, message).field("Import-Id").retry_after(1));
        }
    }
    let late = || {
        let message = "the chunk is recorded, and the telemetry store lags behind: send it again for its reply";
        Error::new(Code::Unavailable, message).retry_after(5)
    };
    app.shipping.flush().await.map_err(|lagging| {
        tracing::error!(%lagging, "an import cannot be answered");
        late()
    })?;
    // Another instance may have shipped another body under this number first.
    stored_reply(app, owner, (spool, mark), number).await?.ok_or_else(late)
}

/// What the store has as the reply to that row.
async fn stored_reply(
    app: &App,
    owner: OwnerId,
    (spool, mark): (SpoolId, Mark),
    number: Number,
) -> Result<Option<Vec<u8>>, Error> {
    match app.store.receipt(owner, spool, mark.row).await? {
        Some((stored, _)) if stored != mark => Err(number.other_body()),
        stored => Ok(stored.map(|(_, reply)| reply)),
    }
}

/// Reads the whole chunk; the tag is that of its bytes.
async fn read((mut pieces, mut reader): (Pieces, Reader)) -> Result<(Reader, [u8; 8]), Error> {
    let mut hasher = blake3::Hasher::new();
    let mut bytes = 0;
    let too_large = || {
        Error::new(Code::TooLarge, "the chunk is too large")
            .field("body")
            .accepted(format!("at most {CHUNK_LINES} lines and {CHUNK_BYTES} bytes a chunk"))
    };
    while let Some(piece) = pieces.next().await? {
        bytes += piece.len() as u64;
        if bytes > CHUNK_BYTES {
            return Err(too_large());
        }
        // With too many lines the rest is read and dropped, so that the client gets to reading the reply.
        if reader.lines <= CHUNK_LINES {
            hasher.update(&piece);
            reader.read(&piece);
        }
    }
    reader.end();
    if reader.lines > CHUNK_LINES {
        return Err(too_large());
    }
    let mut tag = [0; 8];
    tag.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    Ok((reader, tag))
}

/// The headers as the API's description shows them.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Headers {
    /// The id of an import in chunks: a UUID. A chunk counts once, however often it is sent.
    #[serde(rename = "Import-Id")]
    id: Option<String>,
    /// The number of this chunk, from 0 and without gaps; at most 10,000 lines each.
    #[serde(rename = "Import-Chunk")]
    chunk: Option<u32>,
}

impl OperationInput for Numbered {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let headers = ctx.schema.subschema_for::<Headers>();
        let parameters = parameters_from_schema(ctx, headers, ParamLocation::Header);
        add_parameters(ctx, operation, parameters);
    }
}
