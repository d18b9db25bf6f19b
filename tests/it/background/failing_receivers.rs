//! Receivers that fail: they delay nobody else, their hooks pause, and in the end an operator enables them again.

use std::process::Command;
use std::time::{Duration, Instant};

use gatehouse::crypto::attr_encrypted::ColumnKey;
use gatehouse::domain::web_hook::HookSubscriptions;
use gatehouse::store::web_hooks::{self, HookOwner, WebHook};
use sqlx::PgPool;

use crate::support::pushes::{LEFT, NEW, OLD, WAITING, Working, app_with_queue, database_url, report, until};
use crate::support::receiver::Receiver;
use crate::support::{GivenProject, TestApp};

struct Story {
    app: TestApp,
    who: String,
}

impl Story {
    async fn begins(pool: PgPool) -> Self {
        let app = app_with_queue(pool).await;
        let given = app.given();
        given.setting("allow_local_requests_from_web_hooks_and_services = true").await;
        let who = format!("user-{}", given.user("rubi").await);
        Self { app, who }
    }

    /// A project with a hook that posts to the receiver.
    async fn project(&self, path: &str, receiver: &Receiver) -> GivenProject {
        let project = self.app.given().project(path).await.developer("rubi").await;
        self.hook(HookOwner::Project(project.id), &receiver.url()).await;
        project
    }

    async fn hook(&self, owner: HookOwner, url: &str) -> i64 {
        let listening = HookSubscriptions { push_events: true, ..HookSubscriptions::default() };
        let hook = WebHook { url: url.into(), token: None, name: None, listening, enable_ssl_verification: true };
        let key = ColumnKey::new(&self.app.secrets.db_key_base);
        let mut connection = self.app.pool.acquire().await.unwrap();
        web_hooks::upsert(&mut connection, owner, &hook, &key).await.unwrap().0.0
    }

    async fn pushes(&self, project: &GivenProject, branch: &str) {
        let change = format!("{OLD} {NEW} refs/heads/{branch}\n");
        let reply = self.app.post_receive(report(&format!("project-{}", project.id), &self.who, &change)).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
    }

    async fn count(&self, query: &str) -> i64 {
        self.app.given().value(query).await
    }

    /// The command's exit and what it printed.
    async fn jobs(&self, arguments: &[&str]) -> (bool, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_gatehouse"))
            .arg("jobs")
            .args(arguments)
            .env("DATABASE_URL", database_url(&self.app).await)
            .current_dir(std::env::temp_dir())
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
        (output.status.success(), text)
    }
}

async fn soon(what: &str, mut is: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is() {
        assert!(started.elapsed() < Duration::from_secs(15), "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[sqlx::test]
async fn a_receiver_that_never_answers_delays_nobody_else(pool: PgPool) {
    let story = Story::begins(pool).await;
    let (dead, live) = (Receiver::start().await, Receiver::start().await);
    dead.will_take(Duration::from_mins(5));
    // The deliveries are those of several hooks: it is the server behind them that does not answer.
    let mut silent = Vec::new();
    for number in 0..4 {
        silent.push(story.project(&format!("g/silent{number}"), &dead).await);
    }
    let other = story.project("other/p", &live).await;
    let working = Working::on(&story.app);
    for number in 0..24 {
        story.pushes(&silent[number % 4], &format!("b{number}")).await;
    }
    until(&story.app, "select count(*) from web_hook_deliveries", 24).await;
    soon("a few requests", || dead.requests().len() >= 4).await;

    let started = Instant::now();
    story.pushes(&other, "main").await;
    soon("the delivery", || live.requests().len() == 1).await;
    let event = format!("select count(*) from events where project_id = {}", other.id);
    until(&story.app, &event, 1).await;
    let took = started.elapsed();
    println!("event and delivery beside 24 deliveries to a receiver that never answers: {took:?}");
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert!(dead.busiest() <= 8, "a receiver takes no more than its share: {}", dead.busiest());
    working.drain().await;
}

#[sqlx::test]
async fn a_hook_pauses_after_four_failures_and_then_delivers_what_waited(pool: PgPool) {
    let story = Story::begins(pool).await;
    let receiver = Receiver::start().await;
    let project = story.project("g/p", &receiver).await;
    for status in [500, 404, 503, 502] {
        receiver.will_answer(status, "");
    }
    let working = Working::on(&story.app);
    for number in 0..4 {
        story.pushes(&project, &format!("b{number}")).await;
    }
    until(&story.app, "select count(*) from web_hooks where recent_failures = 4", 1).await;
    let pause = "select round(extract(epoch from disabled_until - now()))::bigint from web_hooks";
    assert!((50..=60).contains(&story.count(pause).await));

    // What is pushed meanwhile waits; that it was looked at is no attempt.
    story.pushes(&project, "meanwhile").await;
    let waiting = "select count(*) from graphile_worker.jobs join web_hooks on run_at >= disabled_until
                   where attempts = 0 and locked_at is null and last_error like '%the hook pauses until%'";
    until(&story.app, waiting, 1).await;
    assert_eq!(receiver.requests().len(), 4);
    let (good, listed) = story.jobs(&["hooks"]).await;
    assert!(good && listed.contains("\tpaused\t4\tg/p\t") && listed.contains("502"), "{listed}");

    let id = story.count("select id from web_hooks").await;
    let (good, text) = story.jobs(&["enable", &id.to_string()]).await;
    assert_eq!((good, text), (true, format!("hook {id}: enabled\n")));
    until(&story.app, WAITING, 0).await;
    working.drain().await;
    let told: std::collections::BTreeSet<String> =
        receiver.requests().iter().map(|request| request.json()["ref"].as_str().unwrap().to_owned()).collect();
    assert_eq!(told.len(), 5, "{told:?}");
    assert_eq!(story.count("select count(*) from web_hook_deliveries").await, 0);
    assert_eq!(story.jobs(&["hooks"]).await.1, "no hooks whose receivers fail\n");
}

#[sqlx::test]
async fn the_fortieth_failure_disables_a_hook_until_an_operator_enables_it(pool: PgPool) {
    let story = Story::begins(pool).await;
    let receiver = Receiver::start().await;
    let project = story.project("g/p", &receiver).await;
    story.app.given().sql("update web_hooks set recent_failures = 39, disabled_until = '2000-01-01'").await;
    receiver.will_answer(503, "");
    let working = Working::on(&story.app);
    story.pushes(&project, "first").await;
    until(&story.app, "select count(*) from web_hooks where recent_failures = 40", 1).await;
    // Nothing is made ready for it any more, and what waits is dead.
    story.pushes(&project, "second").await;
    until(&story.app, "select count(*) from events", 2).await;
    assert_eq!(story.count("select count(*) from web_hook_deliveries").await, 1);
    story.app.given().sql("update graphile_worker._private_jobs set run_at = now()").await;
    let dead = "select count(*) from graphile_worker.jobs
                where attempts >= max_attempts and last_error like '%is disabled after 40 failures in a row%'";
    until(&story.app, dead, 1).await;
    assert_eq!(receiver.requests().len(), 1);

    let id = story.count("select id from web_hooks").await.to_string();
    assert!(story.jobs(&["hooks"]).await.1.contains("\tdisabled\t40\tg/p\t"));
    let (good, text) = story.jobs(&["enable", &id, "999"]).await;
    assert!(!good && text.contains(&format!("hook {id}: enabled")) && text.contains("no such hook: 999"), "{text}");
    until(&story.app, LEFT, 0).await;
    story.pushes(&project, "third").await;
    until(&story.app, WAITING, 0).await;
    working.drain().await;
    assert_eq!(receiver.requests().len(), 3);
    assert_eq!(story.count("select recent_failures::bigint from web_hooks").await, 0);
}

#[sqlx::test]
async fn a_success_forgets_the_failures_before_it(pool: PgPool) {
    let story = Story::begins(pool).await;
    let receiver = Receiver::start().await;
    let project = story.project("g/p", &receiver).await;
    story.app.given().sql("update web_hooks set recent_failures = 20, disabled_until = '2000-01-01'").await;
    // Where a redirect leads nobody goes, but the receiver is there.
    receiver.will_answer(302, "");
    let working = Working::on(&story.app);
    story.pushes(&project, "main").await;
    until(&story.app, "select count(*) from web_hooks where recent_failures = 0 and disabled_until is null", 1).await;
    working.drain().await;
}

#[sqlx::test]
async fn hooks_of_the_instance_do_not_pause(pool: PgPool) {
    let story = Story::begins(pool).await;
    let receiver = Receiver::start().await;
    let project = story.app.given().project("g/p").await.developer("rubi").await;
    story.hook(HookOwner::Instance, &receiver.url()).await;
    for _ in 0..6 {
        receiver.will_answer(404, "");
    }
    let working = Working::on(&story.app);
    for number in 0..6 {
        story.pushes(&project, &format!("b{number}")).await;
    }
    until(&story.app, "select count(*) from web_hook_logs", 6).await;
    story.pushes(&project, "main").await;
    until(&story.app, WAITING, 0).await;
    working.drain().await;
    assert_eq!(receiver.requests().len(), 7);
    assert_eq!(story.count("select recent_failures::bigint from web_hooks").await, 0);
}

/// One server has a queue's rows for itself; they go when nothing waits for it.
#[sqlx::test]
async fn receivers_that_nothing_waits_for_are_forgotten(pool: PgPool) {
    let story = Story::begins(pool).await;
    let receiver = Receiver::start().await;
    let project = story.project("g/p", &receiver).await;
    let working = Working::on(&story.app);
    story.pushes(&project, "main").await;
    until(&story.app, WAITING, 0).await;
    let queues = "select count(*) from graphile_worker._private_job_queues";
    assert_eq!(story.count(queues).await, 1);
    gatehouse::store::jobs::tidy_receivers(&story.app.budgets.upkeep).await.unwrap();
    assert_eq!(story.count(queues).await, 0);
    story.pushes(&project, "main").await;
    until(&story.app, WAITING, 0).await;
    working.drain().await;
    assert_eq!(receiver.requests().len(), 2);
}
