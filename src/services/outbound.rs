//! The way out: HTTP to addresses that an operator lets us reach, and to no other, whatever a name resolves to.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use reqwest::{Client, Url, redirect};
use rustls::ClientConfig;
use rustls_platform_verifier::ConfigVerifierExt;
use secrecy::ExposeSecret;
use tokio::net::lookup_host;

use crate::domain::egress::EgressPolicy;
use crate::store::web_hooks::{HookDelivery, ReceiverAnswer};
use crate::telemetry::trace;

/// Bytes of an answer that are kept; GitLab keeps as many.
const ANSWER_BYTES: usize = 8 * 1024;

/// Posts what hooks are to be told.
#[derive(Debug, Clone)]
pub struct OutboundClient {
    timeout: Duration,
    /// Made once: it holds every certificate authority that this machine trusts.
    tls: ClientConfig,
}

/// Why a request was not sent.
#[derive(Debug, thiserror::Error)]
pub enum UnsentReason {
    /// Another attempt would end the same way, until somebody changes the hook or the settings.
    #[error("{0}")]
    Refused(String),
    /// The next attempt may go through.
    #[error("{0}")]
    Unreachable(String),
}

impl OutboundClient {
    /// A way out on which an answer may take this long.
    pub fn new(timeout: Duration) -> anyhow::Result<Self> {
        // TLS needs one provider for the whole process; where there is one already, that one will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self { timeout, tls: ClientConfig::with_platform_verifier()? })
    }

    /// Posts the delivery to an address that was looked up and judged before, so that a name which resolves to
    /// something else a moment later leads nowhere else. Redirects are not followed: they would have to be judged too.
    ///
    /// # Errors
    /// Where nothing was sent, with the reason.
    pub async fn post(
        &self,
        id: &str,
        delivery: &HookDelivery,
        instance: &str,
    ) -> Result<ReceiverAnswer, UnsentReason> {
        let started = Instant::now();
        let url = parse(delivery.url.expose_secret())?;
        let (host, addresses) = self.resolve(&url, &delivery.egress).await?;
        let client = self
            .client(&host, &addresses, delivery.enable_ssl_verification)
            .map_err(|error| UnsentReason::Unreachable(error.to_string()))?;
        let mut request = client
            .post(url)
            .header("content-type", "application/json")
            .header("user-agent", concat!("GitLab/", env!("CARGO_PKG_VERSION"), "-gatehouse"))
            .header("idempotency-key", id)
            .header("x-gitlab-event", event(delivery))
            .header("x-gitlab-webhook-uuid", uuid::Uuid::new_v4().to_string())
            .header("x-gitlab-event-uuid", delivery.event.to_string())
            .header("x-gitlab-instance", instance)
            .body(delivery.body.clone());
        for (name, value) in trace::headers() {
            request = request.header(name, value);
        }
        if let Some(token) = delivery.token.as_ref().map(ExposeSecret::expose_secret).filter(|token| !token.is_empty())
        {
            let mut value = reqwest::header::HeaderValue::from_str(token)
                .map_err(|_| UnsentReason::Refused("the token cannot stand in a header".to_owned()))?;
            value.set_sensitive(true);
            request = request.header("x-gitlab-token", value);
        }
        let mut response = request.send().await.map_err(|error| UnsentReason::Unreachable(reason(error)))?;
        let status = response.status().as_u16();
        // The status is the answer; what follows it is for people to look at.
        let mut body = Vec::new();
        while body.len() < ANSWER_BYTES {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk[..chunk.len().min(ANSWER_BYTES - body.len())]),
                Ok(None) | Err(_) => break,
            }
        }
        let body = String::from_utf8_lossy(&body).replace('\0', "");
        Ok(ReceiverAnswer { status: Some(status), body, error: None, duration: started.elapsed() })
    }

    /// The host and its addresses, all of which may be connected to.
    async fn resolve(&self, url: &Url, egress: &EgressPolicy) -> Result<(String, Vec<SocketAddr>), UnsentReason> {
        let port = url.port_or_known_default().unwrap_or(80);
        let host = url.host_str().unwrap_or_default().to_owned();
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let addresses = if let Ok(address) = literal.clone() {
            vec![SocketAddr::new(address, port)]
        } else {
            let found = tokio::time::timeout(self.timeout, lookup_host((host.as_str(), port))).await;
            let found = found.map_err(|_| UnsentReason::Unreachable(format!("{host} was not resolved in time")))?;
            found.map_err(|error| UnsentReason::Unreachable(format!("{host} cannot be resolved: {error}")))?.collect()
        };
        if addresses.is_empty() {
            return Err(UnsentReason::Unreachable(format!("{host} has no address")));
        }
        // One bad address is enough: which one is connected to would be left to chance.
        match addresses.iter().find(|address| !egress.admits(&host, address.ip(), port)) {
            Some(address) => {
                let address = address.ip().to_canonical();
                let found = if literal.is_ok() { String::new() } else { format!(" is {address}") };
                let refusal = format!("requests to the local network are not allowed: {host}{found}");
                Err(UnsentReason::Refused(refusal))
            }
            None => Ok((host, addresses)),
        }
    }

    /// A client of one request, for the addresses that were judged.
    fn client(&self, host: &str, addresses: &[SocketAddr], verify: bool) -> Result<Client, reqwest::Error> {
        let client = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .resolve_to_addrs(host, addresses)
            .pool_max_idle_per_host(0)
            .timeout(self.timeout);
        if verify {
            client.tls_backend_preconfigured(self.tls.clone()).build()
        } else {
            client.tls_danger_accept_invalid_certs(true).build()
        }
    }
}

fn parse(url: &str) -> Result<Url, UnsentReason> {
    // What is wrong with it is said without repeating it: it may hold a secret.
    let url =
        Url::parse(url).map_err(|error| UnsentReason::Refused(format!("the hook's URL cannot be read: {error}")))?;
    match (url.scheme(), url.host_str()) {
        ("http" | "https", Some(_)) => Ok(url),
        _ => Err(UnsentReason::Refused("the hook's URL must be one of http or https".to_owned())),
    }
}

fn event(delivery: &HookDelivery) -> &'static str {
    match (delivery.system, delivery.trigger.as_str()) {
        (true, _) => "System Hook",
        (false, "tag_push_hooks") => "Tag Push Hook",
        (false, "alert_hooks") => "Alert Hook",
        (false, _) => "Push Hook",
    }
}

/// Why a request failed, without its URL.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_made_whether_or_not_certificates_are_checked() {
        let outbound = OutboundClient::new(Duration::from_secs(1)).unwrap();
        let addresses = ["127.0.0.1:443".parse().unwrap()];
        assert!(outbound.client("localhost", &addresses, true).is_ok());
        assert!(outbound.client("localhost", &addresses, false).is_ok());
    }

    #[tokio::test]
    async fn a_name_is_judged_by_every_address_it_has() {
        let outbound = OutboundClient::new(Duration::from_secs(1)).unwrap();
        let resolve = async |url: &str, local: bool| {
            let egress = EgressPolicy { local, exceptions: Vec::new() };
            outbound.resolve(&parse(url)?, &egress).await.map(|(host, addresses)| (host, addresses.len()))
        };
        assert!(matches!(resolve("http://localhost/", false).await, Err(UnsentReason::Refused(_))));
        let said = async |url: &str| match resolve(url, false).await {
            Err(UnsentReason::Refused(reason)) => reason,
            other => panic!("{url}: {other:?}"),
        };
        let refusal = "requests to the local network are not allowed";
        assert_eq!(said("http://127.0.0.1/").await, format!("{refusal}: 127.0.0.1"));
        assert_eq!(said("http://[::1]/").await, format!("{refusal}: [::1]"));
        assert!(said("http://localhost/").await.starts_with(&format!("{refusal}: localhost is ")));
        assert!(matches!(resolve("http://localhost/", true).await, Ok((host, 1..)) if host == "localhost"));
        assert!(matches!(resolve("http://8.8.8.8/", false).await, Ok((_, 1))));
        assert!(matches!(resolve("http://no-such-host.invalid/", true).await, Err(UnsentReason::Unreachable(_))));
        for url in ["", "hook", "file:///etc/passwd", "gopher://example.com/"] {
            assert!(matches!(resolve(url, true).await, Err(UnsentReason::Refused(_))), "{url}");
        }
    }
}
