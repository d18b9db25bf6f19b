//! `POST /two_factor_push_otp_check`: there is nobody to ask the user's telephone.

use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::PgPool;

use crate::support::TestApp;

/// shell-58
#[sqlx::test]
async fn it_is_refused_at_once(pool: PgPool) {
    let app = TestApp::with(pool, "gatehouse: {two_factor_for_git: true}");
    for body in [json!({ "key_id": "1" }), json!({ "user_id": 7 }), json!({})] {
        let started = Instant::now();
        let reply = app.post("/two_factor_push_otp_check", body).await;
        assert_eq!(reply.line(), r#"200 {"message":"Feature is not available","success":false}"#);
        assert!(started.elapsed() < Duration::from_millis(100));
    }
}
