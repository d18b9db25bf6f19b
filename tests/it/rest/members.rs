//! Members of groups and projects over REST.

use serde_json::json;
use sqlx::PgPool;

use super::groups::ids;
use super::world::{FORBIDDEN, NO_ROW, World};

/// rest-51
#[sqlx::test]
async fn lists_hold_each_member_once(pool: PgPool) {
    let world = World::new(pool).await;
    assert_eq!(ids(&world.call("dev", "GET", "/groups/10/members").await), [2, 3, 4, 5]);
    world
        .given()
        .sql(
            "insert into members (type, source_type, source_id, member_namespace_id, user_id, access_level)
             values ('GroupMember', 'Namespace', 11, 11, 5, 30), ('GroupMember', 'Namespace', 12, 12, 6, 40);
             insert into group_group_links (shared_group_id, shared_with_group_id, group_access) values (10, 12, 20)",
        )
        .await;
    let all = world.call("dev", "GET", "/groups/11/members/all").await;
    let rows = all.json();
    let mut found: Vec<(i64, i64)> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["id"].as_i64().unwrap(), row["access_level"].as_i64().unwrap()))
        .collect();
    found.sort_unstable();
    assert_eq!(found, [(2, 50), (3, 40), (4, 30), (5, 30), (6, 20)]);
    assert_eq!(all.headers["x-total"], "5");
    assert_eq!(ids(&world.call("dev", "GET", "/groups/11/members").await), [5]);
    assert_eq!(ids(&world.call("dev", "GET", "/projects/21/members/all?query=Mai").await), [3]);
    assert_eq!(ids(&world.call("dev", "GET", "/groups/10/members?user_ids=2,4&skip_users=2").await), [4]);
    let one = world.call("dev", "GET", "/projects/21/members/all/4").await.json();
    assert_eq!(
        (&one["username"], &one["membership_state"], &one["expires_at"]),
        (&json!("dev"), &json!("active"), &json!(null))
    );
    assert_eq!(world.call("dev", "GET", "/projects/21/members/4").await.line(), NO_ROW);
    let unseen = world.call("gue", "GET", "/groups/12/members/all").await;
    assert_eq!(unseen.status.as_u16(), 200, "it is public");
    world.given().sql("delete from group_group_links").await;
    assert_eq!(world.call("out", "GET", "/groups/10/members").await.line(), r#"404 {"message":"404 Group Not Found"}"#);
    assert_eq!(world.call("dev", "GET", "/groups/10/members?per_page=2&page=9").await.line(), "200 []");
}

/// rest-52
#[sqlx::test]
async fn members_are_added_alone_and_together(pool: PgPool) {
    let world = World::new(pool).await;
    let add = async |body| world.json("mai", "POST", "/projects/20/members", body).await;
    let added = add(json!({ "user_id": 6, "access_level": 30 })).await;
    assert_eq!((added.status.as_u16(), &added.json()["id"]), (201, &json!(6)), "{}", added.line());
    assert_eq!(added.json()["created_by"]["username"], "mai");
    assert_eq!(world.call("out", "GET", "/projects/20").await.status.as_u16(), 200);
    let again = add(json!({ "username": "OUT", "access_level": "30" })).await;
    assert_eq!(again.line(), r#"409 {"message":"Member already exists"}"#);
    assert_eq!(add(json!({ "user_id": "7", "access_level": 20 })).await.status.as_u16(), 201);
    assert_eq!(
        add(json!({ "user_id": 999, "access_level": 20 })).await.line(),
        r#"404 {"message":"404 User Not Found"}"#
    );
    let both = add(json!({ "user_id": "6,8", "access_level": 20 })).await;
    let said = r#"201 {"message":{"out":"Member already exists"},"status":"error"}"#;
    assert_eq!(both.line(), said);
    assert_eq!(world.call("mai", "GET", "/projects/20/members/8").await.json()["access_level"], 20);
    world.given().sql("delete from members where user_id in (6, 7)").await;
    assert_eq!(add(json!({ "user_id": "6,7", "access_level": 20 })).await.line(), r#"201 {"status":"success"}"#);
    assert_eq!(world.json("dev", "POST", "/projects/20/members", json!({})).await.line(), FORBIDDEN);
    assert_eq!(world.json("mai", "POST", "/groups/10/members", json!({})).await.line(), FORBIDDEN);
}

/// rest-53
#[sqlx::test]
async fn what_is_said_of_a_member_is_checked(pool: PgPool) {
    let world = World::new(pool).await;
    let add = async |body| world.json("mai", "POST", "/projects/20/members", body).await.line();
    let odd = r#"400 {"error":"access_level does not have a valid value"}"#;
    assert_eq!(add(json!({ "user_id": 6, "access_level": 35 })).await, odd);
    assert_eq!(add(json!({ "user_id": 6 })).await, r#"400 {"error":"access_level is missing"}"#);
    let both = r#"400 {"error":"user_id, username are mutually exclusive"}"#;
    assert_eq!(add(json!({ "user_id": 6, "username": "out", "access_level": 30 })).await, both);
    assert_eq!(add(json!({ "user_id": "x", "access_level": 30 })).await, r#"400 {"error":"user_id is invalid"}"#);
    let five = world.json("own", "POST", "/groups/10/members", json!({ "user_id": 6, "access_level": 5 })).await;
    assert_eq!(five.status.as_u16(), 201, "groups have minimal access");
    assert_eq!(add(json!({ "user_id": 7, "access_level": 5 })).await, odd, "projects have not");
    assert_eq!(add(json!({ "user_id": 7, "access_level": 50 })).await, FORBIDDEN, "nobody gives more than they have");
}

/// rest-55
#[sqlx::test]
async fn a_member_has_what_they_inherit_at_least(pool: PgPool) {
    let world = World::new(pool).await;
    let less = world.json("mai", "POST", "/projects/20/members", json!({ "user_id": 4, "access_level": 20 })).await;
    let sentence = "should be greater than or equal to Developer inherited membership from group acme";
    assert_eq!(less.status.as_u16(), 400);
    assert_eq!(less.json()["message"], json!({ "access_level": [sentence] }));
}

/// rest-56
#[sqlx::test]
async fn the_last_owner_stays_one(pool: PgPool) {
    let world = World::new(pool).await;
    for who in ["own", "root"] {
        let lower = world.json(who, "PUT", "/groups/10/members/2", json!({ "access_level": 30 })).await;
        assert_eq!(lower.line(), FORBIDDEN, "{who}");
        assert_eq!(world.call(who, "DELETE", "/groups/10/members/2").await.line(), FORBIDDEN, "{who}");
        let end = json!({ "access_level": 50, "expires_at": "2026-09-01" });
        assert_eq!(world.json(who, "PUT", "/groups/10/members/2", end).await.line(), FORBIDDEN, "{who}");
    }
    let second = world.json("own", "PUT", "/groups/10/members/3", json!({ "access_level": 50 })).await;
    assert_eq!(second.status.as_u16(), 200);
    assert_eq!(world.call("own", "DELETE", "/groups/10/members/2").await.line(), "204 ", "one is enough");
    assert_eq!(world.call("mai", "DELETE", "/groups/10/members/3").await.line(), FORBIDDEN);
    assert_eq!(world.events().await, ["member_updated", "member_destroyed"]);
}

/// rest-57
#[sqlx::test]
async fn who_leaves_a_group_leaves_what_is_in_it(pool: PgPool) {
    let world = World::new(pool).await;
    world.project_member(21, 4, 40).await;
    world
        .given()
        .sql(
            "insert into protected_branches (id, project_id, name) values (1, 21, 'main'), (2, 22, 'main');
             insert into protected_branch_push_access_levels (protected_branch_id, user_id) values (1, 4), (2, 4)",
        )
        .await;
    let stays = world.call("own", "DELETE", "/groups/10/members/4?skip_subresources=true").await;
    assert_eq!(stays.line(), "204 ");
    assert_eq!(world.call("dev", "GET", "/projects/21").await.status.as_u16(), 200);
    assert_eq!(world.call("dev", "GET", "/projects/20").await.status.as_u16(), 404);
    world.json("own", "POST", "/groups/10/members", json!({ "user_id": 4, "access_level": 30 })).await;
    assert_eq!(world.call("own", "DELETE", "/groups/10/members/4").await.line(), "204 ");
    assert_eq!(world.call("dev", "GET", "/projects/21").await.status.as_u16(), 404);
    let named = "select array_agg(protected_branch_id) from protected_branch_push_access_levels where user_id = 4";
    assert_eq!(world.given().value::<Vec<i64>>(named).await, [2], "of branches elsewhere nothing is said");
    assert_eq!(world.call("own", "DELETE", "/groups/10/members/4").await.line(), NO_ROW);
    assert_eq!(world.call("gue", "DELETE", "/groups/10/members/5").await.line(), "204 ", "everybody may leave");
    assert_eq!(world.call("mai", "DELETE", "/groups/10/members/2").await.line(), FORBIDDEN);
}

/// rest-58
#[sqlx::test]
async fn memberships_end_on_a_day(pool: PgPool) {
    let world = World::new(pool).await;
    let change = async |end: &str| {
        let body = json!({ "access_level": 30, "expires_at": end });
        world.json("own", "PUT", "/groups/10/members/4", body).await
    };
    assert_eq!(change("2026-07-01").await.json()["expires_at"], "2026-07-01");
    let level = world.json("own", "PUT", "/groups/10/members/4", json!({ "access_level": 40 })).await.json();
    assert_eq!((&level["expires_at"], &level["access_level"]), (&json!("2026-07-01"), &json!(40)), "left as it was");
    assert_eq!(change("").await.json()["expires_at"], json!(null));
    let past = change("2026-05-31").await;
    assert_eq!(past.line(), r#"400 {"message":{"expires_at":["cannot be a date in the past"]}}"#);
    let today = change("2026-06-01").await;
    assert_eq!((today.status.as_u16(), &today.json()["expires_at"]), (200, &json!("2026-06-01")), "over at once");
    assert_eq!(world.call("dev", "GET", "/projects/20").await.status.as_u16(), 404);
}

/// rest-59
#[sqlx::test]
async fn a_group_may_keep_the_members_of_its_projects_as_they_are(pool: PgPool) {
    let world = World::new(pool).await;
    world.json("own", "PUT", "/groups/10", json!({ "membership_lock": true })).await;
    for project in [20, 21] {
        let path = format!("/projects/{project}/members");
        let refused = world.json("own", "POST", &path, json!({ "user_id": 6, "access_level": 30 })).await;
        assert_eq!(refused.line(), r#"405 {"message":"405 Method Not Allowed"}"#);
    }
    let group = world.json("own", "POST", "/groups/11/members", json!({ "user_id": 6, "access_level": 30 })).await;
    assert_eq!(group.status.as_u16(), 201);
}

#[sqlx::test]
async fn new_members_have_addresses_of_the_domains_that_a_root_group_allows(pool: PgPool) {
    let world = World::new(pool).await;
    world.json("own", "PUT", "/groups/10", json!({ "allowed_email_domains_list": "corp.example" })).await;
    let body = json!({ "user_id": 6, "access_level": 30 });
    let refused = world.json("own", "POST", "/groups/11/members", body.clone()).await;
    let fault = "email does not match the allowed domain of 'corp.example'";
    assert_eq!(refused.json()["message"], json!({ "user": [fault] }));
    world.given().sql("update users set email = 'out@corp.example' where id = 6").await;
    assert_eq!(world.json("own", "POST", "/groups/11/members", body).await.status.as_u16(), 201);
}

#[sqlx::test]
async fn bots_of_access_tokens_and_accounts_of_the_installation_are_not_added(pool: PgPool) {
    let world = World::new(pool).await;
    world
        .given()
        .sql(
            "insert into users (id, username, email, user_type) values (60, 'bot', 'b@x.org', 6), (61, 'ghost', 'g@x.org', 5);
             insert into user_details (user_id, bot_namespace_id) values (60, 12)",
        )
        .await;
    for user in [60, 61] {
        let body = json!({ "user_id": user, "access_level": 30 });
        let refused = world.json("own", "POST", "/groups/10/members", body).await;
        assert_eq!(refused.status.as_u16(), 400, "{}", refused.line());
        assert!(refused.json()["message"]["user"].is_array(), "{}", refused.line());
    }
    let home = world.json("own", "POST", "/groups/12/members", json!({ "user_id": 60, "access_level": 30 })).await;
    assert_eq!(home.status.as_u16(), 201, "{}", home.line());
}

#[sqlx::test]
async fn an_owner_whose_end_is_known_is_not_the_one_who_stays(pool: PgPool) {
    let world = World::new(pool).await;
    let end = json!({ "access_level": 50, "expires_at": "2026-09-01" });
    assert_eq!(world.json("own", "PUT", "/groups/10/members/3", end).await.status.as_u16(), 200);
    assert_eq!(world.call("root", "DELETE", "/groups/10/members/2").await.line(), FORBIDDEN);
}

#[sqlx::test]
async fn one_user_named_often_is_one_and_many_are_too_many(pool: PgPool) {
    let world = World::new(pool).await;
    let add = async |ids: String| {
        world.json("mai", "POST", "/projects/20/members", json!({ "user_id": ids, "access_level": 20 })).await.line()
    };
    let once = add("6,6,6".to_owned()).await;
    assert!(once.starts_with("201 ") && once.contains("\"access_level\":20"), "as if named once: {once}");
    let many: Vec<String> = (1000..1101).map(|id| id.to_string()).collect();
    assert_eq!(add(many.join(",")).await, r#"400 {"error":"user_id is too long (maximum is 100)"}"#);
}
