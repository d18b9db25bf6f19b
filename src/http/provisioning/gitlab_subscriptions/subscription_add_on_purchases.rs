//! `/namespaces/:id/subscription_add_on_purchases`: all add-ons that the namespace has bought, in one request
//! (provisioning.md 7).

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::add_on::{AddOn, AddOnPurchase, PurchaseComplaints, PurchaseOrder, PurchaseRequest};
use crate::domain::provisioning::ProvisioningRefusal;
use crate::http::auth::provisioning::Provisioner;
use crate::http::error::ApiError;
use crate::http::grape::{GrapeParameters, OptionalParameter, ParameterReader};
use crate::http::provisioning::ProvisioningState;
use crate::http::provisioning::namespace::NamespaceName;
use crate::http::provisioning::subscription_add_on_purchase::{self as one, AddOnName};
use crate::services::{ServiceError, purchase_add_ons};
use crate::store::provisioned_namespaces::ProvisionedNamespace;

/// The lists of a request, by their names, and the add-ons that they are of.
const LISTS: [(&str, AddOn); 4] = [
    ("duo_core", AddOn::DuoCore),
    ("duo_pro", AddOn::CodeSuggestions),
    ("duo_enterprise", AddOn::DuoEnterprise),
    ("product_analytics", AddOn::ProductAnalytics),
];
/// Items of a list at most, though only the first counts.
const MOST: usize = 100;

/// A purchase, with what the older endpoint leaves out.
#[derive(Debug, Serialize, ToSchema)]
pub struct AddOnPurchaseResponse {
    namespace_id: i64,
    namespace_name: String,
    add_on: String,
    quantity: i32,
    started_on: Option<NaiveDate>,
    expires_on: NaiveDate,
    purchase_xid: String,
    trial: bool,
}

impl AddOnPurchaseResponse {
    fn of(namespace: &ProvisionedNamespace, purchase: AddOnPurchase) -> Self {
        Self {
            namespace_id: namespace.id.0,
            namespace_name: namespace.name.clone(),
            add_on: purchase.add_on.title(),
            quantity: purchase.terms.quantity,
            started_on: purchase.terms.started_on,
            expires_on: purchase.terms.expires_on,
            purchase_xid: purchase.terms.purchase_xid,
            trial: purchase.terms.trial,
        }
    }
}

/// The purchase of one add-on.
///
/// # Errors
/// 404 where there is no such namespace, add-on or purchase.
#[utoipa::path(
    get,
    path = "/namespaces/{id}/subscription_add_on_purchases/{add_on_name}",
    params(
        ("id" = String, Path, description = "The namespace: its id or its full path"),
        ("add_on_name" = String, Path, description = "`code_suggestions`, `product_analytics`, `duo_core` and so on")
    ),
    responses((status = 200, body = AddOnPurchaseResponse))
)]
pub async fn show(
    State(state): State<ProvisioningState>,
    _caller: Provisioner,
    name: NamespaceName,
    add_on: AddOnName,
) -> Result<Json<AddOnPurchaseResponse>, ApiError> {
    let namespace = name.find(&state.db).await?;
    let purchase = one::find(&state, &namespace, add_on.find()?).await?;
    Ok(Json(AddOnPurchaseResponse::of(&namespace, purchase)))
}

/// The purchases, by add-on.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct AddOnPurchasesParameters {
    add_on_purchases: AddOnLists,
}

/// A list for each add-on, of which the first counts.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct AddOnLists {
    duo_core: Option<Vec<AddOnParameters>>,
    duo_pro: Option<Vec<AddOnParameters>>,
    duo_enterprise: Option<Vec<AddOnParameters>>,
    product_analytics: Option<Vec<AddOnParameters>>,
}

/// The terms of a purchase.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct AddOnParameters {
    started_on: Option<NaiveDate>,
    expires_on: Option<NaiveDate>,
    #[schema(minimum = 0)]
    quantity: Option<i32>,
    purchase_xid: Option<String>,
    trial: Option<bool>,
}

/// Makes, changes and ends purchases, all of them or none.
///
/// # Errors
/// 400 for parameters of the wrong shape, for what a purchase cannot say, and where nothing is to be done.
#[utoipa::path(
    post,
    path = "/namespaces/{id}/subscription_add_on_purchases",
    params(("id" = String, Path, description = "The namespace: its id or its full path")),
    request_body(
        content = AddOnPurchasesParameters,
        example = json!({
            "add_on_purchases": {
                "duo_pro": [{
                    "quantity": 10, "started_on": "2026-07-15", "expires_on": "2027-07-15",
                    "purchase_xid": "A-00000001", "trial": false
                }]
            }
        })
    ),
    responses((status = 201, body = Vec<AddOnPurchaseResponse>))
)]
pub async fn create(
    State(state): State<ProvisioningState>,
    provisioner: Provisioner,
    name: NamespaceName,
    parameters: GrapeParameters,
) -> Result<(StatusCode, Json<Vec<AddOnPurchaseResponse>>), ApiError> {
    let orders = parameters.read(declare)?;
    let namespace = name.find(&state.db).await?;
    let (author, now) = (provisioner.author(), state.clock.now());
    let carried_out = purchase_add_ons::carry_out_all(&state.db, &namespace, &orders, author, now).await;
    let purchases = carried_out.map_err(|error| match error {
        ServiceError::Refused(ProvisioningRefusal::PurchaseTerms(complaints)) => unable(&complaints),
        error => error.into(),
    })?;
    for purchase in &purchases {
        tracing::info!(
            namespace.id = namespace.id.0,
            add_on = purchase.add_on.name(),
            quantity = purchase.terms.quantity,
            purchase_xid = purchase.terms.purchase_xid,
            "saved the purchase of an add-on"
        );
    }
    let saved = purchases.into_iter().map(|purchase| AddOnPurchaseResponse::of(&namespace, purchase)).collect();
    Ok((StatusCode::CREATED, Json(saved)))
}

fn unable(complaints: &PurchaseComplaints) -> ApiError {
    let complaints: Vec<String> = complaints.iter().map(|(name, complaint)| format!("{name} {complaint}")).collect();
    ApiError::BadRequest(complaints.join(", "))
}

/// The first item of each list. One purchase stands for the two editions of Duo, and the larger one wins.
fn declare(reader: &mut ParameterReader<'_>) -> Vec<PurchaseOrder> {
    reader.required_object("add_on_purchases", declare_lists).unwrap_or_default()
}

/// The orders in an object of lists.
pub fn declare_lists(lists: &mut ParameterReader<'_>) -> Vec<PurchaseOrder> {
    let read = |(name, add_on): (&str, AddOn)| {
        if matches!(lists.value(name), None | Some(serde_json::Value::Null)) {
            return None;
        }
        let wanted = lists.required_objects(name, MOST, item).into_iter().next()?;
        Some(PurchaseOrder { add_on, wanted, in_place_of: None })
    };
    let mut orders: Vec<PurchaseOrder> = LISTS.into_iter().filter_map(read).collect();
    let enterprise = orders.iter().any(|order| order.add_on == AddOn::DuoEnterprise && order.buys());
    orders.retain(|order| !(enterprise && order.add_on == AddOn::CodeSuggestions));
    for order in &mut orders {
        order.in_place_of = match order.add_on {
            AddOn::DuoEnterprise if order.buys() => Some(AddOn::CodeSuggestions),
            AddOn::CodeSuggestions if order.buys() => Some(AddOn::DuoEnterprise),
            _ => None,
        };
    }
    // What takes another's place goes before what ends that other.
    orders.sort_by_key(|order| !order.buys());
    orders
}

fn item(item: &mut ParameterReader<'_>) -> PurchaseRequest {
    let started_on: OptionalParameter<NaiveDate> = item.required("started_on");
    let expires_on: OptionalParameter<NaiveDate> = item.required("expires_on");
    let quantity: OptionalParameter<i32> = item.optional("quantity");
    if matches!(quantity, OptionalParameter::Is(quantity) if quantity < 0) {
        item.refuse("quantity", "Must be a non-negative integer if provided");
    }
    PurchaseRequest {
        quantity: quantity.value(),
        started_on: started_on.value(),
        expires_on: expires_on.value(),
        purchase_xid: item.optional("purchase_xid").value(),
        trial: item.optional("trial").value(),
    }
}
