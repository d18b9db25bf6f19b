//! Protected branches and tags, and who may do what to them.

use sqlx::{PgConnection, PgExecutor};

use super::Result;
use crate::domain::ids::{KeyId, NamespaceId, ProjectId, UserId};

/// One whom a protection lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProtectedRefAccess {
    /// Everybody from this access level up; level 0 is nobody.
    Role(i32),
    /// A user.
    User(UserId),
    /// The members of a group.
    Group(NamespaceId),
    /// A deploy key.
    DeployKey(KeyId),
}

impl ProtectedRefAccess {
    fn from_columns(level: Option<i32>, user: Option<i64>, group: Option<i64>, deploy_key: Option<i64>) -> Self {
        match (user, group, deploy_key) {
            (Some(id), _, _) => Self::User(UserId(id)),
            (_, Some(id), _) => Self::Group(NamespaceId(id)),
            (_, _, Some(id)) => Self::DeployKey(KeyId(id)),
            _ => Self::Role(level.unwrap_or(40)),
        }
    }
}

/// Rows of an access level table, column by column. Where a row names somebody, its level keeps the table's default.
struct AccessColumns {
    levels: Vec<i32>,
    users: Vec<Option<i64>>,
    groups: Vec<Option<i64>>,
    deploy_keys: Vec<Option<i64>>,
}

impl AccessColumns {
    fn of(rows: &[ProtectedRefAccess]) -> Self {
        Self {
            levels: rows
                .iter()
                .map(|row| if let ProtectedRefAccess::Role(level) = row { *level } else { 40 })
                .collect(),
            users: rows
                .iter()
                .map(|row| if let ProtectedRefAccess::User(id) = row { Some(id.0) } else { None })
                .collect(),
            groups: rows
                .iter()
                .map(|row| if let ProtectedRefAccess::Group(id) = row { Some(id.0) } else { None })
                .collect(),
            deploy_keys: rows
                .iter()
                .map(|row| if let ProtectedRefAccess::DeployKey(id) = row { Some(id.0) } else { None })
                .collect(),
        }
    }
}

/// A protected branch, or a pattern of several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProtectedBranchRow {
    /// `protected_branches.id`
    pub id: i64,
    /// `protected_branches.allow_force_push`
    pub allow_force_push: bool,
    /// `protected_branches.code_owner_approval_required`
    pub code_owner_approval_required: bool,
}

/// The project's protection of that branch or pattern.
pub async fn find_branch(
    db: impl PgExecutor<'_>,
    project: ProjectId,
    name: &str,
) -> Result<Option<ProtectedBranchRow>> {
    let row = sqlx::query_as!(
        ProtectedBranchRow,
        "
        select id, allow_force_push, code_owner_approval_required
        from protected_branches
        where project_id = $1
          and name = $2
        order by id
        limit 1
        ",
        project.0,
        name
    );
    Ok(row.fetch_optional(db).await?)
}

/// A new protection; `row.id` is looked at where it is not 0. Nobody may pass it yet.
pub async fn insert_branch(
    db: impl PgExecutor<'_>,
    project: ProjectId,
    name: &str,
    row: &ProtectedBranchRow,
) -> Result<i64> {
    let id = sqlx::query_scalar!(
        "
        insert into protected_branches (id, project_id, name, allow_force_push, code_owner_approval_required)
        values (coalesce(nullif($1::bigint, 0), nextval('protected_branches_id_seq')), $2, $3, $4, $5)
        returning id
        ",
        row.id,
        project.0,
        name,
        row.allow_force_push,
        row.code_owner_approval_required
    );
    Ok(id.fetch_one(db).await?)
}

/// Writes a protection.
pub async fn update_branch(db: impl PgExecutor<'_>, row: &ProtectedBranchRow) -> Result<()> {
    sqlx::query!(
        "
        update protected_branches
        set allow_force_push = $2,
            code_owner_approval_required = $3,
            updated_at = now() at time zone 'utc'
        where id = $1
        ",
        row.id,
        row.allow_force_push,
        row.code_owner_approval_required
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes a protection.
pub async fn delete_branch(db: impl PgExecutor<'_>, id: i64) -> Result<()> {
    sqlx::query!("delete from protected_branches where id = $1", id).execute(db).await?;
    Ok(())
}

/// Who may push to the protected branch, in order.
pub async fn list_push_access(db: impl PgExecutor<'_>, branch: i64) -> Result<Vec<ProtectedRefAccess>> {
    let rows = sqlx::query!(
        "
        select access_level, user_id, group_id, deploy_key_id
        from protected_branch_push_access_levels
        where protected_branch_id = $1
        ",
        branch
    )
    .fetch_all(db)
    .await?;
    let allowed = rows
        .into_iter()
        .map(|row| ProtectedRefAccess::from_columns(row.access_level, row.user_id, row.group_id, row.deploy_key_id));
    Ok(sorted(allowed))
}

/// Makes these the ones who may push to the protected branch.
pub async fn replace_push_access(conn: &mut PgConnection, branch: i64, rows: &[ProtectedRefAccess]) -> Result<()> {
    let columns = AccessColumns::of(rows);
    sqlx::query!("delete from protected_branch_push_access_levels where protected_branch_id = $1", branch)
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "
        insert into protected_branch_push_access_levels (
          protected_branch_id, access_level, user_id, group_id, deploy_key_id
        )
        select $1, *
        from unnest($2::int[], $3::bigint[], $4::bigint[], $5::bigint[])
        ",
        branch,
        &columns.levels,
        &columns.users as _,
        &columns.groups as _,
        &columns.deploy_keys as _
    )
    .execute(&mut *conn)
    .await?;
    Ok(())
}

/// Who may merge into the protected branch, in order.
pub async fn list_merge_access(db: impl PgExecutor<'_>, branch: i64) -> Result<Vec<ProtectedRefAccess>> {
    let rows = sqlx::query!(
        "
        select access_level, user_id, group_id
        from protected_branch_merge_access_levels
        where protected_branch_id = $1
        ",
        branch
    )
    .fetch_all(db)
    .await?;
    let allowed =
        rows.into_iter().map(|row| ProtectedRefAccess::from_columns(row.access_level, row.user_id, row.group_id, None));
    Ok(sorted(allowed))
}

/// Makes these the ones who may merge into the protected branch.
pub async fn replace_merge_access(conn: &mut PgConnection, branch: i64, rows: &[ProtectedRefAccess]) -> Result<()> {
    let columns = AccessColumns::of(rows);
    sqlx::query!("delete from protected_branch_merge_access_levels where protected_branch_id = $1", branch)
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "
        insert into protected_branch_merge_access_levels (protected_branch_id, access_level, user_id, group_id)
        select $1, *
        from unnest($2::int[], $3::bigint[], $4::bigint[])
        ",
        branch,
        &columns.levels,
        &columns.users as _,
        &columns.groups as _
    )
    .execute(&mut *conn)
    .await?;
    Ok(())
}

/// The project's protection of that tag or pattern.
pub async fn find_tag(db: impl PgExecutor<'_>, project: ProjectId, name: &str) -> Result<Option<i64>> {
    let id = sqlx::query_scalar!("select id from protected_tags where project_id = $1 and name = $2", project.0, name);
    Ok(id.fetch_optional(db).await?)
}

/// A new protection of a tag, with the given id or the next one. Nobody may pass it yet.
///
/// # Errors
/// [`super::Error::Duplicate`] where it exists.
pub async fn insert_tag(db: impl PgExecutor<'_>, id: Option<i64>, project: ProjectId, name: &str) -> Result<i64> {
    let id = sqlx::query_scalar!(
        "
        insert into protected_tags (id, project_id, name)
        values (coalesce($1, nextval('protected_tags_id_seq')), $2, $3)
        returning id
        ",
        id,
        project.0,
        name
    );
    Ok(id.fetch_one(db).await?)
}

/// Removes a protection of a tag.
pub async fn delete_tag(db: impl PgExecutor<'_>, id: i64) -> Result<()> {
    sqlx::query!("delete from protected_tags where id = $1", id).execute(db).await?;
    Ok(())
}

/// Who may create the protected tag, in order.
pub async fn list_create_access(db: impl PgExecutor<'_>, tag: i64) -> Result<Vec<ProtectedRefAccess>> {
    let rows = sqlx::query!(
        "
        select access_level, user_id, group_id, deploy_key_id
        from protected_tag_create_access_levels
        where protected_tag_id = $1
        ",
        tag
    )
    .fetch_all(db)
    .await?;
    let allowed = rows
        .into_iter()
        .map(|row| ProtectedRefAccess::from_columns(row.access_level, row.user_id, row.group_id, row.deploy_key_id));
    Ok(sorted(allowed))
}

/// Makes these the ones who may create the protected tag.
pub async fn replace_create_access(conn: &mut PgConnection, tag: i64, rows: &[ProtectedRefAccess]) -> Result<()> {
    let columns = AccessColumns::of(rows);
    sqlx::query!("delete from protected_tag_create_access_levels where protected_tag_id = $1", tag)
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "
        insert into protected_tag_create_access_levels (
          protected_tag_id, access_level, user_id, group_id, deploy_key_id
        )
        select $1, *
        from unnest($2::int[], $3::bigint[], $4::bigint[], $5::bigint[])
        ",
        tag,
        &columns.levels,
        &columns.users as _,
        &columns.groups as _,
        &columns.deploy_keys as _
    )
    .execute(&mut *conn)
    .await?;
    Ok(())
}

fn sorted(rows: impl Iterator<Item = ProtectedRefAccess>) -> Vec<ProtectedRefAccess> {
    let mut rows: Vec<ProtectedRefAccess> = rows.collect();
    rows.sort_unstable();
    rows.dedup();
    rows
}
