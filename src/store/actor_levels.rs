//! What somebody is to a group or project at this moment: asked again under its lock, by whoever is about to change it.

use chrono::NaiveDate;
use sqlx::PgExecutor;

use super::Result;
use super::members::MemberSource;
use crate::domain::ids::UserId;
use crate::domain::level::AccessLevel;

/// The user's level in the group or project: by memberships of it and of the groups around it, by shares, and as the
/// owner of the personal namespace around it.
pub async fn find(
    db: impl PgExecutor<'_>,
    source: MemberSource,
    user: UserId,
    today: NaiveDate,
) -> Result<AccessLevel> {
    let project = if let MemberSource::Project(project, _) = source { Some(project.0) } else { None };
    let level = sqlx::query_scalar!(
        r#"
        select coalesce(
          greatest(
            (
              select max(project_authorizations.access_level)
              from project_authorizations
              where project_authorizations.project_id = $2
                and project_authorizations.user_id = $3
            ),
            (
              select 50
              from namespaces as home
              where $2::bigint is not null
                and home.id = place.parent_id
                and home.type = 'User'
                and home.owner_id = $3
            ),
            (
              select max(members.access_level)
              from members
              where $2::bigint is null
                and members.user_id = $3
                and members.source_type = 'Namespace'
                and members.source_id = any (place.traversal_ids)
                and gatehouse_is_active_member(members, $4)
            ),
            (
              select max(least(members.access_level, links.group_access))
              from group_group_links as links
              join members
                on members.source_type = 'Namespace'
                and members.source_id = links.shared_with_group_id
              where $2::bigint is null
                and links.shared_group_id = any (place.traversal_ids)
                and (links.expires_at is null or links.expires_at > $4)
                and members.user_id = $3
                and gatehouse_is_active_member(members, $4)
            )
          ),
          0
        ) as "level!"
        from namespaces as place
        where place.id = $1
        "#,
        source.namespace().0,
        project,
        user.0,
        today
    );
    Ok(AccessLevel(level.fetch_optional(db).await?.unwrap_or(0)))
}
