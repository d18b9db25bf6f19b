//! `agents:` and `security_policies:`.

use serde_json::json;
use sqlx::PgPool;

use super::{applied, refused, rows};

const HOME: &str = "
groups: [{path: acme}, {path: other}]
users: [{username: rubi, email: rubi@example.com}]
projects:
  - {path: other/web}
  - path: acme/infra
";

fn with(part: &str) -> String {
    format!("{HOME}{part}")
}

#[sqlx::test]
async fn an_agent_and_its_tokens_are_brought_about(pool: PgPool) {
    let agents = |rest: &str| with(&format!("    agents:\n      - {{name: prod, id: 9, created_by: rubi, {rest}}}\n"));
    let first = "glagent-firstxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    let document = agents(&format!(
        "tokens: [{{name: first, id: 5, token: {first}}}, {{name: second}}], project_access: [other/web]"
    ));
    let report = applied(&pool, &document).await;
    let lines = report.lines().join("\n");
    assert!(
        lines.contains("+ agent prod of acme/infra\n+ token first of agent prod of acme/infra\n+ token second"),
        "{lines}"
    );
    assert!(lines.contains("~ agent prod of acme/infra project_access none → other/web"), "{lines}");
    let named = &report.to_json()["projects"]["acme/infra"]["agents"]["prod"];
    assert_eq!((&named["id"], &named["tokens"]["first"]), (&json!(9), &json!({ "id": 5 })));
    let minted = named["tokens"]["second"]["token"].as_str().unwrap();
    assert!(minted.starts_with("glagent-") && minted.len() == 58, "{minted}");
    assert!(!rows(&pool, "select token_encrypted from cluster_agent_tokens").await.contains("glagent"));
    assert_eq!(rows(&pool, "select kind::text from agent_activity_events").await, "0\n0");

    let later = agents("tokens: [{name: first, ensure: absent}, {name: third, description: new}], project_access: []");
    let lines = applied(&pool, &later).await.lines().join("\n");
    assert!(lines.contains("- token first of agent prod of acme/infra\n+ token third"), "{lines}");
    let statuses = "select name || ' ' || status from cluster_agent_tokens order by id";
    assert_eq!(rows(&pool, statuses).await, "first 1\nsecond 0\nthird 0");
    assert_eq!(rows(&pool, "select config::text from agent_project_authorizations").await, "");

    let lines = applied(&pool, &with("    agents: [{name: prod, ensure: absent}]\n")).await.lines().join("\n");
    assert_eq!(lines, "- agent prod of acme/infra");
}

#[sqlx::test]
async fn what_is_wrong_with_an_agent_is_said(pool: PgPool) {
    let wrong = "    agents:
      - {name: Prod}
      - {name: ok, created_by: nobody}
      - {name: full, tokens: [{name: a}, {name: b}, {name: c}]}
      - {name: far, project_access: [acme/none]}
      - name: twin
        tokens:
          - {name: a, token: glagent-samexxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx}
          - {name: b, token: glagent-samexxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx}
      - {name: short, tokens: [{name: a, token: glagent-example-of-ours}, {name: b, token: glagent-example}]}
";
    insta::assert_snapshot!(refused(&pool, &with(wrong)).await, @"
    projects[1].agents[0].name: must be lower-case letters, digits and dashes, for example prod
    projects[1].agents[1].created_by: there is no user nobody
    projects[1].agents[2].tokens[2]: would be the third active one of agent full of acme/infra; take one back with ensure: absent
    projects[1].agents[3].project_access[0]: there is no project acme/none
    projects[1].agents[4].tokens[1].token: is that of token 3 already
    projects[1].agents[5].tokens[0].token: must have at least 50 characters after glagent-: kas tells agents apart by half of them
    ");
}

#[sqlx::test]
async fn policies_are_kept_as_their_file(pool: PgPool) {
    let policies = |cadence: &str| {
        with(&format!(
            "    security_policies:
      updated_at: 2022-06-02T05:36:26Z
      scan_execution_policy:
        - name: Nightly
          enabled: true
          actions: [{{scan: container_scanning}}]
          rules: [{{type: schedule, cadence: \"{cadence}\", agents: {{prod: {{namespaces: [a]}}}}}}]
"
        ))
    };
    let lines = applied(&pool, &policies("30 2 * * *")).await.lines().join("\n");
    assert!(lines.contains("+ security policies of acme/infra"), "{lines}");
    let file = rows(&pool, "select policy_yaml from security_orchestration_policy_configurations").await;
    assert!(file.starts_with("---\nscan_execution_policy:\n- name: Nightly\n"), "{file}");
    let lines = applied(&pool, &policies("0 3 * * *")).await.lines().join("\n");
    assert_eq!(lines, "~ security policies of acme/infra");
    let refusal = refused(&pool, &policies("@daily")).await;
    assert_eq!(
        refusal,
        "projects[1].security_policies.scan_execution_policy[0].rules[0].cadence: must have the five fields of cron, \
         for example \"30 2 * * *\""
    );
    let lines = applied(&pool, &with("    security_policies: {ensure: absent}\n")).await.lines().join("\n");
    assert_eq!(lines, "- security policies of acme/infra");
    let of_group = "groups: [{path: acme, security_policies: {scan_execution_policy: []}}]";
    assert_eq!(applied(&pool, of_group).await.lines().join("\n"), "+ security policies of acme");
}
