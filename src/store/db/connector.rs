//! Where the database is, and how a connection to it is made: which of several hosts, and what a session is like.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool::managed::{Manager, Metrics, RecycleResult};
use form_urlencoded::Serializer;
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tokio::time::{sleep, timeout};

use super::retry::RetryPauses;
use crate::store::fault;

/// A connection that lay idle for longer is asked whether it lives before it is used. Busier ones show it by
/// themselves.
const IDLE: Duration = Duration::from_millis(100);
/// How long the question may take whether a connection lives.
const PING: Duration = Duration::from_secs(1);
/// How long a connection is used at most: what PostgreSQL keeps of each session grows.
const LIFETIME: Duration = Duration::from_mins(30);
/// How long one of several hosts is waited for, where the URL does not say.
const CONNECT: Duration = Duration::from_secs(1);

/// Parameters of a URL that are the driver's.
const PASSED_ON: [&str; 16] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "hostaddr",
];

/// What a session must be like, as libpq's `target_session_attrs` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionAttributes {
    /// Any will do.
    Any,
    /// It takes writes.
    ReadWrite,
    /// It takes none.
    ReadOnly,
    /// The server is no standby.
    Primary,
    /// The server is a standby.
    Standby,
    /// A standby, and any where there is none.
    PreferStandby,
}

impl FromStr for SessionAttributes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "any" => Self::Any,
            "read-write" => Self::ReadWrite,
            "read-only" => Self::ReadOnly,
            "primary" => Self::Primary,
            "standby" => Self::Standby,
            "prefer-standby" => Self::PreferStandby,
            _ => return Err(format!("target_session_attrs is none of libpq's: {text}")),
        })
    }
}

/// A database as a URL says it: its hosts in order, and which of them will do.
#[derive(Debug, Clone)]
pub struct DatabaseAddress {
    /// How to reach each host; one at least.
    hosts: Vec<PgConnectOptions>,
    wanted: SessionAttributes,
    /// How long one of several hosts is waited for.
    connect_timeout: Duration,
}

impl From<PgConnectOptions> for DatabaseAddress {
    fn from(host: PgConnectOptions) -> Self {
        Self { hosts: vec![host], wanted: SessionAttributes::Any, connect_timeout: CONNECT }
    }
}

impl DatabaseAddress {
    /// Reads a URL of libpq's: several hosts and ports with commas between them, `target_session_attrs` and
    /// `connect_timeout` among the parameters. Where the URL does not say which host will do, `usual` says it.
    ///
    /// # Errors
    /// What is wrong with the URL, a parameter that nobody knows among it.
    pub fn parse(url: &SecretString, usual: SessionAttributes) -> Result<Self, sqlx::Error> {
        Self::read(url.expose_secret(), usual).map_err(|problem| sqlx::Error::Configuration(problem.into()))
    }

    fn read(url: &str, usual: SessionAttributes) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or("it is no URL: `postgres://…` is expected")?;
        if !matches!(scheme, "postgres" | "postgresql") {
            return Err(format!("it is a URL of `{scheme}`, not of `postgres`"));
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let (user, named) = authority.rsplit_once('@').map_or(("", authority), |(user, hosts)| (user, hosts));
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut named: Vec<DatabaseHost> = named.split(',').map(DatabaseHost::of_authority).collect();
        let (mut ports, mut wanted, mut connect_timeout) = (None, None, CONNECT);
        let mut passed_on = Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "host" => {
                    // Ports are those of the authority, where no parameter says otherwise.
                    let ports: Vec<Option<String>> = named.into_iter().map(|host| host.port).collect();
                    let ports = ports.iter().cycle();
                    let hosts = value.split(',').zip(ports);
                    named = hosts.map(|(name, port)| DatabaseHost::of_parameter(name, port.clone())).collect();
                }
                "port" => ports = Some(value.split(',').map(str::to_owned).collect::<Vec<_>>()),
                "target_session_attrs" => wanted = Some(value.parse()?),
                "connect_timeout" => {
                    let seconds: u64 = value.parse().map_err(|_| format!("connect_timeout is no number: {value}"))?;
                    // 0 is libpq's word for no limit.
                    connect_timeout = if seconds == 0 { Duration::MAX } else { Duration::from_secs(seconds) };
                }
                name if PASSED_ON.contains(&name) || (name.starts_with("options[") && name.ends_with(']')) => {
                    passed_on.append_pair(name, &value);
                }
                _ => return Err(format!("`{name}` is a parameter that is not known here")),
            }
        }
        if let Some(ports) = ports {
            if ports.len() != 1 && ports.len() != named.len() {
                return Err(format!("it has {} ports for {} hosts", ports.len(), named.len()));
            }
            for (host, port) in named.iter_mut().zip(ports.iter().cycle()) {
                host.port = Some(port.clone());
            }
        }
        let passed_on = passed_on.finish();
        let hosts: Vec<PgConnectOptions> =
            named.iter().map(|host| host.options(scheme, user, path, &passed_on)).collect::<Result<_, _>>()?;
        Ok(Self { hosts, wanted: wanted.unwrap_or(usual), connect_timeout })
    }

    /// The same database, each of whose sessions is changed so.
    #[must_use]
    pub fn map(self, change: impl FnMut(PgConnectOptions) -> PgConnectOptions) -> Self {
        Self { hosts: self.hosts.into_iter().map(change).collect(), ..self }
    }
}

/// One of the hosts that a URL names.
struct DatabaseHost {
    name: String,
    port: Option<String>,
    /// Whether the name is a folder of sockets.
    socket: bool,
}

impl DatabaseHost {
    fn of_authority(text: &str) -> Self {
        // The colons in `[::1]` part nothing.
        let after = text.rfind(']').unwrap_or(0);
        let (name, port) = match text[after..].find(':') {
            Some(at) => (&text[..after + at], Some(text[after + at + 1..].to_owned())),
            None => (text, None),
        };
        Self { name: name.to_owned(), port, socket: name.to_ascii_lowercase().starts_with("%2f") }
    }

    fn of_parameter(text: &str, port: Option<String>) -> Self {
        Self { name: text.to_owned(), port, socket: text.starts_with('/') }
    }

    /// What the driver makes of a URL that names this host alone.
    fn options(&self, scheme: &str, user: &str, path: &str, parameters: &str) -> Result<PgConnectOptions, String> {
        let at = if user.is_empty() { String::new() } else { format!("{user}@") };
        let port = self.port.as_deref().filter(|port| !port.is_empty()).map(|port| format!(":{port}"));
        let port = port.unwrap_or_default();
        let url = if self.socket {
            let folder: String = if self.name.starts_with('/') {
                form_urlencoded::byte_serialize(self.name.as_bytes()).collect()
            } else {
                self.name.clone()
            };
            format!("{scheme}://{at}localhost{port}{path}?host={folder}&{parameters}")
        } else if self.name.is_empty() && at.is_empty() && port.is_empty() {
            format!("{scheme}://{path}?{parameters}")
        } else {
            let name = if self.name.is_empty() { "localhost" } else { &self.name };
            format!("{scheme}://{at}{name}{port}{path}?{parameters}")
        };
        PgConnectOptions::from_str(&url).map_err(|error| error.to_string())
    }
}

/// A session of a pool.
#[derive(Debug)]
pub(super) struct PooledSession {
    pub(super) connection: PgConnection,
    /// When somebody used it last.
    pub(super) free_since: Instant,
    made: Instant,
}

/// Makes the connections of a pool.
pub(super) struct Connector {
    address: DatabaseAddress,
    /// The host that was the right one last.
    current: AtomicUsize,
    /// The pauses between attempts while none succeeds, and when the next attempt may be made. A moment and no span of
    /// time: whoever gives up before it comes must not make those after them begin to wait anew.
    trouble: Mutex<Option<(RetryPauses, Instant)>>,
    /// When a connection last turned out dead: those that have not been used since are likely to be so too.
    died: Mutex<Option<Instant>>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Connector")
    }
}

impl Connector {
    pub(super) fn new(address: DatabaseAddress) -> Self {
        Self { address, current: AtomicUsize::new(0), trouble: Mutex::default(), died: Mutex::default() }
    }

    /// How to reach the host that was the right one last, whether it still is or not.
    pub(super) fn usual(&self) -> PgConnectOptions {
        self.address.hosts[self.current.load(Ordering::Relaxed)].clone()
    }

    /// How to reach the host that is the right one now.
    pub(super) async fn find(&self) -> Result<PgConnectOptions, sqlx::Error> {
        if self.address.hosts.len() > 1 {
            let found = self.connect().await?;
            let _ = found.close().await;
        }
        Ok(self.usual())
    }

    /// A connection to the first host that will do, beginning with the one that did last.
    pub(super) async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let wanted = self.address.wanted;
        match self.connect_where(wanted).await {
            Err(error) if wanted == SessionAttributes::PreferStandby => {
                self.connect_where(SessionAttributes::Any).await.map_err(|_| error)
            }
            connected => connected,
        }
    }

    async fn connect_where(&self, wanted: SessionAttributes) -> Result<PgConnection, sqlx::Error> {
        let count = self.address.hosts.len();
        let first = self.current.load(Ordering::Relaxed);
        // Several hosts share the time that one may take, for whoever waits may give up before the last is tried.
        let share = u32::try_from(count).map_or(super::CONNECT, |count| super::CONNECT * 9 / 10 / count);
        let patience = if count == 1 { super::CONNECT } else { self.address.connect_timeout.min(share) };
        let mut failure = None;
        for at in (0..count).map(|further| (first + further) % count) {
            // Noted before, for the same reason: the next attempt begins with another host.
            self.current.store((at + 1) % count, Ordering::Relaxed);
            let attempt = timeout(patience, connect(&self.address.hosts[at], wanted)).await;
            match attempt.unwrap_or_else(|_| Err(fault::silence())) {
                Ok(connection) => {
                    self.current.store(at, Ordering::Relaxed);
                    return Ok(connection);
                }
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
        }
        Err(failure.unwrap_or(sqlx::Error::PoolClosed))
    }

    /// Waits where the attempts before this one failed, each time a little longer.
    async fn pause(&self) {
        let until = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|(_, until)| *until);
        if let Some(until) = until {
            sleep(until.saturating_duration_since(Instant::now())).await;
        }
    }

    fn note(&self, success: bool) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if success {
            *trouble = None;
        } else {
            let now = Instant::now();
            let (pauses, until) = trouble.get_or_insert_with(|| (RetryPauses::default(), now));
            *until = now + pauses.longer();
        }
    }
}

async fn connect(options: &PgConnectOptions, wanted: SessionAttributes) -> Result<PgConnection, sqlx::Error> {
    let mut connection = options.connect().await?;
    if wanted == SessionAttributes::Any {
        return Ok(connection);
    }
    let found = sqlx::query!(
        r#"select
          pg_is_in_recovery() as "standby!",
          current_setting('transaction_read_only') = 'on' as "read_only!""#
    )
    .fetch_one(&mut connection)
    .await?;
    let refusal = match wanted {
        SessionAttributes::ReadWrite if found.read_only => "takes no writes",
        SessionAttributes::ReadOnly if !found.read_only => "takes writes",
        SessionAttributes::Primary if found.standby => "is a standby",
        SessionAttributes::Standby | SessionAttributes::PreferStandby if !found.standby => "is no standby",
        _ => return Ok(connection),
    };
    let _ = connection.close().await;
    let host =
        options.get_socket().map_or_else(|| options.get_host().to_owned(), |folder| folder.display().to_string());
    let refusal = format!("{host}, port {}, {refusal}", options.get_port());
    Err(sqlx::Error::Io(io::Error::new(io::ErrorKind::NotConnected, refusal)))
}

impl Manager for Connector {
    type Type = PooledSession;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<PooledSession, sqlx::Error> {
        // Whoever waits for a place of the pool waits behind this pause too: a database that refuses at once is not asked
        // more often than that.
        self.pause().await;
        let connected = self.connect().await;
        self.note(connected.is_ok());
        let now = Instant::now();
        Ok(PooledSession { connection: connected?, free_since: now, made: now })
    }

    async fn recycle(&self, session: &mut PooledSession, _: &Metrics) -> RecycleResult<sqlx::Error> {
        if session.made.elapsed() > LIFETIME {
            return Err(sqlx::Error::PoolClosed.into());
        }
        if session.free_since.elapsed() < IDLE {
            return Ok(());
        }
        let died = *self.died.lock().unwrap_or_else(PoisonError::into_inner);
        if died.is_some_and(|died| session.free_since <= died) {
            return Err(fault::silence().into());
        }
        let asked = Instant::now();
        match timeout(PING, session.connection.ping()).await.unwrap_or_else(|_| Err(fault::silence())) {
            Ok(()) => Ok(()),
            Err(error) => {
                *self.died.lock().unwrap_or_else(PoisonError::into_inner) = Some(asked);
                Err(error.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<(Vec<String>, SessionAttributes), String> {
        let address = DatabaseAddress::read(url, SessionAttributes::Primary)?;
        let hosts = address.hosts.iter().map(|host| {
            let place = host.get_socket().map_or(host.get_host().to_owned(), |folder| folder.display().to_string());
            format!("{}@{place}:{}/{}", host.get_username(), host.get_port(), host.get_database().unwrap_or_default())
        });
        Ok((hosts.collect(), address.wanted))
    }

    #[test]
    fn a_url_names_one_host_or_several() {
        let one = |host: &str| Ok((vec![host.to_owned()], SessionAttributes::Primary));
        assert_eq!(read("postgres://rubi:x@db/gh"), one("rubi@db:5432/gh"));
        assert_eq!(read("postgresql://rubi@[::1]:5433/gh?sslmode=disable"), one("rubi@[::1]:5433/gh"));
        assert_eq!(read("postgres://rubi@localhost:7/gh?host=/run/pg"), one("rubi@/run/pg:7/gh"));
        assert_eq!(read("postgres://rubi@%2Frun%2Fpg:7/gh"), one("rubi@/run/pg:7/gh"));
        assert_eq!(read("postgres://rubi@db/gh?host=other&port=9"), one("rubi@other:9/gh"));
        let three = vec!["rubi@a:1/gh".to_owned(), "rubi@b:5432/gh".to_owned(), "rubi@[::1]:3/gh".to_owned()];
        assert_eq!(read("postgres://rubi@a:1,b,[::1]:3/gh"), Ok((three, SessionAttributes::Primary)));
        let two = vec!["rubi@/a:6/gh".to_owned(), "rubi@b:7/gh".to_owned()];
        let url = "postgres://rubi@x/gh?host=/a,b&port=6,7&target_session_attrs=prefer-standby&connect_timeout=2";
        assert_eq!(read(url), Ok((two, SessionAttributes::PreferStandby)));
    }

    #[test]
    fn what_a_url_says_is_understood_or_refused() {
        for (url, problem) in [
            ("mysql://a/b", "it is a URL of `mysql`, not of `postgres`"),
            ("a/b", "it is no URL: `postgres://…` is expected"),
            ("postgres://a/b?target_session_attrs=best", "target_session_attrs is none of libpq's: best"),
            ("postgres://a/b?load_balance_hosts=random", "`load_balance_hosts` is a parameter that is not known here"),
            ("postgres://a/b?connect_timeout=x", "connect_timeout is no number: x"),
            ("postgres://a,b,c/d?port=1,2", "it has 2 ports for 3 hosts"),
        ] {
            assert_eq!(read(url), Err(problem.to_owned()), "{url}");
        }
        assert!(read("postgres://a:x/b").is_err());
    }
}
