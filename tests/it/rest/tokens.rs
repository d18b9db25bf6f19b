//! Personal access tokens and impersonation tokens.

use gatehouse::domain::ids::UserId;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::world::World;

const UNAUTHORIZED: &str = r#"401 {"message":"401 Unauthorized"}"#;

async fn id_of(world: &World, user: i64) -> i64 {
    world.given().value(&format!("select max(id) from personal_access_tokens where user_id = {user}")).await
}

/// rest-31
#[sqlx::test]
async fn an_administrator_makes_a_token_for_somebody(pool: PgPool) {
    let world = World::new(pool).await;
    let path = "/users/4/personal_access_tokens";
    let wish = json!({ "name": "ci", "scopes": "api,read_user", "description": "d" });
    let made = world.json("root", "POST", path, wish).await;
    let shape = made.json();
    assert_eq!((made.status.as_u16(), &shape["scopes"]), (201, &json!(["api", "read_user"])));
    // As late as it may be.
    assert_eq!((&shape["expires_at"], &shape["active"]), (&json!("2027-06-01"), &json!(true)));
    let token = shape["token"].as_str().unwrap();
    assert_eq!(world.call(token, "GET", "/user").await.json()["id"], json!(4));
    let shown = world.call("root", "GET", &format!("/personal_access_tokens/{}", shape["id"])).await.json();
    assert!(shown.get("token").is_none() && shown["description"] == "d");
    let refused =
        async |scopes: Value| world.json("root", "POST", path, json!({ "name": "x", "scopes": scopes })).await.line();
    assert_eq!(refused(json!(["x"])).await, r#"400 {"error":"scopes does not have a valid value"}"#);
    assert_eq!(refused(json!([])).await, r#"400 {"message":{"scopes":["can't be blank"]}}"#);
    let sudo = r#"400 {"message":{"scopes":["can only contain available scopes"]}}"#;
    assert_eq!(refused(json!(["sudo"])).await, sudo);
    let late = json!({ "name": "x", "scopes": ["api"], "expires_at": "2027-06-02" });
    let late = world.json("root", "POST", path, late).await;
    assert_eq!(late.line(), r#"422 {"message":"Expiration date must be before 2027-06-01"}"#);
    let dead = json!({ "name": "x", "scopes": ["api"], "expires_at": "2026-06-01" });
    assert_eq!(world.json("root", "POST", path, dead).await.json()["active"], json!(false));
    assert_eq!(world.events().await, ["personal_access_token_issued", "personal_access_token_issued"]);
}

#[sqlx::test]
async fn users_make_tokens_for_clusters_alone(pool: PgPool) {
    let world = World::new(pool).await;
    let wish = |scope: &str| json!({ "name": "c", "scopes": [scope] });
    let made = world.json("dev", "POST", "/user/personal_access_tokens", wish("k8s_proxy")).await.json();
    assert_eq!((&made["expires_at"], &made["user_id"]), (&json!("2026-06-02"), &json!(4)));
    let refused = world.json("dev", "POST", "/user/personal_access_tokens", wish("api")).await;
    assert_eq!(refused.line(), r#"400 {"error":"scopes does not have a valid value"}"#);
}

/// rest-32
#[sqlx::test]
async fn users_look_at_their_own_tokens(pool: PgPool) {
    let world = World::new(pool).await;
    let listed = world.call("dev", "GET", "/personal_access_tokens").await.json();
    assert_eq!(listed.as_array().unwrap().iter().map(|token| &token["user_id"]).collect::<Vec<_>>(), [&json!(4)]);
    assert_eq!(world.call("dev", "GET", "/personal_access_tokens?user_id=1").await.line(), UNAUTHORIZED);
    let roots = format!("/personal_access_tokens/{}", id_of(&world, 1).await);
    assert_eq!(world.call("dev", "GET", &roots).await.line(), UNAUTHORIZED);
    assert_eq!(world.call("dev", "GET", "/personal_access_tokens/999").await.line(), UNAUTHORIZED);
    let refused = world.call("dev", "DELETE", &roots).await;
    assert_eq!(refused.line(), r#"400 {"message":"400 Bad request - Not permitted to revoke"}"#);
    let unknown = world.call("root", "GET", "/personal_access_tokens/999").await;
    assert_eq!(unknown.line(), r#"404 {"message":"404 Not Found"}"#);
    let unknown = world.call("root", "DELETE", "/personal_access_tokens/999").await;
    assert_eq!(unknown.line(), r#"404 {"message":"404 Not found"}"#);
    let devs = format!("/personal_access_tokens/{}", id_of(&world, 4).await);
    assert_eq!(world.call("root", "DELETE", &devs).await.line(), "204 ");
    assert_eq!(world.call("root", "DELETE", &devs).await.line(), "204 ");
    assert_eq!(world.call("dev", "GET", "/user").await.status, 401);
}

#[sqlx::test]
async fn tokens_are_looked_for(pool: PgPool) {
    let world = World::new(pool).await;
    world
        .given()
        .sql(
            "update personal_access_tokens set name = 'alpha 100%', created_at = '2020-01-01' where user_id = 2;
             update personal_access_tokens set revoked = true where user_id = 3;
             update personal_access_tokens set expires_at = '2026-06-01' where user_id = 4;
             update personal_access_tokens set last_used_at = '2021-01-01' where user_id = 5",
        )
        .await;
    let owners = async |query: &str| {
        let listed = world.call("root", "GET", &format!("/personal_access_tokens?{query}")).await.json();
        listed.as_array().unwrap().iter().map(|token| token["user_id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(owners("state=inactive").await, [3, 4]);
    assert_eq!(owners("state=active&user_id=2").await, [2]);
    assert_eq!(owners("revoked=true").await, [3]);
    assert_eq!(owners("search=00%25").await, [2]);
    assert_eq!(owners("created_before=2021-01-01").await, [2]);
    assert_eq!(owners("last_used_after=2020-01-01T00:00:00Z&last_used_before=2022-01-01").await, [5]);
    assert_eq!(owners("expires_before=2026-06-02").await, [4]);
    assert_eq!(owners("sort=name_asc&per_page=1").await, [2]);
    assert_eq!(owners("sort=created_asc&per_page=1").await, [2]);
    let unknown = world.call("root", "GET", "/personal_access_tokens?user_id=99").await;
    assert_eq!(unknown.line(), r#"404 {"message":"404 User Not Found"}"#);
}

/// rest-33
#[sqlx::test]
async fn a_token_takes_the_place_of_another(pool: PgPool) {
    let world = World::new(pool).await;
    world.given().personal_access_token(UserId(4), world.key(), "second", &["read_user"]).await;
    let old = id_of(&world, 4).await;
    let path = format!("/personal_access_tokens/{old}/rotate");
    let rotated = world.call("dev", "POST", &path).await;
    let shape = rotated.json();
    assert_eq!((rotated.status.as_u16(), &shape["expires_at"]), (200, &json!("2026-06-08")));
    assert_eq!((&shape["scopes"], &shape["name"]), (&json!(["read_user"]), &json!("for a test")));
    let again = world.call("dev", "POST", &path).await;
    assert_eq!(again.line(), r#"400 {"message":"400 Bad request - Token already revoked"}"#);
    assert!(world.call("second", "GET", "/user").await.text.contains("Token was revoked."));
    assert_eq!(world.call(shape["token"].as_str().unwrap(), "GET", "/user").await.status, 200);
    let before: i64 = world
        .given()
        .value(&format!(
            "select previous_personal_access_token_id from personal_access_tokens where id = {}",
            shape["id"]
        ))
        .await;
    assert_eq!(before, old);
    assert_eq!(world.call("mai", "POST", &path).await.line(), UNAUTHORIZED);
    assert_eq!(world.events().await, ["personal_access_token_rotated"]);
}

#[sqlx::test]
async fn an_everyday_token_does_not_become_one_that_administers(pool: PgPool) {
    let world = World::new(pool).await;
    world.given().personal_access_token(UserId(1), world.key(), "ADMINISTERS", &["api", "admin_mode"]).await;
    let path = format!("/personal_access_tokens/{}/rotate", id_of(&world, 1).await);
    world.given().sql("update application_settings set admin_mode = true").await;
    assert_eq!(world.call("root", "POST", &path).await.line(), UNAUTHORIZED);
    assert_eq!(world.call("ADMINISTERS", "GET", "/user").await.status, 200);
    assert_eq!(world.call("ADMINISTERS", "POST", &path).await.status, 200);
    // Where administrators are such by any token of theirs, they could make that one anew as well.
    world.given().sql("update application_settings set admin_mode = false").await;
    let path = format!("/personal_access_tokens/{}/rotate", id_of(&world, 1).await);
    assert_eq!(world.call("root", "POST", &path).await.status, 200);
}

/// rest-34
#[sqlx::test]
async fn a_token_may_be_good_for_its_own_rotation_alone(pool: PgPool) {
    let world = World::new(pool).await;
    world.given().personal_access_token(UserId(4), world.key(), "rotates", &["self_rotate"]).await;
    assert_eq!(world.call("rotates", "GET", "/user").await.status, 403);
    let rotated = world.call("rotates", "POST", "/personal_access_tokens/self/rotate").await;
    assert_eq!(rotated.status, 200);
    let next = rotated.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(world.call(&next, "GET", "/personal_access_tokens/self").await.json()["name"], json!("for a test"));
    let late = json!({ "expires_at": "2099-01-01" });
    let late = world.json(&next, "POST", "/personal_access_tokens/self/rotate", late).await;
    assert_eq!(late.line(), r#"400 {"message":"Expiration date must be before 2027-06-01"}"#);
    assert_eq!(world.call(&next, "DELETE", "/personal_access_tokens/self").await.line(), "204 ");
}

/// rest-35
#[sqlx::test]
async fn administrators_make_tokens_to_act_as_somebody(pool: PgPool) {
    let world = World::new(pool).await;
    let path = "/users/4/impersonation_tokens";
    let wish = json!({ "name": "i", "scopes": ["api"], "expires_at": "2026-06-01" });
    let made = world.json("root", "POST", path, wish).await;
    assert_eq!((made.status.as_u16(), &made.json()["impersonation"]), (201, &json!(true)));
    let one = format!("{path}/{}", made.json()["id"]);
    assert_eq!(world.call("root", "GET", &format!("{path}?state=active")).await.line(), "200 []");
    assert_eq!(world.call("root", "GET", path).await.json().as_array().unwrap().len(), 1);
    assert_eq!(world.call("root", "GET", &one).await.json()["name"], json!("i"));
    assert_eq!(world.call("root", "DELETE", &one).await.line(), "204 ");
    let gone = world.call("root", "GET", "/users/3/impersonation_tokens/1").await;
    assert_eq!(gone.line(), r#"404 {"message":"404 Impersonation Token Not Found"}"#);
    let late = json!({ "name": "i", "scopes": ["api"], "expires_at": "2099-01-01" });
    assert_eq!(world.json("root", "POST", path, late).await.status, 400);
    // Its owner does not see it.
    let own = world.call("dev", "GET", "/personal_access_tokens").await.json();
    assert_eq!(own.as_array().unwrap().len(), 1);
}
