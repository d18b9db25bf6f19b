//! `/namespaces/:id/upcoming_reconciliations`: when are the seats of this namespace reckoned up next?
//! (provisioning.md 7)

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::NaiveDate;
use utoipa::ToSchema;

use crate::domain::reconciliation::UpcomingReconciliation;
use crate::http::auth::provisioning::Provisioner;
use crate::http::error::ApiError;
use crate::http::grape::GrapeParameters;
use crate::http::provisioning::namespace::NamespaceName;
use crate::http::provisioning::{ProvisioningState, upcoming_reconciliations};
use crate::services::write_reconciliations;

/// The dates.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct DatesParameters {
    next_reconciliation_date: NaiveDate,
    display_alert_from: NaiveDate,
}

/// Writes the dates of the namespace.
///
/// # Errors
/// 400 for dates that are none, 404 where there is no such namespace.
#[utoipa::path(
    put,
    path = "/namespaces/{id}/upcoming_reconciliations",
    params(("id" = String, Path, description = "The namespace: its id or its full path")),
    request_body(
        content = DatesParameters,
        example = json!({ "next_reconciliation_date": "2026-12-24", "display_alert_from": "2026-12-17" })
    ),
    responses((status = 200, body = u16, content_type = "application/json", example = 200))
)]
pub async fn update(
    State(state): State<ProvisioningState>,
    provisioner: Provisioner,
    name: NamespaceName,
    parameters: GrapeParameters,
) -> Result<Json<u16>, ApiError> {
    upcoming_reconciliations::only_with_plans(&state)?;
    let (next, alert) = parameters.read(|reader| {
        let next: Option<NaiveDate> = reader.required("next_reconciliation_date").value();
        (next, reader.required::<NaiveDate>("display_alert_from").value())
    })?;
    let namespace = name.find(&state.db).await?.id;
    let blank = |name| ApiError::InvalidRecord(vec![(name, "can't be blank".to_owned())]);
    let dates = UpcomingReconciliation {
        namespace,
        next_reconciliation_date: next.ok_or_else(|| blank("next_reconciliation_date"))?,
        display_alert_from: alert.ok_or_else(|| blank("display_alert_from"))?,
    };
    write_reconciliations::write(&state.db, dates, provisioner.author(), state.clock.now()).await?;
    tracing::info!(namespace.id = namespace.0, "wrote an upcoming reconciliation");
    Ok(Json(200))
}

/// Removes the dates of the namespace.
///
/// # Errors
/// 404 where it has none, or there is no such namespace.
#[utoipa::path(
    delete,
    path = "/namespaces/{id}/upcoming_reconciliations",
    params(("id" = String, Path, description = "The namespace: its id or its full path")),
    responses((status = 204, description = "There are none any more"))
)]
pub async fn delete(
    State(state): State<ProvisioningState>,
    provisioner: Provisioner,
    name: NamespaceName,
) -> Result<StatusCode, ApiError> {
    upcoming_reconciliations::only_with_plans(&state)?;
    let namespace = name.find(&state.db).await?.id;
    upcoming_reconciliations::remove(&state, namespace, &provisioner).await?;
    Ok(StatusCode::NO_CONTENT)
}
