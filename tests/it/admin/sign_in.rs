//! `/admin/sign_in`: a personal access token is exchanged for a session.

use axum::body::Body;
use axum::http::Request;
use chrono::TimeDelta;
use gatehouse::domain::admin_session::{IDLE, LONGEST};
use sqlx::PgPool;

use super::{Browser, administrator, form, newest_event};
use crate::support::TestApp;

#[sqlx::test]
async fn an_administrators_token_is_exchanged_for_a_session(pool: PgPool) {
    let app = TestApp::new(pool);
    administrator(&app).await;
    let mut browser = Browser::new(&app);
    let reply = browser.post("/admin/sign_in", &[("token", " glpat-acts "), ("to", "/admin/users?search=r")]).await;
    assert_eq!((reply.status.as_u16(), &reply.headers["location"]), (303, &"/admin/users?search=r".parse().unwrap()));
    let cookie = reply.headers["set-cookie"].to_str().unwrap();
    for part in ["gatehouse_admin=", "Path=/;", "HttpOnly", "SameSite=Strict", "Max-Age=43200"] {
        assert!(cookie.contains(part), "{part}: {cookie}");
    }
    assert!(!cookie.contains("Secure"), "over plain HTTP no browser would send it back: {cookie}");
    assert_eq!(newest_event(&app).await, "admin_area_signed_in root User PersonalAccessToken 1");
    let stored: String = app.given().value("select row_to_json(admin_sessions)::text from admin_sessions").await;
    let secret = cookie.split(['=', ';']).nth(1).unwrap();
    assert!(!stored.contains(secret) && stored.contains("\"may_act\":true"), "{stored}");
    let page = browser.page("/admin/users?search=r").await;
    assert!(page.contains("root@example.com"), "{page}");
    assert_eq!(browser.get("/").await.headers["location"], "/admin");
}

#[sqlx::test]
async fn nobody_else_gets_one(pool: PgPool) {
    let app = TestApp::new(pool);
    let root = administrator(&app).await;
    let (given, key) = (app.given(), &app.secrets.db_key_base);
    let rubi = given.user("rubi").await;
    given.personal_access_token(rubi, key, "glpat-of-rubi", &["api"]).await;
    given.personal_access_token(root, key, "glpat-registry", &["read_registry"]).await;
    given.personal_access_token(root, key, "glpat-revoked", &["api"]).await;
    given.personal_access_token(root, key, "glpat-expired", &["api"]).await;
    given.sql("update personal_access_tokens set revoked = true where id = 5").await;
    given.sql("update personal_access_tokens set expires_at = '2020-01-01' where id = 6").await;
    let cases = [
        ("glpat-nobodys", "There is no such token.", "An unauthenticated user"),
        ("", "There is no such token.", "An unauthenticated user"),
        ("glpat-of-rubi", "not an administrator", "rubi"),
        ("glpat-registry", "lacks the scope read_api", "root"),
        ("glpat-revoked", "was revoked", "root"),
        ("glpat-expired", "has expired", "root"),
    ];
    for (token, said, author) in cases {
        let mut browser = Browser::new(&app);
        let reply = browser.sign_in(token).await;
        assert_eq!(reply.status, 401, "{token}");
        assert!(reply.text.contains(said), "{token}: {}", reply.text);
        assert!(!reply.headers.contains_key("set-cookie"), "{token}");
        let event = newest_event(&app).await;
        assert!(event.starts_with(&format!("admin_area_sign_in_refused {author}")), "{event}");
    }
    given.user_is(root, "state = 'blocked'").await;
    let reply = Browser::new(&app).sign_in("glpat-acts").await;
    assert!(reply.status == 401 && reply.text.contains("may not sign in now"), "{}", reply.line());
    let sessions: i64 = given.value("select count(*) from admin_sessions").await;
    assert_eq!(sessions, 0);
}

#[sqlx::test]
async fn those_who_fail_too_often_wait(pool: PgPool) {
    let app = TestApp::new(pool);
    administrator(&app).await;
    let mut browser = Browser::new(&app);
    for _ in 0..10 {
        assert_eq!(browser.sign_in("glpat-guessed").await.status, 401);
    }
    assert_eq!(browser.sign_in("glpat-acts").await.status, 429, "whatever the token is");
    app.clock.set(app.clock.now() + TimeDelta::minutes(1));
    assert_eq!(browser.sign_in("glpat-acts").await.status, 303);
}

#[sqlx::test]
async fn a_session_ends_without_use_and_ends_at_last(pool: PgPool) {
    let app = TestApp::new(pool);
    administrator(&app).await;
    let began = app.clock.now();
    let mut browser = Browser::signed_in(&app, "glpat-acts").await;
    app.clock.set(began + IDLE);
    let reply = browser.get("/admin/users").await;
    assert_eq!(
        (reply.status.as_u16(), reply.headers["location"].to_str().unwrap()),
        (303, "/admin/sign_in?to=%2Fadmin%2Fusers")
    );
    let began = app.clock.now();
    let mut browser = Browser::signed_in(&app, "glpat-acts").await;
    while app.clock.now() + TimeDelta::minutes(20) < began + LONGEST {
        app.clock.set(app.clock.now() + TimeDelta::minutes(20));
        browser.page("/admin/sessions").await;
    }
    app.clock.set(began + LONGEST);
    assert_eq!(browser.get("/admin/sessions").await.status, 303);
}

#[sqlx::test]
async fn a_session_goes_with_what_it_stands_on(pool: PgPool) {
    let app = TestApp::new(pool);
    let root = administrator(&app).await;
    let given = app.given();
    let undo = [
        ("update personal_access_tokens set revoked = true", "update personal_access_tokens set revoked = false"),
        (
            "update personal_access_tokens set expires_at = '2020-01-01'",
            "update personal_access_tokens set expires_at = null",
        ),
        ("update users set admin = false", "update users set admin = true"),
        ("update users set state = 'blocked'", "update users set state = 'active'"),
        (
            "update application_settings set disable_personal_access_tokens = true",
            "update application_settings set disable_personal_access_tokens = false",
        ),
        ("update application_settings set admin_mode = true", "update application_settings set admin_mode = false"),
    ];
    let mut browser = Browser::signed_in(&app, "glpat-acts").await;
    for (change, back) in undo {
        given.sql(change).await;
        assert_eq!(browser.get("/admin/sessions").await.status, 303, "{change}");
        given.sql(back).await;
        assert_eq!(browser.get("/admin/sessions").await.status, 200, "{back}");
    }
    given.user_is(root, "state = 'active'").await;
    given.sql("delete from personal_access_tokens").await;
    assert_eq!(browser.get("/admin/sessions").await.status, 303);
    let left: i64 = given.value("select count(*) from admin_sessions").await;
    assert_eq!(left, 0, "it goes with the row of its token");
}

#[sqlx::test]
async fn whoever_signs_out_is_out(pool: PgPool) {
    let app = TestApp::new(pool);
    administrator(&app).await;
    let mut browser = Browser::signed_in(&app, "glpat-looks").await;
    let kept = browser.cookies.clone();
    let reply = browser.act("/admin/sign_out", &[]).await;
    assert_eq!((reply.status.as_u16(), &reply.headers["location"]), (303, &"/admin/sign_in".parse().unwrap()));
    assert!(!browser.cookies.contains_key("gatehouse_admin"));
    assert_eq!(newest_event(&app).await, "admin_area_session_ended root User");
    browser.cookies = kept;
    assert_eq!(browser.get("/admin/sessions").await.status, 303, "the cookie alone opens nothing");
}

#[sqlx::test]
async fn the_cookie_is_secure_where_browsers_come_by_https(pool: PgPool) {
    let app = TestApp::with(pool.clone(), "gatehouse: {admin: {url: 'https://admin.example.com'}}");
    administrator(&app).await;
    let sign_in = |origin: &str| {
        let request = Request::post("/admin/sign_in").header("origin", origin).header("host", "10.0.0.7:3003");
        request.body(Body::from(form(&[("token", "glpat-acts")]))).unwrap()
    };
    let mut browser = Browser::new(&app);
    assert_eq!(browser.send(sign_in("https://evil.example.com")).await.status, 403);
    assert_eq!(browser.send(sign_in("http://10.0.0.7:3003")).await.status, 403, "the settings say another");
    let reply = browser.send(sign_in("https://admin.example.com")).await;
    let cookie = reply.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-gatehouse_admin=") && cookie.ends_with("; Secure"), "{cookie}");
    browser.page("/admin/sessions").await;

    let app = TestApp::new(pool);
    let request = Request::post("/admin/sign_in").header("sec-fetch-site", "same-origin");
    let request = request.header("x-forwarded-proto", "https").body(Body::from(form(&[("token", "glpat-acts")])));
    let reply = Browser::new(&app).send(request.unwrap()).await;
    assert!(reply.headers["set-cookie"].to_str().unwrap().contains("Secure"));
}
