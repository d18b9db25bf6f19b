//! Memberships in groups and projects, and shares of both with groups.

use std::collections::HashMap;

use chrono::NaiveDate;
use sqlx::{PgConnection, PgExecutor};

use super::Result;
use crate::domain::ids::{NamespaceId, ProjectId, UserId};
use crate::domain::membership::JoinRules;
use crate::domain::user_type::UserType;

/// What one can be a member of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemberSource {
    /// A group.
    Group(NamespaceId),
    /// A project, and its project namespace.
    Project(ProjectId, NamespaceId),
}

impl MemberSource {
    /// The namespace: the group, or that of the project.
    #[must_use]
    pub fn namespace(self) -> NamespaceId {
        match self {
            Self::Group(group) => group,
            Self::Project(_, namespace) => namespace,
        }
    }

    fn source_type(self) -> &'static str {
        match self {
            Self::Group(_) => "Namespace",
            Self::Project(..) => "Project",
        }
    }

    fn source_id(self) -> i64 {
        match self {
            Self::Group(group) => group.0,
            Self::Project(project, _) => project.0,
        }
    }

    fn member_type(self) -> &'static str {
        match self {
            Self::Group(_) => "GroupMember",
            Self::Project(..) => "ProjectMember",
        }
    }
}

/// What a membership or a share grants, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberGrant {
    /// An access level.
    pub level: i32,
    /// The first day on which it is over.
    pub expires_at: Option<NaiveDate>,
}

/// A membership and whether it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MembershipRow {
    /// What it grants.
    pub grant: MemberGrant,
    /// False for a request for access, an invitation, and a member who awaits approval. Whose last day has passed is
    /// one still, until a job removes the row.
    pub active: bool,
}

/// The rows of these users' memberships in these groups and projects; of everybody's where no users are named.
pub async fn list(
    db: impl PgExecutor<'_>,
    sources: &[MemberSource],
    users: Option<&[i64]>,
) -> Result<HashMap<(MemberSource, UserId), MembershipRow>> {
    let by_namespace: HashMap<i64, MemberSource> =
        sources.iter().map(|source| (source.namespace().0, *source)).collect();
    let rows = sqlx::query!(
        r#"
        select
          member_namespace_id, user_id as "user_id!", access_level, expires_at,
          gatehouse_is_active_member(members, '-infinity') as "active!"
        from members
        where member_namespace_id = any($1)
          and user_id is not null
          and ($2::bigint[] is null or user_id in (select unnest($2)))
        "#,
        &by_namespace.keys().copied().collect::<Vec<_>>(),
        users
    )
    .fetch_all(db)
    .await?;
    let mut members = HashMap::with_capacity(rows.len());
    for row in rows {
        let Some(source) = by_namespace.get(&row.member_namespace_id) else { continue };
        let grant = MemberGrant { level: row.access_level, expires_at: row.expires_at };
        members.insert((*source, UserId(row.user_id)), MembershipRow { grant, active: row.active });
    }
    Ok(members)
}

/// What decides by their addresses whether users may become members.
#[derive(Debug, Clone, Default)]
pub struct AddressRules {
    /// What the root group around a namespace asks of addresses; nothing for those that take all.
    pub rules: HashMap<NamespaceId, JoinRules>,
    /// Users' kinds and first addresses.
    pub users: HashMap<UserId, (UserType, String)>,
}

/// What decides whether these users may become members in these namespaces.
pub async fn list_address_rules(conn: &mut PgConnection, namespaces: &[i64], users: &[i64]) -> Result<AddressRules> {
    let mut rules = AddressRules::default();
    let domains = sqlx::query!(
        r#"
        select namespaces.id, allowed_email_domains.domain as "domain!"
        from namespaces
        join allowed_email_domains on allowed_email_domains.group_id = namespaces.traversal_ids[1]
        where namespaces.id = any($1)
        "#,
        namespaces
    )
    .fetch_all(&mut *conn)
    .await?;
    for row in domains {
        rules.rules.entry(NamespaceId(row.id)).or_default().email_domains.push(row.domain);
    }
    if rules.rules.is_empty() {
        return Ok(rules);
    }
    let addresses = sqlx::query!("select id, user_type, email from users where id = any($1)", users);
    let addresses = addresses.fetch_all(&mut *conn).await?.into_iter();
    rules.users = addresses.map(|row| (UserId(row.id), (UserType::from_number(row.user_type), row.email))).collect();
    Ok(rules)
}

/// Makes users active members, or changes what their memberships grant. New rows name who made them, where that is known.
pub async fn upsert(
    db: impl PgExecutor<'_>,
    rows: &[(MemberSource, UserId, MemberGrant)],
    made_by: Option<UserId>,
) -> Result<()> {
    sqlx::query!(
        "
        insert into members (
          type, source_type, source_id, member_namespace_id, user_id, access_level, expires_at, created_by_id
        )
        select type, source_type, source_id, member_namespace_id, user_id, access_level, expires_at, $8
        from unnest($1::varchar[], $2::varchar[], $3::bigint[], $4::bigint[], $5::bigint[], $6::int[], $7::date[])
          as stated (type, source_type, source_id, member_namespace_id, user_id, access_level, expires_at)
        on conflict (source_type, source_id, user_id) where user_id is not null do update
        set access_level = excluded.access_level,
            expires_at = excluded.expires_at,
            requested_at = null,
            invite_token = null,
            state = 0,
            updated_at = now() at time zone 'utc'
        ",
        &rows.iter().map(|(source, _, _)| source.member_type().to_owned()).collect::<Vec<_>>(),
        &rows.iter().map(|(source, _, _)| source.source_type().to_owned()).collect::<Vec<_>>(),
        &rows.iter().map(|(source, _, _)| source.source_id()).collect::<Vec<_>>(),
        &rows.iter().map(|(source, _, _)| source.namespace().0).collect::<Vec<_>>(),
        &rows.iter().map(|(_, user, _)| user.0).collect::<Vec<_>>(),
        &rows.iter().map(|(_, _, grant)| grant.level).collect::<Vec<_>>(),
        &rows.iter().map(|(_, _, grant)| grant.expires_at).collect::<Vec<_>>() as _,
        made_by.map(|user| user.0)
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Ends users' memberships.
pub async fn delete(db: impl PgExecutor<'_>, rows: &[(MemberSource, UserId)]) -> Result<()> {
    sqlx::query!(
        "
        delete from members
        using unnest($1::varchar[], $2::bigint[], $3::bigint[]) as stated (source_type, source_id, user_id)
        where members.source_type = stated.source_type
          and members.source_id = stated.source_id
          and members.user_id = stated.user_id
        ",
        &rows.iter().map(|(source, _)| source.source_type().to_owned()).collect::<Vec<_>>(),
        &rows.iter().map(|(source, _)| source.source_id()).collect::<Vec<_>>(),
        &rows.iter().map(|(_, user)| user.0).collect::<Vec<_>>()
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What the groups get that these groups and projects are shared with.
pub async fn list_links(
    conn: &mut PgConnection,
    sources: &[MemberSource],
) -> Result<HashMap<(MemberSource, NamespaceId), MemberGrant>> {
    let by_id: HashMap<(bool, i64), MemberSource> = sources
        .iter()
        .map(|source| ((matches!(source, MemberSource::Project(..)), source.source_id()), *source))
        .collect();
    let ids =
        |projects: bool| by_id.keys().filter(|(kind, _)| *kind == projects).map(|(_, id)| *id).collect::<Vec<_>>();
    let rows = sqlx::query!(
        r#"
        select
          false as "project!", shared_group_id as "source_id!", shared_with_group_id as "with_id!",
          group_access::int as "level!", expires_at
        from group_group_links
        where shared_group_id = any($1)
        union all
        select true, project_id, group_id, group_access, expires_at
        from project_group_links
        where project_id = any($2)
        "#,
        &ids(false),
        &ids(true)
    )
    .fetch_all(conn)
    .await?;
    let mut links = HashMap::with_capacity(rows.len());
    for row in rows {
        let Some(source) = by_id.get(&(row.project, row.source_id)) else { continue };
        let grant = MemberGrant { level: row.level, expires_at: row.expires_at };
        links.insert((*source, NamespaceId(row.with_id)), grant);
    }
    Ok(links)
}

/// A share: of what, with which group, and what that gets.
pub type GroupLink = (MemberSource, NamespaceId, MemberGrant);

/// Shares with groups, or changes what they get.
pub async fn upsert_links(conn: &mut PgConnection, rows: &[GroupLink]) -> Result<()> {
    let (projects, groups): (Vec<&GroupLink>, Vec<&GroupLink>) =
        rows.iter().partition(|(source, _, _)| matches!(source, MemberSource::Project(..)));
    sqlx::query!(
        "
        insert into group_group_links (shared_group_id, shared_with_group_id, group_access, expires_at)
        select shared_group_id, shared_with_group_id, group_access::smallint, expires_at
        from unnest($1::bigint[], $2::bigint[], $3::int[], $4::date[])
          as stated (shared_group_id, shared_with_group_id, group_access, expires_at)
        on conflict (shared_group_id, shared_with_group_id) do update
        set group_access = excluded.group_access,
            expires_at = excluded.expires_at,
            updated_at = now()
        ",
        &groups.iter().map(|(source, _, _)| source.source_id()).collect::<Vec<_>>(),
        &groups.iter().map(|(_, with, _)| with.0).collect::<Vec<_>>(),
        &groups.iter().map(|(_, _, grant)| grant.level).collect::<Vec<_>>(),
        &groups.iter().map(|(_, _, grant)| grant.expires_at).collect::<Vec<_>>() as _
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "
        insert into project_group_links (project_id, group_id, group_access, expires_at)
        select *
        from unnest($1::bigint[], $2::bigint[], $3::int[], $4::date[])
        on conflict (project_id, group_id) do update
        set group_access = excluded.group_access,
            expires_at = excluded.expires_at,
            updated_at = now() at time zone 'utc'
        ",
        &projects.iter().map(|(source, _, _)| source.source_id()).collect::<Vec<_>>(),
        &projects.iter().map(|(_, with, _)| with.0).collect::<Vec<_>>(),
        &projects.iter().map(|(_, _, grant)| grant.level).collect::<Vec<_>>(),
        &projects.iter().map(|(_, _, grant)| grant.expires_at).collect::<Vec<_>>() as _
    )
    .execute(&mut *conn)
    .await?;
    Ok(())
}

/// Ends shares.
pub async fn delete_links(conn: &mut PgConnection, rows: &[(MemberSource, NamespaceId)]) -> Result<()> {
    type Link = (MemberSource, NamespaceId);
    let (projects, groups): (Vec<&Link>, Vec<&Link>) =
        rows.iter().partition(|(source, _)| matches!(source, MemberSource::Project(..)));
    let columns = |links: &[&Link]| -> (Vec<i64>, Vec<i64>) {
        links.iter().map(|(source, with)| (source.source_id(), with.0)).unzip()
    };
    let (shared, with) = columns(&groups);
    sqlx::query!(
        "
        delete from group_group_links
        using unnest($1::bigint[], $2::bigint[]) as stated (shared_group_id, shared_with_group_id)
        where group_group_links.shared_group_id = stated.shared_group_id
          and group_group_links.shared_with_group_id = stated.shared_with_group_id
        ",
        &shared,
        &with
    )
    .execute(&mut *conn)
    .await?;
    let (shared, with) = columns(&projects);
    sqlx::query!(
        "
        delete from project_group_links
        using unnest($1::bigint[], $2::bigint[]) as stated (project_id, group_id)
        where project_group_links.project_id = stated.project_id
          and project_group_links.group_id = stated.group_id
        ",
        &shared,
        &with
    )
    .execute(&mut *conn)
    .await?;
    Ok(())
}
