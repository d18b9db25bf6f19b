//! Standbys of the database: fetches that they decide, the one of several hosts that is the primary, and a server that
//! has a standby alone.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use gatehouse::config::DatabaseSettings;
use gatehouse::domain::scim::ScimScope;
use gatehouse::store::{Db, Error};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::cluster::Cluster;
use crate::support::pushes::{NEW, OLD};
use crate::support::{Installation, Reply, TestApp};

/// A server of the primary that may ask the standby, and a private project with a developer.
struct Fetches {
    app: TestApp,
    pool: PgPool,
}

impl Fetches {
    async fn of(cluster: &Cluster, more: &str) -> Self {
        let yaml =
            format!("gatehouse: {{database: {{acquire_timeout: 1, replicas: ['{}']{more}}}}}", cluster.url("standby"));
        let pool = cluster.pool().await;
        let app = TestApp::through(pool.clone(), &cluster.url("primary"), &yaml);
        app.given().project("g/p").await.developer("rubi").await;
        app.given().setting("gitlab_shell_operation_limit = 0").await;
        Self { app, pool }
    }

    async fn fetch(&self) -> Reply {
        self.app.post("/allowed", attempt("git-upload-pack")).await
    }

    async fn fetches(&self, count: usize) {
        for _ in 0..count {
            let reply = self.fetch().await;
            assert_eq!(reply.status.as_u16(), 200, "{}", reply.line());
        }
    }

    /// How often each server has looked a path up.
    async fn asked(&self, cluster: &Cluster) -> (i64, i64) {
        // What a connection has counted is shown with the first statement that it runs a second later.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        self.fetch().await;
        let mut counts = [0; 2];
        for (count, node) in counts.iter_mut().zip(["primary", "standby"]) {
            let pool = PgPool::connect(&cluster.url(node)).await.unwrap();
            let scans = "select coalesce(sum(seq_scan + idx_scan), 0)::bigint from pg_stat_user_tables where relname = 'routes'";
            *count = sqlx::query_scalar(scans).fetch_one(&pool).await.unwrap();
            pool.close().await;
        }
        counts.into()
    }
}

fn attempt(action: &str) -> Value {
    let mut attempt = json!({ "action": action, "protocol": "ssh", "project": "g/p", "username": "rubi" });
    if action == "git-receive-pack" {
        attempt["changes"] = "_any".into();
    }
    attempt
}

/// What a standby has not heard of yet is never decided by it; what it knows it decides, and the primary is asked no more
/// than where its log ends.
#[tokio::test]
async fn a_standby_decides_fetches_where_it_knows_as_much_as_the_primary() {
    let cluster = Cluster::new().await;
    let fetches = Fetches::of(&cluster, "").await;
    fetches.fetches(1).await;
    let mut counts = Vec::new();
    // On a machine with much to do the standby may be behind for a while, and then the primary decides.
    for _ in 0..10 {
        let before = fetches.asked(&cluster).await;
        fetches.fetches(20).await;
        let after = fetches.asked(&cluster).await;
        counts.push((before, after));
        // Each connection shows late what it has counted, so not all of it may be there.
        if after.1 >= before.1 + 5 && after.0 < before.0 + 10 {
            break;
        }
    }
    let (before, after) = counts.last().unwrap();
    assert!(after.1 >= before.1 + 5 && after.0 < before.0 + 10, "{counts:?}");

    // It stands still, and the developer leaves.
    cluster.sql("standby", "select pg_wal_replay_pause()").await;
    sqlx::raw_sql("delete from members; delete from project_authorizations").execute(&fetches.pool).await.unwrap();
    for _ in 0..5 {
        assert_eq!(fetches.fetch().await.status.as_u16(), 404, "as the primary says");
    }
    cluster.sql("standby", "select pg_wal_replay_resume()").await;
    assert_eq!(fetches.fetch().await.status.as_u16(), 404);

    // Without it, everything is as before.
    cluster.stop("standby");
    for _ in 0..3 {
        assert_eq!(fetches.fetch().await.status.as_u16(), 404);
    }

    // It comes back and becomes a primary of its own: wherever its log ends, it is not asked.
    cluster.start("standby");
    let before = fetches.asked(&cluster).await;
    cluster.promote();
    for _ in 0..5 {
        assert_eq!(fetches.fetch().await.status.as_u16(), 404);
    }
    let after = fetches.asked(&cluster).await;
    // What was counted before may be shown only now.
    assert!(after.1 < before.1 + 5, "a server that is no standby of ours any more is not asked: {before:?} {after:?}");
}

#[tokio::test]
async fn while_the_primary_is_away_fetches_go_on_for_as_long_as_the_settings_allow() {
    let cluster = Cluster::new().await;
    let strict = Fetches::of(&cluster, "").await;
    let yaml = format!(
        "gatehouse: {{database: {{acquire_timeout: 1, stale_fetches: 3, replicas: ['{}']}}}}",
        cluster.url("standby")
    );
    let lenient = TestApp::through(strict.pool.clone(), &cluster.url("primary"), &yaml);
    let fetch = async || lenient.post("/allowed", attempt("git-upload-pack")).await;
    assert_eq!(fetch().await.status.as_u16(), 200);
    assert_eq!(strict.fetch().await.status.as_u16(), 200);
    tokio::time::sleep(Duration::from_millis(200)).await;
    cluster.stop("primary");
    let gone = Instant::now();
    let reply = fetch().await;
    assert_eq!(reply.status.as_u16(), 200, "{}", reply.line());
    let age: u64 = reply.headers["gatehouse-stale-facts"].to_str().unwrap().parse().unwrap();
    assert!((1..=3).contains(&age) && gone.elapsed() < Duration::from_secs(1), "{age} {:?}", gone.elapsed());
    let push = lenient.post("/allowed", attempt("git-receive-pack")).await;
    assert_eq!(push.status.as_u16(), 503, "{}", push.line());
    let denied = json!({ "action": "git-upload-pack", "protocol": "ssh", "project": "g/p", "username": "nobody" });
    assert_eq!(lenient.post("/allowed", denied).await.status.as_u16(), 404, "by the same rules");
    assert_eq!(strict.fetch().await.status.as_u16(), 503, "where the settings do not allow it");
    tokio::time::sleep(Duration::from_secs(4).saturating_sub(gone.elapsed())).await;
    assert_eq!(fetch().await.status.as_u16(), 503, "not for ever");
    cluster.start("primary");
    let back = Instant::now();
    while fetch().await.headers.contains_key("gatehouse-stale-facts") || fetch().await.status.as_u16() != 200 {
        assert!(back.elapsed() < Duration::from_secs(3), "the primary is asked again");
    }
}

/// One that keeps its connections and says nothing, or is behind, costs a fetch a moment.
#[tokio::test]
async fn a_silent_standby_costs_a_fetch_a_moment() {
    let cluster = Cluster::new().await;
    let fetches = Fetches::of(&cluster, "").await;
    fetches.fetches(3).await;
    cluster.freeze("standby", true);
    let begun = Instant::now();
    for _ in 0..10 {
        let asked = Instant::now();
        fetches.fetches(1).await;
        assert!(asked.elapsed() < Duration::from_millis(400), "{:?}", asked.elapsed());
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    cluster.freeze("standby", false);
}

/// One of several hosts is the primary; when another is, connections find it.
#[tokio::test]
async fn of_several_hosts_the_primary_is_asked() {
    let cluster = Cluster::new().await;
    let address = async |settings: DatabaseSettings| {
        let db = Db::beside(&settings, 2)?;
        let mut connection = db.acquire().await?;
        let standby = "select pg_is_in_recovery()";
        Ok::<bool, Error>(sqlx::query_scalar(standby).fetch_one(&mut *connection).await?)
    };
    let at = |url: String| DatabaseSettings { url: url.into(), acquire_timeout: 1, ..DatabaseSettings::default() };
    let both = cluster.url("standby,primary");
    assert!(!address(at(both.clone())).await.unwrap());
    assert!(address(at(format!("{both}&target_session_attrs=standby"))).await.unwrap());
    assert!(address(at(format!("{both}&target_session_attrs=prefer-standby"))).await.unwrap());
    let error = address(at(cluster.url("standby"))).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)) && error.to_string().contains("is a standby"), "{error}");
    assert!(address(DatabaseSettings { read_only: true, ..at(cluster.url("standby")) }).await.unwrap());
    let error = address(at(format!("{both}&load_balance_hosts=random"))).await.unwrap_err();
    assert!(error.to_string().contains("`load_balance_hosts` is a parameter that is not known here"), "{error}");

    let db = Db::beside(&at(both), 2).unwrap();
    let one = async || sqlx::query_scalar::<_, i32>("select 1").fetch_one(db.pool()).await;
    assert_eq!(one().await.unwrap(), 1);
    cluster.stop("primary");
    cluster.promote();
    let promoted = Instant::now();
    while one().await.is_err() {
        assert!(promoted.elapsed() < Duration::from_secs(1));
    }
    let written = sqlx::query("create table written (id bigint)").execute(db.pool()).await;
    assert!(written.is_ok() && promoted.elapsed() < Duration::from_secs(2), "{written:?} {:?}", promoted.elapsed());
}

/// allowed-43: a server that has a standby alone, and says so.
#[tokio::test]
async fn a_declared_standby_answers_who_reads_and_refuses_who_writes() {
    let cluster = Cluster::new().await;
    let pool = cluster.pool().await;
    let primary = TestApp::through(pool.clone(), &cluster.url("primary"), "");
    let given = primary.given();
    given.project("g/p").await.developer("rubi").await;
    given.setting("gitlab_shell_operation_limit = 0").await;
    given.scim_token(ScimScope::Instance, "TI").await;
    gatehouse::store::jobs::migrate(&Db::from(pool.clone())).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;

    let yaml = "gatehouse: {database: {read_only: true, acquire_timeout: 1}}";
    let app = TestApp::through(pool.clone(), &cluster.url("standby"), yaml);
    let fetched = app.post("/allowed", attempt("git-upload-pack")).await;
    assert_eq!(fetched.status.as_u16(), 200, "{}", fetched.line());
    let pushed = app.post("/allowed", attempt("git-receive-pack")).await;
    assert_eq!(
        pushed.line(),
        "401 {\"message\":\"You can't push code to a read-only GitLab instance.\",\"status\":false}"
    );
    assert_eq!(app.get("/discover?username=rubi").await.status.as_u16(), 200);
    let refused = r#"403 {"message":"You cannot perform write operations on a read-only instance"}"#;
    let report = json!({
        "gl_repository": "project-1", "identifier": "user-1", "changes": format!("{OLD} {NEW} refs/heads/main\n")
    });
    let begun = Instant::now();
    for (path, body) in [("/post_receive", report), ("/pre_receive", json!({ "gl_repository": "project-1" }))] {
        assert_eq!(app.post(path, body).await.line(), refused, "{path}");
    }
    let users = "/api/scim/v2/application/Users";
    let scim = |method: &str, body: &str| {
        let request = Request::builder().method(method).uri(users).header("authorization", "Bearer TI");
        request.header("content-type", "application/scim+json").body(Body::from(body.to_owned())).unwrap()
    };
    assert_eq!(app.send(scim("GET", "")).await.status.as_u16(), 200);
    let user =
        r#"{"externalId":"x","userName":"dana","emails":[{"value":"d@x.org","type":"work"}],"name":{"formatted":"D"}}"#;
    let made = app.send(scim("POST", user)).await;
    assert_eq!(made.status.as_u16(), 403, "{}", made.line());
    assert!(begun.elapsed() < Duration::from_secs(1), "what cannot be is not waited for: {:?}", begun.elapsed());

    // The binary: it starts without migrating, runs no jobs, and its log stays quiet.
    let url = cluster.url("standby");
    let served = Installation::at(url.clone(), "  database: {read_only: true}\n").serve();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let log = served.log();
    assert!(log.contains("no jobs are run here") && !log.contains("ERROR"), "{log}");
    assert!(log.lines().filter(|line| line.contains("WARN")).count() <= 2, "{log}");
    let checked = Installation::at(url.clone(), "  database: {read_only: true}\n").run(&["check"]);
    assert!(checked.stdout.contains("not compared, for the database takes no writes"), "{checked:?}");
    // Not declared, it is no database to serve from.
    let refused = Installation::at(url, "  database: {acquire_timeout: 1}\n").run(&["migrate"]);
    assert!(refused.stderr.contains("is a standby"), "{refused:?}");
}
