//! SCIM: groups of the installation's identity provider. A group is there as long as SAML group links of its name have
//! its id; who is in it is written at once, and what that gives them in the linked groups is brought in line by a job.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::scim_provisioning::{Owner, hold_owners};
use super::scim_search::Page;
use super::{Result, derived, jobs};
use crate::domain::ids::{NamespaceId, UserId};
use crate::domain::level::AccessLevel;
use crate::domain::scim::group::{ScimGroupOrder, ScimMemberChange};

/// Users of a group whose memberships are brought in line in one transaction.
const USERS_AT_ONCE: i64 = 500;

/// A group of the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRow {
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
pub struct MemberRow {
    /// The group.
    pub uid: Uuid,
    /// What the provider calls the user.
    pub extern_uid: String,
    /// `users.name`
    pub name: String,
}

/// What came of tying a group of the provider to the links of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linked {
    /// The links have this id.
    Done(Uuid),
    /// There is no link of the name.
    NoSuchName,
    /// Links of another name have the id.
    UidTaken,
}

/// Who writes about links: providers beside one another, and `gatehouse apply`, which changes the links themselves, alone.
/// "samllink" in ASCII.
const LINKS_LOCK: i64 = 0x7361_6d6c_6c69_6e6b;

/// Has providers' changes of groups wait until the transaction ends. Taken before any link is made, changed or removed,
/// and before other rows are written, so that nobody works from the links of before.
pub async fn lock_links(db: impl PgExecutor<'_>) -> Result<()> {
    sqlx::query!(r#"select pg_advisory_xact_lock($1)::text as "void""#, LINKS_LOCK).fetch_all(db).await?;
    Ok(())
}

async fn share_links(db: impl PgExecutor<'_>) -> Result<()> {
    sqlx::query!(r#"select pg_advisory_xact_lock_shared($1)::text as "void""#, LINKS_LOCK).fetch_all(db).await?;
    Ok(())
}

/// Ties the links of a name to a group of the provider: to the given one, else to the one they are tied to, else to a new
/// one. Members stay where the provider calls the group something else than before.
pub async fn link(conn: &mut PgConnection, name: &str, uid: Option<Uuid>) -> Result<Linked> {
    share_links(&mut *conn).await?;
    if let Some(uid) = uid {
        // Links of two names could get one id between the look at one and the change of the other.
        let key = format!("scim group {uid}");
        sqlx::query!(r#"select pg_advisory_xact_lock(hashtextextended($1, 0))::text as "void""#, key)
            .fetch_all(&mut *conn)
            .await?;
    }
    let links = sqlx::query!(
        "
        select scim_group_uid
        from saml_group_links
        where saml_group_name = $1
        order by id
        for update
        ",
        name
    )
    .fetch_all(&mut *conn)
    .await?;
    if links.is_empty() {
        return Ok(Linked::NoSuchName);
    }
    let before: Vec<Uuid> = links.iter().filter_map(|link| link.scim_group_uid).collect();
    let uid = uid.or_else(|| before.first().copied()).unwrap_or_else(Uuid::new_v4);
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
    if taken.fetch_one(&mut *conn).await? {
        return Ok(Linked::UidTaken);
    }
    if !before.contains(&uid) {
        // Of a group whose links went with their groups.
        delete_memberships(&mut *conn, uid).await?;
    }
    let old: Vec<Uuid> = before.into_iter().filter(|before| *before != uid).collect();
    if !old.is_empty() {
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
            &old,
            uid
        )
        .execute(&mut *conn)
        .await?;
    }
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
    let groups = groups.fetch_all(&mut *conn).await?;
    enqueue(conn, groups).await?;
    Ok(Linked::Done(uid))
}

/// The group of that id, its links locked until the transaction ends.
pub async fn hold(conn: &mut PgConnection, uid: Uuid) -> Result<Option<GroupRow>> {
    share_links(&mut *conn).await?;
    let group = sqlx::query_as!(
        GroupRow,
        r#"
        with held as (
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
        from held
        having count(*) > 0
        "#,
        uid
    );
    Ok(group.fetch_optional(conn).await?)
}

/// The group of that id.
pub async fn find(db: impl PgExecutor<'_>, uid: Uuid) -> Result<Option<GroupRow>> {
    let group = sqlx::query_as!(
        GroupRow,
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
    page: Page,
) -> Result<(Vec<GroupRow>, i64)> {
    let rows = sqlx::query!(
        r#"
        with groups as (
          select
            scim_group_uid as uid,
            row_number() over (
              order by
                case when $4 and not $5 then min(saml_group_name) end,
                case when $4 and $5 then min(saml_group_name) end desc,
                case when $5 then -min(id) else min(id) end
            ) as place,
            min(saml_group_name) as name,
            min(created_at) as created_at,
            max(updated_at) as updated_at
          from saml_group_links
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
        Some(GroupRow { uid: row.uid?, name: row.name?, created_at: row.created_at?, updated_at: row.updated_at? })
    });
    Ok((groups.collect(), total))
}

/// The members of groups, as many as `limit`, group by group and in the order in which they came.
pub async fn list_members(db: impl PgExecutor<'_>, groups: &[Uuid], limit: i64) -> Result<Vec<MemberRow>> {
    let members = sqlx::query_as!(
        MemberRow,
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

/// Changes who is in a group that is held. Ids of nobody are passed over. Looked at afterwards is who goes, and whoever is
/// to be in, so that a provider can mend by saying it again; who was never in the group keeps what they have.
pub async fn change_members(conn: &mut PgConnection, uid: Uuid, change: &ScimMemberChange) -> Result<()> {
    if change.is_empty() {
        return Ok(());
    }
    let marked = sqlx::query!(
        r#"
        with added as (
          select user_id
          from scim_identities
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
          order by 1, 2
          on conflict (group_id, user_id) do update
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
    .fetch_all(&mut *conn)
    .await?;
    if marked.iter().any(|row| row.changed) {
        sqlx::query!("update saml_group_links set updated_at = clock_timestamp() where scim_group_uid = $1", uid)
            .execute(&mut *conn)
            .await?;
    }
    enqueue(conn, marked.into_iter().map(|row| row.group_id).collect()).await
}

async fn enqueue(conn: &mut PgConnection, mut groups: Vec<i64>) -> Result<()> {
    groups.sort_unstable();
    groups.dedup();
    for group in groups {
        jobs::insert_sync_scim_members(&mut *conn, NamespaceId(group)).await?;
    }
    Ok(())
}

/// Unties a group of the provider from its links. Nobody is in it any more; what its members have, they keep.
pub async fn unlink(conn: &mut PgConnection, uid: Uuid) -> Result<()> {
    sqlx::query!(
        "
        update saml_group_links
        set scim_group_uid = null,
            updated_at = clock_timestamp()
        where scim_group_uid = $1
        ",
        uid
    )
    .execute(&mut *conn)
    .await?;
    delete_memberships(conn, uid).await
}

async fn delete_memberships(db: impl PgExecutor<'_>, uid: Uuid) -> Result<()> {
    sqlx::query!("delete from scim_group_memberships where scim_group_uid = $1", uid).execute(db).await?;
    Ok(())
}

/// Takes a user out of all groups of the provider, who does not know the user any more. The linked groups in which the
/// user's membership is to be brought in line are handed out.
pub async fn delete_member(db: impl PgExecutor<'_>, user: UserId) -> Result<Vec<NamespaceId>> {
    let groups = sqlx::query_scalar!(
        "
        with gone as (
          delete from scim_group_memberships
          where user_id = $1
          returning scim_group_uid
        )
        insert into scim_member_syncs (group_id, user_id, leaves)
        select distinct saml_group_links.group_id, $1::bigint, true
        from gone
        join saml_group_links on saml_group_links.scim_group_uid = gone.scim_group_uid
        on conflict (group_id, user_id) do update
        set leaves = true
        returning group_id
        ",
        user.0
    );
    Ok(groups.fetch_all(db).await?.into_iter().map(NamespaceId).collect())
}

/// Brings memberships of a linked group in line with the groups of the provider, for some of those whose membership was
/// marked; how many these were. The caller commits, and asks again until there is none.
///
/// Members get the highest level of the links that hold for them, and keep a higher one, unless they went out of a group
/// of the provider: those are left with that level, or with none, there and below. A group keeps an owner; who is left one
/// for that reason alone is looked at again when others come or go.
pub async fn sync(conn: &mut PgConnection, group: NamespaceId, today: NaiveDate) -> Result<usize> {
    // One after the other: each must see what the one before it did.
    let held = sqlx::query_scalar!("select id from namespaces where id = $1 for no key update", group.0);
    if held.fetch_optional(&mut *conn).await?.is_none() {
        return Ok(0);
    }
    let marked = sqlx::query!(
        "
        delete from scim_member_syncs
        where group_id = $1
          and user_id in (
            select user_id
            from scim_member_syncs
            where group_id = $1
            order by user_id
            limit $2
          )
        returning user_id, leaves
        ",
        group.0,
        USERS_AT_ONCE
    )
    .fetch_all(&mut *conn)
    .await?;
    if marked.is_empty() {
        return Ok(0);
    }
    let users: Vec<i64> = marked.iter().map(|row| row.user_id).collect();
    let leaves: Vec<bool> = marked.iter().map(|row| row.leaves).collect();
    // A statement of its own: a mark may be taken that is younger than the snapshot that found it, and what it is about
    // must be seen.
    let levels = sqlx::query!(
        r#"
        select
          marked.user_id as "user_id!",
          marked.leaves as "leaves!",
          due.access_level as "access_level?",
          due.member_role_id as "member_role_id?"
        from unnest($2::bigint[], $3::bool[]) as marked (user_id, leaves)
        left join lateral (
          select saml_group_links.access_level, saml_group_links.member_role_id
          from scim_group_memberships
          join saml_group_links on saml_group_links.scim_group_uid = scim_group_memberships.scim_group_uid
          where scim_group_memberships.user_id = marked.user_id
            and saml_group_links.group_id = $1
          order by saml_group_links.access_level desc, saml_group_links.id
          limit 1
        ) as due on true
        order by marked.user_id
        "#,
        group.0,
        &users,
        &leaves
    )
    .fetch_all(&mut *conn)
    .await?;
    let (mut stay, mut lowered, mut goes) = (Due::default(), Due::default(), Vec::new());
    for row in levels {
        match row.access_level {
            Some(level) => {
                stay.push(row.user_id, level, row.member_role_id);
                if row.leaves {
                    lowered.push(row.user_id, level, row.member_role_id);
                }
            }
            None if row.leaves => goes.push(row.user_id),
            // Came in, and the provider's group or its link is gone since.
            None => {}
        }
    }
    // Those who come are in before the owners are counted: one of them may be the new owner.
    raise_members(&mut *conn, group, &stay, today).await?;
    let spared = last_owner(&hold_owners(&mut *conn, group, today).await?, group, &lowered, &goes);
    if let Some(user) = spared {
        tracing::warn!(
            group = group.0,
            user,
            "stays the last owner of a group, though the identity provider took them out"
        );
        lowered.remove(user);
        goes.retain(|gone| *gone != user);
        sqlx::query!("insert into scim_member_syncs (group_id, user_id, leaves) values ($1, $2, true)", group.0, user)
            .execute(&mut *conn)
            .await?;
    }
    lower_members(&mut *conn, group, &lowered).await?;
    delete_members(&mut *conn, group, &goes).await?;
    let users: Vec<UserId> = users.into_iter().map(UserId).collect();
    derived::refresh_authorizations(conn, &users, today).await?;
    Ok(users.len() - usize::from(spared.is_some()))
}

/// What memberships should be: columns, for one statement to take.
#[derive(Default)]
struct Due {
    users: Vec<i64>,
    levels: Vec<i32>,
    roles: Vec<Option<i64>>,
}

impl Due {
    fn push(&mut self, user: i64, level: i16, role: Option<i64>) {
        self.users.push(user);
        self.levels.push(level.into());
        self.roles.push(role);
    }

    fn remove(&mut self, user: i64) {
        if let Some(at) = self.users.iter().position(|id| *id == user) {
            self.users.remove(at);
            self.levels.remove(at);
            self.roles.remove(at);
        }
    }
}

/// The owner who must stay one, where all owners of the group would go or become less. Owners of a group around it do not.
fn last_owner(owners: &[Owner], group: NamespaceId, lowered: &Due, goes: &[i64]) -> Option<i64> {
    let lower = |user: i64| {
        let at = lowered.users.iter().position(|id| *id == user);
        at.is_some_and(|at| lowered.levels[at] < AccessLevel::OWNER.0)
    };
    let loses = |owner: &Owner| owner.of == group && (goes.contains(&owner.user.0) || lower(owner.user.0));
    owners.last().filter(|_| owners.iter().all(loses)).map(|owner| owner.user.0)
}

/// Makes members, and gives those more who have less. Whom the rules of the root group keep out does not come in.
async fn raise_members(db: impl PgExecutor<'_>, group: NamespaceId, due: &Due, today: NaiveDate) -> Result<()> {
    sqlx::query!(
        "
        with root as (
          select traversal_ids[1] as id
          from namespaces
          where id = $1
        )
        insert into members (
          type, source_type, source_id, member_namespace_id, user_id, access_level, member_role_id, state
        )
        select 'GroupMember', 'Namespace', $1, $1, users.id, due.access_level, due.member_role_id, 0
        from unnest($2::bigint[], $3::int[], $4::bigint[]) as due (user_id, access_level, member_role_id)
        join users on users.id = due.user_id
        cross join root
        where exists (
            select
            from members
            where source_type = 'Namespace'
              and source_id = $1
              and members.user_id = users.id
              and gatehouse_is_active_member(members, $5)
          )
          or (
            (
              not exists (select from allowed_email_domains where group_id = root.id)
              or exists (
                select
                from allowed_email_domains
                where group_id = root.id
                  and lower(domain) = lower(split_part(users.email, '@', -1))
              )
            )
            and (
              users.user_type <> 0
              or not exists (
                select
                from saml_providers
                where saml_providers.group_id = root.id
                  and saml_providers.enforced_sso
                  and (
                    not exists (
                      select
                      from identities
                      where identities.saml_provider_id = saml_providers.id
                        and identities.user_id = users.id
                    )
                    or exists (
                      select
                      from group_scim_identities
                      where group_scim_identities.group_id = root.id
                        and group_scim_identities.user_id = users.id
                        and group_scim_identities.active is false
                    )
                  )
              )
            )
          )
        on conflict (source_type, source_id, user_id) where user_id is not null do update
        set access_level = excluded.access_level,
            member_role_id = excluded.member_role_id,
            expires_at = null,
            requested_at = null,
            invite_token = null,
            state = 0,
            updated_at = now() at time zone 'utc'
        where not gatehouse_is_active_member(members, $5)
          or members.access_level < excluded.access_level
        ",
        group.0,
        &due.users,
        &due.levels,
        due.roles.as_slice() as &[Option<i64>],
        today
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Leaves members with what they are due, who have more or another role.
async fn lower_members(db: impl PgExecutor<'_>, group: NamespaceId, due: &Due) -> Result<()> {
    sqlx::query!(
        "
        update members
        set access_level = due.access_level,
            member_role_id = due.member_role_id,
            updated_at = now() at time zone 'utc'
        from unnest($2::bigint[], $3::int[], $4::bigint[]) as due (user_id, access_level, member_role_id)
        where members.source_type = 'Namespace'
          and members.source_id = $1
          and members.user_id = due.user_id
          and (members.access_level, members.member_role_id) is distinct from (due.access_level, due.member_role_id)
        ",
        group.0,
        &due.users,
        &due.levels,
        due.roles.as_slice() as &[Option<i64>]
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Ends memberships and requests for access in the group and below it, but for those below that the provider's groups
/// give.
async fn delete_members(db: impl PgExecutor<'_>, group: NamespaceId, users: &[i64]) -> Result<()> {
    sqlx::query!(
        "
        delete from members
        using namespaces
        where members.user_id = any ($2)
          and namespaces.id = members.member_namespace_id
          and $1 = any (namespaces.traversal_ids)
          and not exists (
            select
            from saml_group_links
            join scim_group_memberships on scim_group_memberships.scim_group_uid = saml_group_links.scim_group_uid
            where saml_group_links.group_id = namespaces.id
              and scim_group_memberships.user_id = members.user_id
          )
        ",
        group.0,
        users
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A SAML group link, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRow {
    /// Its id.
    pub id: i64,
    /// What members of the provider's group get.
    pub access_level: i32,
}

/// The link of a group by the name that the provider has for its own.
pub async fn find_link(db: impl PgExecutor<'_>, group: NamespaceId, name: &str) -> Result<Option<LinkRow>> {
    let link = sqlx::query_as!(
        LinkRow,
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
pub async fn insert_link(db: impl PgExecutor<'_>, group: NamespaceId, name: &str, level: i32) -> Result<()> {
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
pub async fn update_link(db: impl PgExecutor<'_>, id: i64, level: i32) -> Result<()> {
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
pub async fn delete_link(conn: &mut PgConnection, id: i64) -> Result<()> {
    let uid = sqlx::query_scalar!("delete from saml_group_links where id = $1 returning scim_group_uid", id)
        .fetch_optional(&mut *conn)
        .await?;
    forget(conn, uid.into_iter().flatten().collect()).await
}

/// Removes all links of a group, as [`delete_link`] does.
pub async fn delete_links(conn: &mut PgConnection, group: NamespaceId) -> Result<()> {
    let uids =
        sqlx::query_scalar!("delete from saml_group_links where group_id = $1 returning scim_group_uid", group.0)
            .fetch_all(&mut *conn)
            .await?;
    forget(conn, uids.into_iter().flatten().collect()).await
}

async fn forget(db: impl PgExecutor<'_>, uids: Vec<Uuid>) -> Result<()> {
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
