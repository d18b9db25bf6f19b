//! `minutes_packs:`, the packs of compute minutes that namespaces have.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::provisioned::namespace;
use crate::document::changes::FieldChanges;
use crate::document::place::DocumentPlace;
use crate::document::run::ApplyRun;
use crate::document::words::{Ensure, StatedDay};
use crate::domain::ids::NamespaceId;
use crate::domain::ledger::LedgerRecord;
use crate::domain::minutes::{MinutesPack, PackRequest};
use crate::services::credit_minutes::credit_locked;
use crate::store::{Result, ledger, minutes_packs, namespaces};

/// A pack, found by the id of its purchase.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "GitLab's own names")]
pub struct MinutesPackEntry {
    /// The purchase's id at the seller.
    #[schemars(length(min = 1, max = 32))]
    pub purchase_xid: String,
    /// The full path of a group or of a user's own namespace.
    #[schemars(length(min = 1, max = 8192))]
    pub namespace: String,
    /// The minutes that were bought.
    #[schemars(range(min = 1))]
    pub number_of_minutes: Option<i32>,
    /// The day on which it ends.
    pub expires_at: Option<StatedDay>,
    #[serde(default)]
    pub ensure: Ensure,
}

/// Applies a pack, or removes it. One pack alone does not move: packs move from namespace to namespace all at once. A
/// pack that was moved from the namespace that the document states stays where it is, and the report says so.
pub async fn apply(run: &mut ApplyRun<'_>, place: &DocumentPlace, entry: &MinutesPackEntry) -> Result<()> {
    let Some(namespace) = namespace(run, place, &entry.namespace, entry.ensure).await? else { return Ok(()) };
    let namespace = namespace.id;
    let mut what = format!("pack of minutes {} of {}", entry.purchase_xid, entry.namespace);
    let existing = minutes_packs::find_for_update(&mut *run.conn, &entry.purchase_xid).await?;
    let (author, now) = (run.author(), run.now);
    if let Some(pack) = existing.as_ref().filter(|pack| pack.namespace != namespace) {
        let holder = namespaces::find_path(&mut *run.conn, pack.namespace).await?.unwrap_or_default();
        if entry.ensure.is_absent()
            || !ledger::knows(&mut *run.conn, namespace, LedgerRecord::MinutesPack, pack.id).await?
        {
            let reason = format!("the purchase belongs to {holder}; PATCH .../minutes/move moves packs");
            run.problem(&place.key("namespace"), reason);
            return Ok(());
        }
        run.warn(&format!("{what} was moved to {holder}, and stays there: state that namespace"));
        what = format!("pack of minutes {} of {holder}", entry.purchase_xid);
    }
    if entry.ensure.is_absent() {
        if let Some(pack) = existing {
            minutes_packs::delete(&mut *run.conn, &pack, &author, now).await?;
            run.removed(&what);
        }
        return Ok(());
    }
    let problems = run.problems();
    let expires_at = entry.expires_at.as_ref().and_then(|day| run.day(&place.key("expires_at"), day));
    if run.problems() > problems {
        return Ok(());
    }
    let pack = if let Some(before) = existing {
        let mut after = before.clone();
        let mut changes = FieldChanges::default();
        changes.set("number_of_minutes", &mut after.number_of_minutes, entry.number_of_minutes);
        changes.set("expires_at", &mut after.expires_at, expires_at.map(Some));
        if !changes.is_empty() {
            minutes_packs::change(&mut *run.conn, &before, &after, &author, now).await?;
            run.updated(&what, &changes);
        }
        Some(after)
    } else {
        let wanted = PackRequest {
            number_of_minutes: entry.number_of_minutes,
            expires_at,
            purchase_xid: Some(entry.purchase_xid.clone()),
        };
        let made = credit(run, place, namespace, &wanted).await?;
        if made.is_some() {
            run.added(&what);
        }
        made
    };
    if let Some(pack) = pack {
        run.name("minutes_packs", &entry.purchase_xid, json!({ "id": pack.id }));
    }
    Ok(())
}

async fn credit(
    run: &mut ApplyRun<'_>,
    place: &DocumentPlace,
    namespace: NamespaceId,
    wanted: &PackRequest,
) -> Result<Option<MinutesPack>> {
    if wanted.number_of_minutes.is_none() {
        run.problem(&place.key("number_of_minutes"), "is missing");
    }
    if wanted.expires_at.is_none() {
        run.problem(&place.key("expires_at"), "is missing, for example 2027-01-31");
    }
    if wanted.number_of_minutes.is_none() || wanted.expires_at.is_none() {
        return Ok(None);
    }
    let (author, now) = (run.author(), run.now);
    let made = credit_locked(run.conn, namespace, std::slice::from_ref(wanted), &author, now).await?;
    let pack = made.and_then(|packs| packs.into_iter().next());
    if pack.is_none() {
        run.problem(place, "cannot be credited: its purchase_xid is blank, or somebody credits it elsewhere");
    }
    Ok(pack)
}
