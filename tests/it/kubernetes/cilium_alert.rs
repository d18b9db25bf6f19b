//! Alerts of a cluster's network.

use std::sync::Arc;

use gatehouse::crypto::attr_encrypted::ColumnKey;
use gatehouse::domain::ids::ProjectId;
use gatehouse::domain::web_hook::HookSubscriptions;
use gatehouse::store::web_hooks::{self, HookOwner, WebHook};
use gatehouse::store::{self, Db};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::task::JoinSet;

use super::story::Story;
use super::{T1, TR};
use crate::support::pushes::{WAITING, Working, until};
use crate::support::receiver::Receiver;

const PATH: &str = "/modules/cilium_alert";
const ROWS: &str =
    "select coalesce(string_agg(concat_ws(' ', iid, title, description, events, status, domain, monitoring_tool,
                      left(encode(fingerprint, 'hex'), 8)), ', ' order by id), '') from alert_management_alerts";

fn alert(fingerprint: &str) -> Value {
    json!({ "alert": {
        "flow": { "dropReasonDesc": "POLICY_DENIED" }, "ciliumNetworkPolicy": { "metadata": { "name": "p" } },
        "fingerprint": fingerprint,
    } })
}

/// kas-45
#[sqlx::test]
async fn the_same_alert_counts_up(pool: PgPool) {
    let story = Story::new(pool).await;
    for path in [PATH, "/modules/cilium_alert/"] {
        assert_eq!(story.agent(T1, "POST", path, &alert("test")).await.line(), "200 200");
    }
    assert_eq!(story.text(ROWS).await, "1 p POLICY_DENIED 2 0 1 Cilium a94a8fe5");
    let payload: Value =
        serde_json::from_str(&story.text("select payload from alert_management_alerts").await).unwrap();
    assert_eq!(payload, alert("test")["alert"]);
    // One that somebody ignores counts on; a resolved one is over, and the next is a new alert.
    story.app.given().sql("update alert_management_alerts set status = 3").await;
    assert_eq!(story.agent(T1, "POST", PATH, &alert("test")).await.status, 200);
    story.app.given().sql("update alert_management_alerts set status = 2").await;
    assert_eq!(story.agent(T1, "POST", PATH, &alert("test")).await.status, 200);
    assert_eq!(story.agent(T1, "POST", PATH, &alert("other")).await.status, 200);
    assert_eq!(
        story
            .text(
                "select string_agg(concat_ws(' ', iid, events, status), ', ' order by id) from alert_management_alerts"
            )
            .await,
        "1 3 2, 2 1 0, 3 1 0"
    );
}

/// kas-46
#[sqlx::test]
async fn an_alert_is_an_object(pool: PgPool) {
    let story = Story::new(pool).await;
    let text = Value::String(alert("test").to_string());
    for (body, refusal) in [
        (json!({}), "alert is missing"),
        (text, "alert is missing"),
        (json!({ "alert": null }), "alert is missing"),
        (json!({ "alert": "x" }), "alert is invalid"),
        (json!({ "alert": [] }), "alert is invalid"),
        (json!({ "alert": { "a": { "b\0": 1 } } }), "alert is invalid"),
    ] {
        let reply = story.agent(T1, "POST", PATH, &body).await;
        assert_eq!(reply.line(), format!(r#"400 {{"error":"{refusal}"}}"#), "{body}");
    }
    assert_eq!(story.agent(TR, "POST", PATH, &alert("test")).await.status, 401);
    // What is too deep is none of our alerts; GitLab's body is the status.
    let deep = (0..110).fold(json!(1), |inner, _| json!([inner]));
    assert_eq!(story.agent(T1, "POST", PATH, &json!({ "alert": { "deep": deep } })).await.line(), "400 400");
    assert_eq!(story.text(ROWS).await, "");
}

#[sqlx::test]
async fn without_the_feature_or_the_project_there_are_no_alerts(pool: PgPool) {
    let story = Story::with(pool, "gatehouse: {features: {cilium_alerts: false}}").await;
    assert_eq!(story.agent(T1, "POST", PATH, &alert("x")).await.line(), r#"403 {"message":"403 Forbidden"}"#);
    story.app.given().sql("update projects set pending_delete = true").await;
    assert_eq!(story.agent(T1, "POST", PATH, &alert("x")).await.status, 404);
}

/// Alerts of two kinds, each by many at once: each is one row, and the numbers have no gap.
#[sqlx::test]
async fn alerts_at_the_same_moment_are_one(pool: PgPool) {
    let story = Arc::new(Story::new(pool).await);
    let mut alerts = JoinSet::new();
    for number in 0..40 {
        let story = Arc::clone(&story);
        alerts.spawn(async move { story.agent(T1, "POST", PATH, &alert(["one", "two"][number % 2])).await.line() });
    }
    assert_eq!(alerts.join_all().await, vec!["200 200"; 40]);
    assert_eq!(
        story
            .text("select string_agg(concat_ws(' ', iid, events), ', ' order by iid) from alert_management_alerts")
            .await,
        "1 20, 2 20"
    );
}

#[sqlx::test]
async fn hooks_that_listen_hear_of_a_new_alert_once(pool: PgPool) {
    store::jobs::migrate(&Db::from(pool.clone())).await.unwrap();
    let story = Story::new(pool).await;
    let app = &story.app;
    app.given().setting("allow_local_requests_from_web_hooks_and_services = true").await;
    let (listening, deaf) = (Receiver::start().await, Receiver::start().await);
    let key = ColumnKey::new(&app.secrets.db_key_base);
    let mut connection = app.pool.acquire().await.unwrap();
    for (url, alert_events) in [(listening.url(), true), (deaf.url(), false)] {
        let listening = HookSubscriptions { push_events: !alert_events, alert_events, ..HookSubscriptions::default() };
        let hook = WebHook { url: url.into(), token: None, name: None, listening, enable_ssl_verification: true };
        web_hooks::upsert(&mut connection, HookOwner::Project(ProjectId(7)), &hook, &key).await.unwrap();
    }
    drop(connection);
    let working = Working::on(app);
    for _ in 0..3 {
        assert_eq!(story.agent(T1, "POST", PATH, &alert("test")).await.status, 200);
    }
    until(app, WAITING, 0).await;
    working.drain().await;

    let [request] = &listening.requests()[..] else { panic!("{:?}", listening.requests()) };
    assert_eq!(request.header("x-gitlab-event"), "Alert Hook");
    let body = request.json();
    let started_at = body["object_attributes"]["started_at"].clone();
    assert_eq!(
        body["object_attributes"],
        json!({
            "title": "p", "url": "http://localhost/acme/infra/-/alert_management/1/details", "severity": "critical",
            "events": body["object_attributes"]["events"], "status": "triggered", "started_at": started_at,
        })
    );
    assert_eq!(
        (&body["object_kind"], &body["project"]["path_with_namespace"]),
        (&json!("alert"), &json!("acme/infra"))
    );
    assert!(started_at.as_str().unwrap().ends_with(" UTC"), "{started_at}");
    assert!(deaf.requests().is_empty());
    assert_eq!(story.number("select count(*) from alert_management_alerts where announced_at is not null").await, 1);
}
