//! The server over real sockets: how it listens, how it stops, and what it does while its database is away.

use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::{get, post};
use gatehouse::config::RequestLimits;
use gatehouse::domain::scim::ScimScope;
use gatehouse::http::extract::RequestParams;
use gatehouse::http::layers;
use gatehouse::http::tasks::RequestTasks;
use gatehouse::server::{Listener, serve};
use gatehouse::telemetry::figures::RequestFigures;
use serde_json::Value;
use sqlx::PgPool;
use tokio::sync::watch;

use crate::support::{Answer, Installation, Proxy, Served, TestApp, Wire, dead};

const CHECK: &str = "/api/v4/internal/check";

/// A folder that goes when the test does.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gatehouse-boot-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A server of the test's own process, on a Unix socket.
pub struct Here {
    pub socket: PathBuf,
    stop: watch::Sender<bool>,
    ended: tokio::task::JoinHandle<()>,
    _folder: Folder,
}

impl Here {
    pub async fn serves(name: &str, router: Router, limits: RequestLimits) -> Self {
        let folder = Folder::new(name);
        let socket = folder.0.join("socket");
        let listener = Listener::unix(&socket).await.unwrap();
        let (stop, stopped) = watch::channel(false);
        let ended = tokio::spawn(serve(listener, router, limits, stopped));
        Self { socket, stop, ended, _folder: folder }
    }

    /// A conversation with the server, off the thread that serves.
    pub async fn talk<T: Send + 'static>(&self, talk: impl FnOnce(Wire) -> T + Send + 'static) -> T {
        let socket = self.socket.clone();
        tokio::task::spawn_blocking(move || talk(Wire::unix(&socket).unwrap())).await.unwrap()
    }

    pub async fn stops(self) {
        self.stop.send(true).unwrap();
        tokio::time::timeout(Duration::from_secs(10), self.ended).await.expect("the server stops").unwrap();
        assert!(!self.socket.exists(), "the socket's file is gone");
    }
}

pub fn around(router: Router, limits: &RequestLimits) -> Router {
    layers::layered(router, Router::new(), limits, &RequestTasks::default(), &RequestFigures::default())
}

pub fn small() -> Router {
    around(Router::new().route("/", get(async || "here")), &RequestLimits::default())
}

/// Whether the answer says that it is the last one of its connection.
pub fn closes(answer: &Answer) -> bool {
    answer.head.to_lowercase().contains("\r\nconnection: close\r\n")
}

#[tokio::test]
async fn a_connection_is_kept_until_its_client_wants_it_closed() {
    let here = Here::serves("kept", small(), RequestLimits::default()).await;
    here.talk(|mut wire| {
        for _ in 0..3 {
            assert_eq!(wire.ask("GET", "/", "", "").body, "here");
        }
        // As gitlab-shell and Gitaly ask.
        let last = wire.ask("GET", "/", "Connection: close\r\n", "");
        assert!(last.status == 200 && last.head.to_lowercase().contains("connection: close"), "{last:?}");
        assert_eq!(wire.until_closed(), "");
    })
    .await;
    here.stops().await;
}

#[tokio::test]
async fn tcp_is_served_alike() {
    let address = "127.0.0.1:0".parse().unwrap();
    let listener = Listener::tcp(address).await.unwrap();
    let Listener::Tcp(tcp) = &listener else { panic!("a TCP listener") };
    let address = tcp.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let ended = tokio::spawn(serve(listener, small(), RequestLimits::default(), stopped));
    let talk = tokio::task::spawn_blocking(move || {
        let mut wire = Wire::tcp(address).unwrap();
        assert_eq!(wire.ask("GET", "//", "", "").body, "here");
        assert_eq!(wire.ask("GET", "/", "", "").body, "here");
        wire
    });
    let mut idle = talk.await.unwrap();
    stop.send(true).unwrap();
    tokio::time::timeout(Duration::from_secs(10), ended).await.expect("an idle client does not hold it").unwrap();
    assert_eq!(tokio::task::spawn_blocking(move || idle.until_closed()).await.unwrap(), "");
}

#[tokio::test]
async fn a_slow_head_is_cut() {
    let limits = RequestLimits { header_timeout: 1, ..RequestLimits::default() };
    let here = Here::serves("slow-head", small(), limits).await;
    here.talk(|mut wire| {
        let begun = Instant::now();
        wire.write("GET / HTTP/1.1\r\nHost: unix\r\nX-Slow: ");
        wire.until_closed();
        assert!(begun.elapsed() < Duration::from_secs(5), "cut after {:?}", begun.elapsed());
    })
    .await;
    here.stops().await;
}

#[tokio::test]
async fn a_slow_body_is_answered_in_time() {
    let slow = post(async |RequestParams(body): RequestParams<Value>| body.to_string());
    // The time of the body, or that of the request, whichever ends first.
    for limits in [
        RequestLimits { body_timeout: 1, ..RequestLimits::default() },
        RequestLimits { request_timeout: 1, ..RequestLimits::default() },
    ] {
        let router = around(Router::new().route("/", slow.clone()), &limits);
        let here = Here::serves("slow-body", router, limits).await;
        here.talk(|mut wire| {
            wire.write("POST / HTTP/1.1\r\nHost: unix\r\nContent-Length: 10\r\n\r\nhalf");
            let answer = wire.answer();
            assert_eq!((answer.status, closes(&answer)), (408, true), "{answer:?}");
            assert_eq!(wire.until_closed(), "");
        })
        .await;
        here.stops().await;
    }
}

#[tokio::test]
async fn who_keeps_a_connection_learns_of_the_stop_by_the_last_answer() {
    let here = Here::serves("last", small(), RequestLimits::default()).await;
    let mut wire = here
        .talk(|mut wire| {
            assert!(!closes(&wire.ask("GET", "/", "", "")));
            wire
        })
        .await;
    here.stop.send(true).unwrap();
    let asked = tokio::task::spawn_blocking(move || {
        let last = wire.ask("GET", "/", "", "");
        assert!(last.body == "here" && closes(&last), "{last:?}");
        assert_eq!(wire.until_closed(), "");
    });
    asked.await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), here.ended).await.expect("the server stops").unwrap();
}

#[tokio::test]
async fn a_full_server_serves_the_next_client_when_one_leaves_and_stops_when_it_is_asked_to() {
    let limits = RequestLimits { connections: 1, ..RequestLimits::default() };
    let here = Here::serves("full", small(), limits).await;
    let first = here
        .talk(|mut wire| {
            assert_eq!(wire.ask("GET", "/", "", "").status, 200);
            wire
        })
        .await;
    let socket = here.socket.clone();
    let second = tokio::task::spawn_blocking(move || {
        let mut wire = Wire::unix(&socket).unwrap();
        (wire.ask("GET", "/", "", "").status, wire)
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!second.is_finished(), "there is one place");
    drop(first);
    let (status, mut wire) = second.await.unwrap();
    assert_eq!(status, 200);
    // The place is taken while the server is asked to stop.
    here.stops().await;
    assert_eq!(tokio::task::spawn_blocking(move || wire.until_closed()).await.unwrap(), "");
}

#[tokio::test]
async fn a_panic_is_one_requests_failure() {
    async fn panics() -> &'static str {
        panic!("a bug, on purpose")
    }
    let router = Router::new().route("/", get(async || "here")).route("/panic", get(panics));
    let here = Here::serves("panic", around(router, &RequestLimits::default()), RequestLimits::default()).await;
    here.talk(|mut wire| {
        let failed = wire.ask("GET", "/panic", "X-Request-Id: mine\r\n", "");
        assert_eq!((failed.status, failed.body.as_str()), (500, r#"{"message":"500 Internal Server Error"}"#));
        assert!(failed.head.contains("x-request-id: mine"), "{failed:?}");
        assert_eq!(wire.ask("GET", "/", "", "").body, "here", "on the same connection");
    })
    .await;
    here.stops().await;
}

#[tokio::test]
async fn a_socket_is_taken_from_the_dead_and_from_nobody_else() {
    let folder = Folder::new("socket");
    let path = folder.0.join("socket");
    // A server that was killed leaves its file.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let listener = Listener::unix(&path).await.unwrap();
    let second = Listener::unix(&path).await.unwrap_err();
    assert_eq!(second.to_string(), "another server listens on this socket");
    assert!(path.exists(), "the first one's file is still there");
    drop(listener);
    assert!(!path.exists());
    fs::write(&path, "somebody's file").unwrap();
    assert!(Listener::unix(&path).await.is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "somebody's file");
}

/// shell-10
#[sqlx::test]
async fn the_binary_serves_a_socket_below_its_root_and_drains_when_asked_to_stop(pool: PgPool) {
    let installation = Installation::new(&pool, "gitlab: {relative_url_root: /gitlab}\n");
    let mut served = installation.serve();
    let signature = served.signature();
    let mut wire = served.connect();
    let path = "/gitlab/api/v4/internal/check";
    assert_eq!(wire.ask("GET", path, &signature, "").status, 200);
    let path = "//gitlab//api/v4/internal/check/";
    assert_eq!(wire.ask("GET", path, &format!("Authorization: Basic eDp5\r\n{signature}"), "").status, 200);
    assert_eq!(wire.ask("GET", CHECK, &signature, "").status, 404);

    // A request is under way while the server is asked to stop.
    let body = r#"{"action":"git-upload-pack","project":"g/p","protocol":"ssh"}"#;
    let length = body.len();
    let head = format!("{signature}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{}", &body[..10]);
    wire.write(&format!("POST /gitlab/api/v4/internal/allowed HTTP/1.1\r\nHost: unix\r\n{head}"));
    std::thread::sleep(Duration::from_millis(100));
    served.terminate();
    let begun = Instant::now();
    while Wire::unix(served.socket()).is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(10), "it goes on listening:\n{}", served.log());
        std::thread::sleep(Duration::from_millis(10));
    }
    wire.write(&body[10..]);
    assert_eq!(wire.answer().status, 404, "no such project, and no broken connection");
    assert_eq!(served.ended(), 0);
    assert!(served.log().contains("stopped"), "{}", served.log());
    assert!(!served.socket().exists());
}

#[sqlx::test]
async fn the_operators_listener_tells_how_the_server_is(pool: PgPool) {
    TestApp::new(pool.clone()).given().scim_token(ScimScope::Instance, "TI").await;
    let served = Installation::new(&pool, "").serve();
    let metrics = served.installation.metrics;
    assert_eq!(served.connect().ask("GET", CHECK, &served.signature(), "").status, 200);
    let token = "Authorization: Bearer TI\r\n";
    assert_eq!(served.connect().ask("GET", "/api/scim/v2/application/Users/somebody", token, "").status, 404);
    let ask = |path: &str| {
        let begun = Instant::now();
        loop {
            match Wire::tcp(metrics) {
                Ok(mut wire) => return wire.ask("GET", path, "", ""),
                Err(error) if begun.elapsed() > Duration::from_secs(10) => panic!("{error}"),
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    };
    assert_eq!(ask("/-/liveness").body, r#"{"status":"ok"}"#);
    let ready = ask("/-/readiness").json();
    let oldest = ready["job_queue_check"][0]["oldest_seconds"].as_f64();
    assert!(oldest.is_some_and(|seconds| seconds < 5.0), "{ready}");
    for check in ["db_check", "db_write_check", "job_queue_check"] {
        assert_eq!(ready[check][0]["status"], "ok", "{ready}");
    }
    assert_eq!(ready["status"], "ok");
    let document: serde_json::Value = serde_json::from_str(&ask("/-/openapi.json").body).unwrap();
    assert_eq!(document["servers"][0]["url"], "http://localhost");
    // The page that shows it asks for it, and for nothing from elsewhere.
    let page = ask("/-/docs/swagger-initializer.js");
    assert!(page.body.contains(r#""url": "/-/openapi.json""#), "{page:?}");
    assert!(page.head.contains("content-security-policy: default-src 'self'"), "{page:?}");
    assert_eq!((ask("/-/docs").status, ask("/-/docs/nothing").status), (303, 404));
    let text = ask("/-/metrics").body;
    let line = r#"gatehouse_requests_total{method="GET",route="/api/v4/internal/check",status="200"} 1"#;
    assert!(text.contains(line), "{text}");
    let line = r#"gatehouse_requests_total{method="GET",route="/api/scim/v2/application/Users/{id}",status="404"} 1"#;
    assert!(text.contains(line), "{text}");
    for name in ["gatehouse_request_seconds_bucket", "gatehouse_pool_connections{pool=\"lookups\",state=\"open\"}"] {
        assert!(text.contains(name), "{name} in {text}");
    }
    assert_eq!(ask("/api/v4/internal/check").status, 404, "the API is elsewhere");
    assert_eq!(served.connect().ask("GET", "/-/metrics", "", "").status, 404, "and the metrics are not for clients");
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    (work(), begun.elapsed())
}

/// The two ways to the database: the kept connections of `/allowed`, and the pool.
fn asks(served: &Served) -> [(u16, Duration); 2] {
    let allowed = r#"{"action":"git-upload-pack","project":"g/p","protocol":"ssh","user_id":1}"#;
    let headers = format!("{}Content-Type: application/json\r\n", served.signature());
    let (first, took) = timed(|| served.connect().ask("POST", "/api/v4/internal/allowed", &headers, allowed));
    let (second, and) = timed(|| served.connect().ask("GET", "/api/v4/internal/discover?user_id=1", &headers, ""));
    for answer in [&first, &second] {
        if answer.status >= 500 {
            assert_eq!(answer.body, r#"{"message":"503 Service Unavailable"}"#);
        }
    }
    [(first.status, took), (second.status, and)]
}

fn statuses(served: &Served) -> [u16; 2] {
    asks(served).map(|(status, _)| status)
}

#[sqlx::test]
async fn a_database_that_goes_away_is_missed_and_found_again(pool: PgPool) {
    let folder = Folder::new("proxy");
    let proxy = Proxy::before(&pool, &folder.0.join("pg"));
    let settings = "  database: {acquire_timeout: 1}\n  limits: {request_timeout: 3}\n";
    let served = Installation::at(proxy.url(), settings).serve();
    assert_eq!(statuses(&served), [404, 200]);
    for round in 0..2 {
        proxy.cut();
        for (status, took) in asks(&served) {
            assert_eq!(status, 503, "round {round}:\n{}", served.log());
            assert!(took < Duration::from_secs(3), "{took:?}");
        }
        let check = served.connect().ask("GET", CHECK, &served.signature(), "");
        assert_eq!((check.status, &check.json()["redis"]), (200, &false.into()));
        let ready = Wire::tcp(served.installation.metrics).unwrap().ask("GET", "/-/readiness", "", "");
        assert_eq!((ready.status, &ready.json()["status"]), (503, &"failed".into()));
        proxy.open();
        assert_eq!(statuses(&served), [404, 200], "round {round}, without a restart:\n{}", served.log());
    }
    // A database that takes questions and answers none: nobody waits longer for an answer than for a connection.
    proxy.fall_silent();
    let [allowed, discover] = asks(&served);
    assert_eq!((allowed.0, discover.0), (503, 503), "{}", served.log());
    assert!(allowed.1.max(discover.1) < Duration::from_millis(2500), "{allowed:?} {discover:?}");
    proxy.open();
    assert_eq!(statuses(&served), [404, 200], "{}", served.log());
}

#[sqlx::test]
async fn connections_that_the_database_ends_are_replaced(pool: PgPool) {
    let served = Installation::new(&pool, "").serve();
    assert_eq!(statuses(&served), [404, 200]);
    let end = "select pg_terminate_backend(pid) from pg_stat_activity
               where application_name = 'gatehouse' and datname = current_database()";
    let ended = sqlx::query(end).fetch_all(&pool).await.unwrap();
    assert!(ended.len() >= 2, "the server has connections");
    assert_eq!(statuses(&served), [404, 200], "nobody notices:\n{}", served.log());
}

#[tokio::test]
async fn without_a_database_every_endpoint_answers_503_in_time() {
    let app = TestApp::with(dead(), "gatehouse: {database: {acquire_timeout: 1}}");
    let body = serde_json::json!({ "action": "git-upload-pack", "project": "g/p", "protocol": "ssh", "username": "x" });
    let begun = Instant::now();
    for reply in [
        app.post("/allowed", body.clone()).await,
        app.post("/lfs_authenticate", body).await,
        app.get("/discover?user_id=1").await,
        app.get("/authorized_keys?key=AAAA").await,
    ] {
        assert_eq!(reply.line(), r#"503 {"message":"503 Service Unavailable"}"#);
    }
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
}

/// A balancer looks at the readiness every few seconds, and sends clients for as long as it is well.
#[sqlx::test]
async fn a_balancer_sees_the_stop_before_it_happens(pool: PgPool) {
    let mut served = Installation::new(&pool, "shutdown: {blackout_seconds: 2}\n").serve();
    let ready = |served: &Served| {
        Wire::tcp(served.installation.metrics).map_or(0, |mut wire| wire.ask("GET", "/-/readiness", "", "").status)
    };
    let begun = Instant::now();
    while ready(&served) != 200 {
        assert!(begun.elapsed() < Duration::from_secs(5), "it is ready");
    }
    let asked = Instant::now();
    served.terminate();
    while ready(&served) == 200 {
        assert!(asked.elapsed() < Duration::from_secs(1), "readiness fails first");
    }
    while asked.elapsed() < Duration::from_millis(1800) {
        assert_eq!(served.connect().ask("GET", CHECK, &served.signature(), "").status, 200, "and all else goes on");
    }
    assert!(served.ended() == 0 && asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
}

/// Listeners that outlive the servers they are handed to, as those of a systemd socket unit do.
struct HandedOver {
    installation: Installation,
    tcp: TcpListener,
    unix: UnixListener,
    operators: TcpListener,
}

impl HandedOver {
    fn new(installation: Installation) -> Self {
        let tcp = || TcpListener::bind("127.0.0.1:0").unwrap();
        let unix = UnixListener::bind(&installation.socket).unwrap();
        Self { installation, tcp: tcp(), unix, operators: tcp() }
    }

    /// Serves on them. A child has nothing open but its three streams: so the listeners come as these, and a shell puts
    /// them where the convention wants them.
    fn serve(&self, names: &str) -> Child {
        let script = r#"exec 3<&0 4<&1 5<&2 </dev/null >>log 2>&1
            LISTEN_PID=$$ LISTEN_FDS=3 LISTEN_FDNAMES=$0 exec "$@""#;
        let server = self.installation.command(&["serve"]);
        let mut shell = Command::new("sh");
        shell.args(["-c", script, names]).arg(server.get_program()).args(server.get_args());
        shell.env_clear().envs(server.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell.current_dir(&self.installation.folder);
        shell.stdin(Stdio::from(OwnedFd::from(self.tcp.try_clone().unwrap())));
        shell.stdout(Stdio::from(OwnedFd::from(self.unix.try_clone().unwrap())));
        shell.stderr(Stdio::from(OwnedFd::from(self.operators.try_clone().unwrap())));
        shell.spawn().unwrap()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.installation.folder.join("log")).unwrap_or_default()
    }
}

fn terminate(server: &Child) {
    assert!(Command::new("kill").args(["-TERM", &server.id().to_string()]).status().unwrap().success());
}

#[sqlx::test]
async fn a_restart_refuses_no_connection_where_the_listeners_were_handed_over(pool: PgPool) {
    // The settings name other addresses, which nobody listens on then.
    let given = HandedOver::new(Installation::new(&pool, ""));
    let settings = fs::read_to_string(given.installation.folder.join("gitlab.yml")).unwrap();
    let elsewhere = given.installation.folder.join("elsewhere.socket");
    let socket = given.installation.socket.display().to_string();
    let settings = settings.replace(&socket, &elsewhere.display().to_string());
    fs::write(given.installation.folder.join("gitlab.yml"), settings).unwrap();
    let token = given.installation.run(&["token", "shell"]).stdout;
    let headers = format!("Gitlab-Shell-Api-Request: {}\r\nConnection: close\r\n", token.trim());
    let (answered, ended) = (AtomicUsize::new(0), AtomicBool::new(false));
    let tcp = given.tcp.local_addr().unwrap();
    let by_tcp = || Wire::tcp(tcp);
    let by_unix = || Wire::unix(&given.installation.socket);
    let ways: [&(dyn Fn() -> std::io::Result<Wire> + Sync); 2] = [&by_tcp, &by_unix];
    let mut server = None;
    std::thread::scope(|scope| {
        // Each connects anew for every question, all the time.
        for connect in ways {
            let (headers, answered, ended, given) = (&headers, &answered, &ended, &given);
            scope.spawn(move || {
                while !ended.load(Ordering::Relaxed) {
                    let mut wire = connect().expect("no connection is refused");
                    let answer = catch_unwind(AssertUnwindSafe(|| wire.ask("GET", CHECK, headers, "")));
                    let answer = answer.unwrap_or_else(|_| panic!("no answer:\n{}", given.log()));
                    assert_eq!(answer.status, 200, "{answer:?}");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let answers = |more: usize| {
            let (begun, before) = (Instant::now(), answered.load(Ordering::Relaxed));
            while answered.load(Ordering::Relaxed) < before + more {
                assert!(begun.elapsed() < Duration::from_secs(20), "no answers:\n{}", given.log());
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        for _ in 0..3 {
            let mut server = given.serve("gatehouse:gatehouse-socket:gatehouse-monitoring");
            answers(40);
            let ready = Wire::tcp(given.operators.local_addr().unwrap()).unwrap().ask("GET", "/-/readiness", "", "");
            assert_eq!(ready.status, 200, "{ready:?}");
            assert!(!elsewhere.exists(), "what was handed over stands in for it");
            assert!(Wire::tcp(given.installation.metrics).is_err(), "and for this");
            terminate(&server);
            assert!(server.wait().unwrap().success(), "{}", given.log());
            assert!(given.installation.socket.exists(), "the file is whose who listens");
        }
        // The clients' last questions need one that answers.
        server = Some(given.serve("gatehouse:gatehouse-socket:gatehouse-monitoring"));
        answers(40);
        ended.store(true, Ordering::Relaxed);
    });
    let mut server = server.unwrap();
    terminate(&server);
    assert!(server.wait().unwrap().success(), "{}", given.log());
}

#[sqlx::test]
async fn a_listener_whose_name_says_nothing_is_served_to_nobody(pool: PgPool) {
    let given = HandedOver::new(Installation::new(&pool, ""));
    assert!(!given.serve("gatehouse:gatehouse-socket:metrics").wait().unwrap().success());
    assert!(given.log().contains("a listener named metrics was handed over"), "{}", given.log());
}

/// `NOTIFY_SOCKET`, as systemd gives it to a service of `Type=notify`.
#[sqlx::test]
async fn the_service_manager_hears_when_the_server_is_ready_alive_and_stopping(pool: PgPool) {
    let folder = Folder::new("notify");
    let path = folder.0.join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let heard = || {
        let mut text = [0; 64];
        let length = manager.recv(&mut text).expect("the server says something");
        String::from_utf8(text[..length].to_vec()).unwrap()
    };
    let installation = Installation::new(&pool, "");
    let mut server = installation.command(&["serve"]);
    server.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "100000").stdout(Stdio::null());
    let mut server = server.spawn().unwrap();
    assert_eq!(heard(), "READY=1\n");
    let token = installation.run(&["token", "shell"]).stdout;
    let signature = format!("Gitlab-Shell-Api-Request: {}\r\n", token.trim());
    let answer = Wire::unix(&installation.socket).unwrap().ask("GET", CHECK, &signature, "");
    assert_eq!((answer.status, &answer.json()["redis"]), (200, &true.into()), "ready means that it answers");
    for _ in 0..3 {
        assert_eq!(heard(), "WATCHDOG=1\n");
    }
    terminate(&server);
    while heard() != "STOPPING=1\n" {}
    assert!(server.wait().unwrap().success());
}
