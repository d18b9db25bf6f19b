//! The Admin area. Its routes answer pages for people, and so are in no document of the API; this table has them all.

use axum::body::Body;
use axum::http::Request;
use gatehouse::http::layers::with_plain_path;
use sqlx::PgPool;
use tower::ServiceExt;

use super::{HEADERS, credentials};
use crate::support::{TestApp, customers_dot};
use crate::tidy::sources;

/// What a session opens: methods and paths as they are written.
pub const ROUTES: &[(&str, &str)] = &[
    ("GET", "/admin"),
    ("GET", "/admin/agents"),
    ("POST", "/admin/agents/revoke"),
    ("GET", "/admin/agents/{id}"),
    ("GET", "/admin/audit"),
    ("GET", "/admin/audit.csv"),
    ("GET", "/admin/check"),
    ("GET", "/admin/explain"),
    ("GET", "/admin/expiring"),
    ("GET", "/admin/expiring/keys"),
    ("GET", "/admin/expiring/unused_keys"),
    ("GET", "/admin/expiring/unused_tokens"),
    ("GET", "/admin/groups"),
    ("GET", "/admin/groups/{id}"),
    ("GET", "/admin/groups/{id}/members"),
    ("GET", "/admin/hooks"),
    ("POST", "/admin/hooks/enable"),
    ("POST", "/admin/hooks/redeliver"),
    ("POST", "/admin/hooks/resend"),
    ("GET", "/admin/hooks/{id}"),
    ("GET", "/admin/jobs"),
    ("POST", "/admin/jobs/drop"),
    ("POST", "/admin/jobs/retry"),
    ("POST", "/admin/keys/remove"),
    ("GET", "/admin/projects"),
    ("GET", "/admin/projects/{id}"),
    ("GET", "/admin/projects/{id}/members"),
    ("GET", "/admin/provisioning"),
    ("GET", "/admin/provisioning/add_ons"),
    ("GET", "/admin/provisioning/exclusions"),
    ("POST", "/admin/provisioning/exclusions/add"),
    ("POST", "/admin/provisioning/exclusions/remove"),
    ("GET", "/admin/provisioning/ledger"),
    ("GET", "/admin/provisioning/minutes"),
    ("GET", "/admin/provisioning/reconciliations"),
    ("GET", "/admin/refusals"),
    ("GET", "/admin/scim"),
    ("GET", "/admin/scim/{scope}"),
    ("POST", "/admin/scim/{scope}/deactivate"),
    ("POST", "/admin/scim/{scope}/token"),
    ("GET", "/admin/sessions"),
    ("POST", "/admin/sessions/end"),
    ("POST", "/admin/sign_out"),
    ("POST", "/admin/tokens/revoke"),
    ("GET", "/admin/users"),
    ("GET", "/admin/users/{id}"),
    ("POST", "/admin/users/{id}/block"),
    ("POST", "/admin/users/{id}/unblock"),
];

/// What everybody may ask for: the way in, and the files that it names.
const OPEN: [&str; 3] = ["/", "/admin/sign_in", "/admin/assets/{file}"];

/// A session's cookie opens the area, and no credential of another area does.
#[sqlx::test]
async fn no_credential_of_others_opens_a_page_for_administrators(pool: PgPool) {
    let app = TestApp::with(pool, &customers_dot::settings());
    let right = credentials(&app).await;
    let mut tokens = app.wrong_tokens();
    tokens.extend(right.iter().map(|(name, _, token)| (*name, token.clone())));
    for (method, path) in ROUTES {
        let path = path.split('/').map(|step| if step.starts_with('{') { "1" } else { step });
        let path = path.collect::<Vec<_>>().join("/");
        let request = || Request::builder().method(*method).uri(path.as_str());
        let mut requests = vec![("bare".to_owned(), request())];
        for header in HEADERS.into_iter().chain(["Cookie"]) {
            for (what, token) in &tokens {
                let value = if header == "Cookie" { format!("gatehouse_admin={token}") } else { token.clone() };
                requests.push((format!("{header}: {what}"), request().header(header, value)));
            }
        }
        for (what, request) in requests {
            let request = with_plain_path(request.body(Body::empty()).unwrap());
            let answer = app.admin.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.status(), 303, "{method} {path}, {what}");
            let to = answer.headers()["location"].to_str().unwrap();
            assert!(to.starts_with("/admin/sign_in"), "{method} {path}, {what}: {to}");
        }
    }
}

/// The listener of clients knows nothing of the area, nor the area of theirs.
#[sqlx::test]
async fn the_area_is_on_its_own_listener_alone(pool: PgPool) {
    let app = TestApp::new(pool);
    let ask = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    assert_eq!(app.send(ask("/admin")).await.status, 404);
    assert_eq!(app.send(ask("/admin/sign_in")).await.status, 404);
    let answer = app.admin.clone().oneshot(ask("/api/v4/internal/check")).await.unwrap();
    assert_eq!(answer.status(), 404);
}

#[test]
fn the_table_of_pages_is_complete() {
    let mut written = Vec::new();
    for (_, text) in sources("src/http/admin") {
        let text: String = text.split_whitespace().collect();
        for row in text.split(".route(\"").skip(1) {
            let (path, rest) = row.split_once('"').unwrap();
            if !OPEN.contains(&path) {
                let method = if rest.starts_with(",post(") { "POST" } else { "GET" };
                written.push((method.to_owned(), path.to_owned()));
            }
        }
    }
    written.sort();
    let mut rows: Vec<_> = ROUTES.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned())).collect();
    rows.sort();
    assert_eq!(written, rows);
}
