//! Balancers and Workhorse ask how the server is where clients are answered; strangers find nothing there.

use axum::body::Body;
use axum::http::Request;
use gatehouse::http::client_address::PeerAddress;
use sqlx::PgPool;

use crate::support::{Reply, TestApp, dead};

const PATHS: [&str; 3] = ["/-/health", "/-/readiness", "/-/liveness"];
const NOTHING: &str = r#"404 {"error":"404 Not Found","message":"404 Not Found"}"#;

async fn ask(app: &TestApp, path: &str, peer: &str, forwarded: Option<&str>) -> Reply {
    let mut request = Request::builder().uri(path).extension(PeerAddress(peer.parse().unwrap()));
    if let Some(forwarded) = forwarded {
        request = request.header("x-forwarded-for", forwarded);
    }
    app.send(request.body(Body::empty()).unwrap()).await
}

/// http-91
#[sqlx::test]
async fn the_addresses_of_the_settings_are_told_how_the_server_is(pool: PgPool) {
    let app = TestApp::new(pool.clone());
    let health = ask(&app, "/-/health", "127.0.0.1", None).await;
    assert_eq!(health.line(), "200 GitLab OK");
    assert_eq!(health.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(ask(&app, "/-/liveness", "::1", None).await.line(), r#"200 {"status":"ok"}"#);
    assert_eq!(ask(&app, "/-/readiness", "127.0.0.1", None).await.json()["db_write_check"][0]["status"], "ok");
    for path in PATHS {
        assert_eq!(ask(&app, path, "127.0.0.1", Some("127.0.0.1, 203.0.113.9")).await.line(), NOTHING, "{path}");
        assert_eq!(ask(&app, path, "203.0.113.9", Some("127.0.0.1")).await.line(), NOTHING, "{path}");
    }
    assert_eq!(
        ask(&app, "/-/metrics", "127.0.0.1", None).await.line(),
        NOTHING,
        "metrics have a listener of their own"
    );
    let settings = "{gitlab: {relative_url_root: /gitlab}, monitoring: {ip_whitelist: [203.0.113.0/24]}}";
    let app = TestApp::with(pool, settings);
    for path in PATHS {
        let below = format!("/gitlab{path}");
        assert_eq!(ask(&app, &below, "203.0.113.9", None).await.status, 200, "{path}");
        assert_eq!(ask(&app, &below, "127.0.0.1", None).await.line(), NOTHING, "{path}");
        assert_eq!(ask(&app, path, "203.0.113.9", None).await.status, 404, "{path}");
    }
}

/// http-91
#[tokio::test]
async fn without_its_database_a_server_lives_and_is_not_ready() {
    let app = TestApp::with(dead(), "gatehouse: {database: {acquire_timeout: 1}}");
    let mut statuses = Vec::new();
    for path in PATHS {
        statuses.push(ask(&app, path, "127.0.0.1", None).await.status.as_u16());
    }
    assert_eq!(statuses, [200, 503, 200]);
}
