//! `GET /modules/starboard_vulnerability/policies_configuration` and `scan_execution_policies`.

use axum::body::Body;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{Fixture, T1, T2};
use crate::support::Reply;

const POLICIES: &str = "\
scan_execution_policy:
- name: Policy
  description: 'Policy description'
  enabled: true
  actions:
  - scan: container_scanning
  rules:
  - type: schedule
    cadence: '30 2 * * *'
    agents:
      prod:
        namespaces: [namespace-a, namespace-b]
";

async fn configuration(fixture: &Fixture, token: &str) -> Reply {
    fixture.get("/modules/starboard_vulnerability/policies_configuration", token).await
}

async fn policies(fixture: &Fixture) -> Reply {
    fixture.get("/modules/starboard_vulnerability/scan_execution_policies/", T1).await
}

async fn given_file(fixture: &Fixture, column: &str, id: i64, yaml: &str) {
    let sql = format!(
        "insert into security_orchestration_policy_configurations ({column}, policy_yaml, policy_last_updated_at)
         values ($1, $2, '2022-06-02 05:36:26Z')"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id).bind(yaml).execute(&fixture.app.pool).await.unwrap();
}

/// kas-40
#[sqlx::test]
async fn without_policies_nothing_is_scheduled(pool: PgPool) {
    let fixture = Fixture::new(pool).await;
    assert_eq!(configuration(&fixture, T1).await.line(), r#"200 {"configurations":[]}"#);
    assert_eq!(policies(&fixture).await.line(), r#"200 {"policies":[]}"#);
}

/// kas-41
#[sqlx::test]
async fn an_agent_hears_what_is_scheduled_for_it(pool: PgPool) {
    let fixture = Fixture::new(pool).await;
    given_file(&fixture, "project_id", fixture.infra.0, POLICIES).await;
    let expected = json!({ "configurations": [{
        "cadence": "30 2 * * *", "namespaces": ["namespace-a", "namespace-b"], "updated_at": "2022-06-02T05:36:26+00:00",
    }] });
    let reply = configuration(&fixture, T1).await;
    assert_eq!((reply.status.as_u16(), reply.json()), (200, expected));
    assert_eq!(reply.headers["content-type"], "application/json");
    assert_eq!(configuration(&fixture, T2).await.line(), r#"200 {"configurations":[]}"#);
}

/// kas-43
#[sqlx::test]
async fn policies_need_a_licence(pool: PgPool) {
    let fixture = Fixture::with(pool, "gatehouse: {features: {security_orchestration_policies: false}}").await;
    assert_eq!(configuration(&fixture, T1).await.line(), r#"402 {"message":"Payment Required"}"#);
    assert_eq!(policies(&fixture).await.line(), r#"402 {"message":"Payment Required"}"#);
}

/// kas-44
#[sqlx::test]
async fn the_policies_themselves_are_shown(pool: PgPool) {
    let fixture = Fixture::new(pool).await;
    given_file(&fixture, "project_id", fixture.infra.0, POLICIES).await;
    let json = policies(&fixture).await.json();
    let policy = json["policies"][0].as_object().unwrap();
    let keys: Vec<&str> = policy.keys().map(String::as_str).collect();
    assert_eq!(keys, ["description", "enabled", "name", "updated_at", "yaml"]);
    assert_eq!((&policy["name"], &policy["enabled"]), (&json!("Policy"), &json!(true)));
    let yaml = policy["yaml"].as_str().unwrap();
    let top: Vec<&str> = yaml
        .lines()
        .skip(1)
        .filter(|line| line.starts_with(|first: char| first.is_ascii_alphabetic()))
        .map(|line| line.split(':').next().unwrap())
        .collect();
    assert_eq!(top, ["name", "description", "enabled", "actions", "rules"]);
    assert!(yaml.starts_with("---\nname: Policy\n") && yaml.ends_with('\n'), "{yaml}");
    assert!(yaml.contains("\nactions:\n- scan: container_scanning\n"), "{yaml}");
    let read: Value = serde_saphyr::from_str(yaml).unwrap();
    assert_eq!(read["rules"][0]["agents"]["prod"]["namespaces"], json!(["namespace-a", "namespace-b"]));
}

/// The project's own come first, then those of the nearest group; a file that cannot be read says nothing.
#[sqlx::test]
async fn groups_add_their_policies(pool: PgPool) {
    let fixture = Fixture::new(pool).await;
    let given = fixture.app.given();
    let named = |name: &str| POLICIES.replace("name: Policy", &format!("name: {name}"));
    let (acme, other) = (given.group("acme").await, given.group("other").await);
    given_file(&fixture, "namespace_id", acme.0, &named("group")).await;
    given_file(&fixture, "namespace_id", other.0, &named("stranger")).await;
    given_file(&fixture, "project_id", fixture.infra.0, &named("own")).await;
    let names = || async {
        let json = policies(&fixture).await.json();
        json["policies"]
            .as_array()
            .unwrap()
            .iter()
            .map(|policy| policy["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["own", "group"]);
    given
        .sql("update security_orchestration_policy_configurations set policy_yaml = '{' where namespace_id is null")
        .await;
    assert_eq!(names().await, ["group"]);
}

#[sqlx::test]
async fn an_answer_that_stays_the_same_need_not_be_read_again(pool: PgPool) {
    let fixture = Fixture::new(pool).await;
    let first = configuration(&fixture, T1).await;
    let tag = first.headers["etag"].to_str().unwrap().to_owned();
    let again = |tag: String| {
        let path = "/kubernetes/modules/starboard_vulnerability/policies_configuration";
        let request = fixture.app.kas("GET", path).header("gitlab-agent-api-request", T1).header("if-none-match", tag);
        fixture.app.send(request.body(Body::empty()).unwrap())
    };
    let reply = again(format!("W/\"x\", {tag}")).await;
    assert_eq!((reply.line().as_str(), &reply.headers["etag"].to_str().unwrap()), ("304 ", &tag.as_str()));
    given_file(&fixture, "project_id", fixture.infra.0, POLICIES).await;
    assert_eq!(again(tag).await.status, 200);
}
