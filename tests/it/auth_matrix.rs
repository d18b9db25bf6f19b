//! Every route of the API, called by whoever must not: one row per route says how it refuses.

use std::fmt::Write as _;

use axum::body::Body;
use sqlx::PgPool;

use crate::support::TestApp;
use crate::tidy::sources;

/// What a route says to a caller it does not know.
const SHELL: &str = r#"401 {"message":"401 Unauthorized"}"#;
/// Where Workhorse may call too, whoever shows nothing of gitlab-shell's is taken for Workhorse.
const WORKHORSE: &str = r#"403 {"message":"403 Forbidden"}"#;

/// Method, path below `/api/v4/internal`, and the refusal.
const ROUTES: [(&str, &str, &str); 19] = [
    ("GET", "/check", SHELL),
    ("GET", "/authorized_keys", SHELL),
    ("GET", "/discover", SHELL),
    ("POST", "/allowed", SHELL),
    ("POST", "/lfs_authenticate", SHELL),
    ("POST", "/pre_receive", SHELL),
    ("POST", "/post_receive", SHELL),
    ("GET", "/authorized_certs", SHELL),
    ("GET", "/gitaly/object_pool_members", SHELL),
    ("GET", "/lfs", SHELL),
    ("POST", "/lfs_token/verify", SHELL),
    ("POST", "/personal_access_token", SHELL),
    ("POST", "/two_factor_config", SHELL),
    ("POST", "/two_factor_manual_otp_check", SHELL),
    ("POST", "/two_factor_otp_check", SHELL),
    ("POST", "/two_factor_push_otp_check", SHELL),
    ("POST", "/two_factor_recovery_codes", SHELL),
    ("POST", "/error_tracking/allowed", SHELL),
    ("POST", "/shellhorse/git_audit_event", WORKHORSE),
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
                let refusal = if header == "Gitlab-Shell-Api-Request" { SHELL } else { refusal };
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
    // The operator's own listener asks for no credential; users' tokens have their own table, personal_access_tokens.rs.
    written.retain(|(_, path, name)| !path.starts_with("/-/") && !name.contains("/personal_access_tokens/"));
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
