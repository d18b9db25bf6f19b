//! What clients say of a group (rest.md 6.3).

use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::http::grape::ParameterReader;
use crate::http::rest::entities::VISIBILITY_WORDS;
use crate::http::rest::entities::group::{AllowedLevelShape, CREATION_WORDS};
use crate::services::group_change::{GroupChange, SharedRunners};

const SUBGROUP_WORDS: &[(&str, i32)] = &[("owner", 0), ("maintainer", 1)];
const PROTOCOL_WORDS: &[(&str, i16)] = &[("all", 0), ("ssh", 1), ("http", 2)];
const RUNNER_WORDS: &[(&str, SharedRunners)] = &[
    ("enabled", SharedRunners::Enabled),
    ("disabled_and_overridable", SharedRunners::Overridable),
    ("disabled_with_override", SharedRunners::Overridable),
    ("disabled_and_unoverridable", SharedRunners::Disabled),
];
const WIKI_WORDS: &[(&str, i32)] = &[("disabled", 0), ("private", 10), ("enabled", 20)];
const PROTECTION_WORDS: &[(&str, i16)] = &[("0", 0), ("1", 1), ("2", 2), ("3", 3), ("4", 4)];

/// What is said of a group.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct GroupParameters {
    /// Required of a new group.
    name: Option<String>,
    /// The last part of the full path; required of a new group.
    path: Option<String>,
    /// Of a new group: the group that it is made in; none makes a root group.
    parent_id: Option<i64>,
    description: Option<String>,
    /// `private`, `internal` or `public`
    visibility: Option<String>,
    /// Whether projects in it may not be shared with other groups.
    share_with_group_lock: Option<bool>,
    /// Whether projects in it keep the members that they have.
    membership_lock: Option<bool>,
    /// Whether members need a second factor.
    require_two_factor_authentication: Option<bool>,
    /// Hours that they have to set one up.
    two_factor_grace_period: Option<i32>,
    /// `noone`, `owner`, `maintainer`, `developer` or `administrator`
    project_creation_level: Option<String>,
    /// `owner` or `maintainer`
    subgroup_creation_level: Option<String>,
    /// Whether git-lfs may store files in its projects.
    lfs_enabled: Option<bool>,
    /// Whether users may ask to become members.
    request_access_enabled: Option<bool>,
    /// The default branch of new projects.
    default_branch: Option<String>,
    /// How new default branches are protected, as a number from 0 to 4.
    default_branch_protection: Option<i32>,
    /// The same, spelt out; what is left out stays as it is.
    default_branch_protection_defaults: Option<DefaultProtectionParameters>,
    /// Of a root group: `all`, `ssh` or `http`
    enabled_git_access_protocol: Option<String>,
    /// For administrators: minutes a month.
    shared_runners_minutes_limit: Option<i32>,
    /// For administrators: minutes that were bought.
    extra_shared_runners_minutes_limit: Option<i32>,
    /// Addresses and ranges from which members come in, with commas; an empty text takes all away.
    ip_restriction_ranges: Option<String>,
    /// Domains of the addresses of members, with commas; an empty text takes all away.
    allowed_email_domains_list: Option<String>,
    /// Of a root group: whether what is in it is shared with groups in it alone.
    prevent_sharing_groups_outside_hierarchy: Option<bool>,
    /// Kept, without effect.
    auto_devops_enabled: Option<bool>,
    /// Kept, without effect.
    mentions_disabled: Option<bool>,
    /// Kept, without effect: `enabled`, `disabled_and_overridable` or `disabled_and_unoverridable`
    shared_runners_setting: Option<String>,
    /// Kept, without effect.
    max_artifacts_size: Option<i32>,
    /// Kept, without effect.
    emails_enabled: Option<bool>,
    /// The older name of that, the other way round.
    emails_disabled: Option<bool>,
    /// Kept, without effect.
    show_diff_preview_in_email: Option<bool>,
    /// Kept, without effect.
    only_allow_merge_if_pipeline_succeeds: Option<bool>,
    /// Kept, without effect.
    allow_merge_on_skipped_pipeline: Option<bool>,
    /// Kept, without effect.
    only_allow_merge_if_all_discussions_are_resolved: Option<bool>,
    /// Kept, without effect.
    math_rendering_limits_enabled: Option<bool>,
    /// Kept, without effect.
    lock_math_rendering_limits_enabled: Option<bool>,
    /// Kept, without effect.
    prevent_forking_outside_group: Option<bool>,
    /// Kept, without effect: `disabled`, `private` or `enabled`
    wiki_access_level: Option<String>,
}

/// How new default branches are to be protected.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct DefaultProtectionParameters {
    allow_force_push: Option<bool>,
    /// Whether developers may push to a branch that is not there yet.
    developer_can_initial_push: Option<bool>,
    /// Kept, without effect.
    code_owner_approval_required: Option<bool>,
    allowed_to_push: Option<Vec<AllowedLevelShape>>,
    allowed_to_merge: Option<Vec<AllowedLevelShape>>,
}

/// What a request says of a group, but for its name and path. Administrators alone give minutes.
pub fn read(reader: &mut ParameterReader<'_>, admin: bool) -> GroupChange {
    let emails_enabled = reader.optional::<bool>("emails_enabled").value();
    let emails_disabled = reader.optional::<bool>("emails_disabled").value();
    let minutes = reader.optional::<i32>("shared_runners_minutes_limit").stated();
    let extra_minutes = reader.optional::<i32>("extra_shared_runners_minutes_limit").stated();
    GroupChange {
        name: None,
        path: None,
        description: reader.optional::<String>("description").stated().map(Option::unwrap_or_default),
        visibility: reader.choice("visibility", VISIBILITY_WORDS).value(),
        share_with_group_lock: reader.optional("share_with_group_lock").value(),
        membership_lock: reader.optional("membership_lock").value(),
        require_two_factor_authentication: reader.optional("require_two_factor_authentication").value(),
        two_factor_grace_period: reader.optional("two_factor_grace_period").value(),
        project_creation_level: reader.choice("project_creation_level", CREATION_WORDS).value(),
        subgroup_creation_level: reader.choice("subgroup_creation_level", SUBGROUP_WORDS).value(),
        lfs_enabled: reader.optional("lfs_enabled").value(),
        request_access_enabled: reader.optional("request_access_enabled").value(),
        default_branch: reader.optional::<String>("default_branch").stated(),
        default_branch_protection: reader.choice("default_branch_protection", PROTECTION_WORDS).value(),
        default_branch_protection_defaults: protection(reader),
        enabled_git_access_protocol: reader.choice("enabled_git_access_protocol", PROTOCOL_WORDS).value(),
        shared_runners_minutes_limit: minutes.filter(|_| admin),
        extra_shared_runners_minutes_limit: extra_minutes.filter(|_| admin),
        ip_restriction_ranges: texts(reader, "ip_restriction_ranges"),
        allowed_email_domains: texts(reader, "allowed_email_domains_list"),
        prevent_sharing_groups_outside_hierarchy: reader.optional("prevent_sharing_groups_outside_hierarchy").value(),
        auto_devops_enabled: reader.optional("auto_devops_enabled").value(),
        mentions_disabled: reader.optional("mentions_disabled").value(),
        shared_runners: reader.choice("shared_runners_setting", RUNNER_WORDS).value(),
        max_artifacts_size: reader.optional::<i32>("max_artifacts_size").stated(),
        emails_enabled: emails_enabled.or(emails_disabled.map(|disabled| !disabled)),
        show_diff_preview_in_email: reader.optional("show_diff_preview_in_email").value(),
        only_allow_merge_if_pipeline_succeeds: reader.optional("only_allow_merge_if_pipeline_succeeds").value(),
        allow_merge_on_skipped_pipeline: reader.optional("allow_merge_on_skipped_pipeline").value(),
        only_allow_merge_if_all_discussions_are_resolved: reader
            .optional("only_allow_merge_if_all_discussions_are_resolved")
            .value(),
        math_rendering_limits_enabled: reader.optional("math_rendering_limits_enabled").value(),
        lock_math_rendering_limits_enabled: reader.optional("lock_math_rendering_limits_enabled").value(),
        prevent_forking_outside_group: reader.optional("prevent_forking_outside_group").value(),
        wiki_access_level: reader.choice("wiki_access_level", WIKI_WORDS).value(),
    }
}

/// A list that clients send as one text with commas; an empty one takes all away.
fn texts(reader: &mut ParameterReader<'_>, name: &str) -> Option<Vec<String>> {
    reader.array::<String>(name).stated().map(Option::unwrap_or_default)
}

/// The parts that are given of how new default branches are protected.
fn protection(reader: &mut ParameterReader<'_>) -> Option<Map<String, Value>> {
    let stated = reader.optional_object("default_branch_protection_defaults", |reader| {
        let mut stated = Map::new();
        for name in ["allow_force_push", "developer_can_initial_push", "code_owner_approval_required"] {
            if let Some(value) = reader.optional::<bool>(name).value() {
                stated.insert(name.to_owned(), value.into());
            }
        }
        for name in ["allowed_to_push", "allowed_to_merge"] {
            let levels =
                reader.objects_in_any_form(name, |row| row.access_level("access_level", &[0, 30, 40, 60]).value());
            if let Some(levels) = levels.value() {
                let levels: Vec<Value> =
                    levels.into_iter().flatten().map(|level| json!({ "access_level": level.0 })).collect();
                stated.insert(name.to_owned(), levels.into());
            }
        }
        stated
    });
    stated.value().filter(|stated| !stated.is_empty())
}
