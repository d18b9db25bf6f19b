//! `POST /namespaces/:id/provision`: everything that was bought for the namespace (provisioning.md 7).

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use super::subscription_add_on_purchases::{self as add_ons, AddOnLists};
use crate::domain::namespace_limits::StatedLimits;
use crate::domain::provisioning::ProvisioningRefusal;
use crate::http::auth::provisioning::Provisioner;
use crate::http::error::ApiError;
use crate::http::grape::{GrapeParameters, ParameterReader};
use crate::http::provisioning::namespace::NamespaceName;
use crate::http::provisioning::subscription::{self, SubscriptionParameters};
use crate::http::provisioning::{ProvisioningState, namespaces};
use crate::services::provision_namespace::{self, ProvisionOrder};

/// What was bought.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct ProvisionParameters {
    provision: ProvisionPartsParameters,
}

/// The parts, each of which may be left out.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct ProvisionPartsParameters {
    /// The subscription; `main_plan` is another name of it.
    base_product: Option<SubscriptionParameters>,
    storage: Option<StorageParameters>,
    compute_minutes: Option<ComputeMinutesParameters>,
    add_on_purchases: Option<AddOnLists>,
}

/// Storage that was bought.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct StorageParameters {
    /// Megabytes.
    #[schema(minimum = 0)]
    additional_purchased_storage_size: Option<i64>,
    additional_purchased_storage_ends_on: Option<NaiveDate>,
}

/// Compute minutes that were bought.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct ComputeMinutesParameters {
    #[schema(minimum = 0)]
    shared_runners_minutes_limit: Option<i32>,
    #[schema(minimum = 0)]
    extra_shared_runners_minutes_limit: Option<i32>,
}

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProvisionResponse {
    /// `success`, or `error` where a part of it was refused.
    status: &'static str,
    /// Why parts were refused.
    message: Option<String>,
    payload: ProvisionPayload,
}

/// What came of each part; null where it was not asked for.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProvisionPayload {
    base_product: Option<PartResponse>,
    storage: Option<PartResponse>,
    compute_minutes: Option<PartResponse>,
    add_on_purchases: Option<PartResponse>,
}

/// What came of a part.
#[derive(Debug, Serialize, ToSchema)]
pub struct PartResponse {
    /// `success` or `error`
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// Carries out each part, or nothing of that part.
///
/// # Errors
/// 404 where there is no such namespace, 400 where it is inside another and for parameters of the wrong shape.
#[utoipa::path(
    post,
    path = "/namespaces/{id}/provision",
    params(("id" = String, Path, description = "The namespace: its id or its full path")),
    request_body(
        content = ProvisionParameters,
        example = json!({
            "provision": {
                "base_product": { "plan_code": "premium", "seats": 10, "start_date": "2026-07-15" },
                "compute_minutes": { "extra_shared_runners_minutes_limit": 1000 }
            }
        })
    ),
    responses(
        (status = 200, body = ProvisionResponse),
        (status = 422, body = ProvisionResponse, description = "A part was refused, and the others are done")
    )
)]
pub async fn create(
    State(state): State<ProvisioningState>,
    provisioner: Provisioner,
    name: NamespaceName,
    parameters: GrapeParameters,
) -> Result<(StatusCode, Json<ProvisionResponse>), ApiError> {
    let namespace = name.find(&state.db).await?;
    if !namespace.is_root() {
        return Err(ApiError::BadRequest("Must be root namespace".to_owned()));
    }
    let order = parameters.read(|reader| reader.required_object("provision", declare))?.unwrap_or_default();
    let (author, now) = (provisioner.author(), state.clock.now());
    let came = provision_namespace::provision(&state.db, &namespace, &order, author, now).await?;
    let payload = ProvisionPayload {
        base_product: came.base_product.map(|part| PartResponse::of(part, "")),
        storage: came.storage.map(|part| PartResponse::of(part, "")),
        compute_minutes: came.compute_minutes.map(|part| PartResponse::of(part, "Validation failed: ")),
        add_on_purchases: came.add_on_purchases.map(|part| PartResponse::of(part, "")),
    };
    let response = ProvisionResponse::of(payload);
    tracing::info!(namespace.id = namespace.id.0, refused = response.message, "provisioned a namespace");
    let status = if response.message.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, Json(response)))
}

/// A part that says nothing is not asked for.
fn declare(parts: &mut ParameterReader<'_>) -> ProvisionOrder {
    let base_product = if parts.value("base_product").is_some() { "base_product" } else { "main_plan" };
    let base_product = parts.optional_object(base_product, |part| subscription::declare(part, false)).value();
    let storage = parts.optional_object("storage", |part| namespaces::storage(part, StatedLimits::default())).value();
    let compute_minutes = parts.optional_object("compute_minutes", namespaces::minutes).value();
    let add_on_purchases = parts.optional_object("add_on_purchases", add_ons::declare_lists).value();
    ProvisionOrder {
        base_product: base_product.filter(|order| !order.says_nothing()),
        storage: storage.filter(|limits| !limits.says_nothing()),
        compute_minutes: compute_minutes.filter(|limits| !limits.says_nothing()),
        add_on_purchases: add_on_purchases.filter(|orders| !orders.is_empty()),
    }
}

impl ProvisionResponse {
    fn of(payload: ProvisionPayload) -> Self {
        let parts = [&payload.base_product, &payload.storage, &payload.compute_minutes, &payload.add_on_purchases];
        let said: Vec<&str> = parts.into_iter().flatten().filter_map(|part| part.message.as_deref()).collect();
        let message = (!said.is_empty()).then(|| said.join(", "));
        Self { status: if message.is_some() { "error" } else { "success" }, message, payload }
    }
}

impl PartResponse {
    fn of(came: Result<(), ProvisioningRefusal>, before: &str) -> Self {
        match came {
            Ok(()) => Self { status: "success", message: None },
            Err(refusal) => Self { status: "error", message: Some(format!("{before}{}", said(refusal))) },
        }
    }
}

/// What is wrong, as a sentence that people read.
fn said(refusal: ProvisioningRefusal) -> String {
    match refusal {
        ProvisioningRefusal::NamespaceTerms(complaints) | ProvisioningRefusal::PurchaseTerms(complaints) => {
            let sentences = complaints.iter().map(|(name, complaint)| format!("{} {complaint}", humanized(name)));
            sentences.collect::<Vec<_>>().join(", ")
        }
        refusal => match ApiError::from(refusal) {
            ApiError::BadRequest(reason) => reason,
            other => other.to_string(),
        },
    }
}

/// `gitlab_subscription.seats` is `Gitlab subscription seats`.
fn humanized(name: &str) -> String {
    let words = name.replace(['.', '_'], " ");
    let first = words.get(..1).map(str::to_uppercase).unwrap_or_default();
    first + words.get(1..).unwrap_or_default()
}
