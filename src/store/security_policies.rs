//! Security policies, as the files that they stand in.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::Result;
use crate::domain::ids::{NamespaceId, ProjectId};

/// Whose policies they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyOwner {
    /// A project's.
    Project(ProjectId),
    /// A group's, and so those of all that is in it.
    Group(NamespaceId),
}

impl PolicyOwner {
    fn columns(self) -> (Option<i64>, Option<i64>) {
        match self {
            Self::Project(id) => (Some(id.0), None),
            Self::Group(id) => (None, Some(id.0)),
        }
    }
}

/// A file of policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFile {
    /// Its text.
    pub yaml: String,
    /// When it was changed.
    pub updated_at: DateTime<Utc>,
}

/// The files that apply to a project: its own, then those of the groups that it is in, the nearest first.
pub async fn list_applicable(db: impl PgExecutor<'_>, project: ProjectId) -> Result<Vec<PolicyFile>> {
    let rows = sqlx::query_as!(
        PolicyFile,
        r#"
        select configurations.policy_yaml as yaml, configurations.policy_last_updated_at as updated_at
        from projects
        join namespaces on namespaces.id = projects.namespace_id
        join security_orchestration_policy_configurations as configurations
          on configurations.project_id = projects.id
          or configurations.namespace_id = any (namespaces.traversal_ids)
        where projects.id = $1
        order by
          configurations.project_id is null,
          array_position(namespaces.traversal_ids, configurations.namespace_id) desc
        "#,
        project.0
    );
    Ok(rows.fetch_all(db).await?)
}

/// The owner's own file.
pub async fn find(db: impl PgExecutor<'_>, owner: PolicyOwner) -> Result<Option<PolicyFile>> {
    let (project, group) = owner.columns();
    let row = sqlx::query_as!(
        PolicyFile,
        "
        select policy_yaml as yaml, policy_last_updated_at as updated_at
        from security_orchestration_policy_configurations
        where project_id = $1 or namespace_id = $2
        ",
        project,
        group
    );
    Ok(row.fetch_optional(db).await?)
}

/// Makes the owner's file this one.
pub async fn upsert(db: impl PgExecutor<'_>, owner: PolicyOwner, file: &PolicyFile) -> Result<()> {
    let (project, group) = owner.columns();
    sqlx::query!(
        "
        with changed as (
          update security_orchestration_policy_configurations
          set policy_yaml = $3, policy_last_updated_at = $4, updated_at = now()
          where project_id = $1 or namespace_id = $2
          returning id
        )
        insert into security_orchestration_policy_configurations
          (project_id, namespace_id, policy_yaml, policy_last_updated_at, configured_at)
        select $1, $2, $3, $4, now()
        where not exists (select 1 from changed)
        ",
        project,
        group,
        file.yaml,
        file.updated_at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes the owner's file, and says whether there was one.
pub async fn delete(db: impl PgExecutor<'_>, owner: PolicyOwner) -> Result<bool> {
    let (project, group) = owner.columns();
    let gone = sqlx::query!(
        "delete from security_orchestration_policy_configurations where project_id = $1 or namespace_id = $2",
        project,
        group
    );
    Ok(gone.execute(db).await?.rows_affected() > 0)
}
