//! A wire to the database that a test can cut, slow down, or leave without an answer.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgPool};

const OPEN: u8 = 0;
const CUT: u8 = 1;
const SILENT: u8 = 2;
const GONE: u8 = 3;

/// A Unix socket in a folder of its own, and behind it the test's database.
pub struct Proxy {
    folder: PathBuf,
    options: PgConnectOptions,
    state: Arc<State>,
}

struct State {
    mode: AtomicU8,
    /// Milliseconds that everything takes on its way.
    delay: AtomicU64,
    open: Mutex<Vec<UnixStream>>,
}

impl Proxy {
    pub fn before(pool: &PgPool, folder: &Path) -> Self {
        let options = pool.connect_options();
        std::fs::create_dir_all(folder).unwrap();
        let port = options.get_port();
        let listener = UnixListener::bind(folder.join(format!(".s.PGSQL.{port}"))).unwrap();
        listener.set_nonblocking(true).unwrap();
        let state = Arc::new(State { mode: AtomicU8::new(OPEN), delay: AtomicU64::new(0), open: Mutex::default() });
        let shared = Arc::clone(&state);
        let host =
            options.get_socket().map_or_else(|| options.get_host().to_owned(), |path| path.display().to_string());
        std::thread::spawn(move || {
            while shared.mode.load(Ordering::SeqCst) != GONE {
                match listener.accept() {
                    Ok((client, _)) if shared.mode.load(Ordering::SeqCst) != CUT => shared.join(client, &host, port),
                    Ok(_) => {}
                    Err(_) => std::thread::sleep(Duration::from_millis(5)),
                }
            }
        });
        let options = (*options).clone().socket(folder);
        Self { folder: folder.to_owned(), options, state }
    }

    /// The database's URL, by way of the proxy.
    pub fn url(&self) -> String {
        self.options.to_url_lossy().to_string()
    }

    pub fn open(&self) {
        self.state.mode.store(OPEN, Ordering::SeqCst);
    }

    /// Ends every connection, and refuses new ones.
    pub fn cut(&self) {
        self.state.mode.store(CUT, Ordering::SeqCst);
        for stream in self.state.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Lets everything take so long on its way, in both directions.
    pub fn slow(&self, delay: Duration) {
        self.state.delay.store(delay.as_millis().try_into().unwrap(), Ordering::SeqCst);
    }

    /// Keeps every connection, and says nothing any more.
    pub fn fall_silent(&self) {
        self.state.mode.store(SILENT, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
        self.state.mode.store(GONE, Ordering::SeqCst);
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl State {
    fn join(self: &Arc<Self>, client: UnixStream, host: &str, port: u16) {
        client.set_nonblocking(false).unwrap();
        self.open.lock().unwrap().push(client.try_clone().unwrap());
        if host.starts_with('/') {
            let server = UnixStream::connect(format!("{host}/.s.PGSQL.{port}")).unwrap();
            self.copy(client.try_clone().unwrap(), server.try_clone().unwrap());
            self.copy(server, client);
        } else {
            let server = TcpStream::connect((host, port)).unwrap();
            self.copy(client.try_clone().unwrap(), server.try_clone().unwrap());
            self.copy(server, client);
        }
    }

    fn copy(self: &Arc<Self>, mut from: impl Read + Send + 'static, mut to: impl Write + Close + Send + 'static) {
        let state = Arc::clone(self);
        std::thread::spawn(move || {
            let mut buffer = [0; 16384];
            while let Ok(length @ 1..) = from.read(&mut buffer) {
                std::thread::sleep(Duration::from_millis(state.delay.load(Ordering::SeqCst)));
                while state.mode.load(Ordering::SeqCst) == SILENT {
                    std::thread::sleep(Duration::from_millis(5));
                }
                if to.write_all(&buffer[..length]).is_err() {
                    break;
                }
            }
            to.close();
        });
    }
}

/// Says to the other side that there is no more.
trait Close {
    fn close(&self);
}

impl Close for UnixStream {
    fn close(&self) {
        let _ = self.shutdown(Shutdown::Both);
    }
}

impl Close for TcpStream {
    fn close(&self) {
        let _ = self.shutdown(Shutdown::Both);
    }
}
