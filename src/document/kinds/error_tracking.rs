//! `error_tracking:`, of projects.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::document::changes::FieldChanges;
use crate::document::place::DocumentPlace;
use crate::document::run::{ApplyRun, FoundRow};
use crate::document::words::{Ensure, GivenValue, StatedId};
use crate::domain::ids::ProjectId;
use crate::store::Result;
use crate::store::error_tracking::{self, ErrorTrackingRow};

/// Whether a project takes errors of its users' programs.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ErrorTrackingEntry {
    /// Whether it does.
    pub enabled: Option<bool>,
    /// Whether this installation keeps them, not another server.
    pub integrated: Option<bool>,
    /// Keys that programs show, found by themselves.
    pub client_keys: Vec<ClientKeyEntry>,
}

/// A key that programs show.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientKeyEntry {
    /// The key.
    #[schemars(extend("maxLength" = 255))]
    pub public_key: GivenValue,
    /// Chosen on creation.
    pub id: Option<StatedId>,
    /// Whether it is good.
    pub active: Option<bool>,
    /// `absent` removes it.
    #[serde(default)]
    pub ensure: Ensure,
}

/// Applies whether a project takes errors, and the keys that programs show; `path` is the project's.
pub(crate) async fn apply(
    run: &mut ApplyRun<'_>,
    place: &DocumentPlace,
    (project, path): (ProjectId, &str),
    tracking: &ErrorTrackingEntry,
) -> Result<()> {
    let existing = error_tracking::find(&mut *run.conn, project).await?;
    let what = format!("error tracking of {path}");
    let mut row = existing.unwrap_or(ErrorTrackingRow { enabled: false, integrated: true });
    let mut changes = FieldChanges::default();
    changes.set("enabled", &mut row.enabled, tracking.enabled);
    changes.set("integrated", &mut row.integrated, tracking.integrated);
    if existing.is_none() || !changes.is_empty() {
        error_tracking::upsert(&mut *run.conn, project, row).await?;
        if existing.is_none() { run.added(&what) } else { run.updated(&what, &changes) }
    }
    for (index, key) in tracking.client_keys.iter().enumerate() {
        let place = place.key("client_keys").item(index);
        let Some(public_key) = run.given(&place.key("public_key"), &key.public_key) else { continue };
        let what = format!("client key {public_key} of {path}");
        let existing = error_tracking::find_client_key(&mut *run.conn, project, &public_key).await?;
        if key.ensure.is_absent() {
            if let Some((id, _)) = existing {
                error_tracking::delete_client_key(&mut *run.conn, id).await?;
                run.removed(&what);
            }
            continue;
        }
        let stated_id = key.id.map(|id| id.0);
        let by_key = existing.map(|(id, _)| id);
        let table = "error_tracking_client_keys";
        let Some(found) = run.identify_fixed_row(&place, table, stated_id, by_key).await? else { continue };
        let id = match found {
            FoundRow::Missing(chosen) => {
                let active = key.active.unwrap_or(true);
                let id =
                    error_tracking::insert_client_key(&mut *run.conn, chosen, project, &public_key, active).await?;
                run.added(&what);
                id
            }
            FoundRow::Existing(id) => {
                let mut active = existing.is_some_and(|(_, active)| active);
                let mut changes = FieldChanges::default();
                changes.set("active", &mut active, key.active);
                if !changes.is_empty() {
                    error_tracking::update_client_key(&mut *run.conn, id, active).await?;
                    run.updated(&what, &changes);
                }
                id
            }
        };
        run.name_at(&["projects", path, "client_keys", &public_key], json!({ "id": id }));
    }
    Ok(())
}
