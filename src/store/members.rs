//! Memberships in groups and projects, and shares of both with groups.

use chrono::NaiveDate;
use sqlx::{PgConnection, PgExecutor};

use super::{Result, group_members};
use crate::domain::ids::{NamespaceId, ProjectId, UserId};
use crate::domain::user_type::UserType;

/// What one can be a member of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A group.
    Group(NamespaceId),
    /// A project, and its shadow namespace.
    Project(ProjectId, NamespaceId),
}

impl Source {
    fn columns(self) -> (&'static str, &'static str, i64, i64) {
        match self {
            Self::Group(group) => ("GroupMember", "Namespace", group.0, group.0),
            Self::Project(project, shadow) => ("ProjectMember", "Project", project.0, shadow.0),
        }
    }
}

/// What a membership or a share grants, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// An access level.
    pub level: i32,
    /// The first day on which it is over.
    pub expires_at: Option<NaiveDate>,
}

/// A membership and whether it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// What it grants.
    pub grant: Grant,
    /// False for a request for access, an invitation, and a member who awaits approval. Whose last day has passed is one
    /// still, until a job removes the row.
    pub active: bool,
}

/// The user's membership.
pub async fn find(db: impl PgExecutor<'_>, source: Source, user: UserId) -> Result<Option<Membership>> {
    let (_, source_type, source_id, _) = source.columns();
    let row = sqlx::query!(
        r#"
        select access_level, expires_at, gatehouse_is_active_member(members, '-infinity') as "active!"
        from members
        where source_type = $1
          and source_id = $2
          and user_id = $3
        "#,
        source_type,
        source_id,
        user.0
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| Membership {
        grant: Grant { level: row.access_level, expires_at: row.expires_at },
        active: row.active,
    }))
}

/// Whether the top-level group around it takes members with the user's address.
pub async fn admits_address(conn: &mut PgConnection, source: Source, user: UserId) -> Result<bool> {
    let (_, _, _, namespace) = source.columns();
    let rules = group_members::find_join_rules(&mut *conn, NamespaceId(namespace)).await?;
    let user = sqlx::query!("select user_type, email from users where id = $1", user.0).fetch_optional(conn).await?;
    Ok(user.is_none_or(|user| rules.admits_address(UserType::from_number(user.user_type), &user.email)))
}

/// Makes the user an active member, or changes what the membership grants.
pub async fn upsert(db: impl PgExecutor<'_>, source: Source, user: UserId, grant: Grant) -> Result<()> {
    let (kind, source_type, source_id, namespace_id) = source.columns();
    sqlx::query!(
        "
        insert into members (type, source_type, source_id, member_namespace_id, user_id, access_level, expires_at)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (source_type, source_id, user_id) where user_id is not null do update
        set access_level = excluded.access_level,
            expires_at = excluded.expires_at,
            requested_at = null,
            invite_token = null,
            state = 0,
            updated_at = now() at time zone 'utc'
        ",
        kind,
        source_type,
        source_id,
        namespace_id,
        user.0,
        grant.level,
        grant.expires_at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Ends the user's membership.
pub async fn delete(db: impl PgExecutor<'_>, source: Source, user: UserId) -> Result<()> {
    let (_, source_type, source_id, _) = source.columns();
    sqlx::query!(
        "delete from members where source_type = $1 and source_id = $2 and user_id = $3",
        source_type,
        source_id,
        user.0
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What the group that is shared with gets.
pub async fn find_link(db: impl PgExecutor<'_>, source: Source, with: NamespaceId) -> Result<Option<Grant>> {
    match source {
        Source::Group(group) => {
            let link = sqlx::query_as!(
                Grant,
                r#"
                select group_access::int as "level!", expires_at
                from group_group_links
                where shared_group_id = $1
                  and shared_with_group_id = $2
                "#,
                group.0,
                with.0
            );
            Ok(link.fetch_optional(db).await?)
        }
        Source::Project(project, _) => {
            let link = sqlx::query_as!(
                Grant,
                "
                select group_access as level, expires_at
                from project_group_links
                where project_id = $1
                  and group_id = $2
                ",
                project.0,
                with.0
            );
            Ok(link.fetch_optional(db).await?)
        }
    }
}

/// Shares with a group, or changes what it gets.
pub async fn upsert_link(db: impl PgExecutor<'_>, source: Source, with: NamespaceId, grant: Grant) -> Result<()> {
    match source {
        Source::Group(group) => {
            sqlx::query!(
                "
                insert into group_group_links (shared_group_id, shared_with_group_id, group_access, expires_at)
                values ($1, $2, $3::int::smallint, $4)
                on conflict (shared_group_id, shared_with_group_id) do update
                set group_access = excluded.group_access,
                    expires_at = excluded.expires_at,
                    updated_at = now()
                ",
                group.0,
                with.0,
                grant.level,
                grant.expires_at
            )
            .execute(db)
            .await?;
        }
        Source::Project(project, _) => {
            sqlx::query!(
                "
                insert into project_group_links (project_id, group_id, group_access, expires_at)
                values ($1, $2, $3, $4)
                on conflict (project_id, group_id) do update
                set group_access = excluded.group_access,
                    expires_at = excluded.expires_at,
                    updated_at = now() at time zone 'utc'
                ",
                project.0,
                with.0,
                grant.level,
                grant.expires_at
            )
            .execute(db)
            .await?;
        }
    }
    Ok(())
}

/// Ends the share.
pub async fn delete_link(db: impl PgExecutor<'_>, source: Source, with: NamespaceId) -> Result<()> {
    match source {
        Source::Group(group) => {
            sqlx::query!(
                "delete from group_group_links where shared_group_id = $1 and shared_with_group_id = $2",
                group.0,
                with.0
            )
            .execute(db)
            .await?;
        }
        Source::Project(project, _) => {
            sqlx::query!("delete from project_group_links where project_id = $1 and group_id = $2", project.0, with.0)
                .execute(db)
                .await?;
        }
    }
    Ok(())
}
