//! Single events of agents and their users.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::story::Story;

const PATH: &str = "/agent_events";
const EVENTS: &str = "select coalesce(string_agg(concat_ws(' ', name, coalesce(user_id::text, '-'), project_id), ', '
                      order by name), '') from kas_events";

/// kas-26
#[sqlx::test]
async fn events_of_projects_that_exist_are_kept(pool: PgPool) {
    let story = Story::new(pool).await;
    let body = json!({ "events": { "k8s_api_proxy_requests_unique_users_via_ci_access": [
        { "user_id": 3, "project_id": 7 }, { "user_id": 3, "project_id": 999 }, {},
    ] } });
    assert_eq!(story.kas(PATH, &body).await.line(), "204 ");
    assert_eq!(
        story.text(EVENTS).await,
        "agent_users_using_ci_tunnel 3 7, k8s_api_proxy_requests_unique_users_via_ci_access 3 7"
    );
    // No two events are one.
    assert_eq!(story.kas(PATH, &body).await.status, 204);
    assert_eq!(story.number("select count(*) from kas_events").await, 4);
}

#[sqlx::test]
async fn an_unknown_user_is_left_out(pool: PgPool) {
    let story = Story::new(pool).await;
    let body = json!({ "events": { "k8s_api_proxy_requests_unique_users_via_pat_access": [
        { "user_id": "12345", "project_id": "7" },
    ] } });
    assert_eq!(story.kas(PATH, &body).await.status, 204);
    assert_eq!(
        story.text(EVENTS).await,
        "agent_users_using_ci_tunnel - 7, k8s_api_proxy_requests_unique_users_via_pat_access - 7"
    );
}

#[sqlx::test]
async fn an_agent_that_connects_is_described(pool: PgPool) {
    let story = Story::new(pool).await;
    let body = json!({ "events": { "register_agent_at_kas": [{
        "project_id": 7, "agent_version": "v17.1.0", "architecture": "arm64", "agent_id": 1, "kubernetes_version": "v1.30",
        "extra_telemetry_data": { "installation_method": "helm", "helm_chart_version": "2.1", "other": "dropped" },
    }] } });
    assert_eq!(story.kas(PATH, &body).await.line(), "204 ");
    let kept: Value = serde_json::from_str(&story.text("select properties from kas_events").await).unwrap();
    assert_eq!(
        kept,
        json!({
            "label": "v17.1.0", "property": "arm64", "value": 1, "kubernetes_version": "v1.30",
            "installation_method": "helm", "helm_chart_version": "2.1",
        })
    );
    assert_eq!(story.text(EVENTS).await, "register_agent_at_kas - 7");
}

/// kas-27
#[sqlx::test]
async fn events_of_a_wrong_type_are_refused_with_their_place(pool: PgPool) {
    let story = Story::new(pool).await;
    let name = "k8s_api_proxy_requests_unique_users_via_ci_access";
    let good = json!({ "user_id": 3, "project_id": 7 });
    for (events, wrong) in [
        (json!({ name: [{ "user_id": "string", "project_id": 7 }] }), "[0][user_id] is invalid"),
        (json!({ name: [good, { "user_id": 3, "project_id": [7] }] }), "[1][project_id] is invalid"),
        (json!({ name: good }), " is invalid"),
        (json!({ name: [good, 5] }), " is invalid"),
    ] {
        let reply = story.kas(PATH, &json!({ "events": events })).await;
        assert_eq!(reply.line(), format!(r#"400 {{"error":"events[{name}]{wrong}"}}"#), "{events}");
    }
    assert_eq!(story.kas(PATH, &json!({ "events": "x" })).await.line(), r#"400 {"error":"events is invalid"}"#);
    let many = vec![good; 10_001];
    let reply = story.kas(PATH, &json!({ "events": { name: many } })).await;
    assert_eq!(reply.line(), format!(r#"400 {{"error":"events[{name}] is too long (maximum is 10000)"}}"#));
    assert_eq!(story.text(EVENTS).await, "");
}

/// kas-28
#[sqlx::test]
async fn no_events_and_unknown_ones_are_passed_over(pool: PgPool) {
    let story = Story::new(pool).await;
    let name = "k8s_api_proxy_requests_unique_users_via_ci_access";
    for body in [
        json!({}),
        json!({ "events": { "zzz": [{ "user_id": 1 }] } }),
        json!({ "events": null }),
        json!({ "events": { name: null, "zzz": 5 } }),
        json!({ "events": { name: [] } }),
        json!({ "events": { name: [{ "user_id": 3 }] } }),
    ] {
        assert_eq!(story.kas(PATH, &body).await.line(), "204 ", "{body}");
    }
    assert_eq!(story.text(EVENTS).await, "");
}

/// Twenty thousand bad events are a body of 700 KB; what is said of them is no longer than what can be read.
#[sqlx::test]
async fn the_complaints_about_many_events_are_bounded(pool: PgPool) {
    let story = Story::new(pool).await;
    let bad = vec![json!({ "user_id": "x", "project_id": "y" }); 10_000];
    let body = json!({ "events": {
        "k8s_api_proxy_requests_unique_users_via_ci_access": bad,
        "k8s_api_proxy_requests_unique_users_via_pat_access": bad,
    } });
    let begun = std::time::Instant::now();
    let reply = story.kas(PATH, &body).await;
    assert_eq!((reply.status.as_u16(), reply.text.matches(" is invalid").count()), (400, 100));
    assert!(begun.elapsed() < std::time::Duration::from_secs(1), "{:?}", begun.elapsed());
}
