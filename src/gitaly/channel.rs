//! One connection to one Gitaly: made when first needed, kept, and made anew when it broke.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tower::service_fn;

use super::address::Address;

/// A Gitaly that is up accepts at once, even across data centres.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long nobody dials again after a dial that hung.
const PAUSE: Duration = Duration::from_secs(1);
/// As often as Gitaly's own clients ping; it closes connections that ping more than every 10 seconds.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// A channel that dials when it is first used, or what is wrong with the address.
pub fn open(address: &Address) -> Result<Channel, String> {
    match address {
        Address::Unix(path) => {
            let path = path.clone();
            Ok(lazy(&endpoint("http://localhost".to_owned())?, move || UnixStream::connect(path.clone())))
        }
        Address::Tcp { host, port, tls } => {
            let scheme = if *tls { "https" } else { "http" };
            let bracketed = if host.contains(':') { format!("[{host}]") } else { host.clone() };
            let mut endpoint = endpoint(format!("{scheme}://{bracketed}:{port}"))?;
            if *tls {
                let system = ClientTlsConfig::new().with_native_roots();
                endpoint = endpoint.tls_config(system).map_err(|error| format!("cannot be reached by TLS: {error}"))?;
            }
            let target = (host.clone(), *port);
            Ok(lazy(&endpoint, move || dial_tcp(target.clone())))
        }
    }
}

fn endpoint(uri: String) -> Result<Endpoint, String> {
    let endpoint = Endpoint::from_shared(uri).map_err(|error| format!("is no address: {error}"))?;
    let endpoint = endpoint.user_agent(concat!("gatehouse/", env!("CARGO_PKG_VERSION"))).map_err(|e| e.to_string())?;
    // The connector below has the time-out of the dial; this one is longer, for a TLS handshake that hangs.
    Ok(endpoint
        .connect_timeout(CONNECT_TIMEOUT + Duration::from_secs(1))
        .http2_keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .keep_alive_while_idle(true))
}

async fn dial_tcp(target: (String, u16)) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(target).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn lazy<D, F, S>(endpoint: &Endpoint, dial: D) -> Channel
where
    D: Fn() -> F + Send + 'static,
    F: Future<Output = io::Result<S>> + Send + 'static,
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let hung = HungConnection::default();
    endpoint.connect_with_connector_lazy(service_fn(move |_| {
        let (dialled, hung) = (dial(), hung.clone());
        async move { hung.guard(dialled).await.map(TokioIo::new) }
    }))
}

/// When a dial last hung. A channel dials again for every call that waited behind a failed dial, one after the other:
/// where the first has waited in vain, the others are refused at once.
#[derive(Clone, Default)]
struct HungConnection(Arc<Mutex<Option<Instant>>>);

impl HungConnection {
    async fn guard<S>(&self, dialled: impl Future<Output = io::Result<S>>) -> io::Result<S> {
        if self.at().is_some_and(|at| at.elapsed() < PAUSE) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "did not accept a moment ago"));
        }
        let outcome = tokio::time::timeout(CONNECT_TIMEOUT, dialled).await;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = outcome.is_err().then(Instant::now);
        outcome.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "did not accept in time"))?
    }

    fn at(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
