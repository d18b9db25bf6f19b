//! What the entries about namespaces' purchases share: which namespace one means, and what ends when a namespace does.

use super::{add_on_purchases, minutes_packs, reconciliations, storage_exclusions};
use crate::document::place::DocumentPlace;
use crate::document::run::ApplyRun;
use crate::document::words::Ensure;
use crate::domain::ids::NamespaceId;
use crate::store::Result;
use crate::store::provisioned_namespaces::{self, ProvisionedNamespace};

/// The namespace of that path. Where there is none, nothing needs to be removed from it.
pub async fn namespace(
    run: &mut ApplyRun<'_>,
    place: &DocumentPlace,
    path: &str,
    ensure: Ensure,
) -> Result<Option<ProvisionedNamespace>> {
    let found = provisioned_namespaces::find_by_path(&mut *run.conn, path).await?;
    if found.is_none() && !ensure.is_absent() && !run.has_failed(path) {
        run.problem(&place.key("namespace"), format!("there is no group or user {path}"));
    }
    Ok(found)
}

/// Ends all that the namespace has bought beside its subscription. Whatever removes a namespace does this first, so
/// that the ledger knows how it ended.
pub async fn end(run: &mut ApplyRun<'_>, namespace: NamespaceId, path: &str) -> Result<()> {
    add_on_purchases::end(run, namespace, path).await?;
    minutes_packs::end(run, namespace, path).await?;
    reconciliations::end(run, namespace, path).await?;
    storage_exclusions::end(run, namespace, path).await
}
