//! What CustomersDot asks of a namespace: what it is, how large it is, and who owns it.

use chrono::NaiveDate;
use sqlx::PgExecutor;

use super::Result;
use crate::domain::ids::NamespaceId;

/// A namespace, and how large it is.
#[derive(Debug, Clone)]
pub struct NamespaceFacts {
    /// Its name.
    pub name: String,
    /// The last part of its path.
    pub path: String,
    /// Its full path.
    pub full_path: String,
    /// The group that it is in.
    pub parent_id: Option<i64>,
    /// The plan that its root has subscribed to.
    pub plan: Option<String>,
    /// Everybody with a membership in it or in a group below.
    pub members: i64,
    /// The projects in it or below.
    pub projects: i64,
    /// Bytes of all repositories of its tree, as they were last measured.
    pub repository_size: Option<i64>,
}

/// What the group or personal namespace is today; nothing where it is gone.
pub async fn find(db: impl PgExecutor<'_>, namespace: NamespaceId, today: NaiveDate) -> Result<Option<NamespaceFacts>> {
    let facts = sqlx::query_as!(
        NamespaceFacts,
        r#"
        select
          namespaces.name,
          namespaces.path,
          routes.path as full_path,
          namespaces.parent_id,
          plans.name as "plan?",
          (
            select count(distinct members.user_id)
            from namespaces as below
            join members on members.member_namespace_id = below.id
            where below.traversal_ids @> array[namespaces.id]
              and below.type = 'Group'
              and gatehouse_is_active_member(members, $2)
          ) as "members!",
          (
            select count(*)
            from namespaces as below
            join projects on projects.namespace_id = below.id
            where below.traversal_ids @> array[namespaces.id]
          ) as "projects!",
          (
            select sum(project_statistics.repository_size)::bigint
            from project_statistics
            where project_statistics.root_namespace_id = namespaces.id
          ) as repository_size
        from namespaces
        join routes on routes.source_type = 'Namespace' and routes.source_id = namespaces.id
        left join gitlab_subscriptions on gitlab_subscriptions.namespace_id = namespaces.traversal_ids[1]
        left join plans on plans.id = gitlab_subscriptions.hosted_plan_id
        where namespaces.id = $1
        "#,
        namespace.0,
        today
    );
    Ok(facts.fetch_optional(db).await?)
}

/// An owner of a group.
#[derive(Debug, Clone)]
pub struct OwnerRow {
    /// `users.id`
    pub id: i64,
    /// Their username.
    pub username: String,
    /// Their name.
    pub name: String,
    /// Their level.
    pub access_level: i32,
    /// Where they get mail.
    pub notification_email: String,
}

/// Those who own the group by a membership of its own and may sign in, by their ids: `limit` of them after the first
/// `offset`.
pub async fn list_owners(
    db: impl PgExecutor<'_>,
    group: NamespaceId,
    today: NaiveDate,
    (limit, offset): (i64, i64),
) -> Result<Vec<OwnerRow>> {
    let rows = sqlx::query_as!(
        OwnerRow,
        r#"
        select
          users.id,
          coalesce(users.username, '') as "username!",
          coalesce(users.name, '') as "name!",
          members.access_level,
          coalesce(nullif(users.notification_email, ''), users.email) as "notification_email!"
        from members
        join users on users.id = members.user_id
        where members.source_type = 'Namespace'
          and members.source_id = $1
          and members.access_level = 50
          and gatehouse_is_active_member(members, $2)
          and users.state = 'active'
        order by users.id
        limit $3
        offset $4
        "#,
        group.0,
        today,
        limit,
        offset
    );
    Ok(rows.fetch_all(db).await?)
}

/// How many [`list_owners`] lists in all, counted no further than `most`.
pub async fn count_owners(db: impl PgExecutor<'_>, group: NamespaceId, today: NaiveDate, most: i64) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"
        select count(*) as "count!"
        from (
          select
          from members
          join users on users.id = members.user_id
          where members.source_type = 'Namespace'
            and members.source_id = $1
            and members.access_level = 50
            and gatehouse_is_active_member(members, $2)
            and users.state = 'active'
          limit $3
        ) as owners
        "#,
        group.0,
        today,
        most
    );
    Ok(count.fetch_one(db).await?)
}
