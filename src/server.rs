//! Listening: TCP and Unix sockets alike, with a bound on connections and on slow heads, drained on request.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt;

use crate::config::Limits;
use crate::http::observe::with_plain_path;

/// Where to listen.
#[derive(Debug)]
pub enum Listener {
    /// On a TCP address.
    Tcp(TcpListener),
    /// On a Unix socket; its file goes when the listener does.
    Unix(UnixListener, SocketFile),
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
        Ok(Self::Unix(listener, SocketFile(path.to_owned())))
    }

    async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            Self::Unix(listener, _) => Ok(Stream::Unix(listener.accept().await?.0)),
        }
    }
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Serves the router until `stop` says true, then lets what is under way finish within the drain time-out.
pub async fn serve(listener: Listener, router: Router, limits: Limits, mut stop: watch::Receiver<bool>) {
    let server = Arc::new(Server::new(router, &limits));
    let places = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let next = async || (Arc::clone(&places).acquire_owned().await, listener.accept().await);
    loop {
        // Also while every place is taken, for then nothing else would end the wait.
        let (place, accepted) = tokio::select! {
            next = next() => next,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let Ok(place) = place else { break };
        match accepted {
            Ok(Stream::Tcp(stream)) => server.spawn(stream, &graceful, place),
            Ok(Stream::Unix(stream)) => server.spawn(stream, &graceful, place),
            Err(error) => {
                // Out of descriptors, or the client was gone before we took it.
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    drop(listener);
    let patience = Duration::from_secs(limits.drain_timeout.into());
    if tokio::time::timeout(patience, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests were still under way when the drain time-out ended");
    }
}

#[derive(Debug)]
struct Server {
    router: Router,
    http: http1::Builder,
}

impl Server {
    fn new(router: Router, limits: &Limits) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(limits.header_timeout.into()));
        Self { router, http }
    }

    fn spawn<I>(&self, stream: I, graceful: &GracefulShutdown, place: tokio::sync::OwnedSemaphorePermit)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let router = self.router.clone();
        let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            router.clone().oneshot(with_plain_path(request).map(Body::new))
        });
        let connection = graceful.watch(self.http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // A client that goes away early is no failure of ours.
            let _ = connection.await;
            drop(place);
        });
    }
}
