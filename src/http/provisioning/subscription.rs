//! `/namespaces/:id/gitlab_subscription`: what has the namespace subscribed to? (provisioning.md 2)

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::ProvisioningState;
use super::namespace::{NamespaceName, no_such_namespace};
use crate::domain::subscription::{StatedPlan, StatedTerms, Subscription, SubscriptionUsage};
use crate::http::auth::provisioning::{Provisioner, Viewer};
use crate::http::error::ApiError;
use crate::http::grape::{GrapeParameters, OptionalParameter, ParameterReader};
use crate::services::provision_namespace::SubscriptionOrder;
use crate::services::subscribe;
use crate::store::provisioned_namespaces::{self, NamespaceStanding};

/// What the namespace has subscribed to; all is null where it has not.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct SubscriptionResponse {
    plan: PlanResponse,
    usage: UsageResponse,
    billing: BillingResponse,
}

#[derive(Debug, Default, Serialize, ToSchema)]
struct PlanResponse {
    code: Option<String>,
    name: Option<String>,
    trial: Option<bool>,
    auto_renew: Option<bool>,
    upgradable: Option<bool>,
    exclude_guests: Option<bool>,
}

#[derive(Debug, Default, Serialize, ToSchema)]
struct UsageResponse {
    seats_in_subscription: Option<i32>,
    seats_in_use: Option<i32>,
    max_seats_used: Option<i32>,
    seats_owed: Option<i32>,
}

#[derive(Debug, Default, Serialize, ToSchema)]
struct BillingResponse {
    subscription_start_date: Option<NaiveDate>,
    subscription_end_date: Option<NaiveDate>,
    trial_ends_on: Option<NaiveDate>,
}

/// The subscription, for those who administer the namespace.
///
/// # Errors
/// 404 for a namespace that the caller cannot see, 403 for one that they do not own.
#[utoipa::path(
    get,
    path = "/namespaces/{id}/gitlab_subscription",
    params(("id" = String, Path, description = "The namespace: its id or its full path")),
    responses((
        status = 200,
        body = SubscriptionResponse,
        example = json!({
            "plan": {
                "code": "premium", "name": "Premium", "trial": false, "auto_renew": null, "upgradable": true,
                "exclude_guests": false
            },
            "usage": { "seats_in_subscription": 10, "seats_in_use": 1, "max_seats_used": 0, "seats_owed": 0 },
            "billing": {
                "subscription_start_date": "2020-07-15", "subscription_end_date": "2021-07-15", "trial_ends_on": null
            }
        })
    ))
)]
pub async fn show(
    State(state): State<ProvisioningState>,
    viewer: Viewer,
    name: NamespaceName,
) -> Result<Json<SubscriptionResponse>, ApiError> {
    let now = state.clock.now();
    let namespace = name.find(&state.db).await?;
    if let Some(user) = viewer.user() {
        let standing =
            provisioned_namespaces::find_standing(state.db.pool(), namespace.id, user, now.date_naive()).await?;
        match standing {
            NamespaceStanding::Owner => {}
            NamespaceStanding::Visible => return Err(ApiError::Forbidden("")),
            NamespaceStanding::Hidden => return Err(no_such_namespace()),
        }
    }
    let found = subscribe::find(&state.db, &namespace, now).await?;
    Ok(Json(found.map(|(subscription, usage)| answer(subscription, usage, now)).unwrap_or_default()))
}

/// The terms of a new subscription.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct NewSubscriptionParameters {
    start_date: Option<NaiveDate>,
    #[serde(flatten)]
    terms: SubscriptionTermsParameters,
}

/// Terms; what is left out stays as it is.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct SubscriptionTermsParameters {
    end_date: Option<NaiveDate>,
    /// `premium`, `ultimate` and so on; `plan` is another name of it.
    plan_code: Option<String>,
    plan: Option<String>,
    seats: Option<i32>,
    max_seats_used: Option<i32>,
    auto_renew: Option<bool>,
    trial: Option<bool>,
    trial_starts_on: Option<NaiveDate>,
    trial_ends_on: Option<NaiveDate>,
    /// 1 for extended, 2 for reactivated.
    #[schema(minimum = 1, maximum = 2)]
    trial_extension_type: Option<i32>,
}

/// What changes about a subscription.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct SubscriptionParameters {
    #[serde(flatten)]
    terms: SubscriptionTermsParameters,
    start_date: Option<NaiveDate>,
}

/// Makes a subscription.
///
/// # Errors
/// 400 for parameters of the wrong shape, for what must have a value and has none, and where the namespace has one.
#[utoipa::path(
    post,
    path = "/namespaces/{id}/gitlab_subscription",
    params(("id" = String, Path, description = "The namespace: its id or its full path")),
    request_body(
        content = NewSubscriptionParameters,
        example = json!({ "start_date": "2020-07-15", "plan": "premium", "seats": 10 })
    ),
    responses((status = 201, body = SubscriptionResponse))
)]
pub async fn create(
    State(state): State<ProvisioningState>,
    provisioner: Provisioner,
    name: NamespaceName,
    parameters: GrapeParameters,
) -> Result<(StatusCode, Json<SubscriptionResponse>), ApiError> {
    let now = state.clock.now();
    let request = parameters.read(|reader| declare(reader, true))?;
    let namespace = name.find(&state.db).await?;
    let (stated, plan, author) = (&request.stated, &request.plan, provisioner.author());
    let (subscription, usage) = subscribe::create(&state.db, &namespace, stated, plan, author, now).await?;
    tracing::info!(namespace.id = namespace.id.0, seats = subscription.terms.seats, "made a subscription");
    Ok((StatusCode::CREATED, Json(answer(subscription, usage, now))))
}

/// Changes what the request states.
///
/// # Errors
/// 404 where the namespace has no subscription, 400 for parameters of the wrong shape and for what must have a value
/// and has none.
#[utoipa::path(
    put,
    path = "/namespaces/{id}/gitlab_subscription",
    params(("id" = String, Path, description = "The namespace: its id or its full path")),
    request_body(content = SubscriptionParameters, example = json!({ "max_seats_used": 0 })),
    responses((status = 200, body = SubscriptionResponse))
)]
pub async fn update(
    State(state): State<ProvisioningState>,
    provisioner: Provisioner,
    name: NamespaceName,
    parameters: GrapeParameters,
) -> Result<Json<SubscriptionResponse>, ApiError> {
    let now = state.clock.now();
    let request = parameters.read(|reader| declare(reader, false))?;
    let namespace = name.find(&state.db).await?;
    let (stated, plan, author) = (&request.stated, &request.plan, provisioner.author());
    let changed = subscribe::update(&state.db, &namespace, stated, plan, author, now).await?;
    let (before, after) = (changed.seats_before, changed.subscription.terms.seats);
    tracing::info!(namespace.id = namespace.id.0, seats.before = before, seats.after = after, "changed a subscription");
    Ok(Json(answer(changed.subscription, changed.usage, now)))
}

/// The terms that a request states; a new subscription must name its start.
pub fn declare(reader: &mut ParameterReader<'_>, new: bool) -> SubscriptionOrder {
    let start_date = if new { reader.required("start_date") } else { reader.optional("start_date") };
    let end_date = reader.optional("end_date").stated();
    let plan_code = reader.optional("plan_code");
    let plan = reader.optional("plan");
    // `plan` is the name of `plan_code` in the documentation's examples.
    let named = if plan_code == OptionalParameter::Absent { plan } else { plan_code };
    SubscriptionOrder {
        plan: match named {
            OptionalParameter::Absent => StatedPlan::Unstated,
            OptionalParameter::Null => StatedPlan::Null,
            OptionalParameter::Is(name) => StatedPlan::Named(name),
        },
        stated: StatedTerms {
            plan: None,
            start_date: start_date.stated(),
            end_date,
            seats: reader.optional("seats").stated(),
            max_seats_used: reader.optional("max_seats_used").stated(),
            auto_renew: reader.optional("auto_renew").stated(),
            trial: reader.optional("trial").stated(),
            trial_starts_on: reader.optional("trial_starts_on").stated(),
            trial_ends_on: reader.optional("trial_ends_on").stated(),
            trial_extension_type: extension_type(reader).stated(),
        },
    }
}

fn extension_type(reader: &mut ParameterReader<'_>) -> OptionalParameter<i16> {
    const NAME: &str = "trial_extension_type";
    match reader.optional::<i32>(NAME) {
        OptionalParameter::Absent => OptionalParameter::Absent,
        OptionalParameter::Null => OptionalParameter::Null,
        OptionalParameter::Is(1) => OptionalParameter::Is(1),
        OptionalParameter::Is(2) => OptionalParameter::Is(2),
        OptionalParameter::Is(_) => {
            reader.refuse(NAME, "is invalid");
            OptionalParameter::Absent
        }
    }
}

fn answer(subscription: Subscription, usage: SubscriptionUsage, now: DateTime<Utc>) -> SubscriptionResponse {
    let upgradable = subscription.terms.is_upgradable(now.date_naive());
    let terms = subscription.terms;
    let (code, name) = terms.plan.map(|plan| (plan.code, plan.title)).unzip();
    SubscriptionResponse {
        plan: PlanResponse {
            code,
            name,
            trial: terms.trial,
            auto_renew: terms.auto_renew,
            upgradable: Some(upgradable),
            exclude_guests: Some(usage.exclude_guests),
        },
        usage: UsageResponse {
            seats_in_subscription: terms.seats,
            seats_in_use: Some(usage.seats_in_use),
            max_seats_used: terms.max_seats_used,
            seats_owed: Some(subscription.seats_owed),
        },
        billing: BillingResponse {
            subscription_start_date: terms.start_date,
            subscription_end_date: terms.end_date,
            trial_ends_on: terms.trial_ends_on,
        },
    }
}
