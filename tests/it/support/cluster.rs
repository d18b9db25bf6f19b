//! PostgreSQL itself: a primary and a standby that replays it, for a test alone.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gatehouse::store::MIGRATIONS;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

/// Two servers in a folder, each listening on a socket in its own.
pub struct Cluster {
    folder: PathBuf,
    bin: PathBuf,
}

impl Cluster {
    /// A primary with our schema in a database `gh`, and a standby of it.
    pub async fn new() -> Self {
        let parent = if Path::new("/dev/shm").is_dir() { PathBuf::from("/dev/shm") } else { std::env::temp_dir() };
        let folder = parent.join(format!("gatehouse-{}", &Uuid::new_v4().simple().to_string()[..8]));
        fs::create_dir(&folder).unwrap();
        let cluster = Self { folder, bin: programs() };
        if is_root() {
            assert!(Command::new("chown").arg("postgres:").arg(&cluster.folder).status().unwrap().success());
        }
        let primary = cluster.node("primary");
        cluster.run("initdb", ["-D", &primary, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]);
        let settings = "fsync = off\nlisten_addresses = ''\nhot_standby_feedback = on\nwal_sender_timeout = '2s'\n";
        fs::write(Path::new(&primary).join("postgresql.auto.conf"), settings).unwrap();
        cluster.start("primary");
        let standby = cluster.node("standby");
        let connection = format!("host={} user=postgres", cluster.sockets("primary"));
        cluster.run("pg_basebackup", ["-d", &connection, "-D", &standby, "-R", "-c", "fast", "-X", "stream", "-N"]);
        cluster.start("standby");
        let pool = PgPool::connect(&cluster.url("primary").replace("/gh?", "/postgres?")).await.unwrap();
        sqlx::query("create database gh").execute(&pool).await.unwrap();
        pool.close().await;
        let pool = cluster.pool().await;
        MIGRATIONS.run(&pool).await.unwrap();
        pool.close().await;
        cluster
    }

    /// The database by way of these servers, with commas between them.
    pub fn url(&self, nodes: &str) -> String {
        let folders: Vec<String> = nodes.split(',').map(|node| self.sockets(node)).collect();
        format!("postgres://postgres@localhost/gh?host={}", folders.join(","))
    }

    /// Connections to the primary.
    pub async fn pool(&self) -> PgPool {
        PgPoolOptions::new().max_connections(5).connect(&self.url("primary")).await.unwrap()
    }

    /// Executes a statement on one of them.
    pub async fn sql(&self, node: &str, statement: &'static str) {
        let pool = PgPool::connect(&self.url(node)).await.unwrap();
        sqlx::raw_sql(statement).execute(&pool).await.unwrap();
        pool.close().await;
    }

    pub fn start(&self, node: &str) {
        let folder = self.node(node);
        let sockets = self.sockets(node);
        let made = as_postgres(Path::new("mkdir")).args(["-p", &sockets]).status().unwrap();
        assert!(made.success());
        let options = format!("-c unix_socket_directories={sockets}");
        let log = format!("{folder}.log");
        self.run("pg_ctl", ["-D", &folder, "-s", "-w", "-l", &log, "-o", &options, "start"]);
    }

    pub fn stop(&self, node: &str) {
        self.run("pg_ctl", ["-D", &self.node(node), "-s", "-m", "fast", "stop"]);
    }

    /// Lets all processes of a server stand still, or go on.
    pub fn freeze(&self, node: &str, still: bool) {
        let signal = if still { "-STOP" } else { "-CONT" };
        let pattern = format!("^postgres: .*|postgres -D {}", self.node(node));
        let pids = Command::new("pgrep").args(["-f", &pattern]).output().unwrap();
        let folder = PathBuf::from(self.node(node));
        for pid in String::from_utf8_lossy(&pids.stdout).lines() {
            if fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == folder) {
                assert!(Command::new("kill").args([signal, pid]).status().unwrap().success());
            }
        }
    }

    /// Makes the standby a primary.
    pub fn promote(&self) {
        self.run("pg_ctl", ["-D", &self.node("standby"), "-s", "-w", "promote"]);
    }

    /// Not in the server's own folder, which the standby is a copy of.
    fn sockets(&self, node: &str) -> String {
        format!("{}.sockets", self.node(node))
    }

    fn node(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn run<S: AsRef<OsStr>>(&self, program: &str, arguments: impl IntoIterator<Item = S>) {
        let mut command = as_postgres(&self.bin.join(program));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let ran = command.status().unwrap();
        assert!(ran.success(), "{program} in {}", self.folder.display());
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in ["standby", "primary"] {
            let stop = ["-D", &self.node(node), "-s", "-m", "immediate", "stop"];
            let _ = as_postgres(&self.bin.join("pg_ctl")).args(stop).stderr(Stdio::null()).status();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A program that does not want to be root, run as one who is not.
pub fn as_postgres(program: &Path) -> Command {
    let mut command;
    if is_root() {
        command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(program).current_dir("/");
    } else {
        command = Command::new(program);
    }
    command
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout == b"0\n"
}

/// Where PostgreSQL's server programs are: of several versions, the newest.
fn programs() -> PathBuf {
    let installed =
        fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let version = |folder: &PathBuf| {
        let version = folder.parent().and_then(Path::file_name).and_then(OsStr::to_str);
        version.and_then(|version| version.parse::<u32>().ok())
    };
    installed.filter(|folder| folder.join("initdb").exists()).max_by_key(version).unwrap_or_else(|| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = std::env::split_paths(&path).find(|folder| folder.join("initdb").exists());
        found.expect("PostgreSQL's server programs are installed")
    })
}
