//! Who calls, with which scopes, and as whom.

use axum::body::Body;
use axum::http::Request;
use gatehouse::domain::ids::UserId;
use serde_json::json;
use sqlx::PgPool;

use super::world::{FORBIDDEN, World};
use crate::support::Reply;

const UNAUTHORIZED: &str = r#"401 {"message":"401 Unauthorized"}"#;

/// The contract's TS, TR and TU: root's with `sudo`, root's to read, dev's to read users.
async fn with_tokens(world: &World) {
    let tokens: [(i64, &str, &[&str]); 4] = [
        (1, "TS", &["api", "sudo"]),
        (1, "TR", &["read_api"]),
        (4, "TU", &["read_user"]),
        (4, "ROTATES", &["self_rotate"]),
    ];
    for (user, token, scopes) in tokens {
        world.given().personal_access_token(UserId(user), world.key(), token, scopes).await;
    }
}

async fn raw(world: &World, request: axum::http::request::Builder) -> Reply {
    world.app.send(request.body(Body::empty()).unwrap()).await
}

/// rest-1, rest-2
#[sqlx::test]
async fn a_token_says_who_calls(pool: PgPool) {
    let world = World::new(pool).await;
    assert_eq!(raw(&world, Request::get("/api/v4/user")).await.line(), UNAUTHORIZED);
    assert_eq!(world.call("nobody's", "GET", "/user").await.line(), UNAUTHORIZED);
    let bearer = Request::get("/api/v4/user").header("authorization", "Bearer T_dev");
    for request in [bearer, Request::get("/api/v4/user?private_token=T_dev")] {
        let own = raw(&world, request).await;
        assert_eq!((own.status.as_u16(), &own.json()["id"]), (200, &json!(4)));
        assert!(own.json().get("is_admin").is_none() && own.json()["email"] == "dev@example.com");
    }
    assert_eq!(world.call("root", "GET", "/user").await.json()["is_admin"], json!(true));
}

/// rest-3
#[sqlx::test]
async fn scopes_bound_what_a_token_opens(pool: PgPool) {
    let world = World::new(pool).await;
    with_tokens(&world).await;
    assert_eq!(world.call("TR", "GET", "/users").await.status, 200);
    let refused = world.json("TR", "POST", "/users", json!({})).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["error"]), (403, &json!("insufficient_scope")));
    assert_eq!(refused.json()["scope"], json!("api"));
    assert_eq!(world.call("TU", "GET", "/user").await.status, 200);
    assert_eq!(world.call("TU", "GET", "/namespaces").await.json()["scope"], json!("api read_api"));
}

/// rest-7
#[sqlx::test]
async fn administrators_act_as_others_and_nobody_else_does(pool: PgPool) {
    let world = World::new(pool).await;
    with_tokens(&world).await;
    let refused = world.call("root", "GET", "/user?sudo=4").await;
    assert_eq!((refused.status.as_u16(), &refused.json()["scope"]), (403, &json!("sudo")));
    let own = world.call("own", "GET", "/user?sudo=4").await;
    assert_eq!(own.line(), r#"403 {"message":"403 Forbidden - Must be admin to use sudo"}"#);
    let unknown = world.call("TS", "GET", "/user?sudo=nix").await;
    assert_eq!(unknown.line(), r#"404 {"message":"404 User with ID or username 'nix' Not Found"}"#);
    assert!(world.call("TS", "GET", "/user?sudo=blk").await.message().contains("has been blocked"));

    assert_eq!(world.call("TS", "GET", "/user?sudo=4").await.json()["id"], json!(4));
    assert_eq!(world.call("TS", "GET", "/user?sudo=DEV").await.json()["id"], json!(4));
    let header = Request::get("/api/v4/user").header("private-token", "TS").header("sudo", "dev");
    assert_eq!(raw(&world, header).await.json()["id"], json!(4));
    // Whom they act as is not clear: nothing happens as the administrator instead.
    let odd = r#"400 {"error":"sudo is invalid"}"#;
    assert_eq!(world.call("TS", "GET", "/user?sudo[]=4").await.line(), odd);
    assert_eq!(world.json("TS", "POST", "/users", json!({ "sudo": { "id": 4 } })).await.line(), odd);
    let header = Request::get("/api/v4/user").header("private-token", "TS").header("sudo", &b"d\xe9v"[..]);
    assert_eq!(raw(&world, header).await.line(), odd);
    let nobody = world.call("TS", "GET", "/user?sudo=").await;
    assert_eq!(nobody.line(), r#"404 {"message":"404 User with ID or username '' Not Found"}"#);
    // Rights are those of the account that is acted as.
    assert_eq!(world.json("TS", "POST", "/users", json!({ "sudo": "dev" })).await.line(), FORBIDDEN);
    let key =
        json!({ "title": "laptop", "key": format!("ssh-ed25519 {}", crate::support::key_body("laptop")), "sudo": 4 });
    assert_eq!(world.json("TS", "POST", "/user/keys", key).await.status, 201);
    let told: String = world
        .given()
        .value("select author_name || ': ' || details from audit_events where details like '%key_added%'")
        .await;
    assert!(told.starts_with("root: ") && told.contains("acting as dev, user 4"), "{told}");
}

/// rest-9
#[sqlx::test]
async fn every_get_takes_head_and_answers_plain_json(pool: PgPool) {
    let world = World::new(pool).await;
    let head = world.call("root", "HEAD", "/users").await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
    assert_eq!(head.headers["x-total"], "8");
    let got = world.call("root", "GET", "/users").await;
    assert_eq!(got.headers["content-type"], "application/json");
    assert_eq!(got.headers["x-content-type-options"], "nosniff");
    assert!(got.headers.contains_key("x-request-id"));
    let wrong = world.call("root", "PUT", "/users").await;
    assert_eq!((wrong.status.as_u16(), &wrong.json()["error"]), (405, &json!("405 Not Allowed")));
    assert!(wrong.headers["allow"].to_str().unwrap().contains("POST"), "{:?}", wrong.headers);
    let nowhere = world.call("root", "GET", "/nowhere").await;
    assert_eq!((nowhere.status.as_u16(), &nowhere.json()["error"]), (404, &json!("404 Not Found")));
}
