//! `POST /lfs_token/verify`: is this token that an LFS client shows good, and for what?

use axum::body::Body;
use chrono::TimeDelta;
use gatehouse::domain::ids::KeyId;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{Reply, TestApp};

const NOT_GOOD: &str = r#"200 {"message":"401 Unauthorized","status":401,"success":false}"#;
const NO_REPOSITORY: &str = r#"200 {"message":"404 Not Found","status":404,"success":false}"#;

/// Username and token, as gitlab-shell gets them for a key.
async fn token(app: &TestApp, key: KeyId) -> (String, String) {
    let body = json!({ "operation": "download", "project": "g/p.git", "key_id": key.to_string() });
    let reply = app.post("/lfs_authenticate", body).await.json();
    (reply["username"].as_str().unwrap().to_owned(), reply["lfs_token"].as_str().unwrap().to_owned())
}

async fn verify(app: &TestApp, username: &str, token: &str, project: &str) -> Reply {
    app.post("/lfs_token/verify", json!({ "username": username, "password": token, "project": project })).await
}

fn rights(reply: &Reply) -> (&'static str, Value, Value) {
    let json = reply.json();
    assert_eq!(json["success"], true, "{}", reply.line());
    ("rights", json["download"].clone(), json["upload"].clone())
}

#[sqlx::test]
async fn a_users_token_conveys_what_the_user_may(pool: PgPool) {
    let app = TestApp::new(pool);
    let given = app.given();
    given.project("g/p").await.reporter("rubi").await.developer("dana").await;
    let rubi = given.key(given.user("rubi").await, "rubi").await;
    let dana = given.key(given.user("dana").await, "dana").await;
    let stranger = given.key(given.user("stranger").await, "stranger").await;
    let (name, text) = token(&app, rubi).await;
    let reply = verify(&app, &name, &text, "g/p.git").await;
    assert_eq!(rights(&reply), ("rights", json!(true), json!(false)));
    assert_eq!(reply.json()["gl_project_path"], "g/p");
    assert_eq!(rights(&verify(&app, "rubi@example.com", &text, "g/p.git").await).1, json!(true));
    assert_eq!(verify(&app, "dana", &text, "g/p.git").await.line(), NOT_GOOD);
    assert_eq!(verify(&app, "nobody", &text, "g/p.git").await.line(), NOT_GOOD);
    assert_eq!(verify(&app, "rubi", "x", "g/p.git").await.line(), NOT_GOOD);
    let (name, text) = token(&app, dana).await;
    assert_eq!(rights(&verify(&app, &name, &text, "g/p.git").await), ("rights", json!(true), json!(true)));
    let (name, text) = token(&app, stranger).await;
    assert_eq!(rights(&verify(&app, &name, &text, "g/p.git").await), ("rights", json!(false), json!(false)));
}

#[sqlx::test]
async fn a_deploy_keys_token_reads_and_writes_where_the_key_may(pool: PgPool) {
    let app = TestApp::new(pool);
    let given = app.given();
    let reads = given.deploy_key(None, "reads").await;
    let writes = given.deploy_key(None, "writes").await;
    given.project("g/p").await.deploys(reads, false).await.deploys(writes, true).await;
    let (name, text) = token(&app, reads).await;
    assert_eq!(name, format!("lfs+deploy-key-{reads}"));
    assert_eq!(rights(&verify(&app, &name, &text, "g/p.git").await), ("rights", json!(true), json!(false)));
    let unknown = verify(&app, "lfs+deploy-key-999999", &text, "g/p.git").await;
    assert_eq!(unknown.line(), NO_REPOSITORY);
    assert_eq!(verify(&app, &format!("lfs+deploy-key-{writes}"), &text, "g/p.git").await.line(), NOT_GOOD);
    let (name, text) = token(&app, writes).await;
    assert_eq!(rights(&verify(&app, &name, &text, "g/p.git").await), ("rights", json!(true), json!(true)));
}

/// shell-34
#[sqlx::test]
async fn a_token_ends_with_the_password_the_account_or_its_time(pool: PgPool) {
    let app = TestApp::new(pool);
    let given = app.given();
    given.project("g/p").await.reporter("rubi").await;
    given.project("g/q").await.reporter("rubi").await;
    let user = given.user("rubi").await;
    let key = given.key(user, "rubi").await;
    let (name, text) = token(&app, key).await;
    let line = async |text: &str| verify(&app, &name, text, "g/p.git").await.line();
    assert_eq!(verify(&app, &name, &text, "g/q.git").await.line(), NOT_GOOD);
    assert_eq!(verify(&app, &name, &text, "g/none.git").await.line(), NO_REPOSITORY);
    given.user_is(user, "state = 'blocked'").await;
    assert_eq!(line(&text).await, NOT_GOOD);
    given.user_is(user, "state = 'active', password_expires_at = '2000-01-01'").await;
    assert_eq!(line(&text).await, NOT_GOOD);
    given.user_is(user, "password_expires_at = null").await;
    rights(&verify(&app, &name, &text, "g/p.git").await);
    given.user_is(user, "encrypted_password = '$2a$10$another'").await;
    assert_eq!(line(&text).await, NOT_GOOD);
    let (_, text) = token(&app, key).await;
    app.clock.set(app.clock.now() + TimeDelta::seconds(1800 + 59));
    rights(&verify(&app, &name, &text, "g/p.git").await);
    app.clock.set(app.clock.now() + TimeDelta::seconds(1));
    assert_eq!(line(&text).await, NOT_GOOD);
}

/// shell-35
#[sqlx::test]
async fn a_token_opens_nothing_but_lfs(pool: PgPool) {
    let app = TestApp::new(pool);
    let given = app.given();
    given.project("g/p").await.reporter("rubi").await;
    let (name, text) = token(&app, given.key(given.user("rubi").await, "rubi").await).await;
    let basic = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, format!("{name}:{text}"));
    for (method, uri) in [
        ("GET", "/g/p.git/info/refs?service=git-upload-pack"),
        ("GET", "/api/v4/internal/check"),
        ("GET", "/api/v4/personal_access_tokens/self"),
    ] {
        let request = axum::http::Request::builder().method(method).uri(uri);
        let request = request.header("authorization", format!("Basic {basic}")).header("private-token", &text);
        let request = request.header("gitlab-workhorse-api-request", crate::git_http::workhorse_token());
        let reply = app.send(request.body(Body::empty()).unwrap()).await;
        assert!(matches!(reply.status.as_u16(), 401 | 404), "{uri}: {}", reply.line());
    }
}
