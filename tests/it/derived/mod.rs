//! Derived rows: whatever happens to groups, projects, memberships and shares, refreshing what a change can reach gives the
//! same rows as computing everything anew.

mod changes;
mod expiry;
mod model;

use std::collections::BTreeMap;

use chrono::NaiveDate;
use gatehouse::domain::ids::NamespaceId;
use gatehouse::store::derived::refresh_namespace;
use rand::SeedableRng;
use rand::rngs::StdRng;
use sqlx::{AssertSqlSafe, PgConnection, PgPool};

use changes::Changes;
use model::World;

const USERS: i64 = 6;

fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 21).unwrap()
}

#[sqlx::test]
async fn refreshing_what_a_change_reaches_equals_computing_everything_anew(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    for user in 1..=USERS {
        let made = format!("insert into users (id, username, email) values ({user}, 'u{user}', 'u{user}@x')");
        execute(&mut conn, &made).await;
        let namespace = format!(
            "insert into namespaces (type, owner_id, name, path) values ('User', {user}, 'u{user}', 'u{user}') returning id"
        );
        let namespace = scalar(&mut conn, &namespace).await;
        refresh_namespace(&mut conn, NamespaceId(namespace)).await.unwrap();
    }
    let mut random = StdRng::seed_from_u64(20_261_121);
    let mut routes = World::load(&mut conn).await.routes();
    let mut redirects: BTreeMap<String, (String, i64)> = BTreeMap::new();
    for step in 0..400 {
        let what = Changes { conn: &mut conn, random: &mut random }.one().await;
        let world = World::load(&mut conn).await;
        let now = world.routes();
        for (source, (path, ..)) in &now {
            redirects.remove(path);
            if let Some((old, ..)) = routes.get(source).filter(|(old, ..)| old != path) {
                redirects.insert(old.clone(), source.clone());
            }
        }
        redirects.retain(|path, _| now.values().all(|(taken, ..)| taken != path));
        routes = now;
        let what = what.unwrap_or_else(|| "nothing".to_owned());
        world.compare(&mut conn, &routes, &redirects, &format!("step {step}: {what}")).await;
    }
    assert!(redirects.len() > 5 && routes.len() > 20, "too little happened");
}

/// The function that says who is an active member stands in queries as if it were spelt there: no call is left, and the
/// index that counts seats serves it.
#[sqlx::test]
async fn the_meaning_of_an_active_member_is_written_into_queries(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    execute(&mut conn, "set enable_seqscan = off").await;
    let query = "explain (costs off) select user_id from members
                 where member_namespace_id = 1 and access_level > 5 and gatehouse_is_active_member(members, '2026-11-21')";
    let plan: Vec<String> = sqlx::query_scalar(query).fetch_all(&mut *conn).await.unwrap();
    insta::assert_snapshot!(plan.join("\n"), @"
    Index Only Scan using gatehouse_members_on_member_namespace_id_for_seats on members
      Index Cond: (member_namespace_id = 1)
      Filter: ((expires_at IS NULL) OR (expires_at > '2026-11-21'::date))
    ");
}

async fn ids(conn: &mut PgConnection, query: &str) -> Vec<i64> {
    sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_all(conn).await.unwrap()
}

async fn scalar(conn: &mut PgConnection, query: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_one(conn).await.unwrap()
}

async fn execute(conn: &mut PgConnection, query: &str) {
    sqlx::query(AssertSqlSafe(query.to_owned())).execute(conn).await.unwrap();
}
