//! What namespaces are provisioned with, as administrators see it: a list for each kind of record, the newest first.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use sqlx::{FromRow, QueryBuilder};

use crate::store::paging::{self, KeyOrder, KeyValue, Page, PageRequest};
use crate::store::{Db, Result};

const BY_ID: KeyOrder = KeyOrder { columns: &["record.id"], descending: true };

macro_rules! keyed_by_id {
    ($($name:ident)+) => {$(
        impl $name {
            /// What the list is sorted by.
            #[must_use]
            pub fn key(&self) -> Vec<KeyValue> {
                vec![KeyValue::Number(self.id)]
            }
        }
    )+};
}

keyed_by_id! { SubscriptionRow PurchaseRow MinutesRow ReconciliationRow ExclusionRow LedgerRow }

/// A subscription.
#[derive(Debug, Clone, FromRow)]
pub struct SubscriptionRow {
    /// Its id.
    pub id: i64,
    /// The path of its namespace.
    pub namespace: String,
    /// The plan's title.
    pub plan: String,
    /// Whether it is a trial.
    pub trial: bool,
    /// Seats that were bought.
    pub seats: i32,
    /// Seats that are taken.
    pub seats_in_use: i32,
    /// The most that were.
    pub max_seats_used: i32,
    /// Its first day.
    pub start_date: Option<NaiveDate>,
    /// Its end.
    pub end_date: Option<NaiveDate>,
}

/// A page of the subscriptions.
pub async fn list_subscriptions(db: &Db, request: &PageRequest) -> Result<Page<SubscriptionRow>> {
    let select = QueryBuilder::new(
        "select record.id, coalesce(routes.path, record.namespace_id::text) as namespace,
           coalesce(plans.title, plans.name, '') as plan, coalesce(record.trial, false) as trial,
           coalesce(record.seats, 0) as seats, record.seats_in_use, coalesce(record.max_seats_used, 0) as max_seats_used,
           record.start_date, record.end_date
         from gitlab_subscriptions as record
         left join plans on plans.id = record.hosted_plan_id
         left join routes on routes.source_type = 'Namespace' and routes.source_id = record.namespace_id
         where true",
    );
    paging::fetch(db, select, BY_ID, request).await
}

/// A purchase of an add-on.
#[derive(Debug, Clone, FromRow)]
pub struct PurchaseRow {
    /// Its id.
    pub id: i64,
    /// The path of its namespace.
    pub namespace: String,
    /// The number of the add-on.
    pub add_on: i16,
    /// Seats that were bought.
    pub quantity: i32,
    /// Whether it is a trial.
    pub trial: bool,
    /// Its end.
    pub expires_on: NaiveDate,
    /// What the customers portal calls it.
    pub purchase_xid: String,
}

/// A page of the purchases of add-ons.
pub async fn list_purchases(db: &Db, request: &PageRequest) -> Result<Page<PurchaseRow>> {
    let select = QueryBuilder::new(
        "select record.id, coalesce(routes.path, record.namespace_id::text) as namespace,
           subscription_add_ons.name as add_on, record.quantity, record.trial, record.expires_on, record.purchase_xid
         from subscription_add_on_purchases as record
         join subscription_add_ons on subscription_add_ons.id = record.subscription_add_on_id
         left join routes on routes.source_type = 'Namespace' and routes.source_id = record.namespace_id
         where true",
    );
    paging::fetch(db, select, BY_ID, request).await
}

/// A pack of minutes.
#[derive(Debug, Clone, FromRow)]
pub struct MinutesRow {
    /// Its id.
    pub id: i64,
    /// The path of its namespace.
    pub namespace: String,
    /// Minutes that were bought.
    pub number_of_minutes: i32,
    /// Its end.
    pub expires_at: Option<NaiveDate>,
    /// What the customers portal calls it.
    pub purchase_xid: String,
}

/// A page of the packs of minutes.
pub async fn list_minutes(db: &Db, request: &PageRequest) -> Result<Page<MinutesRow>> {
    let select = QueryBuilder::new(
        "select record.id, coalesce(routes.path, record.namespace_id::text) as namespace, record.number_of_minutes,
           record.expires_at, coalesce(record.purchase_xid, '') as purchase_xid
         from ci_minutes_additional_packs as record
         left join routes on routes.source_type = 'Namespace' and routes.source_id = record.namespace_id
         where true",
    );
    paging::fetch(db, select, BY_ID, request).await
}

/// An upcoming reconciliation.
#[derive(Debug, Clone, FromRow)]
pub struct ReconciliationRow {
    /// Its id.
    pub id: i64,
    /// The path of its namespace.
    pub namespace: String,
    /// Its day.
    pub next_reconciliation_date: NaiveDate,
    /// The day from which on it is told.
    pub display_alert_from: NaiveDate,
}

/// A page of the upcoming reconciliations.
pub async fn list_reconciliations(db: &Db, request: &PageRequest) -> Result<Page<ReconciliationRow>> {
    let select = QueryBuilder::new(
        "select record.id, coalesce(routes.path, record.namespace_id::text, '') as namespace,
           record.next_reconciliation_date, record.display_alert_from
         from upcoming_reconciliations as record
         left join routes on routes.source_type = 'Namespace' and routes.source_id = record.namespace_id
         where true",
    );
    paging::fetch(db, select, BY_ID, request).await
}

/// A namespace without a limit on its storage.
#[derive(Debug, Clone, FromRow)]
pub struct ExclusionRow {
    /// The exclusion's id.
    pub id: i64,
    /// Which namespace.
    pub namespace_id: i64,
    /// Its path.
    pub namespace: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// A page of the exclusions from storage limits.
pub async fn list_exclusions(db: &Db, request: &PageRequest) -> Result<Page<ExclusionRow>> {
    let select = QueryBuilder::new(
        "select record.id, record.namespace_id, coalesce(routes.path, record.namespace_id::text) as namespace,
           record.reason, record.created_at
         from namespaces_storage_limit_exclusions as record
         left join routes on routes.source_type = 'Namespace' and routes.source_id = record.namespace_id
         where true",
    );
    paging::fetch(db, select, BY_ID, request).await
}

/// An entry of the ledger.
#[derive(Debug, Clone, FromRow)]
pub struct LedgerRow {
    /// Its id.
    pub id: i64,
    /// When.
    pub created_at: DateTime<Utc>,
    /// The path of the namespace, or its id where it is gone.
    pub namespace: String,
    /// What kind of record.
    pub record_type: String,
    /// Which one.
    pub record_id: i64,
    /// What it was.
    pub state_before: Option<Value>,
    /// What it is.
    pub state_after: Option<Value>,
    /// Who changed it.
    pub author_name: String,
}

/// A page of the ledger; of one namespace alone, where it is given.
pub async fn list_ledger(db: &Db, namespace: Option<i64>, request: &PageRequest) -> Result<Page<LedgerRow>> {
    let mut select = QueryBuilder::new(
        "select record.id, record.created_at, coalesce(routes.path, record.namespace_id::text) as namespace,
           record.record_type, record.record_id, record.state_before, record.state_after, record.author_name
         from provisioning_ledger_entries as record
         left join routes on routes.source_type = 'Namespace' and routes.source_id = record.namespace_id
         where true",
    );
    if let Some(namespace) = namespace {
        select.push(" and record.namespace_id = ").push_bind(namespace);
    }
    paging::fetch(db, select, BY_ID, request).await
}
