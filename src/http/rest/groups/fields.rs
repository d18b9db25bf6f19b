//! What clients say of a group (rest.md 6.3).

use serde_json::{Map, Value, json};

use crate::http::grape::ParameterReader;
use crate::http::rest::entities::VISIBILITY_WORDS;
use crate::http::rest::entities::group::CREATION_WORDS;
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
