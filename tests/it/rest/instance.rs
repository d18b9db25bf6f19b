//! What the installation says of itself.

use serde_json::json;
use sqlx::PgPool;

use super::world::{FORBIDDEN, World};

/// rest-15
#[sqlx::test]
async fn clients_learn_whom_they_talk_to(pool: PgPool) {
    let world = World::new(pool).await;
    let version = world.call("dev", "GET", "/version").await.json();
    assert_eq!(version["version"].as_str().unwrap().split('.').count(), 3);
    assert!(version["revision"].is_string());
    let metadata = world.call("dev", "GET", "/metadata").await.json();
    let keys: Vec<&String> = metadata.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["enterprise", "kas", "revision", "version"]);
    assert_eq!(metadata["kas"]["enabled"], json!(false));
    assert_eq!(world.call("dev", "GET", "/license").await.line(), r#"404 {"error":"404 Not Found"}"#);
    assert_eq!(world.call("dev", "GET", "/topics").await.line(), "200 []");
    assert_eq!(world.call("root", "GET", "/admin/ci/variables").await.line(), "200 []");
    assert_eq!(world.call("dev", "GET", "/admin/ci/variables").await.line(), FORBIDDEN);
}

#[sqlx::test]
async fn the_version_is_a_setting(pool: PgPool) {
    let world = World::with(pool, "gitlab: {version: 18.2.1}").await;
    assert_eq!(world.call("dev", "GET", "/version").await.json()["version"], json!("18.2.1"));
}
