//! Pushes as Gitaly reports them, and servers that work on their jobs.

use axum::body::Body;
use gatehouse::store::{Db, jobs};
use serde_json::{Value, json};
use sqlx::PgPool;

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
    jobs::migrate(&Db::from(pool.clone())).await.unwrap();
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
