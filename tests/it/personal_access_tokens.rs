//! `/api/v4/personal_access_tokens/self`: tokens made over SSH let their owners in.

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use chrono::{NaiveDateTime, TimeDelta};
use gatehouse::background::last_used::LastUsedWriter;
use gatehouse::config::CustomersDotSettings;
use gatehouse::domain::ids::UserId;
use gatehouse::domain::ledger::LedgerActor;
use gatehouse::http::auth::customers_dot::CustomersDotAuth;
use gatehouse::http::auth::personal_access_token::TokenAuth;
use gatehouse::http::auth::provisioning::{Provisioner, ProvisioningAuth, require};
use serde_json::json;
use sqlx::PgPool;
use tower::ServiceExt;

use crate::support::{Reply, TestApp};

const EXPIRED: &str = r#"401 {"error":"invalid_token","error_description":"Token is expired. You can either do re-authorization or token refresh."}"#;
const REVOKED: &str =
    r#"401 {"error":"invalid_token","error_description":"Token was revoked. You have to re-authorize from the user."}"#;
const UNAUTHORIZED: &str = r#"401 {"message":"401 Unauthorized"}"#;

async fn minted(app: &TestApp) -> (UserId, String) {
    let given = app.given();
    let user = given.user("rubi").await;
    let key = given.key(user, "laptop").await;
    let body = json!({ "key_id": key.0, "name": "t", "scopes": ["read_api"] });
    let reply = app.post("/personal_access_token", body).await.json();
    (user, reply["token"].as_str().unwrap().to_owned())
}

async fn call(app: &TestApp, method: &str, query: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = Request::builder().method(method).uri(format!("/api/v4/personal_access_tokens/self{query}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.send(request.body(Body::empty()).unwrap()).await
}

async fn show(app: &TestApp, token: &str) -> Reply {
    call(app, "GET", "", &[("private-token", token)]).await
}

#[sqlx::test]
async fn a_token_says_what_it_is(pool: PgPool) {
    let app = TestApp::new(pool);
    let (user, token) = minted(&app).await;
    let json = show(&app, &token).await.json();
    assert_eq!((&json["name"], &json["scopes"]), (&json!("t"), &json!(["read_api"])));
    assert_eq!((&json["user_id"], &json["active"], &json["revoked"]), (&json!(user.0), &json!(true), &json!(false)));
}

#[sqlx::test]
async fn a_token_may_come_in_several_ways(pool: PgPool) {
    let app = TestApp::new(pool);
    let (_, token) = minted(&app).await;
    let bearer = format!("bearer {token}");
    let query = format!("?private_token={token}");
    for (query, headers) in [
        ("", vec![("private-token", token.as_str())]),
        ("", vec![("authorization", bearer.as_str())]),
        (query.as_str(), vec![]),
        // A parameter beats the header, and a blank one is not there.
        (query.as_str(), vec![("private-token", "glpat-wrong")]),
        ("?private_token=", vec![("private-token", token.as_str())]),
        ("", vec![("authorization", "Bearer wrong"), ("private-token", token.as_str())]),
    ] {
        assert_eq!(call(&app, "GET", query, &headers).await.status, 200, "{query} {headers:?}");
    }
    for headers in [
        vec![],
        vec![("private-token", "glpat-wrong")],
        // A name that GitLab's documentation prints in another place.
        vec![("token", token.as_str())],
        vec![("private-token", "glpat-wrong"), ("authorization", bearer.as_str())],
        vec![("authorization", "Basic cnViaTp4")],
    ] {
        assert_eq!(call(&app, "GET", "", &headers).await.line(), UNAUTHORIZED, "{headers:?}");
    }
}

#[sqlx::test]
async fn nobody_has_tokens_where_the_instance_takes_none(pool: PgPool) {
    let app = TestApp::new(pool);
    let given = app.given();
    let (user, token) = minted(&app).await;
    given.setting("disable_personal_access_tokens = true").await;
    assert_eq!(show(&app, &token).await.line(), UNAUTHORIZED);
    let wish = json!({ "user_id": user.0, "name": "again", "scopes": ["read_api"] });
    let refusal = app.post("/personal_access_token", wish.clone()).await;
    assert_eq!(refusal.json()["message"], "Failed to create token: Not permitted to create");
    // Those of bots are access tokens of groups and projects, which are another matter.
    given.user_is(user, "user_type = 6").await;
    assert_eq!(show(&app, &token).await.status, 200);
    given.user_is(user, "user_type = 0").await;
    given.setting("disable_personal_access_tokens = false").await;
    assert_eq!(show(&app, &token).await.status, 200);
}

#[sqlx::test]
async fn a_group_decides_about_the_tokens_of_its_enterprise_users(pool: PgPool) {
    let app = TestApp::new(pool);
    let given = app.given();
    let (user, token) = minted(&app).await;
    let group = given.group("corp").await;
    let decides = async |sql: &str| given.sql(&format!("update {sql} where namespace_id = {group}")).await;
    decides("namespace_settings set disable_personal_access_tokens = true").await;
    assert_eq!(show(&app, &token).await.status, 200, "the user is not the group's");
    given.sql(&format!("insert into user_details (user_id, enterprise_group_id) values ({user}, {group})")).await;
    assert_eq!(show(&app, &token).await.line(), UNAUTHORIZED);
    let wish = async |name: &str| {
        let body = json!({ "user_id": user.0, "name": name, "scopes": ["read_api"] });
        app.post("/personal_access_token", body).await.json()
    };
    assert_eq!(wish("no").await["message"], "Failed to create token: Not permitted to create");
    decides("namespace_settings set disable_personal_access_tokens = false").await;
    assert_eq!(show(&app, &token).await.status, 200);

    given.setting("max_personal_access_token_lifetime = 90").await;
    given.sql(&format!("update namespaces set max_personal_access_token_lifetime = 7 where id = {group}")).await;
    let end = (app.clock.now() + TimeDelta::days(7)).date_naive().to_string();
    assert_eq!(wish("short").await["expires_at"], end);
}

#[sqlx::test]
async fn expiry_and_revocation_hold_at_once(pool: PgPool) {
    let app = TestApp::new(pool);
    let given = app.given();
    let (user, token) = minted(&app).await;
    let today = app.clock.now().date_naive();
    given.sql(&format!("update personal_access_tokens set expires_at = '{today}'")).await;
    let reply = show(&app, &token).await;
    assert_eq!(reply.line(), EXPIRED);
    assert!(reply.headers["www-authenticate"].to_str().unwrap().starts_with("Bearer realm="));
    given.sql("update personal_access_tokens set expires_at = null").await;
    assert_eq!(show(&app, &token).await.status, 200);
    given.user_is(user, "state = 'blocked'").await;
    let blocked = r#"403 {"message":"403 Forbidden - Your account has been blocked."}"#;
    assert_eq!(show(&app, &token).await.line(), blocked);
    given.user_is(user, "state = 'active'").await;

    assert_eq!(call(&app, "DELETE", "", &[("private-token", &token)]).await.status, 204);
    assert_eq!(show(&app, &token).await.line(), REVOKED);
    assert_eq!(call(&app, "DELETE", "", &[("private-token", &token)]).await.line(), REVOKED);
    let revoked: i64 = given.value("select count(*) from audit_events where details like '%token_revoked%'").await;
    assert_eq!(revoked, 1);
}

#[sqlx::test]
async fn its_use_is_noted_behind_the_answer_every_ten_minutes(pool: PgPool) {
    let app = TestApp::new(pool);
    let given = app.given();
    let (_, token) = minted(&app).await;
    let noted = async |at: NaiveDateTime| {
        for _ in 0..100 {
            let sql = "select last_used_at at time zone 'utc' from personal_access_tokens";
            if given.value::<Option<NaiveDateTime>>(sql).await == Some(at) {
                return true;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        false
    };
    let first = app.clock.now();
    show(&app, &token).await;
    assert!(noted(first.naive_utc()).await);
    app.clock.set(first + TimeDelta::minutes(9));
    show(&app, &token).await;
    app.clock.set(first + TimeDelta::minutes(10));
    show(&app, &token).await;
    assert!(noted((first + TimeDelta::minutes(10)).naive_utc()).await);
}

/// The layer of the endpoints that administrators call, around an endpoint that says who called.
#[sqlx::test]
async fn an_admin_endpoint_needs_an_admin_and_scopes_that_suffice(pool: PgPool) {
    let app = TestApp::new(pool);
    let given = app.given();
    let (user, token) = minted(&app).await;
    let auth = TokenAuth {
        db: app.pool.clone().into(),
        db_key_base: app.secrets.db_key_base.clone(),
        clock: app.clock.clone(),
        last_used: LastUsedWriter::start(app.pool.clone()).0,
        url: "http://localhost".to_owned(),
        documented_header: false,
    };
    let customers_dot = CustomersDotAuth::new(&CustomersDotSettings::default(), app.clock.clone()).unwrap();
    let auth = ProvisioningAuth { tokens: auth, customers_dot };
    let who = async |provisioner: Provisioner| match &provisioner.author().actor {
        LedgerActor::Administrator(_, username) => username.clone(),
        other => format!("{other:?}"),
    };
    let router: Router = Router::new().route("/", get(who).post(who)).route_layer(from_fn_with_state(auth, require));
    let ask = async |method: &str| {
        let request = Request::builder().method(method).uri("/").header("private-token", &token);
        let reply = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let status = reply.status().as_u16();
        let body = axum::body::to_bytes(reply.into_body(), 1000).await.unwrap();
        format!("{status} {}", String::from_utf8(body.to_vec()).unwrap())
    };
    let forbidden = r#"403 {"message":"403 Forbidden"}"#;
    assert_eq!(ask("GET").await, forbidden);
    given.user_is(user, "admin = true").await;
    assert_eq!(ask("GET").await, "200 rubi");
    assert_eq!(
        ask("POST").await,
        r#"403 {"error":"insufficient_scope","error_description":"The request requires higher privileges than provided by the access token.","scope":"api read_api"}"#
    );
    given.sql("update personal_access_tokens set scopes = e'---\\n- :api\\n'").await;
    assert_eq!(ask("POST").await, "200 rubi");
    given.setting("admin_mode = true").await;
    assert_eq!(ask("POST").await, forbidden);
    given.sql("update personal_access_tokens set scopes = e'---\\n- api\\n- admin_mode\\n'").await;
    assert_eq!(ask("POST").await, "200 rubi");
}
