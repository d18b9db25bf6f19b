//! Hooks of servers that crash: two servers on one database, many pushes at once, and servers that are killed while they
//! answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use gatehouse::clock::Clock;
use gatehouse::crypto::attr_encrypted::ColumnKey;
use gatehouse::domain::web_hook::HookSubscriptions;
use gatehouse::http::auth::{self, shell};
use gatehouse::store::reference_counters;
use gatehouse::store::web_hooks::{self, HookOwner, WebHook};
use reqwest::Client;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::time::sleep;

use crate::support::crash::{CrashServer, STORM, client, kill_until};
use crate::support::pushes::{OLD, app_with_queue, report};
use crate::support::receiver::Receiver;
use crate::support::{DB_KEY_BASE, Installation, SHELL_SECRET, TestApp};

/// Who pushes at once.
const PUSHERS: usize = 8;
/// How long the survivors may take to work off what is left.
const WORKED_OFF: Duration = Duration::from_secs(30);
/// A server that is gone is soon known to be.
const SETTINGS: [(&str, &str); 1] = [("GATEHOUSE__JOBS__TAKEOVER_TIMEOUT", "2")];

/// What the pushers share.
struct Story {
    client: Client,
    ports: [u16; 2],
    repository: String,
    who: String,
    number: AtomicUsize,
    acknowledged: Mutex<BTreeSet<String>>,
    counted_without_answer: AtomicUsize,
}

impl Story {
    /// One attempt to say something to a server; its answer, where there was a good one.
    async fn say(&self, server: usize, path: &str, token: &str, id: &str, body: &Value) -> Option<Value> {
        let url = format!("http://127.0.0.1:{}/api/v4/internal{path}", self.ports[server % 2]);
        let request = self.client.post(url).header(shell::TOKEN_HEADER, token).header("x-request-id", id);
        let request = request.header("content-type", "application/json").body(body.to_string());
        let response = request.send().await.ok()?;
        if response.status() != 200 {
            return None;
        }
        serde_json::from_str(&response.text().await.ok()?).ok()
    }

    /// A push from beginning to end: said again, to the other server, until it is acknowledged.
    async fn push(&self) {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let new = format!("{number:040x}");
        let token = auth::mint(shell::ISSUER, None, SHELL_SECRET.as_bytes(), &Clock::system());
        let id = format!("push-{number}");
        let begin = json!({ "gl_repository": self.repository });
        let end = report(&self.repository, &self.who, &format!("{OLD} {new} refs/heads/b{number}\n"));
        let mut server = number;
        while self.say(server, "/pre_receive", token.expose_secret(), &id, &begin).await.is_none() {
            self.counted_without_answer.fetch_add(1, Ordering::Relaxed);
            server += 1;
            sleep(Duration::from_millis(50)).await;
        }
        while self.say(server, "/post_receive", token.expose_secret(), &id, &end).await.is_none() {
            server += 1;
            sleep(Duration::from_millis(50)).await;
        }
        self.acknowledged.lock().unwrap().insert(new);
    }
}

async fn hook(app: &TestApp, owner: HookOwner, receiver: &Receiver) {
    let listening = HookSubscriptions { push_events: true, ..HookSubscriptions::default() };
    let url = receiver.url().as_str().into();
    let hook = WebHook { url, token: None, name: None, listening, enable_ssl_verification: true };
    let mut connection = app.pool.acquire().await.unwrap();
    web_hooks::upsert(&mut connection, owner, &hook, &ColumnKey::new(&DB_KEY_BASE.into())).await.unwrap();
}

/// shell-75: whatever was acknowledged has exactly one event and its hook at least once, whoever is killed meanwhile
#[sqlx::test]
async fn nothing_that_was_acknowledged_is_lost_or_done_twice(pool: PgPool) {
    let app = app_with_queue(pool).await;
    let given = app.given();
    given.setting("allow_local_requests_from_web_hooks_and_services = true").await;
    let project = given.project("g/p").await.developer("rubi").await;
    let rubi = given.user("rubi").await;
    let receiver = Receiver::start().await;
    hook(&app, HookOwner::Project(project.id), &receiver).await;

    let mut servers = Vec::new();
    for _ in 0..2 {
        servers.push(CrashServer::start(Installation::new(&app.pool, ""), &SETTINGS).await);
    }
    let story = Arc::new(Story {
        client: client(Duration::from_secs(5)),
        ports: [servers[0].port, servers[1].port],
        repository: format!("project-{}", project.id),
        who: format!("user-{rubi}"),
        number: AtomicUsize::new(1),
        acknowledged: Mutex::default(),
        counted_without_answer: AtomicUsize::new(0),
    });

    let end = Instant::now() + STORM;
    let pushers: Vec<_> = (0..PUSHERS)
        .map(|_| {
            let story = Arc::clone(&story);
            tokio::spawn(async move {
                while Instant::now() < end {
                    story.push().await;
                }
            })
        })
        .collect();
    let kills = kill_until(end, &mut servers, || Duration::from_millis(900)).await;
    for pusher in pushers {
        pusher.await.unwrap();
    }

    let acknowledged = story.acknowledged.lock().unwrap().clone();
    let waited = Instant::now();
    loop {
        let live = "select count(*) from graphile_worker.jobs
                    where task_identifier <> 'refresh_repository' and (locked_at is not null or attempts < max_attempts)";
        let left: i64 = given.value(live).await;
        if left == 0 {
            break;
        }
        assert!(waited.elapsed() < WORKED_OFF, "{left} jobs are left: {} {}", servers[0].log(), servers[1].log());
        sleep(Duration::from_millis(100)).await;
    }

    let rows: Vec<String> = sqlx::query_scalar("select encode(commit_to, 'hex') from push_event_payloads")
        .fetch_all(&app.pool)
        .await
        .unwrap();
    let mut events: BTreeMap<&str, usize> = BTreeMap::new();
    for new in &rows {
        *events.entry(new).or_default() += 1;
    }
    let requests = receiver.requests();
    let told: BTreeSet<String> =
        requests.iter().map(|request| request.json()["after"].as_str().unwrap().to_owned()).collect();
    let unheard = story.counted_without_answer.load(Ordering::Relaxed);
    println!(
        "{} pushes acknowledged, {kills} servers killed, {} events, {} deliveries of {} pushes, {unheard} counts \
         without an answer, the rest worked off in {:?}",
        acknowledged.len(),
        rows.len(),
        requests.len(),
        told.len(),
        waited.elapsed(),
    );
    assert!(acknowledged.len() > 50 && kills > 4, "not much happened");
    for new in &acknowledged {
        assert_eq!(events.get(new.as_str()), Some(&1), "events of {new}");
        assert!(told.contains(new), "nobody was told of {new}");
    }
    assert!(events.values().all(|count| *count == 1), "{events:?}");
    assert_eq!(given.value::<i64>("select count(*) from web_hook_deliveries").await, 0);

    // A count whose answer was lost with its server is counted again by the next attempt, and expires.
    let now = Utc::now();
    let counter = reference_counters::find(&app.pool, &story.repository, now).await.unwrap();
    assert!(usize::try_from(counter).unwrap() <= unheard, "{counter} of {unheard}");
    let later = now + TimeDelta::seconds(601);
    assert_eq!(reference_counters::find(&app.pool, &story.repository, later).await.unwrap(), 0);
    for server in &mut servers {
        server.stop();
    }
}
