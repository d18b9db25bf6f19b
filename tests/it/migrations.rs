//! The migrations: each step over the rows of a database that was in use before it, and what `check` says afterwards.

use std::time::Duration;

use gatehouse::store::{self, Db, MIGRATIONS, drift};
use sqlx::PgPool;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgPoolOptions;

use crate::support::unmigrate;

/// Rows such as a database has after a step, by its number: the next steps must carry them along.
const SAMPLES: [(usize, &str); 14] = [
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
        "insert into protected_branches (id, project_id, name) values (1, 7, 'main'), (3, 7, 'main'), (4, 7, 'rel/*');
     update protected_branches set allow_force_push = id = 3;
     insert into protected_branch_push_access_levels (protected_branch_id, access_level) values (1, 40), (3, 30), (4, 0);
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
        15,
        "insert into project_default_branches (project_id, name, known_at) values (7, 'trunk', now())",
    ),
    (
        28,
        "insert into scim_identities (user_id, extern_uid) values (5, 'x');
         insert into group_scim_identities (group_id, user_id, extern_uid) values (3, 5, 'x')",
    ),
    (
        30,
        "insert into users (id, username, name, email, confirmed_at, created_at)
         values (8, 'jane', 'Jane', 'jane@x.example', '2026-01-01', '2026-01-01'),
           (9, 'declared', 'Declared', 'declared@x.example', '2026-01-01', '2026-01-01');
         insert into group_scim_identities (group_id, user_id, extern_uid, created_at)
         values (3, 8, 'jane', '2026-01-01 00:00:00+00'), (3, 9, 'declared', '2026-01-01 00:00:00+00');
         insert into user_details (user_id) values (9);
         insert into user_details (user_id, provisioned_by_group_id) values (8, 3);
         update user_details set enterprise_group_id = 999 where user_id = 5;
         update members set state = null",
    ),
];

#[sqlx::test(migrations = false)]
async fn each_step_carries_the_rows_of_before_along(pool: PgPool) {
    unmigrate(&pool).await;
    for (number, step) in (1..).zip(MIGRATIONS.iter()) {
        sqlx::raw_sql(step.sql.clone()).execute(&pool).await.unwrap_or_else(|error| panic!("{step:?}: {error}"));
        // A new step brings its own sample rows when a later one has something to carry along.
        for (_, rows) in SAMPLES.iter().filter(|(after, _)| *after == number) {
            sqlx::raw_sql(*rows).execute(&pool).await.unwrap_or_else(|error| panic!("after {number}: {error}"));
        }
    }
    let deaf: bool = sqlx::query_scalar("select not alert_events from web_hooks").fetch_one(&pool).await.unwrap();
    assert!(deaf, "a hook from before alerts does not hear of them");
    let born: bool = sqlx::query_scalar("select born from project_default_branches").fetch_one(&pool).await.unwrap();
    assert!(born, "a default branch that was known was pushed, so the next push does not protect it");
    let named = "select string_agg(username, ' ') from (
                   select username from scim_identities union all select username from group_scim_identities
                 ) as identities";
    let named: Option<String> = sqlx::query_scalar(named).fetch_one(&pool).await.unwrap();
    assert_eq!(named.as_deref(), Some("rubi rubi jane declared"), "identities know how their users are called");
    let accounts =
        "select string_agg(concat_ws(' ', user_id, enterprise_group_id, confirmed_by_group_scim_at), ', ' order by user_id)
                    from user_details";
    let accounts: Option<String> = sqlx::query_scalar(accounts).fetch_one(&pool).await.unwrap();
    let made_by_scim = "5, 8 3 2026-01-01 00:00:00, 9";
    assert_eq!(
        accounts.as_deref(),
        Some(made_by_scim),
        "SCIM's accounts are their group's, which alone trusts their address"
    );
    let protected = "select string_agg(concat_ws(' ', name, allow_force_push, levels), ', ' order by id)
                     from protected_branches
                     cross join lateral (
                       select string_agg(access_level::text, '+' order by access_level) as levels
                       from protected_branch_push_access_levels
                       where protected_branch_id = protected_branches.id
                     ) as of_branch";
    let protected: Option<String> = sqlx::query_scalar(protected).fetch_one(&pool).await.unwrap();
    assert_eq!(
        protected.as_deref(),
        Some("main t 30+40, rel/* f 0"),
        "of two rules of one name, one lets pass who either did"
    );
    let active: i64 =
        sqlx::query_scalar("select count(*) from members where state = 0").fetch_one(&pool).await.unwrap();
    assert_eq!(active, 1, "who had no state is active, as before");
    let app = crate::support::TestApp::new(pool);
    let reply = app.post_form("/allowed", "key_id=11&project=gnuwget/w&action=git-upload-pack&protocol=ssh").await;
    assert_eq!((reply.status.as_u16(), &reply.json()["gl_username"]), (200, &"rubi".into()), "{}", reply.text);
}

#[sqlx::test(migrations = false)]
async fn a_second_run_has_nothing_to_do(pool: PgPool) {
    unmigrate(&pool).await;
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
    index gatehouse_keys_by_last_use is missing
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

/// A release and the one after it share a database: the older one serves, and starts, for as long as the schema is for it.
#[sqlx::test]
async fn the_release_before_keeps_serving(pool: PgPool) {
    let step = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
                values (9999, 'of a newer release', true, '', 0)";
    sqlx::query(step).execute(&pool).await.unwrap();
    let db = Db::from(pool.clone());
    assert!(store::migrate(&db).await.unwrap().is_empty());
    sqlx::query("update schema_requirements set oldest_known_step = 9999").execute(&pool).await.unwrap();
    let error = store::migrate(&db).await.unwrap_err().to_string();
    assert!(error.contains("is at step 9999 and for servers that know step 9999"), "{error}");
    assert!(error.contains("install the newer release"), "{error}");
}

/// A step that waits for a table gives way to those who come after it, and is tried again.
#[sqlx::test(migrations = false)]
async fn a_step_that_waits_keeps_nobody_waiting(pool: PgPool) {
    unmigrate(&pool).await;
    // Step 23 changes web_hooks.
    let before = MIGRATIONS.iter().filter(|step| step.version < 23).cloned().collect();
    Migrator::with_migrations(before).run(&pool).await.unwrap();
    let mut reader = pool.begin().await.unwrap();
    sqlx::query("select * from web_hooks").fetch_all(&mut *reader).await.unwrap();
    let db = Db::from(pool.clone());
    let migrating = tokio::spawn(async move { store::migrate(&db).await });
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let next = sqlx::query("select * from web_hooks").fetch_all(&pool);
        tokio::time::timeout(Duration::from_secs(3), next).await.expect("fetches go on").unwrap();
    }
    assert!(!migrating.is_finished());
    reader.commit().await.unwrap();
    let applied = migrating.await.unwrap().unwrap();
    assert_eq!(applied.first().map(String::as_str), Some("0023 alerts"));
}

/// The wait for another server's migration is longer than a statement may take.
#[sqlx::test]
async fn a_server_waits_for_another_that_migrates(pool: PgPool) {
    let mut other = pool.acquire().await.unwrap();
    let lock: i64 = 0x6761_7465_686f_7573;
    sqlx::query("select pg_advisory_lock($1)").bind(lock).execute(&mut *other).await.unwrap();
    let options = (*pool.connect_options()).clone().options([("statement_timeout", "500ms")]);
    let hasty = PgPoolOptions::new().connect_with(options).await.unwrap();
    let db = Db::from(hasty.clone());
    let migrating = tokio::spawn(async move { store::migrate(&db).await });
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!migrating.is_finished());
    other.close().await.unwrap();
    assert!(migrating.await.unwrap().unwrap().is_empty());
    hasty.close().await;
}

/// Servers start together; each finds the schema whole.
#[sqlx::test(migrations = false)]
async fn two_servers_may_migrate_at_once(pool: PgPool) {
    unmigrate(&pool).await;
    let db = Db::from(pool);
    let (first, second) = tokio::join!(store::migrate(&db), store::migrate(&db));
    assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
}
