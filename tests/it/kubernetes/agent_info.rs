//! `GET /agent_info`.

use std::time::Duration;

use serde_json::json;
use sqlx::PgPool;
use tonic::Status;

use super::{Fixture, T1};
use crate::support::TestGitaly;

/// kas-9
#[sqlx::test]
async fn an_agent_hears_where_its_configuration_is(pool: PgPool) {
    let yaml = "repositories: {storages: {default: {gitaly_address: 'tcp://gitaly:8075', gitaly_token: a-token}}}";
    let fixture = Fixture::with(pool, yaml).await;
    fixture.app.given().sql("update project_default_branches set name = 'trunk'").await;
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

/// Where nothing is known, the repository says, and is not asked again until a push changes what it says.
#[sqlx::test]
async fn the_default_branch_is_asked_once_where_it_is_not_known(pool: PgPool) {
    let gitaly = TestGitaly::start();
    let fixture = Fixture::with(pool, &gitaly.settings()).await;
    let given = fixture.app.given();
    let forget = async || given.sql("delete from project_default_branches").await;
    let branch = async || fixture.get("/agent_info", T1).await.json()["default_branch"].as_str().unwrap().to_owned();

    // There is no repository: the nearest group, the instance, and then `main` say how its first branch will be called.
    forget().await;
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

    let path = format!("{}.git", gatehouse::domain::repository::hashed_path("@hashed", fixture.infra.0));
    let repository = gitaly.repository(&path);
    assert_eq!(branch().await, "main", "HEAD of an empty repository");
    let asked = gitaly.count("FindDefaultBranchName");
    for _ in 0..5 {
        assert_eq!(branch().await, "main");
    }
    assert_eq!(gitaly.count("FindDefaultBranchName"), asked);
    repository.commit("trunk", &[("a", "1")], "Begin");
    repository.git(["symbolic-ref", "HEAD", "refs/heads/trunk"]).bytes(b"");
    forget().await;
    assert_eq!(branch().await, "trunk");
}

/// Ruling 24: kas would take another branch's lack of a file for an empty configuration, and remove all authorizations.
#[sqlx::test]
async fn a_default_branch_that_nobody_can_tell_is_not_guessed(pool: PgPool) {
    let mut gitaly = TestGitaly::start();
    let fixture = Fixture::with(pool, &gitaly.settings()).await;
    fixture.app.given().sql("delete from project_default_branches").await;
    let both = async || {
        let project = format!("/project_info?id={}", fixture.open);
        [fixture.get("/agent_info", T1).await.line(), fixture.get(&project, T1).await.line()]
    };
    let unavailable = r#"503 {"message":"503 Service Unavailable"}"#;
    for status in [Status::internal("disk"), Status::permission_denied("token"), Status::unknown("?")] {
        gitaly.fail("FindDefaultBranchName", status);
        assert_eq!(both().await, [unavailable, unavailable]);
    }
    gitaly.exhaust("FindDefaultBranchName", Duration::from_secs(1));
    assert_eq!(both().await, [unavailable, unavailable]);
    gitaly.heal("FindDefaultBranchName");
    gitaly.delay("FindDefaultBranchName", Duration::from_secs(9));
    assert_eq!(both().await, [unavailable, unavailable]);
    gitaly.stop();
    assert_eq!(both().await, [unavailable, unavailable]);
    let kept: i64 = fixture.app.given().value("select count(*) from project_default_branches").await;
    assert_eq!(kept, 0);
}

#[sqlx::test]
async fn a_project_that_is_about_to_go_is_gone(pool: PgPool) {
    let fixture = Fixture::new(pool).await;
    fixture.app.given().sql("update projects set pending_delete = true").await;
    assert_eq!(fixture.get("/agent_info", T1).await.line(), r#"404 {"message":"404 Not Found"}"#);
}
