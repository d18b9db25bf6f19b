//! Protected branches and tags one by one, with each row of those who may pass: what clients read and change.

use std::collections::HashMap;

use chrono::{NaiveDate, NaiveDateTime};
use sqlx::PgExecutor;

use super::Result;
use super::protected_refs::{AccessColumns, ProtectedRefAccess};
use crate::domain::ids::{KeyId, NamespaceId, ProjectId, UserId};
use crate::domain::protected_ref::RefRight;

/// Whose rule it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtectionOwner {
    /// A project's own.
    Project(ProjectId),
    /// A group's, for every project below it.
    Group(NamespaceId),
}

impl ProtectionOwner {
    fn columns(self) -> (Option<i64>, Option<i64>) {
        match self {
            Self::Project(id) => (Some(id.0), None),
            Self::Group(id) => (None, Some(id.0)),
        }
    }
}

/// A protected branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BranchProtectionRow {
    /// `protected_branches.id`
    pub id: i64,
    /// The branch, or a pattern.
    pub name: String,
    /// Whether those who may push may rewrite history.
    pub allow_force_push: bool,
    /// `protected_branches.code_owner_approval_required`
    pub code_owner_approval_required: bool,
    /// `protected_branches.updated_at`
    pub updated_at: Option<NaiveDateTime>,
    /// Whether it is a group's rule.
    pub of_group: bool,
}

/// A protected tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagProtectionRow {
    /// `protected_tags.id`
    pub id: i64,
    /// The tag, or a pattern.
    pub name: String,
    /// `protected_tags.updated_at`
    pub updated_at: NaiveDateTime,
}

/// Somebody who may pass, or a level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LevelRow {
    /// The id of the row, in the table of its right.
    pub id: i64,
    /// What one may do.
    pub right: RefRight,
    /// Who.
    pub allowed: ProtectedRefAccess,
    /// The user's or the group's name, the title of the key; nothing for a level.
    pub name: Option<String>,
}

/// Rows of a list that are asked for.
#[derive(Debug, Clone, Copy)]
pub struct RowRange {
    /// Rows at most.
    pub limit: i64,
    /// Rows before them.
    pub offset: i64,
}

/// The rules about branches of a project, those of the groups above it included, or a group's own, by name.
pub async fn list_branches(
    db: impl PgExecutor<'_>,
    owner: ProtectionOwner,
    search: Option<&str>,
    range: RowRange,
) -> Result<Vec<BranchProtectionRow>> {
    let (project, group) = owner.columns();
    let rows = sqlx::query_as!(
        BranchProtectionRow,
        r#"
        select
          id, name, allow_force_push, code_owner_approval_required, updated_at, namespace_id is not null as "of_group!"
        from protected_branches
        where (
            project_id = $1
            or namespace_id = $2
            or namespace_id = any (
              array(
                select unnest(namespaces.traversal_ids)
                from projects
                join namespaces on namespaces.id = projects.namespace_id
                where projects.id = $1
              )
            )
          )
          and ($3::text is null or strpos(lower(name), lower($3)) > 0)
        order by name, id
        limit $4
        offset $5
        "#,
        project,
        group,
        search,
        range.limit,
        range.offset
    );
    Ok(rows.fetch_all(db).await?)
}

/// How many rules [`list_branches`] can list.
pub async fn count_branches(db: impl PgExecutor<'_>, owner: ProtectionOwner, search: Option<&str>) -> Result<i64> {
    let (project, group) = owner.columns();
    let count = sqlx::query_scalar!(
        r#"
        select count(*) as "count!"
        from protected_branches
        where (
            project_id = $1
            or namespace_id = $2
            or namespace_id = any (
              array(
                select unnest(namespaces.traversal_ids)
                from projects
                join namespaces on namespaces.id = projects.namespace_id
                where projects.id = $1
              )
            )
          )
          and ($3::text is null or strpos(lower(name), lower($3)) > 0)
        "#,
        project,
        group,
        search
    );
    Ok(count.fetch_one(db).await?)
}

/// The owner's own rule about branches of that name.
pub async fn find_branch(
    db: impl PgExecutor<'_>,
    owner: ProtectionOwner,
    name: &str,
) -> Result<Option<BranchProtectionRow>> {
    let (project, group) = owner.columns();
    let row = sqlx::query_as!(
        BranchProtectionRow,
        r#"
        select
          id, name, allow_force_push, code_owner_approval_required, updated_at, namespace_id is not null as "of_group!"
        from protected_branches
        where (project_id = $1 or namespace_id = $2)
          and name = $3
        order by id
        limit 1
        "#,
        project,
        group,
        name
    );
    Ok(row.fetch_optional(db).await?)
}

/// The rule about branches of that name that holds for the owner: its own, or for a project the one of the nearest group
/// above it.
pub async fn find_branch_in_force(
    db: impl PgExecutor<'_>,
    owner: ProtectionOwner,
    name: &str,
) -> Result<Option<BranchProtectionRow>> {
    let (project, group) = owner.columns();
    let row = sqlx::query_as!(
        BranchProtectionRow,
        r#"
        select
          rules.id, rules.name, rules.allow_force_push, rules.code_owner_approval_required, rules.updated_at,
          rules.namespace_id is not null as "of_group!"
        from protected_branches as rules
        left join namespaces as groups on groups.id = rules.namespace_id
        where (
            rules.project_id = $1
            or rules.namespace_id = $2
            or rules.namespace_id = any (
              array(
                select unnest(namespaces.traversal_ids)
                from projects
                join namespaces on namespaces.id = projects.namespace_id
                where projects.id = $1
              )
            )
          )
          and rules.name = $3
        order by rules.project_id is null, cardinality(groups.traversal_ids) desc, rules.id
        limit 1
        "#,
        project,
        group,
        name
    );
    Ok(row.fetch_optional(db).await?)
}

/// A new rule about branches, which nobody may pass yet.
///
/// # Errors
/// [`super::Error::Duplicate`] where the owner has one of that name.
pub async fn insert_branch(
    db: impl PgExecutor<'_>,
    owner: ProtectionOwner,
    name: &str,
    allow_force_push: bool,
) -> Result<i64> {
    let (project, group) = owner.columns();
    let id = sqlx::query_scalar!(
        "
        insert into protected_branches (project_id, namespace_id, name, allow_force_push)
        values ($1, $2, $3, $4)
        returning id
        ",
        project,
        group,
        name,
        allow_force_push
    );
    Ok(id.fetch_one(db).await?)
}

/// The rules about tags of a project, by name.
pub async fn list_tags(db: impl PgExecutor<'_>, project: ProjectId, range: RowRange) -> Result<Vec<TagProtectionRow>> {
    let rows = sqlx::query_as!(
        TagProtectionRow,
        "select id, name, updated_at from protected_tags where project_id = $1 order by name, id limit $2 offset $3",
        project.0,
        range.limit,
        range.offset
    );
    Ok(rows.fetch_all(db).await?)
}

/// How many rules about tags a project has.
pub async fn count_tags(db: impl PgExecutor<'_>, project: ProjectId) -> Result<i64> {
    let count =
        sqlx::query_scalar!(r#"select count(*) as "count!" from protected_tags where project_id = $1"#, project.0);
    Ok(count.fetch_one(db).await?)
}

/// The project's rule about tags of that name.
pub async fn find_tag(db: impl PgExecutor<'_>, project: ProjectId, name: &str) -> Result<Option<TagProtectionRow>> {
    let row = sqlx::query_as!(
        TagProtectionRow,
        "select id, name, updated_at from protected_tags where project_id = $1 and name = $2",
        project.0,
        name
    );
    Ok(row.fetch_optional(db).await?)
}

/// A new rule about tags, which nobody may create yet.
///
/// # Errors
/// [`super::Error::Duplicate`] where the project has one of that name.
pub async fn insert_tag(db: impl PgExecutor<'_>, project: ProjectId, name: &str) -> Result<i64> {
    let id = sqlx::query_scalar!(
        "insert into protected_tags (project_id, name) values ($1, $2) returning id",
        project.0,
        name
    );
    Ok(id.fetch_one(db).await?)
}

/// Who may pass these rules about branches, and these about tags, by rule; oldest first.
pub async fn list_levels(
    db: impl PgExecutor<'_>,
    branches: &[i64],
    tags: &[i64],
) -> Result<HashMap<i64, Vec<LevelRow>>> {
    let rows = sqlx::query!(
        r#"
        select
          levels.action as "action!",
          levels.rule_id as "rule_id!",
          levels.id as "id!",
          levels.access_level,
          levels.user_id,
          levels.group_id,
          levels.deploy_key_id,
          coalesce(users.name, namespaces.name, keys.title) as name
        from (
          select 'push' as action, protected_branch_id as rule_id, id, access_level, user_id, group_id, deploy_key_id
          from protected_branch_push_access_levels
          where protected_branch_id = any ($1)
          union all
          select 'merge', protected_branch_id, id, access_level, user_id, group_id, null
          from protected_branch_merge_access_levels
          where protected_branch_id = any ($1)
          union all
          select 'unprotect', protected_branch_id, id, access_level, user_id, group_id, null
          from protected_branch_unprotect_access_levels
          where protected_branch_id = any ($1)
          union all
          select 'create', protected_tag_id, id, access_level, user_id, group_id, deploy_key_id
          from protected_tag_create_access_levels
          where protected_tag_id = any ($2)
        ) as levels
        left join users on users.id = levels.user_id
        left join namespaces on namespaces.id = levels.group_id
        left join keys on keys.id = levels.deploy_key_id
        order by levels.id
        "#,
        branches,
        tags
    )
    .fetch_all(db)
    .await?;
    let mut levels: HashMap<i64, Vec<LevelRow>> = HashMap::new();
    for row in rows {
        let right = match row.action.as_str() {
            "push" => RefRight::Push,
            "merge" => RefRight::Merge,
            "unprotect" => RefRight::Unprotect,
            _ => RefRight::Create,
        };
        let allowed = ProtectedRefAccess::from_columns(row.access_level, row.user_id, row.group_id, row.deploy_key_id);
        levels.entry(row.rule_id).or_default().push(LevelRow { id: row.id, right, allowed, name: row.name });
    }
    Ok(levels)
}

fn word(right: RefRight) -> &'static str {
    match right {
        RefRight::Push => "push",
        RefRight::Merge => "merge",
        RefRight::Unprotect => "unprotect",
        RefRight::Create => "create",
    }
}

/// Lets more pass the rule.
pub async fn insert_levels(db: impl PgExecutor<'_>, rule: i64, rows: &[(RefRight, ProtectedRefAccess)]) -> Result<()> {
    let allowed: Vec<ProtectedRefAccess> = rows.iter().map(|(_, allowed)| *allowed).collect();
    let columns = AccessColumns::of(&allowed);
    sqlx::query!(
        "
        with stated as (
          select *
          from unnest($2::text[], $3::int[], $4::bigint[], $5::bigint[], $6::bigint[])
            as stated (action, access_level, user_id, group_id, deploy_key_id)
        ),
        push as (
          insert into protected_branch_push_access_levels (
            protected_branch_id, access_level, user_id, group_id, deploy_key_id
          )
          select $1, access_level, user_id, group_id, deploy_key_id
          from stated
          where action = 'push'
        ),
        merge as (
          insert into protected_branch_merge_access_levels (protected_branch_id, access_level, user_id, group_id)
          select $1, access_level, user_id, group_id
          from stated
          where action = 'merge'
        ),
        unprotect as (
          insert into protected_branch_unprotect_access_levels (protected_branch_id, access_level, user_id, group_id)
          select $1, access_level, user_id, group_id
          from stated
          where action = 'unprotect'
        )
        insert into protected_tag_create_access_levels (
          protected_tag_id, access_level, user_id, group_id, deploy_key_id
        )
        select $1, access_level, user_id, group_id, deploy_key_id
        from stated
        where action = 'create'
        ",
        rule,
        &rows.iter().map(|(right, _)| word(*right).to_owned()).collect::<Vec<_>>(),
        &columns.levels,
        &columns.users as _,
        &columns.groups as _,
        &columns.deploy_keys as _
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Says of rows of a rule about branches who they let pass from now on.
pub async fn update_levels(
    db: impl PgExecutor<'_>,
    branch: i64,
    rows: &[(RefRight, i64, ProtectedRefAccess)],
) -> Result<()> {
    let allowed: Vec<ProtectedRefAccess> = rows.iter().map(|(_, _, allowed)| *allowed).collect();
    let columns = AccessColumns::of(&allowed);
    sqlx::query!(
        "
        with stated as (
          select *
          from unnest($2::text[], $3::bigint[], $4::int[], $5::bigint[], $6::bigint[], $7::bigint[])
            as stated (action, id, access_level, user_id, group_id, deploy_key_id)
        ),
        push as (
          update protected_branch_push_access_levels as levels
          set access_level = stated.access_level,
              user_id = stated.user_id,
              group_id = stated.group_id,
              deploy_key_id = stated.deploy_key_id,
              updated_at = now() at time zone 'utc'
          from stated
          where stated.action = 'push'
            and levels.id = stated.id
            and levels.protected_branch_id = $1
        ),
        merge as (
          update protected_branch_merge_access_levels as levels
          set access_level = stated.access_level,
              user_id = stated.user_id,
              group_id = stated.group_id,
              updated_at = now() at time zone 'utc'
          from stated
          where stated.action = 'merge'
            and levels.id = stated.id
            and levels.protected_branch_id = $1
        )
        update protected_branch_unprotect_access_levels as levels
        set access_level = stated.access_level,
            user_id = stated.user_id,
            group_id = stated.group_id
        from stated
        where stated.action = 'unprotect'
          and levels.id = stated.id
          and levels.protected_branch_id = $1
        ",
        branch,
        &rows.iter().map(|(right, _, _)| word(*right).to_owned()).collect::<Vec<_>>(),
        &rows.iter().map(|(_, id, _)| *id).collect::<Vec<_>>(),
        &columns.levels,
        &columns.users as _,
        &columns.groups as _,
        &columns.deploy_keys as _
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes rows from a rule about branches.
pub async fn delete_levels(db: impl PgExecutor<'_>, branch: i64, rows: &[(RefRight, i64)]) -> Result<()> {
    let ids =
        |wanted: RefRight| rows.iter().filter(|(right, _)| *right == wanted).map(|(_, id)| *id).collect::<Vec<i64>>();
    sqlx::query!(
        "
        with push as (
          delete from protected_branch_push_access_levels
          where protected_branch_id = $1
            and id = any ($2)
        ),
        merge as (
          delete from protected_branch_merge_access_levels
          where protected_branch_id = $1
            and id = any ($3)
        )
        delete from protected_branch_unprotect_access_levels
        where protected_branch_id = $1
          and id = any ($4)
        ",
        branch,
        &ids(RefRight::Push),
        &ids(RefRight::Merge),
        &ids(RefRight::Unprotect)
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Users, groups and deploy keys that a rule may name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Admissible {
    /// Who reach the project or the group.
    pub users: Vec<UserId>,
    /// Those that hold it or that it is shared with.
    pub groups: Vec<NamespaceId>,
    /// Those that may push to the project.
    pub deploy_keys: Vec<KeyId>,
}

/// Which of these a rule of this owner may name.
pub async fn list_admissible(
    db: impl PgExecutor<'_>,
    owner: ProtectionOwner,
    named: &[ProtectedRefAccess],
    today: NaiveDate,
) -> Result<Admissible> {
    let (project, group) = owner.columns();
    let columns = AccessColumns::of(named);
    let rows = sqlx::query!(
        r#"
        with around as (
          select
            array(
              select unnest(namespaces.traversal_ids)
              from namespaces
              where namespaces.id = $2
                or namespaces.id = (select namespace_id from projects where projects.id = $1)
            ) as ids
        ),
        shared_with as (
          select group_id
          from project_group_links
          where project_id = $1
            and (expires_at is null or expires_at > $6)
          union
          select shared_with_group_id
          from group_group_links
          cross join around
          where shared_group_id = any (around.ids)
            and (expires_at is null or expires_at > $6)
        )
        select 'user' as "kind!", users.id as "id!"
        from users
        where users.id = any ($3)
          and (
            exists (
              select
              from project_authorizations
              where project_authorizations.project_id = $1
                and project_authorizations.user_id = users.id
            )
            or (
              $2::bigint is not null
              and exists (
                select
                from members
                cross join around
                where members.user_id = users.id
                  and (
                    members.member_namespace_id = any (around.ids)
                    or members.member_namespace_id in (select group_id from shared_with)
                  )
                  and gatehouse_is_active_member(members, $6)
                  and members.access_level >= 10
              )
            )
          )
        union all
        select 'group', groups.id
        from namespaces as groups
        cross join around
        where groups.id = any ($4)
          and groups.type = 'Group'
          and (groups.id = any (around.ids) or groups.id in (select group_id from shared_with))
        union all
        select 'key', deploy_key_id
        from deploy_keys_projects
        where project_id = $1
          and deploy_key_id = any ($5)
          and can_push
        "#,
        project,
        group,
        &columns.users.iter().flatten().copied().collect::<Vec<_>>(),
        &columns.groups.iter().flatten().copied().collect::<Vec<_>>(),
        &columns.deploy_keys.iter().flatten().copied().collect::<Vec<_>>(),
        today
    )
    .fetch_all(db)
    .await?;
    let mut admissible = Admissible::default();
    for row in rows {
        match row.kind.as_str() {
            "user" => admissible.users.push(UserId(row.id)),
            "group" => admissible.groups.push(NamespaceId(row.id)),
            _ => admissible.deploy_keys.push(KeyId(row.id)),
        }
    }
    Ok(admissible)
}

/// Whether the user is a member of one of these groups, or of one around it.
pub async fn is_member_of_any(
    db: impl PgExecutor<'_>,
    user: UserId,
    groups: &[NamespaceId],
    today: NaiveDate,
) -> Result<bool> {
    let member = sqlx::query_scalar!(
        r#"
        select exists (
          select
          from namespaces as groups
          join members on members.member_namespace_id = any (groups.traversal_ids)
          where groups.id = any ($2)
            and members.user_id = $1
            and gatehouse_is_active_member(members, $3)
            and members.access_level >= 10
        ) as "member!"
        "#,
        user.0,
        &groups.iter().map(|group| group.0).collect::<Vec<_>>(),
        today
    );
    Ok(member.fetch_one(db).await?)
}
