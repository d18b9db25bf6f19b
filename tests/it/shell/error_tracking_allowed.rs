//! `POST /error_tracking/allowed`: are errors of this project taken?

use axum::body::Body;
use gatehouse::domain::token;
use secrecy::ExposeSecret;
use serde_json::json;
use sqlx::PgPool;

use crate::support::{Reply, TestApp};

const PATH: &str = "/error_tracking/allowed";
const UNAUTHORIZED: &str = r#"401 {"message":"401 Unauthorized"}"#;

async fn with_header(app: &TestApp, token: &str, body: &str) -> Reply {
    let request = app.bare("POST", PATH).header("gitlab-error-tracking-token", token);
    let request = request.header("content-type", "application/json");
    app.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

async fn with_token(app: &TestApp) {
    let [current, _] = token::ciphertexts("et-token", app.secrets.db_key_base.expose_secret());
    app.given().setting(&format!("error_tracking_access_token_encrypted = '{current}'")).await;
}

/// shell-80
#[sqlx::test]
async fn the_services_token_or_gitlab_shells_lets_in(pool: PgPool) {
    let app = TestApp::new(pool);
    assert_eq!(with_header(&app, "et-token", "{}").await.line(), UNAUTHORIZED);
    with_token(&app).await;
    assert_eq!(with_header(&app, "wrong", "{}").await.line(), UNAUTHORIZED);
    assert_eq!(with_header(&app, "", "{}").await.line(), UNAUTHORIZED);
    let unprocessable = r#"422 {"message":"422 Unprocessable Entity"}"#;
    assert_eq!(with_header(&app, "et-token", r#"{"project_id":1}"#).await.line(), unprocessable);
    assert_eq!(with_header(&app, "wrong", r#"{"error_tracking_token":"et-token\n"}"#).await.line(), unprocessable);
    // A parameter that is there counts, although the header would do.
    let wrong = with_header(&app, "et-token", r#"{"error_tracking_token":"wrong"}"#).await;
    assert_eq!(wrong.line(), UNAUTHORIZED);
    assert_eq!(app.post(PATH, json!({ "project_id": " ", "public_key": "x" })).await.line(), unprocessable);
    let older = token::ciphertexts("et-token", app.secrets.db_key_base.expose_secret())[1].clone();
    app.given().setting(&format!("error_tracking_access_token_encrypted = '{older}'")).await;
    assert_eq!(with_header(&app, "et-token", "{}").await.line(), unprocessable);
}

#[sqlx::test]
async fn instance_project_and_key_must_all_say_so(pool: PgPool) {
    let app = TestApp::new(pool);
    let given = app.given();
    let id = given.project("g/p").await.id;
    let ask = async |key: &str| app.post(PATH, json!({ "project_id": id.0, "public_key": key })).await.line();
    let (on, off) = (r#"200 {"enabled":true}"#, r#"200 {"enabled":false}"#);
    let unknown = app.post(PATH, json!({ "project_id": 999_999, "public_key": "glet_x" })).await;
    assert_eq!(unknown.line(), r#"404 {"message":"404 Not found"}"#);
    assert_eq!(ask("glet_x").await, off);
    given.setting("error_tracking_enabled = true").await;
    given.sql(&format!("insert into project_error_tracking_settings (project_id, enabled) values ({id}, true)")).await;
    assert_eq!(ask("glet_x").await, off);
    given
        .sql(&format!("insert into error_tracking_client_keys (project_id, public_key) values ({id}, 'glet_x')"))
        .await;
    assert_eq!(ask("glet_x").await, on);
    assert_eq!(ask("glet_y").await, off);
    given.sql("update error_tracking_client_keys set active = false").await;
    assert_eq!(ask("glet_x").await, off);
    given.sql("update error_tracking_client_keys set active = true").await;
    given.sql("update project_error_tracking_settings set integrated = false").await;
    assert_eq!(ask("glet_x").await, off);
}
