//! Where a user is a member, for administrators.

use sqlx::PgExecutor;

use crate::domain::ids::UserId;
use crate::store::Result;

/// A membership of a group or a project.
#[derive(Debug, Clone)]
pub struct PlaceRow {
    /// The group's or project's id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// `Namespace` or `Project`.
    pub kind: String,
    /// The level there.
    pub level: i32,
}

/// The direct memberships of a user, in groups (`Namespace`), projects (`Project`) or both.
pub async fn list(
    db: impl PgExecutor<'_>,
    user: UserId,
    kind: Option<&str>,
    limit: i64,
    offset: i64,
) -> Result<(Vec<PlaceRow>, i64)> {
    let rows = sqlx::query!(
        r#"
        select
          members.source_id,
          coalesce(projects.name, namespaces.name, '') as "name!",
          members.source_type,
          members.access_level,
          count(*) over () as "total!"
        from members
        left join projects on members.source_type = 'Project' and projects.id = members.source_id
        left join namespaces on members.source_type = 'Namespace' and namespaces.id = members.source_id
        where members.user_id = $1
          and gatehouse_is_active_member(members, '-infinity')
          and ($2::text is null or members.source_type = $2)
        order by members.source_id, members.id
        limit $3
        offset $4
        "#,
        user.0,
        kind,
        limit,
        offset
    );
    let rows = rows.fetch_all(db).await?;
    let total = rows.first().map_or(0, |row| row.total);
    let places = rows.into_iter().map(|row| PlaceRow {
        id: row.source_id,
        name: row.name,
        kind: row.source_type,
        level: row.access_level,
    });
    Ok((places.collect(), total))
}

/// In how many groups and projects the user is a direct member.
pub async fn count(db: impl PgExecutor<'_>, user: UserId) -> Result<(i64, i64)> {
    let row = sqlx::query!(
        r#"
        select
          count(*) filter (where source_type = 'Namespace') as "groups!",
          count(*) filter (where source_type = 'Project') as "projects!"
        from members
        where user_id = $1
          and gatehouse_is_active_member(members, '-infinity')
        "#,
        user.0
    );
    let row = row.fetch_one(db).await?;
    Ok((row.groups, row.projects))
}

/// The plan of the user's personal namespace, and whether it is a trial; and the highest level that the user has
/// anywhere.
pub async fn find_standing(db: impl PgExecutor<'_>, user: UserId) -> Result<(Option<String>, Option<bool>, i32)> {
    let row = sqlx::query!(
        r#"
        select
          plans.name as "plan?",
          gitlab_subscriptions.trial as "trial?",
          coalesce(
            (
              select max(members.access_level)
              from members
              where members.user_id = $1
                and gatehouse_is_active_member(members, '-infinity')
            ),
            0
          ) as "level!"
        from (select) as one
        left join namespaces on namespaces.owner_id = $1 and namespaces.type = 'User'
        left join gitlab_subscriptions on gitlab_subscriptions.namespace_id = namespaces.id
        left join plans on plans.id = gitlab_subscriptions.hosted_plan_id
        limit 1
        "#,
        user.0
    );
    let row = row.fetch_one(db).await?;
    Ok((row.plan, row.trial, row.level))
}
