//! The migrations: each step over the rows of a database that was in use before it, and what `check` says afterwards.

use gatehouse::store::{self, Db, MIGRATIONS, drift};
use sqlx::PgPool;

/// Rows such as a database has after a step, by its number: the next steps must carry them along.
const SAMPLES: [(usize, &str); 12] = [
    (
        1,
        "insert into users (id, username, name, email) values (5, 'rubi', 'Dede Eichmann', 'rubi@example.com');
     insert into user_details (user_id) values (5);
     insert into emails (user_id, email) values (5, 'rubi@home.example');
     insert into webauthn_registrations (user_id, credential_xid, name) values (5, 'x', 'token')",
    ),
    (
        2,
        "insert into namespaces (id, name, path, type, traversal_ids) values (3, 'gnuwget', 'gnuwget', 'Group', '{3}');
     insert into namespaces (id, name, path, type, parent_id, traversal_ids) values (4, 'w', 'w', 'Project', 3, '{3,4}');
     insert into namespace_settings (namespace_id) values (3);
     insert into push_rules (project_id) values (7);
     insert into routes (source_id, source_type, path, namespace_id) values (3, 'Namespace', 'gnuwget', 3)",
    ),
    (
        3,
        "insert into projects (id, name, path, namespace_id, project_namespace_id) values (7, 'w', 'w', 3, 4);
     insert into routes (source_id, source_type, path, namespace_id) values (7, 'Project', 'gnuwget/w', 4);
     insert into project_features (project_id) values (7);
     insert into project_repositories (shard_id, disk_path, project_id) values (1, 'x', 7);
     insert into merge_requests (iid, target_project_id, source_project_id, source_branch, target_branch)
     values (1, 7, 7, 'topic', 'main')",
    ),
    (
        4,
        "insert into keys (id, user_id, title, key, fingerprint_sha256) values (11, 5, 'laptop', 'ssh-ed25519 AAAA', '\\x00');
     insert into deploy_keys_projects (deploy_key_id, project_id) values (11, 7)",
    ),
    (
        5,
        "insert into project_authorizations (user_id, project_id, access_level) values (5, 7, 30);
     insert into identities (user_id, provider, extern_uid) values (5, 'kerberos', 'rubi@X');
     insert into member_roles (name) values ('role');
     insert into members (type, source_type, source_id, member_namespace_id, user_id, access_level)
     values ('GroupMember', 'Namespace', 3, 3, 5, 10);
     insert into ip_restrictions (group_id, range) values (3, '10.0.0.0/8')",
    ),
    (
        6,
        "insert into protected_branches (id, project_id, name) values (1, 7, 'main');
     insert into protected_branch_push_access_levels (protected_branch_id) values (1);
     insert into protected_tags (project_id, name) values (7, 'v*')",
    ),
    (
        7,
        "insert into personal_access_tokens (user_id, name) values (5, 'token')",
    ),
    (
        8,
        "update application_settings set receive_max_input_size = 1",
    ),
    (
        9,
        "insert into post_push_messages values (5, 'project-7', 'moved', 'text', now())",
    ),
    (
        10,
        "insert into heartbeats values ('check', now())",
    ),
    (
        14,
        "insert into web_hooks (id, project_id, encrypted_url, encrypted_url_iv) values (2, 7, 'x', 'y')",
    ),
    (
        28,
        "insert into scim_identities (user_id, extern_uid) values (5, 'x');
         insert into group_scim_identities (group_id, user_id, extern_uid) values (3, 5, 'x')",
    ),
];

#[sqlx::test(migrations = false)]
async fn each_step_carries_the_rows_of_before_along(pool: PgPool) {
    for (number, step) in (1..).zip(MIGRATIONS.iter()) {
        sqlx::raw_sql(step.sql.clone()).execute(&pool).await.unwrap_or_else(|error| panic!("{step:?}: {error}"));
        // A new step brings its own sample rows when a later one has something to carry along.
        for (_, rows) in SAMPLES.iter().filter(|(after, _)| *after == number) {
            sqlx::raw_sql(*rows).execute(&pool).await.unwrap_or_else(|error| panic!("after {number}: {error}"));
        }
    }
    let deaf: bool = sqlx::query_scalar("select not alert_events from web_hooks").fetch_one(&pool).await.unwrap();
    assert!(deaf, "a hook from before alerts does not hear of them");
    let named = "select string_agg(username, ' ') from (
                   select username from scim_identities union all select username from group_scim_identities
                 ) as identities";
    let named: Option<String> = sqlx::query_scalar(named).fetch_one(&pool).await.unwrap();
    assert_eq!(named.as_deref(), Some("rubi rubi"), "identities know how their users are called");
    let app = crate::support::TestApp::new(pool);
    let reply = app.post_form("/allowed", "key_id=11&project=gnuwget/w&action=git-upload-pack&protocol=ssh").await;
    assert_eq!((reply.status.as_u16(), &reply.json()["gl_username"]), (200, &"rubi".into()), "{}", reply.text);
}

#[sqlx::test(migrations = false)]
async fn a_second_run_has_nothing_to_do(pool: PgPool) {
    let db = Db::from(pool);
    let applied = store::migrate(&db).await.unwrap();
    assert_eq!(applied.len(), MIGRATIONS.iter().count());
    assert_eq!(applied[0], "0001 accounts");
    assert!(store::migrate(&db).await.unwrap().is_empty());
    assert!(drift::list(&db).await.unwrap().is_empty(), "a fresh database is as the migrations make it");
}

#[sqlx::test]
async fn drift_is_named(pool: PgPool) {
    let db = Db::from(pool.clone());
    assert_eq!(drift::list(&db).await.unwrap(), Vec::<String>::new());
    let changes = "alter table keys drop column last_used_at;
                   alter table users alter column admin drop not null;
                   alter table users alter column projects_limit type bigint;
                   drop index index_on_routes_lower_path;
                   drop table heartbeats;
                   create table somebody_elses (id bigint);
                   alter table users add column theirs text";
    sqlx::raw_sql(changes).execute(&pool).await.unwrap();
    insta::assert_snapshot!(drift::list(&db).await.unwrap().join("\n"), @"
    column heartbeats.beat_at is missing
    column heartbeats.name is missing
    column keys.last_used_at is missing
    column users.admin is boolean and should be boolean not null
    column users.projects_limit is bigint not null and should be integer not null
    index heartbeats_pkey is missing
    index index_on_routes_lower_path is missing
    ");
    let left: i64 = sqlx::query_scalar("select count(*) from pg_namespace where nspname = 'gatehouse_expected'")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(left, 0, "the comparison leaves nothing behind");
}

#[sqlx::test]
async fn a_database_that_takes_no_writes_needs_no_migration(pool: PgPool) {
    let replica = crate::support::read_only(&pool).await;
    assert!(store::migrate(&Db::from(replica.clone())).await.unwrap().is_empty());
    replica.close().await;
}

/// Servers start together; each finds the schema whole.
#[sqlx::test(migrations = false)]
async fn two_servers_may_migrate_at_once(pool: PgPool) {
    let db = Db::from(pool);
    let (first, second) = tokio::join!(store::migrate(&db), store::migrate(&db));
    assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
}
