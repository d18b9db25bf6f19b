//! What the entries about namespaces' purchases share: which namespace one means, and what ends when a namespace does.

use crate::document::place::DocumentPlace;
use crate::document::run::ApplyRun;
use crate::document::words::Ensure;
use crate::domain::ids::NamespaceId;
use crate::services::end_provisioning::{self, EndingNamespace};
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

/// Ends all that the namespace has bought, its subscription included.
pub async fn end(run: &mut ApplyRun<'_>, namespace: NamespaceId, path: &str) -> Result<()> {
    let ending = EndingNamespace { id: namespace, path, author: &run.author(), now: run.now };
    for what in end_provisioning::end_all(&mut *run.conn, &ending).await? {
        run.removed(&what);
    }
    Ok(())
}
