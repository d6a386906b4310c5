//! The provider: its published configuration, its keys, and the exchange of a code for an ID token.

use std::sync::Arc;
use std::time::Duration;

use headcount_engine::day::Millis;
use jsonwebtoken::jwk::JwkSet;
use reqwest::{Client, RequestBuilder, Url};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use super::{Failed, Pending, Settings, SignedIn, id_token};

/// How long the provider may take for one answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most bytes of an answer.
const LARGEST_ANSWER: usize = 1 << 20;
/// After how long its configuration and keys are read anew.
const STALE_AFTER: Duration = Duration::from_hours(1);
/// How often they are read anew at most, because a token names a key that is not among them.
const RENEWED_AFTER: Duration = Duration::from_mins(1);

/// What a provider publishes of itself (OpenID Connect Discovery 1.0, section 3).
#[derive(Debug, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

#[derive(Debug)]
struct Published {
    metadata: Metadata,
    keys: JwkSet,
    read_at: Millis,
}

/// The provider that users may sign in with.
#[derive(Debug)]
pub struct Provider {
    settings: Settings,
    client: Client,
    published: Mutex<Option<Arc<Published>>>,
}

#[derive(Debug, Deserialize)]
struct Tokens {
    id_token: String,
}

/// Why a token endpoint refused (RFC 6749, section 5.2).
#[derive(Debug, Deserialize)]
struct Refusal {
    error: String,
}

impl Provider {
    /// The provider of these settings. It is not asked before somebody signs in.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new(settings: Settings) -> reqwest::Result<Self> {
        // It says itself where it is: nobody else may send the server anywhere.
        let client = Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Self { settings, client, published: Mutex::new(None) })
    }

    /// What it is called on the sign-in page.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Its issuer.
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// The claim that says what a user is.
    pub fn role_claim(&self) -> &str {
        &self.settings.role_claim
    }

    /// Where to send a browser that begins to sign in.
    ///
    /// # Errors
    /// If the provider cannot be reached.
    pub async fn address(&self, pending: &Pending, now: Millis) -> Result<String, Failed> {
        let published = self.published(STALE_AFTER, now).await?;
        let endpoint = &published.metadata.authorization_endpoint;
        let mut url = Url::parse(endpoint).map_err(|error| Failed::Unavailable(format!("{endpoint}: {error}")))?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", &self.settings.callback)
            .append_pair("scope", &self.settings.scopes)
            .append_pair("state", &pending.state)
            .append_pair("nonce", &pending.nonce)
            .append_pair("code_challenge", &pending.challenge())
            .append_pair("code_challenge_method", "S256");
        Ok(url.into())
    }

    /// Who has signed in, by the code that the browser brings back.
    ///
    /// # Errors
    /// If the provider cannot be reached or refuses the code, or what it says does not hold.
    pub async fn sign_in(&self, pending: &Pending, code: &str, now: Millis) -> Result<SignedIn, Failed> {
        let mut published = self.published(STALE_AFTER, now).await?;
        let Tokens { id_token } = self.exchange(&published.metadata, pending, code).await?;
        let key = id_token::key_id(&id_token)?;
        if !id_token::has_key(&published.keys, key.as_deref()) {
            published = self.published(RENEWED_AFTER, now).await?;
        }
        id_token::verify(&id_token, &published.keys, &pending.nonce, (&self.settings, now))
    }

    async fn exchange(&self, metadata: &Metadata, pending: &Pending, code: &str) -> Result<Tokens, Failed> {
        let Settings { client_id, client_secret, callback, .. } = &self.settings;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", callback),
            ("code_verifier", &pending.verifier),
        ];
        let request = self.client.post(&metadata.token_endpoint);
        let secret = client_secret.as_ref().map(ExposeSecret::expose_secret);
        // Without a word about it, a provider takes it in the header (Discovery 1.0, section 3).
        let methods = &metadata.token_endpoint_auth_methods_supported;
        let is_basic = methods.is_empty() || methods.iter().any(|method| method == "client_secret_basic");
        let request = match secret {
            Some(secret) if is_basic => request.basic_auth(encoded(client_id), Some(encoded(secret))),
            secret => {
                form.push(("client_id", client_id));
                form.extend(secret.map(|secret| ("client_secret", secret)));
                request
            }
        };
        answer(request.form(&form)).await
    }

    /// What it publishes, read anew if that is older.
    async fn published(&self, older: Duration, now: Millis) -> Result<Arc<Published>, Failed> {
        // Whoever comes meanwhile waits for the same answer.
        let mut kept = self.published.lock().await;
        let older = i64::try_from(older.as_millis()).unwrap_or(i64::MAX);
        if let Some(published) = kept.as_ref().filter(|published| now.0.saturating_sub(published.read_at.0) < older) {
            return Ok(published.clone());
        }
        let issuer = &self.settings.issuer;
        let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let metadata: Metadata = answer(self.client.get(address)).await?;
        if metadata.issuer != *issuer {
            return Err(Failed::Unavailable(format!("it says that it is {}, not {issuer}", metadata.issuer)));
        }
        let keys = answer(self.client.get(&metadata.jwks_uri)).await?;
        let published = Arc::new(Published { metadata, keys, read_at: now });
        *kept = Some(published.clone());
        Ok(published)
    }
}

/// As RFC 6749, section 2.3.1 has ids and secrets in the header.
fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// The JSON that it answers, if it is not too large.
async fn answer<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, Failed> {
    let unavailable = |why: &dyn std::fmt::Display| Failed::Unavailable(why.to_string());
    let mut response = request.send().await.map_err(|error| unavailable(&error.without_url()))?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unavailable(&error.without_url()))? {
        body.extend_from_slice(&chunk);
        if body.len() > LARGEST_ANSWER {
            return Err(unavailable(&"its answer is too large"));
        }
    }
    if status.is_client_error()
        && let Ok(refusal) = serde_json::from_slice::<Refusal>(&body)
    {
        return Err(Failed::Refused(refusal.error));
    }
    if !status.is_success() {
        return Err(unavailable(&format!("it answers {status}")));
    }
    serde_json::from_slice(&body).map_err(|error| unavailable(&error))
}
