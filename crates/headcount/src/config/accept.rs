//! What a setting's text must look like. Each function parses one form and says what is wrong with the rest.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use axum::http::HeaderValue;
use headcount_engine::name::UserName;
use ipnet::IpNet;
use reqwest::Url;
use secrecy::SecretString;

use super::{Database, LogFormat, PublicUrl, RedisTarget};

/// A parsed value, or what is wrong with the text. The reason never repeats a secret.
pub(super) type Parsed<T> = Result<T, String>;

const API_KEY_LENGTH: usize = 16;
const SECRET_KEY_LENGTH: usize = 32;

/// Keys that stand in public examples, so that everybody knows them.
const PUBLISHED_KEYS: [&str; 1] = ["UHp3aKb40fwpoKZluZByWQ"];

pub(super) fn address(text: &str) -> Parsed<SocketAddr> {
    text.parse().map_err(|_| format!("`{text}` is not an IP address and a port"))
}

pub(super) fn optional_address(text: &str) -> Parsed<Option<SocketAddr>> {
    if text.is_empty() { Ok(None) } else { address(text).map(Some) }
}

/// Networks; an address alone is a network of one.
pub(super) fn networks(text: &str) -> Parsed<Vec<IpNet>> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    text.split(',').map(|entry| network(entry.trim())).collect()
}

fn network(entry: &str) -> Parsed<IpNet> {
    let alone = || entry.parse::<std::net::IpAddr>().map(IpNet::from);
    entry.parse().or_else(|_| alone()).map_err(|_| format!("`{entry}` is neither an IP address nor a network"))
}

/// The form of `PORT`, which is half an address.
pub(super) const PORT_FORM: &str = "a port number from 0 to 65535";

pub(super) fn port(text: &str) -> Parsed<u16> {
    number(text, &(0..=u16::MAX))
}

pub(super) fn path(text: &str) -> Parsed<PathBuf> {
    if text.contains('\0') { Err("a path has no NUL byte".to_owned()) } else { Ok(text.into()) }
}

pub(super) fn switch(text: &str) -> Parsed<bool> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("`{text}` is neither")),
    }
}

/// Exact origins, without the two that would let any page in.
pub(super) fn origins(text: &str) -> Parsed<Vec<HeaderValue>> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    text.split(',').map(|entry| origin(entry.trim())).collect()
}

pub(super) fn public_url(text: &str) -> Parsed<Option<PublicUrl>> {
    if text.is_empty() {
        return Ok(None);
    }
    // As browsers write it: without a port that goes without saying.
    let written = Url::parse(text).ok().map(|url| url.origin().ascii_serialization());
    let is_web = text.starts_with("http://") || text.starts_with("https://");
    if is_web && written.as_deref() == Some(text) {
        return Ok(Some(PublicUrl(text.to_owned())));
    }
    Err(format!("`{text}` is not the origin of a web page"))
}

fn origin(entry: &str) -> Parsed<HeaderValue> {
    let is_origin = entry.split_once("://").is_some_and(|(scheme, host)| {
        scheme.starts_with(|first: char| first.is_ascii_lowercase())
            && scheme.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+.-".contains(&byte))
            && !host.is_empty()
            && host.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]_".contains(&byte))
    });
    if !is_origin {
        return Err(format!("`{entry}` is not an origin"));
    }
    HeaderValue::from_str(entry).map_err(|_| format!("`{entry}` is not an origin"))
}

pub(super) fn api_key(text: &str) -> Parsed<Option<SecretString>> {
    match text.len() {
        0 => Ok(None),
        length if length < API_KEY_LENGTH => Err(format!("it has {length} bytes")),
        _ if PUBLISHED_KEYS.contains(&text) => Err("it stands in a public example".to_owned()),
        _ => Ok(Some(text.into())),
    }
}

pub(super) fn secret_key(text: &str) -> Parsed<Option<SecretString>> {
    match text.len() {
        0 => Ok(None),
        length if length < SECRET_KEY_LENGTH => Err(format!("it has {length} bytes")),
        _ if text.bytes().all(|byte| Some(byte) == text.bytes().next()) => Err("it is one character".to_owned()),
        _ => Ok(Some(text.into())),
    }
}

/// An issuer, to be compared byte by byte. Without TLS nobody could trust what it says, unless it is on this machine.
pub(super) fn issuer(text: &str) -> Parsed<Option<String>> {
    if text.is_empty() {
        return Ok(None);
    }
    let url = Url::parse(text).map_err(|error| format!("`{text}` is no URL: {error}"))?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_local = host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    let is_trusted = url.scheme() == "https" || url.scheme() == "http" && is_local;
    if !is_trusted || url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return Err(format!("`{text}` is no issuer"));
    }
    Ok(Some(text.to_owned()))
}

pub(super) fn scopes(text: &str) -> Parsed<String> {
    if text.split(' ').any(|scope| scope == "openid") {
        Ok(text.to_owned())
    } else {
        Err("openid is missing".to_owned())
    }
}

pub(super) fn text(text: &str) -> Parsed<String> {
    if text.chars().any(char::is_control) { Err("it has control characters".to_owned()) } else { Ok(text.to_owned()) }
}

pub(super) fn optional_text(given: &str) -> Parsed<Option<String>> {
    text(given).map(|text| Some(text).filter(|text| !text.is_empty()))
}

pub(super) fn user_name(text: &str) -> Parsed<Option<UserName>> {
    if text.is_empty() {
        return Ok(None);
    }
    let name = text.to_ascii_lowercase().parse().map_err(|_| format!("`{text}` is not a user name"))?;
    Ok(Some(name))
}

pub(super) fn redis_url(text: &str) -> Parsed<Option<RedisTarget>> {
    if text.is_empty() { Ok(None) } else { text.parse().map(Some) }
}

pub(super) fn host(text: &str) -> Parsed<Option<String>> {
    let is_host = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte));
    let host = Some(text.to_owned()).filter(|host| !host.is_empty());
    if is_host { Ok(host) } else { Err(format!("`{text}` is neither a name nor an address")) }
}

/// Any text, which is shown nowhere.
#[expect(clippy::unnecessary_wraps, reason = "it is one of the parsers of settings")]
pub(super) fn secret(text: &str) -> Parsed<Option<SecretString>> {
    Ok(Some(text).filter(|text| !text.is_empty()).map(Into::into))
}

pub(super) fn optional_path(text: &str) -> Parsed<Option<PathBuf>> {
    if text.is_empty() { Ok(None) } else { path(text).map(Some) }
}

/// What the names of keys begin with: nothing that means something in them.
pub(super) fn prefix(text: &str) -> Parsed<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let fits = (1..=32).contains(&text.len()) && text.bytes().all(is_plain);
    if fits { Ok(text.to_owned()) } else { Err(format!("`{text}` is not such a prefix")) }
}

pub(super) fn database(text: &str) -> Parsed<Database> {
    match text {
        "sqlite" => Ok(Database::Sqlite),
        _ if is_postgres(text) => Ok(Database::Postgres(text.into())),
        _ => Err("it is neither".to_owned()),
    }
}

fn is_postgres(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "postgres" | "postgresql") && url.path().len() > 1)
}

pub(super) fn number<N: FromStr + PartialOrd>(text: &str, range: &RangeInclusive<N>) -> Parsed<N> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = if digits { text.parse().ok() } else { None };
    number.filter(|number| range.contains(number)).ok_or_else(|| format!("`{text}` is not a whole number in the range"))
}

/// At least 1 MiB; at most what an `i64` of SQLite holds.
pub(super) fn bytes(text: &str) -> Parsed<u64> {
    number(text, &(1 << 20..=i64::MAX as u64))
}

pub(super) fn hours(text: &str, range: &RangeInclusive<u64>) -> Parsed<Duration> {
    Ok(Duration::from_hours(number(text, range)?))
}

pub(super) fn milliseconds(text: &str, range: &RangeInclusive<u64>) -> Parsed<Duration> {
    Ok(Duration::from_millis(number(text, range)?))
}

pub(super) fn level(text: &str) -> Parsed<tracing::Level> {
    match text {
        "error" => Ok(tracing::Level::ERROR),
        "warn" => Ok(tracing::Level::WARN),
        "info" => Ok(tracing::Level::INFO),
        "debug" => Ok(tracing::Level::DEBUG),
        "trace" => Ok(tracing::Level::TRACE),
        _ => Err(format!("`{text}` is not a level")),
    }
}

pub(super) fn log_format(text: &str) -> Parsed<LogFormat> {
    match text {
        "json" => Ok(LogFormat::Json),
        "text" => Ok(LogFormat::Text),
        _ => Err(format!("`{text}` is neither")),
    }
}
