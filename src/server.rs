//! Listening: TCP and Unix sockets alike, with bounds on connections and on clients that are slow to write or to read,
//! drained on request.

mod inherited;
mod patient;
mod peers;

use std::convert::Infallible;
use std::fmt::{self, Display, Formatter};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use futures_util::FutureExt as _;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::ServiceExt;

pub use self::inherited::InheritedListeners;
use self::patient::PatientStream;
use self::peers::{PeerConnection, Peers};
use crate::config::RequestLimits;
use crate::http::client_address::PeerAddress;
use crate::http::layers::with_plain_path;

/// Bytes of a request that are held before somebody reads them; no head is larger.
const HELD_BYTES: usize = 64 << 10;

/// How long a client that was let in just before the stop may take for its request.
const FIRST_REQUEST: Duration = Duration::from_millis(500);

/// Where to listen.
#[derive(Debug)]
pub enum Listener {
    /// On a TCP address.
    Tcp(TcpListener),
    /// On a Unix socket. The file that we made goes when the listener does; another's stays.
    Unix(UnixListener, Option<SocketFile>),
}

/// The file of a Unix socket, removed when this goes.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Listener {
    /// Listens on a TCP address.
    ///
    /// # Errors
    /// Where the address cannot be had.
    pub async fn tcp(address: SocketAddr) -> io::Result<Self> {
        TcpListener::bind(address).await.map(Self::Tcp)
    }

    /// Listens on a Unix socket. The socket that a dead server left there is replaced; a living server's is not,
    /// nor any other file.
    ///
    /// # Errors
    /// Where the path cannot be had: another server listens there, or a file of another kind is there.
    pub async fn unix(path: &Path) -> io::Result<Self> {
        if UnixStream::connect(path).await.is_ok() {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another server listens on this socket"));
        }
        match std::fs::symlink_metadata(path) {
            Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path)?,
            Ok(_) => return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file that is no socket is there")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let listener = UnixListener::bind(path)?;
        // gitlab-shell and Gitaly run as users of their own; each request proves itself by its token.
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777))?;
        Ok(Self::Unix(listener, Some(SocketFile(path.to_owned()))))
    }

    async fn accept(&self) -> io::Result<ClientStream> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(ClientStream::Tcp(stream, address.ip()))
            }
            Self::Unix(listener, _) => Ok(ClientStream::Unix(listener.accept().await?.0)),
        }
    }
}

/// Where it listens, for the log.
impl Display for Listener {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(listener) => match listener.local_addr() {
                Ok(address) => write!(f, "{address}"),
                Err(_) => f.write_str("a TCP address"),
            },
            Self::Unix(listener, _) => {
                let address = listener.local_addr().ok();
                match address.as_ref().and_then(|address| address.as_pathname()) {
                    Some(path) => write!(f, "{}", path.display()),
                    None => f.write_str("a Unix socket"),
                }
            }
        }
    }
}

#[derive(Debug)]
enum ClientStream {
    Tcp(TcpStream, IpAddr),
    Unix(UnixStream),
}

/// Serves the router until `stop` says true, then lets what is under way finish: within nine tenths of the drain
/// time-out, for the rest of it is for what must be done after the last answer. Connections that are left then are cut.
pub async fn serve(listener: Listener, router: Router, limits: RequestLimits, mut stop: watch::Receiver<bool>) {
    let cut = watch::Sender::new(false);
    let server = Arc::new(BoundServer::new(router, &limits, stop.clone(), cut.subscribe()));
    let peers = Peers::new(limits.connections_per_peer, limits.exempt_peers.clone());
    let places = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let next = async || (Arc::clone(&places).acquire_owned().await, listener.accept().await);
    let enter = |accepted: io::Result<ClientStream>, place: OwnedSemaphorePermit| match accepted {
        Ok(ClientStream::Tcp(stream, address)) => {
            if let Some(seat) = peers.admit(address) {
                server.spawn(stream, Some(address), &graceful, (place, Some(seat)));
            } else {
                metrics::counter!("gatehouse_connections_refused_total").increment(1);
                tracing::debug!(%address, "closed a connection: this address has as many as it may have");
            }
            true
        }
        Ok(ClientStream::Unix(stream)) => {
            server.spawn(stream, None, &graceful, (place, None));
            true
        }
        Err(error) => {
            // Out of descriptors, or the client was gone before we took it.
            tracing::warn!(%error, "could not accept a connection");
            false
        }
    };
    loop {
        // Also while every place is taken, for then nothing else would end the wait.
        let (place, accepted) = tokio::select! {
            next = next() => next,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let Ok(place) = place else { break };
        if !enter(accepted, place) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    // Who has connected and was not let in yet would be cut off with the listener.
    while let Some((Ok(place), accepted)) = next().now_or_never() {
        if !enter(accepted, place) {
            break;
        }
    }
    drop(listener);
    if places.available_permits() < limits.connections {
        // Whoever was let in a moment ago has a request on the way, and an idle connection would be closed before it. Who
        // keeps a connection asks in this time too, and learns by the answer that it is the last one.
        tokio::time::sleep(FIRST_REQUEST).await;
    }
    let patience = Duration::from_secs(limits.drain_timeout.into()) * 9 / 10;
    if tokio::time::timeout(patience, graceful.shutdown()).await.is_err() {
        tracing::warn!("some connections were still open when the time for requests under way ended, and are cut");
        cut.send_replace(true);
    }
}

#[derive(Debug)]
struct BoundServer {
    router: Router,
    http: http1::Builder,
    write_timeout: Duration,
    stop: watch::Receiver<bool>,
    cut: watch::Receiver<bool>,
}

impl BoundServer {
    fn new(router: Router, limits: &RequestLimits, stop: watch::Receiver<bool>, cut: watch::Receiver<bool>) -> Self {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let mut http = http1::Builder::new();
        // The time of a head begins with the wait for it, so that it is an idle connection's too.
        http.timer(TokioTimer::new()).header_read_timeout(seconds(limits.header_timeout)).max_buf_size(HELD_BYTES);
        Self { router, http, write_timeout: seconds(limits.write_timeout), stop, cut }
    }

    fn spawn<I>(
        &self,
        stream: I,
        peer: Option<IpAddr>,
        graceful: &GracefulShutdown,
        held: (OwnedSemaphorePermit, Option<PeerConnection>),
    ) where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let router = self.router.clone();
        let closing = Arc::new(AtomicBool::new(false));
        let stop = self.stop.clone();
        let stream = PatientStream::new(stream, self.write_timeout, Arc::clone(&closing));
        let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
            if let Some(peer) = peer {
                request.extensions_mut().insert(PeerAddress(peer));
            }
            let answer = router.clone().oneshot(with_plain_path(request).map(Body::new));
            let (closing, stop) = (Arc::clone(&closing), stop.clone());
            async move {
                let mut answer = answer.await.unwrap_or_else(|never| match never {});
                if *stop.borrow() {
                    // Its next request would be on the way while the connection is closed.
                    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                closing.store(answer.headers().contains_key(CONNECTION), Ordering::Relaxed);
                Ok::<_, Infallible>(answer)
            }
        });
        let connection = graceful.watch(self.http.serve_connection(TokioIo::new(stream), service));
        let mut cut = self.cut.clone();
        tokio::spawn(async move {
            tokio::select! {
                // A client that goes away early is no failure of ours.
                _ = connection => {}
                _ = cut.wait_for(|cut| *cut) => {}
            }
            drop(held);
        });
    }
}
