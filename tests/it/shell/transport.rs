//! What holds for every request: tokens, paths, bodies and their types, and the names that requests have in logs.

use axum::body::Body;
use gatehouse::http::layers::with_plain_path;
use serde_json::json;
use sqlx::PgPool;

use crate::support::{Reply, TestApp};

const REFUSED: &str = r#"401 {"message":"401 Unauthorized"}"#;

async fn check(app: &TestApp, token: &str) -> Reply {
    let request = app.bare("GET", "/check").header("Gitlab-Shell-Api-Request", token);
    app.send(request.body(Body::empty()).unwrap()).await
}

/// shell-1
#[sqlx::test]
async fn a_request_without_a_token_is_refused_in_json(pool: PgPool) {
    let app = TestApp::new(pool);
    let reply = app.send(app.bare("GET", "/check").body(Body::empty()).unwrap()).await;
    assert_eq!(reply.line(), REFUSED);
    assert_eq!(reply.headers["content-type"], "application/json");
}

/// shell-2, shell-3
#[sqlx::test]
async fn the_clocks_of_caller_and_server_may_differ_by_a_minute(pool: PgPool) {
    let app = TestApp::new(pool);
    let now = app.clock.now().timestamp();
    for (claims, status) in [
        (json!({ "exp": now - 59 }), 200),
        (json!({ "exp": now - 60 }), 401),
        (json!({ "iat": now + 10 }), 200),
        (json!({ "iat": now + 60 }), 200),
        (json!({ "iat": now + 61 }), 401),
        (json!({ "nbf": now + 60 }), 200),
        (json!({ "nbf": now + 61 }), 401),
        // Retries send the same token again; how old it is does not matter while it has not expired.
        (json!({ "iat": now - 86400, "exp": now + 1 }), 200),
        (json!({ "iat": null }), 200),
        (json!({ "exp": null }), 401),
        (json!({ "exp": i64::MAX }), 200),
        (json!({ "exp": i64::MIN }), 401),
        (json!({ "exp": "soon" }), 401),
        (json!({ "gl_id": "user-1", "aud": "somebody", "jti": "1" }), 200),
    ] {
        assert_eq!(check(&app, &app.token_with(&claims)).await.status, status, "{claims}");
    }
}

/// shell-4, shell-5
#[sqlx::test]
async fn no_other_token_comes_in(pool: PgPool) {
    let app = TestApp::new(pool);
    for (what, wrong) in app.wrong_tokens() {
        assert_eq!(check(&app, &wrong).await.line(), REFUSED, "{what}");
    }
    assert_eq!(check(&app, "\u{e9}\u{e9}").await.line(), REFUSED, "bytes that are no text");
}

/// shell-11: Basic credentials are a proxy's, and a redirect would be followed as a GET or not at all
#[sqlx::test]
async fn paths_may_have_slashes_to_spare(pool: PgPool) {
    let app = TestApp::with(pool, "gitlab: {relative_url_root: /gitlab/}");
    for path in
        ["//gitlab/api/v4/internal/check", "/gitlab//api/v4/internal/check/", "///gitlab///api/v4/internal/check?x=//"]
    {
        let request = app.signed("GET", "/check").header("authorization", "Basic eDp5").uri(path);
        let reply = app.send(with_plain_path(request.body(Body::empty()).unwrap())).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text);
    }
    let outside = app.signed("GET", "/check").uri("/api/v4/internal/check").body(Body::empty()).unwrap();
    assert_eq!(app.send(outside).await.line(), r#"404 {"error":"404 Not Found","message":"404 Not Found"}"#);
}

/// shell-13
#[sqlx::test]
async fn wrong_methods_and_paths_are_said_in_json(pool: PgPool) {
    let app = TestApp::new(pool);
    let reply = app.post("/discover", json!({})).await;
    assert_eq!(reply.line(), r#"405 {"error":"405 Not Allowed","message":"405 Not Allowed"}"#);
    assert_eq!(reply.headers["allow"], "GET,HEAD");
    assert_eq!(app.get("/allowed").await.status, 405);
    for path in ["/no_such_thing", "/", "/check/more", "/Check"] {
        let reply = app.get(path).await;
        assert_eq!((reply.status.as_u16(), reply.message()), (404, "404 Not Found".to_owned()), "{path}");
        assert_eq!(reply.headers["content-type"], "application/json");
    }
}

#[sqlx::test]
async fn a_request_keeps_the_name_that_it_came_with(pool: PgPool) {
    let app = TestApp::new(pool);
    let named = async |id: Option<&[u8]>| {
        let mut request = app.signed("GET", "/check");
        if let Some(id) = id {
            request = request.header("X-Request-Id", id);
        }
        let reply = app.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(reply.status, 200);
        reply.headers["x-request-id"].clone()
    };
    let long = "x".repeat(255);
    for id in ["01JZ-correlation_id", &long] {
        assert_eq!(named(Some(id.as_bytes())).await, *id);
    }
    let too_long = "x".repeat(256);
    for unusable in [None, Some(too_long.as_bytes()), Some(b"a b".as_slice()), Some(b""), Some(b"\xff")] {
        let id = named(unusable).await;
        assert_eq!(id.len(), 32, "one of our own in place of {unusable:?}");
        assert_ne!(id, named(unusable).await);
    }
    let refused = app.bare("GET", "/no_such_thing").header("X-Request-Id", "mine").body(Body::empty()).unwrap();
    assert_eq!(app.send(refused).await.headers["x-request-id"], "mine");
}

#[sqlx::test]
async fn a_body_is_json_or_a_form(pool: PgPool) {
    let app = TestApp::new(pool);
    let kinds = async |kind: Option<&str>, body: &'static str| {
        let mut request = app.signed("POST", "/lfs_authenticate");
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        app.send(request.body(Body::from(body)).unwrap()).await
    };
    let (json, form) = (r#"{"project":"x/y"}"#, "project=x%2Fy");
    for (kind, body) in [
        (Some("application/json; charset=utf-8"), json),
        (Some("Application/JSON"), json),
        (Some("application/vnd.api+json"), json),
        (Some("application/x-www-form-urlencoded; charset=UTF-8"), form),
        (None, json),
        (None, form),
    ] {
        assert_eq!(kinds(kind, body).await.status, 404, "{kind:?}: read, and no such project");
    }
    let reply = kinds(Some("text/plain"), form).await;
    assert_eq!(reply.line(), r#"415 {"message":"415 Unsupported Media Type"}"#);
    let whole = "400 Bad request - invalid multipart body";
    assert_eq!(kinds(Some("multipart/form-data; boundary=x"), form).await.message(), whole);
    assert_eq!(kinds(Some("application/json"), form).await.message(), "400 Bad request - invalid JSON body");
    assert_eq!(kinds(Some("application/json"), "[]").await.message(), "400 Bad request - invalid JSON body");
    assert_eq!(kinds(Some("application/json"), "null").await.message(), "400 Bad request - invalid JSON body");
}

#[sqlx::test]
async fn what_postgres_cannot_keep_is_refused_at_the_door(pool: PgPool) {
    let app = TestApp::new(pool);
    for path in ["/discover?username=", "/discover?key_id=", "/authorized_keys?key=", "/discover?identifier="] {
        for bad in ["a%00b", "%ff", "a%C3"] {
            let reply = app.get(&format!("{path}{bad}")).await;
            assert_eq!(reply.status, 400, "{path}{bad}: {}", reply.text);
            assert!(reply.message().starts_with("400 Bad request - "), "{}", reply.text);
        }
    }
    for path in ["/allowed", "/lfs_authenticate"] {
        for name in ["project", "username", "gl_repository", "key_id", "identifier", "krb5principal"] {
            let mut body = json!({ "action": "git-upload-pack", "protocol": "ssh", "project": "g/p" });
            body[name] = json!("a\0b");
            assert_eq!(app.post(path, body).await.status, 400, "{path} {name}");
        }
        for bad in ["{\"project\":\"\u{0}\"}".as_bytes(), b"{\"project\":\"\xff\"}", b"{\"key_id\":", b"\xff\xfe"] {
            let request = app.signed("POST", path).header("content-type", "application/json");
            let reply = app.send(request.body(Body::from(bad.to_vec())).unwrap()).await;
            assert_eq!(reply.line(), r#"400 {"message":"400 Bad request - invalid JSON body"}"#);
        }
    }
}

#[sqlx::test]
async fn a_body_may_be_as_large_as_its_endpoint_needs(pool: PgPool) {
    let app = TestApp::with(pool, "gatehouse: {limits: {body_bytes: 2048, push_body_bytes: 65536}}");
    let sized =
        |bytes: usize| json!({ "project": "x/y", "action": "git-foo", "protocol": "ssh", "x": "x".repeat(bytes) });
    let too_large = r#"413 {"message":"413 Request Entity Too Large"}"#;
    assert_eq!(app.post("/lfs_authenticate", sized(1000)).await.status, 404);
    assert_eq!(app.post("/lfs_authenticate", sized(3000)).await.line(), too_large);
    assert_eq!(app.post("/allowed", sized(60_000)).await.status, 401);
    assert_eq!(app.post("/allowed", sized(70_000)).await.line(), too_large);
    let legacy = "gatehouse: {legacy_shared_secret: true, limits: {body_bytes: 2048, push_body_bytes: 65536}}";
    let app = TestApp::with(app.pool.clone(), legacy);
    // A stranger does not learn how much would be read of whom.
    let unsigned = app.bare("POST", "/lfs_authenticate").body(Body::from(sized(70_000).to_string())).unwrap();
    assert_eq!(app.send(unsigned).await.line(), REFUSED);
}

#[sqlx::test]
async fn whoever_is_refused_learns_nothing_else(pool: PgPool) {
    let app = TestApp::new(pool);
    let request = app.bare("POST", "/allowed").header("content-type", "text/plain").body(Body::from("\0")).unwrap();
    assert_eq!(app.send(request).await.line(), REFUSED);
}
