//! `/internal/upcoming_reconciliations`: when are the seats of namespaces reckoned up next? (provisioning.md 5)

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::NaiveDate;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::ProvisioningState;
use crate::domain::ids::NamespaceId;
use crate::domain::reconciliation::{JudgedReconciliations, ReconciliationRequest};
use crate::http::auth::provisioning::Provisioner;
use crate::http::error::ApiError;
use crate::http::grape::{GrapeParameters, ParameterReader};
use crate::services::write_reconciliations;

const LIST: &str = "upcoming_reconciliations";
/// Elements of a list at most.
const MOST: usize = 10_000;

/// Refuses where namespaces have no plans.
pub fn only_with_plans(state: &ProvisioningState) -> Result<(), ApiError> {
    if state.check_namespace_plan { Ok(()) } else { Err(ApiError::Forbidden("This API is gitlab.com only!")) }
}

/// The elements, 10,000 at most. The list may be a text that holds it as JSON.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct ReconciliationsParameters {
    #[schema(max_items = 10_000)]
    upcoming_reconciliations: Vec<ReconciliationParameters>,
}

/// The dates of a namespace.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct ReconciliationParameters {
    namespace_id: i64,
    next_reconciliation_date: Option<NaiveDate>,
    display_alert_from: Option<NaiveDate>,
}

/// Writes all elements of a list that are good, and answers with what is wrong with the others.
///
/// # Errors
/// 400 for parameters of the wrong shape, and where an element cannot be written.
#[utoipa::path(
    put,
    path = "/internal/upcoming_reconciliations",
    request_body(
        content = ReconciliationsParameters,
        example = json!({
            "upcoming_reconciliations": [{
                "namespace_id": 1234, "next_reconciliation_date": "2026-12-24", "display_alert_from": "2026-12-17"
            }]
        })
    ),
    responses((status = 200, body = u16, content_type = "application/json", example = 200))
)]
pub async fn update(
    State(state): State<ProvisioningState>,
    provisioner: Provisioner,
    parameters: GrapeParameters,
) -> Result<Json<u16>, ApiError> {
    let wanted = unquoted(parameters).read(declare)?;
    let (author, now) = (provisioner.author(), state.clock.now());
    let judged = write_reconciliations::write_list(&state.db, &wanted, author, now).await?;
    tracing::info!(written = judged.good.len(), refused = judged.wrong.len(), "wrote upcoming reconciliations");
    if judged.wrong.is_empty() && !judged.repeats {
        // GitLab's framework prints the status that the endpoint returns.
        return Ok(Json(200));
    }
    Err(complaint(&judged))
}

/// The failures as a JSON text inside the JSON answer.
fn complaint(judged: &JudgedReconciliations) -> ApiError {
    let wrong = judged.wrong.iter().map(|(namespace, wrong)| json!({ namespace.to_string(): wrong }));
    let repeats = "ON CONFLICT DO UPDATE command cannot affect row a second time";
    let repeats = judged.repeats.then(|| json!({ "bulk_upsert": repeats }));
    let list: Vec<Value> = wrong.chain(repeats).collect();
    ApiError::InvalidInPart(Value::from(list).to_string())
}

/// The list may be a text that holds JSON, of a list or of one element.
fn unquoted(parameters: GrapeParameters) -> GrapeParameters {
    let list = match parameters.map().get(LIST) {
        Some(Value::String(text)) if text.trim().is_empty() => Value::Array(Vec::new()),
        Some(Value::String(text)) => match serde_json::from_str(text) {
            Ok(list @ (Value::Array(_) | Value::Null)) => list,
            Ok(one @ Value::Object(_)) => Value::Array(vec![one]),
            _ => return parameters,
        },
        _ => return parameters,
    };
    parameters.with(LIST, list)
}

fn declare(reader: &mut ParameterReader<'_>) -> Vec<ReconciliationRequest> {
    match reader.value(LIST) {
        Some(Value::Null) => return Vec::new(),
        Some(_) => {}
        // Of a list that is not there, its elements are said to lack what they must have.
        None => {
            reader.refuse(LIST, "is missing");
            for complaint in ["is missing", "is empty"] {
                reader.refuse("upcoming_reconciliations[namespace_id]", complaint);
            }
            return Vec::new();
        }
    }
    reader.required_objects_unnumbered(LIST, MOST, |element| ReconciliationRequest {
        namespace: NamespaceId(element.filled("namespace_id")),
        next_reconciliation_date: element.optional("next_reconciliation_date").value(),
        display_alert_from: element.optional("display_alert_from").value(),
    })
}

/// Removes the reconciliation of a namespace.
///
/// # Errors
/// 404 where there is none.
#[utoipa::path(
    delete,
    path = "/internal/upcoming_reconciliations",
    params(("namespace_id" = i64, Query, description = "The namespace")),
    responses((status = 204, description = "There is none any more"))
)]
pub async fn delete(
    State(state): State<ProvisioningState>,
    provisioner: Provisioner,
    parameters: GrapeParameters,
) -> Result<StatusCode, ApiError> {
    let namespace = parameters.read(|reader| NamespaceId(reader.filled("namespace_id")))?;
    remove(&state, namespace, &provisioner).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes the reconciliation of a namespace.
///
/// # Errors
/// 404 where there is none.
pub async fn remove(
    state: &ProvisioningState,
    namespace: NamespaceId,
    provisioner: &Provisioner,
) -> Result<(), ApiError> {
    write_reconciliations::remove(&state.db, namespace, provisioner.author(), state.clock.now()).await?;
    tracing::info!(namespace.id = namespace.0, "removed an upcoming reconciliation");
    Ok(())
}
