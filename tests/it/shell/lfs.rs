//! `GET /lfs`: Gitaly keeps the pointer.

use sqlx::PgPool;

use crate::support::TestApp;

#[sqlx::test]
async fn there_is_nothing_to_send_and_nothing_wrong(pool: PgPool) {
    let app = TestApp::new(pool);
    assert_eq!(app.get("/lfs?oid=abc&gl_repository=project-7").await.line(), "204 ");
}
