//! How many seats of a group's subscription are taken.

use chrono::NaiveDate;
use sqlx::PgExecutor;

use super::Result;
use crate::domain::ids::NamespaceId;

/// How many people take a seat of the group: the members of it, of all below it, and of the groups, with those above
/// them, that any of these is shared with (provisioning.md 2.7).
pub async fn count(db: impl PgExecutor<'_>, group: NamespaceId, exclude_guests: bool, today: NaiveDate) -> Result<i32> {
    // Written as its partial indexes are, so that a large group is counted from them alone; the places are an array, for
    // one scan of the index finds all members in half the time of a thousand small ones.
    let count = sqlx::query_scalar!(
        r#"
        with
        within as materialized (
          select id
          from namespaces
          where traversal_ids @> array[$1::bigint]
        ),
        invited as (
          select group_group_links.shared_with_group_id as id
          from within
          join group_group_links on group_group_links.shared_group_id = within.id
          where (group_group_links.expires_at is null or group_group_links.expires_at > $3)
            -- Through a link of Guest (10) everybody is a guest at most.
            and (not $2 or group_group_links.group_access > 10)
          union
          select project_group_links.group_id
          from within
          join projects on projects.project_namespace_id = within.id
          join project_group_links on project_group_links.project_id = projects.id
          where (project_group_links.expires_at is null or project_group_links.expires_at > $3)
            and (not $2 or project_group_links.group_access > 10)
        ),
        places as (
          select id from within
          union
          -- Who inherits the membership of an invited group takes a seat too.
          select unnest(namespaces.traversal_ids)
          from invited
          join namespaces on namespaces.id = invited.id
        ),
        people as (
          select distinct members.user_id
          from members
          where members.member_namespace_id = any (array(select id from places))
            and gatehouse_is_active_member(members, $3)
            -- Minimal access (5) takes no seat, as the index says.
            and members.access_level > 5
            and (
              not $2
              or members.access_level > 10
              or exists (
                select
                from member_roles
                where member_roles.id = members.member_role_id
                  -- A custom role on top of Guest may give enough to count.
                  and member_roles.occupies_seat
              )
            )
        )
        select count(*) as "count!"
        from people
        where not exists (
          select
          from users
          where users.id = people.user_id
            -- 0 is a human, 4 a service user; no other type takes a seat.
            -- Asked for those without a seat, for they are few and have an index: gatehouse_users_without_seat.
            and (users.state <> 'active' or users.user_type not in (0, 4))
        )
        "#,
        group.0,
        exclude_guests,
        today,
    );
    Ok(i32::try_from(count.fetch_one(db).await?).unwrap_or(i32::MAX))
}
