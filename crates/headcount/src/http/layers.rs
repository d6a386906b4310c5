//! What holds for every request: who may send it, CORS, the methods that every path has, and the log.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::app::App;
use crate::error::{Code, Error};
use crate::http::extract::{Credential, admitted, token};
use crate::http::policy::{Policies, Policy};
use crate::http::requests::{self, Requests};
use crate::http::web;

/// The routes that any web page may call: they take no credentials and answer nothing private.
const OPEN_PATHS: [&str; 2] = ["/checkVersion", "/telemetry/beacon"];
/// The routes that answer HEAD.
const HEAD_PATHS: [&str; 2] = ["/health", "/ready"];

const OPEN_HEADERS: &str = "Content-Type, Accept, Cache-Control, X-Requested-With, X-Device-ID, X-Download-Token";
const CLOSED_HEADERS: &str = "Content-Type, Content-Length, Accept-Encoding, X-CSRF-Token, Authorization, accept, origin, \
                              Cache-Control, X-Requested-With, X-Device-ID, X-Download-Token, Import-Id, Import-Chunk";

/// What is needed around every request.
#[derive(Debug, Clone)]
pub(super) struct Around {
    pub(super) app: App,
    pub(super) requests: Arc<Requests>,
    pub(super) policies: Arc<Policies>,
}

impl Around {
    /// The request with its caller, if the policy of its route admits it. What no route answers has no policy.
    async fn admit(&self, mut request: Request, path: Option<&str>) -> Result<Request, Error> {
        let Some(path) = path else { return Ok(request) };
        let policy = self.policies.find(request.method(), path)?;
        if policy != Policy::Anyone {
            let credential = Credential(token(&self.app, &request)?.into());
            let caller = admitted(&self.app, &credential, policy).await?;
            request.extensions_mut().insert(credential);
            request.extensions_mut().insert(caller);
        }
        Ok(request)
    }
}

/// Runs around every request, also around those that no route answers.
pub(super) async fn cross_cutting(State(around): State<Around>, request: Request, next: Next) -> Response {
    let started = std::time::Instant::now();
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let origin = request.headers().get(header::ORIGIN).cloned();
    let is_by_cookie = request.headers().contains_key(header::COOKIE);

    let mut response = match (&method, path.as_deref()) {
        (&Method::OPTIONS, Some(_)) => StatusCode::NO_CONTENT.into_response(),
        (&Method::HEAD, Some(path)) if !HEAD_PATHS.contains(&path) => {
            Error::new(Code::MethodNotAllowed, "method not allowed").into_response()
        }
        _ => {
            let answer = async {
                match around.admit(request, path.as_deref()).await {
                    Ok(request) => next.run(request).await,
                    Err(refused) => refused.into_response(),
                }
            };
            within_deadline(&around.app, (&method, path.as_deref()), answer).await
        }
    };
    if response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json") {
        // What the protocol says; clients that compare the whole text know no other.
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    }
    if is_by_cookie && path.is_some() {
        // What a cookie opens is for nobody who shares a cache; the dashboard's files are the same for everybody.
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Some(path) = path.as_deref().filter(|_| tells_methods(&method, response.status())) {
        // The router would name HEAD wherever there is a GET.
        response.headers_mut().insert(header::ALLOW, allowed_methods(&around.policies, path));
    }
    allow_origin(response.headers_mut(), path.as_deref(), origin.as_ref(), &around.app.config.allowed_cors);
    let elsewhere = if response.status() == StatusCode::NOT_FOUND { requests::UNKNOWN } else { web::ROUTE };
    let route = path.as_deref().unwrap_or(elsewhere);
    around.requests.count(route, response.status());
    // The path is that of the route: what callers put into it or behind it stays out of the log.
    tracing::debug!(
        method = method.as_str(),
        path = route,
        status = response.status().as_u16(),
        micros = started.elapsed().as_micros() as u64,
        "answered"
    );
    response
}

/// The routes that read a stream, which has a deadline for each piece.
const STREAMS: [&str; 1] = ["/telemetry/import"];

async fn within_deadline(
    app: &App,
    (method, path): (&Method, Option<&str>),
    answer: impl Future<Output = Response>,
) -> Response {
    if path.is_some_and(|path| STREAMS.contains(&path)) {
        return answer.await;
    }
    let deadline = app.config.request_timeout;
    tokio::time::timeout(deadline, answer).await.unwrap_or_else(|_| {
        let message = format!("the request took more than {} ms", deadline.as_millis());
        if method == Method::GET {
            // It has no body that could have been slow.
            return Error::new(Code::Unavailable, message).retry_after(5).into_response();
        }
        Error::new(Code::TimedOut, message).into_response()
    })
}

/// Whether the answer to that method says which ones the path has.
fn tells_methods(method: &Method, status: StatusCode) -> bool {
    *method == Method::OPTIONS || status == StatusCode::METHOD_NOT_ALLOWED
}

/// The methods that a path answers, as `Allow` lists them.
fn allowed_methods(policies: &Policies, path: &str) -> HeaderValue {
    let head = HEAD_PATHS.contains(&path).then_some(&Method::HEAD);
    let methods = policies.methods(path).chain(head).chain([&Method::OPTIONS]);
    let names: Vec<&str> = methods.map(Method::as_str).collect();
    HeaderValue::from_str(&names.join(", ")).unwrap_or_else(|_| HeaderValue::from_static("OPTIONS"))
}

fn allow_origin(headers: &mut HeaderMap, path: Option<&str>, origin: Option<&HeaderValue>, allowed: &[HeaderValue]) {
    let open = path.is_some_and(|path| OPEN_PATHS.contains(&path));
    if open {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, OPTIONS"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(OPEN_HEADERS));
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Headcount"));
        return;
    }
    if !allowed.is_empty() {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
    let Some(origin) = origin.filter(|origin| allowed.iter().any(|entry| entry == origin)) else {
        return;
    };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(CLOSED_HEADERS));
    let methods = HeaderValue::from_static("POST, OPTIONS, GET, PUT, DELETE, PATCH");
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Headcount-As-Of, Retry-After"));
}
