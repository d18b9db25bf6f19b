//! `GET /check`.

use axum::body::Body;
use sqlx::PgPool;

use crate::support::{TestApp, dead, read_only};

/// shell-15: as Gitaly asks, with a content type and no body
#[sqlx::test]
async fn the_server_says_who_it_is_and_that_it_keeps_state(pool: PgPool) {
    let app = TestApp::new(pool);
    let request = app.signed("GET", "/check").header("content-type", "application/json");
    let reply = app.send(request.body(Body::empty()).unwrap()).await;
    let json = reply.json();
    assert_eq!((reply.status.as_u16(), &json["api_version"], &json["redis"]), (200, &"v4".into(), &true.into()));
    assert!(json["gitlab_version"].as_str().unwrap().starts_with(env!("CARGO_PKG_VERSION")), "{json}");
    assert!(!json["gitlab_rev"].as_str().unwrap().is_empty(), "{json}");
    assert!(json.get("gitlab_revision").is_none(), "a field that GitLab never sent: {json}");
    // Asked again within the same instant, it keeps state all the same.
    assert_eq!(app.get("/check").await.json()["redis"], true);
}

/// shell-15: without a database
#[tokio::test]
async fn a_server_without_its_database_says_so_within_a_second() {
    let app = TestApp::new(dead());
    let started = std::time::Instant::now();
    let reply = app.get("/check").await;
    assert_eq!((reply.status.as_u16(), &reply.json()["redis"]), (200, &false.into()));
    assert!(started.elapsed().as_millis() < 2500, "gitlab-shell-check waits for this");
}

#[sqlx::test]
async fn a_server_that_cannot_write_keeps_no_state(pool: PgPool) {
    let replica = read_only(&pool).await;
    let app = TestApp::new(replica.clone());
    let reply = app.get("/check").await;
    assert_eq!((reply.status.as_u16(), &reply.json()["redis"]), (200, &false.into()));
    drop(app);
    replica.close().await;
}
