//! Rows that follow from others: routes, `traversal_ids` and `project_authorizations`.
//!
//! Whoever writes a namespace, a project, a membership or a share calls these functions in the same transaction. They
//! look at what the change can reach and at nothing else: an installation may have a million authorizations.

use std::collections::HashSet;

use chrono::NaiveDate;
use sqlx::{PgConnection, PgExecutor};

use super::Result;
use crate::domain::ids::{NamespaceId, UserId};

/// How many users one statement recomputes: enough to make round trips cheap, few enough to keep its arrays small.
pub const USERS_AT_ONCE: usize = 500;

/// How many expired rows one call of [`expire`] removes.
const EXPIRED_AT_ONCE: i64 = 500;

/// Brings `traversal_ids` and routes of a namespace and all below it in line with names and parents. Former paths
/// become redirects. The root row stays locked until the transaction ends.
///
/// # Errors
/// [`super::Error::Duplicate`] where another namespace has one of the new paths.
pub async fn refresh_namespace(conn: &mut PgConnection, id: NamespaceId) -> Result<()> {
    refresh_namespaces(conn, &[id]).await
}

/// Like [`refresh_namespace`], for many at once.
///
/// # Errors
/// [`super::Error::Duplicate`] where another namespace has one of the new paths.
pub async fn refresh_namespaces(conn: &mut PgConnection, ids: &[NamespaceId]) -> Result<()> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    lock_roots(conn, &ids).await?;
    let stale = sqlx::query!(
        r#"
        with recursive
        -- Up from each given namespace to its root: full paths and names begin with those of what is above.
        chain as (
          select id as start, id, parent_id, path, name, 0 as height
          from namespaces
          where id = any($1)
          union all
          select chain.start, parent.id, parent.parent_id, parent.path, parent.name, chain.height + 1
          from chain
          join namespaces as parent on parent.id = chain.parent_id
        ),
        -- Plain union: what is below two of the given namespaces is met twice, with the same values.
        tree as (
          select
            start as id,
            array_agg(id order by height desc) as ids,
            string_agg(path, '/' order by height desc) as path,
            string_agg(name, ' / ' order by height desc) as name
          from chain
          group by start
          union
          select child.id, tree.ids || child.id, tree.path || '/' || child.path, tree.name || ' / ' || child.name
          from tree
          join namespaces as child on child.parent_id = tree.id
        ),
        placed as (
          update namespaces
          set traversal_ids = tree.ids
          from tree
          where namespaces.id = tree.id
            -- A row that is right already is not written, so most of a large tree stays as it is.
            and namespaces.traversal_ids <> tree.ids
        ),
        wanted as (
          select
            tree.id,
            tree.path,
            tree.name,
            case when projects.id is null then 'Namespace' else 'Project' end as source_type,
            coalesce(projects.id, tree.id) as source_id
          from tree
          join namespaces on namespaces.id = tree.id
          left join projects on projects.project_namespace_id = tree.id
          -- The route of a project namespace is its project's; until that is there, it has none (schema.md 1.4).
          where projects.id is not null
            or namespaces.type <> 'Project'
        )
        select
          wanted.id as "namespace_id!",
          wanted.path as "path!",
          wanted.name as "name!",
          wanted.source_type as "source_type!",
          wanted.source_id as "source_id!",
          routes.path as "old_path?"
        from wanted
        -- Outer, for what is new has no route yet, and a route of nulls is distinct from any that is wanted.
        left join routes on routes.source_type = wanted.source_type and routes.source_id = wanted.source_id
        where (routes.path, routes.name, routes.namespace_id) is distinct from (wanted.path, wanted.name, wanted.id)
        "#,
        &ids
    )
    .fetch_all(&mut *conn)
    .await?;
    if stale.is_empty() {
        return Ok(());
    }

    let new_paths: HashSet<String> = stale.iter().map(|row| row.path.to_lowercase()).collect();
    let mut left = RedirectRows::default();
    for row in &stale {
        // Paths are looked up without regard to case, so a change of case needs no redirect.
        let Some(old) = row.old_path.as_ref().filter(|old| !new_paths.contains(&old.to_lowercase())) else { continue };
        left.paths.push(old.clone());
        left.source_types.push(row.source_type.clone());
        left.source_ids.push(row.source_id);
        left.namespace_ids.push(row.namespace_id);
    }
    let taken: Vec<String> = new_paths.into_iter().chain(left.paths.iter().map(|path| path.to_lowercase())).collect();
    sqlx::query!("delete from redirect_routes where lower(path) = any($1)", &taken).execute(&mut *conn).await?;

    // A path may pass from one row of the tree to another, and the unique index looks at each row as it is written.
    let namespace_ids: Vec<i64> = stale.iter().map(|row| row.namespace_id).collect();
    sqlx::query!("update routes set path = ' moving ' || id where namespace_id = any($1)", &namespace_ids)
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "
        insert into routes (source_id, source_type, path, name, namespace_id)
        select *
        from unnest($1::bigint[], $2::varchar[], $3::varchar[], $4::varchar[], $5::bigint[])
        on conflict (source_type, source_id) do update
        set path = excluded.path,
            name = excluded.name,
            namespace_id = excluded.namespace_id,
            updated_at = now() at time zone 'utc'
        ",
        &stale.iter().map(|row| row.source_id).collect::<Vec<_>>(),
        &stale.iter().map(|row| row.source_type.clone()).collect::<Vec<_>>(),
        &stale.iter().map(|row| row.path.clone()).collect::<Vec<_>>(),
        &stale.iter().map(|row| row.name.clone()).collect::<Vec<_>>(),
        &namespace_ids
    )
    .execute(&mut *conn)
    .await?;
    left.insert(conn).await
}

#[derive(Default)]
struct RedirectRows {
    paths: Vec<String>,
    source_types: Vec<String>,
    source_ids: Vec<i64>,
    namespace_ids: Vec<i64>,
}

impl RedirectRows {
    async fn insert(&self, conn: &mut PgConnection) -> Result<()> {
        if self.paths.is_empty() {
            return Ok(());
        }
        sqlx::query!(
            "
            insert into redirect_routes (path, source_type, source_id, namespace_id)
            select *
            from unnest($1::varchar[], $2::varchar[], $3::bigint[], $4::bigint[])
            ",
            &self.paths,
            &self.source_types,
            &self.source_ids,
            &self.namespace_ids
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}

/// Locks the root of the namespace's tree until the transaction ends, so that nobody else moves anything in it. A
/// writer that moves a namespace calls this before it changes the parent; [`refresh_namespace`] locks the new tree.
pub async fn lock_root(conn: &mut PgConnection, id: NamespaceId) -> Result<()> {
    lock_roots(conn, &[id.0]).await
}

/// Like [`lock_root`], for the trees of several namespaces at once.
pub async fn lock_trees(conn: &mut PgConnection, ids: &[NamespaceId]) -> Result<()> {
    lock_roots(conn, &ids.iter().map(|id| id.0).collect::<Vec<_>>()).await
}

async fn lock_roots(conn: &mut PgConnection, ids: &[i64]) -> Result<()> {
    let mut roots = list_roots(&mut *conn, ids).await?;
    while !roots.is_empty() {
        // One order for everybody, so that two writers never wait for each other.
        sqlx::query!("select id from namespaces where id = any($1) order by id for no key update", &roots)
            .fetch_all(&mut *conn)
            .await?;
        // The trees may have moved while the locks were waited for.
        let now = list_roots(&mut *conn, ids).await?;
        roots = now.into_iter().filter(|root| roots.binary_search(root).is_err()).collect();
    }
    Ok(())
}

/// The roots of these namespaces' trees, in order.
async fn list_roots(db: impl PgExecutor<'_>, ids: &[i64]) -> Result<Vec<i64>> {
    let roots = sqlx::query_scalar!(
        r#"
        with recursive chain as (
          select id, parent_id
          from namespaces
          where id = any($1)
          union
          select parent.id, parent.parent_id
          from chain
          join namespaces as parent on parent.id = chain.parent_id
        )
        select id as "id!"
        from chain
        where parent_id is null
        order by id
        "#,
        ids
    );
    Ok(roots.fetch_all(db).await?)
}

/// Every user whose authorizations may change when these namespaces change, in order: owners of personal namespaces,
/// members of a group or of one around it, members of groups that one of these is shared with, and for a project
/// namespace the members of the project and those who reach it through a link.
///
/// Call this before a change that takes access away, after one that gives it, and both times for a move.
pub async fn users_reaching(db: impl PgExecutor<'_>, namespaces: &[NamespaceId]) -> Result<Vec<UserId>> {
    let ids: Vec<i64> = namespaces.iter().map(|id| id.0).collect();
    let users = sqlx::query_scalar!(
        r#"
        with recursive
        around as (
          (
            select id, parent_id, type, owner_id
            from namespaces
            where id = any($1)
            union
            -- Walked up from here too: members of the groups around an invited group reach the project as well.
            select invited.id, invited.parent_id, invited.type, invited.owner_id
            from projects
            join project_group_links on project_group_links.project_id = projects.id
            join namespaces as invited on invited.id = project_group_links.group_id
            where projects.project_namespace_id = any($1)
          )
          union
          select parent.id, parent.parent_id, parent.type, parent.owner_id
          from around
          join namespaces as parent on parent.id = around.parent_id
        )
        select owner_id as "id!"
        from around
        -- A personal namespace has no membership row of its owner.
        where type = 'User'
          and owner_id is not null
        union
        select members.user_id
        from around
        -- This column names groups and project namespaces alike, where source_id needs the type beside it.
        join members on members.member_namespace_id = around.id
        where members.user_id is not null
        union
        select members.user_id
        from around
        join group_group_links on group_group_links.shared_group_id = around.id
        -- Those above the invited group are left out: a group share reaches direct members alone (schema.md 1.5).
        join members on members.member_namespace_id = group_group_links.shared_with_group_id
        where members.user_id is not null
        order by 1
        "#,
        &ids
    )
    .fetch_all(db)
    .await?;
    Ok(users.into_iter().map(UserId).collect())
}

/// Brings the authorizations of these users in line with memberships and shares as they stand on `today`. The users'
/// rows stay locked until the transaction ends, so that of two writers the later one sees what the earlier one did.
pub async fn refresh_authorizations(conn: &mut PgConnection, users: &[UserId], today: NaiveDate) -> Result<()> {
    let mut ids: Vec<i64> = users.iter().map(|user| user.0).collect();
    // One order for everybody, so that two writers never wait for each other.
    ids.sort_unstable();
    ids.dedup();
    for some in ids.chunks(USERS_AT_ONCE) {
        sqlx::query!("select id from users where id = any($1) order by id for no key update", some)
            .fetch_all(&mut *conn)
            .await?;
        merge_authorizations(conn, some, today).await?;
    }
    Ok(())
}

/// Has PostgreSQL look at how many rows there are of what authorizations are made of, and of them. A document fills empty
/// tables within one transaction, and plans that were made for empty tables read whole tables again and again.
pub async fn analyze(conn: &mut PgConnection) -> Result<()> {
    sqlx::query!(
        "analyze namespaces, projects, members, group_group_links, project_group_links, project_authorizations"
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn merge_authorizations(conn: &mut PgConnection, users: &[i64], today: NaiveDate) -> Result<()> {
    // The insert asks `stale` first and thereby runs after the delete: a level that changes is one row out and one in,
    // and the unique index on project and user must meet them in that order.
    sqlx::query!(
        "
        with recursive
        people as (
          select unnest($1::bigint[]) as user_id
        ),
        memberships as (
          select members.user_id, members.source_type, members.source_id, members.access_level
          from people
          join members on members.user_id = people.user_id
          where gatehouse_is_active_member(members, $2)
            -- Minimal access (5) gives nothing in any project.
            and members.access_level > 5
        ),
        reached as (
          (
            select user_id, source_id as group_id, access_level
            from memberships
            where source_type = 'Namespace'
            union
            select
              memberships.user_id,
              group_group_links.shared_group_id,
              -- Of memberships and not of what is reached: a group share reaches direct members alone (schema.md 1.5).
              least(memberships.access_level, group_group_links.group_access)
            from memberships
            join group_group_links on group_group_links.shared_with_group_id = memberships.source_id
            where memberships.source_type = 'Namespace'
              and group_group_links.group_access > 5
              and (group_group_links.expires_at is null or group_group_links.expires_at > $2)
          )
          union
          -- Plain union: a group that is reached at one level in two ways is walked down once.
          select reached.user_id, subgroup.id, reached.access_level
          from reached
          join namespaces as subgroup on subgroup.parent_id = reached.group_id
          where subgroup.type = 'Group'
        ),
        levels as (
          select user_id, group_id, max(access_level) as access_level
          from reached
          group by user_id, group_id
        ),
        sources as (
          select memberships.user_id, projects.id as project_id, memberships.access_level
          from memberships
          join projects on projects.id = memberships.source_id
          where memberships.source_type = 'Project'
          union all
          select people.user_id, projects.id, 50
          from people
          join namespaces on namespaces.owner_id = people.user_id
          join projects on projects.namespace_id = namespaces.id
          where namespaces.type = 'User'
          union all
          select levels.user_id, projects.id, levels.access_level
          from levels
          join projects on projects.namespace_id = levels.group_id
          union all
          select levels.user_id, projects.id, least(levels.access_level, project_group_links.group_access)
          from levels
          join project_group_links on project_group_links.group_id = levels.group_id
          join projects on projects.id = project_group_links.project_id
          join namespaces as home on home.id = projects.namespace_id
          -- The lock stops links of projects, also those that were made before it was set (schema.md 1.5).
          where home.share_with_group_lock is not true
            and project_group_links.group_access > 5
            and (project_group_links.expires_at is null or project_group_links.expires_at > $2)
        ),
        wanted as (
          select user_id, project_id, max(access_level) as access_level
          from sources
          group by user_id, project_id
        ),
        stale as (
          delete from project_authorizations
          using people
          where project_authorizations.user_id = people.user_id
            and not exists (
              select
              from wanted
              where wanted.user_id = project_authorizations.user_id
                and wanted.project_id = project_authorizations.project_id
                and wanted.access_level = project_authorizations.access_level
                and project_authorizations.is_unique
            )
          returning 1
        ),
        rebuilt as (
          insert into user_details (user_id, project_authorizations_recalculated_at)
          select users.id, now()
          from people
          -- A user may be gone, and a row of details may not outlive the user.
          join users on users.id = people.user_id
          on conflict (user_id) do update
          set project_authorizations_recalculated_at = excluded.project_authorizations_recalculated_at
        )
        insert into project_authorizations (user_id, project_id, access_level, is_unique)
        select wanted.user_id, wanted.project_id, wanted.access_level, true
        from wanted
        where (select count(*) from stale) >= 0
          and not exists (
            select
            from project_authorizations as kept
            where kept.user_id = wanted.user_id
              and kept.project_id = wanted.project_id
              and kept.access_level = wanted.access_level
              and kept.is_unique
          )
        ",
        users,
        today
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes memberships and shares whose last day has passed, some hundred a call, and what they gave. The answer is how
/// many: call again, in a new transaction, until it is 0. Servers that call at once share the work, for each skips the
/// rows that another one holds.
pub async fn expire(conn: &mut PgConnection, today: NaiveDate) -> Result<usize> {
    // Who is asked later why somebody has lost their access finds it in the audit events, as GitLab's tells of members
    // that are removed.
    let members = sqlx::query_scalar!(
        r#"
        with
        gone as (
          delete from members
          where id in (
            select id
            from members
            where expires_at <= $1
            limit $2
            for update skip locked
          )
          returning user_id, source_type, source_id, access_level, expires_at
        ),
        noted as (
          insert into audit_events (
            author_id, author_name, entity_type, entity_id, entity_path, target_type, target_id, target_details, details
          )
          select
            -1,
            '(System)',
            case gone.source_type when 'Namespace' then 'Group' else gone.source_type end,
            gone.source_id,
            left(routes.path, 5500),
            'User',
            gone.user_id,
            users.username,
            e'---\n:event_name: member_destroyed\n:author_name: "(System)"\n'
              || e':author_class: Gitlab::Audit::UnauthenticatedAuthor\n:custom_message: "Membership as '
              || case gone.access_level
                when 10 then 'guest'
                when 15 then 'planner'
                when 20 then 'reporter'
                when 30 then 'developer'
                when 40 then 'maintainer'
                when 50 then 'owner'
                else 'level ' || gone.access_level
              end
              || ' expired on '
              || gone.expires_at
              || e'"\n'
          from gone
          join users on users.id = gone.user_id
          left join routes on routes.source_type = gone.source_type and routes.source_id = gone.source_id
        )
        select user_id
        from gone
        "#,
        today,
        EXPIRED_AT_ONCE
    )
    .fetch_all(&mut *conn)
    .await?;
    let groups = sqlx::query_scalar!(
        r#"
        with
        project_links as (
          delete from project_group_links
          where id in (
            select id
            from project_group_links
            where expires_at <= $1
            limit $2
            for update skip locked
          )
          returning group_id
        ),
        group_links as (
          delete from group_group_links
          where id in (
            select id
            from group_group_links
            where expires_at <= $1
            limit $2
            for update skip locked
          )
          returning shared_with_group_id
        )
        select group_id as "group_id!" from project_links
        union all
        select shared_with_group_id from group_links
        "#,
        today,
        EXPIRED_AT_ONCE
    )
    .fetch_all(&mut *conn)
    .await?;
    let removed = members.len() + groups.len();
    let groups: Vec<NamespaceId> = groups.into_iter().map(NamespaceId).collect();
    let mut users = users_reaching(&mut *conn, &groups).await?;
    users.extend(members.into_iter().flatten().map(UserId));
    refresh_authorizations(conn, &users, today).await?;
    Ok(removed)
}
