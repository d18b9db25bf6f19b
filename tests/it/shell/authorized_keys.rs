//! `GET /authorized_keys`.

use gatehouse::domain::ids::KeyId;
use sqlx::PgPool;

use crate::support::{Given, Reply, TestApp, key_body, rsa_key};

const NOT_FOUND: &str = r#"404 {"message":"404 Key Not Found"}"#;

async fn offer(app: &TestApp, key: &str) -> Reply {
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("key", key).finish();
    app.get(&format!("/authorized_keys?{query}")).await
}

async fn key_of(given: &Given, username: &str) -> KeyId {
    given.key(given.user(username).await, username).await
}

/// shell-16, shell-17: OpenSSH sends the padding, gitlab-sshd does not
#[sqlx::test]
async fn a_key_is_found_by_its_body(pool: PgPool) {
    let app = TestApp::with(pool, "gitlab: {host: git.example.com}");
    let given = app.given();
    given.sql("select setval('keys_id_seq', 10)").await;
    let line = rsa_key(1024);
    let key = given.key_line(given.user("rubi").await, &line).await;
    given.key_is(key, "created_at = '2019-06-27 15:29:02.219', expires_at = '2030-01-01 00:00+00'").await;
    let body = line.split(' ').nth(1).unwrap();
    assert!(body.ends_with("=="), "a body with padding to leave out: {body}");
    let reply = offer(&app, body).await;
    assert_eq!(reply.status, 200);
    insta::assert_snapshot!(serde_json::to_string_pretty(&reply.json()).unwrap(), @r#"
    {
      "created_at": "2019-06-27T15:29:02.219Z",
      "expires_at": "2030-01-01T00:00:00.000Z",
      "id": 11,
      "key": "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQCAAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ== Rubi (git.example.com)",
      "title": "laptop",
      "usage_type": "auth_and_signing"
    }
    "#);
    for spelling in [body.trim_end_matches('=').to_owned(), format!("{} \n{}", &body[..20], &body[20..])] {
        assert_eq!(offer(&app, &spelling).await.line(), reply.line(), "{spelling}");
    }
}

/// The vector of shell.md 2.2: a body with a plus sign, and the fingerprint that belongs to it.
#[sqlx::test]
async fn the_fingerprint_of_the_contract_finds_the_key_of_the_contract(pool: PgPool) {
    let app = TestApp::new(pool);
    let given = app.given();
    let body = "AAAAC3NzaC1lZDI1NTE5AAAAIJGqoRS+LWxqv1FzcMmXnVvKMLMlXGHTj+ORlVn0Wd0F";
    let key = key_of(&given, "rubi").await;
    let fingerprint = "decode('UQgfNA1kkYzsHkPJTNi8hMd7f8m3u20G/1SBO+8fHxU=', 'base64')";
    given.key_is(key, &format!("key = 'ssh-ed25519 {body}', fingerprint_sha256 = {fingerprint}")).await;
    assert_eq!(offer(&app, body).await.json()["id"], key.0);
    // A plus sign that is not encoded is a space, and what is left is another key.
    assert_eq!(app.get(&format!("/authorized_keys?key={body}")).await.line(), NOT_FOUND);
}

/// shell-19
#[sqlx::test]
async fn keys_that_log_nobody_in_are_not_found(pool: PgPool) {
    let app = TestApp::new(pool);
    let given = app.given();
    let key = key_of(&given, "rubi").await;
    given.key_is(key, "usage_type = 2").await;
    assert_eq!(offer(&app, &key_body("rubi")).await.line(), NOT_FOUND, "for signing alone");
    given.key_is(key, "usage_type = 1").await;
    assert_eq!(offer(&app, &key_body("rubi")).await.json()["usage_type"], "auth");
    given.key_is(key, "user_id = null").await;
    assert_eq!(offer(&app, &key_body("rubi")).await.line(), NOT_FOUND, "an orphan");
    let body = key_body("unknown");
    for other in [&*body, &body[..40], "garbage", "%", "ssh-ed25519 AAAA rubi", "=", ""] {
        assert_eq!(offer(&app, other).await.line(), NOT_FOUND, "{other}");
    }
}

/// shell-20
#[sqlx::test]
async fn expired_keys_and_keys_of_blocked_users_are_found(pool: PgPool) {
    let app = TestApp::new(pool);
    let given = app.given();
    let key = key_of(&given, "rubi").await;
    given.key_is(key, "expires_at = '2020-01-01'").await;
    given.user_is(given.user("rubi").await, "state = 'blocked'").await;
    assert_eq!(offer(&app, &key_body("rubi")).await.json()["id"], key.0);
}

/// shell-21
#[sqlx::test]
async fn a_request_without_a_key_says_what_is_missing(pool: PgPool) {
    let app = TestApp::new(pool);
    let expected = r#"400 {"error":"key is missing","message":"400 Bad request - key is missing"}"#;
    assert_eq!(app.get("/authorized_keys").await.line(), expected);
    assert_eq!(app.get("/authorized_keys?fingerprint=aa:bb").await.line(), expected);
}

/// shell-22
#[sqlx::test]
async fn the_key_is_one_line_whatever_its_owner_is_called(pool: PgPool) {
    let app = TestApp::new(pool);
    let given = app.given();
    key_of(&given, "rubi").await;
    given.user_is(given.user("rubi").await, r"name = E'Dede\nssh-rsa\r\tAAAA\u0085 Ünal'").await;
    let expected = format!("ssh-ed25519 {} Dedessh-rsaAAAA Ünal (localhost)", key_body("rubi"));
    assert_eq!(offer(&app, &key_body("rubi")).await.json()["key"], expected);
}

#[sqlx::test]
async fn a_deploy_key_bears_its_creators_name(pool: PgPool) {
    let app = TestApp::new(pool);
    let given = app.given();
    let rubi = given.user("rubi").await;
    given.deploy_key(Some(rubi), "first").await;
    given.deploy_key(None, "second").await;
    let key = async |word: &str| offer(&app, &key_body(word)).await.json()["key"].as_str().unwrap().to_owned();
    assert!(key("first").await.ends_with(" Rubi (localhost)"));
    assert!(key("second").await.ends_with(" Ghost User (localhost)"));
}
