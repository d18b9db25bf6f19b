//! SCIM: groups of the installation's identity provider, and who is in them. A group is there as long as SAML group
//! links of its name have its id.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use super::Result;
use super::scim_search::ScimPage;
use crate::domain::ids::NamespaceId;
use crate::domain::scim::group::{ScimGroupOrder, ScimMemberChange};

/// A group of the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScimGroupRow {
    /// What the provider calls it.
    pub uid: Uuid,
    /// The name that its SAML group links have.
    pub name: String,
    /// When the first of its links was made.
    pub created_at: DateTime<Utc>,
    /// When its links or its members changed last.
    pub updated_at: DateTime<Utc>,
}

/// A user in a group of the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScimGroupMemberRow {
    /// The group.
    pub uid: Uuid,
    /// What the provider calls the user.
    pub extern_uid: String,
    /// `users.name`
    pub name: String,
}

/// What came of a change of a group's members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembersUpdated {
    /// Somebody came or went.
    pub changed: bool,
    /// The linked groups in which members are marked.
    pub groups: Vec<NamespaceId>,
}

/// The group of that id, its links locked until the transaction ends.
pub async fn lock_for_update(db: impl PgExecutor<'_>, uid: Uuid) -> Result<Option<ScimGroupRow>> {
    let group = sqlx::query_as!(
        ScimGroupRow,
        r#"
        with locked as (
          select saml_group_name, created_at, updated_at
          from saml_group_links
          where scim_group_uid = $1
          order by id
          for update
        )
        select
          $1::uuid as "uid!",
          min(saml_group_name) as "name!",
          min(created_at) as "created_at!",
          max(updated_at) as "updated_at!"
        from locked
        having count(*) > 0
        "#,
        uid
    );
    Ok(group.fetch_optional(db).await?)
}

/// The group of that id.
pub async fn find(db: impl PgExecutor<'_>, uid: Uuid) -> Result<Option<ScimGroupRow>> {
    let group = sqlx::query_as!(
        ScimGroupRow,
        r#"
        select
          $1::uuid as "uid!",
          min(saml_group_name) as "name!",
          min(created_at) as "created_at!",
          max(updated_at) as "updated_at!"
        from saml_group_links
        where scim_group_uid = $1
        having count(*) > 0
        "#,
        uid
    );
    Ok(group.fetch_optional(db).await?)
}

/// A page of the groups, all or those of a name, and how many there are.
pub async fn list(
    db: impl PgExecutor<'_>,
    name: Option<&str>,
    order: ScimGroupOrder,
    page: ScimPage,
) -> Result<(Vec<ScimGroupRow>, i64)> {
    let rows = sqlx::query!(
        r#"
        with groups as (
          select
            scim_group_uid as uid,
            row_number() over (
              order by
                -- An order that is not asked for is null in each row and decides nothing; ids settle the rest.
                case when $4 and not $5 then min(saml_group_name) end,
                case when $4 and $5 then min(saml_group_name) end desc,
                case when $5 then -min(id) else min(id) end
            ) as place,
            -- The links of a group have one name.
            min(saml_group_name) as name,
            min(created_at) as created_at,
            max(updated_at) as updated_at
          from saml_group_links
          -- A link that no provider has taken over is no group of it.
          where scim_group_uid is not null
            and ($1::text is null or saml_group_name = $1)
          group by scim_group_uid
        ),
        page as (
          select *
          from groups
          order by place
          offset $2
          limit $3
        )
        select
          (select count(*) from groups) as "total!",
          page.uid as "uid?",
          page.name as "name?",
          page.created_at as "created_at?",
          page.updated_at as "updated_at?"
        -- One row at least, so that the total is known where the page is empty.
        from (values (1)) as always (row)
        left join page on true
        order by page.place
        "#,
        name,
        page.offset,
        page.limit,
        order.by_name,
        order.descending
    )
    .fetch_all(db)
    .await?;
    let total = rows.first().map_or(0, |row| row.total);
    let groups = rows.into_iter().filter_map(|row| {
        Some(ScimGroupRow { uid: row.uid?, name: row.name?, created_at: row.created_at?, updated_at: row.updated_at? })
    });
    Ok((groups.collect(), total))
}

/// The members of groups, as many as `limit`, group by group and in the order in which they came.
pub async fn list_members(db: impl PgExecutor<'_>, groups: &[Uuid], limit: i64) -> Result<Vec<ScimGroupMemberRow>> {
    let members = sqlx::query_as!(
        ScimGroupMemberRow,
        r#"
        select groups.uid as "uid!", scim_identities.extern_uid, coalesce(users.name, '') as "name!"
        from unnest($1::uuid[]) with ordinality as groups (uid, place)
        cross join lateral (
          select id, user_id
          from scim_group_memberships
          where scim_group_uid = groups.uid
          order by id
          limit $2
        ) as members
        join scim_identities on scim_identities.user_id = members.user_id
        join users on users.id = members.user_id
        where scim_identities.group_id is null
        order by groups.place, members.id
        limit $2
        "#,
        groups,
        limit
    );
    Ok(members.fetch_all(db).await?)
}

/// Writes who is in a group that is locked; what it did. Ids of nobody are passed over. Marked is who goes, and whoever
/// is to be in, so that a provider can mend by saying it again; who was never in the group keeps what they have.
pub async fn update_members(db: impl PgExecutor<'_>, uid: Uuid, change: &ScimMemberChange) -> Result<MembersUpdated> {
    let marked = sqlx::query!(
        r#"
        with added as (
          select user_id
          from scim_identities
          -- As in gatehouse_unique_scim_identities_on_lower_extern_uid, which an array of ids can use.
          where group_id is null
            and lower(extern_uid) = any (array(select lower(id) from unnest($2::text[]) as id))
        ),
        removed as (
          select user_id
          from scim_identities
          where group_id is null
            and lower(extern_uid) = any (array(select lower(id) from unnest($3::text[]) as id))
        ),
        gone as (
          delete from scim_group_memberships
          where scim_group_uid = $1
            -- Two ids may be of one user; being in wins, so nobody is both in gone and in added.
            and user_id not in (select user_id from added)
            and ($4 or user_id in (select user_id from removed))
          returning user_id
        ),
        come as (
          insert into scim_group_memberships (user_id, scim_group_uid)
          select user_id, $1
          from added
          on conflict do nothing
          returning user_id
        ),
        concerned as (
          select user_id, true as leaves
          from gone
          union all
          -- Also who was in already: said again, it mends what somebody else took away.
          select user_id, false
          from added
        ),
        linked as (
          select distinct group_id
          from saml_group_links
          where scim_group_uid = $1
        ),
        marked as (
          insert into scim_member_syncs (group_id, user_id, leaves)
          select linked.group_id, concerned.user_id, concerned.leaves
          from linked
          cross join concerned
          -- Marks are locked in one order by everybody, so that two writers never wait for each other.
          order by 1, 2
          on conflict (group_id, user_id) do update
          -- A mark that waits may say that access is to end; a later one that gives access must not hide it.
          set leaves = scim_member_syncs.leaves or excluded.leaves
          returning group_id
        )
        select
          group_id as "group_id!",
          exists (select from gone) or exists (select from come) as "changed!"
        from marked
        group by group_id
        "#,
        uid,
        &change.added(),
        &change.removed(),
        change.replaces()
    )
    .fetch_all(db)
    .await?;
    Ok(MembersUpdated {
        changed: marked.iter().any(|row| row.changed),
        groups: marked.into_iter().map(|row| NamespaceId(row.group_id)).collect(),
    })
}

/// Moves all members of some groups of the provider to another one.
pub async fn move_memberships(db: impl PgExecutor<'_>, from: &[Uuid], to: Uuid) -> Result<()> {
    sqlx::query!(
        "
        with moved as (
          delete from scim_group_memberships
          where scim_group_uid = any($1)
          returning id, user_id
        )
        insert into scim_group_memberships (user_id, scim_group_uid)
        select user_id, $2::uuid
        from moved
        group by user_id
        order by min(id)
        on conflict do nothing
        ",
        from,
        to
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes everybody out of a group of the provider.
pub async fn delete_memberships(db: impl PgExecutor<'_>, uid: Uuid) -> Result<()> {
    sqlx::query!("delete from scim_group_memberships where scim_group_uid = $1", uid).execute(db).await?;
    Ok(())
}
