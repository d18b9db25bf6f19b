//! `plans:`, what a root namespace can subscribe to.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::document::changes::FieldChanges;
use crate::document::place::DocumentPlace;
use crate::document::run::{ApplyRun, FoundRow};
use crate::document::words::{Ensure, StatedId};
use crate::store::{Result, plans};

/// A plan, found by its name.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "GitLab's own names")]
pub struct PlanEntry {
    /// The name that subscriptions have it by.
    #[schemars(length(min = 1, max = 255))]
    pub name: String,
    pub id: Option<StatedId>,
    /// The name that people read.
    #[schemars(length(max = 255))]
    pub title: Option<String>,
    #[serde(default)]
    pub ensure: Ensure,
}

/// Applies a plan, or removes it.
pub async fn apply(run: &mut ApplyRun<'_>, place: &DocumentPlace, plan: &PlanEntry) -> Result<()> {
    let what = format!("plan {}", plan.name);
    let existing = plans::find_by_name(&mut *run.conn, &plan.name).await?;
    if plan.ensure.is_absent() {
        if let Some(row) = existing {
            plans::delete(&mut *run.conn, row.id).await?;
            run.removed(&what);
        }
        return Ok(());
    }
    let by_name = existing.as_ref().map(|row| row.id);
    let found = run.identify_row(place, "plans", plan.id.map(|id| id.0), by_name).await?;
    let id = match found {
        None => return Ok(()),
        Some(FoundRow::Missing(id)) => {
            let title = plan.title.as_deref().unwrap_or(&plan.name);
            let id = plans::insert(&mut *run.conn, id, &plan.name, title).await?;
            run.added(&what);
            id
        }
        Some(FoundRow::Existing(id)) => {
            let mut changes = FieldChanges::default();
            let mut name = plans::find_name(&mut *run.conn, id).await?.unwrap_or_default();
            let mut title = existing.map_or_else(String::new, |row| row.title);
            changes.set("name", &mut name, Some(plan.name.clone()));
            changes.set("title", &mut title, plan.title.clone());
            if !changes.is_empty() {
                plans::update(&mut *run.conn, id, &name, &title).await?;
                run.updated(&what, &changes);
            }
            id
        }
    };
    run.name("plans", &plan.name, json!({ "id": id }));
    Ok(())
}
