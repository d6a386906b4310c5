//! What handlers take: the parsed body, the parsed parameters, the authenticated caller.

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::Operation;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;

use crate::app::App;
pub use crate::catalog::principal::Principal;
use crate::error::{Code, Error};
use crate::http::cookie::Way;
use crate::http::policy::Policy;
use crate::http::query::Query;

/// The parameters of a query string as a struct of `Option<String>` fields.
#[derive(Debug)]
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Error> {
        Self::parse(parts.uri.query().unwrap_or_default())
    }
}

impl<T: DeserializeOwned> Params<T> {
    /// The parameters of a query string, without its `?`.
    ///
    /// # Errors
    /// 400 that names what is malformed.
    pub fn parse(query: &str) -> Result<Self, Error> {
        let query = Query::parse(query)?;
        // A JSON value, because serde's own maps of texts cannot give an optional one.
        let parameters = query.iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        let parsed = T::deserialize(serde_json::Value::Object(parameters));
        parsed.map(Self).map_err(|error| Error::invalid("query", error.to_string()))
    }
}

impl<T: JsonSchema> OperationInput for Params<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        axum::extract::Query::<T>::operation_input(ctx, operation);
    }
}

/// A JSON body of that type.
#[derive(Debug)]
pub struct Body<T>(pub T);

/// A type that is read from a JSON body.
pub trait RequestBody: DeserializeOwned {
    /// The contract's string for a body that is not JSON of this type.
    const REFUSAL: &'static str = "Invalid request body";
}

impl<T: RequestBody, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let bytes = body_bytes(request, state).await?;
        let refused = |why: &str| Error::invalid("body", T::REFUSAL).details(shortened(why));
        // Serde would take the fields of an object from an array as well, by their position.
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            return Err(refused("expected a JSON object"));
        }
        serde_json::from_slice(&bytes).map(Self).map_err(|error| refused(&error.to_string()))
    }
}

/// A parser's complaint without the long texts that it may quote.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 200;
    text.chars().take(LONGEST).collect()
}

impl<T: JsonSchema> OperationInput for Body<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        axum::Json::<T>::operation_input(ctx, operation);
    }
}

/// Reads a whole body within the limit of its route.
pub async fn body_bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Error> {
    Bytes::from_request(request, state).await.map_err(|rejection| {
        if rejection.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
            Error::new(Code::TooLarge, "request body is too large")
        } else {
            Error::invalid("body", "request body could not be read")
        }
    })
}

/// The token that a request is sent with: that of its header, else that of its cookie.
///
/// # Errors
/// 401 where there is none; 403 where the cookie does not count, because a page of another server may have sent it.
pub(super) fn token(app: &App, request: &Request) -> Result<String, Error> {
    if !request.headers().contains_key(header::AUTHORIZATION)
        && let Some(token) = Way::of_request(app, request).session_token(request.method())?
    {
        return Ok(token.to_owned());
    }
    bearer_token(request.headers()).map(str::to_owned)
}

/// Who holds that token.
///
/// # Errors
/// 401 for anybody who is not known.
pub(super) async fn authenticate(app: &App, token: &str) -> Result<Principal, Error> {
    let known = app.catalog.principal_of_token(token).await?;
    known.ok_or_else(|| Error::new(Code::Unauthenticated, "invalid or expired token"))
}

/// The token by which the caller is known whom the policy of the route has admitted.
#[derive(Debug, Clone)]
pub(super) struct Credential(pub(super) SecretString);

/// Who holds that token now, if the policy admits them.
///
/// # Errors
/// 401 for anybody who is not known, 403 for whom the policy does not admit.
pub(super) async fn admitted(app: &App, credential: &Credential, policy: Policy) -> Result<Principal, Error> {
    let caller = authenticate(app, credential.0.expose_secret()).await?;
    policy.admit(&caller)?;
    Ok(caller)
}

/// The caller whom the policy of the route has admitted; a route that anyone may call has none.
impl FromRequestParts<App> for Principal {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, Error> {
        let admitted = parts.extensions.get::<Self>().cloned();
        admitted.ok_or_else(|| Error::internal("a route that anyone may call asks for its caller"))
    }
}

impl OperationInput for Principal {}

fn bearer_token(headers: &HeaderMap) -> Result<&str, Error> {
    let unauthenticated = |message| Error::new(Code::Unauthenticated, message);
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let header = match (given.next(), given.next()) {
        (None, _) => return Err(unauthenticated("missing authorization header")),
        (Some(header), None) => header.to_str().map_err(|_| unauthenticated("invalid token format"))?,
        (Some(_), Some(_)) => return Err(unauthenticated("invalid token format")),
    };
    if header.trim().is_empty() {
        return Err(unauthenticated("missing authorization header"));
    }
    let mut fields = header.split_whitespace();
    match (fields.next(), fields.next(), fields.next()) {
        (Some("Bearer"), Some(token), None) => Ok(token),
        _ => Err(unauthenticated("invalid token format")),
    }
}
