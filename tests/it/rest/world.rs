//! The users, groups and projects of the contract's cases, and requests in their names.

use axum::body::Body;
use axum::http::Request;
use gatehouse::domain::ids::UserId;
use gatehouse::store::derived;
use serde_json::Value;
use sqlx::PgPool;

use crate::support::{Given, Reply, TestApp};

/// The day of the cases.
pub const NOW: &str = "2026-06-01T10:00:00Z";

/// The users by their ids, from 1 on.
const USERS: [&str; 8] = ["root", "own", "mai", "dev", "gue", "out", "ext", "blk"];

/// An installation with the contract's users 1 to 8, groups 10 to 12 and projects 20 to 22, and an `api` token of each
/// user.
pub struct World {
    pub app: TestApp,
}

impl World {
    pub async fn new(pool: PgPool) -> Self {
        Self::with(pool, "").await
    }

    /// The world of an installation with the settings of this YAML.
    pub async fn with(pool: PgPool, yaml: &str) -> Self {
        Self::of(TestApp::with(pool, yaml)).await
    }

    /// The world of this application.
    pub async fn of(app: TestApp) -> Self {
        app.clock.set(NOW.parse().unwrap());
        let world = Self { app };
        world.given().sql(ROWS).await;
        for (number, name) in (1..).zip(USERS) {
            world.given().personal_access_token(UserId(number), world.key(), &format!("T_{name}"), &["api"]).await;
        }
        world.refresh().await;
        world
    }

    pub fn given(&self) -> Given {
        self.app.given()
    }

    pub fn key(&self) -> &secrecy::SecretString {
        &self.app.secrets.db_key_base
    }

    /// Brings authorizations in line with what tests have written of memberships.
    pub async fn refresh(&self) {
        let mut connection = self.app.pool.acquire().await.unwrap();
        let users: Vec<UserId> = (1..=8).map(UserId).collect();
        derived::refresh_authorizations(&mut connection, &users, self.app.clock.now().date_naive()).await.unwrap();
    }

    /// Makes a user a member of a project.
    pub async fn project_member(&self, project: i64, user: i64, level: i32) {
        self.given()
            .sql(&format!(
                "insert into members (type, source_type, source_id, member_namespace_id, user_id, access_level)
                 select 'ProjectMember', 'Project', id, project_namespace_id, {user}, {level}
                 from projects where id = {project}"
            ))
            .await;
        self.refresh().await;
    }

    /// A request without a body in somebody's name: a user's, or that of a token.
    pub async fn call(&self, who: &str, method: &str, path: &str) -> Reply {
        self.app.send(Self::begun(who, method, path).body(Body::empty()).unwrap()).await
    }

    /// The same with a JSON body.
    pub async fn json(&self, who: &str, method: &str, path: &str, body: Value) -> Reply {
        let request = Self::begun(who, method, path).header("content-type", "application/json");
        self.app.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    fn begun(who: &str, method: &str, path: &str) -> axum::http::request::Builder {
        let token = if USERS.contains(&who) { format!("T_{who}") } else { who.to_owned() };
        Request::builder().method(method).uri(format!("/api/v4{path}")).header("private-token", token)
    }

    /// The names of the audit events so far.
    pub async fn events(&self) -> Vec<String> {
        let names = "select coalesce(
                       array_agg(substring(details from ':event_name: (\\S+)') order by id),
                       '{}'
                     )
                     from audit_events";
        self.given().value(names).await
    }
}

/// 403 without a reason.
pub const FORBIDDEN: &str = r#"403 {"message":"403 Forbidden"}"#;
/// 404 of a row.
pub const NO_ROW: &str = r#"404 {"message":"404 Not found"}"#;

const ROWS: &str = "
  insert into users (id, username, name, email, confirmed_at, admin, external, state)
  select
    number, name, initcap(name), name || '@example.com', now() at time zone 'utc', name = 'root', name = 'ext',
    case when name = 'blk' then 'blocked' else 'active' end
  from unnest(array['root', 'own', 'mai', 'dev', 'gue', 'out', 'ext', 'blk']) with ordinality as users (name, number);
  insert into namespaces (id, name, path, type, parent_id, visibility_level, traversal_ids)
  values
    (10, 'acme', 'acme', 'Group', null, 0, '{10}'),
    (11, 'sub', 'sub', 'Group', 10, 0, '{10,11}'),
    (12, 'pub', 'pub', 'Group', null, 20, '{12}'),
    (30, 'app', 'app', 'Project', 10, 0, '{10,30}'),
    (31, 'lib', 'lib', 'Project', 11, 0, '{10,11,31}'),
    (32, 'site', 'site', 'Project', 12, 20, '{12,32}');
  insert into namespace_settings (namespace_id) values (10), (11), (12);
  insert into projects (id, name, path, namespace_id, project_namespace_id, visibility_level, storage_version, creator_id)
  values (20, 'app', 'app', 10, 30, 0, 2, 2), (21, 'lib', 'lib', 11, 31, 0, 2, 2), (22, 'site', 'site', 12, 32, 20, 2, 2);
  insert into project_features (project_id) values (20), (21), (22);
  insert into project_repositories (shard_id, disk_path, project_id)
  select shards.id, 'disk/' || projects.id, projects.id from shards, projects where shards.name = 'default';
  insert into routes (source_id, source_type, path, name, namespace_id)
  values
    (10, 'Namespace', 'acme', 'acme', 10),
    (11, 'Namespace', 'acme/sub', 'acme / sub', 11),
    (12, 'Namespace', 'pub', 'pub', 12),
    (20, 'Project', 'acme/app', 'acme / app', 30),
    (21, 'Project', 'acme/sub/lib', 'acme / sub / lib', 31),
    (22, 'Project', 'pub/site', 'pub / site', 32);
  insert into members (type, source_type, source_id, member_namespace_id, user_id, access_level)
  values
    ('GroupMember', 'Namespace', 10, 10, 2, 50),
    ('GroupMember', 'Namespace', 10, 10, 3, 40),
    ('GroupMember', 'Namespace', 10, 10, 4, 30),
    ('GroupMember', 'Namespace', 10, 10, 5, 10),
    ('GroupMember', 'Namespace', 12, 12, 2, 50);
  select setval('users_id_seq', 100), setval('namespaces_id_seq', 100), setval('projects_id_seq', 100);
";
