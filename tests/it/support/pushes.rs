//! Pushes as Gitaly reports them, and servers that work on their jobs.

use std::time::Duration;

use axum::body::Body;
use gatehouse::background::{self, JobSettings, JobState};
use gatehouse::lfs_files::LfsFiles;
use gatehouse::services::hook_payload::InstallationUrls;
use gatehouse::services::pushed_repositories::PushedRepositories;
use gatehouse::store::{self, Db};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Reply, TestApp};

pub const OLD: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
pub const NEW: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
pub const ZERO: &str = "0000000000000000000000000000000000000000";

/// The application over a database that has a job queue.
pub async fn app_with_queue(pool: PgPool) -> TestApp {
    app_with_queue_and(pool, "").await
}

/// The same, with the settings of this YAML.
pub async fn app_with_queue_and(pool: PgPool, yaml: &str) -> TestApp {
    store::jobs::migrate(&Db::from(pool.clone())).await.unwrap();
    TestApp::with(pool, yaml)
}

/// What Gitaly reports after a push of these changes.
pub fn report(gl_repository: &str, identifier: &str, changes: &str) -> Value {
    json!({ "gl_repository": gl_repository, "identifier": identifier, "changes": changes, "push_options": null })
}

impl TestApp {
    /// A report that is another one than any before it.
    pub async fn post_receive(&self, body: Value) -> Reply {
        self.post_receive_as(&uuid::Uuid::new_v4().to_string(), body).await
    }

    /// A report with this request id.
    pub async fn post_receive_as(&self, request_id: &str, body: Value) -> Reply {
        let request = self.signed("POST", "/post_receive").header("content-type", "application/json");
        let request = request.header("x-request-id", request_id);
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }
}

/// A server's worker. A test ends with draining it: the pool is closed under a worker that still works otherwise.
pub struct Working {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Working {
    /// Begins to work on the queue of the application's database.
    pub fn on(app: &TestApp) -> Self {
        Self::over(app, app.pool.clone().into())
    }

    /// Begins to work on the queue by way of these connections.
    pub fn over(app: &TestApp, db: Db) -> Self {
        let settings = JobSettings {
            lfs_files: LfsFiles::new(&gatehouse::config::LfsSettings::default()).unwrap(),
            urls: InstallationUrls { url: "http://localhost".to_owned(), ssh_prefix: "git@localhost:".to_owned() },
            db_key_base: app.secrets.db_key_base.clone(),
            webhook_timeout: Duration::from_secs(2),
            drain_timeout: Duration::from_secs(5),
            refusals: gatehouse::config::RefusalSettings::default(),
            queue: gatehouse::config::QueueSettings { concurrency: 2, takeover_timeout: 2, ..Default::default() },
        };
        let state =
            JobState::over(db, settings, app.clock.clone(), PushedRepositories::new(app.gitaly.clone())).unwrap();
        let (stop, stopped) = watch::channel(false);
        Self { stop, task: background::start(state, stopped) }
    }

    /// Stops as a server does, and waits for what is under way.
    pub async fn drain(self) {
        self.stop.send(true).unwrap();
        self.task.await.unwrap();
    }
}

/// Waits until the query answers with this number, or 15 seconds have passed.
pub async fn until(app: &TestApp, query: &str, expected: i64) {
    let mut found = -1;
    for _ in 0..300 {
        found = app.given().value(query).await;
        if found == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{query} is {found} and not {expected}");
}

/// The URL of the application's database, for processes of their own.
pub async fn database_url(app: &TestApp) -> String {
    let database: String = app.given().value("select current_database()::text").await;
    let url = std::env::var("DATABASE_URL").expect("#[sqlx::test] has read it");
    let (before, query) = url.split_once('?').map_or((url.as_str(), String::new()), |(a, b)| (a, format!("?{b}")));
    let (server, _) = before.rsplit_once('/').expect("a database's URL has a path");
    format!("{server}/{database}{query}")
}

/// Every job that could run has run. The one that waits for Gitaly need not have ended, where there is none.
pub const WAITING: &str = "select count(*) from graphile_worker.jobs
                           where attempts < max_attempts
                             and (task_identifier <> 'refresh_repository' or last_error is null)";

/// What is left of all jobs but those that wait for Gitaly.
pub const LEFT: &str = "select count(*) from graphile_worker.jobs where task_identifier <> 'refresh_repository'";
