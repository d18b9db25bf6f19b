//! `POST /allowed`, the first call of a fetch and of a push.

use gatehouse::domain::ids::KeyId;
use serde_json::json;
use sqlx::PgPool;

use crate::support::{Reply, TestApp};

const NO_PROJECT: &str = "The project you were looking for could not be found or you don't have permission to view it.";

/// gitlab-shell's question before a fetch of `g/p`.
async fn pull(app: &TestApp, key: KeyId) -> Reply {
    pull_path(app, key, "g/p.git").await
}

async fn pull_path(app: &TestApp, key: KeyId, project: &str) -> Reply {
    let body = json!({
        "action": "git-upload-pack", "project": project, "changes": "_any", "protocol": "ssh",
        "key_id": key.to_string(), "check_ip": "127.0.0.1",
    });
    app.post("/allowed", body).await
}

/// allowed-2
#[sqlx::test]
async fn a_reporter_pulls_and_is_told_where_the_repository_is(pool: PgPool) {
    let app = TestApp::new(pool);
    let given = app.given();
    let project = given.project("g/p").await.reporter("rubi").await;
    let key = given.key(given.user("rubi").await, "laptop").await;
    let reply = pull(&app, key).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let json = reply.json();
    assert_eq!(json["gl_project_path"], "g/p");
    assert_eq!(json["gl_project_id"], project.id.0);
}

/// allowed-4
#[sqlx::test]
async fn a_stranger_finds_no_private_project(pool: PgPool) {
    let app = TestApp::new(pool);
    let given = app.given();
    given.project("g/p").await;
    let key = given.key(given.user("rubi").await, "laptop").await;
    let reply = pull(&app, key).await;
    assert_eq!((reply.status.as_u16(), reply.message().as_str()), (404, NO_PROJECT));
}
