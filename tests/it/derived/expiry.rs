//! Memberships and shares whose day has passed are removed, with what they gave.

use chrono::Days;
use gatehouse::domain::ids::UserId;
use gatehouse::store::derived::{expire, refresh_authorizations};
use sqlx::PgPool;

use super::{execute, ids, today};

#[sqlx::test]
async fn expired_members_and_shares_are_removed_with_what_they_gave(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    for user in 1..=3 {
        execute(&mut conn, &format!("insert into users (id, username, email) values ({user}, 'u{user}', 'u{user}@x')"))
            .await;
    }
    for (group, path) in [(10, "a"), (11, "b"), (12, "c")] {
        execute(
            &mut conn,
            &format!("insert into namespaces (id, type, name, path) values ({group}, 'Group', '{path}', '{path}')"),
        )
        .await;
    }
    execute(&mut conn, "insert into namespaces (id, type, name, path, parent_id) values (20, 'Project', 'p', 'p', 10)")
        .await;
    execute(
        &mut conn,
        "insert into projects (id, name, path, namespace_id, project_namespace_id) values (1, 'p', 'p', 10, 20)",
    )
    .await;
    let yesterday = today() - Days::new(1);
    for (user, group, expires) in
        [(1, 10, format!("'{}'", today())), (2, 11, "null".to_owned()), (3, 12, "null".to_owned())]
    {
        execute(&mut conn, &format!("insert into members (type, source_type, source_id, member_namespace_id, user_id, access_level, expires_at) values ('GroupMember', 'Namespace', {group}, {group}, {user}, 40, {expires})")).await;
    }
    execute(
        &mut conn,
        &format!("insert into project_group_links (project_id, group_id, expires_at) values (1, 11, '{}')", today()),
    )
    .await;
    execute(
        &mut conn,
        &format!(
            "insert into group_group_links (shared_group_id, shared_with_group_id, expires_at) values (10, 12, '{}')",
            today()
        ),
    )
    .await;
    let users = [UserId(1), UserId(2), UserId(3)];
    refresh_authorizations(&mut conn, &users, yesterday).await.unwrap();
    assert_eq!(
        ids(&mut conn, "select access_level::bigint from project_authorizations order by user_id").await,
        [40, 30, 30]
    );

    assert_eq!(expire(&mut conn, yesterday).await.unwrap(), 0);
    // Another server that holds the rows is not waited for.
    let mut other = pool.begin().await.unwrap();
    sqlx::query("select id from members for update").fetch_all(&mut *other).await.unwrap();
    assert_eq!(expire(&mut conn, today()).await.unwrap(), 2);
    other.rollback().await.unwrap();
    assert_eq!(ids(&mut conn, "select user_id from project_authorizations").await, [1]);
    assert_eq!(expire(&mut conn, today()).await.unwrap(), 1);
    assert_eq!(expire(&mut conn, today()).await.unwrap(), 0);
    assert_eq!(ids(&mut conn, "select user_id from project_authorizations").await, [0; 0]);
    assert_eq!(ids(&mut conn, "select user_id from members order by 1").await, [2, 3]);
}
