//! Groups and projects that are marked for deletion, and whose time has come.

use chrono::NaiveDate;
use sqlx::PgExecutor;

use super::Result;
use crate::domain::ids::{NamespaceId, ProjectId, UserId};

/// The day on which a project was marked for deletion.
pub async fn find_of_project(db: impl PgExecutor<'_>, id: ProjectId) -> Result<Option<NaiveDate>> {
    let day = sqlx::query_scalar!("select marked_for_deletion_at from projects where id = $1", id.0);
    Ok(day.fetch_optional(db).await?.flatten())
}

/// The day on which a group was marked for deletion.
pub async fn find_of_group(db: impl PgExecutor<'_>, id: NamespaceId) -> Result<Option<NaiveDate>> {
    let day =
        sqlx::query_scalar!("select marked_for_deletion_on from group_deletion_schedules where group_id = $1", id.0);
    Ok(day.fetch_optional(db).await?)
}

/// Marks a project for deletion.
pub async fn mark_project(db: impl PgExecutor<'_>, id: ProjectId, today: NaiveDate) -> Result<()> {
    sqlx::query!("update projects set marked_for_deletion_at = $2 where id = $1", id.0, today).execute(db).await?;
    Ok(())
}

/// Marks a group for deletion.
pub async fn mark_group(db: impl PgExecutor<'_>, id: NamespaceId, by: UserId, today: NaiveDate) -> Result<()> {
    sqlx::query!(
        "
        insert into group_deletion_schedules (group_id, user_id, marked_for_deletion_on)
        values ($1, $2, $3)
        on conflict (group_id) do nothing
        ",
        id.0,
        by.0,
        today
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What was marked for deletion as long ago as the instance waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DueDeletions {
    /// Groups, the outermost first: what is in them goes with them.
    pub groups: Vec<NamespaceId>,
    /// Projects.
    pub projects: Vec<ProjectId>,
}

/// What is to be deleted today, some of it at a time.
pub async fn list_due(db: impl PgExecutor<'_>, today: NaiveDate) -> Result<DueDeletions> {
    let rows = sqlx::query!(
        r#"
        with settings as (
          select deletion_adjourned_period as days
          from application_settings
          order by id desc
          limit 1
        )
        (
          select true as "group!", group_deletion_schedules.group_id as "id!"
          from settings, group_deletion_schedules
          join namespaces on namespaces.id = group_deletion_schedules.group_id
          where group_deletion_schedules.marked_for_deletion_on + settings.days <= $1
          order by cardinality(namespaces.traversal_ids), namespaces.id
          limit 100
        )
        union all
        (
          select false, projects.id
          from settings, projects
          where projects.marked_for_deletion_at + settings.days <= $1
            and not coalesce(projects.pending_delete, false)
          order by projects.id
          limit 100
        )
        "#,
        today
    )
    .fetch_all(db)
    .await?;
    let mut due = DueDeletions::default();
    for row in rows {
        if row.group {
            due.groups.push(NamespaceId(row.id));
        } else {
            due.projects.push(ProjectId(row.id));
        }
    }
    Ok(due)
}
