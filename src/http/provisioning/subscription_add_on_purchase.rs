//! `/namespaces/:id/subscription_add_on_purchase/:add_on_name`: which add-on has the namespace bought?
//! (provisioning.md 3)

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use super::ProvisioningState;
use super::namespace::{NamespaceName, captured};
use crate::domain::add_on::{AddOn, AddOnPurchase, PurchaseRequest, PurchaseTerms};
use crate::http::auth::provisioning::Provisioner;
use crate::http::error::ApiError;
use crate::http::grape::{GrapeParameters, ParameterReader};
use crate::services::purchase_add_ons;
use crate::store::add_on_purchases;
use crate::store::provisioned_namespaces::ProvisionedNamespace;

/// A purchase.
#[derive(Debug, Serialize, ToSchema)]
pub struct PurchaseResponse {
    namespace_id: i64,
    namespace_name: String,
    add_on: String,
    quantity: i32,
    expires_on: NaiveDate,
    purchase_xid: String,
}

impl PurchaseResponse {
    fn of(namespace: &ProvisionedNamespace, purchase: AddOnPurchase) -> Self {
        Self {
            namespace_id: namespace.id.0,
            namespace_name: namespace.name.clone(),
            add_on: purchase.add_on.title(),
            quantity: purchase.terms.quantity,
            expires_on: purchase.terms.expires_on,
            purchase_xid: purchase.terms.purchase_xid,
        }
    }
}

/// What stands in the path for `{add_on_name}`, not looked up yet: the namespace comes first.
#[derive(Debug, Clone)]
pub struct AddOnName(Option<String>);

impl AddOnName {
    /// The add-on of that name.
    ///
    /// # Errors
    /// 404 where there is none.
    pub fn find(&self) -> Result<AddOn, ApiError> {
        let none = || ApiError::Refused(StatusCode::NOT_FOUND, "404 Subscription Add-on Not Found".to_owned());
        self.0.as_deref().and_then(AddOn::named).ok_or_else(none)
    }
}

impl<S: Sync + Send> FromRequestParts<S> for AddOnName {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Ok(Self(captured(parts, state, "add_on_name").await))
    }
}

/// The purchase.
///
/// # Errors
/// 404 where there is no such namespace, add-on or purchase.
#[utoipa::path(
    get,
    path = "/namespaces/{id}/subscription_add_on_purchase/{add_on_name}",
    params(
        ("id" = String, Path, description = "The namespace: its id or its full path"),
        ("add_on_name" = String, Path, description = "`code_suggestions`, `product_analytics`, `duo_core` and so on")
    ),
    responses((
        status = 200,
        body = PurchaseResponse,
        example = json!({
            "namespace_id": 1234, "namespace_name": "A Namespace Name", "add_on": "Code Suggestions", "quantity": 10,
            "expires_on": "2027-07-15", "purchase_xid": "A-00000001"
        })
    ))
)]
pub async fn show(
    State(state): State<ProvisioningState>,
    _caller: Provisioner,
    name: NamespaceName,
    add_on: AddOnName,
) -> Result<Json<PurchaseResponse>, ApiError> {
    let namespace = name.find(&state.db).await?;
    let purchase = find(&state, &namespace, add_on.find()?).await?;
    Ok(Json(PurchaseResponse::of(&namespace, purchase)))
}

/// The namespace's purchase of the add-on.
///
/// # Errors
/// 404 where there is none.
pub async fn find(
    state: &ProvisioningState,
    namespace: &ProvisionedNamespace,
    add_on: AddOn,
) -> Result<AddOnPurchase, ApiError> {
    add_on_purchases::find(state.db.pool(), namespace.id, add_on).await?.ok_or(ApiError::NoSuchRecord)
}

/// The terms of a new purchase.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct NewPurchaseParameters {
    quantity: Option<i32>,
    started_on: Option<NaiveDate>,
    expires_on: Option<NaiveDate>,
    purchase_xid: Option<String>,
    trial: Option<bool>,
}

/// What changes about a purchase.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct PurchaseParameters {
    quantity: Option<i32>,
    started_on: Option<NaiveDate>,
    expires_on: Option<NaiveDate>,
    purchase_xid: Option<String>,
    trial: Option<bool>,
}

/// Makes a purchase.
///
/// # Errors
/// 400 for a namespace that is no root or has bought the add-on, and for what a purchase cannot say.
#[utoipa::path(
    post,
    path = "/namespaces/{id}/subscription_add_on_purchase/{add_on_name}",
    params(
        ("id" = String, Path, description = "The namespace: its id or its full path"),
        ("add_on_name" = String, Path, description = "`code_suggestions`, `product_analytics`, `duo_core` and so on")
    ),
    request_body(
        content = NewPurchaseParameters,
        example = json!({ "quantity": 10, "expires_on": "2027-07-15", "purchase_xid": "A-00000001" })
    ),
    responses((status = 201, body = PurchaseResponse))
)]
pub async fn create(
    State(state): State<ProvisioningState>,
    provisioner: Provisioner,
    name: NamespaceName,
    add_on: AddOnName,
    parameters: GrapeParameters,
) -> Result<(StatusCode, Json<PurchaseResponse>), ApiError> {
    let namespace = name.find(&state.db).await?;
    let add_on = add_on.find()?;
    let wanted = parameters.read(|reader| declare(reader, true))?;
    let (author, now) = (provisioner.author(), state.clock.now());
    let purchase = purchase_add_ons::create(&state.db, &namespace, add_on, &wanted, author, now).await?;
    let PurchaseTerms { quantity, purchase_xid, .. } = &purchase.terms;
    tracing::info!(namespace.id = namespace.id.0, add_on = add_on.name(), quantity, purchase_xid, "sold an add-on");
    Ok((StatusCode::CREATED, Json(PurchaseResponse::of(&namespace, purchase))))
}

/// Changes what the request states. An add-on is ended by a date in the past.
///
/// # Errors
/// 400 where the namespace has not bought the add-on, and for what a purchase cannot say.
#[utoipa::path(
    put,
    path = "/namespaces/{id}/subscription_add_on_purchase/{add_on_name}",
    params(
        ("id" = String, Path, description = "The namespace: its id or its full path"),
        ("add_on_name" = String, Path, description = "`code_suggestions`, `product_analytics`, `duo_core` and so on")
    ),
    request_body(content = PurchaseParameters, example = json!({ "quantity": 12, "expires_on": "2027-07-15" })),
    responses((status = 200, body = PurchaseResponse))
)]
pub async fn update(
    State(state): State<ProvisioningState>,
    provisioner: Provisioner,
    name: NamespaceName,
    add_on: AddOnName,
    parameters: GrapeParameters,
) -> Result<Json<PurchaseResponse>, ApiError> {
    let namespace = name.find(&state.db).await?;
    let add_on = add_on.find()?;
    let wanted = parameters.read(|reader| declare(reader, false))?;
    let (author, now) = (provisioner.author(), state.clock.now());
    let (before, after) = purchase_add_ons::update(&state.db, &namespace, add_on, &wanted, author, now).await?;
    tracing::info!(
        namespace.id = namespace.id.0,
        add_on = add_on.name(),
        quantity.before = before.terms.quantity,
        quantity.after = after.terms.quantity,
        purchase_xid = after.terms.purchase_xid,
        "changed the purchase of an add-on"
    );
    Ok(Json(PurchaseResponse::of(&namespace, after)))
}

fn declare(reader: &mut ParameterReader<'_>, new: bool) -> PurchaseRequest {
    let quantity = if new { reader.required("quantity") } else { reader.optional("quantity") };
    let started_on = reader.optional("started_on");
    let expires_on = reader.required("expires_on");
    let purchase_xid = if new { reader.required("purchase_xid") } else { reader.optional("purchase_xid") };
    PurchaseRequest {
        quantity: quantity.value(),
        started_on: started_on.value(),
        expires_on: expires_on.value(),
        purchase_xid: purchase_xid.value(),
        trial: reader.optional("trial").value(),
    }
}
