//! What hangs on groups and projects that are removed.

use sqlx::PgExecutor;

use super::Result;
use crate::domain::ids::{NamespaceId, ProjectId, UserId};
use crate::domain::repository::{GlRepository, RepositoryLocation, hashed_path};
use crate::domain::user_type::UserType;

/// A group that is to go, or one below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoomedGroup {
    /// Its id.
    pub id: NamespaceId,
    /// Its full path.
    pub path: String,
    /// Whether it has bought something, a subscription included.
    pub provisioned: bool,
}

/// The group and all groups below it, the innermost first.
pub async fn list_groups(db: impl PgExecutor<'_>, group: NamespaceId) -> Result<Vec<DoomedGroup>> {
    let rows = sqlx::query!(
        r#"
        select
          namespaces.id,
          coalesce(routes.path, '') as "path!",
          exists (select from gitlab_subscriptions where namespace_id = namespaces.id)
            or exists (select from subscription_add_on_purchases where namespace_id = namespaces.id)
            or exists (select from ci_minutes_additional_packs where namespace_id = namespaces.id)
            or exists (select from upcoming_reconciliations where namespace_id = namespaces.id)
            or exists (select from namespaces_storage_limit_exclusions where namespace_id = namespaces.id)
            or exists (select from namespace_limits where namespace_id = namespaces.id)
            or num_nonnulls(namespaces.shared_runners_minutes_limit, namespaces.extra_shared_runners_minutes_limit) > 0
            as "provisioned!"
        from namespaces
        left join routes on routes.source_type = 'Namespace' and routes.source_id = namespaces.id
        where namespaces.traversal_ids @> array[$1::bigint]
          and namespaces.type = 'Group'
        order by cardinality(namespaces.traversal_ids) desc, namespaces.id
        "#,
        group.0
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    Ok(rows.map(|row| DoomedGroup { id: NamespaceId(row.id), path: row.path, provisioned: row.provisioned }).collect())
}

/// The projects in these namespaces.
pub async fn list_projects(db: impl PgExecutor<'_>, namespaces: &[i64]) -> Result<Vec<ProjectId>> {
    let ids = sqlx::query_scalar!("select id from projects where namespace_id = any($1) order by id", namespaces);
    Ok(ids.fetch_all(db).await?.into_iter().map(ProjectId).collect())
}

/// How many projects are in these namespaces.
pub async fn count_projects(db: impl PgExecutor<'_>, namespaces: &[i64]) -> Result<i64> {
    let count =
        sqlx::query_scalar!(r#"select count(*) as "count!" from projects where namespace_id = any($1)"#, namespaces);
    Ok(count.fetch_one(db).await?)
}

/// The full paths of projects.
pub async fn list_paths(db: impl PgExecutor<'_>, projects: &[ProjectId]) -> Result<Vec<(ProjectId, String)>> {
    let ids: Vec<i64> = projects.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        "select source_id, path from routes where source_type = 'Project' and source_id = any($1) order by source_id",
        &ids
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (ProjectId(row.source_id), row.path)).collect())
}

/// The project namespaces of projects.
pub async fn list_project_namespaces(db: impl PgExecutor<'_>, projects: &[i64]) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar!("select project_namespace_id from projects where id = any($1)", projects)
        .fetch_all(db)
        .await?)
}

/// The bots whose tokens belong to these groups, and to the projects of these project namespaces.
pub async fn list_bots(db: impl PgExecutor<'_>, namespaces: &[i64]) -> Result<Vec<UserId>> {
    let ids = sqlx::query_scalar!(
        "
        select users.id
        from user_details
        join users on users.id = user_details.user_id
        where user_details.bot_namespace_id = any($1)
          and users.user_type = $2
        order by users.id
        ",
        namespaces,
        UserType::ProjectBot.number()
    );
    Ok(ids.fetch_all(db).await?.into_iter().map(UserId).collect())
}

/// Removes the deploy tokens of projects.
pub async fn delete_deploy_tokens_of_projects(db: impl PgExecutor<'_>, projects: &[i64]) -> Result<()> {
    sqlx::query!(
        "
        delete from deploy_tokens
        using project_deploy_tokens
        where project_deploy_tokens.project_id = any($1)
          and deploy_tokens.id = project_deploy_tokens.deploy_token_id
        ",
        projects
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes the deploy tokens of groups.
pub async fn delete_deploy_tokens_of_groups(db: impl PgExecutor<'_>, groups: &[i64]) -> Result<()> {
    sqlx::query!(
        "
        delete from deploy_tokens
        using group_deploy_tokens
        where group_deploy_tokens.group_id = any($1)
          and deploy_tokens.id = group_deploy_tokens.deploy_token_id
        ",
        groups
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The repositories that these projects have on storages: of code, wikis, designs and snippets.
pub async fn list_repositories(db: impl PgExecutor<'_>, projects: &[ProjectId]) -> Result<Vec<RepositoryLocation>> {
    let ids: Vec<i64> = projects.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"
        select
          projects.id as "project_id!",
          projects.repository_storage as "storage!",
          coalesce(projects.storage_version, 0) >= 1 as "hashed!",
          coalesce(routes.path, '') as "path!",
          found.kind as "kind!",
          found.id as "id!",
          found.storage as "own_storage?",
          found.disk_path as "disk_path?"
        from projects
        left join routes on routes.source_type = 'Project' and routes.source_id = projects.id
        join lateral (
          select 'code' as kind, projects.id, shards.name as storage, project_repositories.disk_path
          from project_repositories
          join shards on shards.id = project_repositories.shard_id
          where project_repositories.project_id = projects.id
          union all
          select 'wiki', projects.id, null, null
          from project_wiki_repositories
          where project_wiki_repositories.project_id = projects.id
          union all
          select 'design', design_management_repositories.id, null, null
          from design_management_repositories
          where design_management_repositories.project_id = projects.id
          union all
          select 'snippet', snippets.id, shards.name, snippet_repositories.disk_path
          from snippets
          join snippet_repositories on snippet_repositories.snippet_id = snippets.id
          join shards on shards.id = snippet_repositories.shard_id
          where snippets.project_id = projects.id
        ) as found on true
        where projects.id = any($1)
        order by projects.id, found.kind, found.id
        "#,
        &ids
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    Ok(rows
        .map(|row| {
            let project = ProjectId(row.project_id);
            let base = if row.hashed { hashed_path("@hashed", row.project_id) } else { row.path.clone() };
            let (repository, suffix) = match row.kind.as_str() {
                "wiki" => (GlRepository::Wiki(project), ".wiki"),
                "design" => (GlRepository::Design(row.id), ".design"),
                "snippet" => (GlRepository::Snippet(crate::domain::ids::SnippetId(row.id)), ""),
                _ => (GlRepository::Project(project), ""),
            };
            RepositoryLocation {
                storage: row.own_storage.unwrap_or(row.storage),
                relative_path: format!("{}{suffix}.git", row.disk_path.unwrap_or(base)),
                gl_repository: repository.to_string(),
                gl_project_path: format!("{}{suffix}", row.path),
            }
        })
        .collect())
}

/// The wikis' repositories of groups.
pub async fn list_group_wikis(db: impl PgExecutor<'_>, groups: &[i64]) -> Result<Vec<RepositoryLocation>> {
    let rows = sqlx::query!(
        r#"
        select group_wiki_repositories.group_id, shards.name, group_wiki_repositories.disk_path, routes.path as "path?"
        from group_wiki_repositories
        join shards on shards.id = group_wiki_repositories.shard_id
        left join routes
          on routes.source_type = 'Namespace'
          and routes.source_id = group_wiki_repositories.group_id
        where group_wiki_repositories.group_id = any($1)
        "#,
        groups
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    Ok(rows
        .map(|row| RepositoryLocation {
            storage: row.name,
            relative_path: format!("{}.git", row.disk_path),
            gl_repository: GlRepository::GroupWiki(NamespaceId(row.group_id)).to_string(),
            gl_project_path: format!("{}.wiki", row.path.unwrap_or_default()),
        })
        .collect())
}
