//! `GET /project_info` and `GET /verify_project_access`.

use sqlx::PgPool;

use super::{Fixture, T1};

const NOT_FOUND: &str = r#"404 {"message":"404 Not Found"}"#;

/// kas-11
#[sqlx::test]
async fn an_agent_may_read_what_everybody_may(pool: PgPool) {
    let fixture = Fixture::new(pool).await;
    let open = fixture.open;
    for id in [open.to_string(), "acme%2Fopen".to_owned(), "ACME%2FOpen".to_owned()] {
        let reply = fixture.get(&format!("/project_info?id={id}"), T1).await;
        assert_eq!(reply.status, 200, "{id}: {}", reply.text);
        let json = reply.json();
        assert_eq!((json["project_id"].as_i64(), json.get("agent_id")), (Some(open.0), None));
        assert_eq!(json["gitaly_repository"]["gl_project_path"], "acme/open");
    }
    let own = fixture.get(&format!("/project_info?id={}", fixture.infra), T1).await;
    assert_eq!(own.status, 200, "its own, though it is private");
}

/// kas-13
#[sqlx::test]
async fn all_else_looks_as_if_it_did_not_exist(pool: PgPool) {
    let fixture = Fixture::new(pool).await;
    let hidden = [fixture.members, fixture.inner, fixture.other].map(|id| format!("?id={id}"));
    let others = ["?id=999", "?id=abc", "?id=", "", "?id=99999999999999999999", "?id=-1", "?id=acme%2F", "?id[]=1"];
    for query in hidden.iter().map(String::as_str).chain(others) {
        assert_eq!(fixture.get(&format!("/project_info{query}"), T1).await.line(), NOT_FOUND, "{query}");
        assert_eq!(fixture.get(&format!("/verify_project_access{query}"), T1).await.line(), NOT_FOUND, "{query}");
    }
    for gone in ["pending_delete = true, hidden = false", "pending_delete = false, hidden = true"] {
        fixture.app.given().sql(&format!("update projects set {gone}")).await;
        assert_eq!(fixture.get("/project_info?id=acme%2Fopen", T1).await.line(), NOT_FOUND, "{gone}");
        assert_eq!(fixture.get("/verify_project_access?id=acme%2Fopen", T1).await.line(), NOT_FOUND, "{gone}");
        assert_eq!(fixture.get("/agent_info", T1).await.line(), NOT_FOUND, "{gone}");
    }
}

/// kas-14
#[sqlx::test]
async fn access_can_be_verified_alone(pool: PgPool) {
    let fixture = Fixture::new(pool).await;
    for id in [fixture.infra, fixture.open] {
        assert_eq!(fixture.get(&format!("/verify_project_access?id={id}"), T1).await.line(), "204 ");
    }
    assert_eq!(fixture.get(&format!("/verify_project_access?id={}", fixture.inner), T1).await.line(), NOT_FOUND);
}
