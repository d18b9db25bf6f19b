//! `GET /agent_info`.

use serde_json::json;
use sqlx::PgPool;

use super::{Fixture, T1};

/// kas-9
#[sqlx::test]
async fn an_agent_hears_where_its_configuration_is(pool: PgPool) {
    let yaml = "repositories: {storages: {default: {gitaly_address: 'tcp://gitaly:8075', gitaly_token: a-token}}}";
    let fixture = Fixture::with(pool, yaml).await;
    let known = format!(
        "insert into project_default_branches (project_id, name, known_at) values ({}, 'trunk', now())",
        fixture.infra
    );
    fixture.app.given().sql(&known).await;
    let expected = json!({
        "project_id": fixture.infra.0,
        "agent_id": fixture.prod.0,
        "agent_name": "prod",
        "gitaly_info": { "address": "tcp://gitaly:8075", "token": "a-token", "features": {} },
        "gitaly_repository": {
            "storage_name": "default",
            "relative_path": format!("{}.git", gatehouse::domain::repository::hashed_path("@hashed", fixture.infra.0)),
            "git_object_directory": "",
            "git_alternate_object_directories": [],
            "gl_repository": format!("project-{}", fixture.infra),
            "gl_project_path": "acme/infra",
        },
        "default_branch": "trunk",
    });
    for path in ["/agent_info", "/agent_info/"] {
        let reply = fixture.get(path, T1).await;
        assert_eq!((reply.status.as_u16(), reply.json()), (200, expected.clone()), "{path}");
        assert_eq!(reply.headers["content-type"], "application/json");
    }
    let request = fixture.app.kas("GET", "/agents/agentk/agent_info").header("gitlab-agent-api-request", T1);
    let reply = fixture.app.send(request.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(reply.json(), expected);
}

/// Where no push has told us, the repository says; where it does not, the nearest group, the instance, and then `main`.
#[sqlx::test]
async fn the_default_branch_is_asked_for_where_it_is_not_known(pool: PgPool) {
    let fixture = Fixture::new(pool).await;
    let given = fixture.app.given();
    let branch =
        || async { fixture.get("/agent_info", T1).await.json()["default_branch"].as_str().unwrap().to_owned() };
    assert_eq!(branch().await, "main");
    given.setting("default_branch_name = 'instance'").await;
    assert_eq!(branch().await, "instance");
    let group = given.group("acme").await;
    let named = format!(
        "insert into namespace_settings (namespace_id, default_branch_name) values ({group}, 'group')
         on conflict (namespace_id) do update set default_branch_name = 'group'"
    );
    given.sql(&named).await;
    assert_eq!(branch().await, "group");
}

#[sqlx::test]
async fn a_project_that_is_about_to_go_is_gone(pool: PgPool) {
    let fixture = Fixture::new(pool).await;
    fixture.app.given().sql("update projects set pending_delete = true").await;
    assert_eq!(fixture.get("/agent_info", T1).await.line(), r#"404 {"message":"404 Not Found"}"#);
}
