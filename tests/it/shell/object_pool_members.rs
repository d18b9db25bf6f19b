//! `GET /gitaly/object_pool_members`: Gatehouse makes no pools.

use sqlx::PgPool;

use crate::support::TestApp;

#[sqlx::test]
async fn no_pool_is_known(pool: PgPool) {
    let app = TestApp::new(pool);
    let reply = app.get("/gitaly/object_pool_members?disk_path=@pools/x&storage=default").await;
    assert_eq!(reply.line(), r#"404 {"message":"404 Not Found"}"#);
}
