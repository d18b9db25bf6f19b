//! CustomersDot: it signs its requests with keys that it publishes (provisioning.md 1.5).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use axum::http::HeaderMap;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use reqwest::{Client, redirect};
use rustls::ClientConfig;
use rustls_platform_verifier::ConfigVerifierExt;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Mutex;

use super::TokenTimes;
use crate::clock::Clock;
use crate::config;

/// The header that CustomersDot's token comes in.
pub const TOKEN_HEADER: &str = "x-customers-dot-internal-token";
/// What the token is for.
pub const AUDIENCE: &str = "gitlab-subscriptions";
/// The subject of its tokens.
pub const SUBJECT: &str = "customers-dot-internal-api";

/// How long CustomersDot may take to name its keys.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause between two looks at the keys, whatever strangers send.
const PAUSE: Duration = Duration::from_mins(1);
/// Bytes that are read of what CustomersDot publishes.
const PUBLISHED_BYTES: usize = 256 << 10;
/// Algorithms whose keys can be published.
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

/// Verifies CustomersDot's tokens. Where no CustomersDot is set up, none is good.
#[derive(Debug, Clone)]
pub struct CustomersDotAuth(Option<Arc<CustomersDotVerifier>>);

struct CustomersDotVerifier {
    url: String,
    source: KeySource,
    refresh: Duration,
    clock: Clock,
    known: Mutex<KnownKeys>,
}

impl std::fmt::Debug for CustomersDotVerifier {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Portal").field("url", &self.url).finish_non_exhaustive()
    }
}

enum KeySource {
    File(PathBuf),
    Portal(Client),
}

/// The keys, and when they were last asked for, with or without an answer.
#[derive(Default)]
struct KnownKeys {
    keys: Option<Arc<VerificationKeys>>,
    asked: Option<Instant>,
}

struct VerificationKeys {
    issuers: Vec<String>,
    keys: Vec<VerificationKey>,
}

struct VerificationKey {
    id: String,
    algorithms: Vec<Algorithm>,
    verifier: DecodingKey,
}

/// What CustomersDot says of itself.
#[derive(Debug, Deserialize)]
struct OpenIdConfiguration {
    issuer: String,
    jwks_uri: String,
    id_token_signing_alg_values_supported: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct PublishedKeys {
    keys: Vec<Value>,
}

impl CustomersDotAuth {
    /// A verifier of what the CustomersDot of the settings signs.
    ///
    /// # Errors
    /// Where its keys are in a file that cannot be read, or no HTTP client can be made.
    pub fn new(settings: &config::CustomersDotSettings, clock: Clock) -> anyhow::Result<Self> {
        let Some(url) = settings.url.as_ref().map(|url| url.trim_end_matches('/').to_owned()) else {
            return Ok(Self(None));
        };
        let (source, keys) = match &settings.jwks_file {
            Some(file) => {
                let text = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
                (KeySource::File(file.clone()), Some(Arc::new(keys_in(&url, &text)?)))
            }
            None => (KeySource::Portal(client()?), None),
        };
        let asked = keys.is_some().then(Instant::now);
        let known = Mutex::new(KnownKeys { keys, asked });
        let refresh = Duration::from_secs(settings.refresh.into());
        Ok(Self(Some(Arc::new(CustomersDotVerifier { url, source, refresh, clock, known }))))
    }

    /// Whether a request comes with what should be a token of CustomersDot's.
    #[must_use]
    pub fn is_named(headers: &HeaderMap) -> bool {
        headers.get(TOKEN_HEADER).is_some_and(|value| !value.as_bytes().trim_ascii().is_empty())
    }

    /// Whether the token is CustomersDot's, for us, and of now.
    pub async fn accepts(&self, headers: &HeaderMap) -> bool {
        let token = headers.get(TOKEN_HEADER).and_then(|value| value.to_str().ok());
        match (&self.0, token) {
            (Some(customers_dot), Some(token)) => customers_dot.accepts(token.trim()).await,
            _ => false,
        }
    }
}

impl CustomersDotVerifier {
    async fn accepts(&self, token: &str) -> bool {
        let Ok(header) = jsonwebtoken::decode_header(token) else { return false };
        let Some(id) = header.kid else { return false };
        let Some(keys) = self.keys_with(&id).await else { return false };
        let now = self.clock.now().timestamp();
        let fitting = keys.keys.iter().filter(|key| key.id == id && key.algorithms.contains(&header.alg));
        fitting.map(|key| verified(token, header.alg, key, &keys.issuers)).any(|times| {
            // Judged by a clock that tests can hold.
            times.is_some_and(|times| times.include(now))
        })
    }

    /// The keys, asked for again where they are old or lack this one. Where CustomersDot does not answer, those that
    /// are known go on being good: it published them, and nobody said otherwise.
    async fn keys_with(&self, id: &str) -> Option<Arc<VerificationKeys>> {
        let mut known = self.known.lock().await;
        let lacking = known.keys.as_ref().is_none_or(|keys| keys.keys.iter().all(|key| key.id != id));
        let due = known
            .asked
            .is_none_or(|asked| asked.elapsed() >= if lacking { PAUSE.min(self.refresh) } else { self.refresh });
        if due {
            known.asked = Some(Instant::now());
            match self.load().await {
                Ok(keys) => known.keys = Some(Arc::new(keys)),
                Err(error) => tracing::warn!(error = format!("{error:#}"), "CustomersDot's keys cannot be had"),
            }
        }
        known.keys.clone()
    }

    async fn load(&self) -> anyhow::Result<VerificationKeys> {
        let client = match &self.source {
            KeySource::File(file) => return keys_in(&self.url, &tokio::fs::read(file).await?),
            KeySource::Portal(client) => client,
        };
        let about: OpenIdConfiguration =
            fetch(client, &format!("{}/.well-known/openid-configuration", self.url)).await?;
        let published: PublishedKeys = fetch(client, &about.jwks_uri).await?;
        let supported = about.id_token_signing_alg_values_supported;
        let algorithms: Vec<Algorithm> =
            ALGORITHMS.into_iter().filter(|known| supported.contains(&format!("{known:?}"))).collect();
        Ok(VerificationKeys { keys: usable(published, &algorithms)?, issuers: vec![about.issuer] })
    }
}

/// The keys in a file. CustomersDot itself writes its name with a slash at its end.
fn keys_in(url: &str, text: &[u8]) -> anyhow::Result<VerificationKeys> {
    let published = serde_json::from_slice(text).context("not a JSON Web Key Set")?;
    Ok(VerificationKeys { keys: usable(published, &ALGORITHMS)?, issuers: vec![url.to_owned(), format!("{url}/")] })
}

/// The keys that can verify something; others, of kinds that we do not know, may stand beside them.
fn usable(published: PublishedKeys, algorithms: &[Algorithm]) -> anyhow::Result<Vec<VerificationKey>> {
    let keys = published.keys.into_iter().filter_map(|value| {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        let verifier = DecodingKey::from_jwk(&jwk).ok()?;
        let own = jwk.common.key_algorithm.map(|own| own.to_string());
        let fits = |known: &&Algorithm| {
            known.family() == verifier.family() && own.as_ref().is_none_or(|own| *own == format!("{known:?}"))
        };
        let algorithms: Vec<Algorithm> = algorithms.iter().filter(fits).copied().collect();
        Some(VerificationKey { id: jwk.common.key_id?, algorithms, verifier })
    });
    let keys: Vec<VerificationKey> = keys.filter(|key| !key.algorithms.is_empty()).collect();
    if keys.is_empty() {
        bail!("no key with a name (kid) that can verify anything");
    }
    Ok(keys)
}

fn verified(token: &str, algorithm: Algorithm, key: &VerificationKey, issuers: &[String]) -> Option<TokenTimes> {
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(issuers);
    validation.sub = Some(SUBJECT.to_owned());
    validation.set_required_spec_claims(&["aud", "exp", "iss", "sub"]);
    validation.validate_exp = false;
    jsonwebtoken::decode::<TokenTimes>(token, &key.verifier, &validation).ok().map(|token| token.claims)
}

fn client() -> anyhow::Result<Client> {
    // TLS needs one provider for the whole process; where there is one already, that one will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .tls_backend_preconfigured(ClientConfig::with_platform_verifier()?)
        .timeout(PATIENCE)
        .redirect(redirect::Policy::none());
    Ok(client.build()?)
}

async fn fetch<T: DeserializeOwned>(client: &Client, url: &str) -> anyhow::Result<T> {
    let answer = client.get(url).header("accept", "application/json").send().await;
    let mut answer = answer.and_then(reqwest::Response::error_for_status).context("not answered")?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > PUBLISHED_BYTES {
            bail!("{url} is longer than {PUBLISHED_BYTES} bytes");
        }
    }
    serde_json::from_slice(&body).with_context(|| format!("{url} is not what it should be"))
}
