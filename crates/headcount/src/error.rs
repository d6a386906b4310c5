//! The one error of the server: every case has a code, and only the code knows its HTTP status.

use std::borrow::Cow;

use aide::OperationOutput;
use aide::generate::GenContext;
use aide::openapi::{Operation, Response as ApiResponse};
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use headcount_api::error::ErrorBody;

/// The kinds of failure, as clients see them in the field `code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// A parameter, header or field of the body is not acceptable.
    Invalid,
    /// No valid credentials.
    Unauthenticated,
    /// The credentials do not allow it.
    Forbidden,
    /// The installation counts nothing.
    TelemetryOff,
    /// There is no such thing, or none that the caller may see.
    NotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The request takes too long to arrive.
    TimedOut,
    /// It collides with something that exists.
    Conflict,
    /// The body is too large.
    TooLarge,
    /// The path and the query are too long.
    UriTooLong,
    /// The caller should ask less often.
    TooMany,
    /// A fault of the server.
    Internal,
    /// Something that the answer depends on cannot be reached now.
    Unavailable,
}

impl Code {
    const fn status(self) -> StatusCode {
        match self {
            Self::Invalid => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden | Self::TelemetryOff => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TimedOut => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::TelemetryOff => "telemetry_off",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::TimedOut => "timed_out",
            Self::Conflict => "conflict",
            Self::TooLarge => "too_large",
            Self::UriTooLong => "uri_too_long",
            Self::TooMany => "too_many",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
        }
    }
}

/// A failed request: what the caller is told.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    code: Code,
    message: Cow<'static, str>,
    field: Option<Cow<'static, str>>,
    accepted: Option<Cow<'static, str>>,
    details: Option<Cow<'static, str>>,
    retry_after_seconds: Option<u32>,
}

impl Error {
    /// A failure of that kind; `message` is the contract's string where it has one.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        Self { code, message, field: None, accepted: None, details: None, retry_after_seconds: None }
    }

    /// A parameter, header or body field that is not acceptable.
    pub fn invalid(field: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self { field: Some(field.into()), ..Self::new(Code::Invalid, message) }
    }

    /// What every route that needs telemetry answers on an installation without it; the contract's string.
    pub fn telemetry_off() -> Self {
        Self::new(Code::TelemetryOff, "Telemetry is not enabled on this instance")
    }

    /// A fault of the server. The cause goes to the log, not to the caller.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed");
        Self::new(Code::Internal, "internal error")
    }

    /// Adds the parameter, header or body field that is at fault.
    #[must_use]
    pub fn field(self, field: impl Into<Cow<'static, str>>) -> Self {
        Self { field: Some(field.into()), ..self }
    }

    /// Adds the form that would have been accepted.
    #[must_use]
    pub fn accepted(self, accepted: impl Into<Cow<'static, str>>) -> Self {
        Self { accepted: Some(accepted.into()), ..self }
    }

    /// Adds why, in the field `details` that delete routes have.
    #[must_use]
    pub fn details(self, details: impl Into<Cow<'static, str>>) -> Self {
        Self { details: Some(details.into()), ..self }
    }

    /// Adds after how many seconds it is worth trying again.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after_seconds: Some(seconds), ..self }
    }

    /// The kind of failure.
    pub fn code(&self) -> Code {
        self.code
    }
}

impl From<Error> for ErrorBody {
    fn from(error: Error) -> Self {
        let text = |text: Option<Cow<'static, str>>| text.map(Cow::into_owned);
        Self {
            error: error.message.into_owned(),
            code: error.code.name().to_owned(),
            field: text(error.field),
            accepted: text(error.accepted),
            details: text(error.details),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, retry_after) = (self.code.status(), self.retry_after_seconds);
        let mut response = (status, Json(ErrorBody::from(self))).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl OperationOutput for Error {
    type Inner = ErrorBody;

    fn operation_response(ctx: &mut GenContext, operation: &mut Operation) -> Option<ApiResponse> {
        Json::<ErrorBody>::operation_response(ctx, operation)
    }

    fn inferred_responses(ctx: &mut GenContext, operation: &mut Operation) -> Vec<(Option<u16>, ApiResponse)> {
        Self::operation_response(ctx, operation).map(|response| (None, response)).into_iter().collect()
    }
}
