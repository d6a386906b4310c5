//! The cookie by which a browser holds its session, and the pages from which it is taken.
//!
//! Browsers send a cookie with whatever any page asks for, so a cookie alone does not say that the user wants it. Three
//! things do: the cookie goes with requests of this site only (`SameSite=Strict`), what writes must come from a page of
//! this server, and its body must be of a kind that no form of another page can send.

use std::net::IpAddr;

use aide::OperationInput;
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use crate::address;
use crate::app::App;
use crate::catalog::sessions::{SESSION_PREFIX, Token};
use crate::config::{Config, PublicUrl};
use crate::error::{Code, Error};
use crate::http::server::Source;
use crate::oidc;

/// What browsers call the cookie where it is sent over TLS only: with this prefix they take it from nobody else.
const SECURE_NAME: &str = "__Host-headcount";
/// What they call it where there is no TLS.
const PLAIN_NAME: &str = "headcount";

/// What they call the cookie of a sign-in through a provider that has not ended.
const SECURE_PENDING: &str = "__Host-headcount-sign-in";
/// The same where there is no TLS.
const PLAIN_PENDING: &str = "headcount-sign-in";

/// The most characters that are kept of a `User-Agent`.
const LONGEST_AGENT: usize = 200;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What bodies may be: what the routes take, but for the kinds that any page may send to any server.
const BODIES: [&str; 3] = ["application/json", "multipart/form-data", "application/x-ndjson"];

/// How a request came in, for handlers that set the cookie or note who logs in.
#[derive(Debug)]
pub(super) struct Arrival {
    headers: HeaderMap,
    /// Where it comes from.
    pub(super) source: Source,
}

impl FromRequestParts<App> for Arrival {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, Error> {
        let unknown = Source { limited: None, is_https: false };
        let source = parts.extensions.get().copied().unwrap_or(unknown);
        Ok(Self { headers: parts.headers.clone(), source })
    }
}

impl OperationInput for Arrival {}

impl Arrival {
    /// Its way.
    pub(super) fn way<'a>(&'a self, app: &'a App) -> Way<'a> {
        Way::of(app, &self.headers, Some(&self.source))
    }

    /// The program that sends it, as it says itself, shortened.
    pub(super) fn agent(&self) -> String {
        let said = self.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
        said.chars().take(LONGEST_AGENT).collect()
    }

    /// The network that it comes from, if the limits of one source hold for it.
    pub(super) fn network(&self) -> Option<IpAddr> {
        self.source.limited.map(|address| address::prefix(address, 24, 48))
    }
}

/// How a request came in, as far as a cookie depends on it.
#[derive(Debug)]
pub(super) struct Way<'a> {
    headers: &'a HeaderMap,
    config: &'a Config,
    is_secure: bool,
}

impl<'a> Way<'a> {
    /// The way of a request.
    pub(super) fn of(app: &'a App, headers: &'a HeaderMap, source: Option<&Source>) -> Self {
        let config = &app.config;
        let is_secure =
            config.public_url.as_ref().is_some_and(PublicUrl::is_https) || source.is_some_and(|source| source.is_https);
        Self { headers, config, is_secure }
    }

    /// The way of a request that is not taken apart yet.
    pub(super) fn of_request(app: &'a App, request: &'a Request) -> Self {
        Self::of(app, request.headers(), request.extensions().get())
    }

    fn name(&self) -> &'static str {
        if self.is_secure { SECURE_NAME } else { PLAIN_NAME }
    }

    fn pending_name(&self) -> &'static str {
        if self.is_secure { SECURE_PENDING } else { PLAIN_PENDING }
    }

    /// What the browser was given when it was sent to the provider.
    pub(super) fn pending(&self) -> Option<&'a str> {
        self.cookies().find(|(name, _)| *name == self.pending_name()).map(|(_, sealed)| sealed)
    }

    /// The header that gives it to the browser, which comes back from another site.
    pub(super) fn keep_pending(&self, sealed: &str) -> Result<HeaderValue, Error> {
        self.set_cookie(self.pending_name(), (sealed, oidc::LIFETIME.as_secs()), "Lax")
    }

    /// The header that takes it back.
    pub(super) fn forget_pending(&self) -> Result<HeaderValue, Error> {
        self.set_cookie(self.pending_name(), ("", 0), "Lax")
    }

    /// The session's token that the cookie holds, if there is such a cookie.
    ///
    /// # Errors
    /// 403 where the request does not come from a page of this server; 401 where it has two such cookies.
    pub(super) fn session_token(&self, method: &Method) -> Result<Option<&'a str>, Error> {
        let mut found = self.cookies().filter(|(name, _)| *name == self.name());
        let Some((_, token)) = found.next() else { return Ok(None) };
        if found.next().is_some() || !token.starts_with(SESSION_PREFIX) {
            return Err(Error::new(Code::Unauthenticated, "invalid or expired token"));
        }
        self.admit(method)?;
        Ok(Some(token))
    }

    /// Whether a request with that method may act by the cookie, or make one.
    ///
    /// # Errors
    /// 403 where it does not come from a page of this server, or has a body as other pages can send it.
    pub(super) fn admit(&self, method: &Method) -> Result<(), Error> {
        if matches!(*method, Method::GET | Method::HEAD) {
            // Nothing is changed, and no other page can read the answer unless it says its origin.
            return if self.text(&header::ORIGIN).is_some_and(|origin| !self.is_own(origin)) {
                Err(foreign())
            } else {
                Ok(())
            };
        }
        let is_own_page = match self.text(&SEC_FETCH_SITE) {
            Some(site) => matches!(site, "same-origin" | "none"),
            None => self.text(&header::ORIGIN).is_some_and(|origin| self.is_own(origin)),
        };
        if !is_own_page {
            return Err(foreign());
        }
        let body = self.text(&header::CONTENT_TYPE).map(|kind| kind.split(';').next().unwrap_or_default().trim());
        match body {
            Some(kind) if BODIES.iter().any(|known| known.eq_ignore_ascii_case(kind)) => Ok(()),
            None if *method == Method::DELETE => Ok(()),
            _ => Err(Error::new(Code::Forbidden, "a cookie does not speak for a body of that kind")
                .field("Content-Type")
                .accepted(BODIES.join(", "))),
        }
    }

    /// Whether that is the origin of this server's pages.
    fn is_own(&self, origin: &str) -> bool {
        if let Some(url) = &self.config.public_url {
            return origin == url.as_str();
        }
        let scheme = if self.is_secure { "https://" } else { "http://" };
        let host = self.text(&header::HOST);
        origin.strip_prefix(scheme).is_some_and(|own| Some(own) == host)
    }

    fn text(&self, name: &HeaderName) -> Option<&'a str> {
        // What is no text is nothing that is accepted anywhere here, but it is not nothing.
        self.headers.get(name).map(|value| value.to_str().unwrap_or_default())
    }

    fn cookies(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let lines = self.headers.get_all(header::COOKIE).iter();
        let pairs = lines.flat_map(|line| line.to_str().unwrap_or_default().split(';'));
        pairs.filter_map(|pair| pair.trim().split_once('='))
    }

    /// The header that hands a session to the browser.
    pub(super) fn hand_over(&self, token: &Token) -> Result<HeaderValue, Error> {
        self.set_cookie(self.name(), (token.reveal(), self.config.session.as_secs()), "Strict")
    }

    /// The header that takes it back.
    pub(super) fn take_back(&self) -> Result<HeaderValue, Error> {
        self.set_cookie(self.name(), ("", 0), "Strict")
    }

    fn set_cookie(&self, name: &str, (value, seconds): (&str, u64), same_site: &str) -> Result<HeaderValue, Error> {
        let secure = if self.is_secure { "; Secure" } else { "" };
        let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite={same_site}{secure}");
        let mut header = HeaderValue::from_str(&text).map_err(Error::internal)?;
        header.set_sensitive(true);
        Ok(header)
    }
}

fn foreign() -> Error {
    Error::new(Code::Forbidden, "a cookie is taken from pages of this server only")
        .accepted("Sec-Fetch-Site: same-origin, or the server's own Origin; or Authorization: Bearer")
}
