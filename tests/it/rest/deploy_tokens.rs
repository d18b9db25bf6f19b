//! Deploy tokens of projects and groups.

use serde_json::json;
use sqlx::PgPool;

use super::world::{FORBIDDEN, NO_ROW, World};
use crate::git_http;

const TOKENS: &str = "/projects/20/deploy_tokens";
const OF_GROUP: &str = "/groups/10/deploy_tokens";

async fn clone(world: &World, project: &str, login: &str, token: &str) -> u16 {
    let path = format!("/{project}.git/info/refs?service=git-upload-pack");
    let request = git_http::signed("GET", &path, Some((login, token)));
    world.app.send(request.body(axum::body::Body::empty()).unwrap()).await.status.as_u16()
}

/// rest-95
#[sqlx::test]
async fn a_token_clones_until_its_end_and_is_shown_once(pool: PgPool) {
    let world = World::new(pool).await;
    let stated = json!({ "name": "ci", "scopes": "read_repository", "expires_at": "2026-06-02" });
    let made = world.json("mai", "POST", TOKENS, stated).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let shape = made.json();
    assert_eq!(shape["expires_at"], "2026-06-02T00:00:00.000Z");
    assert_eq!(
        (&shape["scopes"], &shape["revoked"], &shape["expired"]),
        (&json!(["read_repository"]), &json!(false), &json!(false))
    );
    let (id, token) = (shape["id"].as_i64().unwrap(), shape["token"].as_str().unwrap());
    let login = format!("gitlab+deploy-token-{id}");
    assert_eq!(shape["username"], login.as_str());
    let found = world.call("mai", "GET", &format!("{TOKENS}/{id}")).await;
    assert_eq!(found.json().get("token"), None);
    assert_eq!(world.call("mai", "GET", TOKENS).await.json(), json!([found.json()]));
    assert_eq!(clone(&world, "acme/app", &login, token).await, 200);
    assert_eq!(clone(&world, "acme/sub/lib", &login, token).await, 401, "it is of another project");
    assert_eq!(world.call("mai", "DELETE", &format!("{TOKENS}/{id}")).await.line(), "204 ");
    assert_eq!(clone(&world, "acme/app", &login, token).await, 401);
    assert_eq!(world.call("mai", "DELETE", &format!("{TOKENS}/{id}")).await.line(), NO_ROW);
    assert_eq!(world.call("mai", "GET", &format!("{TOKENS}/{id}")).await.line(), NO_ROW);
    let today = json!({ "name": "old", "scopes": ["read_repository"], "expires_at": "2026-06-01", "username": "ci" });
    let dead = world.json("mai", "POST", TOKENS, today).await;
    assert_eq!((dead.status.as_u16(), &dead.json()["expired"]), (201, &json!(true)), "{}", dead.text);
    assert_eq!(clone(&world, "acme/app", "ci", dead.json()["token"].as_str().unwrap()).await, 401);
    assert_eq!(world.call("mai", "GET", &format!("{TOKENS}?active=true")).await.line(), "200 []");
    assert_eq!(world.call("dev", "GET", TOKENS).await.line(), FORBIDDEN);
    assert_eq!(world.events().await, ["deploy_token_created", "deploy_token_destroyed", "deploy_token_created"]);
}

#[sqlx::test]
async fn a_token_of_a_group_opens_all_that_is_below_it(pool: PgPool) {
    let world = World::new(pool).await;
    let scopes = ["write_registry", "read_repository", "read_registry"];
    let stated = json!({ "name": "all", "scopes": scopes, "username": "deployer" });
    assert_eq!(world.json("mai", "POST", OF_GROUP, stated.clone()).await.line(), FORBIDDEN);
    let made = world.json("own", "POST", OF_GROUP, stated).await.json();
    assert_eq!((&made["expires_at"], &made["username"]), (&json!(null), &json!("deployer")));
    assert_eq!(made["scopes"], json!(["read_repository", "read_registry", "write_registry"]), "in GitLab's order");
    let token = made["token"].as_str().unwrap();
    for project in ["acme/app", "acme/sub/lib"] {
        assert_eq!(clone(&world, project, "deployer", token).await, 200, "{project}");
    }
    assert_eq!(world.call("mai", "GET", OF_GROUP).await.json()[0]["id"], made["id"]);
    assert_eq!(world.call("mai", "DELETE", &format!("{OF_GROUP}/{}", made["id"])).await.line(), FORBIDDEN);
    assert_eq!(world.call("dev", "GET", OF_GROUP).await.line(), FORBIDDEN);
    assert_eq!(world.call("mai", "GET", &format!("{TOKENS}/{}", made["id"])).await.line(), NO_ROW);
    let all = world.call("root", "GET", "/deploy_tokens?active=true").await;
    assert_eq!((&all.json()[0]["id"], all.headers["x-total"].to_str().unwrap()), (&made["id"], "1"));
    assert_eq!(world.call("own", "GET", "/deploy_tokens").await.line(), FORBIDDEN);
    assert_eq!(world.call("own", "DELETE", &format!("{OF_GROUP}/{}", made["id"])).await.line(), "204 ");
}

#[sqlx::test]
async fn a_token_that_cannot_be_is_refused(pool: PgPool) {
    let world = World::new(pool).await;
    for (body, said) in [
        (json!({}), r#"{"error":"name is missing, scopes is missing"}"#),
        (json!({ "name": "x", "scopes": "api" }), r#"{"error":"scopes does not have a valid value"}"#),
        (json!({ "name": "x", "scopes": [] }), r#"{"message":{"scopes":["can't be blank"]}}"#),
        (json!({ "name": " ", "scopes": ["read_registry"] }), r#"{"message":{"name":["can't be blank"]}}"#),
        (
            json!({ "name": "x", "scopes": ["read_registry"], "expires_at": "-9999-01-01" }),
            r#"{"error":"expires_at is invalid"}"#,
        ),
        (
            json!({ "name": "x", "scopes": ["read_registry"], "expires_at": "+10000-01-01T00:00:00Z" }),
            r#"{"error":"expires_at is invalid"}"#,
        ),
        (
            json!({ "name": "x", "scopes": ["read_registry"], "expires_at": "soon" }),
            r#"{"error":"expires_at is invalid"}"#,
        ),
        (
            json!({ "name": "x", "scopes": ["read_registry"], "username": "a b" }),
            r#"{"message":{"username":["can contain only letters, digits, '_', '-', '+', and '.'"]}}"#,
        ),
    ] {
        assert_eq!(world.json("mai", "POST", TOKENS, body).await.line(), format!("400 {said}"));
    }
    let tokens: i64 = world.given().value("select count(*) from deploy_tokens").await;
    assert_eq!(tokens, 0);
}
