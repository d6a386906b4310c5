//! The dashboard: the files that `npm run build` made in `web/`, embedded into the program.
//!
//! It answers what no route answers, and only the addresses of its pages and files: every other unknown path stays a 404
//! in JSON. A program that was built without them says on each page how to get them.

use std::borrow::Cow;

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::response::{IntoResponse as _, Response};
use rust_embed::RustEmbed;

/// How its requests are called where requests are counted.
pub(super) const ROUTE: &str = "(dashboard)";

/// What the addresses of pages begin with. The router in `web/src/app/router.tsx` has the pages themselves.
const PAGES: [&str; 11] = [
    "",
    "sign-in",
    "set-up",
    "versions",
    "platforms",
    "audience",
    "live",
    "attention",
    "catalog",
    "people",
    "preferences",
];

/// The page that shows all others.
const INDEX: &str = "index.html";
/// The files whose names change with their content.
const HASHED: &str = "assets/";

/// Encodings in which files were compressed by the build, the best first, with the ending of their names.
const ENCODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

/// Scripts and styles come from this server only, none stands in a page, and nothing may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const SECURITY: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

const NOT_BUILT: &str = "<!doctype html>
<html lang=\"en\">
<title>Headcount</title>
<h1>Headcount is running, without its dashboard</h1>
<p>This program was built without the dashboard. In a copy of the sources, with Node.js installed, run
<code>make run</code>: it builds both. The API works as it is; <a href=\"/openapi.json\">openapi.json</a> describes it.</p>
</html>
";

#[derive(RustEmbed)]
// The folder is always there, and without a bundle it is empty.
#[folder = "../../web/dist"]
struct Bundle;

/// The page or file at that address; `None` where there is neither.
pub(super) fn answer(request: &Parts) -> Option<Response> {
    answer_from(file, request)
}

fn file(name: &str) -> Option<Cow<'static, [u8]>> {
    Bundle::get(&format!("bundle/{name}")).map(|file| file.data)
}

/// Gives the content of the file of that name.
type Files = fn(&str) -> Option<Cow<'static, [u8]>>;

fn answer_from(files: Files, request: &Parts) -> Option<Response> {
    if request.method != Method::GET {
        return None;
    }
    let path = request.uri.path().strip_prefix('/')?;
    let mut response = if is_page(path) {
        let page = sent(files, INDEX, &request.headers).unwrap_or_else(not_built);
        ([(header::CACHE_CONTROL, "no-cache")], page).into_response()
    } else {
        let caching = if path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
        ([(header::CACHE_CONTROL, caching)], sent(files, path, &request.headers)?).into_response()
    };
    for (name, value) in SECURITY {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Some(response)
}

/// Whether a page has that address, or one above it.
fn is_page(path: &str) -> bool {
    let first = path.split('/').next().unwrap_or_default();
    PAGES.contains(&first) && (path.is_empty() || !first.is_empty())
}

/// The file in the best encoding that the caller accepts.
fn sent(files: Files, name: &str, headers: &HeaderMap) -> Option<Response> {
    let kind = content_type(name)?;
    let encoded = ENCODINGS
        .into_iter()
        .filter(|(encoding, _)| accepts(headers, encoding))
        .find_map(|(encoding, ending)| files(&format!("{name}{ending}")).map(|content| (encoding, content)));
    let mut response = match encoded {
        Some((encoding, content)) => ([(header::CONTENT_ENCODING, encoding)], content).into_response(),
        None => files(name)?.into_response(),
    };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    Some(response)
}

fn not_built() -> Response {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], NOT_BUILT).into_response()
}

/// The kinds of files that a bundle has; no other is served.
fn content_type(name: &str) -> Option<&'static str> {
    Some(match name.rsplit_once('.')?.1 {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "webmanifest" => "application/manifest+json",
        _ => return None,
    })
}

/// Whether the caller takes that encoding: named, and not with a weight of zero.
fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    let lists = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|entry| {
        let (name, parameters) = entry.split_once(';').unwrap_or((entry, ""));
        let weight = parameters.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f32>);
        name.trim().eq_ignore_ascii_case(encoding) && weight.is_ok_and(|weight| weight > 0.0)
    })
}

#[cfg(test)]
mod tests;
