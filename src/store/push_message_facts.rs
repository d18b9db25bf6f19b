//! What the messages after a push depend on.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::Result;
use crate::domain::ids::{ProjectId, UserId};
use crate::domain::level::{AccessLevel, FeatureLevel};
use crate::domain::push_messages::{MessageProject, PushBanner};
use crate::domain::repository::GlRepository;

/// The default branch where neither repository, group nor instance names one.
const DEFAULT_BRANCH: &str = "main";

/// The project that a repository belongs to, as its messages look at it. A group's wiki has none.
pub async fn find_project(
    db: impl PgExecutor<'_>,
    repository: GlRepository,
    user: Option<UserId>,
) -> Result<Option<(ProjectId, MessageProject)>> {
    let (mut project, mut snippet, mut design) = (None, None, None);
    match repository {
        GlRepository::Project(id) | GlRepository::Wiki(id) => project = Some(id.0),
        GlRepository::Snippet(id) => snippet = Some(id.0),
        GlRepository::Design(id) => design = Some(id),
        GlRepository::GroupWiki(_) => return Ok(None),
    }
    let row = sqlx::query!(
        r#"
        select
          projects.id,
          routes.path,
          projects.printing_merge_request_link_enabled as prints_links,
          project_features.merge_requests_access_level as "merge_requests_access_level?",
          coalesce(
            -- What was last seen in the repository; settings only say how a new one begins.
            project_default_branches.name,
            (
              select nullif(namespace_settings.default_branch_name, '')
              from namespaces as above
              join namespace_settings on namespace_settings.namespace_id = above.id
              where above.id = any (namespaces.traversal_ids)
                and namespace_settings.default_branch_name <> ''
              -- The longest chain of ids is the nearest namespace: what it says goes before what is said above it.
              order by cardinality(above.traversal_ids) desc
              limit 1
            ),
            (select nullif(default_branch_name, '') from application_settings order by id desc limit 1)
          ) as default_branch,
          greatest(
            (
              select max(access_level)
              from project_authorizations
              where project_authorizations.project_id = projects.id
                and project_authorizations.user_id = $4
            ),
            -- 50 is Owner: an old database may hold less for the owner of a personal namespace (schema.md 1.5).
            case when namespaces.owner_id = $4 then 50 end
          ) as access_level
        from projects
        join routes on routes.source_id = projects.id and routes.source_type = 'Project'
        join namespaces on namespaces.id = projects.namespace_id
        -- Outer, for a project without such a row has all its features.
        left join project_features on project_features.project_id = projects.id
        left join project_default_branches on project_default_branches.project_id = projects.id
        where projects.id = coalesce(
          $1,
          (select snippets.project_id from snippets where snippets.id = $2),
          (select designs.project_id from design_management_repositories as designs where designs.id = $3)
        )
        "#,
        project,
        snippet,
        design,
        user.map(|user| user.0),
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| {
        let project = MessageProject {
            path: row.path,
            default_branch: row.default_branch.unwrap_or_else(|| DEFAULT_BRANCH.to_owned()),
            prints_links: row.prints_links,
            merge_requests: FeatureLevel::from_level(row.merge_requests_access_level),
            access: AccessLevel(row.access_level.unwrap_or_default()),
        };
        (ProjectId(row.id), project)
    }))
}

/// The target's path and the iid of the open merge request of each of these branches; the newest, where there are more.
pub async fn list_merge_requests(
    db: impl PgExecutor<'_>,
    source: ProjectId,
    branches: &[&str],
) -> Result<BTreeMap<String, (String, i32)>> {
    let rows = sqlx::query!(
        r#"
        select merge_requests.source_branch, merge_requests.iid as "iid!", routes.path
        from merge_requests
        join routes on routes.source_id = merge_requests.target_project_id and routes.source_type = 'Project'
        where merge_requests.source_project_id = $1
          and merge_requests.source_branch = any ($2)
          and merge_requests.state_id = 1
          and merge_requests.iid is not null
        order by merge_requests.id
        "#,
        source.0,
        branches as &[&str],
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.source_branch, (row.path, row.iid))).collect())
}

/// The banners that the command line shows now, oldest first.
pub async fn list_banners(db: impl PgExecutor<'_>, now: DateTime<Utc>) -> Result<Vec<PushBanner>> {
    let rows = sqlx::query!(
        "select message, target_path, target_access_levels
         from broadcast_messages
         where broadcast_type = 1
           and show_in_cli
           and ends_at >= $1
           and starts_at <= $1
         order by id",
        now.naive_utc(),
    )
    .fetch_all(db)
    .await?;
    let banners = rows.into_iter().map(|row| PushBanner {
        message: row.message,
        target_path: row.target_path.filter(|path| !path.is_empty()),
        target_access_levels: row.target_access_levels.into_iter().map(AccessLevel).collect(),
    });
    Ok(banners.collect())
}
