//! Clients that want the same at once: one of them gets it, and the others are told so.

use futures_util::future::join_all;
use serde_json::json;
use sqlx::PgPool;

use super::world::World;
use crate::support::TestGitaly;
use crate::support::pushes::{app_with_queue, app_with_queue_and};

#[sqlx::test]
async fn of_many_who_make_a_group_at_one_path_one_succeeds(pool: PgPool) {
    let world = World::new(pool).await;
    for parent in [None, Some(10)] {
        let path = |number: usize| if number.is_multiple_of(2) { "race" } else { "RACE" };
        let body = |number: usize| json!({ "name": format!("n{number}"), "path": path(number), "parent_id": parent });
        let all = join_all((0..8).map(|number| world.json("own", "POST", "/groups", body(number)))).await;
        let mut statuses: Vec<u16> = all.iter().map(|reply| reply.status.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 400, 400, 400, 400, 400, 400, 400], "{parent:?}");
        assert!(all.iter().filter(|reply| reply.status == 400).all(|reply| reply.text.contains("already been taken")));
    }
    let routes = "select count(*) from routes where lower(path) in ('race', 'acme/race')";
    assert_eq!(world.given().value::<i64>(routes).await, 2);
    assert_eq!(world.events().await.len(), 2);
}

#[sqlx::test]
async fn of_many_who_make_a_project_at_one_path_one_succeeds(pool: PgPool) {
    let gitaly = TestGitaly::start();
    let world = World::of(app_with_queue_and(pool, &gitaly.settings()).await).await;
    let body = json!({ "name": "race", "namespace_id": 10 });
    let all = join_all((0..6).map(|_| world.json("own", "POST", "/projects", body.clone()))).await;
    let mut statuses: Vec<u16> = all.iter().map(|reply| reply.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 400, 400, 400, 400, 400]);
    // The repositories of those who were late are to be removed, and the one that is used is not.
    let made = gitaly.count("CreateRepository");
    let orphans = world.given().value::<i64>("select count(*) from removed_repositories").await;
    assert_eq!(usize::try_from(orphans).unwrap(), made - 1);
}

#[sqlx::test]
async fn what_is_made_in_a_group_that_is_deleted_is_refused_or_goes_with_it(pool: PgPool) {
    let world = World::of(app_with_queue(pool).await).await;
    let make = |number: usize| {
        let body = json!({ "name": format!("n{number}"), "path": format!("n{number}"), "parent_id": 11 });
        world.json("own", "POST", "/groups", body)
    };
    let (made, deleted) = tokio::join!(join_all((0..6).map(make)), world.call("own", "DELETE", "/groups/11"));
    assert_eq!(deleted.status.as_u16(), 202, "{}", deleted.line());
    assert!(made.iter().all(|reply| matches!(reply.status.as_u16(), 201 | 404)), "{made:?}");
    let given = world.given();
    assert_eq!(given.value::<i64>("select count(*) from namespaces where path like 'n%'").await, 0);
    assert_eq!(given.value::<i64>("select count(*) from routes where path like 'acme/sub%'").await, 0);
    assert_eq!(
        given
            .value::<i64>("select count(*) from members where member_namespace_id not in (select id from namespaces)")
            .await,
        0
    );
}

#[sqlx::test]
async fn two_owners_who_remove_each_other_leave_one(pool: PgPool) {
    let world = World::new(pool).await;
    world.json("own", "PUT", "/groups/10/members/3", json!({ "access_level": 50 })).await;
    let (one, other) = tokio::join!(
        world.call("own", "DELETE", "/groups/10/members/3"),
        world.call("mai", "DELETE", "/groups/10/members/2")
    );
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert!(statuses == [204, 403] || statuses == [204, 404], "{statuses:?}");
    let owners = "select count(*) from members where member_namespace_id = 10 and access_level = 50";
    assert_eq!(world.given().value::<i64>(owners).await, 1);
}

#[sqlx::test]
async fn of_two_owners_whose_accounts_go_one_stays(pool: PgPool) {
    let world = World::new(pool).await;
    for round in 0..5 {
        let (one, other) = (200 + 2 * round, 201 + 2 * round);
        world
            .given()
            .sql(&format!(
                "insert into users (id, username, name, email)
                 select id, 'owner-' || id, 'owner', id || '@example.com' from unnest(array[{one}, {other}]) as id;
                 insert into namespaces (id, name, path, type, traversal_ids)
                 values ({one}, 'race-{one}', 'race-{one}', 'Group', '{{{one}}}');
                 insert into routes (source_id, source_type, path, namespace_id)
                 values ({one}, 'Namespace', 'race-{one}', {one});
                 insert into members (type, source_type, source_id, member_namespace_id, user_id, access_level)
                 select 'GroupMember', 'Namespace', {one}, {one}, id, 50 from unnest(array[{one}, {other}]) as id"
            ))
            .await;
        let paths = [one, other].map(|id| format!("/users/{id}"));
        let (first, second) =
            tokio::join!(world.call("root", "DELETE", &paths[0]), world.call("root", "DELETE", &paths[1]));
        let mut statuses = [first.status.as_u16(), second.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 409], "{} {}", first.line(), second.line());
        let owners = format!("select count(*) from members where source_id = {one} and access_level = 50");
        assert_eq!(world.given().value::<i64>(&owners).await, 1);
    }
}

#[sqlx::test]
async fn an_address_and_a_name_become_one_accounts(pool: PgPool) {
    let world = World::new(pool).await;
    for round in 0..5 {
        let address = format!("Race-{round}@example.com");
        let user = json!({ "username": format!("Race{round}"), "name": "r", "email": address, "force_random_password": true,
                           "skip_confirmation": true });
        let email = json!({ "email": address.to_lowercase(), "skip_confirmation": true });
        let group = json!({ "name": format!("g{round}"), "path": format!("race{round}") });
        let (user, email, group) = tokio::join!(
            world.json("root", "POST", "/users", user),
            world.json("root", "POST", "/users/4/emails", email),
            world.json("own", "POST", "/groups", group)
        );
        let said = format!("{} {} {}", user.line(), email.line(), group.line());
        let made = [&user, &email, &group].map(|reply| reply.status.as_u16() == 201);
        // The user has both, or one of the others has what keeps the user from it.
        assert_eq!(made[0], !made[1] && !made[2], "{said}");
        let addresses = format!(
            "select (select count(*) from users where lower(email) = lower('{address}'))
                  + (select count(*) from emails where lower(email) = lower('{address}'))"
        );
        assert_eq!(world.given().value::<i64>(&addresses).await, 1, "{said}");
        let paths = format!("select count(*) from routes where lower(path) = 'race{round}'");
        assert_eq!(world.given().value::<i64>(&paths).await, 1, "{said}");
    }
}

#[sqlx::test]
async fn two_groups_that_move_into_each_other_do_not_both(pool: PgPool) {
    let world = World::new(pool).await;
    world.given().sql("update namespaces set visibility_level = 20 where id = 10").await;
    let (one, other) = tokio::join!(
        world.json("own", "POST", "/groups/10/transfer", json!({ "group_id": 12 })),
        world.json("own", "POST", "/groups/12/transfer", json!({ "group_id": 10 })),
    );
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 400], "{} {}", one.line(), other.line());
}
