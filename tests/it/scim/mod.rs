//! SCIM as identity providers see it.

mod as_sent;
mod bulk;
mod changes;
mod conformance;
mod envelope;
mod fuzz;
mod groups;
mod lists;
mod providers;
mod provisioning;
mod races;
mod search;
mod tenants;

use axum::body::Body;
use axum::http::Request;
use gatehouse::domain::ids::NamespaceId;
use gatehouse::domain::scim::ScimScope;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{Given, Reply, TestApp};

/// An application with a group `acme` that is provisioned, and the client of one scope.
struct Scim {
    app: TestApp,
    given: Given,
    group: NamespaceId,
    base: &'static str,
    token: &'static str,
}

impl Scim {
    /// The client of the group: `G` and `T` in the contract's cases.
    async fn of_group(pool: PgPool) -> Self {
        let app = TestApp::new(pool);
        let given = app.given();
        let group = given.scim_group("acme").await;
        Self { app, given, group, base: "/api/scim/v2/groups/acme", token: "T" }
    }

    /// The client of the installation: `I` and `TI`.
    async fn of_instance(pool: PgPool) -> Self {
        let scim = Self::of_group(pool).await;
        scim.given.scim_token(ScimScope::Instance, "TI").await;
        Self { base: "/api/scim/v2/application", token: "TI", ..scim }
    }

    async fn send(&self, method: &str, path: &str, body: impl Into<Body>) -> Reply {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        let request = request.header("authorization", format!("Bearer {}", self.token));
        let request = request.header("content-type", "application/scim+json");
        self.app.send(request.body(body.into()).unwrap()).await
    }

    async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, "").await
    }

    async fn post(&self, body: &Value) -> Reply {
        self.send("POST", "/Users", body.to_string()).await
    }

    async fn patch(&self, id: &str, operations: &Value) -> Reply {
        self.send("PATCH", &format!("/Users/{id}"), json!({ "Operations": operations }).to_string()).await
    }

    async fn put(&self, id: &str, body: &Value) -> Reply {
        self.send("PUT", &format!("/Users/{id}"), body.to_string()).await
    }

    async fn delete(&self, id: &str) -> Reply {
        self.send("DELETE", &format!("/Users/{id}"), "").await
    }

    /// Makes the user of the documentation's example.
    async fn example(&self) {
        let reply = self.post(&example()).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
    }

    async fn is_active(&self, id: &str) -> bool {
        let reply = self.get(&format!("/Users/{id}")).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json()["active"].as_bool().unwrap()
    }

    /// The level of a user's membership in the group.
    async fn level(&self, username: &str) -> Option<i32> {
        let sql = format!(
            "select (select access_level from members join users on users.id = user_id
             where source_type = 'Namespace' and source_id = {} and username = '{username}')",
            self.group
        );
        self.given.value(&sql).await
    }

    async fn state(&self, username: &str) -> String {
        self.given.value(&format!("select state from users where username = '{username}'")).await
    }

    async fn member(&self, username: &str, level: i32) {
        let user = self.given.user(username).await;
        let sql = format!(
            "insert into members (type, source_type, source_id, member_namespace_id, user_id, access_level)
             values ('GroupMember', 'Namespace', {0}, {0}, {user}, {level})",
            self.group
        );
        self.given.sql(&sql).await;
    }

    /// An active identity of a user, who is made if need be.
    async fn identity(&self, username: &str, extern_uid: &str) {
        let user = self.given.user(username).await;
        let sql = if self.token == "T" {
            format!(
                "insert into group_scim_identities (group_id, user_id, extern_uid, active)
                 values ({}, {user}, '{extern_uid}', true)",
                self.group
            )
        } else {
            format!("insert into scim_identities (user_id, extern_uid, active) values ({user}, '{extern_uid}', true)")
        };
        self.given.sql(&sql).await;
    }

    /// How many users, identities, SAML identities and memberships there are.
    async fn counts(&self) -> String {
        let sql = "select concat_ws(' ', (select count(*) from users),
                     (select count(*) from group_scim_identities) + (select count(*) from scim_identities),
                     (select count(*) from identities), (select count(*) from members))";
        self.given.value(sql).await
    }
}

/// The body of the documentation's example.
fn example() -> Value {
    json!({
        "externalId": "test_uid", "active": null, "userName": "username",
        "emails": [{"primary": true, "type": "work", "value": "name@example.com"}],
        "name": {"formatted": "Test User", "familyName": "User", "givenName": "Test"},
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "meta": {"resourceType": "User"},
    })
}

/// The example with other values; null takes one away.
fn example_with(changes: &Value) -> Value {
    let mut body = example();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            body.as_object_mut().unwrap().remove(name);
        } else {
            body[name] = value.clone();
        }
    }
    body
}

fn work_email(address: &str) -> Value {
    json!([{"primary": true, "type": "work", "value": address}])
}

/// What the error object says, after checking that it is one.
fn detail(reply: &Reply) -> String {
    let body = reply.json();
    assert_eq!(body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]), "{}", reply.text);
    assert_eq!(body["status"], reply.status.as_str(), "{}", reply.text);
    assert_eq!(reply.headers["content-type"], "application/scim+json; charset=utf-8");
    body["detail"].as_str().unwrap().to_owned()
}
