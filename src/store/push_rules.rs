//! Push rules of projects, of groups and of the instance.

use chrono::NaiveDateTime;
use serde::Serialize;
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor};

use super::Result;
use crate::domain::ids::{NamespaceId, ProjectId};

/// Whose rule it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushRuleOwner {
    /// A project.
    Project(ProjectId),
    /// A group.
    Group(NamespaceId),
    /// The instance: new projects and groups take theirs from it.
    Instance,
}

/// What commits and pushes must be like. Serialized, its keys are the columns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names of the columns say it")]
#[expect(clippy::struct_excessive_bools, reason = "GitLab's columns")]
pub struct PushRuleRow {
    pub deny_delete_tag: bool,
    pub member_check: bool,
    pub prevent_secrets: bool,
    pub max_file_size: i32,
    pub reject_unsigned_commits: bool,
    pub commit_committer_check: bool,
    pub commit_committer_name_check: bool,
    pub reject_non_dco_commits: bool,
    pub commit_message_regex: Option<String>,
    pub commit_message_negative_regex: Option<String>,
    pub author_email_regex: Option<String>,
    pub file_name_regex: Option<String>,
    pub branch_name_regex: Option<String>,
}

/// The id of the owner's rule.
pub async fn find_id(db: impl PgExecutor<'_>, owner: PushRuleOwner) -> Result<Option<i64>> {
    Ok(match owner {
        PushRuleOwner::Project(project) => {
            sqlx::query_scalar!("select id from push_rules where project_id = $1 order by id limit 1", project.0)
                .fetch_optional(db)
                .await?
        }
        PushRuleOwner::Group(group) => {
            sqlx::query_scalar!("select push_rule_id from namespaces where id = $1", group.0)
                .fetch_optional(db)
                .await?
                .flatten()
        }
        PushRuleOwner::Instance => {
            sqlx::query_scalar!("select id from push_rules where is_sample order by id limit 1")
                .fetch_optional(db)
                .await?
        }
    })
}

/// The rule of that id.
pub async fn find(db: impl PgExecutor<'_>, id: i64) -> Result<Option<PushRuleRow>> {
    let row = sqlx::query_as!(
        PushRuleRow,
        r#"
        select
          coalesce(deny_delete_tag, false) as "deny_delete_tag!",
          member_check,
          prevent_secrets,
          max_file_size,
          coalesce(reject_unsigned_commits, false) as "reject_unsigned_commits!",
          coalesce(commit_committer_check, false) as "commit_committer_check!",
          commit_committer_name_check,
          coalesce(reject_non_dco_commits, false) as "reject_non_dco_commits!",
          commit_message_regex,
          commit_message_negative_regex,
          author_email_regex,
          file_name_regex,
          branch_name_regex
        from push_rules
        where id = $1
        "#,
        id
    );
    Ok(row.fetch_optional(db).await?)
}

/// A rule with what says which one it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPushRule {
    /// `push_rules.id`
    pub id: i64,
    /// When it was made.
    pub created_at: Option<NaiveDateTime>,
    /// When it was changed last.
    pub updated_at: Option<NaiveDateTime>,
    /// What it says.
    pub row: PushRuleRow,
}

/// The owner's rule.
pub async fn find_of(conn: &mut PgConnection, owner: PushRuleOwner) -> Result<Option<StoredPushRule>> {
    let Some(id) = find_id(&mut *conn, owner).await? else { return Ok(None) };
    let stamps = sqlx::query!("select created_at, updated_at from push_rules where id = $1", id);
    let Some(stamps) = stamps.fetch_optional(&mut *conn).await? else { return Ok(None) };
    let (created_at, updated_at) = (stamps.created_at, stamps.updated_at);
    Ok(find(conn, id).await?.map(|row| StoredPushRule { id, created_at, updated_at, row }))
}

/// A rule for the owner.
pub async fn insert(conn: &mut PgConnection, owner: PushRuleOwner, row: &PushRuleRow) -> Result<()> {
    let project = if let PushRuleOwner::Project(project) = owner { Some(project.0) } else { None };
    let id = sqlx::query_scalar!(
        "
        insert into push_rules (
          project_id, is_sample, deny_delete_tag, member_check, prevent_secrets, max_file_size,
          reject_unsigned_commits, commit_committer_check, commit_committer_name_check, reject_non_dco_commits,
          commit_message_regex, commit_message_negative_regex, author_email_regex, file_name_regex, branch_name_regex
        )
        select
          $1, $2, deny_delete_tag, member_check, prevent_secrets, max_file_size,
          reject_unsigned_commits, commit_committer_check, commit_committer_name_check, reject_non_dco_commits,
          commit_message_regex, commit_message_negative_regex, author_email_regex, file_name_regex, branch_name_regex
        from jsonb_populate_record(null::push_rules, $3)
        returning id
        ",
        project,
        owner == PushRuleOwner::Instance,
        Json(row) as _
    )
    .fetch_one(&mut *conn)
    .await?;
    match owner {
        PushRuleOwner::Project(_) => {}
        PushRuleOwner::Group(group) => {
            sqlx::query!("update namespaces set push_rule_id = $2 where id = $1", group.0, id)
                .execute(&mut *conn)
                .await?;
        }
        PushRuleOwner::Instance => {
            sqlx::query!("update application_settings set push_rule_id = $1", id).execute(&mut *conn).await?;
        }
    }
    Ok(())
}

/// Writes a rule.
pub async fn update(db: impl PgExecutor<'_>, id: i64, row: &PushRuleRow) -> Result<()> {
    sqlx::query!(
        "
        update push_rules
        set deny_delete_tag = stated.deny_delete_tag,
            member_check = stated.member_check,
            prevent_secrets = stated.prevent_secrets,
            max_file_size = stated.max_file_size,
            reject_unsigned_commits = stated.reject_unsigned_commits,
            commit_committer_check = stated.commit_committer_check,
            commit_committer_name_check = stated.commit_committer_name_check,
            reject_non_dco_commits = stated.reject_non_dco_commits,
            commit_message_regex = stated.commit_message_regex,
            commit_message_negative_regex = stated.commit_message_negative_regex,
            author_email_regex = stated.author_email_regex,
            file_name_regex = stated.file_name_regex,
            branch_name_regex = stated.branch_name_regex,
            updated_at = now() at time zone 'utc'
        from jsonb_populate_record(null::push_rules, $2) as stated
        where push_rules.id = $1
        ",
        id,
        Json(row) as _
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes a rule.
pub async fn delete(db: impl PgExecutor<'_>, id: i64) -> Result<()> {
    sqlx::query!("delete from push_rules where id = $1", id).execute(db).await?;
    Ok(())
}
