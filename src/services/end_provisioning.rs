//! What a namespace has bought ends with it, and the ledger knows how.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::domain::add_on::AddOn;
use crate::domain::ids::NamespaceId;
use crate::domain::ledger::LedgerAuthor;
use crate::domain::namespace_limits::{LimitsChange, NamespaceLimits};
use crate::store::{
    Result, add_on_purchases, minutes_packs, namespace_limits, reconciliations, storage_exclusions, subscriptions,
};

/// The namespace whose provisioning ends, and by whom.
#[derive(Debug)]
pub struct EndingNamespace<'a> {
    /// Its id.
    pub id: NamespaceId,
    /// Its full path.
    pub path: &'a str,
    /// Who ends it.
    pub author: &'a LedgerAuthor,
    /// When.
    pub now: DateTime<Utc>,
}

/// Ends all that the namespace has bought, its subscription at last. Whatever removes a namespace does this first. The
/// answer says what there was.
pub async fn end_all(conn: &mut PgConnection, of: &EndingNamespace<'_>) -> Result<Vec<String>> {
    let mut ended = Vec::new();
    for add_on in AddOn::NUMBERED {
        if let Some(purchase) = add_on_purchases::find_for_update(&mut *conn, of.id, add_on).await? {
            add_on_purchases::delete(&mut *conn, &purchase, of.author, of.now).await?;
            ended.push(format!("purchase of {} by {}", add_on.name(), of.path));
        }
    }
    for pack in minutes_packs::list_for_update(&mut *conn, of.id).await? {
        minutes_packs::delete(&mut *conn, &pack, of.author, of.now).await?;
        ended.push(format!("pack of minutes {} of {}", pack.purchase_xid.unwrap_or_default(), of.path));
    }
    ended.extend(end_reconciliation(conn, of).await?);
    ended.extend(end_exclusion(conn, of).await?);
    ended.extend(end_limits(conn, of).await?);
    ended.extend(end_subscription(conn, of).await?);
    Ok(ended)
}

/// Ends what the namespace has of compute minutes and storage, where it has any.
async fn end_limits(conn: &mut PgConnection, of: &EndingNamespace<'_>) -> Result<Option<String>> {
    let before = namespace_limits::find(&mut *conn, of.id).await?.unwrap_or_default();
    if before == NamespaceLimits::default() {
        return Ok(None);
    }
    let change = LimitsChange { namespace: of.id, before, after: NamespaceLimits::default() };
    namespace_limits::change(conn, &change, of.author, of.now).await?;
    Ok(Some(format!("minutes and storage of {}", of.path)))
}

/// Removes the namespace's reconciliation, where it has one.
pub async fn end_reconciliation(conn: &mut PgConnection, of: &EndingNamespace<'_>) -> Result<Option<String>> {
    let had = reconciliations::delete(conn, of.id, of.author, of.now).await?;
    Ok(had.then(|| format!("reconciliation of {}", of.path)))
}

/// Ends the namespace's storage exclusion, where it has one.
pub async fn end_exclusion(conn: &mut PgConnection, of: &EndingNamespace<'_>) -> Result<Option<String>> {
    let had = storage_exclusions::delete(conn, of.id, of.author, of.now).await?;
    Ok(had.then(|| format!("storage exclusion of {}", of.path)))
}

/// Ends the namespace's subscription, where it has one.
pub async fn end_subscription(conn: &mut PgConnection, of: &EndingNamespace<'_>) -> Result<Option<String>> {
    let Some(subscription) = subscriptions::find_for_update(&mut *conn, of.id).await? else { return Ok(None) };
    subscriptions::delete(conn, &subscription, of.author, of.now).await?;
    Ok(Some(format!("subscription of {}", of.path)))
}
