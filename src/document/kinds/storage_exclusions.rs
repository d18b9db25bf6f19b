//! `storage_exclusions:`, which namespaces have no limit on their storage.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::provisioned::namespace;
use crate::document::changes::FieldChanges;
use crate::document::place::DocumentPlace;
use crate::document::run::ApplyRun;
use crate::document::words::Ensure;
use crate::domain::exclusion::ExclusionReason;
use crate::services::end_provisioning::{self, EndingNamespace};
use crate::store::{Result, storage_exclusions};

/// An exclusion, found by its namespace.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "GitLab's own names")]
pub struct StorageExclusionEntry {
    /// The full path of a root group or of a user's own namespace.
    #[schemars(length(min = 1, max = 8192))]
    pub namespace: String,
    /// Why it has no limit.
    #[schemars(length(min = 1, max = 255))]
    pub reason: Option<String>,
    #[serde(default)]
    pub ensure: Ensure,
}

/// Applies an exclusion, or ends it.
pub async fn apply(run: &mut ApplyRun<'_>, place: &DocumentPlace, entry: &StorageExclusionEntry) -> Result<()> {
    let Some(namespace) = namespace(run, place, &entry.namespace, entry.ensure).await? else { return Ok(()) };
    let id = namespace.id;
    if entry.ensure.is_absent() {
        let ending = EndingNamespace { id, path: &entry.namespace, author: &run.author(), now: run.now };
        if let Some(what) = end_provisioning::end_exclusion(&mut *run.conn, &ending).await? {
            run.removed(&what);
        }
        return Ok(());
    }
    if !namespace.is_root() {
        run.problem(&place.key("namespace"), "must be a root group or a user's own namespace");
        return Ok(());
    }
    let what = format!("storage exclusion of {}", entry.namespace);
    let existing = storage_exclusions::find_for_update(&mut *run.conn, id).await?;
    let mut stated = existing.as_ref().map(|exclusion| exclusion.reason.clone());
    let mut changes = FieldChanges::default();
    changes.set("reason", &mut stated, entry.reason.clone().map(Some));
    let reason = match ExclusionReason::new(stated) {
        Ok(reason) => reason,
        Err(complaint) => {
            run.problem(&place.key("reason"), complaint);
            return Ok(());
        }
    };
    let (author, now) = (run.author(), run.now);
    let id = if let Some(before) = existing {
        if !changes.is_empty() {
            storage_exclusions::change(&mut *run.conn, &before, &reason, &author, now).await?;
            run.updated(&what, &changes);
        }
        before.id
    } else {
        let made = storage_exclusions::create(&mut *run.conn, id, &reason, &author, now).await?;
        let Some(exclusion) = made else {
            run.problem(place, "somebody excludes this namespace at the same time");
            return Ok(());
        };
        run.added(&what);
        exclusion.id
    };
    run.name("storage_exclusions", &entry.namespace, json!({ "id": id }));
    Ok(())
}
