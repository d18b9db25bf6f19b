//! `POST /pre_receive` and the counters of pushes under way.

use chrono::TimeDelta;
use futures_util::future::join_all;
use gatehouse::store::reference_counters;
use serde_json::json;
use sqlx::PgPool;

use crate::support::TestApp;
use crate::support::pushes::{app_with_queue, report};

async fn pre_receive(app: &TestApp, gl_repository: &str) -> String {
    app.post("/pre_receive", json!({ "gl_repository": gl_repository })).await.line()
}

async fn counter(app: &TestApp, gl_repository: &str) -> i32 {
    reference_counters::find(&app.pool, gl_repository, app.clock.now()).await.unwrap()
}

const INCREASED: &str = r#"200 {"reference_counter_increased":true}"#;

/// shell-59
#[sqlx::test]
async fn a_push_is_counted_whether_or_not_there_is_such_a_repository(pool: PgPool) {
    let app = TestApp::new(pool);
    assert_eq!(pre_receive(&app, "project-7").await, INCREASED);
    assert_eq!(counter(&app, "project-7").await, 1);
    assert_eq!(pre_receive(&app, "project-7").await, INCREASED);
    assert_eq!(counter(&app, "project-7").await, 2);
    assert_eq!(pre_receive(&app, "anything at all").await, INCREASED);
}

/// shell-61
#[sqlx::test]
async fn a_counter_that_nobody_touched_for_ten_minutes_starts_anew(pool: PgPool) {
    let app = TestApp::new(pool);
    pre_receive(&app, "project-7").await;
    pre_receive(&app, "project-7").await;
    app.clock.set(app.clock.now() + TimeDelta::seconds(601));
    assert_eq!(counter(&app, "project-7").await, 0);
    pre_receive(&app, "project-7").await;
    assert_eq!(counter(&app, "project-7").await, 1);
}

#[sqlx::test]
async fn a_request_that_names_no_repository_is_refused(pool: PgPool) {
    let app = TestApp::new(pool);
    let refused = r#"400 {"error":"gl_repository is missing","message":"400 Bad request - gl_repository is missing"}"#;
    assert_eq!(app.post("/pre_receive", json!({})).await.line(), refused);
    assert_eq!(pre_receive(&app, "  ").await, refused);
    assert_eq!(pre_receive(&app, &"x".repeat(256)).await.split(' ').next(), Some("400"));
    let context = json!({ "gl_repository": "project-7", "gitaly_client_context_bin": "!" });
    assert_eq!(
        app.post("/pre_receive", context).await.message(),
        "400 Bad request - malformed gitaly_client_context_bin"
    );
}

#[sqlx::test]
async fn counters_are_right_when_pushes_come_and_go_at_once(pool: PgPool) {
    let app = app_with_queue(pool).await;
    let push = async |n: usize| {
        pre_receive(&app, "project-7").await;
        let reply = app.post_receive_as(&n.to_string(), report("project-7", "", "")).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
    };
    join_all((0..40).map(push)).await;
    assert_eq!(counter(&app, "project-7").await, 0);
}
