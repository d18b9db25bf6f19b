//! `bin/run` as a stranger meets it: what it prints works, what README promises of it is so, and every curl line of
//! GitLab's documentation answers as it is documented.

mod lines;
mod printed;

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sqlx::{ConnectOptions, PgPool};

/// `bin/run` with the binary of the tests, over the test's database. It ends with the test.
pub struct Running {
    script: Child,
    home: PathBuf,
    listen: String,
    /// Everything that it has printed up to the word that it serves.
    said: String,
}

impl Running {
    /// Runs it, and waits until it serves.
    pub fn start(pool: &PgPool) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let home = std::env::temp_dir().join(format!("gatehouse-run-{}-{number}", std::process::id()));
        fs::create_dir_all(&home).unwrap();
        let free = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (listen, monitoring, admin) = (free(), free(), free());
        let [listen, monitoring, admin] =
            [listen, monitoring, admin].map(|port| port.local_addr().unwrap().to_string());
        let output = home.join("said");
        let script = Command::new(root().join("bin/run"))
            .env("DATABASE_URL", pool.connect_options().to_url_lossy().as_str())
            .env("GATEHOUSE_BINARY", env!("CARGO_BIN_EXE_gatehouse"))
            .env("GATEHOUSE_HOME", &home)
            .env("GATEHOUSE__LISTEN", &listen)
            .env("GATEHOUSE__METRICS_LISTEN", monitoring)
            .env("GATEHOUSE__ADMIN__LISTEN", admin)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&output).unwrap())
            .spawn()
            .unwrap();
        let mut running = Self { script, home, listen, said: String::new() };
        let begun = Instant::now();
        while !running.said.contains("Ctrl-C stops everything.") {
            std::thread::sleep(Duration::from_millis(50));
            running.said = fs::read_to_string(&output).unwrap();
            let ended = running.script.try_wait().unwrap();
            assert!(ended.is_none() && begun.elapsed() < Duration::from_mins(2), "{ended:?}: {}", running.said);
        }
        running
    }

    /// What a command of its binary says, which succeeds.
    pub fn gatehouse(&self, arguments: &[&str]) -> String {
        let output = Command::new(self.home.join("gatehouse")).args(arguments).output().unwrap();
        let said = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap()).concat();
        assert!(output.status.success(), "{arguments:?}: {said}");
        said
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.script.id().to_string()]).status();
        let _ = self.script.wait();
        let _ = fs::remove_dir_all(&self.home);
    }
}

/// What a shell makes of a line, in the folder that `bin/run` says.
pub fn shell(line: &str) -> Output {
    Command::new("bash").arg("-c").arg(line).current_dir(root()).stdin(Stdio::null()).output().unwrap()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
