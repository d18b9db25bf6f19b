//! `POST /authorize_proxy_user`.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::Fixture;
use crate::support::Reply;

const PAT: &str = "glpat-for-clusters";

async fn authorize(fixture: &Fixture, body: Value) -> Reply {
    fixture.app.call_kas("POST", "/authorize_proxy_user", "", body).await
}

async fn with_token(fixture: &Fixture) -> Reply {
    let agent = fixture.prod.to_string();
    authorize(fixture, json!({ "agent_id": agent, "access_type": "personal_access_token", "access_key": PAT })).await
}

/// dana, a developer of `acme/open`, with a token for clusters; and what the configuration opens to users.
async fn prepared(pool: PgPool, yaml: &str, user_access: Value) -> Fixture {
    let fixture = Fixture::with(pool, yaml).await;
    let given = fixture.app.given();
    let dana = given.user("dana").await;
    let sql = format!(
        "insert into project_authorizations (user_id, project_id, access_level, is_unique)
         values ({dana}, {}, 30, true)",
        fixture.open
    );
    given.sql(&sql).await;
    let key = fixture.app.secrets.db_key_base.clone();
    given.personal_access_token(dana, &key, PAT, &["k8s_proxy"]).await;
    let body = json!({ "agent_id": fixture.prod.0, "agent_config": { "user_access": user_access } });
    assert_eq!(fixture.app.call_kas("POST", "/agent_configuration", "", body).await.line(), "204 ");
    fixture
}

/// kas-49
#[sqlx::test]
async fn what_is_wrong_is_said(pool: PgPool) {
    let fixture = Fixture::new(pool).await;
    let cases = [
        (json!({}), r#"400 {"error":"agent_id is missing, access_type is missing, access_key is missing"}"#),
        (
            json!({ "agent_id": "1", "access_type": "foo", "access_key": "k" }),
            r#"400 {"error":"access_type does not have a valid value"}"#,
        ),
        (
            json!({ "agent_id": "1", "access_type": null, "access_key": "k" }),
            r#"400 {"error":"access_type does not have a valid value"}"#,
        ),
        (
            json!({ "agent_id": "1", "access_type": "session_cookie", "access_key": "k" }),
            r#"400 {"error":"csrf_token is missing, csrf_token is empty"}"#,
        ),
        (
            json!({ "agent_id": "1", "access_type": "session_cookie", "access_key": "k", "csrf_token": " " }),
            r#"400 {"error":"csrf_token is empty"}"#,
        ),
        (
            json!({ "agent_id": "1", "access_type": "session_cookie", "access_key": "k", "csrf_token": "c" }),
            r#"401 {"message":"401 Unauthorized - Invalid session"}"#,
        ),
        (
            json!({ "agent_id": "1", "access_type": "personal_access_token", "access_key": "unknown" }),
            r#"400 {"message":"400 Bad request - Unable to get user from request data"}"#,
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(authorize(&fixture, body.clone()).await.line(), expected, "{body}");
    }
}

#[sqlx::test]
async fn a_developer_acts_as_the_agent(pool: PgPool) {
    let access = json!({ "access_as": { "agent": {} }, "projects": [{ "id": "acme/open" }] });
    let fixture = prepared(pool, "", access).await;
    let reply = with_token(&fixture).await;
    let user: i64 = fixture.app.given().value("select id from users where username = 'dana'").await;
    let expected = json!({
        "agent": { "id": fixture.prod.0, "config_project": { "id": fixture.infra.0 } },
        "user": { "id": user, "username": "dana" },
        "access_as": { "agent": {} },
    });
    assert_eq!((reply.status.as_u16(), reply.json()), (201, expected));
    fixture.app.given().eventually("select last_used_at is not null from personal_access_tokens").await;
    fixture.app.given().sql("update project_authorizations set access_level = 20").await;
    let refusal = "403 Forbidden - You must be a member of `projects` or `groups` under the `user_access` keyword.";
    assert_eq!(with_token(&fixture).await.message(), refusal);
    fixture.app.given().sql("update users set admin = true where username = 'dana'").await;
    assert_eq!(with_token(&fixture).await.status, 201);
}

#[sqlx::test]
async fn a_developer_acts_in_their_own_name(pool: PgPool) {
    let access =
        json!({ "access_as": { "user": {} }, "projects": [{ "id": "acme/open" }], "groups": [{ "id": "acme" }] });
    let fixture = prepared(pool, "", access).await;
    let only = json!({ "user": {
        "projects": [{ "id": fixture.open.0, "roles": ["guest", "planner", "reporter", "developer"] }], "groups": [],
    } });
    assert_eq!(with_token(&fixture).await.json()["access_as"], only);
    let acme = fixture.app.given().group("acme").await;
    let member = format!(
        "insert into members (type, source_type, source_id, member_namespace_id, user_id, access_level, notification_level)
         select 'GroupMember', 'Namespace', {acme}, {acme}, id, 50, 3 from users where username = 'dana'"
    );
    fixture.app.given().sql(&member).await;
    let groups = with_token(&fixture).await.json()["access_as"]["user"]["groups"].clone();
    let roles = ["guest", "planner", "reporter", "developer", "maintainer", "owner"];
    assert_eq!(groups, json!([{ "id": acme.0, "roles": roles }]));
}

#[sqlx::test]
async fn acting_as_the_user_needs_a_licence(pool: PgPool) {
    let access = json!({ "access_as": { "user": {} }, "projects": [{ "id": "acme/open" }] });
    let off = "gatehouse: {features: {cluster_agents_user_impersonation: false}}";
    let fixture = prepared(pool, off, access).await;
    assert_eq!(with_token(&fixture).await.message(), "403 Forbidden - User impersonation requires EEP license.");
}

#[sqlx::test]
async fn a_configuration_must_say_how(pool: PgPool) {
    let fixture = prepared(pool, "", json!({ "projects": [{ "id": "acme/open" }] })).await;
    let refusal = "403 Forbidden - `access_as` is not found under the `user_access` keyword.";
    assert_eq!(with_token(&fixture).await.message(), refusal);
    let sql = |config: &str| format!("update agent_user_access_project_authorizations set config = '{config}'");
    fixture.app.given().sql(&sql(r#"{"access_as": {"agent": {}, "user": {}}}"#)).await;
    let refusal = "403 Forbidden - `access_as` must exist only once under the `user_access` keyword.";
    assert_eq!(with_token(&fixture).await.message(), refusal);
    fixture.app.given().sql("delete from agent_user_access_project_authorizations").await;
    let refusal = "403 Forbidden - `user_access` keyword is not found in agent config file.";
    assert_eq!(with_token(&fixture).await.message(), refusal);
}

#[sqlx::test]
async fn a_token_must_be_good_and_made_for_it(pool: PgPool) {
    let access = json!({ "access_as": { "agent": {} }, "projects": [{ "id": "acme/open" }] });
    let fixture = prepared(pool, "", access).await;
    let given = fixture.app.given();
    given.sql("update personal_access_tokens set scopes = e'---\\n- api\\n'").await;
    let reply = with_token(&fixture).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["error"]), (403, &json!("insufficient_scope")));
    assert_eq!(reply.json()["scope"], "k8s_proxy", "what it lacks, and not what it has");
    given.sql("update personal_access_tokens set scopes = e'---\\n- k8s_proxy\\n'").await;
    given.sql("update users set state = 'blocked' where username = 'dana'").await;
    assert_eq!(with_token(&fixture).await.status, 403);
    given.sql("update personal_access_tokens set revoked = true").await;
    assert_eq!(with_token(&fixture).await.status, 401);
    let body = json!({ "agent_id": 999, "access_type": "personal_access_token", "access_key": PAT });
    given.sql("update personal_access_tokens set revoked = false").await;
    given.sql("update users set state = 'active'").await;
    assert_eq!(authorize(&fixture, body).await.line(), r#"404 {"message":"404 Not found"}"#);
}
