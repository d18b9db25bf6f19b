//! Who may provision: tokens in every place that they may come in, and how each is refused.

use axum::body::Body;
use serde_json::json;
use sqlx::PgPool;

use super::World;
use crate::support::Reply;

const S: &str = "/namespaces/1234/gitlab_subscription";
const UNAUTHORIZED: &str = r#"401 {"message":"401 Unauthorized"}"#;
const FORBIDDEN: &str = r#"403 {"message":"403 Forbidden"}"#;

async fn with_headers(world: &World, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = World::bare(method, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    world.app.send(request.body(Body::empty()).unwrap()).await
}

/// What is asked, the headers, and the status.
type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], u16);

/// provisioning-1
#[sqlx::test]
async fn nobody_may_not_subscribe(pool: PgPool) {
    let world = World::new(pool).await;
    let path = format!("{S}?start_date=2020-07-15&plan_code=premium&seats=10");
    assert_eq!(with_headers(&world, "POST", &path, &[]).await.line(), UNAUTHORIZED);
    assert_eq!(world.count("gitlab_subscriptions").await, 0);
}

/// provisioning-2, which ruling 2 turns round: the header that the documentation prints works, on these routes alone.
#[sqlx::test]
async fn the_documented_header_works_where_it_is_documented(pool: PgPool) {
    let world = World::new(pool).await;
    let path = format!("{S}?start_date=2020-07-15&plan=premium&seats=10");
    assert_eq!(with_headers(&world, "POST", &path, &[("TOKEN", &world.token)]).await.status, 201);
    assert_eq!(with_headers(&world, "GET", S, &[("TOKEN", &world.token)]).await.status, 200);
    let elsewhere = with_headers(&world, "GET", "/personal_access_tokens/self", &[("TOKEN", &world.token)]).await;
    assert_eq!(elsewhere.line(), UNAUTHORIZED);
}

/// provisioning-3, provisioning-4, provisioning-5
#[sqlx::test]
async fn a_token_may_come_in_several_places(pool: PgPool) {
    let world = World::new(pool).await;
    let good = world.token.as_str();
    let bearer = format!("bearer {good}");
    let parameter = format!("{S}?private_token={good}");
    let rows: [Row<'_>; 10] = [
        (S, &[("Authorization", &bearer)], 200),
        (&parameter, &[], 200),
        (S, &[("Authorization", "Bearer wrong"), ("PRIVATE-TOKEN", good)], 200),
        // Only the first that is not blank is looked up.
        (S, &[("Authorization", &bearer), ("PRIVATE-TOKEN", "wrong")], 401),
        (S, &[("Authorization", &bearer), ("PRIVATE-TOKEN", " ")], 200),
        (&parameter, &[("PRIVATE-TOKEN", "wrong")], 200),
        (S, &[("PRIVATE-TOKEN", good), ("TOKEN", "wrong")], 200),
        (S, &[("JOB-TOKEN", good)], 401),
        (S, &[("Authorization", "Basic cm9vdDp4")], 401),
        (S, &[("PRIVATE-TOKEN", "glpat-unknown")], 401),
    ];
    for (path, headers, status) in rows {
        assert_eq!(with_headers(&world, "GET", path, headers).await.status, status, "{path} {headers:?}");
    }
    let body = json!({ "private_token": good, "start_date": "2020-07-15" });
    let request = World::bare("POST", S).header("content-type", "application/json");
    assert_eq!(world.app.send(request.body(Body::from(body.to_string())).unwrap()).await.status, 201);
}

/// provisioning-7, provisioning-8, provisioning-9
#[sqlx::test]
async fn a_token_that_is_over_says_why(pool: PgPool) {
    let world = World::new(pool).await;
    let given = world.given();
    let put = async || world.call("PUT", &format!("{S}?seats=5")).await;
    given.sql("update personal_access_tokens set revoked = true").await;
    let revoked = put().await;
    assert_eq!((revoked.status.as_u16(), &revoked.json()["error"]), (401, &json!("invalid_token")));
    assert!(revoked.json()["error_description"].as_str().unwrap().starts_with("Token was revoked."));
    given.sql("update personal_access_tokens set expires_at = '2021-06-01'").await;
    let expired = put().await;
    assert_eq!((expired.status.as_u16(), &expired.json()["error"]), (401, &json!("invalid_token")));
    assert!(expired.json()["error_description"].as_str().unwrap().starts_with("Token is expired."));
    given.sql("update personal_access_tokens set expires_at = '2021-06-02', revoked = false").await;
    given.user_is(world.admin, "state = 'blocked'").await;
    assert_eq!(put().await.line(), r#"403 {"message":"403 Forbidden - Your account has been blocked."}"#);
}

/// provisioning-10
#[sqlx::test]
async fn a_token_to_read_with_does_not_write(pool: PgPool) {
    let world = World::new(pool).await;
    let reader = world.token_of(world.admin, &["read_api"]).await;
    assert_eq!(world.call_as(&reader, "GET", S).await.status, 200);
    assert_eq!(world.call_as(&reader, "HEAD", S).await.status, 200);
    let refused = world.call_as(&reader, "PUT", &format!("{S}?seats=5")).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["error"]), (403, &json!("insufficient_scope")));
    let other = world.token_of(world.admin, &["read_user"]).await;
    assert_eq!(world.call_as(&other, "GET", S).await.json()["error"], "insufficient_scope");
}

/// provisioning-11, of subscriptions
#[sqlx::test]
async fn who_is_no_administrator_does_not_write(pool: PgPool) {
    let world = World::new(pool).await;
    let given = world.given();
    let owner = given.user("owner").await;
    let token = world.token_of(owner, &["api"]).await;
    let path = format!("{S}?start_date=2020-07-15");
    assert_eq!(world.call_as(&token, "POST", &path).await.line(), FORBIDDEN);
    // Whatever is wrong besides: the caller comes first.
    assert_eq!(world.call_as(&token, "PUT", "/namespaces/999999/gitlab_subscription?seats=x").await.line(), FORBIDDEN);
    // An administrator is one by a token that says so, where the instance asks for that.
    given.setting("admin_mode = true").await;
    assert_eq!(world.call("POST", &path).await.line(), FORBIDDEN);
    assert_eq!(world.call("GET", S).await.line(), r#"404 {"message":"404 Namespace Not Found"}"#);
    let admin_mode = world.token_of(world.admin, &["api", "admin_mode"]).await;
    assert_eq!(world.call_as(&admin_mode, "POST", &path).await.status, 201);
    assert_eq!(world.count("gitlab_subscriptions").await, 1);
}

/// provisioning-13
#[sqlx::test]
async fn owners_look_at_their_own_subscription(pool: PgPool) {
    let world = World::new(pool).await;
    let given = world.given();
    let look = async |username: &str, path: &str| {
        let user = given.user(username).await;
        let token = format!("glpat-{username}");
        given.sql(&format!("delete from personal_access_tokens where user_id = {user}")).await;
        let token = given.personal_access_token(user, &world.app.secrets.db_key_base, &token, &["read_api"]).await;
        world.call_as(&token, "GET", path).await.line()
    };
    let hidden = r#"404 {"message":"404 Namespace Not Found"}"#;
    world.member(1234, "dana", 30).await;
    world.member(1300, "sam", 50).await;
    world.member(4321, "ann", 50).await;
    assert!(look("owner", S).await.starts_with("200 "));
    assert_eq!(look("dana", S).await, FORBIDDEN);
    assert_eq!(look("stranger", S).await, hidden);
    // The owner of a subgroup sees the way to it; the owner of the group owns the subgroup.
    assert_eq!(look("sam", S).await, FORBIDDEN);
    assert!(look("sam", "/namespaces/a-ns%2Fsub/gitlab_subscription").await.starts_with("200 "));
    assert!(look("owner", "/namespaces/1300/gitlab_subscription").await.starts_with("200 "));
    // A personal namespace is its owner's; everybody sees it.
    assert!(look("owner", "/namespaces/22/gitlab_subscription").await.starts_with("200 "));
    assert_eq!(look("stranger", "/namespaces/22/gitlab_subscription").await, FORBIDDEN);
    // A share makes owners too, as far as it reaches.
    assert_eq!(look("ann", S).await, hidden);
    let share =
        "insert into group_group_links (shared_group_id, shared_with_group_id, group_access) values (1234, 4321, 30)";
    given.sql(share).await;
    assert_eq!(look("ann", S).await, FORBIDDEN);
    given.sql("update group_group_links set group_access = 50").await;
    assert!(look("ann", S).await.starts_with("200 "));
    // Who is above the invited group comes into it, but not through the share.
    let below = given.group("above/invited").await;
    let above = given.group("above").await.0;
    world.member(above, "mia", 50).await;
    let share = "insert into group_group_links (shared_group_id, shared_with_group_id, group_access)";
    given.sql(&format!("{share} values (1234, {below}, 50)")).await;
    assert_eq!(look("mia", S).await, hidden);
    given.sql("update group_group_links set expires_at = '2021-06-01'").await;
    assert_eq!(look("ann", S).await, hidden);
    given.sql("update namespaces set visibility_level = 10").await;
    assert_eq!(look("stranger", S).await, FORBIDDEN);
    given.sql("update users set external = true where username = 'stranger'").await;
    assert_eq!(look("stranger", S).await, hidden);
}

#[sqlx::test]
async fn paths_and_verbs_that_do_not_exist_say_so(pool: PgPool) {
    let world = World::new(pool).await;
    let wrong_verb = world.call("PATCH", S).await;
    assert_eq!((wrong_verb.status.as_u16(), &wrong_verb.json()["error"]), (405, &json!("405 Not Allowed")));
    let allowed = wrong_verb.headers["allow"].to_str().unwrap();
    assert!(["GET", "POST", "PUT"].iter().all(|verb| allowed.contains(verb)), "{allowed}");
    let unknown = world.call("GET", "/namespaces/1234/gitlab_subscriptions").await;
    assert_eq!((unknown.status.as_u16(), &unknown.json()["error"]), (404, &json!("404 Not Found")));
    let reply = world.call("GET", S).await;
    assert_eq!(reply.headers["x-frame-options"], "SAMEORIGIN");
    assert_eq!(reply.headers["x-content-type-options"], "nosniff");
    assert_eq!(reply.headers.get("content-type").unwrap(), "application/json");
}
