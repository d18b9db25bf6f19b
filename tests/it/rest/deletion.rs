//! An account ends.

use serde_json::json;
use sqlx::PgPool;

use super::world::World;
use crate::support::Reply;

const SOLE_OWNER: &str = r#"409 {"message":"User cannot be removed while is the sole-owner of a group"}"#;

async fn delete(world: &World, path: &str) -> String {
    world.call("root", "DELETE", path).await.line()
}

/// rest-25
#[sqlx::test]
async fn groups_without_another_owner_keep_an_account_or_go_with_it(pool: PgPool) {
    let world = World::new(pool).await;
    assert_eq!(delete(&world, "/users/2").await, SOLE_OWNER);
    assert_eq!(delete(&world, "/users/2?hard_delete=True").await, "204 ");
    assert_eq!(world.call("root", "GET", "/users/2").await.status, 404);
    let left: i64 = world
        .given()
        .value(
            "select (select count(*) from namespaces) + (select count(*) from projects)
                  + (select count(*) from routes) + (select count(*) from members)
                  + (select count(*) from personal_access_tokens where user_id = 2)",
        )
        .await;
    assert_eq!(left, 0);
    let repositories: i64 = world.given().value("select count(*) from removed_repositories").await;
    assert_eq!(repositories, 3);
    // acme/app and acme/sub/lib with acme/sub and acme, then pub/site with pub.
    let (project, group) = ("project_destroyed", "group_destroyed");
    assert_eq!(world.events().await, [project, project, group, group, project, group, "user_destroyed"]);
}

/// Ruling 45
#[sqlx::test]
async fn a_group_that_is_paid_for_keeps_its_owner(pool: PgPool) {
    let world = World::new(pool).await;
    let subscription = "insert into gitlab_subscriptions (namespace_id, hosted_plan_id, seats, start_date, end_date)
                        select 12, id, 5, '2026-01-01', '2027-01-01' from plans where name = 'premium'";
    world.given().sql(subscription).await;
    let before: i64 = world.given().value("select count(*) from members").await;
    assert!(delete(&world, "/users/2?hard_delete=true").await.starts_with("409"));
    let after: i64 = world.given().value("select count(*) from members").await;
    assert_eq!(before, after);
    let groups: i64 = world.given().value("select count(*) from namespaces where type = 'Group'").await;
    assert_eq!(groups, 3);
}

#[sqlx::test]
async fn an_account_stays_where_a_group_below_is_paid_for(pool: PgPool) {
    let world = World::new(pool).await;
    let subscription = "insert into gitlab_subscriptions (namespace_id, hosted_plan_id, seats, start_date, end_date)
                        select 11, id, 5, '2026-01-01', '2027-01-01' from plans where name = 'premium'";
    world.given().sql(subscription).await;
    let refused = delete(&world, "/users/2?hard_delete=true").await;
    assert!(refused.starts_with("409") && refused.contains("acme/sub, which is linked to a subscription"), "{refused}");
    assert_eq!(world.given().value::<i64>("select count(*) from namespaces where type = 'Group'").await, 3);
}

#[sqlx::test]
async fn an_owner_whose_day_is_known_takes_no_owners_place(pool: PgPool) {
    let world = World::new(pool).await;
    let owner = |id: i64| {
        format!(
            "update members set access_level = 50, expires_at = '2026-07-01' where user_id = 3 and source_id = {id}"
        )
    };
    world.given().sql(&owner(10)).await;
    world.given().sql("delete from members where source_id = 12").await;
    assert_eq!(delete(&world, "/users/2").await, SOLE_OWNER);
    assert_eq!(delete(&world, "/users/3").await, "204 ");
}

#[sqlx::test]
async fn what_is_ones_own_goes_and_what_one_wrote_elsewhere_stays(pool: PgPool) {
    let world = World::new(pool).await;
    world
        .given()
        .sql(
            "insert into namespaces (id, name, path, type, owner_id, traversal_ids)
             values (40, 'dev', 'dev', 'User', 4, '{40}'), (41, 'mine', 'mine', 'Project', null, '{40,41}');
             update namespaces set parent_id = 40 where id = 41;
             insert into projects (id, name, path, namespace_id, project_namespace_id, storage_version)
             values (23, 'mine', 'mine', 40, 41, 2);
             insert into routes (source_id, source_type, path, namespace_id)
             values (40, 'Namespace', 'dev', 40), (23, 'Project', 'dev/mine', 41);
             insert into snippets (id, type, author_id, project_id) values (1, 'ProjectSnippet', 4, 20);
             insert into snippets (id, type, author_id, organization_id) values (2, 'PersonalSnippet', 4, 1)",
        )
        .await;
    assert_eq!(delete(&world, "/users/4").await, "204 ");
    let names: Vec<String> =
        world.given().value("select coalesce(array_agg(path::text order by id), '{}') from routes").await;
    assert!(!names.iter().any(|path| path.starts_with("dev")), "{names:?}");
    let author: String = world
        .given()
        .value("select users.username::text from snippets join users on users.id = snippets.author_id")
        .await;
    assert_eq!(author, "ghost");
    assert_eq!(world.call("dev", "GET", "/user").await.status, 401);
}

#[sqlx::test]
async fn neither_oneself_nor_what_the_installation_made_is_removed(pool: PgPool) {
    let world = World::new(pool).await;
    let forbidden = r#"403 {"message":"403 Forbidden"}"#;
    assert_eq!(delete(&world, "/users/1").await, forbidden);
    world.given().sql("update users set user_type = 5 where id = 6").await;
    assert_eq!(delete(&world, "/users/6").await, forbidden);
    let gone: Reply = world.call("root", "DELETE", "/users/99").await;
    assert_eq!(gone.line(), r#"404 {"message":"404 User Not Found"}"#);
    assert_eq!(world.json("root", "DELETE", "/users/5", json!({ "hard_delete": "x" })).await.status, 400);
}
