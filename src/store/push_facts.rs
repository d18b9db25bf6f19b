//! What a project, and what is above it, say about pushes.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::Value;
use sqlx::PgExecutor;
use sqlx::types::Json;

use super::{Result, default_branches};
use crate::domain::access::content::{ContentRules, ForeignLock, PushRule, Pusher, SizeLimit};
use crate::domain::access::push::{
    BranchProtection, PolicyBranches, PolicyRule, PushFacts, RefAdmission, RunningMerge, TagProtection,
};
use crate::domain::access::refs::{ObjectId, RefPattern};
use crate::domain::default_branch::DefaultProtection;
use crate::domain::ids::{ProjectId, UserId};
use crate::domain::level::AccessLevel;
use crate::security_policies;

/// What the project says about a push on this user's behalf, after which refs name the objects `new_ids`; none where
/// there is no such project.
pub async fn find(
    db: impl PgExecutor<'_>,
    project: ProjectId,
    user: Option<UserId>,
    today: NaiveDate,
    new_ids: &[&str],
) -> Result<Option<PushFacts>> {
    let user = user.map(|user| user.0);
    let row =
        sqlx::query_file_as!(PushFactsRow, "src/store/push_facts.sql", project.0, user, today, new_ids as &[&str])
            .fetch_optional(db)
            .await?;
    Ok(row.map(PushFactsRow::facts))
}

/// Whether some LFS object is not the project's.
pub async fn misses_lfs_objects(db: impl PgExecutor<'_>, project: ProjectId, oids: &[String]) -> Result<bool> {
    let missing = sqlx::query_scalar!(
        r#"
        select exists (
          select
          from unnest($2::text[]) as pointer (oid)
          where not exists (
            select
            from lfs_objects
            join lfs_objects_projects on lfs_objects_projects.lfs_object_id = lfs_objects.id
            where lfs_objects.oid = pointer.oid
              and lfs_objects_projects.project_id = $1
          )
        ) as "missing!"
        "#,
        project.0,
        oids,
    )
    .fetch_one(db)
    .await?;
    Ok(missing)
}

/// The addresses among these that are confirmed addresses of users, in lower case.
pub async fn list_addresses_of_users(db: impl PgExecutor<'_>, addresses: &[String]) -> Result<Vec<String>> {
    let known = sqlx::query_scalar!(
        r#"
        select asked.address as "address!"
        from unnest($1::text[]) as asked (address)
        where exists (select from users where lower(users.email) = asked.address)
          or exists (
            select
            from emails
            where emails.email = asked.address
              and emails.confirmed_at is not null
          )
        "#,
        addresses,
    )
    .fetch_all(db)
    .await?;
    Ok(known)
}

struct PushFactsRow {
    branches: Json<Vec<BranchProtectionRow>>,
    tags: Json<Vec<TagProtectionRow>>,
    merges: Vec<String>,
    policies: Vec<String>,
    group_protection_defaults: Option<Value>,
    group_protection: Option<i16>,
    instance_protection_defaults: Option<Value>,
    instance_protection: Option<i32>,
    default_branch_name: String,
    size_limit: Option<i64>,
    repository_size: Option<i64>,
    lfs_objects_size: i64,
    lfs: bool,
    locks: Json<Vec<LockRow>>,
    rule_id: Option<i64>,
    branch_name_regex: Option<String>,
    commit_message_regex: Option<String>,
    commit_message_negative_regex: Option<String>,
    author_email_regex: Option<String>,
    file_name_regex: Option<String>,
    max_file_size: Option<i32>,
    reject_non_dco: Option<bool>,
    reject_unsigned: Option<bool>,
    deny_delete_tag: Option<bool>,
    member_check: Option<bool>,
    prevent_secrets: Option<bool>,
    committer_check: Option<bool>,
    committer_name_check: Option<bool>,
    pusher_name: Option<String>,
    pusher_emails: Json<Vec<PusherEmailRow>>,
}

#[derive(Debug, Deserialize)]
struct LockRow {
    path: String,
    username: String,
}

#[derive(Debug, Deserialize)]
struct PusherEmailRow {
    email: String,
    confirmed: bool,
}

#[derive(Debug, Deserialize)]
struct BranchProtectionRow {
    name: String,
    allow_force_push: bool,
    push: Vec<AdmissionRow>,
    merge: Vec<AdmissionRow>,
}

#[derive(Debug, Deserialize)]
struct TagProtectionRow {
    name: String,
    create: Vec<AdmissionRow>,
}

#[derive(Debug, Deserialize)]
struct AdmissionRow {
    access_level: Option<i32>,
    user_id: Option<i64>,
    group_member: Option<bool>,
    deploy_key_id: Option<i64>,
    creator_id: Option<i64>,
}

impl PushFactsRow {
    fn facts(self) -> PushFacts {
        let default_protection = self.default_protection();
        let (push_rule, size, pusher) = (self.push_rule(), self.size(), self.pusher());
        let (merges, policies) = (self.merges(), self.policies());
        let lock = |row: LockRow| ForeignLock { path: row.path, username: row.username };
        let locks = self.locks.0.into_iter().map(lock).collect();
        PushFacts {
            branches: self.branches.0.into_iter().map(BranchProtection::from).collect(),
            tags: self.tags.0.into_iter().map(TagProtection::from).collect(),
            default_protection,
            default_branch_name: self.default_branch_name,
            content: ContentRules { push_rule, lfs: self.lfs, locks, size, pusher },
            merges,
            policies,
            collaborations: BTreeSet::new(),
        }
    }

    fn merges(&self) -> Vec<RunningMerge> {
        let merge = |text: &String| {
            let (commit, branch) = text.split_once(' ')?;
            Some(RunningMerge { commit: ObjectId::parse(commit)?, branch: branch.to_owned() })
        };
        self.merges.iter().filter_map(merge).collect()
    }

    /// A file that cannot be read might forbid any push to a protected branch, and so it does.
    fn policies(&self) -> Vec<PolicyRule> {
        let rules = |yaml: &String| {
            security_policies::rules_against_pushes(yaml).unwrap_or_else(|error| {
                tracing::error!(error, "a security policy cannot be read, and closes protected branches to pushes");
                vec![PolicyRule { branches: PolicyBranches::Protected, exceptions: Vec::new() }]
            })
        };
        self.policies.iter().flat_map(rules).collect()
    }

    fn default_protection(&self) -> DefaultProtection {
        default_branches::protection(
            self.group_protection_defaults.as_ref(),
            self.group_protection,
            self.instance_protection_defaults.as_ref(),
            self.instance_protection,
        )
    }

    fn size(&self) -> Option<SizeLimit> {
        let limit = u64::try_from(self.size_limit?).ok().filter(|limit| *limit > 0)?;
        let bytes = |bytes: i64| u64::try_from(bytes).unwrap_or_default();
        Some(SizeLimit { limit, repository: self.repository_size.map(bytes), lfs: bytes(self.lfs_objects_size) })
    }

    fn pusher(&self) -> Pusher {
        let emails = |confirmed| {
            let emails = self.pusher_emails.0.iter().filter(move |row| row.confirmed == confirmed);
            emails.map(|row| row.email.to_lowercase()).collect()
        };
        Pusher { name: self.pusher_name.clone(), confirmed_emails: emails(true), unconfirmed_emails: emails(false) }
    }

    fn push_rule(&self) -> Option<PushRule> {
        self.rule_id?;
        let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        Some(PushRule {
            branch_name: text(&self.branch_name_regex),
            commit_message: text(&self.commit_message_regex),
            commit_message_negative: text(&self.commit_message_negative_regex),
            author_email: text(&self.author_email_regex),
            file_name: text(&self.file_name_regex),
            max_file_size: self.max_file_size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
            reject_non_dco: self.reject_non_dco.unwrap_or_default(),
            reject_unsigned: self.reject_unsigned.unwrap_or_default(),
            deny_delete_tag: self.deny_delete_tag.unwrap_or_default(),
            member_check: self.member_check.unwrap_or_default(),
            prevent_secrets: self.prevent_secrets.unwrap_or_default(),
            committer_check: self.committer_check.unwrap_or_default(),
            committer_name_check: self.committer_name_check.unwrap_or_default(),
        })
    }
}

impl From<BranchProtectionRow> for BranchProtection {
    fn from(row: BranchProtectionRow) -> Self {
        Self {
            pattern: RefPattern::new(row.name),
            allow_force_push: row.allow_force_push,
            push: row.push.iter().map(RefAdmission::from).collect(),
            merge: row.merge.iter().map(RefAdmission::from).collect(),
        }
    }
}

impl From<TagProtectionRow> for TagProtection {
    fn from(row: TagProtectionRow) -> Self {
        Self { pattern: RefPattern::new(row.name), create: row.create.iter().map(RefAdmission::from).collect() }
    }
}

impl From<&AdmissionRow> for RefAdmission {
    /// A row is one of four kinds; the level is filled in for all of them and means something for roles alone.
    fn from(row: &AdmissionRow) -> Self {
        if row.deploy_key_id.is_some() {
            Self::DeployKey(row.creator_id.map(UserId))
        } else if let Some(user) = row.user_id {
            Self::User(UserId(user))
        } else if let Some(member) = row.group_member {
            Self::Group(member)
        } else {
            Self::Role(AccessLevel(row.access_level.unwrap_or_default()))
        }
    }
}
