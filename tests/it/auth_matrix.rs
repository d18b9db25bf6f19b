//! Every route of the API, called by whoever must not: one row per route says how it refuses.

use std::fmt::Write as _;

use axum::body::Body;
use sqlx::PgPool;

use crate::support::TestApp;
use crate::tidy::sources;

/// What a route says to a caller it does not know.
const SHELL: &str = r#"401 {"message":"401 Unauthorized"}"#;

/// Method, path below `/api/v4/internal`, and the refusal.
const ROUTES: [(&str, &str, &str); 5] = [
    ("GET", "/check", SHELL),
    ("GET", "/authorized_keys", SHELL),
    ("GET", "/discover", SHELL),
    ("POST", "/allowed", SHELL),
    ("POST", "/lfs_authenticate", SHELL),
];

#[sqlx::test]
async fn every_route_refuses_whoever_must_not_call_it(pool: PgPool) {
    let app = TestApp::new(pool);
    let wrong: Vec<(&str, String)> = app.wrong_tokens();
    for (method, path, refusal) in ROUTES {
        let bare = app.bare(method, path).body(Body::empty()).unwrap();
        assert_eq!(app.send(bare).await.line(), refusal, "{method} {path}, bare");
        for (what, token) in &wrong {
            for header in
                ["Gitlab-Shell-Api-Request", "Gitlab-Kas-Api-Request", "Gitlab-Shared-Secret", "PRIVATE-TOKEN"]
            {
                let request = app.bare(method, path).header(header, token).body(Body::empty()).unwrap();
                assert_eq!(app.send(request).await.line(), refusal, "{method} {path}, {header}: {what}");
            }
        }
        // The right credential in any other place is none.
        let right = app.token_with(&serde_json::json!({}));
        for (header, value) in [("Gitlab-Kas-Api-Request", right.clone()), ("Authorization", format!("Bearer {right}"))]
        {
            let request = app.bare(method, path).header(header, value).body(Body::empty()).unwrap();
            assert_eq!(app.send(request).await.line(), refusal, "{method} {path}, in {header}");
        }
        let signed = app.signed(method, path).body(Body::empty()).unwrap();
        assert_ne!(app.send(signed).await.status, 401, "{method} {path}, signed");
    }
}

/// The table above has a row for each `.route(` of the areas, and none besides.
#[test]
fn the_table_is_complete() {
    let mut written = Vec::new();
    for (name, text) in sources("src/http") {
        for row in text.split(".route(\"").skip(1) {
            let (path, handlers) = row.split_once("\", ").expect("a route row has a path and a handler");
            for method in ["get", "post", "put", "patch", "delete"] {
                let row = handlers.lines().next().unwrap_or_default();
                if row.starts_with(&format!("{method}(")) || row.contains(&format!(").{method}(")) {
                    written.push((method.to_uppercase(), path.to_owned(), name.clone()));
                }
            }
        }
    }
    // The operator's own listener asks for no credential.
    written.retain(|(_, path, _)| !path.starts_with("/-/"));
    let mut complaints = String::new();
    for (method, path, name) in &written {
        if !ROUTES.iter().any(|(known, route, _)| known == method && route == path) {
            writeln!(complaints, "{name}: {method} {path} has no row").unwrap();
        }
    }
    for (method, path, _) in ROUTES {
        if !written.iter().any(|(known, route, _)| known == method && route == path) {
            writeln!(complaints, "{method} {path} has a row and no route").unwrap();
        }
    }
    assert!(complaints.is_empty(), "{complaints}");
}
