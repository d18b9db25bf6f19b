//! Purchases of add-ons.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{PgConnection, PgExecutor};

use super::{Result, ledger};
use crate::domain::add_on::{AddOn, AddOnPurchase, PurchaseTerms};
use crate::domain::ids::NamespaceId;
use crate::domain::ledger::{LedgerAuthor, LedgerEntry, LedgerRecord};

/// The row of an add-on, made when somebody first names it.
pub async fn find_or_insert_add_on(conn: &mut PgConnection, add_on: AddOn) -> Result<i64> {
    let find = || sqlx::query_scalar!("select id from subscription_add_ons where name = $1", add_on.number());
    if let Some(id) = find().fetch_optional(&mut *conn).await? {
        return Ok(id);
    }
    sqlx::query!(
        "insert into subscription_add_ons (name, description) values ($1, $2) on conflict (name) do nothing",
        add_on.number(),
        format!("Add-on for {}", add_on.title()),
    )
    .execute(&mut *conn)
    .await?;
    Ok(find().fetch_one(conn).await?)
}

/// The namespace's purchase of the add-on.
pub async fn find(db: impl PgExecutor<'_>, namespace: NamespaceId, add_on: AddOn) -> Result<Option<AddOnPurchase>> {
    let row = sqlx::query_as!(
        PurchaseRow,
        "
        select purchase.id, purchase.quantity, purchase.started_at, purchase.expires_on, purchase.purchase_xid,
               purchase.trial
        from subscription_add_on_purchases as purchase
        join subscription_add_ons on subscription_add_ons.id = purchase.subscription_add_on_id
        where purchase.namespace_id = $1
          and subscription_add_ons.name = $2
        ",
        namespace.0,
        add_on.number(),
    );
    Ok(row.fetch_optional(db).await?.map(|row| row.purchase(namespace, add_on)))
}

/// The namespace's purchase of the add-on, which nobody else changes until the transaction ends.
pub async fn find_for_update(
    db: impl PgExecutor<'_>,
    namespace: NamespaceId,
    add_on: AddOn,
) -> Result<Option<AddOnPurchase>> {
    let row = sqlx::query_as!(
        PurchaseRow,
        "
        select purchase.id, purchase.quantity, purchase.started_at, purchase.expires_on, purchase.purchase_xid,
               purchase.trial
        from subscription_add_on_purchases as purchase
        join subscription_add_ons on subscription_add_ons.id = purchase.subscription_add_on_id
        where purchase.namespace_id = $1
          and subscription_add_ons.name = $2
        for update of purchase
        ",
        namespace.0,
        add_on.number(),
    );
    Ok(row.fetch_optional(db).await?.map(|row| row.purchase(namespace, add_on)))
}

#[derive(Debug)]
struct PurchaseRow {
    id: i64,
    quantity: i32,
    started_at: Option<NaiveDate>,
    expires_on: NaiveDate,
    purchase_xid: String,
    trial: bool,
}

impl PurchaseRow {
    fn purchase(self, namespace: NamespaceId, add_on: AddOn) -> AddOnPurchase {
        let terms = PurchaseTerms {
            quantity: self.quantity,
            started_on: self.started_at,
            expires_on: self.expires_on,
            purchase_xid: self.purchase_xid,
            trial: self.trial,
        };
        AddOnPurchase { id: self.id, namespace, add_on, terms }
    }
}

/// Makes a purchase, and writes it down in the ledger; nothing where the namespace has one of this add-on.
pub async fn create(
    conn: &mut PgConnection,
    namespace: NamespaceId,
    add_on: AddOn,
    terms: PurchaseTerms,
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> Result<Option<AddOnPurchase>> {
    let row = find_or_insert_add_on(&mut *conn, add_on).await?;
    let id = sqlx::query_scalar!(
        "
        insert into subscription_add_on_purchases (
          subscription_add_on_id, namespace_id, organization_id, quantity, started_at, expires_on, purchase_xid, trial,
          created_at, updated_at
        )
        select $1, id, organization_id, $3, $4, $5, $6, $7, $8, $8
        from namespaces
        where id = $2
        on conflict (namespace_id, subscription_add_on_id) do nothing
        returning id
        ",
        row,
        namespace.0,
        terms.quantity,
        terms.started_on,
        terms.expires_on,
        terms.purchase_xid,
        terms.trial,
        now,
    );
    let Some(id) = id.fetch_optional(&mut *conn).await? else { return Ok(None) };
    let purchase = AddOnPurchase { id, namespace, add_on, terms };
    let entry = LedgerEntry { after: Some(purchase.fields()), ..entry(&purchase) };
    ledger::insert(conn, author, now, &[entry]).await?;
    Ok(Some(purchase))
}

/// Changes a purchase that is locked, if only its add-on, and writes down what it was and is.
pub async fn change(
    conn: &mut PgConnection,
    before: &AddOnPurchase,
    after: AddOnPurchase,
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> Result<AddOnPurchase> {
    if after == *before {
        return Ok(after);
    }
    let terms = &after.terms;
    let row = find_or_insert_add_on(&mut *conn, after.add_on).await?;
    sqlx::query!(
        "
        update subscription_add_on_purchases
        set subscription_add_on_id = $2,
            quantity = $3,
            started_at = $4,
            expires_on = $5,
            purchase_xid = $6,
            trial = $7,
            updated_at = $8
        where id = $1
        ",
        after.id,
        row,
        terms.quantity,
        terms.started_on,
        terms.expires_on,
        terms.purchase_xid,
        terms.trial,
        now,
    )
    .execute(&mut *conn)
    .await?;
    let entry = LedgerEntry { before: Some(before.fields()), after: Some(after.fields()), ..entry(&after) };
    ledger::insert(conn, author, now, &[entry]).await?;
    Ok(after)
}

/// Removes a purchase that is locked, and writes down what it was.
pub async fn delete(
    conn: &mut PgConnection,
    purchase: &AddOnPurchase,
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!("delete from subscription_add_on_purchases where id = $1", purchase.id).execute(&mut *conn).await?;
    let entry = LedgerEntry { before: Some(purchase.fields()), ..entry(purchase) };
    ledger::insert(conn, author, now, &[entry]).await
}

fn entry(purchase: &AddOnPurchase) -> LedgerEntry {
    LedgerEntry {
        namespace: purchase.namespace,
        record: LedgerRecord::AddOnPurchase,
        id: purchase.id,
        before: None,
        after: None,
    }
}
