//! SAML group links: which group here follows which group of an identity provider, and with which level. A group of the
//! provider is there as long as links of its name have its id.

use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::Result;
use crate::domain::ids::NamespaceId;

/// Who writes about links: providers beside one another, and `gatehouse apply`, which changes the links themselves,
/// alone. "samllink" in ASCII.
const LINKS_LOCK: i64 = 0x7361_6d6c_6c69_6e6b;

/// Has providers' changes of groups wait until the transaction ends. Taken before any link is made, changed or removed,
/// and before other rows are written, so that nobody works from the links of before.
pub async fn lock_links(db: impl PgExecutor<'_>) -> Result<()> {
    sqlx::query!(r#"select pg_advisory_xact_lock($1)::text as "void""#, LINKS_LOCK).fetch_all(db).await?;
    Ok(())
}

/// Has `gatehouse apply` wait, and no other provider, until the transaction ends.
pub async fn share_links(db: impl PgExecutor<'_>) -> Result<()> {
    sqlx::query!(r#"select pg_advisory_xact_lock_shared($1)::text as "void""#, LINKS_LOCK).fetch_all(db).await?;
    Ok(())
}

/// Has others wait until the transaction ends who give links this id: links of two names could get it between the look
/// at one and the change of the other.
pub async fn lock_uid(db: impl PgExecutor<'_>, uid: Uuid) -> Result<()> {
    let key = format!("scim group {uid}");
    sqlx::query!(r#"select pg_advisory_xact_lock(hashtextextended($1, 0))::text as "void""#, key).fetch_all(db).await?;
    Ok(())
}

/// The ids of the provider's groups that the links of a name are tied to, none for a link that is not, oldest link
/// first. The links are locked until the transaction ends.
pub async fn lock_by_name(db: impl PgExecutor<'_>, name: &str) -> Result<Vec<Option<Uuid>>> {
    let uids = sqlx::query_scalar!(
        "
        select scim_group_uid
        from saml_group_links
        where saml_group_name = $1
        order by id
        for update
        ",
        name
    );
    Ok(uids.fetch_all(db).await?)
}

/// Whether links of another name have this id.
pub async fn is_uid_taken(db: impl PgExecutor<'_>, uid: Uuid, name: &str) -> Result<bool> {
    let taken = sqlx::query_scalar!(
        r#"
        select exists (
          select
          from saml_group_links
          where scim_group_uid = $1
            and saml_group_name <> $2
        ) as "taken!"
        "#,
        uid,
        name
    );
    Ok(taken.fetch_one(db).await?)
}

/// Ties all links of a name to a group of the provider, and marks its members in the groups whose link this changes.
/// These groups are handed out, some more than once.
pub async fn tie(db: impl PgExecutor<'_>, name: &str, uid: Uuid) -> Result<Vec<NamespaceId>> {
    let groups = sqlx::query_scalar!(
        "
        with tied as (
          update saml_group_links
          set scim_group_uid = $1,
              updated_at = clock_timestamp()
          where saml_group_name = $2
            and scim_group_uid is distinct from $1
          returning group_id
        )
        insert into scim_member_syncs (group_id, user_id, leaves)
        select distinct tied.group_id, scim_group_memberships.user_id, false
        from tied
        cross join scim_group_memberships
        where scim_group_memberships.scim_group_uid = $1
        on conflict do nothing
        returning group_id
        ",
        uid,
        name
    );
    Ok(groups.fetch_all(db).await?.into_iter().map(NamespaceId).collect())
}

/// Unties links from a group of the provider.
pub async fn untie(db: impl PgExecutor<'_>, uid: Uuid) -> Result<()> {
    sqlx::query!(
        "
        update saml_group_links
        set scim_group_uid = null,
            updated_at = clock_timestamp()
        where scim_group_uid = $1
        ",
        uid
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Writes that a group of the provider has changed.
pub async fn update_changed_at(db: impl PgExecutor<'_>, uid: Uuid) -> Result<()> {
    sqlx::query!("update saml_group_links set updated_at = clock_timestamp() where scim_group_uid = $1", uid)
        .execute(db)
        .await?;
    Ok(())
}

/// A SAML group link, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SamlGroupLinkRow {
    /// Its id.
    pub id: i64,
    /// What members of the provider's group get.
    pub access_level: i32,
}

/// The link of a group by the name that the provider has for its own.
pub async fn find(db: impl PgExecutor<'_>, group: NamespaceId, name: &str) -> Result<Option<SamlGroupLinkRow>> {
    let link = sqlx::query_as!(
        SamlGroupLinkRow,
        r#"
        select id, access_level::int as "access_level!"
        from saml_group_links
        where group_id = $1
          and saml_group_name = $2
        "#,
        group.0,
        name
    );
    Ok(link.fetch_optional(db).await?)
}

/// A new link, tied to the provider's group that links of the same name are tied to, and given to its members.
pub async fn insert(db: impl PgExecutor<'_>, group: NamespaceId, name: &str, level: i32) -> Result<()> {
    sqlx::query!(
        "
        with linked as (
          insert into saml_group_links (group_id, saml_group_name, access_level, scim_group_uid)
          select
            $1,
            $2,
            $3::int::smallint,
            (select scim_group_uid from saml_group_links where saml_group_name = $2 and scim_group_uid is not null limit 1)
          returning group_id, scim_group_uid
        )
        insert into scim_member_syncs (group_id, user_id, leaves)
        select linked.group_id, scim_group_memberships.user_id, false
        from linked
        join scim_group_memberships on scim_group_memberships.scim_group_uid = linked.scim_group_uid
        on conflict do nothing
        ",
        group.0,
        name,
        level
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Changes what a link gives, to its members too. Who has more than it gave before keeps that.
pub async fn update(db: impl PgExecutor<'_>, id: i64, level: i32) -> Result<()> {
    sqlx::query!(
        "
        with before as (
          select id, access_level
          from saml_group_links
          where id = $1
          for update
        ),
        linked as (
          update saml_group_links
          set access_level = $2::int::smallint,
              updated_at = clock_timestamp()
          from before
          where saml_group_links.id = before.id
          returning saml_group_links.group_id, saml_group_links.scim_group_uid, before.access_level
        )
        insert into scim_member_syncs (group_id, user_id, leaves)
        select linked.group_id, scim_group_memberships.user_id, coalesce(members.access_level, 0) <= linked.access_level
        from linked
        join scim_group_memberships on scim_group_memberships.scim_group_uid = linked.scim_group_uid
        left join members
          on members.source_type = 'Namespace'
          and members.source_id = linked.group_id
          and members.user_id = scim_group_memberships.user_id
        on conflict (group_id, user_id) do update
        set leaves = scim_member_syncs.leaves or excluded.leaves
        ",
        id,
        level
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes a link. Members keep what they have; a group of the provider that has no link left is forgotten.
pub async fn delete(conn: &mut PgConnection, id: i64) -> Result<()> {
    let uid = sqlx::query_scalar!("delete from saml_group_links where id = $1 returning scim_group_uid", id)
        .fetch_optional(&mut *conn)
        .await?;
    delete_unlinked_memberships(conn, uid.into_iter().flatten().collect()).await
}

/// Removes all links of a group, as [`delete`] does.
pub async fn delete_all(conn: &mut PgConnection, group: NamespaceId) -> Result<()> {
    let uids =
        sqlx::query_scalar!("delete from saml_group_links where group_id = $1 returning scim_group_uid", group.0)
            .fetch_all(&mut *conn)
            .await?;
    delete_unlinked_memberships(conn, uids.into_iter().flatten().collect()).await
}

async fn delete_unlinked_memberships(db: impl PgExecutor<'_>, uids: Vec<Uuid>) -> Result<()> {
    sqlx::query!(
        "
        delete from scim_group_memberships
        where scim_group_uid = any ($1)
          and not exists (
            select
            from saml_group_links
            where saml_group_links.scim_group_uid = scim_group_memberships.scim_group_uid
          )
        ",
        &uids
    )
    .execute(db)
    .await?;
    Ok(())
}
