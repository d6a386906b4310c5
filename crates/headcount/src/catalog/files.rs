//! What may be said of a file: parsed once, at the door.

use headcount_engine::name::Link;
use reqwest::Url;

use crate::error::Error;

/// The longest signature, in bytes.
pub const LONGEST_SIGNATURE: usize = 4096;
/// The largest size, in bytes, that every JSON parser reads exactly.
pub const LARGEST_SIZE: u64 = (1 << 53) - 1;

const ACCEPTED_PACKAGE: &str = r"empty, or ^\.[A-Za-z0-9][A-Za-z0-9._-]{0,30}$";

/// One file of a release, as a caller registers it.
#[derive(Debug, Clone)]
pub struct File {
    /// The name of the platform.
    pub platform: Option<String>,
    /// The name of the architecture.
    pub arch: Option<String>,
    /// The extension with its dot, or empty.
    pub package: String,
    /// Where it lies.
    pub link: Link,
    /// Its signature.
    pub signature: Option<String>,
    /// Its SHA-512, in base64 or hex.
    pub sha512: Option<String>,
    /// Its size in bytes.
    pub size: Option<u64>,
}

impl File {
    /// Checks what a caller sent as the artifact number `at`.
    ///
    /// # Errors
    /// 400 that names the field.
    pub fn parse(at: usize, given: headcount_api::release::Artifact) -> Result<Self, Error> {
        let refuse = |field: &str, accepted: &'static str| {
            Error::invalid(format!("artifacts[{at}].{field}"), format!("invalid {field}")).accepted(accepted)
        };
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        let file = Self {
            link: link(&given.link).ok_or_else(|| refuse("link", Link::ACCEPTED))?,
            platform: filled(given.platform),
            arch: filled(given.arch),
            package: given.package,
            signature: filled(given.signature),
            sha512: filled(given.sha512),
            size: given.size,
        };
        if !is_package(&file.package) {
            return Err(refuse("package", ACCEPTED_PACKAGE));
        }
        if !file.signature.as_deref().is_none_or(is_signature) {
            return Err(refuse("signature", "at most 4,096 bytes of ASCII text"));
        }
        if !file.sha512.as_deref().is_none_or(is_sha512) {
            return Err(refuse("sha512", "64 bytes in base64 (88 characters) or hex (128 characters)"));
        }
        if file.size.is_some_and(|size| size > LARGEST_SIZE) {
            return Err(refuse("size", "a whole number of bytes, at most 9007199254740991"));
        }
        Ok(file)
    }
}

/// A link that HTTP clients can follow as well.
fn link(text: &str) -> Option<Link> {
    Url::parse(text).is_ok_and(|url| url.has_host()).then(|| text.parse().ok())?
}

fn is_package(text: &str) -> bool {
    let Some(extension) = text.strip_prefix('.') else { return text.is_empty() };
    extension.len() <= 31
        && extension.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
        && extension.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

fn is_signature(text: &str) -> bool {
    // Signatures of several lines exist: those of minisign, for example.
    text.len() <= LONGEST_SIGNATURE && text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t'))
}

fn is_sha512(text: &str) -> bool {
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/".contains(&byte);
    match (text.len(), text.strip_suffix("==")) {
        (128, _) => text.bytes().all(|byte| byte.is_ascii_hexdigit()),
        // The last character before the padding holds two bits.
        (88, Some(digits)) => digits.bytes().all(is_base64) && digits.ends_with(['A', 'Q', 'g', 'w']),
        _ => false,
    }
}
