//! `/namespaces/:id/gitlab_subscription`: what has the namespace subscribed to? (provisioning.md 2)

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use super::namespace::{NamespaceName, no_such_namespace};
use super::{ProvisioningState, retried};
use crate::domain::subscription::{Blank, Stated, Subscription, Terms, excludes_guests};
use crate::http::auth::provisioning::{Provisioner, Viewer};
use crate::http::error::ApiError;
use crate::http::grape::{Given, Parameters, Reader};
use crate::store::provisioned_namespaces::{self, Namespace, Standing};
use crate::store::{self, seats, subscriptions};

/// What the namespace has subscribed to; all is null where it has not.
#[derive(Debug, Default, Serialize)]
pub struct SubscriptionResponse {
    plan: PlanResponse,
    usage: UsageResponse,
    billing: BillingResponse,
}

#[derive(Debug, Default, Serialize)]
struct PlanResponse {
    code: Option<String>,
    name: Option<String>,
    trial: Option<bool>,
    auto_renew: Option<bool>,
    upgradable: Option<bool>,
    exclude_guests: Option<bool>,
}

#[derive(Debug, Default, Serialize)]
struct UsageResponse {
    seats_in_subscription: Option<i32>,
    seats_in_use: Option<i32>,
    max_seats_used: Option<i32>,
    seats_owed: Option<i32>,
}

#[derive(Debug, Default, Serialize)]
struct BillingResponse {
    subscription_start_date: Option<NaiveDate>,
    subscription_end_date: Option<NaiveDate>,
    trial_ends_on: Option<NaiveDate>,
}

/// The subscription, for those who administer the namespace.
///
/// # Errors
/// 404 for a namespace that the caller cannot see, 403 for one that they do not own.
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
            Standing::Owner => {}
            Standing::Visible => return Err(ApiError::Forbidden("")),
            Standing::Hidden => return Err(no_such_namespace()),
        }
    }
    retried(|| find(&state, &namespace, now)).await
}

async fn find(
    state: &ProvisioningState,
    namespace: &Namespace,
    now: DateTime<Utc>,
) -> Result<Json<SubscriptionResponse>, ApiError> {
    let mut connection = state.db.acquire().await?;
    match subscriptions::find(&mut *connection, namespace.id).await? {
        Some(subscription) => Ok(Json(answer(&mut connection, namespace, subscription, now).await?)),
        None => Ok(Json(SubscriptionResponse::default())),
    }
}

/// Makes a subscription.
///
/// # Errors
/// 400 for parameters of the wrong shape, for what must have a value and has none, and where the namespace has one.
pub async fn create(
    State(state): State<ProvisioningState>,
    provisioner: Provisioner,
    name: NamespaceName,
    parameters: Parameters,
) -> Result<(StatusCode, Json<SubscriptionResponse>), ApiError> {
    let now = state.clock.now();
    let request = parameters.read(|reader| SubscriptionRequest::declare(reader, true))?;
    let namespace = name.find(&state.db).await?;
    let mut transaction = state.db.begin().await?;
    let terms = Terms::new(request.stated(&mut transaction).await?).map_err(blank)?;
    if !provisioned_namespaces::hold(&mut *transaction, namespace.id).await? {
        return Err(no_such_namespace());
    }
    let made = subscriptions::create(&mut transaction, namespace.id, &terms, provisioner.author(), now).await?;
    let Some(subscription) = made else {
        return Err(ApiError::InvalidRecord(vec![("namespace_id", "has already been taken".to_owned())]));
    };
    let answer = answer(&mut transaction, &namespace, subscription, now).await?;
    transaction.commit().await?;
    tracing::info!(namespace.id = namespace.id.0, seats = terms.seats, "made a subscription");
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Changes what the request states.
///
/// # Errors
/// 404 where the namespace has no subscription, 400 for parameters of the wrong shape and for what must have a value and
/// has none.
pub async fn update(
    State(state): State<ProvisioningState>,
    provisioner: Provisioner,
    name: NamespaceName,
    parameters: Parameters,
) -> Result<Json<SubscriptionResponse>, ApiError> {
    let now = state.clock.now();
    let request = parameters.read(|reader| SubscriptionRequest::declare(reader, false))?;
    let namespace = name.find(&state.db).await?;
    let mut transaction = state.db.begin().await?;
    let found = subscriptions::find_for_update(&mut transaction, namespace.id).await?;
    let subscription =
        found.ok_or_else(|| ApiError::Refused(StatusCode::NOT_FOUND, "404 GitlabSubscription Not Found".to_owned()))?;
    let stated = request.stated(&mut transaction).await?;
    let mut change = subscription.change(stated, now).map_err(blank)?;
    if change.counts_anew {
        let (_, seats) = live(&mut transaction, &namespace, &change.after, now).await?;
        change = change.counted(seats, now);
    }
    subscriptions::change(&mut transaction, &change, provisioner.author(), now).await?;
    let (before, after) = (change.before.terms.seats, change.after.terms.seats);
    let answer = answer(&mut transaction, &namespace, change.after, now).await?;
    transaction.commit().await?;
    tracing::info!(namespace.id = namespace.id.0, seats.before = before, seats.after = after, "changed a subscription");
    Ok(Json(answer))
}

struct SubscriptionRequest {
    plan_code: Given<String>,
    plan: Given<String>,
    stated: Stated,
}

impl SubscriptionRequest {
    fn declare(reader: &mut Reader<'_>, new: bool) -> Self {
        let start_date = if new { reader.required("start_date") } else { reader.optional("start_date") };
        let end_date = reader.optional("end_date").stated();
        let plan_code = reader.optional("plan_code");
        let plan = reader.optional("plan");
        Self {
            plan_code,
            plan,
            stated: Stated {
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

    /// What the request states. `plan` is the name of `plan_code` in the documentation's examples; a plan that does not
    /// exist is none.
    async fn stated(self, conn: &mut PgConnection) -> store::Result<Stated> {
        let named = if self.plan_code == Given::Absent { self.plan } else { self.plan_code };
        let plan = match named.stated() {
            None => None,
            Some(name) => Some(subscriptions::find_plan(conn, name.as_deref()).await?),
        };
        Ok(Stated { plan, ..self.stated })
    }
}

fn extension_type(reader: &mut Reader<'_>) -> Given<i16> {
    const NAME: &str = "trial_extension_type";
    match reader.optional::<i32>(NAME) {
        Given::Absent => Given::Absent,
        Given::Null => Given::Null,
        Given::Is(1) => Given::Is(1),
        Given::Is(2) => Given::Is(2),
        Given::Is(_) => {
            reader.refuse(NAME, "is invalid");
            Given::Absent
        }
    }
}

fn blank(names: Blank) -> ApiError {
    ApiError::InvalidRecord(names.into_iter().map(|name| (name, "can't be blank".to_owned())).collect())
}

async fn answer(
    conn: &mut PgConnection,
    namespace: &Namespace,
    subscription: Subscription,
    now: DateTime<Utc>,
) -> Result<SubscriptionResponse, ApiError> {
    let paid = subscription.terms.is_paid();
    let (exclude_guests, seats_in_use) = if paid {
        (exclude_guests(conn, namespace, &subscription).await?, subscription.seats_in_use)
    } else {
        live(conn, namespace, &subscription, now).await?
    };
    let upgradable = subscription.terms.is_upgradable(now.date_naive());
    let terms = subscription.terms;
    let (code, name) = terms.plan.map(|plan| (plan.code, plan.title)).unzip();
    Ok(SubscriptionResponse {
        plan: PlanResponse {
            code,
            name,
            trial: terms.trial,
            auto_renew: terms.auto_renew,
            upgradable: Some(upgradable),
            exclude_guests: Some(exclude_guests),
        },
        usage: UsageResponse {
            seats_in_subscription: terms.seats,
            seats_in_use: Some(seats_in_use),
            max_seats_used: terms.max_seats_used,
            seats_owed: Some(subscription.seats_owed),
        },
        billing: BillingResponse {
            subscription_start_date: terms.start_date,
            subscription_end_date: terms.end_date,
            trial_ends_on: terms.trial_ends_on,
        },
    })
}

/// Whether guests take no seat, and how many seats are taken now.
async fn live(
    conn: &mut PgConnection,
    namespace: &Namespace,
    subscription: &Subscription,
    now: DateTime<Utc>,
) -> store::Result<(bool, i32)> {
    let exclude_guests = exclude_guests(conn, namespace, subscription).await?;
    if namespace.is_personal() {
        return Ok((exclude_guests, 1));
    }
    let seats = seats::count(conn, namespace.id, exclude_guests, now.date_naive()).await?;
    Ok((exclude_guests, seats))
}

/// Of a group, the plan of its root says it.
async fn exclude_guests(
    conn: &mut PgConnection,
    namespace: &Namespace,
    subscription: &Subscription,
) -> store::Result<bool> {
    if namespace.is_personal() {
        return Ok(false);
    }
    if namespace.is_root() {
        return Ok(excludes_guests(subscription.terms.plan.as_ref().map(|plan| plan.code.as_str())));
    }
    let plan = subscriptions::find_plan_name(conn, namespace.root).await?;
    Ok(excludes_guests(plan.as_deref()))
}
