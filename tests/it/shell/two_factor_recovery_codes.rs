//! `POST /two_factor_recovery_codes`: ten new codes in place of those before.

use std::time::{Duration, Instant};

use axum::body::Body;
use gatehouse::domain::ids::{KeyId, UserId};
use serde_json::json;
use sqlx::PgPool;

use crate::support::{Reply, TestApp};

const PATH: &str = "/two_factor_recovery_codes";

async fn ask(app: &TestApp, key: impl ToString) -> Reply {
    app.post(PATH, json!({ "key_id": key.to_string() })).await
}

/// rubi, who has a second factor, and a key of hers.
async fn rubi(app: &TestApp) -> (UserId, KeyId) {
    let given = app.given();
    let user = given.user("rubi").await;
    given.user_is(user, "otp_required_for_login = true").await;
    (user, given.key(user, "laptop").await)
}

fn refusal(reason: &str) -> String {
    format!(r#"200 {{"message":"{reason}","success":false}}"#)
}

/// shell-14
#[sqlx::test]
async fn a_broken_body_is_told_apart_from_a_refusal(pool: PgPool) {
    let app = TestApp::new(pool);
    let request = app.signed("POST", PATH).header("content-type", "application/json");
    let reply = app.send(request.body(Body::from(r#"{"key_id":"#)).unwrap()).await;
    assert_eq!((reply.status.as_u16(), reply.message().as_str()), (400, "400 Bad request - invalid JSON body"));
}

/// shell-37 shell-38 shell-39
#[sqlx::test]
async fn only_the_owner_of_a_second_factor_gets_codes(pool: PgPool) {
    let app = TestApp::new(pool);
    let given = app.given();
    let orphan = given.key(given.user("gone").await, "orphan").await;
    given.key_is(orphan, "user_id = null").await;
    let deploy_key = given.deploy_key(None, "deploy").await;
    let plain = given.key(given.user("plain").await, "plain").await;
    let signing = given.key(given.user("plain").await, "signing").await;
    given.key_is(signing, "usage_type = 2").await;

    assert_eq!(ask(&app, 999_999).await.line(), refusal("Could not find the given key"));
    assert_eq!(ask(&app, signing).await.line(), refusal("Could not find the given key"));
    assert_eq!(ask(&app, "abc").await.line(), refusal("Could not find the given key"));
    assert_eq!(app.post(PATH, json!({})).await.line(), refusal("Could not find the given key"));
    assert_eq!(ask(&app, orphan).await.line(), refusal("Could not find a user for the given key"));
    let deploy = refusal("Deploy keys cannot be used to retrieve recovery codes");
    assert_eq!(ask(&app, deploy_key).await.line(), deploy);
    let off = refusal("Two-factor authentication is not enabled for this user");
    assert_eq!(ask(&app, plain).await.line(), off);
    let refused: i64 = given.value("select count(*) from audit_events where details like '%codes_refused%'").await;
    assert_eq!(refused, 7);
}

/// shell-40
#[sqlx::test]
async fn a_user_may_be_named_by_id(pool: PgPool) {
    let app = TestApp::new(pool);
    let (user, _) = rubi(&app).await;
    for nobody in [json!(0), json!("0"), json!(999_999)] {
        let reply = app.post(PATH, json!({ "user_id": nobody })).await;
        assert_eq!(reply.line(), refusal("Could not find the given user"));
    }
    let reply = app.post(PATH, json!({ "user_id": user.0 })).await;
    assert_eq!(reply.json()["recovery_codes"].as_array().unwrap().len(), 10);
}

/// shell-41
#[sqlx::test]
async fn it_is_a_post(pool: PgPool) {
    let app = TestApp::new(pool);
    let reply = app.get(PATH).await;
    assert_eq!((reply.status.as_u16(), reply.message().as_str()), (405, "405 Not Allowed"));
}

#[sqlx::test]
async fn ten_codes_replace_those_before_and_are_stored_as_devise_does(pool: PgPool) {
    let app = TestApp::new(pool);
    let (user, key) = rubi(&app).await;
    app.given().user_is(user, r#"otp_backup_codes = '["old"]'"#).await;
    let reply = ask(&app, key).await;
    let body = reply.json();
    assert_eq!(body["success"], true);
    let codes: Vec<&str> =
        body["recovery_codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect();
    assert!(codes.iter().all(|code| code.len() == 16 && code.bytes().all(|digit| digit.is_ascii_hexdigit())));
    let stored: String = app.given().value(&format!("select otp_backup_codes from users where id = {user}")).await;
    let hashes: Vec<String> = serde_json::from_str(&stored).unwrap();
    assert_eq!(hashes.len(), 10);
    assert!(hashes.iter().all(|hash| hash.starts_with("$2a$10$") && hash.len() == 60));
    assert!(bcrypt::verify(codes[0], &hashes[0]).unwrap() && bcrypt::verify(codes[9], &hashes[9]).unwrap());
}

#[sqlx::test]
async fn the_same_request_twice_at_once_gets_the_same_codes(pool: PgPool) {
    let app = TestApp::new(pool);
    let (user, key) = rubi(&app).await;
    let body = json!({ "key_id": key.to_string() });
    let (one, two, three) = tokio::join!(
        app.post_named("r1", PATH, body.clone()),
        app.post_named("r1", PATH, body.clone()),
        app.post_named("r1", PATH, body.clone()),
    );
    assert_eq!((one.line(), one.line()), (two.line(), three.line()));
    assert_eq!(app.post_named("r1", PATH, body.clone()).await.line(), one.line());
    assert_ne!(app.post_named("r2", PATH, body).await.line(), one.line());
    let issued: i64 = app.given().value("select count(*) from audit_events where details like '%codes_issued%'").await;
    assert_eq!(issued, 2, "user {user}");
}

/// The figures are printed: `cargo test a_burst -- --nocapture`.
#[sqlx::test]
async fn a_burst_does_not_slow_a_fetch(pool: PgPool) {
    let app = TestApp::new(pool);
    let (_, key) = rubi(&app).await;
    app.given().project("g/p").await.reporter("rubi").await;
    let fetch = json!({
        "action": "git-upload-pack", "project": "g/p.git", "changes": "_any", "protocol": "ssh", "key_id": key.0,
    });
    let median = async |rounds: u32| {
        let mut times = Vec::new();
        for _ in 0..rounds {
            let started = Instant::now();
            assert_eq!(app.post("/allowed", fetch.clone()).await.status, 200);
            times.push(started.elapsed());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        times.sort();
        (times[times.len() / 2], times[times.len() - 1])
    };
    median(20).await;
    let idle = median(50).await;
    let burst = async {
        let asked = (0..8).map(|_| ask(&app, key));
        let started = Instant::now();
        let mut replies = Vec::new();
        // All are under way at once; each is polled while the fetches below are.
        for reply in futures(asked).await {
            replies.push(reply.status.as_u16());
        }
        (replies, started.elapsed())
    };
    let ((replies, took), busy) = tokio::join!(burst, median(50));
    println!("/allowed idle {idle:?} (median, worst), under 8 requests for codes {busy:?}; those took {took:?}");
    assert_eq!(replies, [200; 8]);
    // Hashing on the threads that answer would cost a fetch a whole set of codes, half a second.
    assert!(busy.0 < Duration::from_millis(250), "{busy:?}");
}

/// All of them at once.
async fn futures<F: Future<Output = Reply>>(all: impl Iterator<Item = F>) -> Vec<Reply> {
    let mut waiting: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|context| {
        for (one, done) in &mut waiting {
            if done.is_none()
                && let std::task::Poll::Ready(reply) = one.as_mut().poll(context)
            {
                *done = Some(reply);
            }
        }
        if waiting.iter().all(|(_, done)| done.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    waiting.into_iter().filter_map(|(_, done)| done).collect()
}
