//! `POST /modules/cilium_alert`: the cluster's network has dropped something that its policies forbid.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::KubernetesState;
use crate::domain::alert::{self, Alert};
use crate::http::auth::agent::AgentCaller;
use crate::http::error::ApiError;
use crate::http::grape::GrapeParameters;
use crate::http::openapi::FailureResponse;
use crate::services::record_alert;
use crate::store::alerts;

/// Bytes and depth of an alert's payload at most.
const BYTES: usize = 1_000_000;
const DEPTH: usize = 100;

/// What Cilium has dropped.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct CiliumAlertRequest {
    /// The policy and the flow, 1,000,000 bytes and 100 levels at most.
    #[schema(value_type = Object)]
    alert: Value,
}

/// The status, where the alert is too large; else what is wrong with the parameters.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is answered")]
#[serde(untagged)]
pub enum CiliumAlertFailure {
    /// 400
    Status(u16),
    /// What is wrong.
    Parameters(FailureResponse),
}

/// Keeps the alert, or counts the same one up that is not resolved yet. Hooks are told of a new one. GitLab's body is
/// the status, and so is this.
///
/// # Errors
/// 400 where there is no alert; 404 where the project is gone; 403 where the instance has no such alerts.
#[utoipa::path(
    post,
    path = "/kubernetes/modules/cilium_alert",
    request_body(
        content = CiliumAlertRequest,
        example = json!({ "alert": { "ciliumNetworkPolicy": { "metadata": { "name": "deny-all" } }, "flow": {} } })
    ),
    responses(
        (status = 200, description = "The alert is kept", body = u16, content_type = "application/json", example = 200),
        (status = 400, description = "There is no alert, or none that can be kept", body = CiliumAlertFailure),
        (status = 403, description = "The installation has no such alerts", body = FailureResponse)
    )
)]
pub async fn create(
    State(kubernetes): State<KubernetesState>,
    agent: AgentCaller,
    parameters: GrapeParameters,
) -> Result<(StatusCode, Json<u16>), ApiError> {
    let payload = parameters.read(|reader| {
        let payload = reader.value("alert").cloned();
        reader.required_object("alert", |_| ());
        payload.unwrap_or_default()
    })?;
    let db = &kubernetes.db;
    let subscribes = alerts::find_audience(db.pool(), agent.agent().project).await?.ok_or(ApiError::NotFound)?;
    if !kubernetes.settings.features.cilium_alerts {
        return Err(ApiError::Forbidden(""));
    }
    let Some(alert) = read(&payload) else { return Ok((StatusCode::BAD_REQUEST, Json(400))) };
    record_alert::record(db, agent.agent().project, &alert, subscribes, kubernetes.clock.now()).await?;
    Ok((StatusCode::OK, Json(200)))
}

/// The alert of a payload, unless that is too large or too deep.
fn read(payload: &Value) -> Option<Alert> {
    let text = canonical(payload);
    if text.len() > BYTES || depth(payload) > DEPTH {
        return None;
    }
    let words = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    let title = words("/ciliumNetworkPolicy/metadata/name").or_else(|| words("/title")).unwrap_or(alert::UNTITLED);
    let description =
        words("/flow/dropReasonDesc").or_else(|| words("/flow/verdict")).or_else(|| words("/description"));
    Some(Alert {
        title: alert::cut(title, alert::TITLE),
        description: description.map(|description| alert::cut(description, alert::DESCRIPTION)),
        monitoring_tool: "Cilium",
        fingerprint: alert::fingerprint(&identity(payload)),
        payload: text,
    })
}

/// What makes two alerts one: what the payload says itself, or the flow without what differs from packet to packet.
fn identity(payload: &Value) -> String {
    match &payload["fingerprint"] {
        Value::String(text) if !text.is_empty() => return text.clone(),
        Value::Number(number) => return number.to_string(),
        _ => {}
    }
    let Some(flow) = payload["flow"].as_object() else { return canonical(payload) };
    let mut flow = flow.clone();
    flow.remove("time");
    flow.remove("Summary");
    if let Some(Value::Object(tcp)) = flow.get_mut("l4").and_then(|l4| l4.get_mut("TCP")) {
        tcp.remove("flags");
    }
    canonical(&Value::Object(flow))
}

/// Compact JSON with sorted keys, whichever order they came in.
fn canonical(value: &Value) -> String {
    sorted(value).to_string()
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<(&String, &Value)> = object.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            Value::Object(entries.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect::<Map<_, _>>())
        }
        Value::Array(values) => Value::Array(values.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Object(object) => 1 + object.values().map(depth).max().unwrap_or_default(),
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_alert_is_named_by_what_it_says() {
        let named = |payload: Value| read(&payload).map(|alert| (alert.title, alert.description.unwrap_or_default()));
        let full = json!({
            "ciliumNetworkPolicy": { "metadata": { "name": "p" } }, "title": "t", "description": "d",
            "flow": { "dropReasonDesc": "POLICY_DENIED", "verdict": "DROPPED" },
        });
        assert_eq!(named(full).unwrap(), ("p".to_owned(), "POLICY_DENIED".to_owned()));
        let older = json!({ "title": "t", "flow": { "verdict": "DROPPED" } });
        assert_eq!(named(older).unwrap(), ("t".to_owned(), "DROPPED".to_owned()));
        assert_eq!(named(json!({ "description": "d" })).unwrap(), ("New: Alert".to_owned(), "d".to_owned()));
        let strange = json!({ "title": ["t"], "flow": 7, "ciliumNetworkPolicy": "x" });
        assert_eq!(named(strange).unwrap(), ("New: Alert".to_owned(), String::new()));
        assert_eq!(named(json!({ "title": "é".repeat(300) })).unwrap().0, "é".repeat(200));
    }

    #[test]
    fn packets_of_one_flow_are_one_alert() {
        let flow = |time: &str, flags: &str, port: u16| {
            json!({ "flow": {
                "time": time, "Summary": flags, "l4": { "TCP": { "destination_port": port, "flags": { flags: true } } },
                "verdict": "DROPPED",
            } })
        };
        let first = identity(&flow("1", "SYN", 80));
        assert_eq!(first, r#"{"l4":{"TCP":{"destination_port":80}},"verdict":"DROPPED"}"#);
        assert_eq!(identity(&flow("2", "ACK", 80)), first);
        assert_ne!(identity(&flow("1", "SYN", 81)), first);
        assert_eq!(identity(&json!({ "fingerprint": "test", "flow": {} })), "test");
        assert_eq!(identity(&json!({ "title": "t", "flow": "x" })), r#"{"flow":"x","title":"t"}"#);
    }

    #[test]
    fn a_payload_has_its_bounds() {
        let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!({ "a": inner }));
        assert!(read(&nested(100)).is_some());
        assert!(read(&nested(101)).is_none());
        assert!(read(&json!({ "a": "x".repeat(1_000_000) })).is_none());
    }
}
