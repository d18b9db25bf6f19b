//! `POST /two_factor_manual_otp_check`: a one-time password opens git for a key.

use chrono::TimeDelta;
use gatehouse::crypto::seal::Seal;
use gatehouse::domain::ids::{KeyId, UserId};
use gatehouse::store::two_factor;
use secrecy::ExposeSecret;
use serde_json::json;
use sqlx::PgPool;
use totp_rs::{Builder, Secret};

use crate::support::{Reply, TestApp};

const PATH: &str = "/two_factor_manual_otp_check";
const SECRET: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
const SUCCESS: &str = r#"200 {"success":true}"#;
const INVALID: &str = r#"200 {"message":"Invalid OTP","success":false}"#;
const LOCKED: &str = r#"200 {"message":"Your account is locked","success":false}"#;
const UNAVAILABLE: &str = r#"200 {"message":"Feature is not available","success":false}"#;

fn app(pool: PgPool) -> TestApp {
    TestApp::with(
        pool,
        "gatehouse: {two_factor_for_git: true}\ngitlab_shell: {ssh_host: git.example.com, ssh_port: 2222}",
    )
}

/// rubi, who has a second factor, and a key of hers.
async fn rubi(app: &TestApp) -> (UserId, KeyId) {
    let given = app.given();
    let user = given.user("rubi").await;
    given.one_time_passwords(user, &app.secrets.db_key_base, SECRET).await;
    (user, given.key(user, "laptop").await)
}

/// The code that an authenticator shows, some steps from now.
fn code(app: &TestApp, steps: i64) -> String {
    let totp = Builder::new().with_secret(Secret::try_from_base32(SECRET).unwrap()).build().unwrap();
    totp.generate(u64::try_from(app.clock.now().timestamp() + steps * 30).unwrap()).to_string()
}

async fn show(app: &TestApp, key: KeyId, code: &str) -> Reply {
    app.post(PATH, json!({ "key_id": key.to_string(), "otp_attempt": code })).await
}

async fn failed_attempts(app: &TestApp) -> i32 {
    app.given().value("select failed_attempts from users where username = 'rubi'").await
}

async fn fetch(app: &TestApp, key: KeyId) -> Reply {
    let body = json!({
        "action": "git-upload-pack", "project": "g/p.git", "changes": "_any", "protocol": "ssh", "key_id": key.0,
    });
    app.post("/allowed", body).await
}

/// shell-51
#[sqlx::test]
async fn the_right_code_opens_git_for_that_key_for_a_quarter_of_an_hour(pool: PgPool) {
    let app = app(pool);
    let given = app.given();
    let (user, key) = rubi(&app).await;
    let other = given.key(user, "desktop").await;
    let deploy_key = given.deploy_key(Some(user), "deploy").await;
    given.project("g/p").await.reporter("rubi").await.deploys(deploy_key, false).await;
    let closed = "OTP verification is required to access the repository.\n\n   \
                  Use: ssh git@git.example.com -p 2222 2fa_verify";
    let reply = fetch(&app, key).await;
    assert_eq!((reply.status.as_u16(), reply.message().as_str()), (401, closed));

    assert_eq!(show(&app, key, &code(&app, 0)).await.line(), SUCCESS);
    assert_eq!(fetch(&app, key).await.status, 200);
    assert_eq!(fetch(&app, other).await.message(), closed);
    assert_eq!(fetch(&app, deploy_key).await.status, 200);
    let minutes: i32 = given
        .value(&format!(
            "select extract(epoch from expires_at - timestamptz '{}')::int / 60 from otp_sessions where key_id = {key}",
            app.clock.now()
        ))
        .await;
    assert_eq!(minutes, 15);
    app.clock.set(app.clock.now() + TimeDelta::minutes(15));
    assert_eq!(fetch(&app, key).await.message(), closed);
    given.user_is(user, "otp_required_for_login = false").await;
    assert_eq!(fetch(&app, key).await.status, 200);
}

#[sqlx::test]
async fn the_instance_says_how_long_git_stays_open(pool: PgPool) {
    let app = app(pool);
    let (_, key) = rubi(&app).await;
    app.given().project("g/p").await.reporter("rubi").await;
    app.given().setting("git_two_factor_session_expiry = 1").await;
    assert_eq!(show(&app, key, &code(&app, 0)).await.line(), SUCCESS);
    app.clock.set(app.clock.now() + TimeDelta::seconds(59));
    assert_eq!(fetch(&app, key).await.status, 200);
    app.clock.set(app.clock.now() + TimeDelta::seconds(1));
    assert_eq!(fetch(&app, key).await.status, 401);
}

/// shell-52
#[sqlx::test]
async fn a_code_works_once(pool: PgPool) {
    let app = app(pool);
    let (_, key) = rubi(&app).await;
    assert_eq!(show(&app, key, &code(&app, 0)).await.line(), SUCCESS);
    assert_eq!(show(&app, key, &code(&app, 0)).await.line(), INVALID);
    assert_eq!(failed_attempts(&app).await, 1);
    // An older one does not work either, although it was never shown.
    assert_eq!(show(&app, key, &code(&app, -1)).await.line(), INVALID);
    assert_eq!(show(&app, key, &code(&app, 1)).await.line(), SUCCESS);
    assert_eq!(failed_attempts(&app).await, 0);
}

/// shell-53
#[sqlx::test]
async fn of_two_at_once_with_the_same_code_one_succeeds(pool: PgPool) {
    let app = app(pool);
    let (_, key) = rubi(&app).await;
    for round in 0..5 {
        app.clock.set(app.clock.now() + TimeDelta::minutes(1));
        let body = json!({ "key_id": key.0, "otp_attempt": code(&app, 0) });
        let ask = |id: usize| {
            let (app, body) = (&app, body.clone());
            async move { app.post_named(&format!("{round}-{id}"), PATH, body).await.line() }
        };
        let (a, b, c, d) = tokio::join!(ask(0), ask(1), ask(2), ask(3));
        let successes = [&a, &b, &c, &d].iter().filter(|line| **line == SUCCESS).count();
        let failures = [&a, &b, &c, &d].iter().filter(|line| **line == INVALID).count();
        assert_eq!((successes, failures), (1, 3), "{a} {b} {c} {d}");
    }
}

#[sqlx::test]
async fn a_retry_is_told_what_the_first_try_was_told(pool: PgPool) {
    let app = app(pool);
    let (_, key) = rubi(&app).await;
    let right = json!({ "key_id": key.0, "otp_attempt": code(&app, 0) });
    let (one, two) = tokio::join!(app.post_named("r1", PATH, right.clone()), app.post_named("r1", PATH, right.clone()));
    assert_eq!((one.line().as_str(), two.line().as_str()), (SUCCESS, SUCCESS));
    let wrong = json!({ "key_id": key.0, "otp_attempt": "000000" });
    for _ in 0..3 {
        assert_eq!(app.post_named("r2", PATH, wrong.clone()).await.line(), INVALID);
    }
    assert_eq!(failed_attempts(&app).await, 1);
}

/// shell-55
#[sqlx::test]
async fn ten_wrong_codes_lock_the_account_for_ten_minutes(pool: PgPool) {
    let app = app(pool);
    let (user, key) = rubi(&app).await;
    for _ in 0..10 {
        assert_eq!(show(&app, key, "000000").await.line(), INVALID);
    }
    assert_eq!(show(&app, key, &code(&app, 0)).await.line(), LOCKED);
    let consumed: Option<i32> =
        app.given().value(&format!("select consumed_timestep from users where id = {user}")).await;
    assert_eq!((consumed, failed_attempts(&app).await), (None, 10));
    app.clock.set(app.clock.now() + TimeDelta::minutes(10));
    assert_eq!(show(&app, key, "000000").await.line(), INVALID);
    assert_eq!(failed_attempts(&app).await, 1);
    assert_eq!(show(&app, key, &code(&app, 0)).await.line(), SUCCESS);
    let locked: Option<chrono::NaiveDateTime> =
        app.given().value(&format!("select locked_at from users where id = {user}")).await;
    assert_eq!(locked, None);
    app.given().user_is(user, "state = 'blocked'").await;
    assert_eq!(show(&app, key, &code(&app, 1)).await.line(), LOCKED);
}

#[sqlx::test]
async fn guesses_at_once_are_all_counted_and_no_more_than_ten_are_heard(pool: PgPool) {
    let app = app(pool.clone());
    let (_, key) = rubi(&app).await;
    // Two servers over one database.
    let second = TestApp::with(pool, "gatehouse: {two_factor_for_git: true}");
    let mut guesses = tokio::task::JoinSet::new();
    for guess in 0..24 {
        let router = if guess % 2 == 0 { app.router.clone() } else { second.router.clone() };
        let request = app.signed("POST", PATH).header("content-type", "application/json");
        let body = json!({ "key_id": key.0, "otp_attempt": format!("{guess:06}") }).to_string();
        let request = request.body(axum::body::Body::from(body)).unwrap();
        guesses.spawn(async move {
            let response = tower::ServiceExt::oneshot(router, request).await.unwrap();
            let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
            String::from_utf8(body.to_vec()).unwrap()
        });
    }
    let answers = guesses.join_all().await;
    let heard = answers.iter().filter(|answer| answer.contains("Invalid OTP")).count();
    let locked = answers.iter().filter(|answer| answer.contains("locked")).count();
    assert_eq!((heard, locked), (10, 14), "{answers:?}");
}

/// shell-56
#[sqlx::test]
async fn clocks_may_differ_by_a_step(pool: PgPool) {
    let app = app(pool);
    let (_, key) = rubi(&app).await;
    assert_eq!(show(&app, key, &code(&app, -2)).await.line(), INVALID);
    assert_eq!(show(&app, key, &code(&app, 2)).await.line(), INVALID);
    assert_eq!(show(&app, key, &format!(" {}\n", code(&app, -1))).await.line(), SUCCESS);
}

/// shell-57
#[sqlx::test]
async fn without_the_setting_there_is_no_such_thing(pool: PgPool) {
    let app = TestApp::new(pool);
    let (_, key) = rubi(&app).await;
    app.given().project("g/p").await.reporter("rubi").await;
    assert_eq!(show(&app, key, &code(&app, 0)).await.line(), UNAVAILABLE);
    assert_eq!(fetch(&app, key).await.status, 200);
}

#[sqlx::test]
async fn whoever_has_no_second_factor_shows_none(pool: PgPool) {
    let app = app(pool);
    let given = app.given();
    let (user, key) = rubi(&app).await;
    let plain = given.key(given.user("plain").await, "plain").await;
    let deploy_key = given.deploy_key(None, "deploy").await;
    let orphan = given.key(user, "orphan").await;
    given.key_is(orphan, "user_id = null").await;
    let why = async |key: KeyId| show(&app, key, "000000").await.message();
    assert_eq!(why(KeyId(999_999)).await, "Could not find the given key");
    assert_eq!(why(orphan).await, "Could not find a user for the given key");
    assert_eq!(why(deploy_key).await, "Deploy keys cannot be used for Two Factor");
    assert_eq!(why(plain).await, "Two-factor authentication is not enabled for this user");
    let by_user = app.post(PATH, json!({ "user_id": user.0, "otp_attempt": code(&app, 0) })).await;
    assert_eq!(by_user.message(), "Could not find the given key");
    assert_eq!(app.post(PATH, json!({ "key_id": key.0 })).await.line(), INVALID);
    // The name of old clients.
    let old = app.post("/two_factor_otp_check", json!({ "key_id": key.0, "otp_attempt": code(&app, 0) })).await;
    assert_eq!(old.line(), SUCCESS);
}

#[sqlx::test]
async fn a_secret_that_gitlab_sealed_is_nobodys_mistake(pool: PgPool) {
    let app = app(pool);
    let (user, key) = rubi(&app).await;
    app.given().user_is(user, "encrypted_otp_secret = 'aGVsbG8='").await;
    assert_eq!(show(&app, key, &code(&app, 0)).await.line(), INVALID);
    assert_eq!(failed_attempts(&app).await, 0);
}

#[sqlx::test]
async fn an_otp_secret_is_read_as_it_was_set(pool: PgPool) {
    let app = app(pool);
    let (user, _) = rubi(&app).await;
    let seal = Seal::of_otp_secrets(&app.secrets.db_key_base);
    let found = two_factor::find_otp_secret(&app.pool, &seal, user).await.unwrap().unwrap().unwrap();
    assert_eq!(found.expose_secret(), SECRET);
    let stored: String = app
        .given()
        .value(&format!("select concat(encrypted_otp_secret, encrypted_otp_secret_iv) from users where id = {user}"))
        .await;
    assert!(stored.starts_with("gatehouse-1:") && !stored.contains(SECRET));
    let nobody = two_factor::find_otp_secret(&app.pool, &seal, UserId(999_999)).await.unwrap();
    assert!(nobody.is_none());
}
