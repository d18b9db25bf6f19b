//! Deploy tokens of projects and groups. Only a ciphertext of a token's text is stored, by which it is found again.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Serialize;
use sqlx::PgExecutor;
use sqlx::types::Json;

use super::Result;
use super::protections::RowRange;
use super::sets::changes;
use crate::domain::deploy_token::SCOPES;
use crate::domain::ids::{NamespaceId, ProjectId, UserId};

/// What a deploy token is valid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DeployTokenOwner {
    /// A project.
    Project(ProjectId),
    /// A group, and all below it.
    Group(NamespaceId),
}

impl DeployTokenOwner {
    fn project(self) -> Option<i64> {
        if let Self::Project(id) = self { Some(id.0) } else { None }
    }

    fn group(self) -> Option<i64> {
        if let Self::Group(id) = self { Some(id.0) } else { None }
    }

    fn of(project: Option<i64>, group: Option<i64>) -> Option<Self> {
        let project = project.map(|id| Self::Project(ProjectId(id)));
        project.or(group.map(|id| Self::Group(NamespaceId(id))))
    }
}

/// What a deploy token may do and how long. Serialized, its keys are the columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "GitLab's columns")]
pub struct DeployTokenRow {
    /// `deploy_tokens.name`
    pub name: String,
    /// `deploy_tokens.username`; none is the default one, which has the id in it
    pub username: Option<String>,
    /// `deploy_tokens.token_encrypted`
    pub token_encrypted: String,
    /// `deploy_tokens.expires_at`
    pub expires_at: DateTime<Utc>,
    /// `deploy_tokens.revoked`
    pub revoked: bool,
    /// `deploy_tokens.read_repository`
    pub read_repository: bool,
    /// `deploy_tokens.read_registry`
    pub read_registry: bool,
    /// `deploy_tokens.write_registry`
    pub write_registry: bool,
    /// `deploy_tokens.read_package_registry`
    pub read_package_registry: bool,
    /// `deploy_tokens.write_package_registry`
    pub write_package_registry: bool,
    /// `deploy_tokens.read_virtual_registry`
    pub read_virtual_registry: bool,
    /// `deploy_tokens.write_virtual_registry`
    pub write_virtual_registry: bool,
}

impl DeployTokenRow {
    /// The names of what it may do, in GitLab's order.
    #[must_use]
    pub fn scopes(&self) -> Vec<&'static str> {
        let granted = [
            self.read_repository,
            self.read_registry,
            self.write_registry,
            self.read_package_registry,
            self.write_package_registry,
            self.read_virtual_registry,
            self.write_virtual_registry,
        ];
        SCOPES.into_iter().zip(granted).filter(|(_, granted)| *granted).map(|(name, _)| name).collect()
    }

    /// Makes it may do what these names say, and nothing else.
    pub fn set_scopes<T: AsRef<str>>(&mut self, scopes: &[T]) {
        let has = |name: &str| scopes.iter().any(|scope| scope.as_ref() == name);
        self.read_repository = has("read_repository");
        self.read_registry = has("read_registry");
        self.write_registry = has("write_registry");
        self.read_package_registry = has("read_package_registry");
        self.write_package_registry = has("write_package_registry");
        self.read_virtual_registry = has("read_virtual_registry");
        self.write_virtual_registry = has("write_virtual_registry");
    }
}

/// A deploy token that is to be made. Its id is one that [`super::ids::take`] gave for `deploy_tokens`.
#[derive(Debug, Clone)]
pub struct NewDeployToken {
    /// `deploy_tokens.id`
    pub id: i64,
    /// What it is valid for.
    pub owner: DeployTokenOwner,
    /// Who makes it.
    pub creator: Option<UserId>,
    /// Everything else.
    pub row: DeployTokenRow,
}

#[derive(Serialize)]
struct NewColumns<'a> {
    id: i64,
    project_id: Option<i64>,
    group_id: Option<i64>,
    creator_id: Option<i64>,
    deploy_token_type: i16,
    #[serde(flatten)]
    row: &'a DeployTokenRow,
}

/// New deploy tokens, with what they are valid for.
///
/// # Errors
/// [`super::Error::Duplicate`] where a token or an id exists.
pub async fn insert(db: impl PgExecutor<'_>, tokens: &[NewDeployToken]) -> Result<()> {
    let columns = |token: &'_ NewDeployToken| {
        serde_json::to_value(NewColumns {
            id: token.id,
            project_id: token.owner.project(),
            group_id: token.owner.group(),
            creator_id: token.creator.map(|user| user.0),
            deploy_token_type: if token.owner.group().is_some() { 1 } else { 2 },
            row: &token.row,
        })
        .unwrap_or_default()
    };
    sqlx::query!(
        "
        with made as (
          insert into deploy_tokens (
            id, name, username, token_encrypted, deploy_token_type, revoked, expires_at, read_repository,
            read_registry, write_registry, read_package_registry, write_package_registry, read_virtual_registry,
            write_virtual_registry, creator_id, project_id, group_id
          )
          select
            id, name, username, token_encrypted, deploy_token_type, revoked, expires_at, read_repository,
            read_registry, write_registry, read_package_registry, write_package_registry, read_virtual_registry,
            write_virtual_registry, creator_id, project_id, group_id
          from jsonb_populate_recordset(null::deploy_tokens, $1)
          returning id, project_id, group_id
        ),
        of_projects as (
          insert into project_deploy_tokens (project_id, deploy_token_id)
          select project_id, id
          from made
          where project_id is not null
        )
        insert into group_deploy_tokens (group_id, deploy_token_id)
        select group_id, id
        from made
        where group_id is not null
        ",
        Json(tokens.iter().map(columns).collect::<Vec<_>>()) as _
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Writes the columns of deploy tokens in which the second row differs from the first.
///
/// # Errors
/// [`super::Error::Duplicate`] where another token has a text.
pub async fn update(db: impl PgExecutor<'_>, rows: &[(i64, DeployTokenRow, DeployTokenRow)]) -> Result<()> {
    sqlx::query!(
        "
        update deploy_tokens
        set (
              name, username, token_encrypted, revoked, expires_at, read_repository, read_registry, write_registry,
              read_package_registry, write_package_registry, read_virtual_registry, write_virtual_registry
            ) = (
              select
                merged.name, merged.username, merged.token_encrypted, merged.revoked, merged.expires_at,
                merged.read_repository, merged.read_registry, merged.write_registry, merged.read_package_registry,
                merged.write_package_registry, merged.read_virtual_registry, merged.write_virtual_registry
              from jsonb_populate_record(deploy_tokens, stated.changes) as merged
            )
        from jsonb_to_recordset($1) as stated (id bigint, changes jsonb)
        where deploy_tokens.id = stated.id
        ",
        Json(changes(rows)) as _
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes deploy tokens, with what they were valid for.
pub async fn delete(db: impl PgExecutor<'_>, ids: &[i64]) -> Result<()> {
    sqlx::query!("delete from deploy_tokens where id = any($1)", ids).execute(db).await?;
    Ok(())
}

/// The deploy tokens of these projects and groups, good or not: what each is valid for, its id and its row, oldest first.
pub async fn list(
    db: impl PgExecutor<'_>,
    owners: &[DeployTokenOwner],
) -> Result<Vec<(DeployTokenOwner, i64, DeployTokenRow)>> {
    let rows = sqlx::query!(
        r#"
        select
          links.project_id,
          links.group_id,
          deploy_tokens.id as "id!",
          deploy_tokens.name as "name!",
          deploy_tokens.username,
          coalesce(deploy_tokens.token_encrypted, '') as "token_encrypted!",
          deploy_tokens.expires_at as "expires_at!",
          coalesce(deploy_tokens.revoked, false) as "revoked!",
          deploy_tokens.read_repository as "read_repository!",
          deploy_tokens.read_registry as "read_registry!",
          deploy_tokens.write_registry as "write_registry!",
          deploy_tokens.read_package_registry as "read_package_registry!",
          deploy_tokens.write_package_registry as "write_package_registry!",
          deploy_tokens.read_virtual_registry as "read_virtual_registry!",
          deploy_tokens.write_virtual_registry as "write_virtual_registry!"
        from (
          select project_id, null::bigint as group_id, deploy_token_id
          from project_deploy_tokens
          where project_id = any ($1)
          union all
          select null, group_id, deploy_token_id
          from group_deploy_tokens
          where group_id = any ($2)
        ) as links
        join deploy_tokens on deploy_tokens.id = links.deploy_token_id
        order by deploy_tokens.id
        "#,
        &owners.iter().filter_map(|owner| owner.project()).collect::<Vec<_>>(),
        &owners.iter().filter_map(|owner| owner.group()).collect::<Vec<_>>()
    )
    .fetch_all(db)
    .await?;
    let tokens = rows.into_iter().filter_map(|row| {
        let owner = DeployTokenOwner::of(row.project_id, row.group_id)?;
        let token = DeployTokenRow {
            name: row.name,
            username: row.username,
            token_encrypted: row.token_encrypted,
            expires_at: row.expires_at,
            revoked: row.revoked,
            read_repository: row.read_repository,
            read_registry: row.read_registry,
            write_registry: row.write_registry,
            read_package_registry: row.read_package_registry,
            write_package_registry: row.write_package_registry,
            read_virtual_registry: row.read_virtual_registry,
            write_virtual_registry: row.write_virtual_registry,
        };
        Some((owner, row.id, token))
    });
    Ok(tokens.collect())
}

/// When a deploy token of the owner was made.
pub async fn find_created_at(
    db: impl PgExecutor<'_>,
    owner: DeployTokenOwner,
    id: i64,
) -> Result<Option<NaiveDateTime>> {
    let at = sqlx::query_scalar!(
        "
        select created_at
        from deploy_tokens
        where id = $1
          and (
            id in (select deploy_token_id from project_deploy_tokens where project_id = $2)
            or id in (select deploy_token_id from group_deploy_tokens where group_id = $3)
          )
        ",
        id,
        owner.project(),
        owner.group()
    );
    Ok(at.fetch_optional(db).await?.map(|at| at.naive_utc()))
}

/// Deploy tokens of all projects and groups, by their ids: all, the good ones or the others.
pub async fn list_all(
    db: impl PgExecutor<'_>,
    active: Option<bool>,
    now: DateTime<Utc>,
    range: RowRange,
) -> Result<Vec<(i64, DeployTokenRow)>> {
    let rows = sqlx::query!(
        r#"
        select
          id,
          name,
          username,
          coalesce(token_encrypted, '') as "token_encrypted!",
          expires_at,
          coalesce(revoked, false) as "revoked!",
          read_repository,
          read_registry,
          write_registry,
          read_package_registry,
          write_package_registry,
          read_virtual_registry,
          write_virtual_registry
        from deploy_tokens
        where $1::boolean is null
          or $1 = (not coalesce(revoked, false) and expires_at >= $2)
        order by id
        limit $3
        offset $4
        "#,
        active,
        now,
        range.limit,
        range.offset
    )
    .fetch_all(db)
    .await?;
    let tokens = rows.into_iter().map(|row| {
        let token = DeployTokenRow {
            name: row.name,
            username: row.username,
            token_encrypted: row.token_encrypted,
            expires_at: row.expires_at,
            revoked: row.revoked,
            read_repository: row.read_repository,
            read_registry: row.read_registry,
            write_registry: row.write_registry,
            read_package_registry: row.read_package_registry,
            write_package_registry: row.write_package_registry,
            read_virtual_registry: row.read_virtual_registry,
            write_virtual_registry: row.write_virtual_registry,
        };
        (row.id, token)
    });
    Ok(tokens.collect())
}

/// How many deploy tokens [`list_all`] can list.
pub async fn count_all(db: impl PgExecutor<'_>, active: Option<bool>, now: DateTime<Utc>) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"
        select count(*) as "count!"
        from deploy_tokens
        where $1::boolean is null
          or $1 = (not coalesce(revoked, false) and expires_at >= $2)
        "#,
        active,
        now
    );
    Ok(count.fetch_one(db).await?)
}

/// The ids of the deploy tokens of which one of these is stored, whatever they are valid for.
pub async fn list_ids_by_ciphertext(db: impl PgExecutor<'_>, texts: &[String]) -> Result<HashMap<String, i64>> {
    let rows = sqlx::query!(
        r#"select token_encrypted as "text!", id from deploy_tokens where token_encrypted = any ($1)"#,
        texts
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.text, row.id)).collect())
}
