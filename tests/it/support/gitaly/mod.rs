//! A Gitaly for tests: a real gRPC server that answers from real git repositories, and remembers what it was asked.

mod answers;

/// The server's half of what `src/gitaly` speaks.
#[expect(clippy::pedantic, reason = "generated from src/gitaly/proto/gitaly.proto")]
pub mod proto {
    include!(concat!(env!("OUT_DIR"), "/server/gitaly.rs"));
}

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::oneshot;
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tonic::metadata::MetadataMap;
use tonic::transport::Server;
use tonic::transport::server::Router;
use tonic::{Code, Status};

use super::git::{Folder, GitRepo};
use answers::Answers;

/// A Gitaly with one storage, `default`. It ends with the test.
pub struct TestGitaly {
    storage: Folder,
    address: Address,
    state: Arc<State>,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

enum Address {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

/// What the server remembers and how it is told to behave.
struct State {
    storage: PathBuf,
    token: Option<&'static str>,
    calls: Mutex<Vec<Call>>,
    delays: Mutex<HashMap<&'static str, Duration>>,
    failures: Mutex<HashMap<&'static str, Status>>,
}

/// One call, as it arrived.
#[derive(Debug, Clone)]
pub struct Call {
    pub method: &'static str,
    pub repository: proto::Repository,
    pub metadata: MetadataMap,
}

impl Call {
    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.metadata.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl TestGitaly {
    /// Listens on a Unix socket and asks for no token.
    pub fn start() -> Self {
        let storage = Folder::new();
        let listener = Listener::unix(&storage.path().join("gitaly.socket"));
        Self::on(listener, storage, None)
    }

    /// Listens on a TCP port and asks for a token.
    pub fn start_on_tcp(token: &'static str) -> Self {
        Self::on(Listener::tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))), Folder::new(), Some(token))
    }

    fn on(listener: Listener, storage: Folder, token: Option<&'static str>) -> Self {
        let state = State {
            storage: storage.path().to_owned(),
            token,
            calls: Mutex::default(),
            delays: Mutex::default(),
            failures: Mutex::default(),
        };
        let address = match &listener {
            Listener::Unix(_) => Address::Unix(storage.path().join("gitaly.socket")),
            Listener::Tcp(listener) => Address::Tcp(listener.local_addr().unwrap()),
        };
        let mut gitaly = Self { storage, address, state: Arc::new(state), running: None };
        gitaly.serve(listener);
        gitaly
    }

    /// The address as the settings spell it.
    pub fn address(&self) -> String {
        match &self.address {
            Address::Unix(socket) => format!("unix:{}", socket.display()),
            Address::Tcp(address) => format!("tcp://{address}"),
        }
    }

    /// Settings with this storage and its token.
    pub fn settings(&self) -> String {
        let token = self.state.token.map_or_else(String::new, |token| format!(", gitaly_token: '{token}'"));
        format!("repositories: {{storages: {{default: {{gitaly_address: '{}'{token}}}}}}}\n", self.address())
    }

    /// The folder of the storage.
    pub fn storage(&self) -> &Path {
        self.storage.path()
    }

    /// A new repository on the storage.
    pub fn repository(&self, relative_path: &str) -> GitRepo {
        GitRepo::bare(self.storage(), relative_path)
    }

    /// Every call so far.
    pub fn calls(&self) -> Vec<Call> {
        self.state.calls.lock().unwrap().clone()
    }

    /// The names of every call so far.
    pub fn methods(&self) -> Vec<&'static str> {
        self.calls().iter().map(|call| call.method).collect()
    }

    /// How often a method was called.
    pub fn count(&self, method: &str) -> usize {
        self.calls().iter().filter(|call| call.method == method).count()
    }

    /// The latest call.
    pub fn last(&self) -> Call {
        self.calls().pop().expect("Gitaly was asked")
    }

    /// Lets a method wait before it answers.
    pub fn delay(&self, method: &'static str, delay: Duration) {
        self.state.delays.lock().unwrap().insert(method, delay);
    }

    /// Lets a method answer again.
    pub fn heal(&self, method: &'static str) {
        self.state.failures.lock().unwrap().remove(method);
    }

    /// Lets a method fail.
    pub fn fail(&self, method: &'static str, status: Status) {
        self.state.failures.lock().unwrap().insert(method, status);
    }

    /// Lets a method fail as Gitaly does when it is asked for too much at once.
    pub fn exhaust(&self, method: &'static str, retry_after: Duration) {
        use prost::Message;
        let wait = proto::limit_error::Duration {
            seconds: retry_after.as_secs().try_into().unwrap(),
            nanos: retry_after.subsec_nanos().try_into().unwrap(),
        };
        let limit = proto::LimitError { error_message: "too many".to_owned(), retry_after: Some(wait) };
        let type_url = "type.googleapis.com/gitaly.LimitError".to_owned();
        let detail = proto::status_details::Detail { type_url, value: limit.encode_to_vec() };
        let details = proto::StatusDetails { details: vec![detail] }.encode_to_vec();
        self.fail(method, Status::with_details(Code::ResourceExhausted, "too many", details.into()));
    }

    /// Ends it with all of its connections, as `kill -9` would.
    pub fn stop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            let _ = stop.send(());
            thread.join().unwrap();
        }
    }

    /// Starts it again where it was.
    pub fn restart(&mut self) {
        self.stop();
        self.serve(match &self.address {
            Address::Unix(socket) => Listener::unix(socket),
            Address::Tcp(address) => Listener::tcp(*address),
        });
    }

    /// A runtime of its own keeps git, which blocks, away from the test's; and dropping it breaks every connection.
    fn serve(&mut self, listener: Listener) {
        let (stop, stopped) = oneshot::channel();
        let answers = Answers(Arc::clone(&self.state));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let serving = listener.serve(answers.router(Server::builder()));
                tokio::select! { outcome = serving => outcome.unwrap(), _ = stopped => {} }
            });
            runtime.shutdown_background();
        });
        self.running = Some((stop, thread));
    }
}

impl Drop for TestGitaly {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Bound already, so that a client may dial before the server runs.
enum Listener {
    Unix(std::os::unix::net::UnixListener),
    Tcp(std::net::TcpListener),
}

impl Listener {
    fn unix(socket: &Path) -> Self {
        let _ = std::fs::remove_file(socket);
        let listener = std::os::unix::net::UnixListener::bind(socket).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self::Unix(listener)
    }

    fn tcp(address: SocketAddr) -> Self {
        let listener = std::net::TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self::Tcp(listener)
    }

    async fn serve(self, router: Router) -> Result<(), tonic::transport::Error> {
        match self {
            Self::Unix(listener) => {
                let listener = UnixListener::from_std(listener).unwrap();
                router.serve_with_incoming(UnixListenerStream::new(listener)).await
            }
            Self::Tcp(listener) => {
                let listener = TcpListener::from_std(listener).unwrap();
                router.serve_with_incoming(TcpListenerStream::new(listener)).await
            }
        }
    }
}

impl State {
    /// What every method does first: remember, verify the token, and behave as told. Answers with where to look.
    async fn begin(
        &self,
        method: &'static str,
        metadata: &MetadataMap,
        repository: Option<&proto::Repository>,
    ) -> Result<PathBuf, Status> {
        let repository = repository.cloned().ok_or_else(|| Status::invalid_argument("repository not set"))?;
        let (storage, path) = (repository.storage_name.clone(), repository.relative_path.clone());
        self.enter(method, metadata, repository).await?;
        if storage != "default" {
            return Err(Status::invalid_argument(format!("storage name not found: {storage}")));
        }
        Ok(self.storage.join(path))
    }

    /// Remembers a call, verifies its token, and behaves as told.
    async fn enter(
        &self,
        method: &'static str,
        metadata: &MetadataMap,
        repository: proto::Repository,
    ) -> Result<(), Status> {
        self.calls.lock().unwrap().push(Call { method, repository, metadata: metadata.clone() });
        self.verify(metadata)?;
        let delay = self.delays.lock().unwrap().get(method).copied();
        tokio::time::sleep(delay.unwrap_or_default()).await;
        let failure = self.failures.lock().unwrap().get(method).cloned();
        failure.map_or(Ok(()), Err)
    }

    /// As Gitaly does it: version 2, 30 seconds to each side.
    fn verify(&self, metadata: &MetadataMap) -> Result<(), Status> {
        let Some(token) = self.token else { return Ok(()) };
        let unauthenticated = || Status::unauthenticated("authentication required");
        let header = metadata.get("authorization").and_then(|value| value.to_str().ok()).ok_or_else(unauthenticated)?;
        let parts: Vec<_> = header.strip_prefix("Bearer ").ok_or_else(unauthenticated)?.split('.').collect();
        let ["v2", signature, time] = parts[..] else { return Err(unauthenticated()) };
        let mut mac = Hmac::<Sha256>::new_from_slice(token.as_bytes()).unwrap();
        mac.update(time.as_bytes());
        let expected = format!("{:x}", Bytes::copy_from_slice(&mac.finalize().into_bytes()));
        let seconds: i64 = time.parse().map_err(|_| unauthenticated())?;
        if signature == expected && (Utc::now().timestamp() - seconds).abs() <= 30 {
            Ok(())
        } else {
            Err(Status::permission_denied("permission denied"))
        }
    }
}
