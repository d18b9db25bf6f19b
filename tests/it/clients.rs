//! Clients that mean harm, or are merely slow, or gone: what they can take from others, and what becomes of what they asked.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use gatehouse::config::RequestLimits;
use gatehouse::domain::scim::ScimScope;
use gatehouse::server::{Listener, serve};
use secrecy::ExposeSecret;
use serde_json::json;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::sync::watch;

use crate::boot::{Folder, Here, closes, small};
use crate::support::pushes::{NEW, ZERO, app_with_queue, report};
use crate::support::{Given, Installation, Proxy, TestApp, Wire};

const ASK: &[u8] = b"GET / HTTP/1.1\r\nHost: unix\r\n\r\n";

/// Asks, and asks again, until the server takes no more, and reads nothing.
fn stuffed(socket: &Path) -> UnixStream {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_nonblocking(true).unwrap();
    let requests = ASK.repeat(100);
    let (mut at, mut quiet) = (0, 0);
    while quiet < 5 {
        match stream.write(&requests[at..]) {
            Ok(taken) => (at, quiet) = ((at + taken) % requests.len(), 0),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                quiet += 1;
                std::thread::sleep(Duration::from_millis(10));
            }
            // It was cut already.
            Err(_) => break,
        }
    }
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_never_read_lose_their_places() {
    let limits = RequestLimits { connections: 20, write_timeout: 1, ..RequestLimits::default() };
    let here = Here::serves("never-read", small(), limits).await;
    let socket = here.socket.clone();
    let held = tokio::task::spawn_blocking(move || {
        let clients: Vec<_> = (0..20)
            .map(|_| {
                std::thread::spawn({
                    let socket = socket.clone();
                    move || stuffed(&socket)
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect::<Vec<_>>()
    });
    let held = held.await.unwrap();
    let begun = Instant::now();
    here.talk(|mut wire| assert_eq!(wire.ask("GET", "/", "", "").body, "here")).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "after {:?}", begun.elapsed());
    drop(held);
    here.stops().await;
}

/// A byte now and then is no reading.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_drop_by_drop_loses_its_place() {
    let limits = RequestLimits { connections: 1, write_timeout: 1, ..RequestLimits::default() };
    let here = Here::serves("drops", small(), limits).await;
    let socket = here.socket.clone();
    let dripping = tokio::task::spawn_blocking(move || {
        let mut stream = stuffed(&socket);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(4) {
            let _ = stream.read(&mut [0]);
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let begun = Instant::now();
    here.talk(|mut wire| assert_eq!(wire.ask("GET", "/", "", "").body, "here")).await;
    assert!(begun.elapsed() < Duration::from_secs(3), "after {:?}", begun.elapsed());
    dripping.await.unwrap();
    here.stops().await;
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let here = Here::serves("idle", small(), RequestLimits { header_timeout: 1, ..RequestLimits::default() }).await;
    here.talk(|mut wire| {
        assert_eq!(wire.ask("GET", "/", "", "").status, 200);
        let begun = Instant::now();
        assert_eq!(wire.until_closed(), "");
        assert!(begun.elapsed() < Duration::from_secs(5), "after {:?}", begun.elapsed());
    })
    .await;
    here.stops().await;
}

#[tokio::test]
async fn one_address_has_its_share_of_the_places_and_a_proxy_all() {
    for (exempt_peers, most) in [(Vec::new(), 2), (vec!["127.0.0.0/8".parse().unwrap()], 5)] {
        let listener = Listener::tcp("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let Listener::Tcp(tcp) = &listener else { panic!("a TCP listener") };
        let address = tcp.local_addr().unwrap();
        let limits =
            RequestLimits { connections: 5, connections_per_peer: 2, exempt_peers, ..RequestLimits::default() };
        let (stop, stopped) = watch::channel(false);
        let ended = tokio::spawn(serve(listener, small(), limits, stopped));
        tokio::task::spawn_blocking(move || {
            let ask = || {
                let mut wire = Wire::tcp(address).unwrap();
                assert_eq!(wire.ask("GET", "/", "", "").status, 200);
                wire
            };
            let mut kept: Vec<Wire> = (0..most).map(|_| ask()).collect();
            if most < 5 {
                assert_eq!(Wire::tcp(address).unwrap().until_closed(), "", "no more");
            }
            kept.pop();
            std::thread::sleep(Duration::from_millis(100));
            ask();
        })
        .await
        .unwrap();
        stop.send(true).unwrap();
        tokio::time::timeout(Duration::from_secs(10), ended).await.unwrap().unwrap();
    }
}

/// Whatever strangers send, the metrics have the series that the routes make.
#[sqlx::test]
async fn metrics_do_not_grow_with_what_clients_make_up(pool: PgPool) {
    let served = Installation::new(&pool, "").serve();
    let signature = served.signature();
    let metrics = || Wire::tcp(served.installation.metrics).unwrap().ask("GET", "/-/metrics", "", "").body;
    let fuzz = |round: u32| {
        let mut wire = served.connect();
        for number in 0..100 {
            let made_up = format!("FUZZ{round}X{number}");
            let method = if number % 3 == 0 { &made_up } else { ["GET", "POST", "TRACE"][number % 3] };
            let paths =
                ["/", "/api/v4/internal/", "/api/v4/internal/check?", "/api/scim/v2/groups/", "/api/v4/namespaces/"];
            let path = format!("{}{made_up}{}", paths[number % 5], ["", "/minutes", "/Users/x"][number % 3]);
            wire.ask(method, &path, &format!("X-Request-Id: {made_up}\r\nUser-Agent: {made_up}\r\n{signature}"), "");
        }
    };
    fuzz(0);
    let before = metrics();
    (1..4).for_each(fuzz);
    let after = metrics();
    assert!(!after.contains("FUZZ"), "{after}");
    let series = |text: &str| text.lines().filter(|line| line.starts_with("gatehouse_request")).count();
    assert_eq!(series(&after), series(&before), "{after}");
    assert!(after.contains(r#"gatehouse_requests_total{method="other",route="none",status="404"}"#), "{after}");
}

/// A server in this process over the application of a test.
async fn serving(app: &TestApp, name: &str) -> Here {
    Here::serves(name, app.router.clone(), RequestLimits::default()).await
}

/// Of a stranger no more than a few KiB are read, wherever a credential may stand in a body.
#[sqlx::test]
async fn a_stranger_is_refused_before_the_body_is_read(pool: PgPool) {
    let app = TestApp::with(pool, "gatehouse: {legacy_shared_secret: true}");
    let here = serving(&app, "strangers").await;
    for (method, path, status) in [
        ("POST", "/api/v4/internal/allowed", 401),
        ("POST", "/api/v4/internal/post_receive", 401),
        ("POST", "/api/v4/internal/error_tracking/allowed", 401),
        ("POST", "/api/v4/internal/shellhorse/git_audit_event", 403),
        ("POST", "/api/v4/internal/kubernetes/usage_metrics", 401),
        ("PUT", "/api/v4/internal/kubernetes/modules/starboard_vulnerability", 401),
        ("POST", "/api/v4/namespaces/999999/minutes", 401),
        ("PUT", "/api/v4/internal/upcoming_reconciliations", 401),
        ("PUT", "/api/v4/internal/gitlab_subscriptions/namespaces/1/upcoming_reconciliations", 401),
        ("DELETE", "/api/v4/personal_access_tokens/self", 401),
        ("POST", "/api/scim/v2/application/Users", 401),
        ("POST", "/api/v4/no/such/route", 404),
    ] {
        let (method, path) = (method.to_owned(), path.to_owned());
        here.talk(move |mut wire| {
            let head = format!("{method} {path} HTTP/1.1\r\nHost: unix\r\nContent-Type: application/json\r\n");
            wire.write(&format!("{head}Content-Length: 200000000\r\n\r\n{{\"half\":"));
            let answer = wire.answer();
            assert_eq!((answer.status, closes(&answer)), (status, true), "{method} {path}: {answer:?}");
            assert_eq!(wire.until_closed(), "");
        })
        .await;
    }
    // Without a length said, some is read, and no more.
    here.talk(|mut wire| {
        wire.write("POST /api/v4/internal/allowed HTTP/1.1\r\nHost: unix\r\nTransfer-Encoding: chunked\r\n\r\n");
        wire.write(&format!("8000\r\n{}\r\n", "x".repeat(0x8000)));
        assert_eq!(wire.answer().status, 401);
    })
    .await;
    here.stops().await;
}

/// The secret in the head of a request opens a body of any length; in a short body it opens that.
#[sqlx::test]
async fn whoever_is_known_may_send_more(pool: PgPool) {
    let app = TestApp::with(pool, "gatehouse: {legacy_shared_secret: true}");
    let given = app.given();
    let root = given.user("root").await;
    given.user_is(root, "admin = true").await;
    let token = given.personal_access_token(root, &app.secrets.db_key_base, "glpat-root", &["api"]).await;
    let here = serving(&app, "known").await;
    let secret = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, crate::support::SHELL_SECRET);
    let kas = app.kas_token().expose_secret().to_owned();
    let long = json!({ "more": "x".repeat(100_000), "gitops_sync_count": 1, "packs": [] }).to_string();
    for (path, header, status) in [
        ("/api/v4/internal/post_receive", format!("Gitlab-Shared-Secret: {secret}"), 400),
        ("/api/v4/internal/kubernetes/usage_metrics", format!("Gitlab-Kas-Api-Request: {kas}"), 204),
        ("/api/v4/namespaces/999999/minutes", format!("PRIVATE-TOKEN: {token}"), 404),
        ("/api/v4/namespaces/999999/minutes?private_token=wrong", format!("PRIVATE-TOKEN: {token}"), 401),
        ("/api/v4/namespaces/999999/minutes", "PRIVATE-TOKEN: wrong".to_owned(), 401),
    ] {
        let (path, long) = (path.to_owned(), long.clone());
        here.talk(move |mut wire| {
            let answer = wire.ask("POST", &path, &format!("Content-Type: application/json\r\n{header}\r\n"), &long);
            assert_eq!(answer.status, status, "{path}: {answer:?}");
        })
        .await;
    }
    here.stops().await;
}

#[sqlx::test]
async fn bodies_under_way_have_a_bound_together(pool: PgPool) {
    let limits = "gatehouse: {limits: {body_bytes: 100000, push_body_bytes: 100000, bodies_bytes: 100000}}";
    let app = TestApp::with(pool, limits);
    let here = serving(&app, "bodies").await;
    let head = |length: usize| {
        let token = app.token().expose_secret().to_owned();
        let head = format!("Gitlab-Shell-Api-Request: {token}\r\nContent-Type: application/json\r\n");
        format!("POST /api/v4/internal/allowed HTTP/1.1\r\nHost: unix\r\n{head}Content-Length: {length}\r\n\r\n")
    };
    let body = json!({ "action": "git-upload-pack", "project": "x/y", "protocol": "ssh", "z": "z".repeat(60_000) });
    let body = body.to_string();
    let (head, all) = (head(body.len()), head(body.len()) + &body);
    let (half, rest) = (head + &body[..50_000], body[50_000..].to_owned());
    let first = here
        .talk(move |mut wire| {
            wire.write(&half);
            wire
        })
        .await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let again = all.clone();
    here.talk(move |mut wire| {
        wire.write(&again);
        let answer = wire.answer();
        assert_eq!((answer.status, closes(&answer)), (503, true), "{answer:?}");
        assert!(answer.head.contains("retry-after: 1\r\n"), "{answer:?}");
    })
    .await;
    tokio::task::spawn_blocking(move || {
        let mut first = first;
        first.write(&rest);
        assert!(first.answer().status < 500, "whoever was first is served");
    })
    .await
    .unwrap();
    here.talk(move |mut wire| {
        wire.write(&all);
        assert!(wire.answer().status < 500, "and then there is room again");
    })
    .await;
    here.stops().await;
}

/// Nothing that clients do, or do not do, holds the end of the server.
#[sqlx::test]
async fn a_server_ends_within_its_drain_timeout(pool: PgPool) {
    TestApp::new(pool.clone()).given().user("rubi").await;
    let mut served = Installation::new(&pool, "  limits: {drain_timeout: 2, write_timeout: 600}\n").serve();
    let signature = served.signature();
    let mut idle = served.connect();
    assert_eq!(idle.ask("GET", "/api/v4/internal/check", &signature, "").status, 200);
    let mut half_a_head = served.connect();
    half_a_head.write("GET / HTTP/1.1\r\nHost: ");
    let mut half_a_body = served.connect();
    let head = format!("Host: unix\r\n{signature}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n");
    half_a_body.write(&format!("POST /api/v4/internal/allowed HTTP/1.1\r\n{head}{{"));
    let never_reads = stuffed(served.socket());
    // A request that waits in the database, on a connection of the pool.
    let mut locked = pool.begin().await.unwrap();
    sqlx::query("lock table users in access exclusive mode").execute(&mut *locked).await.unwrap();
    let mut waits = served.connect();
    waits.write(&format!("GET /api/v4/internal/discover?username=rubi HTTP/1.1\r\nHost: unix\r\n{signature}\r\n"));
    std::thread::sleep(Duration::from_millis(200));
    let begun = Instant::now();
    served.terminate();
    assert_eq!(served.ended(), 0, "{}", served.log());
    assert!(begun.elapsed() < Duration::from_millis(3_500), "after {:?}:\n{}", begun.elapsed(), served.log());
    drop((never_reads, waits, locked));
}

/// Says it all, and is gone after a while.
fn hang_up(socket: &Path, request: &str, after: Duration) {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    std::thread::sleep(after);
}

/// What a write of each area says, and how many rows there are once it is done.
struct Written {
    area: &'static str,
    request: Box<dyn Fn(u32) -> String + Send>,
    /// One more each time, all of them together or none.
    rows: &'static [&'static str],
}

fn request(method: &str, path: &str, headers: &str, body: &serde_json::Value) -> String {
    let (body, media) = (body.to_string(), "application/json");
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: unix\r\n{headers}Content-Type: {media}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

async fn writes(app: &TestApp, given: &Given) -> Vec<Written> {
    let root = given.user("root").await;
    given.user_is(root, "admin = true").await;
    let project = given.project("acme/infra").await.id;
    let group = given.scim_group("scim").await;
    let agent = given.agent(project, "prod", None).await.0;
    for number in 0..40 {
        given.project(&format!("acme/p{number}")).await;
    }
    let token = given.personal_access_token(root, &app.secrets.db_key_base, "glpat-root", &["api"]).await;
    given.scim_token(ScimScope::Instance, "TI").await;
    let shell = format!("Gitlab-Shell-Api-Request: {}\r\n", app.token().expose_secret());
    let kas = format!("Gitlab-Kas-Api-Request: {}\r\n", app.kas_token().expose_secret());
    let admin = format!("PRIVATE-TOKEN: {token}\r\n");
    vec![
        Written {
            area: "kas: each configuration names a project more",
            request: Box::new(move |number| {
                let projects: Vec<_> = (0..=number).map(|number| json!({ "id": format!("acme/p{number}") })).collect();
                let body = json!({ "agent_id": agent, "agent_config": { "ci_access": { "projects": projects } } });
                request("POST", "/api/v4/internal/kubernetes/agent_configuration", &kas, &body)
            }),
            rows: &["agent_project_authorizations"],
        },
        Written {
            area: "shell: a push",
            request: Box::new(move |number| {
                let changes = format!("{ZERO} {NEW} refs/heads/b{number}\n");
                let headers = format!("{shell}X-Request-Id: push-{number}\r\n");
                let body = report(&format!("project-{project}"), &format!("user-{root}"), &changes);
                request("POST", "/api/v4/internal/post_receive", &headers, &body)
            }),
            rows: &["received_pushes", "graphile_worker.jobs"],
        },
        Written {
            area: "provisioning: a pack of minutes",
            request: Box::new(move |number| {
                let pack =
                    json!({ "number_of_minutes": 7, "purchase_xid": format!("x{number}"), "expires_at": "2030-01-01" });
                let path = format!("/api/v4/namespaces/{group}/minutes");
                request("POST", &path, &admin, &json!({ "packs": [pack] }))
            }),
            rows: &["ci_minutes_additional_packs", "provisioning_ledger_entries"],
        },
        Written {
            area: "SCIM: a user",
            request: Box::new(|number| {
                let (name, email) = (format!("user{number}"), format!("user{number}@example.com"));
                let emails = json!([{ "primary": true, "type": "work", "value": email }]);
                let body = json!({ "externalId": name, "userName": name, "name": { "formatted": "A User" }, "emails": emails });
                request("POST", "/api/scim/v2/application/Users", "Authorization: Bearer TI\r\n", &body)
            }),
            rows: &["users where username like 'user%'", "scim_identities"],
        },
    ]
}

/// What has begun to be written is finished, though the client hangs up, at whatever moment: before each question to the
/// database and each answer, for all of them take 4 ms on their way.
#[sqlx::test]
async fn what_is_begun_is_finished_though_nobody_listens(pool: PgPool) {
    const DELAY: Duration = Duration::from_millis(4);
    const STEPS: u32 = 20;
    let folder = Folder::new("hang-up");
    let proxy = Proxy::before(&pool, &folder.path().join("pg"));
    app_with_queue(pool.clone()).await;
    let through = PgPoolOptions::new().max_connections(4).connect(&proxy.url()).await.unwrap();
    let app = TestApp::new(through.clone());
    let given = Given::new(pool.clone(), app.clock.now());
    let writes = writes(&app, &given).await;
    let here = serving(&app, "hang-up").await;
    proxy.slow(DELAY);
    for Written { area, request, rows } in writes {
        let count = async || {
            let mut counted = Vec::new();
            for from in rows {
                counted.push(given.value::<i64>(&format!("select count(*) from {from}")).await);
            }
            counted
        };
        let mut before = count().await;
        for step in 0..STEPS {
            let (socket, request) = (here.socket.clone(), request(step));
            let after = DELAY * 2 * step;
            tokio::task::spawn_blocking(move || hang_up(&socket, &request, after)).await.unwrap();
            tokio::time::sleep(Duration::from_millis(30)).await;
            tokio::time::timeout(Duration::from_secs(20), app.tasks.ended()).await.expect("the work ends");
            let now = count().await;
            let more: Vec<i64> = before.iter().zip(&now).map(|(before, now)| now - before).collect();
            // Whoever is gone at once may be gone before anything begins.
            let whole = more.iter().all(|more| *more >= 1) || (step < 2 && more.iter().all(|more| *more == 0));
            assert!(whole, "{area}, gone after {after:?}: {more:?} more");
            before = now;
        }
    }
    here.stops().await;
    drop(app);
    through.close().await;
}
