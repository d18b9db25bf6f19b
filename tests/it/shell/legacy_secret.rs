//! The shared secret itself, as clients of before GitLab 16 send it: only where the setting allows it.

use axum::body::Body;
use base64::prelude::{BASE64_STANDARD, Engine};
use sqlx::PgPool;

use crate::support::{Reply, SHELL_SECRET, TestApp};

const REFUSED: &str = r#"401 {"message":"401 Unauthorized"}"#;

fn with_legacy(pool: PgPool) -> TestApp {
    TestApp::with(pool, "gatehouse: {legacy_shared_secret: true}")
}

async fn header(app: &TestApp, path: &str, secret: &str) -> Reply {
    app.send(app.bare("GET", path).header("Gitlab-Shared-Secret", secret).body(Body::empty()).unwrap()).await
}

async fn bare(app: &TestApp, method: &str, path: &str, kind: &str, body: &str) -> Reply {
    let request = app.bare(method, path).header("content-type", kind);
    app.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

/// shell-7
#[sqlx::test]
async fn the_secret_itself_is_refused_by_default(pool: PgPool) {
    let app = TestApp::new(pool);
    assert_eq!(header(&app, "/check", &BASE64_STANDARD.encode(SHELL_SECRET)).await.line(), REFUSED);
    assert_eq!(header(&app, &format!("/check?secret_token={SHELL_SECRET}"), "").await.line(), REFUSED);
}

/// shell-8
#[sqlx::test]
async fn the_secret_is_taken_where_the_setting_allows_it(pool: PgPool) {
    let app = with_legacy(pool);
    let encoded = BASE64_STANDARD.encode(SHELL_SECRET);
    for spelling in [
        BASE64_STANDARD.encode(format!("{SHELL_SECRET}\n")),
        BASE64_STANDARD.encode(format!("{SHELL_SECRET}\r\n")),
        encoded.trim_end_matches('=').to_owned(),
        format!("{} {}", &encoded[..10], &encoded[10..]),
        encoded,
    ] {
        assert_eq!(header(&app, "/check", &spelling).await.status, 200, "{spelling}");
    }
    let in_query = format!("/check?secret_token={SHELL_SECRET}%0A");
    assert_eq!(bare(&app, "GET", &in_query, "application/json", "").await.status, 200);
    let form = format!("secret_token={SHELL_SECRET}&project=x/y&username=noone");
    let reply = bare(&app, "POST", "/lfs_authenticate", "application/x-www-form-urlencoded", &form).await;
    assert_eq!(reply.line(), r#"404 {"message":"404 Not Found"}"#, "in, and the body is still there");
    let json = format!(r#"{{"secret_token":"{SHELL_SECRET}","project":"x/y"}}"#);
    let reply = bare(&app, "POST", "/lfs_authenticate", "application/json", &json).await;
    assert_eq!(reply.line(), r#"404 {"message":"404 Not Found"}"#);
}

/// shell-9
#[sqlx::test]
async fn a_wrong_parameter_is_not_rescued_by_a_right_header(pool: PgPool) {
    let app = with_legacy(pool);
    let encoded = BASE64_STANDARD.encode(SHELL_SECRET);
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("secret_token", &encoded).finish();
    assert_eq!(header(&app, &format!("/check?{query}"), "").await.line(), REFUSED, "the parameter is not base64");
    for wrong in ["wrong", "", &SHELL_SECRET[1..], &format!("{SHELL_SECRET}%0A%0A")] {
        assert_eq!(header(&app, &format!("/check?secret_token={wrong}"), &encoded).await.line(), REFUSED, "{wrong}");
    }
    assert_eq!(bare(&app, "POST", "/allowed", "application/json", r#"{"secret_token":["x"]}"#).await.line(), REFUSED);
    for wrong in ["", "wrong", SHELL_SECRET] {
        assert_eq!(header(&app, "/check", wrong).await.line(), REFUSED, "{wrong}");
    }
    assert_eq!(bare(&app, "GET", "/check", "application/json", "").await.line(), REFUSED, "nothing at all");
}

#[sqlx::test]
async fn a_token_decides_where_there_is_one(pool: PgPool) {
    let app = with_legacy(pool);
    assert_eq!(app.get("/check?secret_token=wrong").await.status, 200, "a right token beside a wrong secret");
    for (what, wrong) in app.wrong_tokens() {
        let request = app.bare("GET", &format!("/check?secret_token={SHELL_SECRET}"));
        let reply = app.send(request.header("gitlab-shell-api-request", wrong).body(Body::empty()).unwrap()).await;
        assert_eq!(reply.line(), REFUSED, "{what}");
    }
}

#[sqlx::test]
async fn a_body_that_cannot_be_read_is_refused_before_it_is_explained(pool: PgPool) {
    let app = with_legacy(pool);
    for kind in ["application/json", "text/plain", "application/x-www-form-urlencoded"] {
        assert_eq!(bare(&app, "POST", "/allowed", kind, "{\"key_id\": %ff").await.line(), REFUSED, "{kind}");
    }
    let encoded = BASE64_STANDARD.encode(SHELL_SECRET);
    let request = app.bare("POST", "/allowed").header("content-type", "text/plain");
    let request = request.header("Gitlab-Shared-Secret", encoded).body(Body::from("x")).unwrap();
    assert_eq!(app.send(request).await.status, 415);
}
