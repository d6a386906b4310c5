//! The ID token: what the provider says of a user, as OpenID Connect Core 1.0, section 3.1.3.7 has it checked.

use std::time::Duration;

use headcount_engine::day::Millis;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::Value;

use super::{Failed, Settings};
use crate::catalog::users::Role;

/// What signatures may be made with: what a public key verifies. Not with a shared secret, and not with nothing.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// How far the clocks of the two may be apart.
const CLOCK_SKEW: Duration = Duration::from_mins(1);

/// Who signed in with the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// Who the user is at the provider, for good.
    pub subject: String,
    /// What the user is called there.
    pub name: String,
    /// What the user is here; none if the claim names no role of this server.
    pub role: Option<Role>,
}

#[derive(Debug, Deserialize)]
struct Claims {
    sub: String,
    exp: i64,
    nonce: Option<String>,
    aud: Value,
    azp: Option<String>,
    preferred_username: Option<String>,
    email: Option<String>,
}

/// The id of the key that the token was signed with, if it names one.
pub(super) fn key_id(token: &str) -> Result<Option<String>, Failed> {
    jsonwebtoken::decode_header(token).map(|header| header.kid).map_err(|error| Failed::Untrue(error.to_string()))
}

/// Whether the keys have the one that the token names; any will do where it names none.
pub(super) fn has_key(keys: &JwkSet, id: Option<&str>) -> bool {
    id.is_none_or(|id| keys.find(id).is_some())
}

/// Who the token says has signed in.
///
/// # Errors
/// If it was not signed by the provider, or not for this server and this sign-in, or has expired.
pub(super) fn verify(
    token: &str,
    keys: &JwkSet,
    nonce: &str,
    (settings, now): (&Settings, Millis),
) -> Result<SignedIn, Failed> {
    let untrue = |why: &str| Failed::Untrue(why.to_owned());
    let header = jsonwebtoken::decode_header(token).map_err(|error| Failed::Untrue(error.to_string()))?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(untrue("it is signed in a way that is not accepted"));
    }
    let mut validation = Validation::new(header.alg);
    validation.set_issuer(&[&settings.issuer]);
    validation.set_audience(&[&settings.client_id]);
    validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
    // By the server's own clock, below.
    validation.validate_exp = false;
    // A token that names no key was signed with one of those that could have.
    let fitting = keys.keys.iter().filter(|key| header.kid.is_none() || key.common.key_id == header.kid);
    let mut problem = "no key of the provider fits".to_owned();
    let verified = fitting.filter_map(|key| DecodingKey::from_jwk(key).ok()).find_map(|key| {
        let decoded = jsonwebtoken::decode::<Value>(token, &key, &validation);
        decoded.map_err(|error| problem = error.to_string()).ok()
    });
    let Some(verified) = verified else { return Err(Failed::Untrue(problem)) };
    let claims = Claims::deserialize(&verified.claims).map_err(|error| Failed::Untrue(error.to_string()))?;
    let skew = i64::try_from(CLOCK_SKEW.as_secs()).unwrap_or(0);
    if now.0 / 1000 >= claims.exp.saturating_add(skew) {
        return Err(untrue("it has expired"));
    }
    if claims.nonce.as_deref() != Some(nonce) {
        return Err(untrue("it was made for another sign-in"));
    }
    let is_for_others = claims.aud.as_array().is_some_and(|audience| audience.len() > 1);
    if claims.azp.as_ref().map_or(is_for_others, |party| *party != settings.client_id) {
        return Err(untrue("it was made for another client"));
    }
    let role = role(&verified.claims, settings);
    let name = claims.preferred_username.or(claims.email).unwrap_or_else(|| claims.sub.clone());
    Ok(SignedIn { subject: claims.sub, name, role })
}

/// The greatest role that the claim names.
fn role(claims: &Value, settings: &Settings) -> Option<Role> {
    let claim = claims.get(&settings.role_claim)?;
    let values: Vec<&str> = match claim {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    };
    let has = |role: &str| values.contains(&role);
    if has(&settings.administrator_role) {
        Some(Role::Administrator)
    } else if has(&settings.team_role) {
        Some(Role::Team)
    } else {
        None
    }
}
