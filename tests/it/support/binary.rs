//! The binary itself: run once for a command, or served until the test ends, each in a folder of its own.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sqlx::{ConnectOptions, PgPool};

use super::{SHELL_SECRET, Wire};

/// The secret of the tests' kas.
pub const KAS_SECRET: &str = "c2l4dGVlbiBieXRlcyBhbmQgc2l4dGVlbiBtb3JlISE=";
/// The instance's secret.
pub const DB_KEY_BASE: &str = "a-db-key-base-that-is-nowhere-else-0123456789";

/// A folder with settings and secrets; it goes when the test does.
pub struct Installation {
    pub folder: PathBuf,
    pub socket: PathBuf,
    pub metrics: SocketAddr,
    database: String,
}

impl Installation {
    /// An installation over the test's database, with these lines added to its settings.
    pub fn new(pool: &PgPool, settings: &str) -> Self {
        Self::at(pool.connect_options().to_url_lossy().to_string(), settings)
    }

    /// An installation over the database at this URL.
    pub fn at(database: String, settings: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("gatehouse-it-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let socket = folder.join("api.socket");
        let metrics = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let home = folder.display();
        fs::write(folder.join("shell"), SHELL_SECRET).unwrap();
        fs::write(folder.join("kas"), KAS_SECRET).unwrap();
        fs::write(folder.join("base"), DB_KEY_BASE).unwrap();
        let storages = "repositories: {storages: {default: {gitaly_address: 'tcp://gitaly:8075', gitaly_token: a-token-of-gitaly}}}\n";
        let storages = if settings.contains("repositories:") { "" } else { storages };
        let usual = format!(
            "gitlab_shell: {{secret_file: {home}/shell}}\n\
             gitlab_kas: {{secret_file: {home}/kas}}\n\
             {storages}gatehouse:\n  listen: null\n  socket: {home}/api.socket\n  metrics_listen: {metrics}\n  \
             db_key_base_file: {home}/base\n"
        );
        fs::write(folder.join("gitlab.yml"), usual + settings).unwrap();
        Self { folder, socket, metrics, database }
    }

    /// The installation, which will listen on a TCP port too, and where.
    pub fn on_tcp(self) -> (Self, SocketAddr) {
        let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let settings = self.folder.join("gitlab.yml");
        let text = fs::read_to_string(&settings).unwrap();
        fs::write(&settings, text.replacen("listen: null", &format!("listen: {listen}"), 1)).unwrap();
        (self, listen)
    }

    /// The command, ready to run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatehouse"));
        command.env_clear().env("DATABASE_URL", &self.database).env("GATEHOUSE_CONFIG", self.folder.join("gitlab.yml"));
        command.args(arguments).current_dir(&self.folder).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).output().unwrap())
    }

    /// Serves, and waits until the socket answers.
    pub fn serve(self) -> Served {
        let log = File::create(self.folder.join("log")).unwrap();
        let child = self.command(&["serve"]).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let mut served = Served { installation: self, child };
        let begun = Instant::now();
        while Wire::unix(&served.installation.socket).is_err() {
            assert!(served.child.try_wait().unwrap().is_none(), "the server ended:\n{}", served.log());
            assert!(begun.elapsed() < Duration::from_secs(20), "the server does not listen:\n{}", served.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        served
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let code = output.status.code().unwrap_or(-1);
        Self { code, stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// A server that runs until the test ends.
pub struct Served {
    child: Child,
    pub installation: Installation,
}

impl Served {
    /// A new connection.
    pub fn connect(&self) -> Wire {
        Wire::unix(&self.installation.socket).unwrap()
    }

    /// A header line with a token that the server's own command made.
    pub fn signature(&self) -> String {
        let token = self.installation.run(&["token", "shell"]);
        assert_eq!(token.code, 0, "{token:?}");
        format!("Gitlab-Shell-Api-Request: {}\r\n", token.stdout.trim())
    }

    /// Everything that the server has printed.
    pub fn log(&self) -> String {
        fs::read_to_string(self.installation.folder.join("log")).unwrap()
    }

    /// Asks the server to stop, as an operator does.
    pub fn terminate(&self) {
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(asked.success());
    }

    /// How the server ended.
    pub fn ended(&mut self) -> i32 {
        let begun = Instant::now();
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return status.code().unwrap_or(-1),
                None if begun.elapsed() > Duration::from_secs(20) => panic!("it goes on:\n{}", self.log()),
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    pub fn socket(&self) -> &Path {
        &self.installation.socket
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
