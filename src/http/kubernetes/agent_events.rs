//! `POST /agent_events`: who reached which cluster how, and which agents have connected, each event by itself.

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::KubernetesState;
use crate::domain::kas_usage::{CI_TUNNEL_EVENT, PROXY_EVENTS, REGISTER_EVENT, UsageEvent};
use crate::http::auth::kas::KasCaller;
use crate::http::error::ApiError;
use crate::http::grape::{GrapeParameters, ParameterReader};
use crate::store::kas_events;

/// Events of a name at most.
const MOST: usize = 10_000;

/// Events by their names; each is a list of objects.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct AgentEventsRequest {
    /// The lists. An event is `{user_id, project_id}`; of an agent that has connected, it is what the agent says of itself.
    #[schema(value_type = Option<HashMap<String, Vec<Object>>>)]
    events: Option<Value>,
}

/// Keeps the events of projects that exist. Names that we do not know are passed over.
///
/// # Errors
/// 400 where something that we know is of the wrong type; nothing is kept then.
#[utoipa::path(
    post,
    path = "/kubernetes/agent_events",
    request_body(
        content = AgentEventsRequest,
        example = json!({ "events": { "k8s_api_proxy_requests_unique_users_via_ci_access": [{ "user_id": 7, "project_id": 3 }] } })
    ),
    responses((status = 204, description = "The events are kept"))
)]
pub async fn create(
    State(kubernetes): State<KubernetesState>,
    _caller: KasCaller,
    parameters: GrapeParameters,
) -> Result<StatusCode, ApiError> {
    let events = parse(&parameters)?;
    if !events.is_empty() {
        kas_events::insert(kubernetes.db.pool(), &events, kubernetes.clock.now()).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

fn parse(parameters: &GrapeParameters) -> Result<Vec<UsageEvent>, ApiError> {
    let given = parameters.read(|reader| {
        reader.optional_object("events", |events| {
            let mut read = Vec::new();
            for name in PROXY_EVENTS {
                for event in events.optional_objects(name, MOST, |event| proxied(name, event)) {
                    // Whoever reaches a cluster in any of these ways uses the tunnel.
                    let tunnel = event.clone().map(|event| UsageEvent { name: CI_TUNNEL_EVENT, ..event });
                    read.extend([event, tunnel]);
                }
            }
            read.extend(events.optional_objects(REGISTER_EVENT, MOST, registered));
            read
        })
    })?;
    Ok(given.value().into_iter().flatten().flatten().collect())
}

/// The event, where it says of which project it is.
fn proxied(name: &'static str, event: &mut ParameterReader<'_>) -> Option<UsageEvent> {
    let (user, project) = (event.optional::<i64>("user_id").value(), event.optional::<i64>("project_id").value());
    Some(UsageEvent { name, user, project: project?, properties: "{}".to_owned() })
}

fn registered(event: &mut ParameterReader<'_>) -> Option<UsageEvent> {
    let project = event.optional::<i64>("project_id").value();
    let mut properties = Map::new();
    let mut keep = |name: &str, value: Option<Value>| properties.extend(value.map(|value| (name.to_owned(), value)));
    for (name, property) in
        [("agent_version", "label"), ("architecture", "property"), ("kubernetes_version", "kubernetes_version")]
    {
        keep(property, event.optional::<String>(name).value().map(Value::from));
    }
    keep("value", event.optional::<i64>("agent_id").value().map(Value::from));
    let extra = event.optional_object("extra_telemetry_data", |extra| {
        ["installation_method", "helm_chart_version"].map(|name| (name, extra.optional::<String>(name).value()))
    });
    for (name, value) in extra.value().into_iter().flatten() {
        keep(name, value.map(Value::from));
    }
    Some(UsageEvent {
        name: REGISTER_EVENT,
        user: None,
        project: project?,
        properties: Value::Object(properties).to_string(),
    })
}
