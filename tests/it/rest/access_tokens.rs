//! Access tokens of projects and groups, and their bots.

use chrono::TimeDelta;
use gatehouse::services::issue_access_token::remove_ended_bots;
use gatehouse::store::Db;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::world::{FORBIDDEN, World};
use crate::git_http;

const TOKENS: &str = "/projects/20/access_tokens";
const OF_GROUP: &str = "/groups/10/access_tokens";
const NO_RIGHT: &str = "400 Bad request - User does not have permission to create project access token";

fn token(level: i32) -> Value {
    json!({ "name": "ci", "scopes": ["api"], "access_level": level, "expires_at": "2026-07-01", "description": "d" })
}

/// rest-92
#[sqlx::test]
async fn a_token_has_a_bot_that_is_a_member_and_no_more_than_its_maker(pool: PgPool) {
    let world = World::new(pool).await;
    let made = world.json("mai", "POST", TOKENS, token(40)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let shape = made.json();
    assert_eq!(
        (&shape["access_level"], &shape["resource_type"], &shape["resource_id"]),
        (&json!(40), &json!("project"), &json!(20))
    );
    assert_eq!(
        (&shape["scopes"], &shape["active"], &shape["expires_at"]),
        (&json!(["api"]), &json!(true), &json!("2026-07-01"))
    );
    assert!(shape["token"].as_str().unwrap().len() >= 20);
    let bot: String = world
        .given()
        .value(&format!(
            "select concat_ws(' ', username ~ '^project_20_bot_[0-9a-f]{{32}}$', email = username || '@noreply.localhost',
               user_type, confirmed_at is not null, external, bot_namespace_id, members.access_level,
               project_authorizations.access_level, users.created_by_id)
             from users
             join user_details on user_details.user_id = users.id
             join members on members.user_id = users.id and members.source_type = 'Project' and members.source_id = 20
             join project_authorizations on project_authorizations.user_id = users.id
             where users.id = {}",
            shape["user_id"]
        ))
        .await;
    assert_eq!(bot, "t t 6 t f 30 40 40 3");
    let above = world.json("mai", "POST", TOKENS, token(50)).await;
    let said = "400 Bad request - Access level of the token contains permissions not held by the creating user";
    assert_eq!((above.status.as_u16(), above.message().as_str()), (400, said));
    assert_eq!(world.json("dev", "POST", TOKENS, token(30)).await.message(), NO_RIGHT);
    assert_eq!(world.call("dev", "GET", TOKENS).await.line(), r#"401 {"message":"401 Unauthorized"}"#);
    let owners = world.json("own", "POST", TOKENS, token(50)).await.json();
    let rotate = format!("{TOKENS}/{}/rotate", owners["id"]);
    let said = "400 Bad request - Not eligible to rotate token with access level higher than the user";
    assert_eq!(world.call("mai", "POST", &rotate).await.message(), said);
    assert_eq!(
        world.call(owners["token"].as_str().unwrap(), "GET", "/projects/20/protected_branches").await.status,
        200,
        "nothing is revoked"
    );
    for (body, said) in [
        (json!({ "name": "x" }), r#"{"error":"scopes is missing"}"#),
        (json!({ "name": "x", "scopes": [] }), r#"{"message":{"scopes":["can't be blank"]}}"#),
        (json!({ "name": "x", "scopes": ["sudo"] }), r#"{"error":"scopes does not have a valid value"}"#),
        (
            json!({ "name": "x", "scopes": ["api"], "access_level": 35 }),
            r#"{"error":"access_level does not have a valid value"}"#,
        ),
        (
            json!({ "scopes": "api", "name": "x".repeat(256) }),
            r#"{"message":{"name":["is too long (maximum is 255 characters)"]}}"#,
        ),
    ] {
        assert_eq!(world.json("mai", "POST", TOKENS, body).await.line(), format!("400 {said}"));
    }
    world.given().setting("max_personal_access_token_lifetime = 30").await;
    let late = json!({ "name": "x", "scopes": ["api"], "expires_at": "2026-07-02" });
    let reply = world.json("mai", "POST", TOKENS, late).await;
    assert_eq!(reply.line(), r#"422 {"message":"Expiration date must be before 2026-07-01"}"#);
    let bots: i64 = world.given().value("select count(*) from users where user_type = 6").await;
    assert_eq!(bots, 2, "refused means unchanged");
}

/// rest-93
#[sqlx::test]
async fn a_bot_calls_like_anybody_and_makes_no_tokens(pool: PgPool) {
    let world = World::new(pool).await;
    let made = world.json("mai", "POST", TOKENS, token(40)).await.json();
    let secret = made["token"].as_str().unwrap();
    assert_eq!(world.call(secret, "GET", "/projects/20/protected_branches").await.line(), "200 []");
    assert_eq!(world.call(secret, "GET", "/projects/21/protected_branches").await.status, 404);
    let git = async |secret: &str| {
        let request = git_http::signed("GET", "/acme/app.git/info/refs?service=git-upload-pack", Some(("bot", secret)));
        world.app.send(request.body(axum::body::Body::empty()).unwrap()).await.status.as_u16()
    };
    assert_eq!(git(secret).await, 200);
    assert_eq!(world.json(secret, "POST", TOKENS, token(10)).await.message(), NO_RIGHT);
    let rotated = world.call(secret, "POST", &format!("{TOKENS}/self/rotate")).await;
    assert_eq!(
        (rotated.status.as_u16(), &rotated.json()["expires_at"]),
        (200, &json!("2026-06-08")),
        "{}",
        rotated.text
    );
    assert_eq!(git(secret).await, 401);
    let secret = rotated.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(git(&secret).await, 200);
    assert_eq!(rotated.json()["user_id"], made["user_id"], "the bot stays");
}

/// A bot that was made for one project and is a member of another stays the first one's: whoever owns the second neither
/// sees nor rotates its token.
#[sqlx::test]
async fn a_bot_of_another_place_is_no_bot_of_this_one(pool: PgPool) {
    let world = World::new(pool).await;
    let made = world.json("own", "POST", "/projects/21/access_tokens", token(40)).await.json();
    let bot = made["user_id"].as_i64().unwrap();
    world.project_member(20, bot, 40).await;
    assert_eq!(world.call("own", "GET", TOKENS).await.line(), "200 []");
    assert_eq!(world.call("own", "GET", &format!("{TOKENS}/{}", made["id"])).await.status, 404);
    assert_eq!(world.call("own", "POST", &format!("{TOKENS}/{}/rotate", made["id"])).await.status, 401);
    assert_eq!(world.call("own", "DELETE", &format!("{TOKENS}/{}", made["id"])).await.status, 404);
    // Without its membership the token is still where it was made.
    world.given().sql(&format!("delete from members where user_id = {bot}")).await;
    let listed = world.call("own", "GET", "/projects/21/access_tokens").await.json();
    assert_eq!((&listed[0]["id"], &listed[0]["access_level"]), (&made["id"], &json!(0)));
}

/// Nothing that a bot makes outlives its own token.
#[sqlx::test]
async fn bots_make_neither_deploy_keys_nor_deploy_tokens(pool: PgPool) {
    let world = World::new(pool).await;
    let made = world.json("mai", "POST", TOKENS, token(40)).await.json();
    let secret = made["token"].as_str().unwrap();
    let key = json!({ "title": "k", "key": format!("ssh-ed25519 {}", crate::support::key_body("k")) });
    assert_eq!(world.json(secret, "POST", "/projects/20/deploy_keys", key).await.line(), FORBIDDEN);
    let deploy = json!({ "name": "x", "scopes": ["read_repository"] });
    assert_eq!(world.json(secret, "POST", "/projects/20/deploy_tokens", deploy).await.line(), FORBIDDEN);
}

/// A token that may do nothing else may rotate itself, and no other.
#[sqlx::test]
async fn a_token_rotates_itself_by_a_scope_of_its_own(pool: PgPool) {
    let world = World::new(pool).await;
    let own = json!({ "name": "own", "scopes": ["self_rotate"], "access_level": 40 });
    let own = world.json("mai", "POST", TOKENS, own).await.json();
    let other = world.json("mai", "POST", TOKENS, token(10)).await.json();
    let secret = own["token"].as_str().unwrap();
    assert_eq!(world.call(secret, "POST", &format!("{TOKENS}/{}/rotate", other["id"])).await.status, 401);
    assert_eq!(world.call(secret, "GET", TOKENS).await.status, 403);
    assert_eq!(world.call(secret, "POST", &format!("{TOKENS}/{}/rotate", own["id"])).await.status, 200);
}

/// rest-94
#[sqlx::test]
async fn tokens_of_groups_are_rotated_revoked_and_listed_when_they_have_ended(pool: PgPool) {
    let world = World::new(pool).await;
    let made = world.json("own", "POST", OF_GROUP, token(30)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let made = made.json();
    assert_eq!(world.call("mai", "GET", OF_GROUP).await.line(), r#"401 {"message":"401 Unauthorized"}"#);
    let rotate = format!("{OF_GROUP}/{}/rotate", made["id"]);
    let rotated = world.json("own", "POST", &rotate, json!({ "expires_at": "2026-06-20" })).await;
    assert_eq!(rotated.status, 200, "{}", rotated.text);
    let new = rotated.json();
    assert_eq!(
        (&new["name"], &new["description"], &new["scopes"], &new["expires_at"]),
        (&json!("ci"), &json!("d"), &json!(["api"]), &json!("2026-06-20"))
    );
    let previous: i64 = world
        .given()
        .value(&format!(
            "select previous_personal_access_token_id from personal_access_tokens where id = {}",
            new["id"]
        ))
        .await;
    assert_eq!(json!(previous), made["id"]);
    assert_eq!(world.call("own", "POST", &rotate).await.message(), "400 Bad request - Token already revoked");
    assert_eq!(world.call(made["token"].as_str().unwrap(), "GET", "/version").await.status, 401);
    assert_eq!(world.call("own", "DELETE", &format!("{OF_GROUP}/{}", new["id"])).await.line(), "204 ");
    let inactive = world.call("own", "GET", &format!("{OF_GROUP}?state=inactive")).await.json();
    let ids: Vec<&Value> = inactive.as_array().unwrap().iter().map(|token| &token["id"]).collect();
    assert_eq!(ids, [&new["id"], &made["id"]]);
    assert_eq!((&inactive[0]["access_level"], inactive[0].get("token")), (&json!(30), None));
    assert_eq!(world.call("own", "GET", &format!("{OF_GROUP}?state=active")).await.line(), "200 []");
    let said = r#"404 {"message":"404 Could not find group access token with token_id: 999 Not Found"}"#;
    assert_eq!(world.call("own", "GET", &format!("{OF_GROUP}/999")).await.line(), said);
    assert_eq!(world.call("own", "DELETE", &format!("{OF_GROUP}/999")).await.line(), said);
    assert_eq!(world.call("own", "POST", &format!("{OF_GROUP}/999/rotate")).await.status, 401);
    assert_eq!(world.call("root", "POST", &format!("{OF_GROUP}/999/rotate")).await.status, 404);
    let kept = world.call("mai", "DELETE", &format!("{OF_GROUP}/{}", new["id"])).await;
    assert_eq!(kept.message(), "400 Bad request - Not permitted to revoke");
    assert_eq!(world.call("own", "GET", &format!("{TOKENS}/{}", new["id"])).await.status, 404, "it is the group's");
    let events = ["resource_access_token_issued", "resource_access_token_rotated", "resource_access_token_revoked"];
    assert_eq!(world.events().await, events);
}

/// The end of today is over at once, and of what has ended the bot stays for a month.
#[sqlx::test]
async fn bots_stay_for_thirty_days_after_their_last_token(pool: PgPool) {
    let world = World::new(pool).await;
    let dead = json!({ "name": "dead", "scopes": ["api"], "expires_at": "2026-06-01" });
    let dead = world.json("mai", "POST", TOKENS, dead).await.json();
    assert_eq!(dead["active"], false);
    let good = world.json("mai", "POST", TOKENS, token(30)).await.json();
    let revoked = world.json("mai", "POST", TOKENS, token(30)).await.json();
    world.call("mai", "DELETE", &format!("{TOKENS}/{}", revoked["id"])).await;
    world
        .given()
        .sql(&format!("update personal_access_tokens set updated_at = '2026-06-03' where id = {}", revoked["id"]))
        .await;
    let db = Db::from(world.app.pool.clone());
    let now = world.app.clock.now();
    let left = async |days: i64| {
        remove_ended_bots(&db, now + TimeDelta::days(days)).await.unwrap();
        let listed = world.call("own", "GET", TOKENS).await.json();
        let mut ids: Vec<i64> = listed.as_array().unwrap().iter().map(|token| token["id"].as_i64().unwrap()).collect();
        ids.sort_unstable();
        ids
    };
    let [dead, good, revoked] = [&dead, &good, &revoked].map(|token| token["id"].as_i64().unwrap());
    assert_eq!(left(30).await, [dead, good, revoked]);
    assert_eq!(left(31).await, [good, revoked]);
    assert_eq!(left(32).await, [good]);
    assert_eq!(left(59).await, [good]);
    assert_eq!(left(61).await, Vec::<i64>::new());
    let bots: i64 = world
        .given()
        .value("select (select count(*) from users where user_type = 6) + (select count(*) from members where user_id > 8)")
        .await;
    assert_eq!(bots, 0);
}
