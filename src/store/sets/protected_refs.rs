//! Protected branches and tags of many projects, and who may do what to them.

use std::collections::HashMap;

use sqlx::{PgConnection, PgExecutor};

use crate::domain::ids::ProjectId;
use crate::store::Result;
use crate::store::protected_refs::{AccessColumns, ProtectedBranchRow, ProtectedRefAccess, sorted};

/// The protected branches of these projects: project, name and row. Of several with one name the oldest goes first.
pub async fn list_branches(
    db: impl PgExecutor<'_>,
    projects: &[i64],
) -> Result<Vec<(ProjectId, String, ProtectedBranchRow)>> {
    let rows = sqlx::query!(
        r#"
        select project_id as "project_id!", name, id, allow_force_push, code_owner_approval_required
        from protected_branches
        where project_id = any($1)
        order by project_id, id
        "#,
        projects
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let branch = ProtectedBranchRow {
                id: row.id,
                allow_force_push: row.allow_force_push,
                code_owner_approval_required: row.code_owner_approval_required,
            };
            (ProjectId(row.project_id), row.name, branch)
        })
        .collect())
}

/// A protected branch that is to be made.
#[derive(Debug, Clone)]
pub struct NewBranch {
    /// Its project.
    pub project: ProjectId,
    /// The branch or pattern.
    pub name: String,
    /// `protected_branches.allow_force_push`
    pub allow_force_push: bool,
}

/// New protected branches. Nobody may pass them yet.
pub async fn insert_branches(db: impl PgExecutor<'_>, rows: &[(i64, NewBranch)]) -> Result<()> {
    sqlx::query!(
        "
        insert into protected_branches (id, project_id, name, allow_force_push)
        select *
        from unnest($1::bigint[], $2::bigint[], $3::varchar[], $4::boolean[])
        ",
        &rows.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        &rows.iter().map(|(_, row)| row.project.0).collect::<Vec<_>>(),
        &rows.iter().map(|(_, row)| row.name.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|(_, row)| row.allow_force_push).collect::<Vec<_>>()
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Writes whether those who may push to protected branches may rewrite history.
pub async fn update_branches(db: impl PgExecutor<'_>, rows: &[(i64, bool)]) -> Result<()> {
    let (ids, allow_force_push): (Vec<i64>, Vec<bool>) = rows.iter().copied().unzip();
    sqlx::query!(
        "
        update protected_branches
        set allow_force_push = stated.allow_force_push,
            updated_at = now() at time zone 'utc'
        from unnest($1::bigint[], $2::boolean[]) as stated (id, allow_force_push)
        where protected_branches.id = stated.id
        ",
        &ids,
        &allow_force_push
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes protected branches.
pub async fn delete_branches(db: impl PgExecutor<'_>, ids: &[i64]) -> Result<()> {
    sqlx::query!("delete from protected_branches where id = any($1)", ids).execute(db).await?;
    Ok(())
}

/// The protected tags of these projects: project, name and id.
pub async fn list_tags(db: impl PgExecutor<'_>, projects: &[i64]) -> Result<Vec<(ProjectId, String, i64)>> {
    let rows = sqlx::query!(
        "select project_id, name, id from protected_tags where project_id = any($1) order by project_id, id",
        projects
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (ProjectId(row.project_id), row.name, row.id)).collect())
}

/// New protected tags. Nobody may create them yet.
///
/// # Errors
/// [`crate::store::Error::Duplicate`] where one exists.
pub async fn insert_tags(db: impl PgExecutor<'_>, rows: &[(i64, ProjectId, String)]) -> Result<()> {
    sqlx::query!(
        "
        insert into protected_tags (id, project_id, name)
        select *
        from unnest($1::bigint[], $2::bigint[], $3::varchar[])
        ",
        &rows.iter().map(|(id, _, _)| *id).collect::<Vec<_>>(),
        &rows.iter().map(|(_, project, _)| project.0).collect::<Vec<_>>(),
        &rows.iter().map(|(_, _, name)| name.clone()).collect::<Vec<_>>()
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes protected tags.
pub async fn delete_tags(db: impl PgExecutor<'_>, ids: &[i64]) -> Result<()> {
    sqlx::query!("delete from protected_tags where id = any($1)", ids).execute(db).await?;
    Ok(())
}

/// Who may do something to each of some protected refs, in order.
pub type AccessLists = HashMap<i64, Vec<ProtectedRefAccess>>;

fn lists(rows: impl Iterator<Item = (i64, ProtectedRefAccess)>) -> AccessLists {
    let mut lists = AccessLists::new();
    for (id, allowed) in rows {
        lists.entry(id).or_default().push(allowed);
    }
    lists.into_iter().map(|(id, allowed)| (id, sorted(allowed.into_iter()))).collect()
}

/// Rows of several refs, with the ref of each.
fn columns(rows: &[(i64, Vec<ProtectedRefAccess>)]) -> (Vec<i64>, Vec<i64>, AccessColumns) {
    let ids = rows.iter().map(|(id, _)| *id).collect();
    let of_each = rows.iter().flat_map(|(id, allowed)| allowed.iter().map(|_| *id)).collect();
    let all: Vec<ProtectedRefAccess> = rows.iter().flat_map(|(_, allowed)| allowed.iter().copied()).collect();
    (ids, of_each, AccessColumns::of(&all))
}

/// Who may push to these protected branches.
pub async fn list_push_access(db: impl PgExecutor<'_>, branches: &[i64]) -> Result<AccessLists> {
    let rows = sqlx::query!(
        "
        select protected_branch_id, access_level, user_id, group_id, deploy_key_id
        from protected_branch_push_access_levels
        where protected_branch_id = any($1)
        ",
        branches
    )
    .fetch_all(db)
    .await?;
    Ok(lists(rows.into_iter().map(|row| {
        let allowed = ProtectedRefAccess::from_columns(row.access_level, row.user_id, row.group_id, row.deploy_key_id);
        (row.protected_branch_id, allowed)
    })))
}

/// Makes these the ones who may push to protected branches.
pub async fn replace_push_access(conn: &mut PgConnection, rows: &[(i64, Vec<ProtectedRefAccess>)]) -> Result<()> {
    let (ids, of_each, columns) = columns(rows);
    sqlx::query!("delete from protected_branch_push_access_levels where protected_branch_id = any($1)", &ids)
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "
        insert into protected_branch_push_access_levels (
          protected_branch_id, access_level, user_id, group_id, deploy_key_id
        )
        select *
        from unnest($1::bigint[], $2::int[], $3::bigint[], $4::bigint[], $5::bigint[])
        ",
        &of_each,
        &columns.levels,
        &columns.users as _,
        &columns.groups as _,
        &columns.deploy_keys as _
    )
    .execute(&mut *conn)
    .await?;
    Ok(())
}

/// Who may merge into these protected branches.
pub async fn list_merge_access(db: impl PgExecutor<'_>, branches: &[i64]) -> Result<AccessLists> {
    let rows = sqlx::query!(
        "
        select protected_branch_id, access_level, user_id, group_id
        from protected_branch_merge_access_levels
        where protected_branch_id = any($1)
        ",
        branches
    )
    .fetch_all(db)
    .await?;
    Ok(lists(rows.into_iter().map(|row| {
        let allowed = ProtectedRefAccess::from_columns(row.access_level, row.user_id, row.group_id, None);
        (row.protected_branch_id, allowed)
    })))
}

/// Makes these the ones who may merge into protected branches.
pub async fn replace_merge_access(conn: &mut PgConnection, rows: &[(i64, Vec<ProtectedRefAccess>)]) -> Result<()> {
    let (ids, of_each, columns) = columns(rows);
    sqlx::query!("delete from protected_branch_merge_access_levels where protected_branch_id = any($1)", &ids)
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "
        insert into protected_branch_merge_access_levels (protected_branch_id, access_level, user_id, group_id)
        select *
        from unnest($1::bigint[], $2::int[], $3::bigint[], $4::bigint[])
        ",
        &of_each,
        &columns.levels,
        &columns.users as _,
        &columns.groups as _
    )
    .execute(&mut *conn)
    .await?;
    Ok(())
}

/// Who may create these protected tags.
pub async fn list_create_access(db: impl PgExecutor<'_>, tags: &[i64]) -> Result<AccessLists> {
    let rows = sqlx::query!(
        "
        select protected_tag_id, access_level, user_id, group_id, deploy_key_id
        from protected_tag_create_access_levels
        where protected_tag_id = any($1)
        ",
        tags
    )
    .fetch_all(db)
    .await?;
    Ok(lists(rows.into_iter().map(|row| {
        let allowed = ProtectedRefAccess::from_columns(row.access_level, row.user_id, row.group_id, row.deploy_key_id);
        (row.protected_tag_id, allowed)
    })))
}

/// Makes these the ones who may create protected tags.
pub async fn replace_create_access(conn: &mut PgConnection, rows: &[(i64, Vec<ProtectedRefAccess>)]) -> Result<()> {
    let (ids, of_each, columns) = columns(rows);
    sqlx::query!("delete from protected_tag_create_access_levels where protected_tag_id = any($1)", &ids)
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "
        insert into protected_tag_create_access_levels (
          protected_tag_id, access_level, user_id, group_id, deploy_key_id
        )
        select *
        from unnest($1::bigint[], $2::int[], $3::bigint[], $4::bigint[], $5::bigint[])
        ",
        &of_each,
        &columns.levels,
        &columns.users as _,
        &columns.groups as _,
        &columns.deploy_keys as _
    )
    .execute(&mut *conn)
    .await?;
    Ok(())
}
