//! What happens to a request before the application sees it, and what is counted of it.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::http::header::TRANSFER_ENCODING;
use axum::http::{HeaderMap, HeaderName, Method, Request};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Incoming;
use ipnet::IpNet;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceExt as _;

use super::Limits;
use super::places::{NoPlace, Place, Places};
use super::sending::Sending;
use super::stream::Progress;
use crate::address;
use crate::config::Config;
use crate::error::{Code, Error};

/// What is answered however many requests are under way: whoever watches the server must not take it for dead.
const ALWAYS: [&str; 2] = ["/health", "/ready"];

/// How long those wait who come at a bad time, in seconds.
const RETRY_AFTER: std::ops::RangeInclusive<u32> = 30..=300;

const OVERLOADED: &str = "the server has too much to do";

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The most addresses that a request may have come by.
const MOST_HOPS: usize = 32;

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// Its address, if the limits of one source hold for it.
    pub limited: Option<IpAddr>,
    /// Whether it reached a trusted proxy over TLS.
    pub is_https: bool,
}

/// Who is slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slow {
    Head,
    Idle,
    Answer,
}

/// The limits of a listener, and what became of those who met them.
#[derive(Debug)]
pub struct Gate {
    pub(super) limits: Limits,
    limits_local: bool,
    trusted_proxies: Vec<IpNet>,
    places: Places,
    in_flight: Semaphore,
    refused: [AtomicU64; 3],
    slow: [AtomicU64; 3],
}

impl Gate {
    /// The gate of the settings.
    pub fn new(config: &Config) -> Self {
        let limits = Limits::of(config);
        Self {
            limits_local: config.limit_local_sources,
            trusted_proxies: config.trusted_proxies.clone(),
            places: Places::new(limits.connections, limits.per_source),
            in_flight: Semaphore::new(limits.in_flight),
            refused: Default::default(),
            slow: Default::default(),
            limits,
        }
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.places.open()
    }

    /// How many requests are being answered.
    pub fn in_flight(&self) -> usize {
        self.limits.in_flight - self.in_flight.available_permits()
    }

    /// How many connections and requests were turned away, by the limit that they met.
    pub fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> {
        count(["connections", "source", "in-flight"], &self.refused)
    }

    /// How many connections were closed because the client was slow, by what it was slow at.
    pub fn slow(&self) -> impl Iterator<Item = (&'static str, u64)> {
        count(["head", "idle", "answer"], &self.slow)
    }

    pub(super) fn place(&self, peer: IpAddr) -> Option<Place> {
        let limited = Some(peer).filter(|&peer| self.is_limited(peer));
        let place = self.places.take(limited);
        match place {
            Ok(_) => {}
            Err(NoPlace::Connections) => self.count_refused(0),
            Err(NoPlace::Source) => self.count_refused(1),
        }
        place.ok()
    }

    /// Whether the limits of one source hold for that peer.
    fn is_limited(&self, peer: IpAddr) -> bool {
        (self.limits_local || !address::is_local(peer)) && !self.trusts(peer)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(&address.to_canonical()))
    }

    /// Where a request comes from, as far as proxies are to be believed.
    fn source(&self, peer: IpAddr, headers: &HeaderMap) -> Source {
        let forwarded: Vec<&str> = hops(headers).collect();
        let sender = address::sender(peer, forwarded.into_iter(), |address| self.trusts(address));
        let nearest = headers.get_all(FORWARDED_PROTO).iter().next_back().and_then(|value| value.to_str().ok());
        let is_https = nearest.and_then(|list| list.rsplit(',').next()).is_some_and(|proto| proto.trim() == "https");
        Source { limited: sender.filter(|&sender| self.is_limited(sender)), is_https: is_https && self.trusts(peer) }
    }

    pub(super) fn place_to_leave(&self) -> Option<OwnedSemaphorePermit> {
        self.places.take_to_leave()
    }

    pub(super) fn count_slow(&self, who: Slow) {
        self.slow[who as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn count_refused(&self, limit: usize) {
        self.refused[limit].fetch_add(1, Ordering::Relaxed);
    }

    /// Why the request is answered without the application, if it is.
    fn refusal(&self, request: &Request<Incoming>, lengths: u32) -> Option<Error> {
        let uri = request.uri().path_and_query().map_or("", |uri| uri.as_str());
        if uri.len() > self.limits.uri_bytes {
            let most = self.limits.uri_bytes;
            let error = Error::new(Code::UriTooLong, "the path and the query are too long");
            return Some(error.accepted(format!("at most {most} bytes")));
        }
        if request.headers().contains_key(FORWARDED_FOR) && hops(request.headers()).count() > MOST_HOPS {
            let error = Error::invalid("X-Forwarded-For", "too many proxies");
            return Some(error.accepted(format!("at most {MOST_HOPS} addresses")));
        }
        // A proxy in front may take another length than this server does, and so see other requests.
        let is_chunked = request.headers().contains_key(TRANSFER_ENCODING);
        let may_be_chunked = matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH);
        if lengths > 1 || (is_chunked && (lengths > 0 || !may_be_chunked)) {
            let error = Error::new(Code::Invalid, "the length of the body is ambiguous");
            return Some(error.accepted("one Content-Length, or, with POST, PUT and PATCH, chunked"));
        }
        None
    }
}

/// The addresses that proxies have noted, the last one by the nearest.
fn hops(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lists = headers.get_all(FORWARDED_FOR).iter();
    lists.flat_map(|list| list.to_str().unwrap_or_default().split(','))
}

fn count<const COUNT: usize>(
    names: [&'static str; COUNT],
    counters: &[AtomicU64; COUNT],
) -> impl Iterator<Item = (&'static str, u64)> {
    names.into_iter().zip(counters.each_ref().map(|counter| counter.load(Ordering::Relaxed)))
}

/// Answers a request: by the application, where the limits allow it.
pub(super) async fn answer(
    router: Router,
    gate: Arc<Gate>,
    progress: Arc<Progress>,
    (peer, mut request): (IpAddr, Request<Incoming>),
) -> Result<Response, Infallible> {
    let source = gate.source(peer, request.headers());
    request.extensions_mut().insert(source);
    let lengths = progress.begin();
    let response = match gate.refusal(&request, lengths) {
        Some(error) => error.into_response(),
        None => match gate.in_flight.try_acquire() {
            Ok(_place) => router.oneshot(request).await?,
            Err(_) if ALWAYS.contains(&request.uri().path()) => router.oneshot(request).await?,
            Err(_) => {
                gate.count_refused(2);
                Error::new(Code::Unavailable, OVERLOADED).retry_after(retry_after()).into_response()
            }
        },
    };
    Ok(Sending::until_sent(response, progress))
}

fn retry_after() -> u32 {
    rand::random_range(RETRY_AFTER)
}

/// The whole reply to a connection that has no place.
pub(super) fn no_place() -> String {
    let body = format!(r#"{{"error":"{OVERLOADED}","code":"unavailable"}}"#);
    format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\nRetry-After: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len(),
        retry_after(),
    )
}
