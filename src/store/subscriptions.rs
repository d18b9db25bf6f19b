//! Subscriptions of namespaces, and their history.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{PgConnection, PgExecutor};

use super::{Result, ledger};
use crate::domain::ids::NamespaceId;
use crate::domain::ledger::{LedgerAuthor, LedgerEntry, LedgerRecord};
use crate::domain::subscription::{
    FREE_PLAN, HostedPlan, PAID_PLANS, Subscription, SubscriptionChange, SubscriptionTerms,
};

/// A change in the history.
const UPDATED: i16 = 1;
/// An end in the history.
const DESTROYED: i16 = 2;

/// The namespace's subscription.
pub async fn find(db: impl PgExecutor<'_>, namespace: NamespaceId) -> Result<Option<Subscription>> {
    let row = sqlx::query_as!(
        SubscriptionRow,
        r#"
        select
          subscription.id,
          subscription.namespace_id,
          subscription.hosted_plan_id as "plan_id?",
          plans.name as "plan_name?",
          plans.title as "plan_title?",
          subscription.start_date,
          subscription.end_date,
          subscription.trial,
          subscription.trial_starts_on,
          subscription.trial_ends_on,
          subscription.trial_extension_type,
          subscription.seats,
          subscription.max_seats_used,
          subscription.auto_renew,
          subscription.seats_in_use,
          subscription.seats_owed,
          subscription.max_seats_used_changed_at,
          subscription.created_at,
          subscription.updated_at
        from gitlab_subscriptions as subscription
        left join plans on plans.id = subscription.hosted_plan_id
        where subscription.namespace_id = $1
        "#,
        namespace.0
    );
    Ok(row.fetch_optional(db).await?.map(SubscriptionRow::subscription))
}

/// The namespace's subscription, which nobody else changes until the transaction ends.
pub async fn find_for_update(conn: &mut PgConnection, namespace: NamespaceId) -> Result<Option<Subscription>> {
    let locked =
        sqlx::query_scalar!("select id from gitlab_subscriptions where namespace_id = $1 for update", namespace.0);
    // Read after the lock is there, so that the change before is seen.
    match locked.fetch_optional(&mut *conn).await? {
        Some(_) => find(conn, namespace).await,
        None => Ok(None),
    }
}

#[derive(Debug)]
struct SubscriptionRow {
    id: i64,
    namespace_id: i64,
    plan_id: Option<i64>,
    plan_name: Option<String>,
    plan_title: Option<String>,
    start_date: Option<NaiveDate>,
    end_date: Option<NaiveDate>,
    trial: Option<bool>,
    trial_starts_on: Option<NaiveDate>,
    trial_ends_on: Option<NaiveDate>,
    trial_extension_type: Option<i16>,
    seats: Option<i32>,
    max_seats_used: Option<i32>,
    auto_renew: Option<bool>,
    seats_in_use: i32,
    seats_owed: i32,
    max_seats_used_changed_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl SubscriptionRow {
    fn subscription(self) -> Subscription {
        let plan = self.plan_id.map(|id| HostedPlan {
            id,
            code: self.plan_name.unwrap_or_default(),
            title: self.plan_title.unwrap_or_default(),
        });
        Subscription {
            id: self.id,
            namespace: NamespaceId(self.namespace_id),
            terms: SubscriptionTerms {
                plan,
                start_date: self.start_date,
                end_date: self.end_date,
                trial: self.trial,
                trial_starts_on: self.trial_starts_on,
                trial_ends_on: self.trial_ends_on,
                trial_extension_type: self.trial_extension_type,
                seats: self.seats,
                max_seats_used: self.max_seats_used,
                auto_renew: self.auto_renew,
            },
            seats_in_use: self.seats_in_use,
            seats_owed: self.seats_owed,
            max_seats_used_changed_at: self.max_seats_used_changed_at,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

/// The plan of that name; null stands for the free one.
pub async fn find_plan(db: impl PgExecutor<'_>, name: Option<&str>) -> Result<Option<HostedPlan>> {
    let name = name.unwrap_or(FREE_PLAN);
    let row = sqlx::query!(r#"select id, coalesce(title, '') as "title!" from plans where name = $1"#, name);
    let row = row.fetch_optional(db).await?;
    Ok(row.map(|row| HostedPlan { id: row.id, code: name.to_owned(), title: row.title }))
}

/// The name of the plan that a root namespace has subscribed to.
pub async fn find_plan_name(db: impl PgExecutor<'_>, root: NamespaceId) -> Result<Option<String>> {
    let name = sqlx::query_scalar!(
        "
        select plans.name
        from gitlab_subscriptions
        join plans on plans.id = gitlab_subscriptions.hosted_plan_id
        where gitlab_subscriptions.namespace_id = $1
        ",
        root.0
    );
    Ok(name.fetch_optional(db).await?.flatten())
}

/// Makes a subscription, and writes it down in the ledger; nothing where the namespace has one.
pub async fn create(
    conn: &mut PgConnection,
    namespace: NamespaceId,
    terms: &SubscriptionTerms,
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> Result<Option<Subscription>> {
    let id = sqlx::query_scalar!(
        "
        insert into gitlab_subscriptions (
          namespace_id, hosted_plan_id, start_date, end_date, trial, trial_starts_on, trial_ends_on,
          trial_extension_type, seats, max_seats_used, auto_renew, created_at, updated_at
        )
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)
        on conflict (namespace_id) do nothing
        returning id
        ",
        namespace.0,
        terms.plan.as_ref().map(|plan| plan.id),
        terms.start_date,
        terms.end_date,
        terms.trial,
        terms.trial_starts_on,
        terms.trial_ends_on,
        terms.trial_extension_type,
        terms.seats,
        terms.max_seats_used,
        terms.auto_renew,
        now,
    );
    let Some(id) = id.fetch_optional(&mut *conn).await? else { return Ok(None) };
    let subscription = Subscription {
        id,
        namespace,
        terms: terms.clone(),
        seats_in_use: 0,
        seats_owed: 0,
        max_seats_used_changed_at: None,
        created_at: now,
        updated_at: now,
    };
    let entry = LedgerEntry { before: None, after: Some(subscription.fields()), ..entry(&subscription) };
    ledger::insert(conn, author, now, &[entry]).await?;
    Ok(Some(subscription))
}

/// Writes a change of a subscription that is locked, what was before to the history, and both to the ledger.
pub async fn change(
    conn: &mut PgConnection,
    change: &SubscriptionChange,
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> Result<()> {
    let (before, after) = (&change.before, &change.after);
    let terms = &after.terms;
    sqlx::query!(
        "
        update gitlab_subscriptions
        set hosted_plan_id = $2,
            start_date = $3,
            end_date = $4,
            trial = $5,
            trial_starts_on = $6,
            trial_ends_on = $7,
            trial_extension_type = $8,
            seats = $9,
            max_seats_used = $10,
            auto_renew = $11,
            seats_in_use = $12,
            seats_owed = $13,
            max_seats_used_changed_at = $14,
            updated_at = $15
        where id = $1
        ",
        after.id,
        terms.plan.as_ref().map(|plan| plan.id),
        terms.start_date,
        terms.end_date,
        terms.trial,
        terms.trial_starts_on,
        terms.trial_ends_on,
        terms.trial_extension_type,
        terms.seats,
        terms.max_seats_used,
        terms.auto_renew,
        after.seats_in_use,
        after.seats_owed,
        after.max_seats_used_changed_at,
        after.updated_at,
    )
    .execute(&mut *conn)
    .await?;
    if change.is_historic() {
        insert_history(&mut *conn, before, UPDATED, now).await?;
    }
    if change.is_change() {
        let entry = LedgerEntry { before: Some(before.fields()), after: Some(after.fields()), ..entry(after) };
        ledger::insert(conn, author, now, &[entry]).await?;
    }
    Ok(())
}

/// Removes a subscription that is locked, and writes down what it was.
pub async fn delete(
    conn: &mut PgConnection,
    subscription: &Subscription,
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!("delete from gitlab_subscriptions where id = $1", subscription.id).execute(&mut *conn).await?;
    insert_history(&mut *conn, subscription, DESTROYED, now).await?;
    let entry = LedgerEntry { before: Some(subscription.fields()), after: None, ..entry(subscription) };
    ledger::insert(conn, author, now, &[entry]).await
}

fn entry(subscription: &Subscription) -> LedgerEntry {
    LedgerEntry {
        namespace: subscription.namespace,
        record: LedgerRecord::Subscription,
        id: subscription.id,
        before: None,
        after: None,
    }
}

async fn insert_history(
    db: impl PgExecutor<'_>,
    before: &Subscription,
    change_type: i16,
    now: DateTime<Utc>,
) -> Result<()> {
    let terms = &before.terms;
    sqlx::query!(
        "
        insert into gitlab_subscription_histories (
          gitlab_subscription_id, gitlab_subscription_created_at, gitlab_subscription_updated_at, namespace_id,
          hosted_plan_id, start_date, end_date, trial, trial_starts_on, trial_ends_on, trial_extension_type, seats,
          seats_in_use, max_seats_used, auto_renew, change_type, created_at
        )
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
        ",
        before.id,
        before.created_at,
        before.updated_at,
        before.namespace.0,
        terms.plan.as_ref().map(|plan| plan.id),
        terms.start_date,
        terms.end_date,
        terms.trial,
        terms.trial_starts_on,
        terms.trial_ends_on,
        terms.trial_extension_type,
        terms.seats,
        before.seats_in_use,
        terms.max_seats_used,
        terms.auto_renew,
        change_type,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The namespace of the paid subscription whose seats were counted longest ago, and before `due`; locked until the
/// transaction ends. Servers that ask at once share the work, for each skips what another one has locked.
pub async fn lock_oldest_due(db: impl PgExecutor<'_>, due: DateTime<Utc>) -> Result<Option<NamespaceId>> {
    let paid_plans = PAID_PLANS.map(str::to_owned);
    let namespace = sqlx::query_scalar!(
        r#"
        select subscription.namespace_id
        from gitlab_subscriptions as subscription
        join plans on plans.id = subscription.hosted_plan_id
        join namespaces on namespaces.id = subscription.namespace_id
        where (subscription.last_seat_refresh_at is null or subscription.last_seat_refresh_at <= $1)
          and subscription.trial is not true
          and subscription.seats > 0
          and plans.name = any ($2)
          and namespaces.type in ('Group', 'User')
        order by subscription.last_seat_refresh_at nulls first, subscription.id
        limit 1
        for update of subscription skip locked
        "#,
        due,
        &paid_plans,
    );
    Ok(namespace.fetch_optional(db).await?.map(NamespaceId))
}

/// Writes when the seats of a subscription were counted.
pub async fn update_seats_counted_at(db: impl PgExecutor<'_>, id: i64, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!("update gitlab_subscriptions set last_seat_refresh_at = $2 where id = $1", id, now)
        .execute(db)
        .await?;
    Ok(())
}
