//! Deploy keys of projects and of the installation.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::world::{FORBIDDEN, NO_ROW, World};
use crate::support::key_body;

const KEYS: &str = "/projects/20/deploy_keys";
const NO_KEY: &str = r#"404 {"message":"404 Deploy Key Not Found"}"#;

fn key(word: &str) -> Value {
    json!({ "title": word, "key": format!("ssh-ed25519 {} {word}@example.com", key_body(word)) })
}

/// rest-82
#[sqlx::test]
async fn a_key_is_made_once_and_linked_where_one_maintains_a_project_that_has_it(pool: PgPool) {
    let world = World::new(pool).await;
    let made = world.json("mai", "POST", KEYS, key("k")).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let shape = made.json();
    assert_eq!(
        (&shape["title"], &shape["can_push"], &shape["usage_type"]),
        (&json!("k"), &json!(false), &json!("auth_and_signing"))
    );
    assert!(shape["fingerprint_sha256"].as_str().unwrap().starts_with("SHA256:"), "{shape}");
    assert!(shape.get("fingerprint").is_none_or(|md5| md5.as_str().unwrap().len() == 47), "{shape}");
    assert!(shape["key"].as_str().unwrap().ends_with(" k@example.com"), "{shape}");
    let mut again = key("k");
    again["can_push"] = true.into();
    let again = world.json("mai", "POST", KEYS, again).await;
    assert_eq!((again.status.as_u16(), again.json()), (201, shape.clone()), "what the project says of it stays");
    let linked = world.json("own", "POST", "/projects/22/deploy_keys", key("k")).await;
    assert_eq!((linked.status.as_u16(), &linked.json()["id"]), (201, &shape["id"]), "{}", linked.text);
    let found = world.call("mai", "GET", &format!("{KEYS}/{}", shape["id"])).await;
    assert_eq!(found.json(), shape);
    let owner: i64 = world.given().value("select user_id from keys where type = 'DeployKey'").await;
    assert_eq!(owner, 3, "it pushes with the rights of who made it");
    assert_eq!(world.json("dev", "POST", KEYS, key("x")).await.line(), FORBIDDEN);
    assert_eq!(world.call("dev", "GET", KEYS).await.line(), FORBIDDEN);
}

/// rest-83
#[sqlx::test]
async fn a_key_that_is_somebody_elses_is_taken(pool: PgPool) {
    let world = World::new(pool).await;
    world.given().key(gatehouse::domain::ids::UserId(4), "laptop").await;
    let taken = json!({ "message": { "deploy_key.fingerprint_sha256": ["has already been taken"] } });
    let reply = world.json("mai", "POST", KEYS, key("laptop")).await;
    assert_eq!(reply.line(), format!("400 {taken}"));
    // One of a project that they do not maintain.
    world.json("own", "POST", "/projects/22/deploy_keys", key("foreign")).await;
    let reply = world.json("mai", "POST", KEYS, key("foreign")).await;
    assert_eq!(reply.line(), format!("400 {taken}"));
    let broken = world.json("mai", "POST", KEYS, json!({ "title": "x", "key": "ssh-rsa xx" })).await;
    assert_eq!(broken.line(), r#"400 {"message":{"deploy_key.key":["is invalid"]}}"#);
    let mut past = key("past");
    past["expires_at"] = "2026-05-31T00:00:00Z".into();
    assert_eq!(
        world.json("mai", "POST", KEYS, past).await.json()["message"]["deploy_key.expires_at"][0],
        "must be in the future"
    );
    let none = world.json("mai", "POST", KEYS, json!({})).await;
    assert_eq!(none.line(), r#"400 {"error":"key is missing, title is missing"}"#);
    assert_eq!(world.call("mai", "GET", KEYS).await.line(), "200 []");
}

#[sqlx::test]
async fn a_public_key_is_enabled_and_fetches_alone(pool: PgPool) {
    let world = World::new(pool).await;
    assert_eq!(world.json("own", "POST", "/deploy_keys", key("p")).await.line(), FORBIDDEN);
    let made = world.json("root", "POST", "/deploy_keys", key("p")).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.json()["id"].clone();
    assert_eq!(made.json()["projects_with_write_access"], json!([]));
    let enable = format!("{KEYS}/{id}/enable");
    for _ in 0..2 {
        let enabled = world.call("mai", "POST", &enable).await;
        assert_eq!((enabled.status.as_u16(), &enabled.json()["can_push"]), (201, &json!(false)), "{}", enabled.text);
    }
    let listed = world.call("root", "GET", "/deploy_keys?public=true").await.json();
    assert_eq!(listed[0]["projects_with_readonly_access"][0]["path_with_namespace"], "acme/app");
    assert_eq!(world.call("mai", "GET", "/deploy_keys").await.line(), FORBIDDEN);
    assert_eq!(world.call("mai", "POST", &format!("{KEYS}/999/enable")).await.line(), NO_KEY);
    // Others see its title: only administrators change it.
    let path = format!("{KEYS}/{id}");
    let changed = world.json("mai", "PUT", &path, json!({ "title": "mine", "can_push": true })).await.json();
    assert_eq!((&changed["title"], &changed["can_push"]), (&json!("p"), &json!(true)));
    let changed = world.json("root", "PUT", &path, json!({ "title": "ours" })).await.json();
    assert_eq!(changed["title"], "ours");
    assert_eq!(world.call("mai", "DELETE", &path).await.line(), "204 ");
    assert_eq!(world.call("mai", "DELETE", &path).await.line(), NO_KEY);
    assert_eq!(world.call("mai", "GET", &path).await.line(), NO_ROW);
    assert_eq!(world.call("root", "GET", "/deploy_keys").await.json()[0]["id"], id, "it stays, for it is public");
}

#[sqlx::test]
async fn a_title_is_changed_where_no_other_project_sees_it(pool: PgPool) {
    let world = World::new(pool).await;
    let id = world.json("mai", "POST", KEYS, key("k")).await.json()["id"].clone();
    let path = format!("{KEYS}/{id}");
    let changed = world.json("mai", "PUT", &path, json!({ "title": "builder", "can_push": true })).await;
    assert_eq!((changed.status.as_u16(), &changed.json()["title"]), (200, &json!("builder")), "{}", changed.text);
    world.json("own", "POST", "/projects/22/deploy_keys", key("k")).await;
    let kept = world.json("mai", "PUT", &path, json!({ "title": "x" })).await.json();
    assert_eq!(kept["title"], "builder");
    let none = world.json("mai", "PUT", &path, json!({})).await;
    assert_eq!(none.line(), r#"400 {"error":"title, can_push are missing, at least one parameter must be provided"}"#);
    assert_eq!(world.json("mai", "PUT", &format!("{KEYS}/999"), json!({ "title": "x" })).await.line(), NO_ROW);
}

/// rest-85
#[sqlx::test]
async fn a_key_without_a_project_goes_and_opens_nothing(pool: PgPool) {
    let world = World::new(pool).await;
    let mut pushes = key("k");
    pushes["can_push"] = true.into();
    let id = world.json("mai", "POST", KEYS, pushes).await.json()["id"].clone();
    let rule = json!({ "name": "main", "allowed_to_push": [{ "deploy_key_id": id }] });
    assert_eq!(world.json("mai", "POST", "/projects/20/protected_branches", rule).await.status, 201);
    let fetch = async || {
        world
            .app
            .post_form("/allowed", &format!("key_id={id}&project=acme/app&action=git-upload-pack&protocol=ssh"))
            .await
    };
    assert_eq!(fetch().await.status, 200);
    assert_eq!(world.call("mai", "DELETE", &format!("{KEYS}/{id}")).await.line(), "204 ");
    assert_ne!(fetch().await.status, 200);
    let left: i64 = world
        .given()
        .value("select (select count(*) from keys) + (select count(*) from protected_branch_push_access_levels)")
        .await;
    assert_eq!(left, 0, "the key and what rules say of it");
    assert_eq!(world.events().await, ["deploy_key_added", "protected_branch_created", "deploy_key_removed"]);
}
