//! A wire to the database that a test can cut, slow down, or leave without an answer.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgPool};

const OPEN: u8 = 0;
const CUT: u8 = 1;
const SILENT: u8 = 2;
const GONE: u8 = 3;
const REFUSING: u8 = 4;
const ANSWERING: u8 = 5;

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
    /// What PostgreSQL is made to say.
    code: Mutex<String>,
    /// Answers that are yet to be lost.
    lose: AtomicU32,
    /// Attempts to connect.
    attempts: AtomicU32,
}

impl Proxy {
    pub fn before(pool: &PgPool, folder: &Path) -> Self {
        let options = pool.connect_options();
        std::fs::create_dir_all(folder).unwrap();
        let port = options.get_port();
        let listener = UnixListener::bind(folder.join(format!(".s.PGSQL.{port}"))).unwrap();
        listener.set_nonblocking(true).unwrap();
        let state = Arc::new(State {
            mode: AtomicU8::new(OPEN),
            delay: AtomicU64::new(0),
            open: Mutex::default(),
            code: Mutex::default(),
            lose: AtomicU32::new(0),
            attempts: AtomicU32::new(0),
        });
        let shared = Arc::clone(&state);
        let host =
            options.get_socket().map_or_else(|| options.get_host().to_owned(), |path| path.display().to_string());
        std::thread::spawn(move || {
            while shared.mode.load(Ordering::SeqCst) != GONE {
                match listener.accept() {
                    Ok((client, _)) => {
                        shared.attempts.fetch_add(1, Ordering::SeqCst);
                        match shared.mode.load(Ordering::SeqCst) {
                            CUT => {}
                            REFUSING => shared.refuse(client),
                            _ => shared.join(client, &host, port),
                        }
                    }
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

    /// Ends every connection, and refuses new ones as PostgreSQL does, with this code.
    pub fn refuse(&self, code: &str) {
        code.clone_into(&mut self.state.code.lock().unwrap());
        self.cut();
        self.state.mode.store(REFUSING, Ordering::SeqCst);
    }

    /// Answers every question with an error of this code; connections can be made.
    pub fn answer(&self, code: &str) {
        code.clone_into(&mut self.state.code.lock().unwrap());
        self.state.mode.store(ANSWERING, Ordering::SeqCst);
    }

    /// Cuts the connection on which the next answer comes, so that it arrives nowhere.
    pub fn lose_next_answer(&self) {
        self.state.lose.store(1, Ordering::SeqCst);
    }

    /// How often somebody has tried to connect.
    pub fn attempts(&self) -> u32 {
        self.state.attempts.load(Ordering::SeqCst)
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
            self.ask(client.try_clone().unwrap(), server.try_clone().unwrap());
            self.reply(server, client);
        } else {
            let server = TcpStream::connect((host, port)).unwrap();
            self.ask(client.try_clone().unwrap(), server.try_clone().unwrap());
            self.reply(server, client);
        }
    }

    fn refuse(self: &Arc<Self>, mut client: UnixStream) {
        let answer = self.error("FATAL");
        std::thread::spawn(move || {
            client.set_nonblocking(false).unwrap();
            // The client has said who it is.
            let _ = client.read(&mut [0; 16384]);
            let _ = client.write_all(&answer);
            client.close();
        });
    }

    /// What a client says: first who it is, then what it asks.
    fn ask(self: &Arc<Self>, mut client: UnixStream, mut server: impl Write + Close + Send + 'static) {
        let state = Arc::clone(self);
        std::thread::spawn(move || {
            let (mut buffer, mut introduced) = ([0; 16384], false);
            while let Ok(length @ 1..) = client.read(&mut buffer) {
                state.wait_out_delay();
                let mode = state.wait_out_silence();
                let done = if mode == ANSWERING && introduced {
                    // An error, and readiness for the next question.
                    client.write_all(&[&state.error("ERROR")[..], b"Z\0\0\0\x05I"].concat())
                } else {
                    server.write_all(&buffer[..length])
                };
                introduced = true;
                if done.is_err() {
                    break;
                }
            }
            server.close();
        });
    }

    fn reply(self: &Arc<Self>, mut server: impl Read + Send + 'static, mut client: UnixStream) {
        let state = Arc::clone(self);
        std::thread::spawn(move || {
            let mut buffer = [0; 16384];
            while let Ok(length @ 1..) = server.read(&mut buffer) {
                state.wait_out_delay();
                state.wait_out_silence();
                let lost = state.lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
                if lost.is_ok() || client.write_all(&buffer[..length]).is_err() {
                    break;
                }
            }
            client.close();
        });
    }

    fn wait_out_delay(&self) {
        std::thread::sleep(Duration::from_millis(self.delay.load(Ordering::SeqCst)));
    }

    fn wait_out_silence(&self) -> u8 {
        loop {
            match self.mode.load(Ordering::SeqCst) {
                SILENT => std::thread::sleep(Duration::from_millis(5)),
                mode => return mode,
            }
        }
    }

    /// An error as PostgreSQL sends it.
    fn error(&self, severity: &str) -> Vec<u8> {
        let code = self.code.lock().unwrap().clone();
        let fields = format!("S{severity}\0V{severity}\0C{code}\0Mthe proxy says so\0\0");
        let length = u32::try_from(4 + fields.len()).unwrap();
        [b"E", &length.to_be_bytes()[..], fields.as_bytes()].concat()
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
