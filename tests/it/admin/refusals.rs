//! Who is refused: without a session, with another's form, from another site, and with a token that looks alone.

use axum::body::Body;
use axum::http::Request;
use sqlx::PgPool;

use super::{Browser, acting, administrator, form};
use crate::auth_matrix::admin::ROUTES;
use crate::support::TestApp;

/// A path with something in place of its parameters.
fn filled(path: &str) -> String {
    path.split('/').map(|step| if step.starts_with('{') { "1" } else { step }).collect::<Vec<_>>().join("/")
}

fn actions() -> impl Iterator<Item = String> {
    ROUTES.iter().filter(|(method, _)| *method == "POST").map(|(_, path)| filled(path))
}

#[sqlx::test]
async fn without_a_session_every_page_leads_to_the_sign_in(pool: PgPool) {
    let app = TestApp::new(pool);
    let mut browser = Browser::new(&app);
    let reply = browser.get("/admin/users?search=a%26b").await;
    assert_eq!(reply.headers["location"], "/admin/sign_in?to=%2Fadmin%2Fusers%3Fsearch%3Da%2526b");
    browser.cookies.insert("gatehouse_admin".to_owned(), "not-a-session".to_owned());
    assert_eq!(browser.get("/admin").await.headers["location"], "/admin/sign_in");
    let request = browser.request("GET", "/admin/users").header("hx-request", "true").body(Body::empty()).unwrap();
    let reply = browser.send(request).await;
    assert_eq!((reply.status.as_u16(), &reply.headers["hx-redirect"]), (401, &"/admin/sign_in".parse().unwrap()));
}

#[sqlx::test]
async fn a_form_without_its_sessions_token_does_nothing(pool: PgPool) {
    let app = TestApp::new(pool);
    let mut browser = acting(&app).await;
    let other = Browser::signed_in(&app, "glpat-acts").await.form_token;
    assert_ne!(other, browser.form_token);
    let before: i64 = app.given().value("select count(*) from audit_events").await;
    for path in actions() {
        for token in [None, Some(""), Some("wrong"), Some(other.as_str())] {
            let fields: Vec<(&str, &str)> =
                token.map(|token| ("form_token", token)).into_iter().chain([("id", "1")]).collect();
            let reply = browser.post(&path, &fields).await;
            assert_eq!(reply.status, 403, "{path} with {token:?}");
            assert!(reply.text.contains("not of your session"), "{path}: {}", reply.text);
        }
    }
    let after: i64 = app.given().value("select count(*) from audit_events").await;
    assert_eq!(before, after);
}

#[sqlx::test]
async fn a_form_of_another_site_does_nothing(pool: PgPool) {
    let app = TestApp::new(pool);
    let mut browser = acting(&app).await;
    let token = browser.form_token.clone();
    let headers: [&[(&str, &str)]; 6] = [
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "cross-site"), ("origin", "http://admin.test")],
        &[("origin", "http://evil.test")],
        &[("origin", "null")],
        &[],
    ];
    for headers in headers {
        let mut request = browser.request("POST", "/admin/sign_out");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let reply = browser.send(request.body(Body::from(form(&[("form_token", &token)]))).unwrap()).await;
        assert_eq!(reply.status, 403, "{headers:?}");
        let mut request = Request::post("/admin/sign_in").header("host", "admin.test");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Body::from(form(&[("token", "glpat-acts")]));
        assert_eq!(Browser::new(&app).send(request.body(body).unwrap()).await.status, 403, "{headers:?}");
    }
    let request = browser.request("POST", "/admin/sign_out").header("origin", "http://admin.test");
    let reply = browser.send(request.body(Body::from(form(&[("form_token", &token)]))).unwrap()).await;
    assert_eq!(reply.status, 303, "the area's own origin");
}

#[sqlx::test]
async fn a_token_that_looks_does_nothing(pool: PgPool) {
    let app = TestApp::new(pool);
    administrator(&app).await;
    let mut browser = Browser::signed_in(&app, "glpat-looks").await;
    for path in actions().filter(|path| path != "/admin/sign_out" && path != "/admin/sign_in") {
        let reply = browser.act(&path, &[("id", "1"), ("namespace", "1"), ("reason", "none")]).await;
        assert_eq!(reply.status, 403, "{path}");
        assert!(reply.text.contains("scope api"), "{path}: {}", reply.text);
    }
    let page = browser.page("/admin/users/1").await;
    assert!(!page.contains("/admin/users/1/block") && page.contains("(looks only)"), "{page}");
}

#[sqlx::test]
async fn what_is_not_there_is_said_in_words(pool: PgPool) {
    let app = TestApp::new(pool);
    let mut browser = acting(&app).await;
    for path in [
        "/admin/nothing",
        "/admin/users/999",
        "/admin/users/rubi",
        "/admin/users/0",
        "/admin/users/99999999999999999999",
        "/admin/users/a%00b",
        "/admin/projects/999",
        "/admin/projects/999/members",
        "/admin/groups/999",
        "/admin/groups/999/members",
        "/admin/hooks/999",
        "/admin/agents/999",
        "/admin/scim/999",
        "/admin/scim/x",
        "/admin/audit?author=nobody",
        "/admin/audit?entity=Planet-3",
        "/admin/provisioning/ledger?namespace=x",
        "/admin/assets/secret",
    ] {
        let reply = browser.get(path).await;
        assert_eq!(reply.status, 404, "{path}: {}", reply.line());
        assert!(reply.text.contains("<h1>Not found</h1>") && reply.text.contains("There is no such"), "{path}");
    }
    let reply = browser.act("/admin/users/999/block", &[]).await;
    assert_eq!(reply.status, 404);
    let request = browser.request("PUT", "/admin/sign_in").body(Body::empty()).unwrap();
    let reply = browser.send(request).await;
    assert!(reply.status == 405 && reply.text.contains("takes no such request"), "{}", reply.line());
    let large = "x".repeat(100 << 10);
    let reply = browser.act("/admin/sign_out", &[("text", &large)]).await;
    assert!(reply.status == 413 && reply.text.contains("larger than any of ours"), "{}", reply.line());
}

#[sqlx::test]
async fn browsers_are_told_to_let_pages_do_little(pool: PgPool) {
    let app = TestApp::new(pool);
    let mut browser = acting(&app).await;
    for path in ["/admin", "/admin/sign_in", "/admin/nothing", "/admin/users/999"] {
        let headers = browser.get(path).await.headers;
        let policy = headers["content-security-policy"].to_str().unwrap();
        for part in
            ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"]
        {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["referrer-policy"], "same-origin");
        assert_eq!(headers["cache-control"], "no-store", "{path}");
    }
    let page = browser.page("/admin").await;
    assert!(!page.contains("style=") && !page.contains("onclick") && !page.contains("javascript:"));
    for asset in page.split('"').filter(|part| part.starts_with("/admin/assets/")) {
        let reply = browser.get(asset).await;
        assert_eq!(reply.status, 200, "{asset}");
        assert!(reply.headers["cache-control"].to_str().unwrap().contains("immutable"), "{asset}");
    }
    let elsewhere: Vec<&str> = page.split(['"', '\'']).filter(|part| part.contains("://")).collect();
    assert!(elsewhere.is_empty(), "a page asks nobody else: {elsewhere:?}");
}
