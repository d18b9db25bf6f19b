//! What crash suites share: servers in processes of their own that are killed while they answer, and come back.

use std::fs::{self, OpenOptions};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use reqwest::Client;
use tokio::time::sleep;

use super::Installation;

/// How long requests are made and servers killed.
pub const STORM: Duration = Duration::from_secs(10);
/// How long a server may take to come back.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A server on a port of its own.
pub struct CrashServer {
    pub port: u16,
    installation: Installation,
    environment: &'static [(&'static str, &'static str)],
    process: Child,
}

impl CrashServer {
    /// Serves, with these settings beside the installation's, and waits until it answers.
    pub async fn start(installation: Installation, environment: &'static [(&'static str, &'static str)]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = spawn(&installation, environment, port);
        let server = Self { port, installation, environment, process };
        server.answers().await;
        server
    }

    /// SIGKILL, and up again on the same port.
    pub async fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.process = spawn(&self.installation, self.environment, self.port);
        self.answers().await;
    }

    /// SIGTERM: it drains, and ends well.
    pub fn stop(&mut self) {
        let asked = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status().unwrap();
        assert!(asked.success() && self.process.wait().unwrap().success(), "{}", self.log());
    }

    /// Everything that it has printed, before its ends too.
    pub fn log(&self) -> String {
        fs::read_to_string(self.installation.folder.join("log")).unwrap()
    }

    async fn answers(&self) {
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(begun.elapsed() < PATIENCE, "the server does not come back: {}", self.log());
            sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for CrashServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(installation: &Installation, environment: &[(&str, &str)], port: u16) -> Child {
    let log = OpenOptions::new().create(true).append(true).open(installation.folder.join("log")).unwrap();
    let mut command = installation.command(&["serve"]);
    command.env("GATEHOUSE__LISTEN", format!("127.0.0.1:{port}")).env("GATEHOUSE__SOCKET", "");
    command.env("GATEHOUSE__METRICS_LISTEN", "").env("GATEHOUSE__LOG__LEVEL", "warn").envs(environment.iter().copied());
    command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
}

/// Kills the servers in turn until it is time to end, after a pause each; how often it did is returned.
pub async fn kill_until(end: Instant, servers: &mut [CrashServer], mut pause: impl FnMut() -> Duration) -> usize {
    let mut kills = 0;
    while Instant::now() < end {
        sleep(pause()).await;
        let server = kills % servers.len();
        servers[server].kill().await;
        kills += 1;
    }
    kills
}

/// A client that makes a connection for each request, and waits so long for an answer.
pub fn client(timeout: Duration) -> Client {
    // A provider of TLS is needed to make a client, even for one that speaks none.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().pool_max_idle_per_host(0).timeout(timeout).build().unwrap()
}
