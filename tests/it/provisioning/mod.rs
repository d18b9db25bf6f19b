//! The provisioning area, in the world that the contract's cases assume (provisioning.md 10).

mod authentication;
mod crash;
mod customers_dot;
mod fuzz;
mod gitlab_subscriptions;
mod limit_exclusion;
mod minutes;
mod namespaces;
mod provision;
mod races;
mod seats;
mod subscription;
mod subscription_add_on_purchase;
mod upcoming_reconciliations;

use axum::body::Body;
use axum::http::Request;
use axum::http::request::Builder;
use gatehouse::domain::ids::UserId;
use serde_json::Value;
use sqlx::PgPool;

use crate::support::{Given, Reply, TestApp};

/// An application on 2021-06-01 with the contract's namespaces, and an administrator's token.
pub struct World {
    pub app: TestApp,
    pub admin: UserId,
    pub token: String,
}

impl World {
    pub async fn new(pool: PgPool) -> Self {
        Self::with(pool, "").await
    }

    /// The world of an installation with the settings of this YAML.
    pub async fn with(pool: PgPool, yaml: &str) -> Self {
        let app = TestApp::with(pool, yaml);
        app.clock.set("2021-06-01T12:00:00Z".parse().unwrap());
        let given = app.given();
        let admin = given.user("root").await;
        given.user_is(admin, "admin = true").await;
        let token = given.personal_access_token(admin, &app.secrets.db_key_base, "glpat-admin", &["api"]).await;
        let owner = given.user("owner").await;
        given
            .sql(&format!(
                "insert into namespaces (id, name, path, type, parent_id, visibility_level, traversal_ids, owner_id)
                 values (1234, 'A Namespace Name', 'a-ns', 'Group', null, 0, '{{1234}}', null),
                        (4321, 'Another Namespace Name', 'another-ns', 'Group', null, 0, '{{4321}}', null),
                        (1300, 'Sub', 'sub', 'Group', 1234, 0, '{{1234,1300}}', null),
                        (22, 'Owner', 'owners-own', 'User', null, 20, '{{22}}', {owner}),
                        (900, 'Project', 'project', 'Project', 1234, 0, '{{1234,900}}', null);
                 insert into routes (source_id, source_type, path, namespace_id)
                 values (1234, 'Namespace', 'a-ns', 1234),
                        (4321, 'Namespace', 'another-ns', 4321),
                        (1300, 'Namespace', 'a-ns/sub', 1300),
                        (22, 'Namespace', 'owners-own', 22);
                 insert into projects (id, name, path, namespace_id, project_namespace_id)
                 values (90, 'Project', 'project', 1234, 900);
                 insert into routes (source_id, source_type, path, namespace_id)
                 values (90, 'Project', 'a-ns/project', 900);"
            ))
            .await;
        let world = Self { app, admin, token };
        world.member(1234, "owner", 50).await;
        world
    }

    pub fn given(&self) -> Given {
        self.app.given()
    }

    /// Makes a user a member of a group.
    pub async fn member(&self, group: i64, username: &str, level: i32) -> UserId {
        let user = self.given().user(username).await;
        self.given()
            .sql(&format!(
                "insert into members (type, source_type, source_id, member_namespace_id, user_id, access_level)
                 values ('GroupMember', 'Namespace', {group}, {group}, {user}, {level})"
            ))
            .await;
        user
    }

    /// Another user's token of these scopes.
    pub async fn token_of(&self, user: UserId, scopes: &[&str]) -> String {
        let token = format!("glpat-{user}-{}", scopes.join("-"));
        self.given().personal_access_token(user, &self.app.secrets.db_key_base, &token, scopes).await
    }

    /// The start of a request below `/api/v4` that nobody signed.
    pub fn bare(method: &str, path: &str) -> Builder {
        Request::builder().method(method).uri(format!("/api/v4{path}"))
    }

    /// A request of the administrator's with its parameters in the query, or none.
    pub async fn call(&self, method: &str, path: &str) -> Reply {
        self.call_as(&self.token, method, path).await
    }

    /// The same of somebody else's.
    pub async fn call_as(&self, token: &str, method: &str, path: &str) -> Reply {
        let request = Self::bare(method, path).header("private-token", token);
        self.app.send(request.body(Body::empty()).unwrap()).await
    }

    /// A request of the administrator's with a JSON body.
    pub async fn json(&self, method: &str, path: &str, body: Value) -> Reply {
        let request = Self::bare(method, path).header("private-token", &self.token);
        let request = request.header("content-type", "application/json");
        self.app.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// A request of the administrator's with a form as its body.
    pub async fn form(&self, method: &str, path: &str, form: &str) -> Reply {
        let request = Self::bare(method, path).header("private-token", &self.token);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        self.app.send(request.body(Body::from(form.to_owned())).unwrap()).await
    }

    /// How many rows there are.
    pub async fn count(&self, from: &str) -> i64 {
        self.given().value(&format!("select count(*) from {from}")).await
    }

    /// The ledger, a line an entry: whose record of what kind, its values before and after by their names, and who it was.
    pub async fn ledger(&self) -> Vec<String> {
        let values = |state: &str| {
            format!(
                "coalesce((select string_agg(coalesce(value #>> '{{}}', 'null'), ' ' order by key)
                 from jsonb_each({state})), 'null')"
            )
        };
        let query = format!(
            "select format('%s %s %s → %s, by %s %s', namespace_id, record_type, {}, {}, author_type, author_name)
             from provisioning_ledger_entries
             order by id",
            values("state_before"),
            values("state_after")
        );
        sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_all(&self.app.pool).await.unwrap()
    }
}
