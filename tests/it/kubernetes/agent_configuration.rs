//! `POST /agent_configuration`, and what `GET /receptive_agents` says.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::Fixture;
use crate::support::Reply;

async fn configure(fixture: &Fixture, config: Value) -> Reply {
    let body = json!({ "agent_id": fixture.prod.to_string(), "agent_config": config });
    fixture.app.call_kas("POST", "/agent_configuration", "", body).await
}

async fn rows(fixture: &Fixture, table: &str, column: &str) -> Vec<(i64, Value)> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("select {column}, config from {table} order by 1")))
        .fetch_all(&fixture.app.pool)
        .await
        .unwrap()
}

async fn ci_projects(fixture: &Fixture) -> Vec<(i64, Value)> {
    rows(fixture, "agent_project_authorizations", "project_id").await
}

/// kas-47
#[sqlx::test]
async fn the_projects_that_a_configuration_names_are_opened(pool: PgPool) {
    let fixture = Fixture::new(pool).await;
    let config = json!({ "ci_access": { "projects": [
        { "id": "ACME/open", "default_namespace": "d" }, { "id": "other/x" }, { "id": "acme/none" }, { "no": "id" }, 7,
    ] } });
    assert_eq!(configure(&fixture, config.clone()).await.line(), "204 ");
    assert_eq!(ci_projects(&fixture).await, [(fixture.open.0, json!({ "default_namespace": "d" }))]);
    // The same as text, and again: one row.
    assert_eq!(configure(&fixture, Value::String(config.to_string())).await.line(), "204 ");
    assert_eq!(ci_projects(&fixture).await.len(), 1);
    let later = json!({ "ci_access": { "projects": [{ "id": "acme/open" }, { "id": "Acme/Open", "x": 1 }, { "id": "acme/inner" }] } });
    configure(&fixture, later).await;
    assert_eq!(ci_projects(&fixture).await, [(fixture.open.0, json!({ "x": 1 })), (fixture.inner.0, json!({}))]);
    // What is no longer named is closed.
    configure(&fixture, json!({})).await;
    assert_eq!(ci_projects(&fixture).await, []);
}

#[sqlx::test]
async fn groups_and_users_are_opened_too(pool: PgPool) {
    let fixture = Fixture::new(pool).await;
    let given = fixture.app.given();
    let (acme, sub) = (given.group("acme").await, given.group("acme/sub").await);
    given.group("other").await;
    let config = json!({
        "ci_access": { "groups": [{ "id": "acme" }, { "id": "other" }, { "id": "acme/sub", "environments": ["p"] }] },
        "user_access": { "access_as": { "user": {} }, "projects": [{ "id": "acme/open", "x": 1 }], "groups": [{ "id": "acme/sub" }] },
    });
    assert_eq!(configure(&fixture, config).await.line(), "204 ");
    let groups = rows(&fixture, "agent_group_authorizations", "group_id").await;
    assert_eq!(groups, [(acme.0, json!({})), (sub.0, json!({ "environments": ["p"] }))]);
    let as_user = json!({ "access_as": { "user": {} } });
    let projects = rows(&fixture, "agent_user_access_project_authorizations", "project_id").await;
    assert_eq!(projects, [(fixture.open.0, as_user.clone())]);
    assert_eq!(rows(&fixture, "agent_user_access_group_authorizations", "group_id").await, [(sub.0, as_user)]);
    assert_eq!(given.value::<i64>("select count(*) from agent_project_authorizations").await, 0);
}

#[sqlx::test]
async fn five_hundred_entries_of_a_list_count(pool: PgPool) {
    let fixture = Fixture::new(pool).await;
    let mut projects: Vec<Value> = (0..500).map(|n| json!({ "id": format!("acme/none{n}") })).collect();
    projects.push(json!({ "id": "acme/open" }));
    configure(&fixture, json!({ "ci_access": { "projects": projects } })).await;
    assert_eq!(ci_projects(&fixture).await, []);
}

#[sqlx::test]
async fn what_is_wrong_is_said(pool: PgPool) {
    let fixture = Fixture::new(pool).await;
    let cases = [
        (json!({}), r#"400 {"error":"agent_id is missing, agent_config is missing"}"#),
        (
            json!({ "agent_id": "x", "agent_config": 5 }),
            r#"400 {"error":"agent_id is invalid, agent_config is invalid"}"#,
        ),
        (json!({ "agent_id": 1, "agent_config": "{" }), r#"400 {"error":"agent_config is invalid"}"#),
        (json!({ "agent_id": 1, "agent_config": null }), r#"400 {"error":"agent_config is invalid"}"#),
        (json!({ "agent_id": 999, "agent_config": {} }), r#"404 {"message":"404 Not found"}"#),
        (json!({ "agent_id": null, "agent_config": {} }), r#"404 {"message":"404 Not found"}"#),
    ];
    for (body, expected) in cases {
        let reply = fixture.app.call_kas("POST", "/agent_configuration", "", body.clone()).await;
        assert_eq!(reply.line(), expected, "{body}");
    }
    let odd =
        json!({ "ci_access": [], "user_access": { "projects": { "id": "acme/open" }, "groups": [{ "no": "id" }] } });
    assert_eq!(configure(&fixture, odd).await.line(), "204 ", "what is of another kind names nothing");
    for nul in [
        json!({ "user_access": { "access_as": { "agent": "\u{0}" }, "projects": [{ "id": "acme/open" }] } }),
        json!({ "user_access": { "groups": [{ "id": "a\u{0}b" }] } }),
        json!({ "\u{0}": 1 }),
    ] {
        let reply = configure(&fixture, nul.clone()).await;
        assert_eq!(reply.line(), r#"400 {"error":"agent_config is invalid"}"#, "{nul}");
        let reply = configure(&fixture, Value::String(nul.to_string())).await;
        assert_eq!(reply.line(), r#"400 {"error":"agent_config is invalid"}"#, "{nul} as text");
    }
}

/// Two reports at once end as one of them, whole.
#[sqlx::test]
async fn reports_at_once_do_not_mix(pool: PgPool) {
    let fixture = Fixture::new(pool).await;
    let one = json!({ "ci_access": { "projects": [{ "id": "acme/open", "n": 1 }, { "id": "acme/inner", "n": 1 }] } });
    let two = json!({ "ci_access": { "projects": [{ "id": "acme/inner", "n": 2 }, { "id": "acme/open", "n": 2 }] } });
    let calls = (0..16).map(|n| configure(&fixture, if n % 2 == 0 { one.clone() } else { two.clone() }));
    for reply in futures_util::future::join_all(calls).await {
        assert_eq!(reply.line(), "204 ");
    }
    let rows = ci_projects(&fixture).await;
    assert_eq!((rows.len(), &rows[0].1), (2, &rows[1].1));
}

#[sqlx::test]
async fn no_agent_waits_to_be_dialled(pool: PgPool) {
    let fixture = Fixture::new(pool).await;
    assert_eq!(fixture.get("/receptive_agents", "").await.line(), r#"200 {"agents":[]}"#);
}

#[sqlx::test]
async fn agents_that_are_dialled_need_a_licence(pool: PgPool) {
    let fixture = Fixture::with(pool, "gatehouse: {features: {cluster_receptive_agents: false}}").await;
    assert_eq!(fixture.get("/receptive_agents", "").await.line(), r#"404 {"message":"404 Not Found"}"#);
}
