//! Whatever kas or an agent sends, the answer is never a 5xx, and what is refused is not kept in part.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};
use sqlx::PgPool;

use super::T1;
use super::starboard_vulnerability::finding;
use super::story::Story;

/// Values that are out of place almost anywhere.
fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| serde_json::Number::from_f64(number).map_or(Value::Null, Value::Number)),
        any::<String>().prop_map(Value::from),
        prop::sample::select(vec![
            "\0",
            "",
            "7",
            "-1",
            "9223372036854775808",
            "CVE-1",
            "high",
            "\u{ffff}",
            "'; --",
            "{}"
        ])
        .prop_map(Value::from),
        Just(json!("x".repeat(300_000))),
        Just((0..120).fold(json!(1), |inner, _| json!([inner]))),
        Just((0..90).fold(json!(1), |inner, _| json!({ "a": inner }))),
        Just(json!(vec![1; 3_000])),
        Just(json!({ "": { "\0": "\0" } })),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// All places in a value, as JSON pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(object) => object.iter().for_each(|(name, value)| places(value, &format!("{at}/{name}"), found)),
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(index, value)| places(value, &format!("{at}/{index}"), found));
        }
        _ => {}
    }
}

#[sqlx::test]
async fn no_request_whatever_gets_a_5xx(pool: PgPool) {
    let story = Story::new(pool).await;
    let requests = [
        (
            "POST",
            "/usage_metrics",
            json!({
                "gitops_sync_count": 1, "counters": { "k8s_api_proxy_request": 1 },
                "unique_counters": { "agent_users_using_ci_tunnel": [1, 2] },
            }),
        ),
        (
            "POST",
            "/agent_events",
            json!({ "events": {
            "k8s_api_proxy_requests_unique_users_via_ci_access": [{ "user_id": 3, "project_id": 7 }],
            "register_agent_at_kas": [{
                "project_id": 7, "agent_version": "v17", "extra_telemetry_data": { "installation_method": "helm" },
            }],
        } }),
        ),
        ("PUT", "/modules/starboard_vulnerability", finding("CVE-1")),
        ("POST", "/modules/starboard_vulnerability/scan_result", json!({ "uuids": ["x"] })),
        (
            "POST",
            "/modules/cilium_alert",
            json!({ "alert": {
            "title": "t", "fingerprint": "f", "ciliumNetworkPolicy": { "metadata": { "name": "n" } },
            "flow": { "verdict": "DROPPED", "l4": { "TCP": { "flags": {} } } },
        } }),
        ),
    ];
    let mut runner = TestRunner::deterministic();
    let mut statuses = std::collections::BTreeMap::new();
    for (method, path, good) in requests {
        let mut pointers = Vec::new();
        places(&good, "", &mut pointers);
        // Each place gets values that do not belong there, the others being as they should be.
        for pointer in pointers.iter().flat_map(|pointer| std::iter::repeat_n(pointer, 12)) {
            let mut body = good.clone();
            *body.pointer_mut(pointer).unwrap() = value().new_tree(&mut runner).unwrap().current();
            let reply = story.agent(T1, method, path, &body).await;
            let status = reply.status.as_u16();
            assert!(status < 500, "{method} {path} {pointer}: {} to {}", reply.line(), body);
            *statuses.entry(status).or_insert(0) += 1;
        }
    }
    // Some got through and some were refused: the guesses are worth something.
    assert!(statuses[&200] > 20 && statuses[&204] > 20 && statuses[&400] > 200, "{statuses:?}");
}
