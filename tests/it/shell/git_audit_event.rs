//! `POST /shellhorse/git_audit_event`: somebody has cloned, pulled or pushed.

use axum::body::Body;
use base64::prelude::{BASE64_STANDARD, Engine};
use gatehouse::http::auth::{self, git_audit};
use jsonwebtoken::{EncodingKey, Header};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{Reply, TestApp, WORKHORSE_SECRET};

const PATH: &str = "/shellhorse/git_audit_event";
const NOT_NEEDED: &str = r#"200 {"message":"No git audit event needed","status":false}"#;

fn report(key: i64, project: i64) -> Value {
    json!({
        "action": "git-upload-pack", "protocol": "ssh", "gl_repository": format!("project-{project}"), "changes": "_any",
        "username": "", "key_id": key, "check_ip": "192.0.2.7", "packfile_stats": { "wants": 3 },
    })
}

/// shell-79
#[sqlx::test]
async fn nothing_is_needed_where_nobody_asked_for_it(pool: PgPool) {
    let app = TestApp::new(pool);
    assert_eq!(app.post(PATH, report(1, 1)).await.line(), NOT_NEEDED);
    let mut wrong = report(1, 1);
    wrong["action"] = "git_invalid_action".into();
    let reply = app.post(PATH, wrong).await;
    assert_eq!(reply.line(), r#"400 {"message":"No valid action specified","status":false}"#);
    for name in ["action", "protocol", "gl_repository", "changes"] {
        let mut without = report(1, 1);
        without.as_object_mut().unwrap().remove(name);
        let reply = app.post(PATH, without).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["error"]), (400, &json!(format!("{name} is missing"))));
    }
}

#[sqlx::test]
async fn an_operation_is_written_down_where_git_is_audited(pool: PgPool) {
    let app = TestApp::with(pool, "gatehouse: {git_audit: true}");
    let given = app.given();
    let project = given.project("g/p").await.reporter("rubi").await;
    let key = given.key(given.user("rubi").await, "laptop").await;
    let fetch = json!({
        "action": "git-upload-pack", "project": "g/p.git", "changes": "_any", "protocol": "ssh", "key_id": key.0,
    });
    assert_eq!(app.post("/allowed", fetch).await.json()["need_audit"], true);
    let reply = app.post(PATH, report(key.0, project.id.0)).await.json();
    assert_eq!(reply["status"], true);
    assert_eq!(
        reply["message"],
        json!({
            "action": "git-upload-pack", "protocol": "ssh", "verb": "clone", "gl_key_type": "key", "gl_key_id": key.0,
        })
    );
    let mut pull = report(key.0, project.id.0);
    pull["packfile_stats"] = json!({ "wants": 1, "haves": 2 });
    assert_eq!(app.post(PATH, pull).await.json()["message"]["verb"], "pull");
    let mut push = report(key.0, project.id.0);
    push["action"] = "git-receive-pack".into();
    assert_eq!(app.post(PATH, push).await.json()["message"]["verb"], "push");
    let row: String = given
        .value(
            "select concat_ws(' ', author_name, entity_type, entity_path, host(ip_address)) from audit_events
             order by id limit 1",
        )
        .await;
    assert_eq!(row, "rubi Project g/p 192.0.2.7");
    assert_eq!(app.post(PATH, report(key.0, 999_999)).await.line(), NOT_NEEDED);
    assert_eq!(app.post(PATH, report(999_999, project.id.0)).await.line(), NOT_NEEDED);
}

/// A real Workhorse signs its name alone, once and for ever (`git_http.md` 1.2).
#[sqlx::test]
async fn workhorses_proof_has_no_end(pool: PgPool) {
    let app = TestApp::new(pool);
    let key = BASE64_STANDARD.decode(WORKHORSE_SECRET).unwrap();
    let now = app.clock.now().timestamp();
    let call = async |claims: Value, key: &[u8]| {
        let token = jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(key)).unwrap();
        let request = app.bare("POST", PATH).header("content-type", "application/json");
        let request = request.header("gitlab-workhorse-api-request", token).header("gitlab-workhorse", "v17");
        app.send(request.body(Body::from(report(1, 1).to_string())).unwrap()).await.line()
    };
    let refused = r#"403 {"message":"403 Forbidden"}"#;
    assert_eq!(call(json!({ "iss": "gitlab-workhorse" }), &key).await, NOT_NEEDED);
    // What such a token does say of time is heard, but for when it was made.
    assert_eq!(call(json!({ "iss": "gitlab-workhorse", "iat": now + 9_000, "exp": now - 59 }), &key).await, NOT_NEEDED);
    assert_eq!(call(json!({ "iss": "gitlab-workhorse", "exp": now - 60 }), &key).await, refused);
    assert_eq!(call(json!({ "iss": "gitlab-workhorse", "nbf": now + 61 }), &key).await, refused);
    assert_eq!(call(json!({ "iss": "gitlab-shell" }), &key).await, refused);
    assert_eq!(call(json!({}), &key).await, refused);
    assert_eq!(call(json!({ "iss": "gitlab-workhorse" }), WORKHORSE_SECRET.as_bytes()).await, refused);
}

#[sqlx::test]
async fn workhorse_may_report_too(pool: PgPool) {
    let app = TestApp::new(pool);
    let key = BASE64_STANDARD.decode(WORKHORSE_SECRET).unwrap();
    let token = auth::mint(git_audit::ISSUER, None, &key, &app.clock);
    let call = async |headers: &[(&str, &str)]| -> Reply {
        let mut request = app.bare("POST", PATH).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        app.send(request.body(Body::from(report(1, 1).to_string())).unwrap()).await
    };
    let (workhorse, shell) = ("gitlab-workhorse-api-request", "gitlab-shell-api-request");
    assert_eq!(call(&[]).await.line(), r#"403 {"message":"403 Forbidden"}"#);
    assert_eq!(call(&[(workhorse, "x"), ("gitlab-workhorse", "1")]).await.line(), r#"403 {"message":"403 Forbidden"}"#);
    let direct = r#"403 {"message":"403 Forbidden - Request should be executed via GitLab Workhorse"}"#;
    assert_eq!(call(&[(workhorse, token.expose_secret())]).await.line(), direct);
    assert_eq!(call(&[(workhorse, token.expose_secret()), ("gitlab-workhorse", "v17")]).await.line(), NOT_NEEDED);
    let both = call(&[(shell, "x"), (workhorse, token.expose_secret()), ("gitlab-workhorse", "v17")]).await;
    assert_eq!(both.line(), r#"401 {"message":"401 Unauthorized"}"#);
}
