//! `/namespaces/:id`: what is the namespace, how large is it, and what has it? (provisioning.md 7)

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::ProvisioningState;
use super::namespace::{NamespaceName, no_such_namespace};
use super::subscription::{self, SubscriptionParameters};
use crate::domain::namespace_limits::StatedLimits;
use crate::domain::subscription::{FREE_PLAN, Subscription, SubscriptionUsage};
use crate::http::auth::provisioning::Provisioner;
use crate::http::error::ApiError;
use crate::http::grape::{GrapeParameters, ParameterReader};
use crate::services::describe_namespace::{self, DescribedNamespace};
use crate::services::provision_namespace::{self, NamespaceOrder};
use crate::store::provisioned_namespaces::ProvisionedNamespace;

/// A namespace, as those who sell to it see it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProvisionedNamespaceResponse {
    id: i64,
    name: String,
    path: String,
    /// `group` or `user`
    kind: &'static str,
    full_path: String,
    parent_id: Option<i64>,
    avatar_url: Option<String>,
    web_url: String,
    shared_runners_minutes_limit: Option<i32>,
    extra_shared_runners_minutes_limit: Option<i32>,
    /// Megabytes.
    additional_purchased_storage_size: i64,
    additional_purchased_storage_ends_on: Option<NaiveDate>,
    billable_members_count: i32,
    #[serde(flatten)]
    subscription: Option<NamespaceSubscriptionResponse>,
    /// The plan of its root, `free` where that has none.
    plan: String,
    trial_ends_on: Option<NaiveDate>,
    trial: bool,
    #[serde(flatten)]
    group: Option<GroupSizeResponse>,
}

/// What is said of a namespace that has a subscription of its own.
#[derive(Debug, Serialize, ToSchema)]
pub struct NamespaceSubscriptionResponse {
    seats_in_use: i32,
    max_seats_used: Option<i32>,
    max_seats_used_changed_at: Option<String>,
    end_date: Option<NaiveDate>,
}

impl NamespaceSubscriptionResponse {
    fn of((subscription, usage): &(Subscription, SubscriptionUsage)) -> Self {
        let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
        Self {
            seats_in_use: usage.seats_in_use,
            max_seats_used: subscription.terms.max_seats_used,
            max_seats_used_changed_at: subscription.max_seats_used_changed_at.map(time),
            end_date: subscription.terms.end_date,
        }
    }
}

/// What is said of groups.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupSizeResponse {
    members_count_with_descendants: i64,
    /// Bytes, of a root whose repositories were measured.
    root_repository_size: Option<i64>,
    projects_count: i64,
}

impl ProvisionedNamespaceResponse {
    fn of(namespace: &ProvisionedNamespace, described: DescribedNamespace, url: &str) -> Self {
        let DescribedNamespace { facts, limits, subscription, billable_members } = described;
        let group = !namespace.is_personal();
        let terms = subscription.as_ref().map(|(subscription, _)| &subscription.terms);
        Self {
            id: namespace.id.0,
            name: facts.name,
            path: facts.path,
            kind: if group { "group" } else { "user" },
            web_url: format!("{url}/{}{}", if group { "groups/" } else { "" }, facts.full_path),
            full_path: facts.full_path,
            parent_id: facts.parent_id,
            avatar_url: None,
            shared_runners_minutes_limit: limits.shared_runners_minutes_limit,
            extra_shared_runners_minutes_limit: limits.extra_shared_runners_minutes_limit,
            additional_purchased_storage_size: limits.additional_purchased_storage_size,
            additional_purchased_storage_ends_on: limits.additional_purchased_storage_ends_on,
            billable_members_count: billable_members,
            plan: facts.plan.unwrap_or_else(|| FREE_PLAN.to_owned()),
            trial_ends_on: terms.and_then(|terms| terms.trial_ends_on),
            trial: terms.and_then(|terms| terms.trial).unwrap_or_default(),
            subscription: subscription.as_ref().map(NamespaceSubscriptionResponse::of),
            group: group.then_some(GroupSizeResponse {
                members_count_with_descendants: facts.members,
                root_repository_size: facts.repository_size,
                projects_count: facts.projects,
            }),
        }
    }
}

/// The namespace.
///
/// # Errors
/// 404 where there is none.
#[utoipa::path(
    get,
    path = "/namespaces/{id}",
    params(("id" = String, Path, description = "The namespace: its id or its full path")),
    responses((status = 200, body = ProvisionedNamespaceResponse))
)]
pub async fn show(
    State(state): State<ProvisioningState>,
    _caller: Provisioner,
    name: NamespaceName,
) -> Result<Json<ProvisionedNamespaceResponse>, ApiError> {
    let namespace = name.find(&state.db).await?;
    answer(&state, &namespace, state.clock.now()).await
}

/// What changes about a namespace; what is left out stays as it is.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct NamespaceParameters {
    #[schema(minimum = 0)]
    shared_runners_minutes_limit: Option<i32>,
    #[schema(minimum = 0)]
    extra_shared_runners_minutes_limit: Option<i32>,
    /// Megabytes.
    #[schema(minimum = 0)]
    additional_purchased_storage_size: Option<i64>,
    additional_purchased_storage_ends_on: Option<NaiveDate>,
    /// Changes the subscription, or makes one.
    gitlab_subscription_attributes: Option<SubscriptionParameters>,
}

/// Changes compute minutes, storage and subscription, all of it or nothing.
///
/// # Errors
/// 404 where there is no such namespace, 400 for parameters of the wrong shape and for what the namespace cannot have.
#[utoipa::path(
    put,
    path = "/namespaces/{id}",
    params(("id" = String, Path, description = "The namespace: its id or its full path")),
    request_body(
        content = NamespaceParameters,
        example = json!({
            "shared_runners_minutes_limit": 1000,
            "gitlab_subscription_attributes": { "plan_code": "premium", "seats": 10, "start_date": "2026-07-15" }
        })
    ),
    responses((status = 200, body = ProvisionedNamespaceResponse))
)]
pub async fn update(
    State(state): State<ProvisioningState>,
    provisioner: Provisioner,
    name: NamespaceName,
    parameters: GrapeParameters,
) -> Result<Json<ProvisionedNamespaceResponse>, ApiError> {
    let order = parameters.read(|reader| {
        let minutes = minutes(reader);
        let limits = storage(reader, minutes);
        let terms = |reader: &mut ParameterReader<'_>| subscription::declare(reader, false);
        let subscription = reader.optional_object("gitlab_subscription_attributes", terms).value();
        NamespaceOrder { limits, subscription: subscription.filter(|order| !order.says_nothing()) }
    })?;
    let namespace = name.find(&state.db).await?;
    let now = state.clock.now();
    provision_namespace::update(&state.db, &namespace, &order, provisioner.author(), now).await?;
    tracing::info!(namespace.id = namespace.id.0, "changed what a namespace has");
    answer(&state, &namespace, now).await
}

/// What a request states of compute minutes.
pub fn minutes(reader: &mut ParameterReader<'_>) -> StatedLimits {
    StatedLimits {
        shared_runners_minutes_limit: reader.optional("shared_runners_minutes_limit").stated(),
        extra_shared_runners_minutes_limit: reader.optional("extra_shared_runners_minutes_limit").stated(),
        ..StatedLimits::default()
    }
}

/// What a request states of storage, beside what it states of the rest.
pub fn storage(reader: &mut ParameterReader<'_>, rest: StatedLimits) -> StatedLimits {
    StatedLimits {
        additional_purchased_storage_size: reader.optional("additional_purchased_storage_size").stated(),
        additional_purchased_storage_ends_on: reader.optional("additional_purchased_storage_ends_on").stated(),
        ..rest
    }
}

async fn answer(
    state: &ProvisioningState,
    namespace: &ProvisionedNamespace,
    now: DateTime<Utc>,
) -> Result<Json<ProvisionedNamespaceResponse>, ApiError> {
    let described = describe_namespace::describe(&state.db, namespace, now).await?;
    let described = described.ok_or_else(no_such_namespace)?;
    Ok(Json(ProvisionedNamespaceResponse::of(namespace, described, &state.url)))
}
