//! Groups, as much of them as the one who looks may see (rest.md 6.1).

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::project::ProjectShape;
use super::{local_moment, visibility_word};
use crate::domain::default_branch::DefaultProtection;
use crate::domain::level::AccessLevel;
use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;
use crate::http::rest::fault::RestRefusal;
use crate::store::default_branches;
use crate::store::rest::groups::{self as rows, GroupShapeRow, SharedWithRow};
use crate::store::rest::statistics::{StatisticsRow, list_of_groups};

/// Rows of each list of projects in a group's details.
pub const MOST_PROJECTS: i64 = 100;

/// What is shown of a group in lists.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "GitLab's shape")]
pub struct GroupShape {
    id: i64,
    web_url: String,
    name: String,
    /// The last part of the full path.
    path: String,
    description: String,
    /// `private`, `internal` or `public`
    visibility: &'static str,
    /// Whether projects in it may not be shared with other groups.
    share_with_group_lock: bool,
    /// Whether members need a second factor.
    require_two_factor_authentication: bool,
    /// Hours that they have to set one up.
    two_factor_grace_period: i32,
    /// `noone`, `owner`, `maintainer`, `developer` or `administrator`
    project_creation_level: &'static str,
    auto_devops_enabled: Option<bool>,
    /// `owner` or `maintainer`
    subgroup_creation_level: &'static str,
    emails_disabled: bool,
    emails_enabled: bool,
    show_diff_preview_in_email: bool,
    mentions_disabled: Option<bool>,
    /// Whether git-lfs may store files in its projects.
    lfs_enabled: bool,
    /// Whether it or a group around it is archived.
    archived: bool,
    math_rendering_limits_enabled: bool,
    lock_math_rendering_limits_enabled: bool,
    /// The default branch of new projects.
    default_branch: Option<String>,
    /// How new default branches are protected, as a number from 0 to 4.
    default_branch_protection: i32,
    #[schema(value_type = DefaultProtectionShape)]
    default_branch_protection_defaults: Value,
    /// Always null: no pictures are kept here.
    avatar_url: Option<String>,
    request_access_enabled: bool,
    full_name: String,
    full_path: String,
    #[schema(format = DateTime)]
    created_at: Option<String>,
    /// The group that it is in; null of a root group.
    parent_id: Option<i64>,
    /// Always 1.
    organization_id: i64,
    /// `enabled`, `disabled_and_overridable` or `disabled_and_unoverridable`
    shared_runners_setting: &'static str,
    max_artifacts_size: Option<i32>,
    /// The day on which somebody deleted it, where it waits for its end.
    #[schema(format = Date)]
    marked_for_deletion_on: Option<String>,
    /// `disabled`, `private` or `enabled`
    wiki_access_level: &'static str,
    only_allow_merge_if_pipeline_succeeds: bool,
    allow_merge_on_skipped_pipeline: bool,
    only_allow_merge_if_all_discussions_are_resolved: bool,
    /// Always null, as the next two.
    ldap_cn: Option<String>,
    ldap_access: Option<i32>,
    file_template_project_id: Option<i64>,
    /// For administrators alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    repository_storage: Option<String>,
    /// For administrators, where they ask for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    statistics: Option<StatisticsShape>,
}

/// How new default branches are protected.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is answered of a value that is kept as it is")]
pub struct DefaultProtectionShape {
    allowed_to_push: Vec<AllowedLevelShape>,
    allow_force_push: bool,
    allowed_to_merge: Vec<AllowedLevelShape>,
    /// Whether developers may push to a branch that is not there yet.
    developer_can_initial_push: bool,
    code_owner_approval_required: bool,
}

/// Who may.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is answered of a value that is kept as it is")]
pub struct AllowedLevelShape {
    /// 0 nobody, 30 developers, 40 maintainers, 60 administrators.
    access_level: i32,
}

/// The room that a group or a project takes, in bytes.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StatisticsShape {
    /// Of a project alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    commit_count: Option<i64>,
    storage_size: i64,
    repository_size: i64,
    wiki_size: i64,
    lfs_objects_size: i64,
    job_artifacts_size: i64,
    pipeline_artifacts_size: i64,
    packages_size: i64,
    snippets_size: i64,
    uploads_size: i64,
    /// Of a project alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    container_registry_size: Option<i64>,
}

/// A group that something is shared with.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SharedGroupShape {
    group_id: i64,
    group_name: String,
    group_full_path: String,
    /// The most that its members get.
    group_access_level: i32,
    /// The day from which on it is over.
    #[schema(format = Date)]
    expires_at: Option<String>,
    /// Always null.
    member_role_id: Option<i64>,
}

/// All that is shown of one group.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct GroupDetailShape {
    #[serde(flatten)]
    group: GroupShape,
    /// The groups that it is shared with and that the caller sees.
    shared_with_groups: Vec<SharedGroupShape>,
    /// Of root groups alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    prevent_sharing_groups_outside_hierarchy: Option<bool>,
    /// Whether projects in it keep the members that they have.
    membership_lock: bool,
    shared_runners_minutes_limit: Option<i32>,
    extra_shared_runners_minutes_limit: Option<i32>,
    prevent_forking_outside_group: bool,
    #[serde(flatten)]
    #[schema(value_type = GroupOwnersShape)]
    for_owners: Option<GroupOwnersShape>,
    /// The first 100, where they are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    projects: Option<Vec<ProjectShape>>,
    /// The first 100 that are shared with it, where they are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    shared_projects: Option<Vec<ProjectShape>>,
}

/// What owners see of their group beside.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct GroupOwnersShape {
    /// Of root groups alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    enabled_git_access_protocol: Option<&'static str>,
    /// Addresses and ranges from which members come in, with commas.
    ip_restriction_ranges: Option<String>,
    /// Domains of the addresses of members, with commas.
    allowed_email_domains_list: Option<String>,
    /// Always null: no runner registers here.
    runners_token: Option<String>,
}

/// What everybody may know of a group that they may see.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PublicGroupShape {
    id: i64,
    web_url: String,
    name: String,
    avatar_url: Option<String>,
    full_name: String,
    full_path: String,
}

impl PublicGroupShape {
    /// The group of an installation at this URL.
    #[must_use]
    pub fn of(row: GroupShapeRow, url: &str) -> Self {
        Self {
            id: row.id,
            web_url: format!("{url}/groups/{}", row.full_path),
            name: row.name,
            avatar_url: None,
            full_name: row.full_name,
            full_path: row.full_path,
        }
    }
}

impl GroupShape {
    /// The group of an installation at this URL, as administrators see it or others.
    #[must_use]
    pub fn of(row: &GroupShapeRow, url: &str, admin: bool, statistics: Option<StatisticsRow>) -> Self {
        let level = row.default_branch_protection.map_or(2, i32::from);
        Self {
            id: row.id,
            web_url: format!("{url}/groups/{}", row.full_path),
            name: row.name.clone(),
            path: row.path.clone(),
            description: row.description.clone(),
            visibility: visibility_word(row.visibility_level),
            share_with_group_lock: row.share_with_group_lock,
            require_two_factor_authentication: row.require_two_factor_authentication,
            two_factor_grace_period: row.two_factor_grace_period,
            project_creation_level: creation_word(row.project_creation_level),
            auto_devops_enabled: row.auto_devops_enabled,
            subgroup_creation_level: if row.subgroup_creation_level == Some(0) { "owner" } else { "maintainer" },
            emails_disabled: !row.emails_enabled,
            emails_enabled: row.emails_enabled,
            show_diff_preview_in_email: row.show_diff_preview_in_email,
            mentions_disabled: row.mentions_disabled,
            lfs_enabled: row.lfs_enabled,
            archived: row.archived,
            math_rendering_limits_enabled: row.math_rendering_limits_enabled,
            lock_math_rendering_limits_enabled: row.lock_math_rendering_limits_enabled,
            default_branch: row.default_branch.clone(),
            default_branch_protection: level,
            default_branch_protection_defaults: protection(row, level),
            avatar_url: None,
            request_access_enabled: row.request_access_enabled,
            full_name: row.full_name.clone(),
            full_path: row.full_path.clone(),
            created_at: row.created_at.map(local_moment),
            parent_id: row.parent_id,
            organization_id: 1,
            shared_runners_setting: match (row.shared_runners_enabled, row.shared_runners_overridable) {
                (true, _) => "enabled",
                (false, true) => "disabled_and_overridable",
                (false, false) => "disabled_and_unoverridable",
            },
            max_artifacts_size: row.max_artifacts_size,
            marked_for_deletion_on: row.marked_for_deletion_on.map(|day| day.to_string()),
            wiki_access_level: feature_word(row.wiki_access_level),
            only_allow_merge_if_pipeline_succeeds: row.only_allow_merge_if_pipeline_succeeds,
            allow_merge_on_skipped_pipeline: row.allow_merge_on_skipped_pipeline,
            only_allow_merge_if_all_discussions_are_resolved: row.only_allow_merge_if_all_discussions_are_resolved,
            ldap_cn: None,
            ldap_access: None,
            file_template_project_id: None,
            repository_storage: admin.then(|| row.repository_storage.clone()),
            statistics: statistics.map(|row| statistics_of(row, false)),
        }
    }
}

/// The room that a group or a project takes.
pub(super) fn statistics_of(row: StatisticsRow, project: bool) -> StatisticsShape {
    StatisticsShape {
        commit_count: project.then_some(row.commit_count),
        storage_size: row.storage_size,
        repository_size: row.repository_size,
        wiki_size: row.wiki_size,
        lfs_objects_size: row.lfs_objects_size,
        job_artifacts_size: row.job_artifacts_size,
        pipeline_artifacts_size: row.pipeline_artifacts_size,
        packages_size: row.packages_size,
        snippets_size: row.snippets_size,
        uploads_size: row.uploads_size,
        container_registry_size: project.then_some(row.container_registry_size),
    }
}

/// What is said of new default branches, spelt out.
fn protection(row: &GroupShapeRow, level: i32) -> Value {
    let spelt = row.default_branch_protection_defaults.as_object().filter(|object| !object.is_empty());
    let defaults = Some(&row.default_branch_protection_defaults).filter(|_| spelt.is_some());
    let known = default_branches::protection(defaults, Some(i16::try_from(level).unwrap_or(2)), None, None);
    let DefaultProtection { push, merge, allow_force_push, developers_push_first, .. } = known;
    let stated = |name: &str, usual: Value| spelt.and_then(|object| object.get(name)).cloned().unwrap_or(usual);
    let levels = |level: AccessLevel| json!([{ "access_level": level.0 }]);
    json!({
        "allowed_to_push": stated("allowed_to_push", levels(push)),
        "allow_force_push": stated("allow_force_push", allow_force_push.into()),
        "allowed_to_merge": stated("allowed_to_merge", levels(merge)),
        "developer_can_initial_push": stated("developer_can_initial_push", developers_push_first.into()),
        "code_owner_approval_required": stated("code_owner_approval_required", false.into()),
    })
}

/// Who makes projects, as clients name them.
pub const CREATION_WORDS: &[(&str, i32)] =
    &[("noone", 0), ("maintainer", 1), ("developer", 2), ("administrator", 3), ("owner", 4)];

fn creation_word(level: Option<i32>) -> &'static str {
    let level = level.unwrap_or(2);
    CREATION_WORDS.iter().find(|(_, number)| *number == level).map_or("developer", |(word, _)| word)
}

/// The levels of a feature, as clients name them.
pub const FEATURE_WORDS: &[(&str, i32)] = &[("disabled", 0), ("private", 10), ("enabled", 20), ("public", 30)];

/// The level of a feature, as clients name it.
#[must_use]
pub fn feature_word(level: i32) -> &'static str {
    FEATURE_WORDS.iter().find(|(_, number)| *number == level).map_or("enabled", |(word, _)| word)
}

impl SharedGroupShape {
    /// A share.
    #[must_use]
    pub fn of(row: SharedWithRow) -> Self {
        Self {
            group_id: row.group,
            group_name: row.name,
            group_full_path: row.full_path,
            group_access_level: row.level,
            expires_at: row.expires_at.map(|day| day.to_string()),
            member_role_id: None,
        }
    }
}

impl RestState {
    /// These groups for a list, in the order of the ids.
    ///
    /// # Errors
    /// Where the database gives no answer.
    pub async fn group_shapes(
        &self,
        caller: &RestCaller,
        ids: &[i64],
        statistics: bool,
    ) -> Result<Vec<GroupShape>, RestRefusal> {
        let shapes = rows::list_shapes(self.db.pool(), ids).await?;
        let admin = caller.is_admin();
        let sizes = if admin && statistics { list_of_groups(self.db.pool(), ids).await? } else { HashMap::new() };
        Ok(shapes.iter().map(|row| GroupShape::of(row, &self.url, admin, sizes.get(&row.id).copied())).collect())
    }

    /// One group in detail, with its projects where they are asked for.
    ///
    /// # Errors
    /// 404 where it is gone meanwhile.
    pub async fn group_detail(
        &self,
        caller: &RestCaller,
        id: i64,
        level: AccessLevel,
        with_projects: bool,
    ) -> Result<GroupDetailShape, RestRefusal> {
        let gone = RestRefusal::NotFound("Group");
        let row = rows::list_shapes(self.db.pool(), &[id]).await?.pop().ok_or(gone)?;
        let root = row.parent_id.is_none();
        let shared = rows::list_shared_with(self.db.pool(), &[id]).await?;
        let shared_with_groups = self.visible_shares(caller, shared).await?.remove(&id).unwrap_or_default();
        let owns = caller.is_admin() || level >= AccessLevel::OWNER;
        let joined = |texts: &[String]| (!texts.is_empty()).then(|| texts.join(","));
        let for_owners = owns.then(|| GroupOwnersShape {
            enabled_git_access_protocol: root.then_some(match row.enabled_git_access_protocol {
                1 => "ssh",
                2 => "http",
                _ => "all",
            }),
            ip_restriction_ranges: joined(&row.ip_restriction_ranges),
            allowed_email_domains_list: joined(&row.allowed_email_domains),
            runners_token: None,
        });
        let (projects, shared_projects) = if with_projects {
            let (own, shared) = self.projects_of_group(caller, id).await?;
            (Some(own), Some(shared))
        } else {
            (None, None)
        };
        Ok(GroupDetailShape {
            group: GroupShape::of(&row, &self.url, caller.is_admin(), None),
            shared_with_groups,
            prevent_sharing_groups_outside_hierarchy: root.then_some(row.prevent_sharing_groups_outside_hierarchy),
            membership_lock: row.membership_lock,
            shared_runners_minutes_limit: row.shared_runners_minutes_limit,
            extra_shared_runners_minutes_limit: row.extra_shared_runners_minutes_limit,
            prevent_forking_outside_group: row.prevent_forking_outside_group,
            for_owners,
            projects,
            shared_projects,
        })
    }

    /// Those of the shares with groups that the caller sees, by what is shared.
    ///
    /// # Errors
    /// Where the database gives no answer.
    pub async fn visible_shares(
        &self,
        caller: &RestCaller,
        shares: Vec<SharedWithRow>,
    ) -> Result<HashMap<i64, Vec<SharedGroupShape>>, RestRefusal> {
        let mut visible: HashMap<i64, Vec<SharedGroupShape>> = HashMap::new();
        let groups: Vec<i64> = shares.iter().map(|share| share.group).collect();
        let seen: Option<HashSet<i64>> = if caller.is_admin() || groups.is_empty() {
            None
        } else {
            let today = self.clock.now().date_naive();
            let seen = rows::list_seen(&self.db, caller.id(), &caller.open_levels(), &groups, today).await?;
            Some(seen.into_iter().collect())
        };
        for share in shares {
            if seen.as_ref().is_none_or(|seen| seen.contains(&share.group)) {
                visible.entry(share.of).or_default().push(SharedGroupShape::of(share));
            }
        }
        Ok(visible)
    }
}
