//! SSH keys of users.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::world::World;
use crate::support::{dsa_1024_key, key_body};

fn key_line(word: &str) -> String {
    format!("ssh-ed25519 {} someone@example.com", key_body(word))
}

fn key(title: &str, line: &str) -> Value {
    json!({ "title": title, "key": line })
}

/// rest-27
#[sqlx::test]
async fn users_keep_their_own_keys(pool: PgPool) {
    let world = World::new(pool).await;
    let made = world.json("dev", "POST", "/user/keys", key("laptop", &key_line("laptop"))).await;
    let shape = made.json();
    assert_eq!((made.status.as_u16(), &shape["usage_type"]), (201, &json!("auth_and_signing")));
    assert!(shape["key"].as_str().unwrap().ends_with(" Dev (localhost)"), "{shape}");
    let taken = world.json("mai", "POST", "/user/keys", key("mine", &key_line("laptop"))).await;
    assert_eq!(taken.line(), r#"400 {"message":{"fingerprint_sha256":["has already been taken"]}}"#);
    let path = format!("/user/keys/{}", shape["id"]);
    assert_eq!(world.call("dev", "GET", &path).await.json(), shape);
    assert_eq!(world.call("dev", "GET", "/user/keys").await.json(), json!([shape]));
    assert_eq!(world.call("mai", "GET", "/users/dev/keys").await.json(), json!([shape]));
    let of_others = world.call("mai", "GET", &path).await;
    assert_eq!(of_others.line(), r#"404 {"message":"404 Key Not Found"}"#);
    assert_eq!(world.call("mai", "DELETE", &path).await.status, 404);
    assert_eq!(world.call("dev", "DELETE", &path).await.line(), "204 ");
    assert_eq!(world.call("dev", "DELETE", &path).await.status, 404);
    assert_eq!(world.events().await, ["key_added", "key_removed"]);
}

/// rest-28
#[sqlx::test]
async fn administrators_find_a_key_by_its_fingerprint(pool: PgPool) {
    let world = World::new(pool).await;
    let wrong = world.json("root", "POST", "/users/4/keys", key("x", "ssh-rsa xx")).await;
    assert_eq!(wrong.line(), r#"400 {"message":{"key":["is invalid"]}}"#);
    let made = world.json("root", "POST", "/users/4/keys", key("x", &key_line("x"))).await.json();
    let sha: String = world.given().value("select encode(fingerprint_sha256, 'base64') from keys").await;
    let asked = format!("/keys?fingerprint=SHA256:{}", sha.trim_end_matches('='));
    let found = world.call("root", "GET", &asked).await.json();
    assert_eq!((&found["id"], &found["user"]["id"]), (&made["id"], &json!(4)));
    let md5: String = world.given().value("select fingerprint::text from keys").await;
    assert_eq!(world.call("root", "GET", &format!("/keys?fingerprint={md5}")).await.json()["id"], made["id"]);
    assert_eq!(world.call("root", "GET", &format!("/keys/{}", made["id"])).await.json(), found);
    let malformed = world.call("root", "GET", "/keys?fingerprint=x").await;
    assert_eq!(malformed.line(), r#"400 {"message":"Failed to return the key"}"#);
    let zeros = format!("/keys?fingerprint=SHA256:{}", "A".repeat(43));
    assert_eq!(world.call("root", "GET", &zeros).await.line(), r#"404 {"message":"404 Key Not Found"}"#);
}

/// A `+` that a client does not encode arrives as a blank.
#[sqlx::test]
async fn a_blank_stands_for_a_plus(pool: PgPool) {
    let world = World::new(pool).await;
    let user = gatehouse::domain::ids::UserId(4);
    let mut found = false;
    for number in 0..40 {
        let id = world.given().key(user, &format!("key {number}")).await;
        let sha: String = world
            .given()
            .value(&format!("select encode(fingerprint_sha256, 'base64') from keys where id = {}", id.0))
            .await;
        if sha.contains('+') {
            let asked = format!("/keys?fingerprint=SHA256:{}", sha.trim_end_matches('='));
            assert_eq!(world.call("root", "GET", &asked).await.json()["id"], json!(id.0));
            found = true;
        }
    }
    assert!(found, "none of the fingerprints has a +");
}

/// rest-29
#[sqlx::test]
async fn a_key_of_a_closed_type_is_refused(pool: PgPool) {
    let world = World::new(pool).await;
    let refused = world.json("dev", "POST", "/user/keys", key("old", &dsa_1024_key())).await;
    assert_eq!(
        refused.line(),
        r#"400 {"message":{"key":["type is forbidden. Must be RSA, ECDSA, ED25519, ECDSA_SK, or ED25519_SK"]}}"#
    );
    world.given().setting("max_ssh_key_lifetime = 10").await;
    let mut long = key("long", &key_line("long"));
    long["expires_at"] = json!("2026-07-01T00:00:00Z");
    let refused = world.json("dev", "POST", "/user/keys", long.clone()).await;
    assert_eq!(refused.line(), r#"400 {"message":{"expires_at":["must not be after 2026-06-11"]}}"#);
    long["expires_at"] = json!("2026-06-10");
    long["usage_type"] = json!("signing");
    let made = world.json("dev", "POST", "/user/keys", long).await.json();
    assert_eq!((&made["expires_at"], &made["usage_type"]), (&json!("2026-06-10T00:00:00.000Z"), &json!("signing")));
    let word = world.json("dev", "POST", "/user/keys", json!({ "title": "x", "key": "y", "usage_type": "z" })).await;
    assert_eq!(word.line(), r#"400 {"error":"usage_type does not have a valid value"}"#);
}

/// Ruling 44
#[sqlx::test]
async fn bots_leave_nothing_behind(pool: PgPool) {
    let world = World::new(pool).await;
    world.given().sql("update users set user_type = 6 where id = 4").await;
    for path in ["/user/keys", "/user/emails", "/user/personal_access_tokens"] {
        assert_eq!(world.json("dev", "POST", path, json!({})).await.status, 403, "{path}");
    }
}
