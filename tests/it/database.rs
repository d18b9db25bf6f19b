//! Connections to the database that break, fall silent, are all in use or are refused; and clients who do not notice, or
//! are told the same in every area's words.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use futures_util::future::join_all;
use gatehouse::config::DatabaseSettings;
use gatehouse::domain::ids::AgentId;
use gatehouse::domain::scim::ScimScope;
use gatehouse::store::{Db, Error};
use secrecy::SecretString;
use serde_json::json;
use sqlx::{ConnectOptions, PgPool};

use crate::support::git::Folder;
use crate::support::pushes::{LEFT, NEW, OLD, WAITING, Working, report, until};
use crate::support::{Installation, Proxy, Reply, TestApp, key_body};

const END_ALL: &str = "select pg_terminate_backend(pid) from pg_stat_activity
                       where application_name = 'gatehouse' and datname = current_database()";
const PLAIN: &str = r#"{"message":"503 Service Unavailable"}"#;
const SCIM: &str =
    r#"{"detail":"Service Unavailable","schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"503"}"#;

/// Where the test's database is.
fn url(pool: &PgPool) -> String {
    pool.connect_options().to_url_lossy().to_string()
}

/// Connections of a server's queue.
fn queue(pool: &PgPool) -> Db {
    Db::beside(&DatabaseSettings { url: url(pool).into(), ..DatabaseSettings::default() }, 4).unwrap()
}

/// An application with connections of its own, and what each area needs to be asked.
pub struct Story {
    pub app: TestApp,
    project: i64,
    agent: AgentId,
    rubi: i64,
    group: i64,
}

/// What asks for the database, by the budget that it uses.
const ASKED: [&str; 8] = ["access", "lookups", "lookups", "pushes", "pushes", "provisioning", "scim", "kubernetes"];

impl Story {
    pub async fn begins(pool: PgPool, url: &str, yaml: &str) -> Self {
        gatehouse::store::jobs::migrate(&Db::from(pool.clone())).await.unwrap();
        let app = TestApp::through(pool, url, yaml);
        let given = app.given();
        let project = given.project("g/p").await.developer("rubi").await.id;
        let rubi = given.user("rubi").await;
        given.key(rubi, "laptop").await;
        let agent = given.agent(project, "prod", None).await;
        given.scim_token(ScimScope::Instance, "TI").await;
        let root = given.user("root").await;
        given.user_is(root, "admin = true").await;
        given.setting("gitlab_shell_operation_limit = 0").await;
        given.personal_access_token(root, &app.secrets.db_key_base, "glpat-root", &["api"]).await;
        let group = given.group("g").await;
        Self { app, project: project.0, agent, rubi: rubi.0, group: group.0 }
    }

    async fn get(&self, path: &str, header: (&str, &str)) -> Reply {
        let request = Request::builder().uri(path).header(header.0, header.1);
        self.app.send(request.body(Body::empty()).unwrap()).await
    }

    /// One of the things that need the database, by its place in [`ASKED`].
    async fn ask(&self, what: usize) -> Reply {
        let repository = format!("project-{}", self.project);
        let user = format!("user-{}", self.rubi);
        match what {
            0 => {
                let body =
                    json!({ "action": "git-upload-pack", "protocol": "ssh", "project": "g/p", "user_id": self.rubi });
                self.app.post("/allowed", body).await
            }
            1 => self.app.get(&format!("/discover?user_id={}", self.rubi)).await,
            2 => {
                let key = key_body("laptop").replace('+', "%2B");
                self.app.get(&format!("/authorized_keys?key={key}")).await
            }
            3 => self.app.post("/pre_receive", json!({ "gl_repository": repository })).await,
            4 => {
                let change = format!("{OLD} {NEW} refs/heads/main\n");
                self.app.post_receive(report(&repository, &user, &change)).await
            }
            5 => {
                let path = format!("/api/v4/namespaces/{}/gitlab_subscription", self.group);
                self.get(&path, ("private-token", "glpat-root")).await
            }
            6 => self.get("/api/scim/v2/application/Users", ("authorization", "Bearer TI")).await,
            _ => {
                let body = json!({ "agent_id": self.agent.0, "agent_config": {} });
                self.app.call_kas("POST", "/agent_configuration", "", body).await
            }
        }
    }

    async fn ask_all(&self) -> Vec<Reply> {
        join_all((0..ASKED.len()).map(|what| self.ask(what))).await
    }

    pub async fn all_is_well(&self) {
        for (what, reply) in self.ask_all().await.into_iter().enumerate() {
            assert!(reply.status.is_success(), "{} {what}: {}", ASKED[what], reply.line());
        }
    }
}

/// Whatever the database says of itself is 503 everywhere, in the area's words, with the time after which to ask again.
#[sqlx::test]
async fn the_databases_state_is_503_in_every_areas_words(pool: PgPool) {
    let folder = Folder::new();
    let proxy = Proxy::before(&pool, &folder.path().join("pg"));
    let yaml = "gatehouse: {database: {acquire_timeout: 1}, limits: {push_check_timeout: 1}}";
    let story = Story::begins(pool, &proxy.url(), yaml).await;
    story.all_is_well().await;
    // When a connection is made: no right to log in or to connect, a wrong password, no such database, too many
    // connections, a database that takes none, one that starts. Then of any statement: a database that takes no writes, no
    // disk, an end by an administrator, locks and time.
    let refused = ["28000", "42501", "28P01", "3D000", "53300", "55000", "57P03"];
    let answered = ["25006", "53100", "57P01", "57014", "55P03", "40001", "58030"];
    for code in refused.into_iter().chain(answered) {
        if refused.contains(&code) {
            proxy.refuse(code);
        } else {
            proxy.answer(code);
        }
        let begun = Instant::now();
        for (what, reply) in story.ask_all().await.into_iter().enumerate() {
            let words = if ASKED[what] == "scim" { SCIM } else { PLAIN };
            assert_eq!(reply.line(), format!("503 {words}"), "{code} for {} {what}", ASKED[what]);
            assert_eq!(reply.headers["retry-after"], "1", "{code} for {} {what}", ASKED[what]);
        }
        assert!(begun.elapsed() < Duration::from_secs(6), "{code} took {:?}", begun.elapsed());
        proxy.open();
        story.all_is_well().await;
    }
}

/// All connections end every second, for ten seconds under load (`STORM` says how many seconds): nobody notices, and each
/// push that was acknowledged has its one event.
#[sqlx::test]
async fn nobody_notices_that_connections_end(pool: PgPool) {
    let seconds: u64 = std::env::var("STORM").map_or(10, |seconds| seconds.parse().unwrap());
    let story = Arc::new(Story::begins(pool.clone(), &url(&pool), "lfs: {enabled: false}").await);
    let working = Working::over(&story.app, queue(&pool));
    let end = Instant::now() + Duration::from_secs(seconds);
    let pushes = Arc::new(AtomicU32::new(0));
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..12 {
        let (story, pushes) = (Arc::clone(&story), Arc::clone(&pushes));
        clients.spawn(async move {
            let (mut done, mut failed) = (0_u32, Vec::new());
            while Instant::now() < end {
                let replies = match client % 4 {
                    0 => vec![story.ask(0).await, story.ask(7).await],
                    1 => vec![story.ask(1).await, story.ask(2).await, story.ask(0).await],
                    2 => vec![story.ask(5).await, story.ask(6).await],
                    _ => story.push(pushes.fetch_add(1, Ordering::SeqCst)).await,
                };
                done += 1;
                failed.extend(replies.iter().filter(|reply| !reply.status.is_success()).map(Reply::line));
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            (done, failed)
        });
    }
    let mut ended = 0;
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_secs(1)).await;
        ended += sqlx::query(END_ALL).fetch_all(&pool).await.unwrap().len();
    }
    let (done, failed): (Vec<u32>, Vec<Vec<String>>) = clients.join_all().await.into_iter().unzip();
    let (done, pushes) = (done.iter().sum::<u32>(), pushes.load(Ordering::SeqCst));
    println!("{done} rounds, {pushes} of them pushes; {ended} connections ended");
    assert!(ended > 20 && pushes > 20, "{ended} {pushes}");
    assert_eq!(failed.concat(), Vec::<String>::new());
    for _ in 0..3 {
        // A job whose connection ended is tried again after some seconds.
        if story.app.given().value::<i64>(WAITING).await > 0 {
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    }
    until(&story.app, WAITING, 0).await;
    working.drain().await;
    let given = story.app.given();
    let of_each: Vec<(i64, i64)> = sqlx::query_as(
        "select count(*), count(distinct ref) from events join push_event_payloads on event_id = events.id",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert_eq!(of_each, [(i64::from(pushes), i64::from(pushes))], "one event a push");
    assert_eq!(given.value::<i64>(LEFT).await, 0, "no job is left");
}

impl Story {
    /// A push to a branch that nothing protects, call by call: Gitaly, which is not there, is asked nothing.
    async fn push(&self, number: u32) -> Vec<Reply> {
        let (repository, user) = (format!("project-{}", self.project), format!("user-{}", self.rubi));
        let change = format!("{OLD} {NEW} refs/heads/feature-{number}\n");
        let body = |changes: &str| {
            json!({ "action": "git-receive-pack", "protocol": "ssh", "gl_repository": repository, "project": "g/p",
                    "changes": changes, "user_id": self.rubi })
        };
        let mut replies = Vec::new();
        for changes in ["_any", &change] {
            replies.push(self.app.post("/allowed", body(changes)).await);
        }
        replies.push(self.app.post("/pre_receive", json!({ "gl_repository": repository })).await);
        replies.push(self.app.post_receive(report(&repository, &user, &change)).await);
        replies
    }

    /// The time that 99 of 100 questions take at most.
    async fn p99(&self, what: usize) -> Duration {
        let mut took = Vec::new();
        for _ in 0..100 {
            let begun = Instant::now();
            let reply = self.ask(what).await;
            assert!(reply.status.is_success(), "{} {what}: {}", ASKED[what], reply.line());
            took.push(begun.elapsed());
        }
        took.sort_unstable();
        took[98]
    }
}

/// Where all connections of one area are stuck, the others do not notice.
#[sqlx::test]
async fn whoever_uses_up_an_areas_connections_waits_alone(pool: PgPool) {
    let story = Story::begins(pool.clone(), &url(&pool), "").await;
    let mut alone = Vec::new();
    for what in 0..ASKED.len() {
        alone.push(story.p99(what).await);
    }
    for (name, db) in story.app.budgets.each() {
        let mut stuck = Vec::new();
        while let Ok(Ok(connection)) = tokio::time::timeout(Duration::from_millis(200), db.acquire()).await {
            stuck.push(connection);
        }
        // `/allowed` and the reports of kas keep connections for themselves.
        assert!(!stuck.is_empty() || name == "access", "{name}");
        for what in (0..ASKED.len()).filter(|what| ASKED[*what] != name) {
            let p99 = story.p99(what).await;
            // Other tests use the same processors.
            let most = (3 * alone[what]).max(Duration::from_millis(500));
            assert!(
                p99 < most,
                "{name} is stuck, and {} {what} takes {p99:?} in place of {:?}",
                ASKED[what],
                alone[what]
            );
        }
    }
}

/// Eight writers wait for a row that somebody holds: they are told to come again, and logins do not notice.
#[sqlx::test]
async fn a_lock_that_is_held_for_long_stops_its_own_area_alone(pool: PgPool) {
    let story = Story::begins(pool.clone(), &url(&pool), "gatehouse: {database: {lock_timeout: 1}}").await;
    let mut holder = pool.begin().await.unwrap();
    sqlx::query("select * from namespaces for update").fetch_all(&mut *holder).await.unwrap();
    let path = format!("/api/v4/namespaces/{}/minutes", story.group);
    let pack = json!({ "packs": [{ "number_of_minutes": 1, "expires_at": "2030-01-01", "purchase_xid": "a" }] });
    let write = || {
        let request = Request::builder().method("POST").uri(&path).header("private-token", "glpat-root");
        let request = request.header("content-type", "application/json").body(Body::from(pack.to_string())).unwrap();
        story.app.send(request)
    };
    let logins = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        (story.p99(1).await, story.p99(2).await)
    };
    let (writes, logins) = tokio::join!(join_all((0..8).map(|_| write())), logins);
    for reply in writes {
        assert_eq!(reply.line(), format!("503 {PLAIN}"));
        assert_eq!(reply.headers["retry-after"], "1");
    }
    assert!(logins.0.max(logins.1) < Duration::from_millis(800), "{logins:?}");
    holder.rollback().await.unwrap();
    assert_eq!(write().await.status, 201);
}

fn through(proxy: &Proxy) -> Db {
    let url: SecretString = proxy.url().into();
    Db::beside(&DatabaseSettings { url, acquire_timeout: 2, ..DatabaseSettings::default() }, 2).unwrap()
}

/// Lets a connection come back to its pool, for that is an answer too.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(40)).await;
}

#[sqlx::test]
async fn what_got_no_answer_is_read_again_and_never_written_again(pool: PgPool) {
    let folder = Folder::new();
    let proxy = Proxy::before(&pool, &folder.path().join("pg"));
    let db = through(&proxy);
    sqlx::query("create table written (number int)").execute(&pool).await.unwrap();
    let write = "insert into written values (1)";
    let count = "select count(*) from written";
    // Once for each of the pool's connections, so that the next answer is the one to the statement itself.
    let (first, second) = (db.acquire().await.unwrap(), db.acquire().await.unwrap());
    for mut connection in [first, second] {
        sqlx::query("insert into written select 1 where false").execute(&mut *connection).await.unwrap();
    }
    settle().await;
    proxy.lose_next_answer();
    assert_eq!(sqlx::query_scalar::<_, i64>(count).fetch_one(&db).await.unwrap(), 0, "it was asked again");

    // On a connection that was busy a moment ago: one that was idle for longer is asked first whether it lives, and on a busy
    // machine the answer that is lost may be that one.
    let rows = async || sqlx::query_scalar::<_, i64>(count).fetch_one(&pool).await.unwrap();
    let warm = async || {
        sqlx::query_scalar::<_, i64>(count).fetch_one(&db).await.unwrap();
        settle().await;
        proxy.lose_next_answer();
    };
    let mut lost = Ok(());
    for written in 1..50 {
        warm().await;
        lost = sqlx::raw_sql(write).execute(&db).await.map(drop).map_err(Error::from);
        assert_eq!(rows().await, written, "once, though nobody was told");
        if lost.is_err() {
            break;
        }
    }
    assert!(matches!(lost, Err(Error::Unknown(_))), "{lost:?}");

    let mut added = 1;
    for _ in 1..50 {
        warm().await;
        let before = rows().await;
        sqlx::raw_sql(write).execute(&db.repeatable()).await.unwrap();
        added = rows().await - before;
        if added > 1 {
            break;
        }
    }
    assert_eq!(added, 2, "what may be done twice was");
}

#[sqlx::test]
async fn a_transaction_says_whether_anything_came_of_it(pool: PgPool) {
    let folder = Folder::new();
    let proxy = Proxy::before(&pool, &folder.path().join("pg"));
    let db = through(&proxy);
    sqlx::query("create table written (number int)").execute(&pool).await.unwrap();

    // The connection was lost while it lay idle: nothing is noticed.
    drop(db.acquire().await.unwrap());
    settle().await;
    sqlx::query(END_ALL).execute(&pool).await.unwrap();
    let mut transaction = db.begin().await.unwrap();
    // It is lost in the middle: nothing was done, and the same again is right.
    sqlx::query("insert into written values (1)").execute(&mut *transaction).await.unwrap();
    sqlx::query(END_ALL).execute(&pool).await.unwrap();
    let lost = sqlx::query("insert into written values (2)").execute(&mut *transaction).await.map_err(Error::from);
    assert!(lost.unwrap_err().is_undone());
    drop(transaction);

    // The answer to the commit is lost: nobody knows.
    let mut transaction = db.begin().await.unwrap();
    sqlx::query("insert into written values (3)").execute(&mut *transaction).await.unwrap();
    proxy.lose_next_answer();
    let lost = transaction.commit().await.unwrap_err();
    assert!(matches!(lost, Error::Unknown(_)) && !lost.is_undone(), "{lost}");
    let written: Vec<i32> = sqlx::query_scalar("select number from written").fetch_all(&pool).await.unwrap();
    assert_eq!(written, [3]);
}

/// Requests that are given up while the database is silent leave no connection behind that nobody can use.
/// Whoever gives up while a transaction begins leaves no transaction behind for the next one to write in.
#[sqlx::test]
async fn a_beginning_that_is_cut_short_is_nobodys(pool: PgPool) {
    let folder = Folder::new();
    let proxy = Proxy::before(&pool, &folder.path().join("pg"));
    let db = through(&proxy);
    sqlx::raw_sql("create table notes (note text)").execute(&pool).await.unwrap();
    for round in 0..8 {
        // Connections that live, so that nothing else is on the way.
        sqlx::query("select 1").execute(db.pool()).await.unwrap();
        proxy.slow(Duration::from_millis(30));
        let cut = tokio::time::timeout(Duration::from_millis(10 * (round % 4) + 5), db.begin()).await;
        drop(cut);
        proxy.slow(Duration::ZERO);
        settle().await;
        let written = sqlx::query("insert into notes values ($1)").bind(format!("{round}")).execute(db.pool()).await;
        assert!(written.is_ok(), "{written:?}");
        let notes: i64 = sqlx::query_scalar("select count(*) from notes").fetch_one(&pool).await.unwrap();
        assert_eq!(notes, i64::try_from(round).unwrap() + 1, "what was acknowledged is committed");
    }
}

#[sqlx::test]
async fn silence_uses_up_no_connections(pool: PgPool) {
    let folder = Folder::new();
    let proxy = Proxy::before(&pool, &folder.path().join("pg"));
    let db = through(&proxy);
    let ask = || sqlx::query_scalar::<_, i32>("select 1").fetch_one(&db);
    assert_eq!(ask().await.unwrap(), 1);
    proxy.fall_silent();
    for _ in 0..4 {
        assert!(tokio::time::timeout(Duration::from_millis(200), ask()).await.is_err(), "it is silent");
        assert!(tokio::time::timeout(Duration::from_millis(200), db.begin()).await.is_err(), "it is silent");
    }
    let begun = Instant::now();
    assert!(db.begin().await.is_err());
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    // Those that were given up are thrown away, though nobody ever answers on them.
    tokio::time::sleep(Duration::from_secs(3)).await;
    proxy.open();
    let (first, second) = tokio::join!(ask(), ask());
    assert_eq!((first.unwrap(), second.unwrap()), (1, 1));
}

/// What a connection remembers of a schema that was changed or restored meanwhile is forgotten with the connection.
#[sqlx::test]
async fn a_schema_may_change_under_a_server(pool: PgPool) {
    let db = queue(&pool);
    let ask = || sqlx::query("select * from changing").fetch_all(&db);
    sqlx::query("create table changing (one int)").execute(&pool).await.unwrap();
    ask().await.unwrap();
    settle().await;
    for change in ["alter table changing add column two text", "drop table changing; create table changing (one text)"]
    {
        sqlx::raw_sql(change).execute(&pool).await.unwrap();
        ask().await.unwrap();
        settle().await;
    }
}

pub async fn a_push(story: &Story) {
    let change = format!("{OLD} {NEW} refs/heads/main\n");
    let body = report(&format!("project-{}", story.project), &format!("user-{}", story.rubi), &change);
    assert_eq!(story.app.post_receive(body).await.status, 200);
}

/// A database that refuses by its policy makes no storm: pauses between attempts, a line when it begins and one when it is
/// over, and the queue goes on by itself.
#[sqlx::test]
async fn a_database_that_refuses_is_waited_for_in_silence(pool: PgPool) {
    let folder = Folder::new();
    let proxy = Proxy::before(&pool, &folder.path().join("pg"));
    let story = Story::begins(pool.clone(), &url(&pool), "").await;
    let served = Installation::at(proxy.url(), "").serve();
    a_push(&story).await;
    until(&story.app, WAITING, 0).await;
    let (lines, attempts) = (served.log().lines().count(), proxy.attempts());
    proxy.refuse("55000");
    tokio::time::sleep(Duration::from_secs(5)).await;
    let said: Vec<String> = served.log().lines().skip(lines).map(str::to_owned).collect();
    assert!(said.iter().any(|line| line.contains("the database is not available")), "{}", said.join("\n"));
    assert!(said.len() <= 4, "{} lines:\n{}", said.len(), said.join("\n"));
    let tried = proxy.attempts() - attempts;
    assert!((1..150).contains(&tried), "{tried} attempts in five seconds");
    proxy.open();
    a_push(&story).await;
    until(&story.app, WAITING, 0).await;
    until(&story.app, "select count(*) from events", 2).await;
}

/// The queue's library numbers the kinds of jobs when it starts; a restore may number them otherwise.
#[sqlx::test]
async fn after_a_restore_jobs_run_as_what_they_are(pool: PgPool) {
    let story = Story::begins(pool.clone(), &url(&pool), "").await;
    let working = Working::on(&story.app);
    a_push(&story).await;
    until(&story.app, WAITING, 0).await;
    let renumber = "create temporary table kinds as table graphile_worker._private_tasks;
                    delete from graphile_worker._private_tasks;
                    insert into graphile_worker._private_tasks (id, identifier) overriding system value
                    select other.id, kinds.identifier
                    from kinds
                    join kinds as other on other.identifier = case kinds.identifier
                      when 'post_receive' then 'announce_alert'
                      when 'announce_alert' then 'post_receive'
                      else kinds.identifier
                    end";
    sqlx::raw_sql(renumber).execute(&pool).await.unwrap();
    a_push(&story).await;
    until(&story.app, "select count(*) from events", 2).await;
    until(&story.app, LEFT, 0).await;
    working.drain().await;
}

/// The queue's workers: one for events, one for deliveries. Each has a connection that listens.
const LANES: i64 = 2;

/// New jobs are heard of at once, also after the connections that listen were lost.
#[sqlx::test]
async fn the_queue_listens_again(pool: PgPool) {
    let story = Story::begins(pool.clone(), &url(&pool), "").await;
    let working = Working::over(&story.app, queue(&pool));
    let listening = "select count(*) from pg_stat_activity where datname = current_database() and query like 'LISTEN%'";
    for _ in 0..3 {
        until(&story.app, listening, LANES).await;
        let pid = listening.replace("count(*)", "pg_terminate_backend(pid)");
        sqlx::query(sqlx::AssertSqlSafe(pid)).execute(&pool).await.unwrap();
    }
    until(&story.app, listening, LANES).await;
    working.drain().await;
}
