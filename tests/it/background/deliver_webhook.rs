//! Web hooks, as their receivers see them.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gatehouse::crypto::attr_encrypted::ColumnKey;
use gatehouse::domain::web_hook::HookSubscriptions;
use gatehouse::store::web_hooks::{self, HookOwner, UpsertedHook, WebHook};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::TestApp;
use crate::support::git::Folder;
use crate::support::pushes::{LEFT, NEW, OLD, WAITING, Working, ZERO, app_with_queue, report, until};
use crate::support::receiver::Receiver;

const DEAD: &str = "select count(*) from graphile_worker.jobs where attempts >= max_attempts and locked_at is null";

fn hook(url: &str) -> WebHook {
    let listening = HookSubscriptions { push_events: true, tag_push_events: true, ..HookSubscriptions::default() };
    WebHook { url: url.into(), token: Some("s3cret".into()), name: None, listening, enable_ssl_verification: true }
}

async fn configure(app: &TestApp, owner: HookOwner, hook: &WebHook) -> UpsertedHook {
    let key = ColumnKey::new(&app.secrets.db_key_base);
    let mut connection = app.pool.acquire().await.unwrap();
    web_hooks::upsert(&mut connection, owner, hook, &key).await.unwrap().1
}

/// `g/s/p` with a developer, on an instance whose hooks may reach this machine.
async fn story(pool: PgPool) -> (TestApp, HookOwner, String, String) {
    let app = app_with_queue(pool).await;
    let given = app.given();
    given.setting("allow_local_requests_from_web_hooks_and_services = true").await;
    let project = given.project("g/s/p").await.developer("rubi").await;
    let rubi = given.user("rubi").await;
    (app, HookOwner::Project(project.id), format!("project-{}", project.id), format!("user-{rubi}"))
}

async fn push(app: &TestApp, repository: &str, who: &str, changes: &str) {
    let mut body = report(repository, who, changes);
    body["push_options"] = json!(["ci.skip"]);
    assert_eq!(app.post_receive(body).await.status, 200);
}

#[sqlx::test]
async fn a_receiver_is_told_of_a_push_in_gitlabs_words(pool: PgPool) {
    let (app, owner, repository, who) = story(pool).await;
    let receiver = Receiver::start().await;
    configure(&app, owner, &hook(&receiver.url())).await;
    let working = Working::on(&app);
    push(&app, &repository, &who, &format!("{OLD} {NEW} refs/heads/main\n")).await;
    until(&app, WAITING, 0).await;
    working.drain().await;

    let [request] = &receiver.requests()[..] else { panic!("{:?}", receiver.requests()) };
    assert_eq!(request.uri.path(), "/hook");
    for (name, value) in [
        ("content-type", "application/json"),
        ("x-gitlab-event", "Push Hook"),
        ("x-gitlab-token", "s3cret"),
        ("x-gitlab-instance", "http://localhost"),
    ] {
        assert_eq!(request.header(name), value);
    }
    assert!(request.header("user-agent").starts_with("GitLab/"));
    for name in ["idempotency-key", "x-gitlab-webhook-uuid", "x-gitlab-event-uuid"] {
        assert!(request.header(name).parse::<uuid::Uuid>().is_ok(), "{name}");
    }
    let id = app.given().value::<i64>("select id from projects").await;
    let user = app.given().value::<i64>("select id from users").await;
    assert_eq!(
        request.json(),
        json!({
            "object_kind": "push", "event_name": "push", "before": OLD, "after": NEW, "ref": "refs/heads/main",
            "ref_protected": false, "checkout_sha": NEW, "message": null, "user_id": user, "user_name": "Rubi", "user_username": "rubi",
            "user_email": null, "user_avatar": null, "project_id": id,
            "project": {
                "id": id, "name": "p", "description": null, "web_url": "http://localhost/g/s/p", "avatar_url": null,
                "git_ssh_url": "git@localhost:g/s/p.git", "git_http_url": "http://localhost/g/s/p.git",
                "namespace": "s", "visibility_level": 0, "path_with_namespace": "g/s/p", "default_branch": null,
                "ci_config_path": null, "homepage": "http://localhost/g/s/p", "url": "git@localhost:g/s/p.git",
                "ssh_url": "git@localhost:g/s/p.git", "http_url": "http://localhost/g/s/p.git",
            },
            "commits": [], "total_commits_count": 0, "push_options": { "ci": { "skip": true } },
            "repository": {
                "name": "p", "url": "git@localhost:g/s/p.git", "description": null,
                "homepage": "http://localhost/g/s/p", "git_http_url": "http://localhost/g/s/p.git",
                "git_ssh_url": "git@localhost:g/s/p.git", "visibility_level": 0,
            },
        })
    );
    let kept: i64 = app.given().value("select count(*) from web_hook_deliveries").await;
    let logged: String = app.given().value("select response_status || trigger from web_hook_logs").await;
    assert_eq!((kept, logged.as_str()), (0, "200push_hooks"));
}

#[sqlx::test]
async fn clone_urls_are_those_that_the_instance_states(pool: PgPool) {
    let (app, owner, repository, who) = story(pool).await;
    app.given().setting("custom_http_clone_url_root = 'https://clone.example.com'").await;
    let receiver = Receiver::start().await;
    configure(&app, owner, &hook(&receiver.url())).await;
    let working = Working::on(&app);
    push(&app, &repository, &who, &format!("{OLD} {NEW} refs/heads/main\n")).await;
    until(&app, WAITING, 0).await;
    working.drain().await;
    let [request] = &receiver.requests()[..] else { panic!("{:?}", receiver.requests()) };
    let body = request.json();
    let url = "https://clone.example.com/g/s/p.git";
    let project = &body["project"];
    assert_eq!([&project["git_http_url"], &project["http_url"], &body["repository"]["git_http_url"]], [url; 3]);
    assert_eq!(project["web_url"], "http://localhost/g/s/p");
}

/// A receiver whose certificate nobody vouches for; it counts the requests that it could read.
fn doubtful_receiver() -> (String, Arc<AtomicUsize>) {
    let folder = Folder::new();
    let (certificate, key) = (folder.path().join("certificate"), folder.path().join("key"));
    let made = std::process::Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(made.success(), "openssl made no certificate");
    let certificate = CertificateDer::from_pem_file(certificate).unwrap();
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://127.0.0.1:{}/hook", listener.local_addr().unwrap().port());
    let heard = Arc::new(AtomicUsize::new(0));
    let counter = heard.clone();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let connection = ServerConnection::new(config.clone()).unwrap();
            let mut stream = StreamOwned::new(connection, socket.unwrap());
            if stream.read(&mut [0; 8192]).is_ok_and(|count| count > 0) {
                counter.fetch_add(1, Ordering::SeqCst);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            }
        }
    });
    (url, heard)
}

#[sqlx::test]
async fn a_certificate_that_nobody_vouches_for_is_taken_where_the_hook_says_so(pool: PgPool) {
    let (app, owner, repository, who) = story(pool).await;
    let ((strict, strictly), (lenient, leniently)) = (doubtful_receiver(), doubtful_receiver());
    configure(&app, owner, &hook(&strict)).await;
    configure(&app, owner, &WebHook { enable_ssl_verification: false, ..hook(&lenient) }).await;
    let working = Working::on(&app);
    push(&app, &repository, &who, &format!("{OLD} {NEW} refs/heads/main\n")).await;
    until(&app, "select count(*) from web_hook_logs where response_status = '200'", 1).await;
    until(&app, "select count(*) from web_hook_logs where response_status = 'internal error'", 1).await;
    working.drain().await;
    assert_eq!((strictly.load(Ordering::SeqCst), leniently.load(Ordering::SeqCst)), (0, 1));
}

#[sqlx::test]
async fn hooks_of_project_group_and_instance_hear_what_they_listen_to(pool: PgPool) {
    let (app, owner, repository, who) = story(pool).await;
    let given = app.given();
    let receiver = Receiver::start().await;
    let at = |path: &str| hook(&format!("http://127.0.0.1:{}/{path}", receiver.port));
    let mut filtered = at("release-alone");
    filtered.listening.branch_filter = Some("release/*".to_owned());
    let mut tags = at("tags-alone");
    tags.listening.push_events = false;
    configure(&app, owner, &filtered).await;
    configure(&app, owner, &tags).await;
    configure(&app, HookOwner::Group(given.group("g").await), &at("group-above")).await;
    configure(&app, HookOwner::Group(given.group("other").await), &at("other-group")).await;
    configure(&app, HookOwner::Instance, &at("instance")).await;
    let working = Working::on(&app);
    push(&app, &repository, &who, &format!("{OLD} {NEW} refs/heads/main\n{ZERO} {NEW} refs/tags/v1\n")).await;
    until(&app, WAITING, 0).await;
    working.drain().await;

    let mut told: Vec<String> = receiver
        .requests()
        .iter()
        .map(|request| {
            let json: Value = request.json();
            let (path, event) = (request.uri.path(), request.header("x-gitlab-event"));
            format!("{path} {event} {} {}", json["object_kind"].as_str().unwrap(), json["ref"].as_str().unwrap())
        })
        .collect();
    told.sort();
    insta::assert_snapshot!(told.join("\n"), @r"
    /group-above Push Hook push refs/heads/main
    /group-above Tag Push Hook tag_push refs/tags/v1
    /instance System Hook push refs/heads/main
    /instance System Hook tag_push refs/tags/v1
    /release-alone Tag Push Hook tag_push refs/tags/v1
    /tags-alone Tag Push Hook tag_push refs/tags/v1
    ");
    let events: std::collections::BTreeSet<String> =
        receiver.requests().iter().map(|request| request.header("x-gitlab-event-uuid").to_owned()).collect();
    assert_eq!(events.len(), 1, "one push, one event");
}

#[sqlx::test]
async fn hooks_are_not_told_of_more_refs_than_the_limit(pool: PgPool) {
    let (app, owner, repository, who) = story(pool).await;
    app.given().setting("push_event_hooks_limit = 1").await;
    let receiver = Receiver::start().await;
    configure(&app, owner, &hook(&receiver.url())).await;
    let working = Working::on(&app);
    let changes = format!("{OLD} {NEW} refs/heads/a\n{OLD} {NEW} refs/heads/b\n{ZERO} {NEW} refs/heads/c\n");
    push(&app, &repository, &who, &changes).await;
    until(&app, WAITING, 0).await;
    working.drain().await;
    let told: Vec<String> =
        receiver.requests().iter().map(|request| request.json()["ref"].as_str().unwrap().to_owned()).collect();
    assert_eq!(told, ["refs/heads/c"]);
}

#[sqlx::test]
async fn a_receiver_that_fails_is_told_again_under_the_same_key(pool: PgPool) {
    let (app, owner, repository, who) = story(pool).await;
    let receiver = Receiver::start().await;
    receiver.will_answer(503, &"x".repeat(100_000));
    configure(&app, owner, &hook(&receiver.url())).await;
    let working = Working::on(&app);
    push(&app, &repository, &who, &format!("{OLD} {NEW} refs/heads/main\n")).await;
    until(&app, WAITING, 0).await;
    working.drain().await;
    let requests = receiver.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].header("idempotency-key"), requests[1].header("idempotency-key"));
    let logs: Vec<(String, i32)> =
        sqlx::query_as("select response_status, length(response_body) from web_hook_logs order by id")
            .fetch_all(&app.pool)
            .await
            .unwrap();
    assert_eq!(logs, [("503".to_owned(), 8192), ("200".to_owned(), 0)]);
}

#[sqlx::test]
async fn what_a_receiver_refuses_is_dead_until_an_operator_has_it_tried_again(pool: PgPool) {
    let (app, owner, repository, who) = story(pool).await;
    let receiver = Receiver::start().await;
    receiver.will_answer(404, "no such hook");
    receiver.will_answer(302, "");
    configure(&app, owner, &hook(&receiver.url())).await;
    let working = Working::on(&app);
    push(&app, &repository, &who, &format!("{OLD} {NEW} refs/heads/main\n")).await;
    until(&app, DEAD, 1).await;
    let retry = async || {
        let mut connection = app.pool.acquire().await.unwrap();
        let jobs = gatehouse::store::jobs::list(&mut *connection, Some("dead"), 10).await.unwrap();
        let [job] = &jobs[..] else { panic!("{jobs:?}") };
        let done = gatehouse::store::jobs::retry(&mut connection, &[job.id]).await.unwrap();
        assert_eq!(done, [job.id]);
        job.last_error.clone().unwrap()
    };
    assert!(retry().await.contains("the receiver answered 404"));
    until(&app, DEAD, 1).await;
    assert!(retry().await.contains("redirects are not followed"));
    until(&app, LEFT, 0).await;
    working.drain().await;
    assert_eq!(receiver.requests().len(), 3);
}

#[sqlx::test]
async fn hooks_reach_no_local_address_unless_the_settings_say_so(pool: PgPool) {
    let (app, owner, repository, who) = story(pool).await;
    let given = app.given();
    given.setting("allow_local_requests_from_web_hooks_and_services = false").await;
    let receiver = Receiver::start().await;
    let port = receiver.port;
    for host in ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433", "[::ffff:127.0.0.1]"] {
        configure(&app, owner, &hook(&format!("http://{host}:{port}/{host}"))).await;
    }
    configure(&app, owner, &hook("ftp://example.com/")).await;
    let working = Working::on(&app);
    let change = format!("{OLD} {NEW} refs/heads/main\n");
    push(&app, &repository, &who, &change).await;
    until(&app, DEAD, 7).await;
    assert_eq!(receiver.requests().len(), 0);
    let errors: i64 = given
        .value(
            "select count(*) from web_hook_logs
             where internal_error_message like 'requests to the local network are not allowed%'
               and response_status = 'internal error'",
        )
        .await;
    assert_eq!(errors, 6);
    // An exception opens one address; the instance's own hooks may go anywhere unless they are forbidden to.
    given.setting("outbound_local_requests_whitelist = '{127.0.0.1}'").await;
    configure(&app, HookOwner::Instance, &hook(&format!("http://[::1]:{port}/"))).await;
    given.setting("allow_local_requests_from_system_hooks = false").await;
    push(&app, &repository, &who, &change).await;
    until(&app, WAITING, 0).await;
    working.drain().await;
    let reached: Vec<String> = receiver.requests().iter().map(|request| request.uri.path().to_owned()).collect();
    for path in ["/127.0.0.1", "/2130706433"] {
        assert!(reached.iter().any(|one| one == path), "{path} is not among {reached:?}");
    }
    for path in ["/[::1]", "/0.0.0.0", "/"] {
        assert!(!reached.iter().any(|one| one == path), "{path} is among {reached:?}");
    }
}

#[sqlx::test]
async fn a_server_that_is_asked_to_stop_finishes_what_is_under_way(pool: PgPool) {
    let (app, owner, repository, who) = story(pool).await;
    let receiver = Receiver::start().await;
    receiver.will_take(Duration::from_secs(1));
    configure(&app, owner, &hook(&receiver.url())).await;
    let working = Working::on(&app);
    push(&app, &repository, &who, &format!("{OLD} {NEW} refs/heads/main\n")).await;
    while receiver.requests().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    working.drain().await;
    assert_eq!(app.given().value::<i64>(LEFT).await, 0);
    assert_eq!(receiver.requests().len(), 1);
}

#[sqlx::test]
async fn a_receiver_that_never_answers_is_given_up_and_tried_again(pool: PgPool) {
    let (app, owner, repository, who) = story(pool).await;
    let receiver = Receiver::start().await;
    receiver.will_take(Duration::from_mins(1));
    configure(&app, owner, &hook(&receiver.url())).await;
    let working = Working::on(&app);
    push(&app, &repository, &who, &format!("{OLD} {NEW} refs/heads/main\n")).await;
    until(&app, "select count(*) from web_hook_logs where response_status = 'internal error'", 1).await;
    receiver.will_take(Duration::ZERO);
    until(&app, WAITING, 0).await;
    working.drain().await;
    assert_eq!(receiver.requests().len(), 2);
}

#[sqlx::test]
async fn nobody_is_told_anything_in_silent_mode(pool: PgPool) {
    let (app, owner, repository, who) = story(pool).await;
    app.given().setting("silent_mode_enabled = true").await;
    let receiver = Receiver::start().await;
    configure(&app, owner, &hook(&receiver.url())).await;
    let working = Working::on(&app);
    push(&app, &repository, &who, &format!("{OLD} {NEW} refs/heads/main\n")).await;
    until(&app, WAITING, 0).await;
    working.drain().await;
    assert_eq!(receiver.requests().len(), 0);
}

#[sqlx::test]
async fn a_hook_is_kept_encrypted_and_found_by_its_url(pool: PgPool) {
    let app = TestApp::new(pool);
    let owner = HookOwner::Project(app.given().project("g/p").await.id);
    let key = ColumnKey::new(&app.secrets.db_key_base);
    let mut one = hook("https://ci.example.com/hook?secret=1");
    assert_eq!(configure(&app, owner, &one).await, UpsertedHook::Created);
    assert_eq!(configure(&app, owner, &one).await, UpsertedHook::Unchanged);
    one.token = None;
    assert_eq!(configure(&app, owner, &one).await, UpsertedHook::Updated);
    assert_eq!(configure(&app, owner, &hook("https://other.example.com/")).await, UpsertedHook::Created);
    assert_eq!(configure(&app, HookOwner::Instance, &one).await, UpsertedHook::Created);
    let columns: String = app.given().value("select string_agg(web_hooks::text, ' ') from web_hooks").await;
    assert!(!columns.contains("example.com") && !columns.contains("s3cret"));
    let hooks = web_hooks::list(&app.pool, owner, &key).await.unwrap();
    assert_eq!(hooks.len(), 2);
    assert!(hooks[0].1 == one);
    assert!(!format!("{hooks:?}").contains("example.com"), "a URL was printed");
    assert!(web_hooks::delete(&app.pool, hooks[0].0).await.unwrap());
    assert!(!web_hooks::delete(&app.pool, hooks[0].0).await.unwrap());
    assert!(web_hooks::list(&app.pool, owner, &ColumnKey::new(&"another".into())).await.is_err());
}

#[sqlx::test]
async fn the_last_answers_of_a_hook_are_kept_and_no_more(pool: PgPool) {
    let app = TestApp::new(pool);
    let owner = HookOwner::Project(app.given().project("g/p").await.id);
    configure(&app, owner, &hook("https://ci.example.com/")).await;
    let id = web_hooks::list(&app.pool, owner, &ColumnKey::new(&app.secrets.db_key_base)).await.unwrap()[0].0;
    let mut connection = app.pool.acquire().await.unwrap();
    for status in 200..250 {
        let answer = web_hooks::ReceiverAnswer {
            status: Some(status),
            body: String::new(),
            error: None,
            duration: Duration::from_millis(5),
        };
        web_hooks::insert_log(&mut connection, id, "push_hooks", None, &answer).await.unwrap();
    }
    let kept: (i64, Option<String>) =
        sqlx::query_as("select count(*), min(response_status) from web_hook_logs").fetch_one(&app.pool).await.unwrap();
    assert_eq!(kept, (20, Some("230".to_owned())));
}
