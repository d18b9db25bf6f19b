//! The end of a scan: what was not found again is resolved, and comes back when it is.

use std::sync::Arc;

use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::task::JoinSet;

use super::starboard_vulnerability::{PATH as FINDING, finding};
use super::story::Story;
use super::{T1, T2};

const PATH: &str = "/modules/starboard_vulnerability/scan_result";

async fn report(story: &Story, token: &str, identifier: &str) -> Value {
    story.agent(token, "PUT", FINDING, &finding(identifier)).await.json()["uuid"].clone()
}

/// kas-37
#[sqlx::test]
async fn what_is_not_found_again_is_resolved_and_may_come_back(pool: PgPool) {
    let story = Story::new(pool).await;
    let a = report(&story, T1, "CVE-A").await;
    let b = report(&story, T1, "CVE-B").await;
    report(&story, T2, "CVE-C").await;
    report(&story, T1, "CVE-D").await;
    story.app.given().sql("update vulnerabilities set state = 2 where title = 'CVE-D'").await;
    let reply = story.agent(T1, "POST", PATH, &json!({ "uuids": [a] })).await;
    assert_eq!(reply.line(), "200 200");
    let states =
        "select string_agg(concat_ws(' ', v.title, v.state, r.state, v.resolved_on_default_branch), ', ' order by v.id)
                  from vulnerabilities v join vulnerability_reads r on vulnerability_id = v.id";
    assert_eq!(
        story.text(states).await,
        "CVE-A 1 1 f, CVE-B 3 3 t, CVE-C 1 1 f, CVE-D 2 1 f",
        "the agent's own alone, and not what somebody has dismissed"
    );
    let again = story.agent(T1, "POST", PATH, &json!({ "uuids": [a] })).await;
    assert_eq!(again.line(), "200 200");

    assert_eq!(report(&story, T1, "CVE-B").await, b);
    assert_eq!(story.text(states).await, "CVE-A 1 1 f, CVE-B 1 1 f, CVE-C 1 1 f, CVE-D 2 1 f");
    assert_eq!(story.number("select count(*) from vulnerabilities where resolved_at is not null").await, 0);
    // What happened can be read back.
    let trail =
        "select string_agg(concat_ws(' ', title, from_state, to_state, t.author_id, comment), ', ' order by t.id)
                 from vulnerability_state_transitions t join vulnerabilities v on v.id = t.vulnerability_id";
    assert_eq!(story.text(trail).await, "CVE-B 1 3 3 no longer reported, CVE-B 3 1 3 reported again");
}

/// kas-38
#[sqlx::test]
async fn a_scan_names_what_it_found(pool: PgPool) {
    let story = Story::new(pool).await;
    report(&story, T1, "CVE-A").await;
    for (body, refusal) in [
        (json!({}), "uuids is missing"),
        (json!({ "uuids": -1 }), "uuids is invalid"),
        (json!({ "uuids": "x" }), "uuids is invalid"),
        (json!({ "uuids": null }), "uuids is invalid"),
        (json!({ "uuids": [null] }), "uuids is invalid"),
        (json!({ "uuids": [{}] }), "uuids is invalid"),
        (json!({ "uuids": vec![1; 100_001] }), "uuids is too long (maximum is 100000)"),
    ] {
        let reply = story.agent(T1, "POST", PATH, &body).await;
        assert_eq!(reply.line(), format!(r#"400 {{"error":"{refusal}"}}"#));
    }
    assert_eq!(story.text("select string_agg(state::text, '') from vulnerabilities").await, "1");
}

/// kas-39
#[sqlx::test]
async fn a_scan_that_found_nothing_resolves_everything(pool: PgPool) {
    let story = Story::new(pool).await;
    for uuids in [json!([]), json!(["not-a-uuid", 7])] {
        report(&story, T1, "CVE-A").await;
        report(&story, T1, "CVE-B").await;
        story.app.given().sql("update vulnerabilities set state = 4 where title = 'CVE-A'").await;
        assert_eq!(story.agent(T1, "POST", PATH, &json!({ "uuids": uuids })).await.line(), "200 200");
        assert_eq!(story.text("select string_agg(state::text, ' ') from vulnerabilities").await, "3 3");
    }
    let trail =
        "select string_agg(from_state::text, ' ' order by vulnerability_id, id) from vulnerability_state_transitions";
    assert_eq!(story.text(trail).await, "4 3 4 1 3 1");
}

/// More than a batch takes, as many scans at once, and findings that come in meanwhile: each is resolved once.
#[sqlx::test]
async fn large_scans_are_resolved_in_batches(pool: PgPool) {
    let story = Arc::new(Story::new(pool).await);
    let kept = report(&story, T1, "CVE-A").await;
    let copies = "with numbers as (select n, nextval('vulnerabilities_id_seq') as v from generate_series(1, 600) as n),
                  occurrences as (
                    insert into vulnerability_occurrences (uuid, project_id, scanner_id, primary_identifier_id, vulnerability_id,
                      name, severity, report_type, project_fingerprint, location_fingerprint, metadata_version, raw_metadata)
                    select gen_random_uuid(), 7, scanner_id, primary_identifier_id, v, 'n', 1, 7, '', '', '', ''
                    from vulnerability_occurrences cross join numbers
                    returning id, vulnerability_id, uuid
                  ),
                  vulnerabilities as (
                    insert into vulnerabilities (id, project_id, author_id, finding_id, title, severity, report_type)
                    select vulnerability_id, 7, 3, id, 'n', 1, 7 from occurrences
                  )
                  insert into vulnerability_reads (vulnerability_id, project_id, scanner_id, report_type, severity, state, uuid,
                    cluster_agent_id, casted_cluster_agent_id)
                  select vulnerability_id, 7, 1, 7, 1, 1, uuid, '1', 1 from occurrences";
    story.app.given().sql(copies).await;
    let mut scans = JoinSet::new();
    for _ in 0..4 {
        let (story, kept) = (Arc::clone(&story), kept.clone());
        scans.spawn(async move { story.agent(T1, "POST", PATH, &json!({ "uuids": [kept] })).await.line() });
    }
    assert_eq!(scans.join_all().await, vec!["200 200"; 4]);
    assert_eq!(story.number("select count(*) from vulnerabilities where state = 3").await, 600);
    assert_eq!(story.number("select count(*) from vulnerability_reads where state = 3").await, 600);
    assert_eq!(story.number("select count(*) from vulnerability_state_transitions").await, 600);
    assert_eq!(story.text("select state from vulnerabilities order by id limit 1").await, "1");
}
