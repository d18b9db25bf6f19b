//! `POST /personal_access_token`: a token for the user behind a key.

use gatehouse::crypto::secrets::token_salt;
use gatehouse::domain::ids::{KeyId, UserId};
use gatehouse::domain::token;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{Reply, TestApp};

const PATH: &str = "/personal_access_token";

async fn rubi(app: &TestApp) -> (UserId, KeyId) {
    let given = app.given();
    let user = given.user("rubi").await;
    (user, given.key(user, "laptop").await)
}

/// A wish for a token with one thing changed.
async fn wish(app: &TestApp, key: KeyId, change: Value) -> Reply {
    let mut body =
        json!({ "key_id": key.to_string(), "name": "t", "scopes": ["read_api"], "expires_at": "2199-01-01" });
    body["expires_at"] = day(app, 30).into();
    body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    app.post(PATH, body).await
}

fn day(app: &TestApp, days: i64) -> String {
    (app.clock.now().date_naive() + chrono::TimeDelta::days(days)).to_string()
}

async fn rows(app: &TestApp) -> i64 {
    app.given().value("select count(*) from personal_access_tokens").await
}

fn refusal(reply: &Reply) -> String {
    assert_eq!((reply.status.as_u16(), &reply.json()["success"]), (200, &json!(false)), "{}", reply.line());
    reply.message()
}

#[sqlx::test]
async fn a_token_is_given_once_and_stored_as_gitlab_stores_it(pool: PgPool) {
    let app = TestApp::new(pool);
    let (user, key) = rubi(&app).await;
    let scopes = json!(["read_repository", "read_api"]);
    let reply = wish(&app, key, json!({ "scopes": scopes, "name": "ci" })).await.json();
    let token = reply["token"].as_str().unwrap();
    assert!(token.starts_with("glpat-") && token.len() == 26, "{token}");
    assert_eq!((&reply["success"], &reply["scopes"]), (&json!(true), &scopes));
    assert_eq!(reply["expires_at"], day(&app, 30));
    let digest = token::digest(token, token_salt(&app.secrets.db_key_base));
    let row: String = app
        .given()
        .value(&format!(
            "select concat_ws(' ', user_id, name, scopes, revoked, token_digest = '{digest}') from personal_access_tokens"
        ))
        .await;
    assert_eq!(row, format!("{user} ci ---\n- read_repository\n- read_api\n f t"));
    let event: String = app
        .given()
        .value("select concat_ws(' ', author_name, entity_type, target_type, target_details) from audit_events")
        .await;
    assert_eq!(event, "rubi User PersonalAccessToken ci");
    let leaked: i64 =
        app.given().value(&format!("select count(*) from audit_events where details like '%{token}%'")).await;
    assert_eq!(leaked, 0);
}

#[sqlx::test]
async fn whoever_is_not_a_user_gets_none(pool: PgPool) {
    let app = TestApp::new(pool);
    let (user, key) = rubi(&app).await;
    let given = app.given();
    let deploy_key = given.deploy_key(None, "deploy").await;
    let orphan = given.key(user, "orphan").await;
    given.key_is(orphan, "user_id = null").await;
    let none = json!({ "key_id": null });
    let deploy = "Deploy keys cannot be used to create personal access tokens";
    assert_eq!(refusal(&wish(&app, deploy_key, json!({ "name": "" })).await), deploy);
    assert_eq!(refusal(&wish(&app, orphan, json!({ "name": "" })).await), "Could not find a user for the given key");
    assert_eq!(refusal(&wish(&app, KeyId(999_999), json!({})).await), "Could not find the given key");
    assert_eq!(refusal(&wish(&app, key, none).await), "Could not find the given key");
    let by_user = |id: i64| json!({ "key_id": null, "user_id": id });
    assert_eq!(refusal(&wish(&app, key, by_user(0)).await), "Could not find the given user");
    assert_eq!(refusal(&wish(&app, key, by_user(999_999)).await), "Could not find the given user");
    assert_eq!(rows(&app).await, 0);
    assert_eq!(wish(&app, key, by_user(user.0)).await.json()["success"], true);
    given.user_is(user, "state = 'blocked'").await;
    let not_permitted = "Failed to create token: Not permitted to create";
    assert_eq!(refusal(&wish(&app, key, json!({ "name": "x" })).await), not_permitted);
}

/// shell-43
#[sqlx::test]
async fn a_token_needs_a_name(pool: PgPool) {
    let app = TestApp::new(pool);
    let (_, key) = rubi(&app).await;
    for name in [json!(null), json!(""), json!("  ")] {
        let reply = wish(&app, key, json!({ "name": name, "scopes": [] })).await;
        assert_eq!(reply.line(), r#"200 {"message":"No token name specified","success":false}"#);
    }
}

/// shell-44
#[sqlx::test]
async fn a_token_needs_scopes(pool: PgPool) {
    let app = TestApp::new(pool);
    let (_, key) = rubi(&app).await;
    for scopes in [json!([]), json!(null)] {
        assert_eq!(refusal(&wish(&app, key, json!({ "scopes": scopes })).await), "No token scopes specified");
    }
    let reply = app.post(PATH, json!({ "key_id": key.0, "name": "t" })).await;
    assert_eq!(refusal(&reply), "No token scopes specified");
}

/// shell-45
#[sqlx::test]
async fn the_first_unknown_scope_is_named_with_those_there_are(pool: PgPool) {
    let app = TestApp::new(pool);
    let (_, key) = rubi(&app).await;
    let change = json!({ "scopes": ["read_api", "badscope", "worse"], "expires_at": "invalid-date" });
    assert_eq!(
        refusal(&wish(&app, key, change).await),
        "Invalid scope: 'badscope'. Valid scopes are: [\"api\", \"create_runner\", \"k8s_proxy\", \"manage_runner\", \
         \"read_api\", \"read_registry\", \"read_repository\", \"read_user\", \"write_registry\", \"write_repository\"]"
    );
    assert!(refusal(&wish(&app, key, json!({ "scopes": ["sudo"] })).await).starts_with("Invalid scope: 'sudo'"));
}

/// shell-46
#[sqlx::test]
async fn a_date_that_is_none_is_repeated(pool: PgPool) {
    let app = TestApp::new(pool);
    let (_, key) = rubi(&app).await;
    for date in ["invalid-date", "2026-02-30", "2026-13-01"] {
        let reply = wish(&app, key, json!({ "expires_at": date })).await;
        assert_eq!(refusal(&reply), format!("Invalid token expiry date: '{date}'"));
    }
}

/// shell-47
#[sqlx::test]
async fn a_token_lives_as_long_as_the_instance_says(pool: PgPool) {
    let app = TestApp::new(pool);
    let (_, key) = rubi(&app).await;
    let until = async |expires_at: Value| wish(&app, key, json!({ "expires_at": expires_at })).await;
    let too_long = |days| format!("Failed to create token: Expires at must be before {}", day(&app, days));
    assert_eq!(refusal(&until(day(&app, 4000).into()).await), too_long(365));
    assert_eq!(until(day(&app, 365).into()).await.json()["expires_at"], day(&app, 365));
    assert_eq!(until(json!(null)).await.json()["expires_at"], day(&app, 365));
    // A day in the past is taken at its word.
    assert_eq!(until("2020-01-01".into()).await.json()["expires_at"], "2020-01-01");
    app.given().setting("require_personal_access_token_expiry = false").await;
    assert_eq!(until(json!(null)).await.json()["expires_at"], Value::Null);
    assert_eq!(until(day(&app, 4000).into()).await.json()["success"], true);
    app.given().setting("max_personal_access_token_lifetime = 30").await;
    assert_eq!(refusal(&until(day(&app, 31).into()).await), too_long(30));
    app.given().setting("disable_personal_access_tokens = true").await;
    assert_eq!(refusal(&until(json!(null)).await), "Failed to create token: Not permitted to create");
}

#[sqlx::test]
async fn the_prefix_is_the_instances(pool: PgPool) {
    let app = TestApp::new(pool);
    let (_, key) = rubi(&app).await;
    app.given().setting("personal_access_token_prefix = null").await;
    assert_eq!(wish(&app, key, json!({})).await.json()["token"].as_str().unwrap().len(), 20);
}

/// shell-49
#[sqlx::test]
async fn a_form_does_as_well(pool: PgPool) {
    let app = TestApp::new(pool);
    let (_, key) = rubi(&app).await;
    let reply = app.post_form(PATH, &format!("key_id={key}&name=t&scopes[]=read_user&scopes[]=api")).await;
    assert_eq!(reply.json()["scopes"], json!(["read_user", "api"]));
    let reply = app.post_form(PATH, &format!("key_id={key}&name=t&scopes=api")).await;
    assert_eq!(reply.json()["scopes"], json!(["api"]));
}

/// shell-50
#[sqlx::test]
async fn a_retry_gets_the_token_of_the_first_try(pool: PgPool) {
    let app = TestApp::new(pool);
    let (_, key) = rubi(&app).await;
    let body = json!({ "key_id": key.to_string(), "name": "t", "scopes": ["api"] });
    let first = app.post_named("r1", PATH, body.clone()).await;
    let again = app.post_named("r1", PATH, body.clone()).await;
    assert_eq!((first.line(), rows(&app).await), (again.line(), 1));
    let kept: String = app.given().value("select body from idempotent_responses").await;
    assert!(kept.starts_with("gatehouse-1:") && !kept.contains("glpat"), "{kept}");

    // Another id, another body, another token of gitlab-shell's, or no id at all is another request.
    let mut other = body.clone();
    other["name"] = "u".into();
    app.post_named("r2", PATH, body.clone()).await;
    app.post_named("r1", PATH, other).await;
    app.post(PATH, body.clone()).await;
    app.post(PATH, body.clone()).await;
    assert_eq!(rows(&app).await, 5);
    let token = app.token();
    app.clock.set(app.clock.now() + chrono::TimeDelta::seconds(1));
    assert_ne!(secrecy::ExposeSecret::expose_secret(&token), secrecy::ExposeSecret::expose_secret(&app.token()));
    app.post_named("r1", PATH, body).await;
    assert_eq!(rows(&app).await, 6);
}

#[sqlx::test]
async fn the_same_request_many_times_at_once_makes_one_token(pool: PgPool) {
    let app = TestApp::new(pool);
    let (_, key) = rubi(&app).await;
    let body = json!({ "key_id": key.to_string(), "name": "t", "scopes": ["api"] });
    let ask = || app.post_named("r1", PATH, body.clone());
    let (a, b, c, d, e, f) = tokio::join!(ask(), ask(), ask(), ask(), ask(), ask());
    assert_eq!(a.json()["success"], true);
    for other in [b, c, d, e, f] {
        assert_eq!(other.line(), a.line());
    }
    assert_eq!(rows(&app).await, 1);
}

#[sqlx::test]
async fn an_answer_is_kept_for_two_minutes(pool: PgPool) {
    let app = TestApp::new(pool);
    let (_, key) = rubi(&app).await;
    let body = json!({ "key_id": key.to_string(), "name": "t", "scopes": ["api"] });
    app.post_named("r1", PATH, body.clone()).await;
    app.given().sql("update idempotent_responses set expires_at = expires_at - interval '2 minutes'").await;
    app.post_named("r1", PATH, body).await;
    assert_eq!(rows(&app).await, 2);
    let kept: i64 = app.given().value("select count(*) from idempotent_responses").await;
    assert_eq!(kept, 1);
}
