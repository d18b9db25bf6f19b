//! `POST /two_factor_config`: does git over SSH ask the user behind this key for a second factor?

use serde_json::json;
use sqlx::PgPool;

use crate::support::TestApp;

const PATH: &str = "/two_factor_config";

#[sqlx::test]
async fn it_says_so_where_the_installation_asks_at_all(pool: PgPool) {
    let app = TestApp::with(pool.clone(), "gatehouse: {two_factor_for_git: true}");
    let given = app.given();
    let user = given.user("rubi").await;
    let key = given.key(user, "laptop").await;
    let deploy_key = given.deploy_key(None, "deploy").await;
    let ask = async |id: i64| app.post(PATH, json!({ "key_id": id })).await.line();
    assert_eq!(ask(key.0).await, r#"200 {"success":true,"two_factor_required":false}"#);
    given.user_is(user, "otp_required_for_login = true").await;
    assert_eq!(ask(key.0).await, r#"200 {"success":true,"two_factor_required":true}"#);
    assert_eq!(ask(deploy_key.0).await, r#"200 {"success":true,"two_factor_required":false}"#);
    assert_eq!(ask(999_999).await, r#"200 {"message":"Could not find the given key","success":false}"#);
    let off = TestApp::new(pool);
    assert_eq!(off.post(PATH, json!({ "key_id": key.0 })).await.line(), r#"200 {"success":false}"#);
}
