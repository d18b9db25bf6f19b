//! Where levels in projects come from: the memberships and shares behind `project_authorizations`.

use chrono::NaiveDate;
use sqlx::PgExecutor;

use super::Result;
use crate::domain::access::level_path::{IdleReason, LevelMembership, LevelPath, LevelShare};
use crate::domain::ids::{ProjectId, UserId};
use crate::domain::level::AccessLevel;

/// A user and a project.
pub type AccessPair = (UserId, ProjectId);

/// What two of the tables say about a pair: what memberships and shares give, and what is kept for decisions.
#[derive(Debug, Clone, Default)]
pub struct PairLevels {
    /// Every way, the highest level first, with those that give nothing last.
    pub paths: Vec<LevelPath>,
    /// `project_authorizations.access_level`; none where there is no row.
    pub kept: Option<AccessLevel>,
}

/// What memberships and shares give to each pair on this day, and what is kept, in the order of the pairs.
pub async fn list(db: impl PgExecutor<'_>, pairs: &[AccessPair], today: NaiveDate) -> Result<Vec<PairLevels>> {
    let users: Vec<i64> = pairs.iter().map(|(user, _)| user.0).collect();
    let projects: Vec<i64> = pairs.iter().map(|(_, project)| project.0).collect();
    let rows = sqlx::query_file_as!(PathRow, "src/store/level_paths.sql", &users, &projects, today);
    let mut levels = vec![PairLevels::default(); pairs.len()];
    for row in rows.fetch_all(db).await? {
        if let Some(found) = usize::try_from(row.position - 1).ok().and_then(|place| levels.get_mut(place)) {
            found.kept = found.kept.max(row.kept.map(AccessLevel));
            found.paths.extend(row.path(today));
        }
    }
    for found in &mut levels {
        found.paths.sort_by_key(|path| std::cmp::Reverse(path.level()));
    }
    Ok(levels)
}

/// A row of a pair: one path of it, or none.
struct PathRow {
    position: i64,
    kept: Option<i32>,
    owned: bool,
    path: Option<String>,
    level: Option<i32>,
    since: Option<NaiveDate>,
    expires_at: Option<NaiveDate>,
    role: Option<String>,
    active: Option<bool>,
    shared: Option<String>,
    share_cap: Option<i32>,
    share_expires_at: Option<NaiveDate>,
    project: Option<String>,
    link_group: Option<String>,
    link_cap: Option<i32>,
    link_expires_at: Option<NaiveDate>,
    link_locked: Option<bool>,
}

impl PathRow {
    fn path(self, today: NaiveDate) -> Option<LevelPath> {
        let ends = [self.expires_at, self.share_expires_at, self.link_expires_at];
        let expired = ends.into_iter().flatten().filter(|day| *day <= today).min();
        let minimal = |level: Option<i32>| level.is_some_and(|level| level <= 5);
        let (of, level) = (self.path?, AccessLevel(self.level?));
        let idle = if let Some(day) = expired {
            Some(IdleReason::Expired(day))
        } else if self.active != Some(true) {
            Some(IdleReason::Pending)
        } else if [self.level, self.share_cap, self.link_cap].into_iter().any(minimal) {
            Some(IdleReason::Minimal)
        } else if self.link_locked == Some(true) {
            Some(IdleReason::ShareLock)
        } else {
            None
        };
        let share = |shared: Option<String>, with: Option<String>, cap: Option<i32>, expires_at| {
            Some(LevelShare { shared: shared?, with: with?, cap: AccessLevel(cap?), expires_at })
        };
        let group_share = share(self.shared, Some(of.clone()), self.share_cap, self.share_expires_at);
        let project_share = share(self.project, self.link_group, self.link_cap, self.link_expires_at);
        let membership = LevelMembership {
            of,
            level,
            owned: self.owned,
            since: self.since,
            expires_at: self.expires_at,
            role: self.role,
        };
        Some(LevelPath { membership, group_share, project_share, idle })
    }
}

/// Somebody who could give a level in a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granter {
    /// Their name on this installation.
    pub username: String,
    /// What they are to the project.
    pub level: AccessLevel,
}

/// Up to five active people who may give others this level in the project: those who have it themselves, maintainers at
/// least, the highest level first.
pub async fn list_granters(db: impl PgExecutor<'_>, project: ProjectId, level: AccessLevel) -> Result<Vec<Granter>> {
    let rows = sqlx::query!(
        r#"
        select users.username as "username!", project_authorizations.access_level
        from project_authorizations
        join users on users.id = project_authorizations.user_id
        where project_authorizations.project_id = $1
          -- Maintainers (40) manage members up to their own level.
          and project_authorizations.access_level >= greatest(40, $2)
          and users.state = 'active'
          -- People alone (0).
          and coalesce(users.user_type, 0) = 0
        order by project_authorizations.access_level desc, users.id
        limit 5
        "#,
        project.0,
        level.0
    );
    let rows = rows.fetch_all(db).await?;
    Ok(rows.into_iter().map(|row| Granter { username: row.username, level: AccessLevel(row.access_level) }).collect())
}

/// The last memberships of the user in the project or the groups around it that ended, newest first, in words.
pub async fn list_past(db: impl PgExecutor<'_>, user: UserId, project: ProjectId) -> Result<Vec<String>> {
    let rows = sqlx::query!(
        r#"
        with places as (
          select 'Project' as entity_type, projects.id as entity_id
          from projects
          where projects.id = $2
          union all
          select 'Group', unnest(namespaces.traversal_ids)
          from projects
          join namespaces on namespaces.id = projects.namespace_id
          where projects.id = $2
        )
        select
          audit_events.entity_path as "path?",
          coalesce(substring(audit_events.details from ':custom_message: "([^"]*)"'), '') as "message!"
        from places
        join audit_events on audit_events.entity_type = places.entity_type
          and audit_events.entity_id = places.entity_id
        where audit_events.target_type = 'User'
          and audit_events.target_id = $1
          and audit_events.details like '%:event_name: member_destroyed%'
        order by audit_events.id desc
        limit 3
        "#,
        user.0,
        project.0
    );
    let rows = rows.fetch_all(db).await?;
    Ok(rows.into_iter().map(|row| format!("`{}`: {}", row.path.unwrap_or_default(), row.message)).collect())
}

/// Every user who has something to do with the project, in order: those that memberships, shares and ownership name,
/// those that have a kept level, and administrators and auditors, who need neither.
pub async fn list_users(db: impl PgExecutor<'_>, project: ProjectId) -> Result<Vec<UserId>> {
    let users = sqlx::query_scalar!(
        r#"
        with
        home as (
          select namespaces.type, namespaces.owner_id, namespaces.traversal_ids
          from projects
          join namespaces on namespaces.id = projects.namespace_id
          where projects.id = $1
        ),
        around as (
          select unnest(traversal_ids) as group_id
          from home
          where type = 'Group'
          union
          select unnest(invited.traversal_ids)
          from project_group_links
          join namespaces as invited on invited.id = project_group_links.group_id
          where project_group_links.project_id = $1
        )
        select owner_id as "id!"
        from home
        where type = 'User'
          and owner_id is not null
        union
        select user_id
        from members
        where source_type = 'Project'
          and source_id = $1
          and user_id is not null
        union
        select members.user_id
        from around
        join members on members.source_type = 'Namespace' and members.source_id = around.group_id
        where members.user_id is not null
        union
        select members.user_id
        from around
        join group_group_links on group_group_links.shared_group_id = around.group_id
        join members on members.source_type = 'Namespace'
          and members.source_id = group_group_links.shared_with_group_id
        where members.user_id is not null
        union
        select user_id
        from project_authorizations
        where project_id = $1
        union
        select id
        from users
        where admin or auditor
        order by 1
        "#,
        project.0
    );
    Ok(users.fetch_all(db).await?.into_iter().map(UserId).collect())
}

/// Every project that the user has something to do with by memberships, shares and ownership, or has a kept level in,
/// in order.
pub async fn list_projects(db: impl PgExecutor<'_>, user: UserId) -> Result<Vec<ProjectId>> {
    let projects = sqlx::query_scalar!(
        r#"
        with
        groups as (
          select source_id as id
          from members
          where user_id = $1
            and source_type = 'Namespace'
          union
          select group_group_links.shared_group_id
          from members
          join group_group_links on group_group_links.shared_with_group_id = members.source_id
          where members.user_id = $1
            and members.source_type = 'Namespace'
        ),
        below as (
          select namespaces.id
          from groups
          join namespaces on namespaces.traversal_ids @> array[groups.id]
          where namespaces.type = 'Group'
        )
        select projects.id as "id!"
        from below
        join projects on projects.namespace_id = below.id
        union
        select project_group_links.project_id
        from below
        join project_group_links on project_group_links.group_id = below.id
        union
        select source_id
        from members
        where user_id = $1
          and source_type = 'Project'
        union
        select projects.id
        from namespaces
        join projects on projects.namespace_id = namespaces.id
        where namespaces.owner_id = $1
          and namespaces.type = 'User'
        union
        select project_id
        from project_authorizations
        where user_id = $1
        order by 1
        "#,
        user.0
    );
    Ok(projects.fetch_all(db).await?.into_iter().map(ProjectId).collect())
}
