//! `PATCH`, `PUT` and `DELETE`: what changes, what stays, and who loses what.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{Scim, detail, example};

fn replace(path: &str, value: &Value) -> Value {
    json!([{"op": "replace", "path": path, "value": value}])
}

/// scim-56, scim-57, scim-58
#[sqlx::test]
async fn a_member_is_taken_off_and_on_again(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    scim.example().await;
    for operations in [
        json!([{"op": "Replace", "path": "active", "value": "False"}]),
        json!([{"op": "replace", "value": {"active": false}}]),
        json!([{"op": "UPDATE", "path": "active", "value": "false"}]),
        json!([{"op": "replace", "path": "active", "value": 0}]),
        json!([{"op": "replace", "value": {"displayName": "x", "active": false}}]),
    ] {
        let reply = scim.patch("test_uid", &operations).await;
        assert_eq!((reply.status.as_u16(), reply.text.as_str()), (204, ""), "{operations}");
        assert!(!reply.headers.contains_key("content-type"));
        assert!(!scim.is_active("test_uid").await, "{operations}");
        assert_eq!((scim.level("username").await, scim.state("username").await.as_str()), (None, "active"));
        scim.given.sql("update saml_providers set default_membership_role = 20").await;
        assert_eq!(scim.patch("test_uid", &replace("active", &json!("true"))).await.status, 204);
        assert!(scim.is_active("test_uid").await);
        assert_eq!(scim.level("username").await, Some(20), "the role that new members get now");
    }
    scim.given.sql("update members set access_level = 40").await;
    assert_eq!(scim.patch("test_uid", &replace("active", &json!(true))).await.status, 204);
    assert_eq!(scim.level("username").await, Some(40), "who is on already keeps the role");
    let events: i64 = scim.given.value("select count(*) from audit_events where details like '%deprovisioned%'").await;
    assert_eq!(events, 5);
}

/// Memberships below the group end too, with what they gave; other groups' stay.
#[sqlx::test]
async fn nothing_of_the_groups_tree_is_left_and_pushes_are_refused_at_once(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    scim.given.project("acme/sub/app").await;
    scim.given.project("other/app").await;
    scim.example().await;
    scim.given
        .sql(
            "insert into members (type, source_type, source_id, member_namespace_id, user_id, access_level)
             select 'GroupMember', 'Namespace', namespaces.id, namespaces.id, users.id, 40
             from namespaces, users where namespaces.path in ('acme/sub', 'other') and username = 'username'
             union all
             select 'ProjectMember', 'Project', projects.id, project_namespace_id, users.id, 40
             from projects, users where projects.name = 'app' and username = 'username'",
        )
        .await;
    // The membership in the other group is not the provider's; its derived rows are.
    assert_eq!(scim.patch("test_uid", &replace("active", &json!(false))).await.status, 204);
    assert_eq!(scim.patch("test_uid", &replace("active", &json!(true))).await.status, 204);
    let user = scim.given.user("username").await;
    let key = scim.given.key(user, "laptop").await;
    let fetch = async |project: &str| {
        let body = json!({"key_id": key.0, "project": project, "action": "git-upload-pack", "protocol": "ssh", "changes": "_any"});
        scim.app.post("/allowed", body).await.status.as_u16()
    };
    assert_eq!((fetch("acme/sub/app").await, fetch("other/app").await), (200, 200));
    assert_eq!(scim.delete("test_uid").await.status, 204);
    assert_eq!((fetch("acme/sub/app").await, fetch("other/app").await), (404, 200));
    let left: i64 = scim.given.value("select count(*) from members").await;
    assert_eq!(left, 2, "those of the other group");
}

/// scim-59, scim-63, scim-64
#[sqlx::test]
async fn what_is_not_changed_here_is_accepted(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    scim.example().await;
    scim.delete("test_uid").await;
    let before = scim.get("/Users/test_uid").await.json();
    for operations in [
        replace("name.formatted", &json!("New Name")),
        replace("emails[type eq \"work\"].value", &json!("other@example.com")),
        replace("userName", &json!("other")),
        replace("title", &json!("x")),
        replace("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", &json!("x")),
        json!([{"op": "frobnicate"}]),
        json!([{"op": "Remove", "path": "title"}]),
        json!([]),
    ] {
        assert_eq!(scim.patch("test_uid", &operations).await.status, 204, "{operations}");
    }
    assert_eq!(scim.send("PATCH", "/Users/test_uid", r#"{"Garbage":1}"#).await.status, 204);
    assert_eq!(scim.get("/Users/test_uid").await.json(), before, "still inactive, and of the same version");
}

/// scim-61, scim-62
#[sqlx::test]
async fn the_id_may_move_where_it_is_free(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    scim.example().await;
    scim.identity("dana", "taken").await;
    assert_eq!(scim.patch("test_uid", &replace("id", &json!("1234abcd"))).await.status, 204);
    assert_eq!(scim.get("/Users/test_uid").await.status, 404);
    assert_eq!(scim.get("/Users/1234abcd").await.json()["externalId"], "1234abcd");
    let saml: String = scim.given.value("select extern_uid from identities").await;
    assert_eq!(saml, "test_uid");
    for (value, kind) in
        [(json!("TAKEN"), "uniqueness"), (json!(""), "invalidValue"), (json!("x".repeat(256)), "invalidValue")]
    {
        let reply = scim.patch("1234abcd", &replace("externalId", &value)).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["scimType"]), (412, &json!(kind)), "{}", reply.text);
        assert!(detail(&reply).starts_with("Error updating Test User with {"), "{}", reply.text);
    }
    assert_eq!(scim.put("1234abcd", &json!({"externalId": "Taken"})).await.status, 409);
    assert_eq!(scim.patch("1234abcd", &replace("id", &json!("1234ABCD"))).await.status, 204, "the case of one's own");
    assert_eq!(scim.get("/Users/1234abcd").await.json()["id"], "1234ABCD");
}

/// All operations or none, the id first: departure 8.
#[sqlx::test]
async fn several_operations_are_one_change(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    scim.example().await;
    scim.identity("dana", "taken").await;
    let both = |id: &str| json!([{"op": "replace", "path": "active", "value": false}, {"op": "replace", "path": "id", "value": id}]);
    assert_eq!(scim.patch("test_uid", &both("taken")).await.status, 412);
    assert!(scim.is_active("test_uid").await, "nothing is half done");
    assert_eq!(scim.level("username").await, Some(30));
    assert_eq!(scim.patch("test_uid", &both("moved")).await.status, 204);
    assert!(!scim.is_active("moved").await);
}

/// scim-65
#[sqlx::test]
async fn operations_that_cannot_be_read_are_refused(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    scim.example().await;
    for operations in [
        json!("x"),
        json!({}),
        json!([{"path": "active", "value": false}]),
        json!([{"op": 5}]),
        json!([null]),
        json!([{"op": "remove"}]),
        json!([{"op": "replace", "path": "active", "value": "no"}]),
    ] {
        let reply = scim.patch("test_uid", &operations).await;
        assert_eq!(reply.status, 400, "{operations}");
        assert!(!detail(&reply).is_empty());
    }
    assert!(scim.is_active("test_uid").await);
}

/// scim-67
#[sqlx::test]
async fn a_group_keeps_its_last_owner(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    scim.member("dana", 50).await;
    scim.identity("dana", "dana-uid").await;
    let deleted = scim.delete("dana-uid").await;
    assert_eq!(deleted.status, 412);
    assert_eq!(detail(&deleted), "Could not remove Dana from acme. Cannot remove last group owner.");
    let patched = scim.patch("dana-uid", &replace("active", &json!(false))).await;
    assert_eq!((patched.status.as_u16(), patched.json().get("scimType")), (412, None));
    assert!(detail(&patched).starts_with("Error updating Dana with {"));
    assert_eq!(scim.put("dana-uid", &json!({"active": false})).await.status, 412);
    assert!(scim.is_active("dana-uid").await);
    assert_eq!(scim.level("dana").await, Some(50));
    scim.member("eve", 50).await;
    assert_eq!(scim.delete("dana-uid").await.status, 204);
}

/// scim-69
#[sqlx::test]
async fn the_end_keeps_the_identity_and_may_be_repeated(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    scim.example().await;
    assert_eq!(scim.delete("test_uid").await.status, 204);
    assert_eq!(scim.delete("test_uid").await.status, 204);
    assert!(!scim.is_active("test_uid").await);
    assert_eq!(scim.counts().await, "1 1 1 0");
    assert_eq!(detail(&scim.delete("nobody").await), "Resource nobody not found");
}

/// scim-70
#[sqlx::test]
async fn the_installation_blocks_a_user_whose_next_pull_is_refused(pool: PgPool) {
    let scim = Scim::of_instance(pool).await;
    let dana = scim.given.user("dana").await;
    scim.identity("dana", "x").await;
    scim.given.project("acme/app").await.developer("dana").await;
    let key = scim.given.key(dana, "laptop").await;
    scim.given
        .sql(&format!("insert into otp_sessions (key_id, expires_at) values ({key}, now() + interval '1 day')"))
        .await;
    let token = scim.given.personal_access_token(dana, &scim.app.secrets.db_key_base, "glpat-dana", &["api"]).await;
    let pull = async || {
        let body = json!({"key_id": key.0, "project": "acme/app", "action": "git-upload-pack", "protocol": "ssh", "changes": "_any"});
        scim.app.post("/allowed", body).await
    };
    let who = async || {
        let request = Request::builder().uri("/api/v4/personal_access_tokens/self").header("PRIVATE-TOKEN", &token);
        scim.app.send(request.body(Body::empty()).unwrap()).await.status.as_u16()
    };
    assert_eq!((pull().await.status.as_u16(), who().await), (200, 200));
    assert_eq!(scim.delete("x").await.status, 204);
    assert_eq!(scim.state("dana").await, "ldap_blocked");
    assert_eq!(pull().await.line(), r#"401 {"message":"Your account has been blocked.","status":false}"#);
    assert_eq!(who().await, 403);
    let sessions: i64 = scim.given.value("select count(*) from otp_sessions").await;
    assert_eq!(sessions, 0, "what a one-time password opened is shut");
    assert_eq!(scim.patch("x", &replace("active", &json!(true))).await.status, 204);
    assert_eq!((pull().await.status.as_u16(), scim.state("dana").await.as_str()), (200, "active"));
}

/// scim-71
#[sqlx::test]
async fn what_an_administrator_decided_stands(pool: PgPool) {
    let scim = Scim::of_instance(pool).await;
    let dana = scim.given.user("dana").await;
    scim.identity("dana", "x").await;
    for (before, after) in [
        ("banned", "banned"),
        ("blocked", "blocked"),
        ("blocked_pending_approval", "blocked_pending_approval"),
        ("ldap_blocked", "active"),
        ("deactivated", "active"),
    ] {
        scim.given.user_is(dana, &format!("state = '{before}'")).await;
        scim.given.sql("update scim_identities set active = false").await;
        assert_eq!(scim.patch("x", &replace("active", &json!(true))).await.status, 204);
        assert!(scim.is_active("x").await);
        assert_eq!(scim.state("dana").await, after, "{before}");
    }
    for state in ["banned", "blocked"] {
        scim.given.user_is(dana, &format!("state = '{state}'")).await;
        assert_eq!(scim.delete("x").await.status, 204);
        assert_eq!(scim.state("dana").await, state);
    }
    scim.given.user_is(dana, "state = 'ldap_blocked'").await;
    scim.given.sql("update scim_identities set active = true").await;
    assert_eq!(scim.patch("x", &replace("active", &json!(true))).await.status, 204);
    assert_eq!(scim.state("dana").await, "ldap_blocked", "an active identity is not taken on again");
}

/// scim-74
#[sqlx::test]
async fn a_resource_without_active_is_no_deactivation(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    scim.example().await;
    for body in [
        json!({"userName": "other", "emails": [{"type": "work", "value": "other@example.com"}], "externalId": ""}),
        json!({"active": null}),
        json!({}),
    ] {
        let reply = scim.put("test_uid", &body).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["active"]), (200, &json!(true)), "{}", reply.text);
        assert_eq!(reply.json()["emails"][0]["value"], "name@example.com");
    }
    assert_eq!(scim.put("nobody", &example()).await.status, 404);
    assert_eq!(scim.put("test_uid", &json!({"active": "perhaps"})).await.status, 400);
}

/// scim-75
#[sqlx::test]
async fn a_change_may_ask_to_see_what_came_of_it(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    scim.example().await;
    let operations = json!({"Operations": replace("active", &json!(false))}).to_string();
    let reply = scim.send("PATCH", "/Users/test_uid?attributes=active", operations).await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.text,
        r#"{"active":false,"id":"test_uid","schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]}"#
    );
}

#[sqlx::test]
async fn a_client_may_insist_on_a_version(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    scim.example().await;
    let send = async |method: &str, header: &str, version: &str, body: &str| {
        let request = Request::builder().method(method).uri("/api/scim/v2/groups/acme/Users/test_uid");
        let request = request.header("authorization", "Bearer T").header(header, version);
        scim.app.send(request.body(Body::from(body.to_owned())).unwrap()).await
    };
    let first = scim.get("/Users/test_uid").await.headers["etag"].to_str().unwrap().to_owned();
    let not_modified = send("GET", "if-none-match", &first, "").await;
    assert_eq!((not_modified.status.as_u16(), not_modified.text.as_str()), (304, ""));
    let off = r#"{"Operations":[{"op":"replace","path":"active","value":false}]}"#;
    assert_eq!(send("PATCH", "if-match", &first, off).await.status, 204);
    assert_eq!(send("GET", "if-none-match", &first, "").await.status, 200);
    for (method, body) in [
        ("PATCH", r#"{"Operations":[{"op":"replace","path":"active","value":true}]}"#),
        ("PUT", r#"{"active":true}"#),
        ("DELETE", ""),
    ] {
        let reply = send(method, "if-match", &first, body).await;
        assert_eq!(reply.status, 412, "{method}");
        assert!(!detail(&reply).is_empty());
    }
    assert!(!scim.is_active("test_uid").await);
    assert_eq!(send("PUT", "if-match", "*", r#"{"active":true}"#).await.status, 200);
}
