//! Who takes a seat, and what the refresh makes of the count.

use chrono::TimeDelta;
use gatehouse::domain::ids::NamespaceId;
use gatehouse::services::refresh_seats::refresh_seats;
use gatehouse::store::{Db, seats};
use serde_json::json;
use sqlx::PgPool;

use super::World;

/// Seats of group 1234, with guests and without them.
async fn seats(world: &World) -> [i32; 2] {
    let today = world.app.clock.now().date_naive();
    let count =
        async |exclude_guests| seats::count(&world.app.pool, NamespaceId(1234), exclude_guests, today).await.unwrap();
    [count(false).await, count(true).await]
}

async fn project_member(world: &World, username: &str, level: i32) {
    let user = world.given().user(username).await;
    world
        .given()
        .sql(&format!(
            "insert into members (type, source_type, source_id, member_namespace_id, user_id, access_level)
             values ('ProjectMember', 'Project', 90, 900, {user}, {level})"
        ))
        .await;
}

#[sqlx::test]
async fn members_of_all_below_the_group_take_one_seat_each(pool: PgPool) {
    let world = World::new(pool).await;
    assert_eq!(seats(&world).await, [1, 1]);
    world.member(1300, "dana", 30).await;
    world.member(4321, "stranger", 50).await;
    project_member(&world, "eve", 20).await;
    assert_eq!(seats(&world).await, [3, 3]);
    // The same people again.
    world.member(1300, "owner", 50).await;
    project_member(&world, "dana", 40).await;
    assert_eq!(seats(&world).await, [3, 3]);
    let today = world.app.clock.now().date_naive();
    assert_eq!(seats::count(&world.app.pool, NamespaceId(1300), false, today).await.unwrap(), 2);
}

#[sqlx::test]
async fn guests_take_none_where_the_plan_says_so(pool: PgPool) {
    let world = World::new(pool).await;
    world.member(1300, "guest", 10).await;
    project_member(&world, "planner", 15).await;
    assert_eq!(seats(&world).await, [3, 2]);
    // A guest here and more elsewhere is more.
    project_member(&world, "guest", 20).await;
    assert_eq!(seats(&world).await, [3, 3]);
    world.member(1234, "elevated", 10).await;
    world
        .given()
        .sql(
            "insert into member_roles (id, name, base_access_level, occupies_seat) values (1, 'a', 10, false), (2, 'b', 10, true);
             update members set member_role_id = 1 where user_id = (select id from users where username = 'elevated')",
        )
        .await;
    assert_eq!(seats(&world).await, [4, 3]);
    world.given().sql("update members set member_role_id = 2 where member_role_id = 1").await;
    assert_eq!(seats(&world).await, [4, 4]);
}

#[sqlx::test]
async fn who_is_not_really_a_member_takes_none(pool: PgPool) {
    let world = World::new(pool).await;
    for (name, change) in [
        ("requester", "requested_at = now()"),
        ("invited", "invite_token = 'x'"),
        ("nobody", "user_id = null, invite_token = 'y'"),
        ("awaiting", "state = 1"),
        ("minimal", "access_level = 5"),
        ("expired", "expires_at = '2021-06-01'"),
    ] {
        let user = world.member(1300, name, 30).await;
        assert_eq!(seats(&world).await, [2, 2], "{name}");
        world.given().sql(&format!("update members set {change} where user_id = {user}")).await;
        assert_eq!(seats(&world).await, [1, 1], "{name}");
    }
    for (name, change) in [
        ("blocked", "state = 'blocked'"),
        ("asleep", "state = 'deactivated'"),
        ("bot", "user_type = 6"),
        ("service", "user_type = 13"),
    ] {
        project_member(&world, name, 30).await;
        world.given().sql(&format!("update users set {change} where username = '{name}'")).await;
        assert_eq!(seats(&world).await, [1, 1], "{name}");
    }
}

#[sqlx::test]
async fn groups_that_are_invited_bring_their_members(pool: PgPool) {
    let world = World::new(pool).await;
    let given = world.given();
    world.member(4321, "dana", 30).await;
    world.member(4321, "guest", 10).await;
    given.sql("update namespaces set parent_id = 4321, traversal_ids = '{4321,1300}' where id = 1300").await;
    world.member(1300, "inner", 20).await;
    assert_eq!(seats(&world).await, [1, 1]);
    // A share with a subgroup reaches those who inherit their membership of it.
    given.sql("insert into group_group_links (shared_group_id, shared_with_group_id, group_access) values (1234, 1300, 30)").await;
    assert_eq!(seats(&world).await, [4, 3]);
    given.sql("update group_group_links set group_access = 10").await;
    assert_eq!(seats(&world).await, [4, 1], "all are guests here");
    given.sql("update group_group_links set expires_at = '2021-06-01'").await;
    assert_eq!(seats(&world).await, [1, 1]);
    given.sql("insert into project_group_links (project_id, group_id, group_access) values (90, 4321, 20)").await;
    assert_eq!(seats(&world).await, [3, 2]);
    given.sql("update project_group_links set expires_at = '2021-06-01'").await;
    assert_eq!(seats(&world).await, [1, 1]);
}

#[sqlx::test]
async fn those_who_are_blocked_later_give_their_seats_back(pool: PgPool) {
    let world = World::new(pool).await;
    world
        .given()
        .sql(
            "insert into users (username, email) select 'u' || n, 'u' || n || '@example.com' from generate_series(1, 3000) as n;
             insert into members (type, source_type, source_id, member_namespace_id, user_id, access_level)
             select 'GroupMember', 'Namespace', case when id % 3 = 0 then 1234 else 4321 end, case when id % 3 = 0 then 1234 else 4321 end, id, 30
             from users where username like 'u%'",
        )
        .await;
    assert_eq!(seats(&world).await, [1001, 1001]);
    world.given().sql("update users set state = 'blocked' where id % 2 = 0 and username like 'u%'").await;
    assert_eq!(seats(&world).await, [501, 501]);
}

async fn subscribe(world: &World, namespace: &str, parameters: &str) {
    let path = format!("/namespaces/{namespace}/gitlab_subscription?start_date=2020-07-15&{parameters}");
    assert_eq!(world.call("POST", &path).await.status, 201);
}

async fn refresh(world: &World) -> usize {
    let db = Db::from(world.app.pool.clone());
    refresh_seats(&db, world.app.clock.now(), TimeDelta::days(1)).await.unwrap()
}

#[sqlx::test]
async fn a_refresh_counts_what_is_paid_once_in_its_time(pool: PgPool) {
    let world = World::new(pool).await;
    subscribe(&world, "1234", "plan_code=premium&seats=1").await;
    subscribe(&world, "4321", "plan_code=free&seats=1").await;
    subscribe(&world, "1300", "plan_code=premium&seats=1&trial=true").await;
    subscribe(&world, "22", "plan_code=premium&seats=1").await;
    for name in ["dana", "eve"] {
        world.member(1234, name, 30).await;
    }
    assert_eq!(refresh(&world).await, 2);
    let usage = async |id: &str| {
        world.call("GET", &format!("/namespaces/{id}/gitlab_subscription")).await.json()["usage"].clone()
    };
    let expected = json!({ "seats_in_subscription": 1, "seats_in_use": 3, "max_seats_used": 3, "seats_owed": 2 });
    assert_eq!(usage("1234").await, expected);
    assert_eq!(usage("22").await["max_seats_used"], 1);
    assert_eq!(usage("4321").await["max_seats_used"], 0);
    assert_eq!(world.count("gitlab_subscription_histories").await, 2);
    assert_eq!(world.count("provisioning_ledger_entries where author_type = 'seat_refresh'").await, 2);
    // Who leaves, leaves the most as it was.
    world.given().sql("delete from members where user_id <> (select id from users where username = 'owner')").await;
    assert_eq!(refresh(&world).await, 0, "it was counted today");
    world.app.clock.set(world.app.clock.now() + TimeDelta::days(1));
    assert_eq!(refresh(&world).await, 2);
    let expected = json!({ "seats_in_subscription": 1, "seats_in_use": 1, "max_seats_used": 3, "seats_owed": 2 });
    assert_eq!(usage("1234").await, expected);
    assert_eq!(world.count("gitlab_subscription_histories").await, 2);
    assert_eq!(world.count("provisioning_ledger_entries where author_type = 'seat_refresh'").await, 3);
}

#[sqlx::test]
async fn servers_share_a_refresh(pool: PgPool) {
    let world = World::new(pool).await;
    for id in ["1234", "4321", "1300", "22"] {
        subscribe(&world, id, "plan_code=premium&seats=1").await;
    }
    let refreshed = futures_util::future::join_all((0..4).map(|_| refresh(&world))).await;
    assert_eq!(refreshed.iter().sum::<usize>(), 4);
}

/// The refresh waits for a change that is under way, and counts after it.
#[sqlx::test]
async fn a_refresh_skips_what_somebody_changes(pool: PgPool) {
    let world = World::new(pool).await;
    subscribe(&world, "1234", "plan_code=premium&seats=1").await;
    let mut change = world.app.pool.begin().await.unwrap();
    sqlx::query("select from gitlab_subscriptions for update").execute(&mut *change).await.unwrap();
    assert_eq!(refresh(&world).await, 0);
    change.commit().await.unwrap();
    assert_eq!(refresh(&world).await, 1);
}
